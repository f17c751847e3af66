"""Rows that may be larger than memory, read block by block whatever they are kept in."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError

Block = tuple[int, NDArray[np.generic]]
"""A first row and the rows from there on, ``[rows, dimension]``."""

READ_ROWS = 4096


@runtime_checkable
class Blocked(Protocol):
    """Anything that hands out its rows in blocks, such as a collection's vectors."""

    def blocks(self, rows_per_block: int = ...) -> Iterator[Block]:
        """Yield ``(first_row, rows)`` from the first row to the last."""
        ...


Corpus = ArrayLike | torch.Tensor | Blocked | Iterable[Block]


def iterate_blocks(corpus: Corpus, rows_per_block: int) -> Iterator[Block]:
    """Yield ``(first_row, block)`` with at most ``rows_per_block`` rows from any kind of corpus.

    >>> [(first, len(block)) for first, block in iterate_blocks(np.zeros((5, 2)), 2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    for first_row, block in _source_blocks(corpus, rows_per_block):
        if block.ndim != 2:
            raise ParameterError(f"a block has shape {block.shape}; give [rows, dimension]")
        for start in range(0, len(block), rows_per_block):
            yield first_row + start, block[start : start + rows_per_block]


def _source_blocks(corpus: Corpus, rows_per_block: int) -> Iterator[Block]:
    if isinstance(corpus, Blocked):
        yield from corpus.blocks(rows_per_block)
    elif isinstance(corpus, torch.Tensor | np.ndarray) or hasattr(corpus, "__array__"):
        yield 0, as_numpy(cast(ArrayLike, corpus))
    elif isinstance(corpus, Iterator):
        yield from corpus
    else:
        items = list(cast(Iterable[object], corpus))
        if items and isinstance(items[0], tuple) and np.ndim(cast(Block, items[0])[1]) == 2:
            yield from cast(list[Block], items)
        else:
            yield 0, np.asarray(items)


def as_numpy(values: ArrayLike | torch.Tensor) -> NDArray[np.generic]:
    """Give an array or a tensor from any device as a numpy array, without a copy where possible."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)


def as_float32(block: NDArray[np.generic]) -> torch.Tensor:
    """Turn a block of any number type into a float32 tensor ``[rows, dimension]``.

    torch widens float16 several times faster than numpy does.
    """
    if block.dtype not in (np.float16, np.float32, np.float64):
        block = block.astype(np.float32)
    with warnings.catch_warnings():
        # A memory map is read-only and torch warns that it might be written to; it is not.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(block)).float()


def evenly_spaced(corpus: Corpus, most: int) -> tuple[int, torch.Tensor]:
    """Count the rows of a corpus, and take evenly spaced ones as a sample of it.

    Rows that hold a NaN or an infinity are counted, and left out of the sample.

    Returns
    -------
    count, sample
        The number of rows, and float32 ``[at most ``most``, dimension]``.

    Raises
    ------
    ParameterError
        If the corpus is an iterator, which cannot be read twice.

    >>> evenly_spaced(np.arange(10.0)[:, None], 4)[1].ravel().tolist()
    [0.0, 3.0, 6.0, 9.0]
    """
    if isinstance(corpus, Iterator):
        raise ParameterError(
            "an iterator is read only once; give an array or an object with blocks()"
        )
    total = sum(len(block) for _, block in iterate_blocks(corpus, READ_ROWS))
    step = max(1, -(-total // most))
    kept = [torch.zeros(0, 0)]
    for first_row, block in iterate_blocks(corpus, READ_ROWS):
        rows = as_float32(block[-first_row % step :: step])
        kept.append(rows[torch.isfinite(rows).all(dim=1)])
    # The empty start stands for a corpus without blocks; it has no width to join with others.
    return total, torch.cat(kept[1:]) if len(kept) > 1 else kept[0]
