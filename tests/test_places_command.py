"""``explorer sites`` and ``explorer activity``, as a person types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seasons import hourly, season
from typer.testing import CliRunner

from explorer import cli
from explorer.errors import ParameterError


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    starts = hourly(["Creek", "=Ridge"], "2026-06-14", 3, "Australia/Brisbane")
    made, holds = season(
        tmp_path / "a.collection", starts, lambda _, at: 0.6 if at.hour == 7 else 0.0
    )
    made.classifier({"call": np.flatnonzero(holds)[:10]}, kind="centroid").save("calls")
    made.close()
    return made.path


def test_sites_are_placed_from_the_command_line_and_from_a_table(collection: Path, tmp_path: Path):
    said = run("sites", collection)
    assert "0 of 2 sites have coordinates. 2 without: add --set" in said
    said = run("sites", collection, "--set", "=Ridge=27.5 S 153.0 E")
    assert "1 of 2 sites have coordinates." in said
    out = tmp_path / "sites.csv"
    run("sites", collection, "--set", "Creek=-27.47,153.03", "--out", out)
    table = pd.read_csv(out)
    assert table["site"].tolist() == ["'=Ridge", "Creek"]  # no spreadsheet runs it
    assert run("sites", collection, "--set", "Creek=").count("1 of 2 sites") == 1
    said = run("sites", collection, "--file", out)
    assert "2 sites placed." in said
    assert "2 of 2 sites have coordinates." in said
    with pytest.raises(ParameterError, match="--set takes NAME=LATITUDE,LONGITUDE"):
        run("sites", collection, "--set", "Creek")


def test_activity_is_written_as_a_table(collection: Path, tmp_path: Path):
    out = tmp_path / "activity.csv"
    said = run("activity", collection, "--classifier", "calls", "--by", "site,hour", "--out", out)
    assert "windows in 2.4 recorded hours, by site, hour." in said
    table = pd.read_csv(out)
    assert table.loc[table["windows"] > 0, "hour"].tolist() == [7, 7]
    assert (table["high"] > table["per_hour"]).all()
    said = run("activity", collection, "--effort", "--by", "week")
    assert said.splitlines()[:2] == ["week,recorded_hours", "2026-W24,0.8"]
