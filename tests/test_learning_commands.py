"""``explorer classify`` with kinds and quality, and ``explorer next``, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tone_recordings import PITCHES, make_tones, windows_of
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.errors import ParameterError


def run(*arguments: object) -> tuple[str, str]:
    """Run a command in this process; give what it writes for programs, and what it tells people."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of four pitches, each from three recordings."""
    tones = make_tones(tmp_path_factory.mktemp("commands"))
    for pitch in PITCHES:
        tones.label(windows_of(tones, pitch, 3), pitch, who="ana")
    tones.close()
    return tones.path


def test_classify_chooses_a_kind_and_says_why(collection: Path) -> None:
    _, said = run("classify", collection)
    assert "On recordings left out its mean AUC is" in said


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_a_person_can_overrule_the_choice(collection: Path, kind: str) -> None:
    _, said = run("classify", collection, "--kind", kind, "--save", kind)
    assert "left out" not in said
    assert kind in repr(explorer.open(collection).load_classifier(kind))


def test_quality_is_told_beside_the_detections(collection: Path, tmp_path: Path) -> None:
    table, said = run("classify", collection, "--kind", "probe", "--quality")
    assert table.startswith("recording,start_s")
    for word in ("auc", "average_precision", "gap", *PITCHES):
        assert word in said
    written, _ = run("classify", collection, "--quality", "--out", tmp_path / "found.csv")
    assert written.splitlines()[-1].endswith(".")
    assert "detections at or above" in written


def test_a_saved_classifier_keeps_its_kind(collection: Path) -> None:
    run("classify", collection, "--kind", "probe", "--save", "probe of four")
    with pytest.raises(ParameterError, match="--kind"):
        run("classify", collection, "--classifier", "probe of four", "--kind", "centroid")


def test_next_lists_windows_with_reasons(collection: Path) -> None:
    listed, _ = run("next", collection, "-n", 5)
    assert len(listed.splitlines()) == 1 + 1 + 5 + 1  # titles, the index's name, windows, sentence
    assert "score" in listed
    assert listed.splitlines()[-1].startswith("5 windows to label")


def test_next_goes_out_and_comes_back_as_labels(collection: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "next.csv"
    told, _ = run("next", collection, "-n", 4, "--class", "low", "--out", sheet)
    assert f'explorer import "{collection}" "{sheet}"' in told
    table = pd.read_csv(sheet, dtype={"judgement": str})
    assert (table["class"] == "low").all()
    table["judgement"] = ["yes", "no", "unsure", None]
    table.to_csv(sheet, index=False)
    told, _ = run("import", collection, sheet, "--who", "ben")
    assert "3 labels taken in" in told
    again, _ = run("next", collection, "-n", 4, "--class", "low", "--out", sheet)
    assert "4 windows to label" in again
    key = ["recording", "start_s"]
    both = table.iloc[:3].merge(pd.read_csv(sheet), on=key)
    assert both.empty


def test_next_can_ask_a_saved_classifier(collection: Path) -> None:
    run("classify", collection, "--kind", "centroid", "--save", "of four")
    listed, _ = run("next", collection, "--classifier", "of four", "--strategy", "top", "-n", 3)
    assert "high score" in listed
