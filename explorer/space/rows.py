"""Embeddings fetched by row number, wherever they are kept, and the exact distances of pairs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import Corpus, as_tensor, iterate_blocks
from explorer.space.parallel import in_order
from explorer.space.search import FLOAT32_ERROR

NeighbourMetric = Literal["euclidean", "cosine"]

READ_ROWS = 2048
FLOAT32_STEP = 2.0**-22
"""What float32 may lose of a row that is centred and scaled, relative to its length before."""


class Rows:
    """The embeddings as they are kept, block by block, and how long each row is."""

    def __init__(self, embeddings: Corpus, metric: NeighbourMetric) -> None:
        self.metric = metric
        # As large as they come: an array is one block, a collection has one for each file.
        self.blocks = [as_tensor(block) for _, block in iterate_blocks(embeddings, sys.maxsize)]
        widths = sorted({block.shape[1] for block in self.blocks})
        if len(widths) > 1:
            raise ParameterError(f"blocks of different dimensions: {widths}; use one encoder")
        self.dimension = widths[0] if widths else 0
        kinds = (block.dtype for block in self.blocks)
        self._kind = reduce(torch.promote_types, kinds, torch.float16)
        self.starts = np.cumsum([0, *map(len, self.blocks)])
        lengths = in_order(_lengths, self.pieces())
        self.length: NDArray[np.float32] = torch.cat([torch.zeros(0), *lengths]).numpy()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def pieces(self) -> Iterator[torch.Tensor]:
        """All rows as they are kept, some thousand at a time."""
        for block in self.blocks:
            yield from block.split(READ_ROWS)

    def take(self, rows: NDArray[np.int64]) -> torch.Tensor:
        """Some rows as they are kept, ``[len(rows), dimension]``."""
        if len(self.blocks) == 1:
            return self.blocks[0].index_select(0, torch.from_numpy(rows))
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        out = torch.empty(len(rows), self.dimension, dtype=self._kind)
        for at in np.unique(owner):
            mine = torch.from_numpy(np.flatnonzero(owner == at))
            places = torch.from_numpy(rows)[mine] - self.starts[at]
            out[mine] = self.blocks[at].index_select(0, places).to(self._kind)
        return out

    def roughly(
        self, one: NDArray[np.int64], other: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest Euclidean distance of pairs (at length one for "cosine")."""
        left, right = self.take(one).float(), self.take(other).float()
        length = self.length[one], self.length[other]
        off: NDArray[np.float32] = FLOAT32_STEP * (length[0] + length[1])
        if self.metric == "cosine":
            left /= torch.from_numpy(length[0])[:, None]
            right /= torch.from_numpy(length[1])[:, None]
            off = np.full(len(off), 2 * FLOAT32_STEP, np.float32)
        distance = torch.linalg.vector_norm(left.sub_(right), dim=1).numpy()
        return distance * (1 - FLOAT32_ERROR) - off, distance * (1 + FLOAT32_ERROR) + off

    def exactly(
        self, one: NDArray[np.int64], other: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64]]:
        """The distance of pairs in float64, summed the same way for every pair."""
        left, right = (_in_double(self.take(rows)) for rows in (one, other))
        if self.metric == "euclidean":
            return (torch.linalg.vector_norm(left.sub_(right), dim=1).numpy(),)
        lengths = torch.linalg.vector_norm(left, dim=1) * torch.linalg.vector_norm(right, dim=1)
        return ((1 - torch.linalg.vecdot(left, right) / lengths).clamp_(0, 2).numpy(),)

    def compared(self) -> NDArray[np.bool_]:
        """Which rows have distances to others that must be found, ``[n]``."""
        finite = np.isfinite(self.length)
        return finite & (self.length > 0) if self.metric == "cosine" else finite


def without_copies(
    rows: Rows, k: int
) -> tuple[NDArray[np.int64], list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """Leave out what is there more than k + 1 times, such as hours of digital silence.

    Otherwise every copy would be a candidate of every other.

    Returns
    -------
    The rows to compare, and groups of rows left out, each with the k rows that are their neighbours
    at a distance of 0.
    """
    compared = rows.compared()
    hashes = np.array(
        [hash(row.tobytes()) for block in rows.blocks for row in block.numpy()], dtype=np.int64
    )
    candidates = np.flatnonzero(compared)
    order = candidates[np.argsort(hashes[candidates], kind="stable")]
    edges = np.r_[0, np.flatnonzero(np.diff(hashes[order])) + 1, len(order)]
    copies = []
    for at in np.flatnonzero(np.diff(edges) > k + 1):
        group = order[edges[at] : edges[at + 1]]
        first, rest = group[: k + 1], group[k + 1 :]
        # The hashes of the group agree; what they are of should too.
        rest = rest[(rows.take(rest) == rows.take(first[:1])).all(dim=1).numpy()]
        compared[rest] = False
        copies.append((rest, first[:k]))
    return np.flatnonzero(compared), copies


def _in_double(rows: torch.Tensor) -> torch.Tensor:
    # By way of float32 float16 takes half the time.
    return (rows.float() if rows.dtype == torch.float16 else rows).double()


def _lengths(piece: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(piece.float(), dim=1)
