"""File names for exports that every system takes, Windows included, and that do not collide."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

NOT_ON_WINDOWS = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
MOST_BYTES = 180
"""Of 255 that file systems take; the rest is for suffixes and numbers."""


def file_stem(recording: str) -> str:
    """Return a file name, without suffix, for what belongs to a recording.

    Folders are kept in the name, since many recorders give the same names in each folder.

    Examples
    --------
    >>> file_stem("site 1/20260314_050000.WAV"), file_stem('a<"b">?.flac'), file_stem("NUL.wav")
    ('site 1_20260314_050000', 'a__b___', '_NUL')
    """
    path = PurePosixPath(recording)
    stem = NOT_ON_WINDOWS.sub("_", unicodedata.normalize("NFC", str(path.with_suffix(""))))
    stem = stem.strip(" ").rstrip(". ") or "recording"
    if DEVICES.match(stem):
        stem = f"_{stem}"
    encoded = stem.encode()
    if len(encoded) > MOST_BYTES:
        # Names that differ only past the cut must still differ.
        mark = hashlib.sha256(encoded).hexdigest()[:8]
        stem = f"{encoded[: MOST_BYTES - 9].decode(errors='ignore').rstrip('. ')}-{mark}"
    return stem


def file_names(recordings: Iterable[str], suffix: str) -> dict[str, str]:
    """Return a file name for each recording; those that would collide are numbered.

    Names that differ only in upper and lower case collide, as they do on Windows and macOS.

    Examples
    --------
    >>> file_names(["a.wav", "A.flac", "b.wav"], ".txt")
    {'a.wav': 'a.txt', 'A.flac': 'A_2.txt', 'b.wav': 'b.txt'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for recording in dict.fromkeys(recordings):
        stem = file_stem(recording)
        number, name = 1, stem
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names[recording] = name + suffix
    return names
