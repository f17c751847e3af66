"""Finding a SavedModel in what was downloaded: a folder, or an archive of one.

Of an archive only what a SavedModel is made of is taken out, into a temporary folder that is gone
afterwards. Archives come from outside: names that lead out of the folder, links and absurd sizes
are refused or passed over, and nothing in them is run.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from explorer.encoders.formats.savedmodel import INDEX, PROGRAM
from explorer.errors import EncoderError

LARGEST = 4 << 30
"""Bytes that are unpacked at most; Perch 1.x has about 0.1e9."""

_WANTED = re.compile(
    rf"(.*/)?({re.escape(PROGRAM)}|variables/variables\.(index|data-\d+-of-\d+)|[^/]+\.csv)"
)
_UNREADABLE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError,
    NotImplementedError, RuntimeError,  # a method of compression, a password
)  # fmt: skip
_DEPTHS = ("", "*/", "*/*/")  # folders in which a SavedModel is looked for


@contextmanager
def saved_model(path: Path) -> Iterator[Path]:
    """Give the folder of the SavedModel that is at `path` or inside it.

    Raises
    ------
    EncoderError
        There is none, there are several, or the archive is damaged or hostile.
    """
    if path.is_dir():
        yield _find(path, path)
    elif path.is_file():
        # A mapped file cannot be deleted on Windows; what is left there goes with the session.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            _unpack(path, Path(name))
            try:
                yield _find(Path(name), path)
            except EncoderError as error:  # the user knows the archive, not the temporary folder
                raise EncoderError(str(error).replace(name, str(path))) from error
    else:
        raise EncoderError(f"{path}: no such file or folder.")


def _find(folder: Path, given: Path) -> Path:
    found = [p.parent.parent for depth in _DEPTHS for p in sorted(folder.glob(depth + INDEX))]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(f.relative_to(folder)) for f in found[:3])
        raise EncoderError(f"{given}: holds several SavedModels ({names}). Give one of them.")
    raise EncoderError(
        f"{given}: holds no TensorFlow SavedModel ({INDEX} is not in it). Give the folder or the "
        "archive as it was downloaded."
    )


def _unpack(archive: Path, folder: Path) -> None:
    left = LARGEST
    try:
        for name, size, content in _members(archive):
            parts = PurePosixPath(name)
            if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name:
                raise EncoderError(f"{archive}: holds a file with the unsafe name {name!r}.")
            left -= size
            if left < 0:
                raise EncoderError(
                    f"{archive}: unpacks to more than {LARGEST / 1e9:.0f} GB. Perch is far "
                    "smaller: this is another file, or it is damaged."
                )
            target = folder / parts
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
    except _UNREADABLE as error:
        raise EncoderError(
            f"{archive}: could not be unpacked ({error}). Download it anew; a folder, .tar.gz, "
            ".tgz, .tar and .zip can be read."
        ) from error


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield name, size and content of each wanted file; links and other things are passed over."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir() and _WANTED.fullmatch(info.filename):
                    yield info.filename, info.file_size, zipped.open(info)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None and _WANTED.fullmatch(member.name):
                yield member.name, member.size, content
