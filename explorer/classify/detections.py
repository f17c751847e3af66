"""From windows at or above a threshold to events: neighbouring windows become one.

Arrays in, arrays out, and no loop over windows: a year of recordings has tens of millions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.errors import ParameterError

ROUNDING_S = 1e-6
"""Windows this close touch: starts are multiples of the hop, which binary numbers only near."""


def events_of(
    group: NDArray[np.integer],
    start_s: NDArray[np.floating],
    end_s: NDArray[np.floating],
    *,
    gap_s: float = 0.0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find which time ranges belong to one event.

    Ranges of one group belong together when they overlap, touch, or lie at most ``gap_s`` apart,
    also by way of others in between.

    Parameters
    ----------
    group
        What must agree, such as a number for each pair of recording and class, [n].
    start_s, end_s
        The ranges in seconds, in any order, [n].
    gap_s
        Longest silence within an event.

    Returns
    -------
    order
        The ranges sorted by group and start, int64 [n].
    first
        Where in ``order`` each event begins, int64 [n_events]; for ``reduceat``.

    Raises
    ------
    ParameterError
        If ``gap_s`` is negative, or a range ends before it starts or is not a number.

    Examples
    --------
    >>> events_of(np.array([0, 0, 0]), np.array([6.0, 0.0, 3.0]), np.array([9.0, 3.0, 5.0]))
    (array([1, 2, 0]), array([0, 2]))
    """
    if not gap_s >= 0:
        raise ParameterError(f"gap_s must be 0 s or more, not {gap_s}")
    backward = ~(np.asarray(end_s) >= np.asarray(start_s))
    if backward.any():
        at = int(np.argmax(backward))
        raise ParameterError(f"row {at}: {start_s[at]} to {end_s[at]} s is no time range")
    order = np.lexsort((start_s, group))
    group, start_s, end_s = np.asarray(group)[order], start_s[order], end_s[order]
    n = len(order)
    if n == 0:
        return order, order.copy()

    new_group = np.r_[True, group[1:] != group[:-1]]
    # The end so far, within each group: a running maximum over whole numbers (number of the group,
    # rank of the end), so that it starts anew with each group and stays exact.
    by_end = np.argsort(end_s, kind="stable")
    rank = np.empty(n, np.int64)
    rank[by_end] = np.arange(n)
    reached = np.maximum.accumulate(np.cumsum(new_group) * n + rank) % n
    end_so_far = end_s[by_end][reached]

    apart = np.r_[True, start_s[1:] > end_so_far[:-1] + gap_s + ROUNDING_S]
    return order, np.flatnonzero(new_group | apart)


def merge_windows(table: pd.DataFrame, gap_s: float = 0.0) -> pd.DataFrame:
    """Merge neighbouring windows of the same recording and class into events.

    Parameters
    ----------
    table
        One row for each window that counts: ``start_s``, ``end_s``, ``class``, ``score``, and
        ``recording_id`` or ``recording`` (the first one where both are there). In any order.
    gap_s
        Windows at most this far apart are one event; 0 joins those that touch or overlap.

    Returns
    -------
    DataFrame
        One row for each event, by recording, start and class: the recording's column, ``start_s``,
        ``end_s``, ``class``, ``score`` (the highest of its windows; NaN only where all are) and
        ``windows`` (how many).

    Examples
    --------
    >>> merge_windows(pd.DataFrame({"recording": "a.wav", "start_s": [0.0, 3.0, 9.0],
    ...     "end_s": [3.0, 6.0, 12.0], "class": "grunt", "score": [0.7, 0.9, 0.8]}))
      recording  start_s  end_s  class  score  windows
    0     a.wav      0.0    6.0  grunt    0.9        2
    1     a.wav      9.0   12.0  grunt    0.8        1
    """
    where = "recording_id" if "recording_id" in table else "recording"
    recording, recordings = pd.factorize(table[where], sort=True)
    class_, classes = pd.factorize(table["class"], sort=True)
    if (recording < 0).any() or (class_ < 0).any():
        raise ParameterError(f"every window needs a {where} and a class to be merged with others")
    start_s = table["start_s"].to_numpy(np.float64)
    end_s = table["end_s"].to_numpy(np.float64)
    score = table["score"].to_numpy()

    order, first = events_of(recording * max(1, len(classes)) + class_, start_s, end_s, gap_s=gap_s)
    begins = order[first]
    events = pd.DataFrame(
        {
            where: np.asarray(recordings)[recording[begins]],
            "start_s": start_s[begins],
            "end_s": np.maximum.reduceat(end_s[order], first) if len(first) else end_s[:0],
            "class": np.asarray(classes, dtype=object)[class_[begins]],
            "score": np.fmax.reduceat(score[order], first) if len(first) else score[:0],
            "windows": np.diff(np.r_[first, len(order)]),
        }
    )
    by = np.lexsort((class_[begins], start_s[begins], recording[begins]))
    return events.iloc[by].reset_index(drop=True)
