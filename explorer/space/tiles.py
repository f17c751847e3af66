"""A quick first look at all pairs of rows, tile by tile: distances in half precision with a bound.

Processors of recent years multiply bfloat16 several times faster than float32 (400 against 60
thousand million operations a second on one core of those this was written on). Two things keep the
bound small. Rounding moves a row by a length that can be measured, and so, by the triangle
inequality, a distance by no more than two such lengths: little, whatever the rows' own length. And
the rows carry half their squared length with them (as three numbers that add up to it), so that
the product of two is half their squared distance: where that is rounded to bfloat16, a share of a
small number is lost, not of a large one.

The bits of bfloat16 that are not negative, read as whole numbers, are in the order of their values;
so tiles are compared as whole numbers of 16 bits, which is as fast as memory is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.space.parallel import in_order
from explorer.space.search import FLOAT32_ERROR

ROUNDING = 2.0**-8
"""Bound on what rounding a result to bfloat16 loses, relative to the result; twice what it is."""
WIDTH_STEP = 32
"""Rows are padded to a multiple of this, as fast products work on so many numbers at a time."""

Bits = NDArray[np.int16]
"""Half squared distances as the bits of bfloat16; noise around zero may make them negative."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows made ready for quick looks at their distances; make one with `Panel.of`.

    Attributes
    ----------
    rows
        ``[n, width]`` of the fastest number type: a row, half its squared length in three parts,
        three ones, and zeros up to the width.
    dimension
        How many of those numbers are the row itself.
    length
        float32 ``[n]``: how long each rounded row is.
    lost
        float32 ``[n]``: how far each row may be from where it should be.
    """

    rows: torch.Tensor
    dimension: int
    length: NDArray[np.float32]
    lost: NDArray[np.float32]

    @classmethod
    def of(
        cls, dimension: int, blocks: Iterable[Callable[[], tuple[torch.Tensor, torch.Tensor]]]
    ) -> Panel:
        """Round rows to a panel.

        Parameters
        ----------
        blocks
            Functions that give rows, float32 ``[rows, dimension]``, best around zero and of size
            one; and how far each may be off already, ``[rows]``. They are called in threads.
        """
        kind = fastest_type()
        width = -(-(dimension + 6) // WIDTH_STEP) * WIDTH_STEP

        def one(block: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, ...]:
            exact, off = block()
            rows = torch.zeros(len(exact), width, dtype=kind)
            rows[:, :dimension] = exact
            rounded = rows[:, :dimension].float()
            half_square = rounded.square().sum(dim=1) / 2
            rest = half_square.clone()
            for at in range(dimension, dimension + 3):
                rows[:, at] = rest
                rest -= rows[:, at].float()
            rows[:, dimension + 3 : dimension + 6] = 1
            return (
                rows,
                (2 * half_square).sqrt(),
                off + torch.linalg.vector_norm(exact - rounded, dim=1),
            )

        rows, length, lost = map(torch.cat, zip(*in_order(one, blocks), strict=True))
        return cls(rows, dimension, length.numpy(), lost.numpy())

    def __len__(self) -> int:
        return len(self.rows)

    def bits(self, these: slice, those: slice) -> Bits:
        """Look at all pairs of two ranges of rows: ``[these, those]``."""
        end = self.dimension
        left = torch.zeros_like(self.rows[these])
        torch.neg(self.rows[these, :end], out=left[:, :end])
        left[:, end : end + 3] = 1
        left[:, end + 3 : end + 6] = self.rows[these, end : end + 3]
        product = left @ self.rows[those].T
        return cast(Bits, product.to(torch.bfloat16).view(torch.int16).numpy())

    def limits(self, these: slice, those: slice, reach: NDArray[np.float32]) -> Bits:
        """For each of ``these`` the largest bits that a row of ``those`` within reach can have.

        ``reach`` is a distance for each of ``these``.
        """
        # No row that is longer than this can be in reach: a click that is a thousand times as
        # loud as the rest must not make the bound wide for all.
        longest = (self.length[these] + self.lost[these] + reach).max()
        near = self.length[those] - self.lost[those] <= longest
        lost = self.lost[those].max(where=near, initial=0)
        length = self.length[those].max(where=near, initial=0)
        widest = (reach + self.lost[these] + lost) ** 2 / 2
        return bits_above((widest + _off(self.length[these], length)) * (1 + 2 * ROUNDING))

    def at_most(self, bits: Bits, these: slice) -> NDArray[np.float32]:
        """The greatest distance that each of ``these`` can have to any of them with these bits."""
        half = np.maximum(values(bits), 0) * (1 + ROUNDING)
        off = _off(self.length[these], self.length[these].max())
        return np.sqrt(2 * (half + off)) + self.lost[these] + self.lost[these].max()

    def between(
        self, bits: Bits, row: NDArray[np.int64], other: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest distance that pairs of these bits can have."""
        half = np.maximum(values(bits), 0)
        off = _off(self.length[row], self.length[other])
        lost = self.lost[row] + self.lost[other]
        least = np.sqrt(2 * np.maximum(half * (1 - ROUNDING) - off, 0)) - lost
        return least, np.sqrt(2 * (half * (1 + ROUNDING) + off)) + lost


def _off(length: NDArray[np.float32], other: NDArray[np.float32] | float) -> NDArray[np.float32]:
    """Bound on the error of half a squared distance that is summed in float32."""
    return FLOAT32_ERROR * (length**2 + other**2)


def bits_above(value: NDArray[np.float32]) -> Bits:
    """The bits of the next bfloat16 above numbers that are not negative.

    >>> values(bits_above(np.float32([0.0, 1.0, 1.01]))).tolist()
    [9.183549615799121e-41, 1.0078125, 1.015625]
    """
    return ((np.asarray(value, np.float32).view(np.int32) >> 16) + 1).astype(np.int16)


def values(bits: Bits) -> NDArray[np.float32]:
    """The numbers that bits of bfloat16 stand for."""
    return (bits.astype(np.int32) << 16).view(np.float32)


@lru_cache(maxsize=1)
def fastest_type() -> torch.dtype:
    """bfloat16 where this processor multiplies it faster than float32, else float32.

    Tried out, as torch does not say, on one core and in its own seconds, so that other work does
    not matter: without instructions for it, bfloat16 is many times slower than float32. The answer
    of a search is the same with either.
    """

    def seconds(kind: torch.dtype) -> float:
        rows = torch.ones(512, 512, dtype=kind)
        taken = []
        for _ in range(4):  # the first time, torch prepares
            started = time.thread_time()
            rows @ rows.T
            taken.append(time.thread_time() - started)
        return min(taken)

    kinds = (torch.bfloat16, torch.float32)
    return min(zip(in_order(seconds, kinds), kinds, strict=True), key=lambda pair: pair[0])[1]
