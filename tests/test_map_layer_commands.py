"""``explorer species`` and ``explorer clusters``, as a person types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from naming_listeners import Namer
from tone_recordings import make_tones
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.encoders import registry
from explorer.space import projection


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tones = make_tones(tmp_path_factory.mktemp("layers"))
    tones.close()
    return tones.path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_clusters_makes_the_map_and_says_what_each_name_rests_on(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flat(vectors: object, **options: object) -> np.ndarray:
        return np.asarray(vectors, dtype=np.float32)[:, [1, 3]]

    monkeypatch.setattr(projection, "project", flat)
    said = run("clusters", collection)
    assert "clips from its middle" in said
    assert " clusters" in said
    out = tmp_path / "clusters.csv"
    run("clusters", collection, "--no-listen", "--out", out)
    table = pd.read_csv(out)
    assert {"recording", "start_s", "cluster"} <= set(table.columns)
    assert table["cluster"].notna().any()


def test_species_lists_names_and_warns_of_taking_them_for_detections(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer.open(collection).embed(Namer(), progress=False)
    monkeypatch.setattr(registry, "load", lambda name, **options: Namer())
    said = run("species", collection, "--at", 0.4)
    assert "Bird " in said
    assert "A guess is no detection" in said
    out = tmp_path / "species.csv"
    assert "Bird " not in run("species", collection, "--out", out)
    assert {"recording", "start_s", "species", "scientific", "score"} <= set(
        pd.read_csv(out).columns
    )
