"""Exact nearest neighbours over embeddings that may be larger than memory.

The corpus is read once, block by block. A fast product (float32, or float16 for one or two queries
of a corpus that keeps float16 and knows its lengths) gives every row a score with a known error
bound; only rows that could belong to the answer are scored again in float64, row by row, and kept.
Two things follow that a plain ``topk`` over such products does not give: the answer does not depend
on how the corpus was cut into blocks, and equal vectors have equal scores, so that ties are always
broken by the lower row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import Block, Corpus, as_numpy, iterate_blocks, widened
from explorer.space.half import HALF_QUERIES, HalfQueries, Measured, sums_in_float32
from explorer.space.parallel import in_order

Metric = Literal["cosine", "dot", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")

FLOAT32_ERROR = 1e-5
"""Bound on the error of a float32 product, relative to the product of the two lengths.

A blocked sum of 2,000 products stays near 2e-6; too large a bound only costs a few more rows that
are scored twice, too small a one could lose a neighbour.
"""
BLOCK_ROWS = 8192
"""Rows that one core takes at a time; with 2,048 one query over 100,000 rows takes 5 ms longer."""
SCORE_CELLS = 4_000_000
"""Queries times rows that are scored at once (16 MB of float32)."""
HALF_LEFT = 1 / 16
"""Rows alike to within half precision are told apart in float32: above this share it costs less.

