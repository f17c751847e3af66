"""The nearest neighbours of some rows among all: a sample's, where all of them would take too long.

All rows pass by once, block by block, and are looked at in the processor's fastest precision
(`explorer.space.tiles`); of the nearest so seen, twice as many as are wanted are measured again in
float64. So a neighbour is missed only where more than k others seem nearer and are not, by less
than half a percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import Corpus
from explorer.space.neighbours import MEASURED_CELLS, ROW_BITS, OnProgress
from explorer.space.parallel import in_order
from explorer.space.rows import FLOAT32_STEP, Rows
from explorer.space.tiles import Bits, Panel

LOOKED_AT = 2048
"""Rows that one core compares with all anchors at a time."""
SPARE = 2
"""So many times k rows are measured again."""

_FAR = np.int16(np.iinfo(np.int16).max)
Keys = NDArray[np.uint64]
"""Number of an anchor, bits of a distance, and a row, in one number each: see `neighbours.Keys`."""


def nearest_of(
    embeddings: Corpus,
    anchors: ArrayLike,
    k: int,
    *,
    on_progress: OnProgress | None = None,
) -> NDArray[np.int32]:
    """Find the k other rows with the highest cosine to each of some rows, nearest first.

    Parameters
    ----------
    embeddings
        ``[n, dimension]``: an array, a tensor, or an object with ``blocks()``, such as a
        collection's vectors. They are read twice, and never held whole.
    anchors
        Row numbers, each once.
    k
        How many neighbours of each; the anchor itself is not counted.
    on_progress
        An exception raised in it stops the work.

    Returns
    -------
    int32 ``[len(anchors), k]``; -1 where there is none: for an anchor that is zero or not finite,
    and where there are fewer such rows. Of rows that are all the same any may come.

    Examples
    --------
    >>> nearest_of(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.1], [0.1, 3.0]]), [0, 3], 1).tolist()
    [[2], [1]]
    """
    if k < 1:
        raise ParameterError(f"k is {k}; ask for at least one neighbour")
    report = on_progress or (lambda share, words: None)
    report(0.0, "Reading the embeddings")
    rows = Rows(embeddings, "cosine")
    wanted = np.asarray(anchors, dtype=np.int64).ravel()
    if len(rows) >= 2**ROW_BITS:
        raise ParameterError(f"{len(rows):,} rows are more than {2**ROW_BITS - 1:,}")
    if wanted.size and (wanted.min() < 0 or wanted.max() >= len(rows)):
        raise ParameterError(f"anchors are rows 0 to {len(rows) - 1}; asked for {wanted.max()}")
    found = np.full((len(wanted), k), -1, np.int32)
    heard = np.flatnonzero(rows.compared()[wanted])
    if len(heard):
        look = _Look(rows, wanted[heard], SPARE * k + 1)
        for share in look.run():
            report(0.02 + 0.9 * share, "Finding the true neighbours")
        for share in look.measure(found, heard, k):
            report(0.92 + 0.08 * share, "Measuring the nearest")
    return found


class _Look:
    """One pass over all rows, beside which the anchors' nearest are kept."""

    def __init__(self, rows: Rows, anchors: NDArray[np.int64], keep: int) -> None:
        self.rows, self.anchors, self.keep = rows, anchors, keep
        taken = rows.take(anchors).float()
        taken /= torch.from_numpy(rows.length[anchors])[:, None]
        self.centre = taken.mean(dim=0)
        self.left = _left(self._panel(taken))
        self.reach = np.full(len(anchors), _FAR)
        """Bits of the last of the rows kept for each anchor, once there are enough of them."""
        self.kept: Keys = np.empty(0, np.uint64)

    def _panel(self, unit: torch.Tensor) -> Panel:
        """Rows of length one around the anchors' middle, where distances are the same."""

        def around(piece: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return piece - self.centre, torch.full((len(piece),), FLOAT32_STEP)

        pieces = unit.split(LOOKED_AT)
        return Panel.of(self.rows.dimension, [partial(around, piece) for piece in pieces])

    def run(self) -> Iterator[float]:
        """Yields the share done."""
        start = 0
        for block in self._blocks():
            length = torch.from_numpy(self.rows.length[start : start + len(block)])
            heard = torch.isfinite(length) & (length > 0)
            unit = block.float() / torch.where(heard, length, 1.0)[:, None]
            unit[~heard] = 0.0
            panel = self._panel(unit)
            starts = range(0, len(block), LOOKED_AT)
            parts = [slice(at, min(at + LOOKED_AT, len(block))) for at in starts]
            hits = in_order(partial(self._hits, panel, heard.numpy(), start), parts)
            self._keep(list(hits))
            start += len(block)
            yield start / len(self.rows)

    def _blocks(self) -> Iterator[torch.Tensor]:
        for block in self.rows.blocks:
            yield from block.split(4 * LOOKED_AT)

    def _hits(self, panel: Panel, heard: NDArray[np.bool_], start: int, part: slice) -> Keys:
        """Rows of a part that may be among the nearest of an anchor."""
        product = self.left @ panel.rows[part].T
        bits: Bits = product.to(torch.bfloat16).view(torch.int16).numpy()
        if not heard[part].all():
            bits[:, ~heard[part]] = _FAR
        reach = self.reach
        if (reach == _FAR).any():
            last = min(self.keep, bits.shape[1]) - 1
            nearest = np.partition(bits, last, axis=1)[:, last]
            reach = np.minimum(reach, np.minimum(nearest, _FAR - np.int16(1)) + np.int16(1))
        flat = np.flatnonzero(bits < reach[:, None])
        anchor, row = np.divmod(flat, bits.shape[1])
        near = np.maximum(bits.ravel()[flat], 0).astype(np.int64)
        packed = anchor << (ROW_BITS + 16) | near << ROW_BITS | (row + part.start + start)
        return packed.astype(np.uint64)

    def _keep(self, hits: list[Keys]) -> None:
        """Keep the nearest of each anchor, and learn how near one must be from now on."""
        keys = np.sort(np.concatenate([self.kept, *hits]))
        anchor = (keys >> np.uint64(ROW_BITS + 16)).astype(np.int64)
        first = np.searchsorted(anchor, np.arange(len(self.anchors) + 1))
        rank = np.arange(len(keys)) - first[anchor]
        self.kept = keys[rank < self.keep]
        full = np.flatnonzero(np.diff(first) >= self.keep)
        last = keys[first[full] + self.keep - 1]
        self.reach[full] = (last >> np.uint64(ROW_BITS) & np.uint64(0xFFFF)).astype(np.int16)

    def measure(self, found: NDArray[np.int32], into: NDArray[np.int64], k: int) -> Iterator[float]:
        """Fill ``found[into]`` with the k nearest of what was kept; yields the share done."""
        number = (self.kept >> np.uint64(ROW_BITS + 16)).astype(np.int64)
        other = (self.kept & np.uint64(2**ROW_BITS - 1)).astype(np.int64)
        itself = self.anchors[number] == other
        number, other = number[~itself], other[~itself]
        step = max(1, MEASURED_CELLS // max(1, self.rows.dimension))
        cuts = range(step, len(number), step)
        pairs = zip(np.split(self.anchors[number], cuts), np.split(other, cuts), strict=True)
        distances = [np.empty(0)]
        for (distance,) in in_order(lambda pair: self.rows.exactly(*pair), pairs):
            distances.append(distance)
            if len(distances) % 64 == 0:
                yield len(distances) * step / max(1, len(number))
        order = np.lexsort((other, np.concatenate(distances), number))
        number, other = number[order], other[order]
        rank = np.arange(len(number)) - np.searchsorted(number, number)
        best = rank < k
        found[into[number[best]], rank[best]] = other[best]


def _left(panel: Panel) -> torch.Tensor:
    """What a product with a panel's rows turns into half squared distances, as in `Panel.bits`."""
    end = panel.dimension
    left = torch.zeros_like(panel.rows)
    torch.neg(panel.rows[:, :end], out=left[:, :end])
    left[:, end : end + 3] = 1
    left[:, end + 3 : end + 6] = panel.rows[:, end : end + 3]
    return left
