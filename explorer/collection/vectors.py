"""Embeddings on disk: float16 shards, each written once, read through memory maps.

Layout: ``embeddings/RUN/000000.npy``, ``000001.npy`` … each a C-ordered float16 array
[rows, dimension]. A shard is written under a temporary name, flushed to the disk and renamed, so a
file with a shard's name is always whole. Whether it counts is the catalogue's word: a shard that no
catalogue row names is an orphan of a killed run and is swept by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import CollectionError

SHARD_ROWS = 8192
"""A shard is flushed at this many windows, and compaction makes none larger (DESIGN.md)."""

_TEMPORARY = ".writing"


class ShardStore:
    """The shards of one run: a folder, and behind it object storage where there is one.

    With object storage the folder is a cache: a shard is on both sides before it counts, and one
    that is missing here is fetched when it is read.

    Parameters
    ----------
    folder
        The run's folder; made when the first shard is written.
    remote
        fsspec address of the run's shards, such as ``"s3://bucket/reef/birdnet-2.4_3.0s"``.
    """

    def __init__(self, folder: Path, remote: str | None = None) -> None:
        self.folder = folder
        self._files: Any = None
        if remote is not None:
            import fsspec  # noqa: PLC0415 - only who has object storage pays for it

            self._files, self._root = fsspec.core.url_to_fs(remote)

    def write(self, file: str, rows: NDArray[np.float16]) -> str:
        """Write one shard so that it is either whole or not there; give its SHA-256.

        Parameters
        ----------
        file
            Name of the shard, such as ``"000003.npy"``.
        rows
            float16 [n_windows, dimension].
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / (file + _TEMPORARY)
        with temporary.open("wb") as stream:
            np.save(stream, np.ascontiguousarray(rows, dtype=np.float16), allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        digest = file_digest(temporary)
        if self._files is not None:
            # Before the rename: a shard that is whole here is whole there.
            self._files.makedirs(self._root, exist_ok=True)
            self._files.put_file(str(temporary), f"{self._root}/{file}")
        temporary.replace(self.folder / file)
        sync_folder(self.folder)
        return digest

    def path(self, file: str) -> Path:
        """The shard on this machine, fetched if it is not yet here."""
        path = self.folder / file
        if self._files is not None and not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / (file + _TEMPORARY)
            try:
                self._files.get_file(f"{self._root}/{file}", str(temporary))
            except FileNotFoundError:
                return path
            temporary.replace(path)
        return path

    def open(self, file: str) -> NDArray[np.float16]:
        """Memory-map one shard; see `open_shard`."""
        return open_shard(self.path(file))

    def delete(self, file: str) -> None:
        """Delete a shard that no longer counts."""
        if self._files is not None and self._files.exists(f"{self._root}/{file}"):
            self._files.rm_file(f"{self._root}/{file}")
        # Windows refuses to delete a file that somebody maps: the next run sweeps it.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            (self.folder / file).unlink()

    def orphans(self, known: set[str]) -> list[str]:
        """What a killed run left: files of shards that the catalogue does not name."""
        there = {path.name for path in self.folder.glob("*.npy*")}
        if self._files is not None and self._files.exists(self._root):
            names = {Path(name).name for name in self._files.ls(self._root, detail=False)}
            there |= {name for name in names if ".npy" in name}
        return sorted(there - known)


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


class Vectors:
    """All embeddings of a run as one matrix [n_windows, dimension] that stays on disk.

    Rows come in float16, as they are stored; ``take`` gives float32. Nothing is read until it is
    asked for, so opening ten million windows costs what opening ten costs.

    Parameters
    ----------
    store
        Where the shards lie.
    files, rows
        Name and number of rows of each shard, as the catalogue says, in row order.
    dimension
        Length of an embedding.
    upto
        Only so many rows; None for all.

    Examples
    --------
    >>> vectors = reef.embeddings()          # doctest: +SKIP
    >>> vectors.shape                        # doctest: +SKIP
    (9600, 1024)
    >>> vectors.take([3, 5]).dtype           # doctest: +SKIP
    dtype('float32')
    """

    dtype = np.dtype(np.float16)

    def __init__(
        self,
        store: ShardStore,
        files: Sequence[str],
        rows: Sequence[int],
        dimension: int,
        *,
        upto: int | None = None,
    ) -> None:
        self._store = store
        self._rows = list(rows)
        ends = np.concatenate([[0], np.cumsum(np.asarray(rows, dtype=np.int64))])
        self._starts = ends if upto is None else np.unique(np.minimum(ends, upto))
        self._files = list(files)[: len(self._starts) - 1]
        self._open: dict[int, NDArray[np.float16]] = {}
        self._lengths: NDArray[np.float32] | None = None
        self._measuring = threading.Lock()
        self.dimension = dimension

    @property
    def shape(self) -> tuple[int, int]:
        """(n_windows, dimension)."""
        return int(self._starts[-1]), self.dimension

    def __len__(self) -> int:
        return self.shape[0]

    def _shard(self, index: int) -> NDArray[np.float16]:
        if index not in self._open:
            shard = self._store.open(self._files[index])
            expected = (self._rows[index], self.dimension)
            if shard.shape != expected:
                raise CollectionError(
                    f"{self._store.path(self._files[index])}: holds {shard.shape} values where "
                    f"the catalogue says {expected}. Run `explorer check`."
                )
            self._open[index] = shard[: self._starts[index + 1] - self._starts[index]]
        return self._open[index]

    def blocks(self, rows_per_block: int = SHARD_ROWS) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield (first row, float16 view [rows, dimension]) over all rows in order, uncopied."""
        for index in range(len(self._files)):
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

    def lengths(self) -> NDArray[np.float32]:
        """Euclidean length of every row, float32 [n_windows]; not finite where a row is not.

        Measured when first asked for, which reads everything once, and then kept.
        """
        from explorer.space.half import row_lengths  # noqa: PLC0415 - torch

        with self._measuring:
            if self._lengths is None:
                self._lengths = row_lengths(self)
            return self._lengths

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray:
        """The whole matrix in memory: only for small runs, or where a library insists on it."""
        if copy is False:
            raise ValueError("the shards cannot be given as one array without a copy")
        out = np.empty(self.shape, dtype=dtype or self.dtype)  # type: ignore[call-overload]
        for first, block in self.blocks():
            out[first : first + len(block)] = block
        return out