An exact score costs ten times what a float32 product costs; where nearly all rows are alike (every
cosine above 0.99), scoring all of them exactly took 0.4 s instead of 0.04 s.
"""
EXACT_CELLS = 2_000_000
"""Pairs times dimension that are scored again at once (16 MB of float64)."""


def top_k(
    corpus: Corpus,
    queries: ArrayLike | torch.Tensor,
    k: int,
    *,
    metric: Metric = "cosine",
    rows: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the k rows of a corpus that are nearest to each query, best first.

    Parameters
    ----------
    corpus : the vectors, ``[n, dimension]``: an array, a tensor, an object with ``blocks()``, or an
        iterable of ``(first_row, block)`` pairs. Any float type; the sums are float32 or better.
        One that has ``lengths()`` too is searched about twice as fast when it keeps float16.
    queries : ``[n_queries, dimension]``, or one vector ``[dimension]``.
    k : how many rows to return for each query. Fewer come back where there are fewer.
    metric : "cosine" (a vector of zeros scores 0 against everything), "dot", or "euclidean".
    rows : which rows may be found: a mask ``[n]`` of booleans, or row numbers. All if None.

    Returns
    -------
    rows : int64 ``[n_queries, min(k, rows there are)]``.
    scores : float32, same shape. Similarities fall from left to right; for "euclidean" these are
        distances and rise. Rows that score the same come in the order of their row numbers.

    Rows that hold a NaN or an infinity are never found.

    Raises
    ------
    ParameterError : an unknown metric, k below 1, another dimension, a query that is not finite.

    Example
    -------
    >>> import numpy as np
    >>> corpus = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    >>> found, scores = top_k(corpus, [1.0, 0.1], k=2)
    >>> found.tolist()
    [[0, 2]]
    """
    if metric not in METRICS:
        raise ParameterError(f"metric {metric!r} is not known; choose one of {', '.join(METRICS)}")
    if k < 1:
        raise ParameterError(f"k is {k}; ask for at least one neighbour")
    wanted = np.atleast_2d(as_numpy(queries)).astype(np.float64)
    if wanted.ndim != 2:
        raise ParameterError(f"queries have shape {wanted.shape}; give [n_queries, dimension]")
    if not np.isfinite(wanted).all():
        raise ParameterError("a query holds NaN or infinity; embed that window again")
    best = _Pairs.none(len(wanted))
    rows_at_once = int(np.clip(SCORE_CELLS // max(1, len(wanted)), 64, BLOCK_ROWS))
    allowed = _Allowed(rows)
    # To measure everything for a search among some rows would read more than the search itself.
    lengths = corpus.lengths() if rows is None and isinstance(corpus, Measured) else None
    scorer = _Scorer(wanted, metric, measured=lengths is not None)

    def candidates(block: Block) -> _Pairs:
        first_row, rows = block
        if rows.shape[1] != wanted.shape[1]:
            raise ParameterError(
                f"queries have {wanted.shape[1]} dimensions but the corpus has {rows.shape[1]}; "
                "use embeddings of the same encoder"
            )
        numbers = allowed.within(first_row, len(rows))
        known = None if lengths is None else lengths[first_row : first_row + len(rows)]
        # The floor may be an older one in this thread: then a few more pairs come than are needed.
        found = scorer.pairs(rows if numbers is None else rows[numbers], known, best.kth(k), k)
        position = found.row if numbers is None else numbers[found.row]
        return replace(found, row=first_row + position)

    for found in in_order(candidates, iterate_blocks(corpus, rows_at_once)):
        if len(found.query):
            best = best.best(found, k)
    numbers_found, scores = best.table()
    if metric == "euclidean":
        scores = np.sqrt(-scores)
    return numbers_found, scores.astype(np.float32)


class _Allowed:
    """Which row numbers may be found."""

    def __init__(self, rows: ArrayLike | None) -> None:
        self.mask: NDArray[np.bool_] | None = None
        self.numbers: NDArray[np.int64] | None = None
        if rows is None:
            return
        array = np.asarray(rows)
        if array.dtype == np.bool_:
            self.mask = array
        else:
            self.numbers = np.unique(array.astype(np.int64))

    def within(self, first_row: int, count: int) -> NDArray[np.int64] | None:
        """Positions inside the block of the rows allowed there; None where all are."""
        if self.mask is not None:
            part = self.mask[first_row : first_row + count]
            if len(part) < count:
                raise ParameterError(
                    f"the row mask has {len(self.mask)} entries, but the corpus has at least "
                    f"{first_row + count} rows"
                )
            return None if part.all() else np.flatnonzero(part)
        if self.numbers is not None:
            low, high = np.searchsorted(self.numbers, [first_row, first_row + count])
            return self.numbers[low:high] - first_row
        return None


@dataclass(frozen=True)
class _Pairs:
    """Pairs of query and row with their exact similarity (for "euclidean", minus its square)."""

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    score: NDArray[np.float64]
    n_queries: int

    @classmethod
    def none(cls, n_queries: int) -> _Pairs:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), n_queries)

    def best(self, other: _Pairs, k: int) -> _Pairs:
        """Keep the k best pairs of each query out of both sets, sorted by query, best first."""
        query = np.concatenate([self.query, other.query])
        row = np.concatenate([self.row, other.row])
        score = np.concatenate([self.score, other.score])
        order = np.lexsort((row, -score, query))
        query = query[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        kept = order[rank < k]
        return _Pairs(query[rank < k], row[kept], score[kept], self.n_queries)

    def kth(self, k: int) -> NDArray[np.float64]:
        """The k-th best score of each query, ``[n_queries]``; -inf where there are fewer."""
        floor = np.full(self.n_queries, -np.inf)
        counts = np.bincount(self.query, minlength=self.n_queries)
        full = counts >= k
        floor[full] = self.score[np.cumsum(counts)[full] - 1]
        return floor

    def table(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows and scores as ``[n_queries, found]``: every query finds equally many."""
        shape = (self.n_queries, len(self.query) // max(1, self.n_queries))
        return self.row.reshape(shape), self.score.reshape(shape)


class _Scorer:
    """Similarity of queries to blocks: quick with a bound first, then exact for what is left."""

    def __init__(self, queries: NDArray[np.float64], metric: Metric, *, measured: bool) -> None:
        self.metric = metric
        self.length = np.sqrt((queries * queries).sum(axis=1))
        if metric == "cosine":
            queries = queries / np.where(self.length > 0, self.length, 1.0)[:, None]
        self.queries = queries
        self.quick_queries = torch.from_numpy(queries.astype(np.float32))
        self.quick_length = torch.from_numpy(self.length.astype(np.float32))
        quicker = measured and len(queries) <= HALF_QUERIES and sums_in_float32()
        self.half = HalfQueries(queries) if quicker else None

    def pairs(
        self,
        block: NDArray[np.generic],
        length: NDArray[np.float32] | None,
        floor: NDArray[np.float64],
        k: int,
    ) -> _Pairs:
        """Every row of the block that may be among the k best of a query; rows count from 0."""
        if not len(block):
            return _Pairs.none(len(self.queries))
        known = None if length is None else torch.from_numpy(length)
        half = self.half if block.dtype == np.float16 else None
        possible = self._possible(*self._quick(block, known, half), floor, k)
        most = max(4 * k * len(self.queries), HALF_LEFT * possible.numel())
        if half is not None and int(possible.sum()) > most:
            self.half = None  # the other blocks are likely to be the same
            possible = self._possible(*self._quick(block, known, None), floor, k)
        query, position = torch.nonzero(possible).T.numpy()
        exact = np.empty(len(query))
        step = max(1, EXACT_CELLS // block.shape[1])
        for start in range(0, len(query), step):
            part = slice(start, start + step)
            exact[part] = self._exact(block[position[part]].astype(np.float64), query[part])
        return _Pairs(query, position, exact, len(self.queries))

    def _possible(
        self, score: torch.Tensor, error: torch.Tensor, floor: NDArray[np.float64], k: int
    ) -> torch.Tensor:
        """Which rows may be among the k best of each query, booleans ``[n_queries, rows]``."""
        # A row can be among the k best only if its upper bound reaches the k-th best so far, or k
        # lower bounds of its own block where too many rows do.
        upper = score + error
        possible = upper >= torch.from_numpy(floor).float()[:, None]
        if score.shape[1] > k and int(possible.sum()) > 4 * k * len(score):
            possible &= upper >= torch.topk(score - error, k, dim=1).values[:, -1:]
        return possible & (score > -torch.inf)

    def _quick(
        self, block: NDArray[np.generic], length: torch.Tensor | None, half: HalfQueries | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarity ``[n_queries, rows]`` and a bound on its error; -inf where not finite."""
        dot, rounding, length = self._products(block, length, half)
        if self.metric == "cosine":
            divisor = torch.where(length > 0, length, 1.0)
            score = dot / divisor
            error = FLOAT32_ERROR + rounding / divisor
        elif self.metric == "dot":
            score = dot
            error = FLOAT32_ERROR * self.quick_length[:, None] * length + rounding
        else:
            # Squared distances are compared, so that the bound on the error stays simple.
            squares = self.quick_length[:, None] ** 2 + length**2
            score = 2 * dot - squares
            error = 2 * FLOAT32_ERROR * squares + 2 * rounding
        bad = ~torch.isfinite(length)
        if bad.any():
            score = score.masked_fill(bad, -torch.inf)
            error = torch.where(bad, torch.zeros(()), error)
        return score, error

    def _products(
        self, block: NDArray[np.generic], length: torch.Tensor | None, half: HalfQueries | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Products with the rows, what float16 may have moved them by, and the rows' lengths."""
        if half is not None and length is not None:
            found = half.products(block, length)
            if found is not None:
                return *found, length
        dot = torch.empty(len(self.queries), len(block))
        measured = torch.empty(len(block)) if length is None else length
        for part, rows in widened(block):
            dot[:, part] = self.quick_queries @ rows.T
            if length is None:
                measured[part] = torch.linalg.vector_norm(rows, dim=1)
        return dot, torch.zeros(1, 1), measured

    def _exact(self, rows: NDArray[np.float64], query: NDArray[np.int64]) -> NDArray[np.float64]:
        """Similarity of each row with its query, summed the same way for every pair."""
        if self.metric == "euclidean":
            return -((rows - self.queries[query]) ** 2).sum(axis=1)
        dot = (rows * self.queries[query]).sum(axis=1)
        if self.metric == "dot":
            return cast(NDArray[np.float64], dot)
        length = np.sqrt((rows * rows).sum(axis=1))
        return cast(NDArray[np.float64], np.clip(dot / np.where(length > 0, length, 1.0), -1, 1))
