"""Clusters of a map: the groups that an eye would circle, found on a grid of densities.

Windows are counted on a grid and spread by a kernel with a long tail, whose width is how far apart
neighbours usually lie. Every cell belongs to the peak that is reached by going uphill. Two peaks
are one cluster unless the saddle between them is low beside the lower one (Chazal et al. 2013,
*Persistence-based clustering in Riemannian manifolds*). What is too small joins what it all but
touches; an island too small to be a cluster is left without one, rather than made part of something
that it lies far from.

On real maps this agrees better with labels, and changes less when half of the windows are left out,
than HDBSCAN on the same coordinates, and its time hardly grows with the number of windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from explorer.errors import ParameterError

MOST_CLUSTERS = 30
"""More names than this cannot be read on one map."""
FEWEST_WINDOWS = 5
SMALLEST_SHARE = 0.001
"""A cluster holds at least this share of all windows, and `FEWEST_WINDOWS`."""
GROWTH = 1.2
"""Where there are too many clusters, the smallest size grows by this factor until there are not."""
SCALE_ROWS = 10_000
"""Windows that tell how far apart neighbours lie."""
NEIGHBOURS_PER_ROOT = 0.2
FEWEST_NEIGHBOURS = 4
"""The kernel's width: the usual distance of the 0.2 sqrt(n)-th neighbour, or the fourth."""
TAIL = 2.0
"""The kernel is (1 + (r / width)²) to this power, downwards: islands far apart still have a saddle
between them, so that it can be told which are the nearest."""
CELLS_PER_WIDTH = 2.0
MOST_CELLS = 1000
"""Cells of the grid's longer side."""
OUTER_SHARE = 0.0005
"""Windows so far out on each side do not stretch the grid; they count at its edge."""
SADDLE = 0.25
"""Two peaks are one cluster where the saddle is higher than this share of the lower peak."""
TOUCHING = 0.02
"""What is too small joins a neighbour where the saddle is higher than this share of its peak."""
FRINGE = 0.05
"""Below this share of its cluster's peak density, a window belongs to none."""


@dataclass(frozen=True, eq=False)
class MapClusters:
    """Which cluster each window is in.

    Attributes
    ----------
    codes
        int32 ``[n]``: 0 for the largest cluster, and so on; -1 for none.
    centres
        float32 ``[n_clusters, 2]``: the place of a window where each cluster is densest.
    """

    codes: NDArray[np.int32]
    centres: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Windows in each cluster, ``[n_clusters]``."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self))


