"""The rule that says which windows a recording has."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.audio.windows import WindowGrid
from explorer.errors import ParameterError


@pytest.mark.parametrize(
    ("duration_s", "n_windows"),
    [
        (0.05, 1),  # shorter than a window: padded, never dropped
        (3.0, 1),
        (3.7, 1),  # 0.7 s of a second window is less than a quarter of it
        (3.75, 2),  # exactly a quarter is kept
        (10.0, 4),
        (14_400.0, 4800),
    ],
)
def test_a_window_is_kept_when_a_quarter_of_it_is_sound(duration_s: float, n_windows: int) -> None:
    assert WindowGrid(3.0, 3.0).count(duration_s) == n_windows


def test_fifty_samples_after_five_seconds_make_no_second_window() -> None:
    assert WindowGrid(5.0, 5.0).count(5.0 + 50 / 32_000) == 1


def test_overlapping_windows_are_counted_by_the_same_rule() -> None:
    grid = WindowGrid(3.0, 1.0)
    n = grid.count(10.0)
    starts = grid.start_s(np.arange(n))
    assert list(starts) == list(range(10))
    assert 10.0 - starts[-1] >= 0.75 > 10.0 - (starts[-1] + 1.0)


def test_lengths_that_are_not_exact_in_binary_do_not_lose_a_window() -> None:
    grid = WindowGrid(0.4, 0.1)
    assert [grid.count(0.1 * n) for n in range(1, 50)] == list(range(1, 50))


def test_a_partial_window_ends_where_its_recording_ends() -> None:
    grid = WindowGrid(3.0, 3.0)
    assert grid.end_s(0, 10.0) == 3.0
    assert grid.end_s(3, 10.0) == 10.0


def test_arrays_of_recordings_give_the_same_as_one_at_a_time() -> None:
    grid = WindowGrid(3.0, 1.5)
    durations = np.array([0.1, 2.9, 3.0, 7.2, 60.0])
    counts = grid.count(durations)
    assert counts.dtype == np.int64
    assert counts.tolist() == [grid.count(float(d)) for d in durations]
    rows = np.arange(5)
    assert grid.end_s(rows, durations).tolist() == [
        grid.end_s(int(i), float(d)) for i, d in zip(rows, durations, strict=True)
    ]


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(ParameterError, match="hop_s"):
        WindowGrid(3.0, bad)
