"""Where weights lie on this machine, and how they are written and read. No torch here.

Every encoder has a folder of its own in the user's cache folder (`EXPLORER_CACHE` names another)::

    <cache>/encoders/<encoder>/…      converted weights, downloaded files, descriptions

A file is written under a temporary name and renamed, so that a half-written one is never read.
Nothing is ever unpickled: arrays are kept as safetensors, with a format version and the SHA-256 of
the file they came from.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

_log = logging.getLogger(__name__)


def folder_of(encoder: str) -> Path:
    """Return the folder of an encoder's files; it need not be there yet."""
    chosen = os.environ.get("EXPLORER_CACHE")
    cache = Path(chosen) if chosen else platformdirs.user_cache_path("soundscape-explorer")
    return cache / "encoders" / encoder


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; what was written takes its real name at the end.

    Nothing is left behind where the writing fails.

    Example
    -------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with written_whole(folder / "weights.txt") as name:
    ...     _ = name.write_text("all of it")
    >>> [file.name for file in folder.iterdir()]
    ['weights.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write named arrays and their description as safetensors.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    with written_whole(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            temporary,
            metadata=dict(metadata),
        )


def keep(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a file of the cache; where that is impossible, say so and go on without it."""
    try:
        write(path, arrays, metadata)
    except OSError as error:
        _log.warning(
            "%s: converted weights could not be kept (%s); set EXPLORER_CACHE", path, error
        )


def describe(path: Path) -> dict[str, str] | None:
    """Return the description of a safetensors file without its arrays; None if it has none."""
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return None


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    """Return arrays and description of a safetensors file; None if it is absent or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return None
