"""Files that were added to an encoder's folder, and whether they are still what was added.

    <cache>/encoders/<encoder>/installed.json      names of the files with their SHA-256
    <cache>/encoders/<encoder>/…                   the files

The record is written last, so an encoder is installed once all of it is there. Where it can be, a
file is a second name of the one that was added (a hard link) and takes no room of its own; should
that one be changed in place, the SHA-256 tells.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from explorer.encoders import weights
from explorer.errors import EncoderError, FormatVersionError

_RECORD = "installed.json"
_FORMAT = 1


def record(encoder: str) -> dict[str, str] | None:
    """Return the SHA-256 of an encoder's files by name; None where it is not installed.

    Raises
    ------
    FormatVersionError
        A newer version of this program installed it.
    """
    path = weights.folder_of(encoder) / _RECORD
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        version, files = written["format"], dict(written["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if version > _FORMAT:
        raise FormatVersionError(
            f"{path}: was written by a newer version of this program. Update it, or delete "
            f"{path.parent} and add {encoder} again."
        )
    return files if all((path.parent / name).is_file() for name in files) else None


def place(encoder: str, files: Sequence[Path]) -> dict[str, str]:
    """Link or copy files into an encoder's folder; what was there before makes room.

    Returns
    -------
    The SHA-256 of each file by name.

    Raises
    ------
    EncoderError
        The folder cannot be written, or a file cannot be read.
    """
    folder = weights.folder_of(encoder)
    before = record(encoder) or {}
    try:
        for file in files:
            _bring(file.resolve(), folder / file.name)
        digests = {file.name: weights.sha256_of(folder / file.name) for file in files}
        with weights.written_whole(folder / _RECORD) as name:
            name.write_text(json.dumps({"format": _FORMAT, "files": digests}), encoding="utf-8")
        for stale in set(before) - set(digests):
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        raise EncoderError(
            f"{folder}: {encoder} could not be added ({error}). EXPLORER_CACHE names another "
            "folder for encoders."
        ) from error
    return digests


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
                f"{path}: has changed since {encoder} was added. Add it again with: "
                f"explorer encoders add {encoder}"
            )
    return digests


def _bring(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):
        return
    with weights.written_whole(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(source, temporary)
