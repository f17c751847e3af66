"""Counts of detections stand beside the hours of sound that were searched for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_recordings import RATE, Listener

import explorer
from explorer.collection.classifier import Classifier
from explorer.collection.collection import Collection
from explorer.collection.counts import groups_of, recorded_s
from explorer.errors import ParameterError

CALLS = {
    # What was recorded, how many seconds of it, and in which a call begins (each of one second).
    "east/EAST_20260228_235956.wav": (8.0, [0, 1, 6]),
    "east/EAST_20260301_050000.wav": (10.0, []),
    "west/WEST_20260301_050000.wav": (20.4, [3, 9, 10]),
    "unknown.wav": (5.0, [2]),
}


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    generator = np.random.default_rng(1)
    for name, (seconds, calls) in CALLS.items():
        sound = generator.normal(0, 0.01, int(seconds * RATE))
        time = np.arange(RATE) / RATE
        for call in calls:
            sound[call * RATE : (call + 1) * RATE] += 0.3 * np.sin(2 * np.pi * 700 * time)
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound, RATE)
    return tmp_path / "audio"


@pytest.fixture
def reef(tmp_path: Path, audio: Path) -> Collection:
    reef = explorer.open(tmp_path / "reef.collection", audio=audio, timezone="Australia/Brisbane")
    reef.embed(Listener(), progress=False)
    return reef


def tones(reef: Collection) -> Classifier:
    """Finds the tone, whatever the hop."""
    windows = reef.windows()
    clear = windows[(windows["start_s"] == 3) & (windows["site"] == "WEST")].index
    quiet = windows[(windows["start_s"] == 14) & (windows["site"] == "WEST")].index
    return reef.classifier({"tone": clear}, negatives={"tone": quiet}, kind="centroid")


def by_site(reef: Collection) -> pd.DataFrame:
    table = tones(reef).counts("site")
    return table.set_index(table.pop("site").fillna("?"))


def test_counts_are_per_hour_of_recording(reef: Collection):
    table = by_site(reef)
    assert list(table.columns) == ["class", "detections", "recorded_hours", "per_hour"]
    assert table["detections"].to_dict() == {"EAST": 2, "WEST": 2, "?": 1}
    hours = np.array([18, 20.4, 5]) / 3600
    np.testing.assert_allclose(table["recorded_hours"], hours)
    np.testing.assert_allclose(table["per_hour"], [2, 2, 1] / hours)


def test_days_hours_and_months_are_those_of_the_recorders_clock(reef: Collection):
    """A recording that goes on after midnight belongs to both days."""
    reef_tones = tones(reef)
    days = reef_tones.counts("day")
    assert days["day"].fillna("?").tolist() == ["2026-02-28", "2026-03-01", "?"]
    assert days["detections"].tolist() == [1, 3, 1]
    np.testing.assert_allclose(days["recorded_hours"] * 3600, [4, 4 + 10 + 20.4, 5])
    hours = reef_tones.counts("hour")
    assert hours["hour"].fillna(-1).tolist() == [0, 5, 23, -1]
    assert hours["detections"].tolist() == [1, 2, 1, 1]
    months = reef_tones.counts("month")
    assert months["month"].fillna("?").tolist() == ["2026-02", "2026-03", "?"]


def test_no_detection_is_a_result_and_no_recording_is_none(reef: Collection):
    table = tones(reef).counts(["site", "hour"])
    assert len(table) == 5  # of three sites by four hours
    quiet = table[(table["site"] == "EAST") & (table["hour"] == 5)].iloc[0]
    assert (quiet["detections"], quiet["per_hour"]) == (0, 0)
    assert not ((table["site"] == "WEST") & (table["hour"] == 23)).any()


def test_a_class_without_any_detection_is_there_with_zeros(reef: Collection):
    table = tones(reef).counts("site", threshold=1.1)
    assert table["detections"].tolist() == [0, 0, 0]
    assert (table["per_hour"] == 0).all()


@pytest.mark.parametrize("hop_s", [0.25, 0.5, 1.0])
def test_seconds_that_windows_share_are_recorded_once(reef: Collection, hop_s: float):
    reef.embed(Listener(), hop_s=hop_s, progress=False)
    run = None if hop_s == 1.0 else f"listener-1_1.0s_hop{hop_s:g}s"
    index = reef.index(run or "listener-1_1.0s")
    heard = sum(seconds for seconds, _ in CALLS.values())
    assert recorded_s(index).sum() == pytest.approx(heard)
    table = by_site(reef)
    assert table["detections"].to_dict() == {"EAST": 2, "WEST": 2, "?": 1}
    assert table["recorded_hours"].sum() * 3600 == pytest.approx(heard)


def test_seconds_between_windows_are_not_recorded(reef: Collection):
    reef.embed(Listener(), hop_s=2.0, progress=False)
    # Windows at 0, 2, 4 … s; one must hold a quarter of its length.
    assert recorded_s(reef.index()).sum() == pytest.approx(4 + 5 + 10.4 + 3)


def test_every_class_has_rows_of_its_own_and_the_classifiers_threshold(reef: Collection):
    two = reef.classifier({"tone": [3], "hiss": [4, 5]}, kind="centroid")
    two.thresholds = {"tone": 0.3, "hiss": 0.9}
    table = two.counts("site")
    assert table["class"].tolist() == ["tone"] * 3 + ["hiss"] * 3
    one = two.counts("site", class_="hiss")
    pd.testing.assert_frame_equal(one, table[table["class"] == "hiss"].reset_index(drop=True))
    assert one["detections"].sum() == len(two.detections(class_="hiss"))


def test_what_cannot_be_counted_by_is_refused(reef: Collection):
    for by in ("fortnight", [], ["site", "site"]):
        with pytest.raises(ParameterError, match="by is one or several of site, day, week, month"):
            groups_of(reef.index(), by)
    with pytest.raises(ParameterError, match="there is no class 'grunt'"):
        tones(reef).counts("site", class_="grunt")
