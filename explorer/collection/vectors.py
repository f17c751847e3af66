"""Embeddings on disk: float16 shards, each written once, read through memory maps.

Layout: ``embeddings/RUN/000000.npy``, ``000001.npy`` … each a C-ordered float16 array
[rows, dimension]. A shard is written under a temporary name, flushed to the disk and renamed, so a
file with a shard's name is always whole. Whether it counts is the catalogue's word: a shard that no
catalogue row names is an orphan of a killed run and is swept by the next one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.errors import CollectionError

SHARD_ROWS = 8192
"""A shard is flushed at this many windows, and compaction makes none larger (DESIGN.md)."""

_TEMPORARY = ".writing"


def write_shard(folder: Path, file: str, rows: NDArray[np.float16]) -> str:
    """Write one shard so that it is either whole or not there; give its SHA-256.

    Parameters
    ----------
    folder
        The run's folder; made if it is not there.
    file
        Name of the shard, such as ``"000003.npy"``.
    rows
        float16 [n_windows, dimension].
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (file + _TEMPORARY)
    with temporary.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(rows, dtype=np.float16), allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())
    digest = file_digest(temporary)
    temporary.replace(folder / file)
    sync_folder(folder)
    return digest


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut (a no-op where folders cannot be opened)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_shard(path: Path) -> NDArray[np.float16]:
    """Memory-map one shard.

    Raises
    ------
    CollectionError
        If the file is missing, cut short or no float16 matrix.
    """
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CollectionError(
            f"{path}: this shard of embeddings cannot be read ({error}). "
            "Run `explorer check` on the collection; embedding again replaces it."
        ) from error
    if rows.ndim != 2 or rows.dtype != np.float16:
        raise CollectionError(f"{path}: not a float16 matrix but {rows.dtype} {rows.shape}")
    return rows


def sweep_orphans(folder: Path, known: set[str]) -> list[Path]:
    """Delete what a killed run left in ``folder``: files that the catalogue does not name."""
    orphans = [path for path in sorted(folder.glob("*.npy*")) if path.name not in known]
    for path in orphans:
        path.unlink()
    return orphans


class Vectors:
    """All embeddings of a run as one matrix [n_windows, dimension] that stays on disk.

    Rows come in float16, as they are stored; ``take`` gives float32. Nothing is read until it is
    asked for, so opening ten million windows costs what opening ten costs.

    Parameters
    ----------
    paths
        The shards in row order.
    rows
        Rows of each shard, as the catalogue says.
    dimension
        Length of an embedding.

    Examples
    --------
    >>> vectors = reef.embeddings()          # doctest: +SKIP
    >>> vectors.shape                        # doctest: +SKIP
    (9600, 1024)
    >>> vectors.take([3, 5]).dtype           # doctest: +SKIP
    dtype('float32')
    """

    dtype = np.dtype(np.float16)

    def __init__(self, paths: Sequence[Path], rows: Sequence[int], dimension: int) -> None:
        self._paths = list(paths)
        self._starts = np.concatenate([[0], np.cumsum(np.asarray(rows, dtype=np.int64))])
        self._open: dict[int, NDArray[np.float16]] = {}
        self.dimension = dimension

    @property
    def shape(self) -> tuple[int, int]:
        """(n_windows, dimension)."""
        return int(self._starts[-1]), self.dimension

    def __len__(self) -> int:
        return self.shape[0]

    def _shard(self, index: int) -> NDArray[np.float16]:
        if index not in self._open:
            shard = open_shard(self._paths[index])
            expected = (int(self._starts[index + 1] - self._starts[index]), self.dimension)
            if shard.shape != expected:
                raise CollectionError(
                    f"{self._paths[index]}: holds {shard.shape[0]} x {shard.shape[1]} values where "
                    f"the catalogue says {expected[0]} x {expected[1]}. Run `explorer check`."
                )
            self._open[index] = shard
        return self._open[index]

    def blocks(self, rows_per_block: int = SHARD_ROWS) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield (first row, float16 view [rows, dimension]) over all rows in order, uncopied."""
        for index in range(len(self._paths)):
            shard, start = self._shard(index), int(self._starts[index])
            for first in range(0, len(shard), rows_per_block):
                yield start + first, shard[first : first + rows_per_block]

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Embeddings of some rows, float32 [len(rows), dimension], in the order asked for.

        Raises
        ------
        IndexError
            If a row is not there; negative rows do not count from the end.
        """
        wanted = np.asarray(rows, dtype=np.int64).ravel()
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(
                f"there are rows 0 to {len(self) - 1}; asked for {wanted.tolist()[:5]}"
            )
        out = np.empty((wanted.size, self.dimension), dtype=np.float32)
        owner = np.searchsorted(self._starts, wanted, side="right") - 1
        for index in np.unique(owner):
            mine = owner == index
            out[mine] = self._shard(int(index))[wanted[mine] - self._starts[index]]
        return out

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray:
        """The whole matrix in memory: only for small runs, or where a library insists on it."""
        if copy is False:
            raise ValueError("the shards cannot be given as one array without a copy")
        out = np.empty(self.shape, dtype=dtype or self.dtype)  # type: ignore[call-overload]
        for first, block in self.blocks():
            out[first : first + len(block)] = block
        return out
