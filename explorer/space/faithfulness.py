"""Where a map tells the truth: how many of a window's true neighbours lie near it on the map.

Two dimensions cannot keep what a thousand say. UMAP keeps most neighbours together and tears others
apart, and a map does not show where. Here the nearest windows by the embeddings themselves are
looked for on the map (the *recall* of neighbourhoods; Venna & Kaski 2001 count the same errors by
rank). Near means: among the nearest hundredth of all windows on the map.

For large collections that is measured at anchors, windows drawn by chance, and spread from these to
their surroundings on the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from explorer.errors import ParameterError
from explorer.space.anchors import nearest_of
from explorer.space.blocks import Corpus
from explorer.space.neighbours import OnProgress, knn_graph
from explorer.space.tiles import fastest_type

NEIGHBOURS = 15
"""As many as UMAP is asked to keep together."""
NEAR_SHARE = 0.01
"""Windows among the nearest hundredth on the map are near: some millimetres on a screen."""
EVERY_ROW = 10_000
"""Up to here the neighbours of every window are found."""
MOST_ANCHORS = 4000
MOST_PRODUCTS = 2e12
"""Anchors times windows times dimension, at most: some fifteen seconds on two cores."""
FEWEST_ANCHORS = 500
SPREAD_OVER = 8
"""A window takes the mean of so many anchors around it on the map."""
MAP_SAMPLE = 50_000
"""Windows that tell how far the nearest hundredth reaches."""
FAR_SHARE = 0.15
"""Apart by more than this share of the map's width is far: a line between them can be seen."""
_ROWS_AT_ONCE = 100_000
_THREADS = 2


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How far each place of a map can be believed.

    Attributes
    ----------
    share
        float32 ``[n]``, 0 to 1: which share of a window's true neighbours lie near it on the map;
        not a number where the embedding is not finite. By chance it would be ``NEAR_SHARE``, or in
        small collections ``near / n``.
    anchors
        int64 ``[n_anchors]``: the windows at which it was measured, all of them in small
        collections.
    neighbours
        int32 ``[n_anchors, k]``: the true neighbours of each, nearest first; -1 for none.
    near
        How many windows around one count as near.
    """

    share: NDArray[np.float32]
    anchors: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    near: int

    @property
    def mean(self) -> float:
        """The share for the whole map."""
        return float(np.nanmean(self.share)) if np.isfinite(self.share).any() else float("nan")

    @property
    def exact(self) -> bool:
        """Whether it was measured at every window."""
        return len(self.anchors) == len(self.share)

    def neighbours_of(self, row: int) -> NDArray[np.int32] | None:
        """The true neighbours of a window, nearest first; None where they were not looked for."""
        at = int(np.searchsorted(self.anchors, row))
        if at == len(self.anchors) or self.anchors[at] != row:
            return None
        return self.neighbours[at][self.neighbours[at] >= 0]


def faithfulness(
    embeddings: Corpus,
    coordinates: ArrayLike,
    *,
    k: int = NEIGHBOURS,
    on_progress: OnProgress | None = None,
    seed: int = 0,
) -> Faithfulness:
    """Measure for every window how many of its true neighbours lie near it on the map.

    Parameters
    ----------
    embeddings
        ``[n, dimension]``: an array, a tensor, or an object with ``blocks()``.
    coordinates
        ``[n, 2]``: the map of the same windows.
    k
        How many true neighbours (by cosine) of each window are looked for.
    on_progress
        Called with the share done and what is being done; an exception raised in it stops the work.
    seed
        Of the draw of anchors, where not every window is measured.

    Examples
    --------
    >>> line = np.stack([np.ones(99), np.arange(99)], axis=1)
    >>> faithfulness(line, line).mean > 0.95
    True
    """
    report = on_progress or (lambda share, words: None)
    places = np.asarray(coordinates, dtype=np.float32)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ParameterError(f"coordinates have shape {places.shape}; give [n, 2]")
    n_rows = len(places)
    # The places of few windows are compared with all; those of many with a sample of them.
    near = max(2 * k, round(NEAR_SHARE * n_rows))

    def finding(share: float, words: str) -> None:
        report(0.9 * share, words)

    if n_rows <= EVERY_ROW:
        anchors = np.arange(n_rows)
        graph = knn_graph(embeddings, k, metric="cosine", on_progress=finding)
        neighbours = graph.indices
    else:
        anchors = _anchors(n_rows, _dimension(embeddings), seed)
        neighbours = nearest_of(embeddings, anchors, k, on_progress=finding)
    if len(neighbours) != len(anchors):
        raise ParameterError(f"{len(neighbours)} embeddings do not fit {n_rows} places on a map")
    report(0.9, "Looking for them on the map")
    measured = _shares(places, anchors, neighbours, near)
    share = measured
    if len(anchors) < n_rows:
        share = np.empty(n_rows, np.float32)
        told = np.isfinite(measured)
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            report(0.92 + 0.08 * start / n_rows, "Spreading what was found over the map")
            share[part] = _around(places[part], places[anchors[told]], measured[told])
        share[anchors] = measured
    report(1.0, "The map is measured")
    return Faithfulness(share, anchors, neighbours, near)


def torn_pairs(
    coordinates: ArrayLike,
    rows: ArrayLike,
    neighbours: ArrayLike,
    *,
    far: float = FAR_SHARE,
) -> NDArray[np.int64]:
    """True neighbours that lie far apart on the map, for lines between them.

    Parameters
    ----------
    coordinates
        ``[n, 2]``.
    rows
        Row numbers ``[n_rows]``.
    neighbours
        Their true neighbours ``[n_rows, k]``, nearest first; -1 for none.
    far
        More than this share of the map's width (of its middle 98 %) apart is far.

    Returns
    -------
    int64 ``[n_pairs, 2]``: a row and its neighbour, in the order of the rows, the nearest first.

    Examples
    --------
    >>> torn_pairs([[0, 0], [1, 0], [10, 0]], [0], [[2, 1]]).tolist()
    [[0, 2]]
    """
    places = np.asarray(coordinates, dtype=np.float32)
    mine = np.asarray(rows, dtype=np.int64).ravel()
    theirs = np.atleast_2d(np.asarray(neighbours, dtype=np.int64))
    if len(theirs) != len(mine):
        raise ParameterError(f"{len(mine)} rows, but neighbours of {len(theirs)}")
    pairs = np.stack([np.repeat(mine, theirs.shape[1]), theirs.ravel()], axis=1)
    pairs = pairs[pairs[:, 1] >= 0]
    apart = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    return pairs[apart > far * map_width(places)]


def map_width(places: NDArray[np.float32]) -> float:
    """How wide a map is, on its longer side and without its outermost windows."""
    if not len(places):
        return 0.0
    low, high = np.quantile(places, [0.01, 0.99], axis=0)
    return float((high - low).max())


def _anchors(n_rows: int, dimension: int, seed: int) -> NDArray[np.int64]:
    """Rows drawn by chance, as many as can be measured in a bounded time."""
    # Without fast products of half precision, each takes some three times as long.
    products = MOST_PRODUCTS if str(fastest_type()) == "torch.bfloat16" else MOST_PRODUCTS / 3
    count = int(np.clip(products / (n_rows * max(1, dimension)), FEWEST_ANCHORS, MOST_ANCHORS))
    drawn = np.random.default_rng(seed).choice(n_rows, min(count, n_rows), replace=False)
    return np.sort(drawn).astype(np.int64)


def _dimension(embeddings: Corpus) -> int:
    shape = getattr(embeddings, "shape", None)
    return int(shape[1]) if shape is not None and len(shape) == 2 else 1024


def _shares(
    places: NDArray[np.float32],
    anchors: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    near: int,
) -> NDArray[np.float32]:
    """Which share of the neighbours of each anchor lies among the ``near`` windows around it."""
    step = max(1, -(-len(places) // MAP_SAMPLE))
    sample = places[::step]
    sample = sample[np.isfinite(sample).all(axis=1)]
    known = np.isfinite(places[anchors]).all(axis=1)
    reach = np.zeros(len(anchors))
    if len(sample):
        at = min(len(sample), 1 + max(1, round(near / step)))  # itself is the first
        distance, _ = cKDTree(sample).query(places[anchors[known]], k=[at], workers=_THREADS)
        reach[known] = distance[:, 0]
    there = neighbours >= 0
    apart = np.linalg.norm(places[np.maximum(neighbours, 0)] - places[anchors][:, None], axis=-1)
    inside = (apart <= reach[:, None] * (1 + 1e-6)) & there
    count = there.sum(axis=1)
    share = inside.sum(axis=1) / np.maximum(count, 1)
    return np.where((count > 0) & known, share, np.nan).astype(np.float32)


def _around(
    places: NDArray[np.float32], anchors: NDArray[np.float32], measured: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean of the anchors around each place."""
    share = np.full(len(places), np.nan, np.float32)
    known = np.isfinite(places).all(axis=1)
    if len(anchors):
        k = min(SPREAD_OVER, len(anchors))
        _, at = cKDTree(anchors).query(places[known], k=np.arange(1, k + 1), workers=_THREADS)
        share[known] = measured[at].mean(axis=1)
    return share
