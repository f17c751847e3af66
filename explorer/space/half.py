"""A quick first look at float16 rows: products in half precision, and how wrong they may be.

One query against 100,000 x 1280 embeddings is limited by reading the memory. Torch multiplies a
float16 matrix with a vector at that speed (16 ms, two cores), while widening to float32 first takes
twice that. The result is rounded, but by a known amount, so that exact scores of the few rows that
might win make the answer exact (`explorer.space.search`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.space.blocks import Blocked, as_tensor, iterate_blocks, widened
from explorer.space.parallel import in_order

HALF_QUERIES = 2
"""Up to so many queries half precision wins; from 3 on, one product of float32 serves them all.

Measured over 100,000 x 1280 on two cores: 17, 30, 31 and 40 ms for 1 to 4 queries, against 36 to
37 ms with widening.
"""
HALF_ERROR = 2.0**-10
"""Bound on the rounding of a result to float16, relative to the result.

Rounding to the nearest loses 2^-11; twice that also holds where a machine cuts digits off.
"""
HALF_LEAST = 2.0**-24
"""The step of float16 below its normal numbers: what a small result may lose whatever its size."""

LENGTH_ROWS = 2048


@runtime_checkable
class Measured(Blocked, Protocol):
    """Blocks of rows that know how long each row is, such as a collection's vectors."""

    def lengths(self) -> NDArray[np.float32]:
        """Euclidean length of every row, float32 ``[n]``; not finite where a row is not."""
        ...


def row_lengths(corpus: Blocked) -> NDArray[np.float32]:
    """Measure the Euclidean length of every row, float32 ``[n]``, several blocks at a time.

    A row that holds a NaN or an infinity has a length that is not finite.
    """

    def measure(block: NDArray[np.generic]) -> torch.Tensor:
        length = torch.empty(len(block))
        for part, rows in widened(block):
            length[part] = torch.linalg.vector_norm(rows, dim=1)
        return length

    blocks = (block for _, block in iterate_blocks(corpus, LENGTH_ROWS))
    found: NDArray[np.float32] = torch.cat([torch.empty(0), *in_order(measure, blocks)]).numpy()
    return found


class HalfQueries:
    """Queries rounded to float16, and what they lost by it.

    Parameters
    ----------
    queries
        float64 ``[n_queries, dimension]``. They are rounded at unit length, where float16 is most
        precise and a product overflows only with rows longer than 65504.
    """

    def __init__(self, queries: NDArray[np.float64]) -> None:
        length = np.sqrt((queries * queries).sum(axis=1))
        unit = queries / np.where(length > 0, length, 1.0)[:, None]
        rounded = unit.astype(np.float16)
        lost = np.sqrt(((unit - rounded.astype(np.float64)) ** 2).sum(axis=1))
        self._rounded = torch.from_numpy(rounded)
        self._scale = torch.from_numpy(length.astype(np.float32))[:, None]
        self._lost = torch.from_numpy(lost.astype(np.float32))[:, None]

    def products(
        self, block: NDArray[np.generic], length: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Products of queries and rows, and how far half precision may have moved each.

        The bound is the sum of what the query lost (Cauchy-Schwarz) and what the result lost; it
        comes on top of the error of any float32 sum. None where the range of float16 was too small.

        Parameters
        ----------
        block
            float16 ``[rows, dimension]``.
        length
            float32 ``[rows]``, as `row_lengths` gives them.

        Returns
        -------
        products, bound
            float32 ``[n_queries, rows]`` each; without meaning for a row that is not finite.
        """
        rows = as_tensor(block)
        unit = torch.stack([torch.mv(rows, query) for query in self._rounded]).float()
        if not (torch.isfinite(unit) | ~torch.isfinite(length)).all():
            return None
        bound = self._lost * length + HALF_ERROR * unit.abs() + HALF_LEAST
        return self._scale * unit, self._scale * bound


@lru_cache(maxsize=1)
def sums_in_float32() -> bool:
    """Whether torch's float16 product of matrix and vector sums in float32 on this machine.

    It does on x86 and, unless told otherwise, on ARM; in float16 the bound would not hold. Every
    partial sum starts at 1 or more, to which float16 cannot add 2^-12; the ones are taken off again
    at the end. In float32 each step is exact, whatever the order.
    """
    row = torch.full((1, 8192), 2.0**-12, dtype=torch.float16)
    row[:, :1024], row[:, -1024:] = 1, -1
    return float(torch.mv(row, torch.ones(8192, dtype=torch.float16))) == 6144 * 2.0**-12
