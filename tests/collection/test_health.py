"""Measuring a collection's recordings: resumable, kept in the catalogue, and told as a table."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile
from small_recordings import RATE, write_recordings

import explorer
from explorer.audio import measuring
from explorer.audio.measuring import measure_all
from explorer.collection import health, health_store
from explorer.collection.health_finding import COLUMNS


class Enough(Exception):
    """Somebody pressed stop."""


@pytest.fixture
def reef(tmp_path):
    folder = write_recordings(tmp_path / "recordings")
    return explorer.open(tmp_path / "reef.collection", audio=folder)


@pytest.fixture
def measured(monkeypatch):
    """The files that are measured, in the order in which they were asked for."""
    asked = []

    def noting(work, **options):
        work = list(work)
        asked.extend(path.name for _, path in work)
        return measure_all(work, **options)

    monkeypatch.setattr(health, "measure_all", noting)
    return asked


def test_every_recording_is_measured_once(reef, measured):
    report = reef.measure_health(progress=False)
    assert (report.recordings, report.unreadable) == (8, 0)
    assert len(reef.health_measures) == 8
    assert np.allclose(reef.health_measures["level_dbfs"], -16, atol=2)
    assert str(reef.measure_health(progress=False)).startswith("Nothing to do")
    assert len(measured) == 8


def test_what_is_measured_when_it_stops_is_kept_and_the_rest_is_measured_next(reef, measured):
    def stop(progress):
        if progress.recordings == 3:
            raise Enough

    with pytest.raises(Enough):
        reef.measure_health(progress=stop, processes=1)
    kept = len(reef.health_measures)
    assert kept == 3
    first = set(measured)
    measured.clear()
    reef.measure_health(progress=False)
    assert len(measured) == 8 - kept
    assert len(first) == 8
    assert len(reef.health_measures) == 8


def test_progress_tells_of_recordings_and_sound(reef):
    told = []
    reef.measure_health(progress=told.append)
    assert [progress.recordings for progress in told] == list(range(1, 9))
    assert told[-1].share == 1
    assert told[-1].total == 8


def test_a_recording_that_changed_is_measured_again(reef, measured, tmp_path):
    reef.measure_health(progress=False)
    path = tmp_path / "recordings" / "east" / "EAST_20260301_000000.wav"
    soundfile.write(path, np.zeros(RATE * 4), RATE)
    os.utime(path, (1, 1))
    reef.add(tmp_path / "recordings")
    measured.clear()
    reef.measure_health(progress=False)
    assert measured == [path.name]
    assert reef.health()["kind"].tolist() == ["digital silence"]


def test_measures_of_another_version_do_not_count(reef, measured, monkeypatch):
    reef.measure_health(progress=False)
    with reef.catalogue.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE health SET version = version - 1")
    assert reef.health_measures.empty
    assert reef.measure_health(progress=False).recordings == 8


def test_one_broken_file_does_not_stop_the_others(reef, tmp_path):
    path = tmp_path / "recordings" / "west" / "WEST_20260301_010000.wav"
    path.write_bytes(b"not a sound any more")
    assert reef.measure_health(progress=False).unreadable == 1
    (found,) = reef.health().itertuples()
    assert (found.kind, found.severity) == ("unreadable", "severe")
    assert found.recording == "west/WEST_20260301_010000.wav"
    assert "text" in found.sentence


def test_the_table_says_when_where_how_bad_and_what_to_do(reef):
    path = reef.recordings["path"].iloc[0]
    soundfile.write(path, np.clip(np.random.default_rng(0).normal(0, 2, RATE * 4), -1, 1), RATE)
    reef.measure_health(progress=False)
    table = reef.health()
    assert list(table.columns) == COLUMNS
    row = table.iloc[0]
    assert (row["severity"], row["kind"], row["site"]) == ("severe", "clipping", "EAST")
    assert (row["from"], row["to"]) == ("2026-03-01T00:00:00+00:00", "2026-03-01T00:00:04+00:00")
    assert "gain" in row["sentence"]


def test_catalogue_findings_need_no_measuring_and_keep_up_with_it(reef, tmp_path):
    soundfile.write(tmp_path / "recordings" / "note.wav", np.ones(RATE) * 0.01, RATE)
    reef.add(tmp_path / "recordings")
    assert reef.health()["kind"].tolist() == ["no start time"]
    reef.measure_health(progress=False)
    assert "stuck values" in reef.health()["kind"].tolist()


def test_a_lost_row_of_a_recording_is_no_error(reef):
    health_store.save(reef.catalogue, {10_000: measuring.SoundHealth(seconds=1)})
    assert reef.health_measures.empty
