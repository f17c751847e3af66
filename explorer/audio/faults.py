"""Why a file cannot be read, in plain words and with the cure.

libsndfile says "Format not recognised" of an empty file, a web page and a Git LFS pointer alike;
somebody with 6,000 files on a card needs to know which it is.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from ..errors import AudioError
from . import riff

_LOOK_BYTES = 4096
_PCM, _EXTENSIBLE = 1, 0xFFFE
_CONVERTED = {
    ".wac": "Wildlife Acoustics' compressed format; convert it to WAV with Kaleidoscope",
    ".sud": "SoundTrap's compressed format; unpack it to WAV with SoundTrap Host",
}


class Unreadable(AudioError):
    """A file with the name of a recording that cannot be read.

    ``kind`` says why in two or three words, for counting: "empty", "not audio", "damaged",
    "too short", "needs ffmpeg", "needs conversion", "broken link", "not allowed".
    """

    def __init__(self, path: str | os.PathLike[str], kind: str, cause: str) -> None:
        self.kind = kind
        super().__init__(path, cause)


def look(path: Path) -> tuple[int, bytes]:
    """Return a file's size and its first bytes.

    Raises
    ------
    Unreadable
        When it is not there, may not be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(_LOOK_BYTES)
    except FileNotFoundError as error:
        raise Unreadable(path, "not there", "there is no such file") from error
    except PermissionError as error:
        cause = "reading it is not allowed; change its permissions"
        raise Unreadable(path, "not allowed", cause) from error
    except OSError as error:
        cause = f"the disk does not give it ({error.strerror or error}); check the card or the link"
        raise Unreadable(path, "not readable", cause) from error
    if size == 0:
        cause = "it is empty (0 bytes): the card was full or was pulled"
        raise Unreadable(path, "empty", cause)
    return size, head


def diagnose(path: Path, head: bytes) -> tuple[str, str]:
    """Return (kind, cause) of a file that no decoder takes, from its first bytes."""
    suffix = path.suffix.lower()
    if suffix in _CONVERTED:
        return "needs conversion", f"it is in {_CONVERTED[suffix]}"
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _diagnose_wav(path)
    if not head.strip(b"\x00"):
        return "damaged", "it begins with nothing but zeros: the copy broke off; copy it again"
    return "not audio", _what_else(head)


def _what_else(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer in place of the sound; run: git lfs pull"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page (a download that failed); download it again"
    if _is_text(head):
        return "it holds text, not sound; remove it or give it its own ending"
    return (
        "its content is no sound format that is known here; "
        "if it plays elsewhere, convert it to FLAC or WAV"
    )


def _diagnose_wav(path: Path) -> tuple[str, str]:
    with path.open("rb") as file:
        found = riff.chunks(file)
    names = [chunk.name for chunk in found]
    if "fmt " not in names:
        return "damaged", "its header breaks off; copy it from the card again"
    content = riff.content(path, found, "fmt ") or b""
    if len(content) < riff.FORMAT_BYTES:
        return "damaged", "its header breaks off; copy it from the card again"
    codec, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[: riff.FORMAT_BYTES])
    if channels == 0 or rate == 0:
        what = "channels" if channels == 0 else "samples per second"
        return "damaged", f"its header says 0 {what}; mend the header, for instance with Audacity"
    if "data" not in names:
        return "damaged", "it ends before its sound begins; copy it from the card again"
    encoding = f"{bits} bit PCM" if codec in (_PCM, _EXTENSIBLE) else f"WAV codec 0x{codec:04x}"
    return "encoding not known", f"its encoding ({encoding}) is not known; convert it to FLAC"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if (
            error.start < len(head) - 4
        ):  # a character cut in two at the end of what was read is fine
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text)
