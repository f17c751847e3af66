"""Rows that may be larger than memory, read block by block whatever they are kept in."""

from __future__ import annotations

import threading
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
WIDEN_BYTES = 1_500_000
"""Float32 that is worked on at a time: what fits the cache that a core has to itself."""


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
    return as_tensor(block).float()


def as_tensor(block: NDArray[np.generic]) -> torch.Tensor:
    """Give a block as a tensor without a copy; types other than float16 to 64 become float32."""
    if block.dtype not in (np.float16, np.float32, np.float64):
        block = block.astype(np.float32)
    with warnings.catch_warnings():
        # A memory map is read-only and torch warns that it might be written to; it is not.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(block))


def widened(block: NDArray[np.generic] | torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield a block in small float32 pieces, each valid until the next one is asked for.

    The pieces share one piece of memory for each thread: memory asked for anew costs more than the
    arithmetic (100,000 x 1280 of float16 against one query: 15 ms instead of 60 ms).

    >>> [(part.start, len(rows)) for part, rows in widened(np.zeros((3, 500_000), np.float16))]
    [(0, 1), (1, 1), (2, 1)]
    """
    rows = block if isinstance(block, torch.Tensor) else as_tensor(block)
    n_rows, width = rows.shape
    step = max(1, WIDEN_BYTES // (4 * max(1, width)))
    memory = None
    if rows.dtype != torch.float32:
        memory = getattr(_held, "memory", None)
        if memory is None or memory.shape != (step, width):
            memory = _held.memory = torch.empty(step, width)
    for start in range(0, n_rows, step):
        part = slice(start, min(start + step, n_rows))
        if memory is None:
            yield part, rows[part]
        else:
            yield part, memory[: part.stop - start].copy_(rows[part])


_held = threading.local()


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
