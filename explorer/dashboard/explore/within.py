"""Where things lie on the map: its limits, its windows for a browser, and what a shape holds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = np.iinfo(np.uint16).max

CELLS = 128
"""A shape that holds many windows is looked at in so many cells by so many."""

FEW = 20_000
"""So many windows are looked at one by one."""


def map_limits(xy: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lower left and upper right corner of the map, with room for what lies on it.

    Below lies the selection's sentence, above the tools.
    """
    # Column by column: along an axis of two numpy takes a hundred times as long.
    low = np.array([float(column.min()) for column in xy.T])
    high = np.array([float(column.max()) for column in xy.T])
    size = np.maximum(high - low, 1e-3)
    return low - size * (0.05, 0.10), high + size * (0.05, 0.13)


def places(xy: NDArray[np.floating]) -> bytes:
    """The coordinates as uint16 shares of the map, for a browser; made once for all sessions.

    A step is a 65,535th of the map: at a zoom of 60 on a wide screen still half a pixel.
    """
    return _places(_Same(xy))


class _Same:
    """An array that is told from others by being itself: made once, it is never changed."""

    def __init__(self, xy: NDArray[np.floating]) -> None:
        self.xy = xy

    def __hash__(self) -> int:
        return id(self.xy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.xy is self.xy


@lru_cache(maxsize=4)
def _places(of: _Same) -> bytes:
    low, high = map_limits(of.xy)
    steps = np.empty(of.xy.shape, dtype=np.uint16)
    for axis, column in enumerate(of.xy.T):
        share = column - low[axis]
        share *= STEPS / (high[axis] - low[axis])
        share += 0.5
        steps[:, axis] = share
    return steps.tobytes()


def inside(xy: NDArray[np.floating], polygon: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rows of the points within a polygon (even-odd rule), ascending.

    A hand that draws round half a million windows leaves hundreds of corners: then only the points
    near an edge are held against each of them, the others go with the cell that they lie in.

    Parameters
    ----------
    xy
        Points [n, 2].
    polygon
        Corners [k, 2], in order; the last joins the first.

    Examples
    --------
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    >>> inside(np.array([[0.5, 0.5], [2, 2]]), square)
    array([0])
    """
    (left, low), (right, high) = polygon.min(axis=0), polygon.max(axis=0)
    x, y = xy[:, 0], xy[:, 1]
    box = x >= left
    for bound in (x <= right, y >= low, y <= high):
        box &= bound
    near = np.flatnonzero(box)
    x, y = x[near].astype(np.float64), y[near].astype(np.float64)
    if len(near) <= FEW:
        return near[_odd(x, y, polygon)]
    origin, cell = np.array([left, low]), np.array([right - left, high - low]) / CELLS
    if not cell.all():  # a line holds nothing
        return near[:0]
    column, row = (
        np.minimum((values - first) / size, CELLS - 1).astype(np.int16)
        for values, first, size in ((x, left, cell[0]), (y, low, cell[1]))
    )
    crossed = _crossed((polygon - origin) / cell)
    whole = np.zeros((CELLS, CELLS), dtype=bool)
    rows, columns = np.nonzero(~crossed)
    whole[rows, columns] = _odd(
        left + (columns + 0.5) * cell[0], low + (rows + 0.5) * cell[1], polygon
    )
    held = whole[row, column]
    edge = np.flatnonzero(crossed[row, column])
    held[edge] = _odd(x[edge], y[edge], polygon)
    return near[held]


def _odd(
    x: NDArray[np.floating], y: NDArray[np.floating], polygon: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Whether a ray from each point to the right crosses an odd number of edges."""
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


def _crossed(polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Cells [row, column] through which an edge may go; corners are given in cells."""
    along = np.roll(polygon, -1, axis=0) - polygon
    steps = np.ceil(2 * np.abs(along).max(axis=1)).astype(np.int64) + 1
    share = np.concatenate([np.arange(n) / n for n in steps])
    walked = np.repeat(polygon, steps, axis=0) + np.repeat(along, steps, axis=0) * share[:, None]
    column, row = np.clip(walked, 0, CELLS - 1).astype(np.int64).T
    found = np.zeros((CELLS + 2, CELLS + 2), dtype=bool)
    # Steps are half a cell: what lies between two of them is in a cell beside theirs.
    for down in range(3):
        for across in range(3):
            found[row + down, column + across] = True
    return found[1:-1, 1:-1]
