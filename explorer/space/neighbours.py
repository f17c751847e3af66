"""The nearest neighbours of every window: exact, and for 100,000 windows in 23 s on two cores.

Every pair is looked at, once for both of its windows, in a precision that is quick and with an
error that is known (`explorer.space.tiles`). Only pairs that could belong to the answer are
measured again, at last in float64, as `explorer.space.search` does for a single query. So the
answer is that of a plain search: it does not depend on blocks or threads, and neighbours at the
same distance come in the order of their rows.

In memory lie one copy of the embeddings in half precision (2 bytes x windows x dimension), tiles of
a few megabytes, and some tens of candidates for each window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import Corpus
from explorer.space.parallel import in_order
from explorer.space.rows import FLOAT32_STEP, NeighbourMetric, Rows, without_copies
from explorer.space.search import FLOAT32_ERROR
from explorer.space.tiles import Bits, Panel

OnProgress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and what is going on, in words."""

TILE_ROWS = 2048
"""Rows that are compared with as many others at a time; a tile of results takes 8 MB."""
ROW_BITS = 24
"""Candidates are sorted as whole numbers: 24 bits for each of two rows, 16 for their distance."""
PENDING_PER_ROW = 4
"""New candidates are sorted in when there are so many times k of them for each row."""
HELD_PER_ROW = 64
"""Where more than so many times k candidates are left for each row, which are all nearly the same,
they are measured at once, so that memory does not fill with them."""
MEASURED_CELLS = 2**18
"""Pairs times dimension that are measured at once: what fits the cache of a core."""

