"""``explorer health``, as a person types it."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_recordings import RATE, write_recordings
from test_cli import run

import explorer
from explorer.collection import health


@pytest.fixture
def collection(tmp_path):
    folder = write_recordings(tmp_path / "recordings", count=6)
    loud = np.clip(np.random.default_rng(0).normal(0, 2, RATE * 4), -1, 1)
    soundfile.write(folder / "east" / "EAST_20260301_060000.wav", loud, RATE)
    (folder / "east" / "broken.wav").write_bytes(b"not a sound")
    path = tmp_path / "reef.collection"
    explorer.open(path, audio=folder).close()
    return path


def test_health_measures_and_says_what_to_look_after(collection):
    said = run("health", collection)
    assert "Measured 7 recordings" in said
    assert "severe: clipping (1)\n  east/EAST_20260301_060000.wav: " in said
    assert "1 finding (1 severe) in 7 recordings. 1 file left out" in said
    assert "Nothing to do" in run("health", collection)


def test_health_writes_tables(collection, tmp_path):
    findings, measures = tmp_path / "findings.csv", tmp_path / "measures.csv"
    run("health", collection, "--out", findings, "--measures", measures)
    assert pd.read_csv(findings)["kind"].tolist() == ["clipping"]
    assert len(pd.read_csv(measures)) == 7


def test_health_without_measuring_looks_at_the_catalogue_alone(collection):
    assert "Nothing to look after in 7 recordings" in run("health", collection, "--no-measure")


def test_ctrl_c_keeps_what_is_measured(collection, monkeypatch):
    @contextmanager
    def interrupted():
        def advance(progress):
            if progress.recordings == 2:
                raise KeyboardInterrupt

        yield advance

    with monkeypatch.context() as patched:
        patched.setattr(health, "bar", interrupted)
        said = run("health", collection, status=130)
    assert "2 recordings are measured and kept" in said
    assert "Measured 5 recordings" in run("health", collection)