def find_clusters(coordinates: ArrayLike, *, most: int = MOST_CLUSTERS) -> MapClusters:
    """Find the clusters of a map, the largest first; the same map gives the same clusters.

    Parameters
    ----------
    coordinates
        ``[n, 2]``. Windows whose place is not finite belong to none.
    most
        How many there may be.

    Examples
    --------
    >>> grid = np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), axis=-1).reshape(-1, 2)
    >>> found = find_clusters(np.concatenate([grid, grid[:20] + 30]))
    >>> found.sizes.tolist()
    [36, 20]
    """
    places = np.asarray(coordinates, dtype=np.float32)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ParameterError(f"coordinates have shape {places.shape}; give [n, 2]")
    if most < 1:
        raise ParameterError(f"most is {most}; ask for at least one cluster")
    codes = np.full(len(places), -1, np.int32)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    fewest = max(FEWEST_WINDOWS, int(np.ceil(SMALLEST_SHARE * len(known))))
    if len(known) < fewest:
        return MapClusters(codes, np.zeros((0, 2), np.float32))
    cell, shape, width = _grid(places[known])
    density = _density(np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape), width)
    peak_of, peaks, saddles = _basins(density)
    height = density.ravel()[peaks]
    windows = np.bincount(peak_of[cell], minlength=len(peaks))
    root, kept = _at_most(most, height.tolist(), windows.tolist(), saddles, fewest)
    top = np.zeros(len(peaks))
    np.maximum.at(top, root, height)
    at = root[peak_of[cell]]
    inside = kept[at] & (density.ravel()[cell] >= FRINGE * top[at])
    found, code, count = np.unique(at[inside], return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    rank = np.empty(len(found), np.int32)
    rank[order] = np.arange(len(found))
    codes[known[inside]] = rank[code]
    return MapClusters(
        codes, _centres(places[known[inside]], rank[code], density.ravel()[cell[inside]])
    )


def _grid(places: NDArray[np.float32]) -> tuple[NDArray[np.int64], tuple[int, int], float]:
    """The cell of each window, the grid's shape, and the kernel's width in cells."""
    sample = places[:: -(-len(places) // SCALE_ROWS)].astype(np.float64)
    neighbours = max(FEWEST_NEIGHBOURS, round(NEIGHBOURS_PER_ROOT * len(sample) ** 0.5))
    distance, _ = cKDTree(sample).query(sample, k=[min(neighbours + 1, len(sample))])
    low, high = np.quantile(places, [OUTER_SHARE, 1 - OUTER_SHARE], axis=0).astype(np.float64)
    side = float((high - low).max())
    # Where most windows lie on top of each other the usual distance is zero.
    width = max(float(np.median(distance)), side / MOST_CELLS, 1e-30)
    edge = max(width / CELLS_PER_WIDTH, side / MOST_CELLS)
    step = ((np.clip(places, low, high) - low) / edge).astype(np.int64)
    n_rows, n_columns = (int(last) + 1 for last in step.max(axis=0))
    return step[:, 0] * n_columns + step[:, 1], (n_rows, n_columns), max(1.0, width / edge)


def _density(count: NDArray[np.int64], width: float) -> NDArray[np.float64]:
    """Counts spread by the kernel."""
    size = [scipy.fft.next_fast_len(2 * side, real=True) for side in count.shape]
    down, across = (np.minimum(np.arange(side), side - np.arange(side)) for side in size)
    kernel = (1 + (down[:, None] ** 2 + across**2) / width**2) ** -TAIL
    spread = scipy.fft.irfft2(scipy.fft.rfft2(count, size) * scipy.fft.rfft2(kernel), size)
    return np.maximum(spread[: count.shape[0], : count.shape[1]], 0)


def _basins(
    density: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[tuple[int, int, float]]]:
    """Go uphill from every cell.

    Returns
    -------
    For each cell the number of the peak that it leads to, the peaks' cells, and the saddles between
    neighbouring peaks as (one, other, height), the highest first.
    """
    n_rows, n_columns = density.shape
    number = np.arange(density.size).reshape(density.shape)
    around = np.pad(density, 1, constant_values=-1.0)
    numbers = np.pad(number, 1)
    best, uphill = density.copy(), number.copy()
    for down in range(3):
        for across in range(3):
            there = (slice(down, down + n_rows), slice(across, across + n_columns))
            higher = around[there] > best
            best[higher], uphill[higher] = around[there][higher], numbers[there][higher]
    leads_to = uphill.ravel()
    while not np.array_equal(further := leads_to[leads_to], leads_to):
        leads_to = further
    peaks, peak_of = np.unique(leads_to, return_inverse=True)
    return peak_of, peaks, _saddles(density, peak_of.reshape(density.shape), len(peaks))


def _saddles(
    density: NDArray[np.float64], peak_of: NDArray[np.int64], n_peaks: int
) -> list[tuple[int, int, float]]:
    """The highest pass between every two peaks whose cells touch, the highest first."""
    here, there = slice(None, -1), slice(1, None)
    every = slice(None)
    sides = (
        ((every, here), (every, there)),
        ((here, every), (there, every)),
        ((here, here), (there, there)),
        ((there, here), (here, there)),
    )
    pairs, heights = [], []
    for this, that in sides:
        border = peak_of[this] != peak_of[that]
        left, right = peak_of[this][border], peak_of[that][border]
        pairs.append(np.minimum(left, right) * n_peaks + np.maximum(left, right))
        heights.append(np.minimum(density[this][border], density[that][border]))
    pair, height = np.concatenate(pairs), np.concatenate(heights)
    order = np.argsort(-height, kind="stable")
    _, first = np.unique(pair[order], return_index=True)
    kept = order[np.sort(first)]
    one, other = np.divmod(pair[kept], n_peaks)
    return list(zip(one.tolist(), other.tolist(), height[kept].tolist(), strict=True))


def _at_most(
    most: int,
    height: list[float],
    windows: list[int],
    saddles: Sequence[tuple[int, int, float]],
    fewest: float,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The peak that each peak is joined to, and which of these are clusters: no more than wanted.

    Where there are too many, small ones join what they touch or are given up. Islands that are all
    of a size would be given up together: of those the largest stay.
    """
    best = None
    while True:
        root = np.array(_joined(height, windows.copy(), saddles, fewest))
        within = np.bincount(root, weights=windows, minlength=len(height))
        order = np.argsort(-within, kind="stable")[:most]
        kept = np.zeros(len(height), bool)
        kept[order[within[order] >= fewest]] = True
        if best is not None and 2 * np.count_nonzero(kept) < most:
            return best
        if np.count_nonzero(within >= fewest) <= most:
            return root, kept
        best, fewest = (root, kept), fewest * GROWTH


def _joined(
    height: list[float],
    windows: list[int],
    saddles: Sequence[tuple[int, int, float]],
    fewest: float,
) -> list[int]:
    """Join peaks from the highest saddle down; give the peak that each belongs to."""
    parent = list(range(len(height)))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = of = parent[parent[of]]
        return of

    for one, other, saddle in saddles:
        high, low = root(one), root(other)
        if high == low:
            continue
        if height[high] < height[low]:
            high, low = low, high
        small = windows[low] < fewest or windows[high] < fewest
        if saddle > (TOUCHING if small else SADDLE) * height[low]:
            parent[low] = high
            windows[high] += windows[low]
    return [root(of) for of in range(len(parent))]


def _centres(
    places: NDArray[np.float32], code: NDArray[np.int32], density: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The place of the first window in the densest cell of each cluster."""
    order = np.lexsort((-density, code))
    _, first = np.unique(code[order], return_index=True)
    return places[order[first]]
