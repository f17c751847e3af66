"""A saved classifier on two small maps, before and after adapting, as arrays a canvas can draw."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 6000
"""That are drawn of the windows whose side of the threshold stays; a small map holds no more."""
MOST_CHANGED = 1500
"""Of those that come and of those that go; the farthest moved first."""
MARGIN = 0.04


@dataclass(frozen=True, eq=False)
class TwoMaps:
    """Points of both maps.

    Attributes
    ----------
    xy
        Shares of width and height from the upper left, float32 ``[n, 2]``.
    before, after
        Scores in 255ths, uint8 ``[n]``; ``after`` is None where nothing is adapted.
    change
        1 where a window is found only after adapting, 2 only before, else 0, uint8 ``[n]``.
    gained, lost
        How many such windows there are, those not drawn too.
    """

    xy: NDArray[np.float32]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8] | None
    change: NDArray[np.uint8]
    gained: int
    lost: int

    def message(self) -> dict[str, Any]:
        """As plain values for a browser."""
        return {
            "n": len(self.xy),
            "xy": _text(self.xy),
            "before": _text(self.before),
            "after": None if self.after is None else _text(self.after),
            "change": _text(self.change),
            "gained": self.gained,
            "lost": self.lost,
        }


def two_maps(
    xy: NDArray[np.floating],
    before: NDArray[np.floating],
    after: NDArray[np.floating] | None,
    threshold: float,
) -> TwoMaps:
    """Choose the points to draw: all that change as far as they fit, and others evenly.

    Parameters
    ----------
    xy
        The projection, ``[n_windows, 2]``.
    before, after
        Scores of a class, ``[n_windows]``.
    threshold
        From which score on a window counts.
    """
    n = len(xy)
    change = np.zeros(n, np.uint8)
    if after is not None:
        change[(before < threshold) & (after >= threshold)] = 1
        change[(before >= threshold) & (after < threshold)] = 2
    chosen = [np.flatnonzero(change == 0)[:: max(1, -(-n // MOST_POINTS))]]
    for kind in (1, 2):
        rows = np.flatnonzero(change == kind)
        if after is not None and len(rows) > MOST_CHANGED:
            moved = np.abs(after[rows] - before[rows])
            rows = rows[np.argsort(-moved, kind="stable")[:MOST_CHANGED]]
        chosen.append(rows)
    rows = np.concatenate(chosen)  # those that change lie on top
    return TwoMaps(
        _placed(np.asarray(xy, np.float64))[rows],
        _in_255ths(before[rows]),
        None if after is None else _in_255ths(after[rows]),
        change[rows],
        int((change == 1).sum()),
        int((change == 2).sum()),
    )


def _placed(xy: NDArray[np.float64]) -> NDArray[np.float32]:
    """Into a square of side 1, y downwards, with a margin; shape is kept."""
    if not len(xy):
        return np.zeros((0, 2), np.float32)
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = max(float((high - low).max()), 1e-9)
    share = (xy - (low + high) / 2) / size * (1 - 2 * MARGIN) + 0.5
    return np.stack([share[:, 0], 1 - share[:, 1]], axis=1).astype(np.float32)


def _in_255ths(scores: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.rint(np.clip(scores, 0, 1) * 255).astype(np.uint8)


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
