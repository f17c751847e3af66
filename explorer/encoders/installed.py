"""Files that were added to an encoder's folder, and whether they are still what was added.

    <cache>/encoders/<encoder>/installed.json      names of the files with their SHA-256
    <cache>/encoders/<encoder>/…                   the files

The record is written last, so an encoder is installed once all of it is there. Files are copies:
what was added can be deleted or changed without changing an encoder that collections rely on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from explorer.encoders import weights
from explorer.errors import EncoderError

_RECORD = "installed.json"
_FORMAT = 1


def record(encoder: str) -> dict[str, str] | None:
    """Return the SHA-256 of an encoder's files by name; None where it is not installed.

    Raises
    ------
    EncoderError
        A newer version of this program installed it.
    """
    path = weights.folder_of(encoder) / _RECORD
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        version, files = int(written["format"]), dict(written["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if version > _FORMAT:
        raise EncoderError(
            f"{path}: was written by a newer version of this program. Update it, or delete "
            f"{path.parent} and add {encoder} again."
        )
    return files if all((path.parent / name).is_file() for name in files) else None


def place(encoder: str, files: Mapping[str, Path]) -> None:
    """Copy files into an encoder's folder; what was there before makes room.

    Parameters
    ----------
    files:
        Where each lies now, by the name that it gets.

    Raises
    ------
    EncoderError
        The folder cannot be written, or a file cannot be read.
    """
    folder = weights.folder_of(encoder)
    before = record(encoder) or {}
    try:
        for name, file in files.items():
            if not (folder / name).exists() or not (folder / name).samefile(file):
                with weights.written_whole(folder / name) as path:
                    shutil.copyfile(file, path)
        digests = {name: weights.sha256_of(folder / name) for name in files}
        with weights.written_whole(folder / _RECORD) as path:
            path.write_text(json.dumps({"format": _FORMAT, "files": digests}), encoding="utf-8")
        for stale in set(before) - set(digests):
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        raise EncoderError(
            f"{folder}: {encoder} could not be added ({error}). EXPLORER_CACHE names another "
            "folder for encoders."
        ) from error


def files_of(encoder: str) -> dict[str, str] | None:
    """Return the record of an encoder after looking that its files are still what was added.

    Raises
    ------
    EncoderError
        One has changed.
    """
    digests = record(encoder)
    for name, digest in (digests or {}).items():
        path = weights.folder_of(encoder) / name
        if weights.sha256_of(path) != digest:
            raise EncoderError(
                f"{path}: has changed since {encoder} was added. Add {encoder} again."
            )
    return digests