Measure = Callable[[NDArray[np.int64], NDArray[np.int64]], tuple[NDArray, ...]]
Keys = NDArray[np.uint64]
"""Candidates of a tile's rows: row within the tile, bits, and row of the neighbour, in one number
each, so that sorting them sorts by row and then by distance."""


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """The nearest other rows of every row, nearest first.

    Attributes
    ----------
    indices
        int32 ``[n, k]``; a row is never its own neighbour. -1 where there is none: for a row that
        is not finite, and where fewer than k other rows are finite.
    distances
        float32 ``[n, k]``: Euclidean, or one minus the cosine; infinite where there is none.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indices)


def knn_graph(
    embeddings: Corpus,
    k: int,
    *,
    metric: NeighbourMetric = "euclidean",
    on_progress: OnProgress | None = None,
) -> NeighbourGraph:
    """Find the k nearest other rows of every row, exactly.

    Parameters
    ----------
    embeddings
        ``[n, dimension]``: an array, a tensor, or an object with ``blocks()`` such as a
        collection's vectors, which stay on the disk.
    k
        How many neighbours of each row, itself not counted. Fewer come where there are fewer rows.
    metric
        "euclidean", or "cosine": one minus the cosine, and 1 between zeros and anything.
    on_progress
        An exception raised in it stops the work.

    Raises
    ------
    ParameterError
        A metric that is not known, no neighbour asked for, or more than 16 million rows.

    Examples
    --------
    >>> graph = knn_graph(np.array([[0.0], [1.0], [3.0], [3.5]]), 2)
    >>> graph.indices.tolist()
    [[1, 2], [0, 2], [3, 1], [2, 1]]
    >>> graph.distances[0].tolist()
    [1.0, 3.0]
    """
    if metric not in ("euclidean", "cosine"):
        raise ParameterError(f"metric {metric!r} is not known; use euclidean or cosine")
    if k < 1:
        raise ParameterError(f"k is {k}; ask for at least one neighbour")
    report = on_progress or (lambda fraction, message: None)
    report(0.0, "Reading the embeddings")
    rows = Rows(embeddings, metric)
    if len(rows) >= 2**ROW_BITS:
        raise ParameterError(
            f"{len(rows):,} rows are more than the {2**ROW_BITS - 1:,} that can be compared with "
            "each other; take every other window"
        )
    k = max(0, min(k, len(rows) - 1))
    indices = np.full((len(rows), k), -1, np.int32)
    distances = np.full((len(rows), k), np.inf, np.float32)
    if k == 0:
        return NeighbourGraph(indices, distances)
    compared, copies = without_copies(rows, k)
    if len(compared) > 1:
        search = _Search(rows, compared, min(k, len(compared) - 1))
        for part, near, distance in search.run(report):
            into = compared[part]
            indices[into, : near.shape[1]] = compared[near]
            distances[into, : near.shape[1]] = distance
    for left_out, originals in copies:
        indices[left_out], distances[left_out] = originals, 0.0
    if metric == "cosine":
        _add_silence(indices, distances, rows)
    report(1.0, "The neighbours are found")
    return NeighbourGraph(indices, distances)


class _Search:
    """All pairs of the rows compared, tile by tile."""

    def __init__(self, rows: Rows, compared: NDArray[np.int64], k: int) -> None:
        self.rows, self.compared, self.k = rows, compared, k
        self.panel, self.scale = _panel(rows, compared)
        # No tile has fewer than k + 1 rows, so that each knows from itself how far to look.
        n_tiles = -(-len(compared) // max(TILE_ROWS, 2 * (k + 1)))
        edges = np.linspace(0, len(compared), n_tiles + 1).astype(int)
        self.tiles = [slice(*pair) for pair in pairwise(edges)]
        self.reach = np.full(len(compared), np.inf, np.float32)
        """Distance of the k-th neighbour of each row at most, as far as is known."""
        self.held: list[list[Keys]] = [[] for _ in self.tiles]

    def run(self, report: OnProgress) -> Iterator[tuple[slice, NDArray, NDArray]]:
        """Yield ``(rows, their neighbours, the distances)``, all as places in ``compared``."""
        numbers = range(len(self.tiles))
        for tile, reach in zip(self.tiles, in_order(self._first_reach, numbers), strict=True):
            self.reach[tile] = reach
        # Windows near in time come first: they are alike, and tell how far to look.
        pairs = [(at, at + gap) for gap in numbers for at in numbers[: len(numbers) - gap]]
        found = in_order(self._look, pairs)
        for done, ((one, other), (of_one, of_other)) in enumerate(zip(pairs, found, strict=True)):
            self._add(one, of_one)
            if other != one:
                self._add(other, of_other)
            report(0.05 + 0.8 * done / len(pairs), "Comparing all windows")
        for done, result in enumerate(in_order(self._result, numbers)):
            yield result
            report(0.85 + 0.15 * done / len(numbers), "Measuring the nearest")

    def _first_reach(self, number: int) -> NDArray[np.float32]:
        tile = self.tiles[number]
        bits = self._bits(number, number)
        return self.panel.at_most(np.partition(bits, self.k - 1, axis=1)[:, self.k - 1], tile)

    def _bits(self, one: int, other: int) -> Bits:
        bits = self.panel.bits(self.tiles[one], self.tiles[other])
        if one == other:
            np.fill_diagonal(bits, np.iinfo(np.int16).max)
        return bits

    def _look(self, pair: tuple[int, int]) -> tuple[Keys, Keys]:
        """Candidates of the rows of two tiles among each other."""
        one, other = (self.tiles[at] for at in pair)
        bits = self._bits(*pair)
        found = []
        for this, that, view in ((one, other, bits), (other, one, bits.T)):
            limits = self.panel.limits(this, that, self.reach[this])
            flat = np.flatnonzero(bits <= (limits[:, None] if view is bits else limits))
            row, column = np.divmod(flat, bits.shape[1])
            near = bits.ravel()[flat]
            mine, theirs = (row, column) if view is bits else (column, row)
            found.append(_pack(mine, near, theirs + that.start))
        return found[0], found[1]

    def _add(self, number: int, found: Keys) -> None:
        held = self.held[number]
        held.append(found)
        n_rows = self.tiles[number].stop - self.tiles[number].start
        if sum(map(len, held[1:])) > PENDING_PER_ROW * self.k * n_rows:
            self._settle(number)
            if len(held[0]) > HELD_PER_ROW * self.k * n_rows:
                self._measure_held(number)

    def _settle(self, number: int) -> None:
        """Sort a tile's candidates, learn how far to look, and drop those that are too far."""
        tile = self.tiles[number]
        keys = np.sort(np.concatenate([np.empty(0, np.uint64), *self.held[number]]))
        row, bits, other = _unpack(keys)
        least, most = self.panel.between(bits, row + tile.start, other)
        start = np.searchsorted(row, np.arange(tile.stop - tile.start + 1))
        full = np.flatnonzero(np.diff(start) >= self.k)
        first = start[full][:, None] + np.arange(self.k)
        self.reach[tile][full] = np.minimum(self.reach[tile][full], most[first].max(axis=1))
        self.held[number] = [keys[least <= self.reach[tile][row]]]

    def _measure_held(self, number: int) -> None:
        """Of candidates that all seem equally near, keep the nearest."""
        tile = self.tiles[number]
        place, _, distance = self._nearest(number, self.held[number][0])
        self.held[number] = [self.held[number][0][place]]
        if self.rows.metric == "cosine":
            distance = np.sqrt(2 * distance)
        # In the panel's scale, and a little further.
        kth = distance.reshape(-1, self.k)[:, -1] / self.scale * (1 + FLOAT32_ERROR) + FLOAT32_STEP
        self.reach[tile] = np.minimum(self.reach[tile], kth)

    def _result(self, number: int) -> tuple[slice, NDArray, NDArray]:
        self._settle(number)
        _, other, distance = self._nearest(number, self.held[number][0])
        shape = (-1, self.k)
        return self.tiles[number], other.reshape(shape), distance.reshape(shape)

    def _nearest(
        self, number: int, keys: Keys
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Measure candidates, of which every row has k, and keep the k nearest in order.

        Returns
        -------
        Their places in ``keys``, the neighbours, and their distances.
        """
        row, _, other = _unpack(keys)
        mine, theirs = self.compared[row + self.tiles[number].start], self.compared[other]
        least, most = self._in_pieces(self.rows.roughly, mine, theirs)
        start = np.searchsorted(row, np.arange(row[-1] + 1))
        kth = most[np.lexsort((most, row))][start + self.k - 1]
        place = np.flatnonzero(least <= kth[row])
        row, other = row[place], other[place]
        (distance,) = self._in_pieces(self.rows.exactly, mine[place], theirs[place])
        order = np.lexsort((other, distance, row))
        order = order[np.arange(len(order)) - np.searchsorted(row, row) < self.k]
        return place[order], other[order], distance[order]

    def _in_pieces(
        self, measure: Measure, one: NDArray[np.int64], other: NDArray[np.int64]
    ) -> list[NDArray[np.float64]]:
        step = max(1, MEASURED_CELLS // max(1, self.rows.dimension))
        cuts = range(step, len(one), step)
        pairs = zip(np.split(one, cuts), np.split(other, cuts), strict=True)
        parts = zip(*(measure(*pair) for pair in pairs), strict=True)
        return [np.concatenate(part) for part in parts]


def _panel(rows: Rows, compared: NDArray[np.int64]) -> tuple[Panel, float]:
    """The rows compared, around zero and of size one: distances do not change, save in scale."""
    wanted = np.zeros(len(rows), bool)
    wanted[compared] = True
    unit = rows.metric == "cosine"

    def chosen(piece: torch.Tensor, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = slice(start, start + len(piece))
        there = torch.from_numpy(wanted[part])
        length = torch.from_numpy(rows.length[part])[there]
        found = piece.float() if there.all() else piece[there].float()
        return (found / length[:, None], torch.ones_like(length)) if unit else (found, length)

    def sums(piece: torch.Tensor, start: int) -> torch.Tensor:
        found, length = chosen(piece, start)
        return torch.cat([found.sum(dim=0), length.square().sum()[None]]).double()

    pieces = list(rows.pieces())
    starts = np.cumsum([0, *map(len, pieces[:-1])]).tolist()
    work = list(zip(pieces, starts, strict=True))
    total = sum(in_order(lambda one: sums(*one), work), torch.zeros(())) / len(compared)
    centre = total[:-1].float()
    spread = float(total[-1] - total[:-1].square().sum())
    scale = max(spread, float(total[-1]) * FLOAT32_STEP) ** 0.5 or 1.0

    def scaled(piece: torch.Tensor, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        found, length = chosen(piece, start)
        return (found - centre) / scale, length / scale * FLOAT32_STEP

    return Panel.of(rows.dimension, (partial(scaled, *one) for one in work)), scale


def _add_silence(indices: NDArray[np.int32], distances: NDArray[np.float32], rows: Rows) -> None:
    """Give rows of zeros, which are at a cosine distance of 1 from anything, their places."""
    k = indices.shape[1]
    silent = np.flatnonzero(rows.length == 0)
    if not len(silent):
        return
    anything = np.flatnonzero(np.isfinite(rows.length))[: k + 1]
    for row in silent:
        near = anything[anything != row][:k]
        indices[row, : len(near)], distances[row, : len(near)] = near, 1.0
    # At 1 or beyond, or with places free, a row may be nearer to silence than to what it has.
    far = np.flatnonzero((distances[:, -1] >= 1) & (rows.length > 0) & np.isfinite(rows.length))
    near = np.concatenate(
        [indices[far], np.tile(silent[:k].astype(np.int32), (len(far), 1))], axis=1
    )
    at = np.concatenate([distances[far], np.ones((len(far), len(silent[:k])), np.float32)], axis=1)
    order = np.lexsort((near, at), axis=1)[:, :k]
    indices[far] = np.take_along_axis(near, order, axis=1)
    distances[far] = np.take_along_axis(at, order, axis=1)


def _pack(row: NDArray[np.int64], bits: Bits, other: NDArray[np.int64]) -> Keys:
    near = np.maximum(bits, 0).astype(np.int64)
    return (row << (ROW_BITS + 16) | near << ROW_BITS | other).astype(np.uint64)


def _unpack(keys: Keys) -> tuple[NDArray[np.int64], Bits, NDArray[np.int64]]:
    numbers = keys.astype(np.int64)
    bits = (numbers >> ROW_BITS & 0xFFFF).astype(np.int16)
    return numbers >> (ROW_BITS + 16), bits, numbers & (2**ROW_BITS - 1)
