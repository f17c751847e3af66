"""Neighbouring windows become one event, and no others do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from explorer.classify.detections import events_of, merge_windows
from explorer.errors import ParameterError


def windows(*rows: tuple[str, float, float, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["recording", "start_s", "end_s", "class", "score"])


def merged_one_by_one(table: pd.DataFrame, gap_s: float) -> list[tuple]:
    """The same by a plain loop, to compare with."""
    events: list[list] = []
    for row in table.sort_values(["recording", "class", "start_s"]).itertuples(index=False):
        last = events[-1] if events else None
        if last and last[0] == row[0] and last[3] == row[3] and row[1] <= last[2] + gap_s + 1e-6:
            last[2], last[4], last[5] = max(last[2], row[2]), max(last[4], row[4]), last[5] + 1
        else:
            events.append([*row, 1])
    return sorted((tuple(event) for event in events), key=lambda e: (e[0], e[1], e[3]))


def test_windows_that_touch_are_one_event_with_the_highest_score():
    found = merge_windows(
        windows(("a", 0, 3, "grunt", 0.6), ("a", 3, 6, "grunt", 0.9), ("a", 9, 12, "grunt", 0.7))
    )
    assert found.to_dict("list") == {
        "recording": ["a", "a"],
        "start_s": [0, 9],
        "end_s": [6, 12],
        "class": ["grunt", "grunt"],
        "score": [0.9, 0.7],
        "windows": [2, 1],
    }


def test_other_recordings_and_other_classes_stay_apart():
    found = merge_windows(
        windows(("a", 0, 3, "x", 1), ("b", 3, 6, "x", 1), ("a", 3, 6, "y", 1), ("a", 0, 3, "y", 1))
    )
    assert list(zip(found["recording"], found["class"], found["windows"], strict=True)) == [
        ("a", "x", 1),
        ("a", "y", 2),
        ("b", "x", 1),
    ]


def test_a_gap_joins_what_lies_at_most_so_far_apart():
    table = windows(("a", 0, 3, "x", 1), ("a", 5, 8, "x", 1), ("a", 10.5, 13.5, "x", 1))
    assert merge_windows(table, gap_s=2)["end_s"].tolist() == [8, 13.5]
    assert merge_windows(table, gap_s=2.5)["end_s"].tolist() == [13.5]


def test_a_long_window_is_not_forgotten_behind_a_short_one_within_it():
    found = merge_windows(
        windows(("a", 0, 10, "x", 0.1), ("a", 1, 2, "x", 0.2), ("a", 9, 12, "x", 0.3))
    )
    assert found[["start_s", "end_s", "windows"]].to_numpy().tolist() == [[0, 12, 3]]


def test_windows_of_a_hop_that_binary_numbers_miss_still_touch():
    starts = np.arange(1000) * 0.1
    table = pd.DataFrame(
        {"recording": "a", "start_s": starts, "end_s": starts + 0.1, "class": "x", "score": 1.0}
    )
    assert len(merge_windows(table)) == 1


@pytest.mark.parametrize("gap_s", [0.0, 0.4, 3.0])
def test_agrees_with_a_plain_loop_on_shuffled_overlapping_windows(gap_s):
    rng = np.random.default_rng(4)
    n = 400
    start = rng.uniform(0, 200, n).round(1)
    table = pd.DataFrame(
        {
            "recording": rng.choice(["b.wav", "a.wav", "c.wav"], n),
            "start_s": start,
            "end_s": start + rng.choice([0.5, 1.5, 5.0], n),
            "class": rng.choice(["x", "y"], n),
            "score": rng.random(n),
        }
    )
    found = list(merge_windows(table, gap_s=gap_s).itertuples(index=False, name=None))
    assert found == merged_one_by_one(table, gap_s)


def test_nothing_found_is_an_empty_table_with_all_columns():
    found = merge_windows(windows())
    assert list(found.columns) == ["recording", "start_s", "end_s", "class", "score", "windows"]
    assert found.empty


def test_recording_ids_are_kept_as_numbers():
    found = merge_windows(windows(("a", 0, 3, "x", 1)).assign(recording_id=[7]))
    assert found["recording_id"].tolist() == [7]
    assert found["recording_id"].dtype.kind == "i"


def test_a_missing_score_does_not_hide_the_others():
    found = merge_windows(windows(("a", 0, 3, "x", np.nan), ("a", 3, 6, "x", 0.4)))
    assert found["score"].tolist() == [0.4]


def test_what_is_no_time_range_is_named():
    with pytest.raises(ParameterError, match=r"row 1: 5.0 to 3.0 s"):
        events_of(np.array([0, 0]), np.array([0.0, 5.0]), np.array([3.0, 3.0]))
    with pytest.raises(ParameterError, match="gap_s must be 0 s or more"):
        merge_windows(windows(("a", 0, 3, "x", 1)), gap_s=-1)
