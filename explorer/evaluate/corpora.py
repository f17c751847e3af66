"""What BIRB ranks: which windows there are, what each of them holds, and which of them count.

Hamer et al. (2023, golden/README.md 1.2 and 1.3), on plain arrays and in whole samples, so that a
label which ends where a window begins is never a matter of rounding.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError

Corpus = Literal["soundscapes", "xc_fg", "xc_bg"]
CORPORA: tuple[Corpus, ...] = ("soundscapes", "xc_fg", "xc_bg")
"""Long recordings with labelled time ranges; recordings of one animal each, where a class is the
one recorded (foreground); and the same where it is heard behind that one (background)."""

Samples = NDArray[np.int64]
Flags = NDArray[np.bool_]


def window_segments(n_samples: int, window: int, hop: int) -> Samples:
    """Windows of a recording as BIRB cuts it, which is padded with zeros at its end.

    A collection cuts windows likewise, but keeps no last window that is three quarters padding.

    Returns
    -------
    int64 ``[n_windows, 2]``: first sample, and the one after the last, also past the end.

    Examples
    --------
    >>> window_segments(1100, 500, 250)[-1].tolist()
    [1000, 1500]
    """
    if min(n_samples, window, hop) < 1:
        raise ParameterError("a recording, a window and a hop are of 1 sample or more")
    starts = np.arange(-(-n_samples // hop), dtype=np.int64) * hop
    return np.stack([starts, starts + window], axis=1)


def overlapped(
    starts: Samples, window: int, begins: ArrayLike, ends: ArrayLike, least: int = 1
) -> tuple[Samples, Samples]:
    """Find the windows that have ``least`` samples or more in common with each time range.

    Parameters
    ----------
    starts
        First sample of each window, ascending.
    window
        Length of the windows in samples.
    begins, ends
        First sample of each time range, and the one after its last.
    least
        1 is BIRB's rule: what touches a window is in it.

    Returns
    -------
    first, last
        Of each range: the windows ``first`` to ``last - 1``.

    Examples
    --------
    >>> overlapped(np.array([0, 250, 500]), 500, [500, 499], [600, 500])
    (array([1, 0]), array([3, 2]))
    """
    begin, end = np.asarray(begins, np.int64), np.asarray(ends, np.int64)
    if least < 1:
        raise ParameterError("a window and a label have at least 1 sample in common")
    first = np.searchsorted(starts, begin + least - window, side="left")
    last = np.searchsorted(starts, end - least, side="right")
    # The common part is never longer than the shorter of the two.
    enough = np.minimum(end - begin, window) >= least
    return first.astype(np.int64), np.where(enough, np.maximum(last, first), first)


def held_by_windows(
    starts: Samples,
    window: int,
    begins: ArrayLike,
    ends: ArrayLike,
    columns: ArrayLike,
    n_classes: int,
    least: int = 1,
) -> Flags:
    """Say which classes each window holds: those of every time range that it overlaps.

    Parameters
    ----------
    columns
        The class of each time range, as a column number. For the others see `overlapped`.

    Returns
    -------
    bool ``[n_windows, n_classes]``.

    Examples
    --------
    >>> held_by_windows(np.array([0, 250]), 500, [510], [520], [0], 1).ravel().tolist()
    [False, True]
    """
    held = np.zeros((len(starts), n_classes), bool)
    row, label = pairs(*overlapped(starts, window, begins, ends, least))
    held[row, np.asarray(columns, np.int64)[label]] = True
    return held


def pairs(first: Samples, last: Samples) -> tuple[Samples, Samples]:
    """Spread ranges of rows out: every row of each range, and the number of its range.

    >>> pairs(np.array([3, 7]), np.array([5, 8]))
    (array([3, 4, 7]), array([0, 0, 1]))
    """
    counts = last - first
    number = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[number] + within, number


def counting(foreground: Flags, background: Flags, corpus: Corpus) -> Flags:
    """Say which windows count for which class, bool ``[n_windows, n_classes]``.

    A corpus is of the windows that hold a class, any class. Where the class that was recorded is
    searched for (``"xc_fg"``) those that have it in the background do not count, and the other way
    round (``"xc_bg"``).

    Parameters
    ----------
    foreground, background
        The classes that each window holds, ``[n_windows, n_classes]``; a window is a positive of
        both.

    Examples
    --------
    >>> of = np.array([[1, 0], [0, 1], [0, 0]], bool)
    >>> counting(of, np.zeros_like(of), "soundscapes")[:, 0].tolist()
    [True, True, False]
    """
    if corpus not in CORPORA:
        raise ParameterError(f"corpus {corpus!r} is not known; use one of {', '.join(CORPORA)}")
    inside = np.any(foreground | background, axis=1, keepdims=True)
    if corpus == "soundscapes":
        return np.broadcast_to(inside, foreground.shape)
    return inside & ~(background if corpus == "xc_fg" else foreground)
