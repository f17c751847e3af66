"""``explorer study`` and ``explorer count``, as a person types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from grunt_recordings import truth_of, write_grunts
from small_recordings import Listener
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.errors import ParameterError


def run(*arguments: object) -> str:
    """Run a command in this process; give what it says."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    reef = explorer.open(tmp_path / "reef.collection", audio=write_grunts(tmp_path / "audio"))
    reef.embed(Listener(), progress=False)
    reef.classifier({"grunt": np.flatnonzero(truth_of(reef))[:6]}).save("grunts")
    reef.close()
    return reef.path


def filled_in(path: Path, collection: Path) -> Path:
    """Answer every window of a file, rightly."""
    reef = explorer.open(collection)
    windows = reef.windows()
    holds = dict(
        zip(zip(windows["recording"], windows["start_s"], strict=True), truth_of(reef), strict=True)
    )
    sheet = pd.read_csv(path)
    keys = zip(sheet["recording"], sheet["start_s"], strict=True)
    sheet["judgement"] = ["yes" if holds[key] else "no" for key in keys]
    sheet.to_csv(path, index=False)
    return path


def test_a_study_from_beginning_to_end(collection: Path, tmp_path: Path):
    sheet, begin = tmp_path / "windows.csv", ("study", collection, "flat", "--classifier", "grunts")
    said = run(*begin, "--per-bin", 30, "--to-label", sheet, "-n", 200)
    assert "Study flat: grunt in 720 windows" in said
    assert "0 windows answered" in said
    assert said.splitlines()[-1].startswith("Windows to label are in")
    assert len(pd.read_csv(sheet)) == 120
    filled_in(sheet, collection)

    said = run("study", collection, "flat", "--answers", sheet, "--who", "ana", "--precision", 0.8)
    assert "Navine et al. 2024" in run("study", collection, "flat", "--methods")
    assert "120 answers taken in." in said
    assert "120 windows answered" in said
    assert "Share of windows with grunt: " in said
    assert "(AUC): 0.9" in said
    assert "At a threshold of" in said
    assert "To know more: label" in said.splitlines()[-1]

    run("study", collection, "flat", "--by", "site,hour", "--out", tmp_path / "sites.csv")
    sites = pd.read_csv(tmp_path / "sites.csv")
    assert {"site", "hour", "windows", "recorded_hours", "mixture", "mixture_low"} <= set(sites)
    assert len(sites) == 12

    more = tmp_path / "more.csv"
    said = run("study", collection, "flat", "--plus-minus", 0.015, "--to-label", more, "-n", 500)
    assert f"label {len(pd.read_csv(more))} more" in said

    said = run(*begin, "--calibrate", "--precision", 0.8)
    assert "Classifier grunts now gives probabilities of grunt." in said
    run("classify", collection, "--classifier", "grunts", "--out", tmp_path / "found.csv")
    assert pd.read_csv(tmp_path / "found.csv")["probability"].between(0, 1).all()
    assert "flat" in run("study", collection)


def test_counts_are_written_with_their_hours(collection: Path, tmp_path: Path):
    out = tmp_path / "counts.csv"
    said = run("count", collection, "--classifier", "grunts", "--by", "site,hour", "--out", out)
    table = pd.read_csv(out)
    assert len(table) == 12
    assert table["recorded_hours"].sum() == pytest.approx(0.2)
    last = said.splitlines()[-1]
    assert last.startswith(f"{table['detections'].sum()} detections at or above")
    assert last.endswith("in 0.2 recorded hours, by site,hour.")


def test_a_study_that_was_begun_otherwise_is_not_taken_for_it(collection: Path):
    begin = ("study", collection, "once", "--classifier", "grunts")
    assert "Add --to-label FILE.csv" in run(*begin, "--site", "EAST")
    assert "in 240 windows" in run("study", collection, "once")
    for option, value in (("per-bin", 30), ("class", "snap"), ("site", "WEST")):
        with pytest.raises(ParameterError, match=f"begun with another {option} .*not .*{value}"):
            run(*begin, f"--{option}", value)
    with pytest.raises(ParameterError, match="--who ana"):
        run("study", collection, "once", "--answers", "x.csv")
    with pytest.raises(ParameterError, match="no yes or no yet"):
        run("study", collection, "once", "--by", "site")
