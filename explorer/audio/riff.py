"""The chunks of a RIFF file (WAV, RF64, BW64), read without decoding any sound.

libsndfile reads the sound; this reads what it does not hand on: the recorder's metadata chunks, and
what the header claims about the length of the sound, which is often not what the file holds.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_CHUNKS = 64
"""A recorder writes fewer than ten; more is a damaged file that sends the reader in circles."""

MAX_CONTENT = 1 << 20
"""A metadata chunk is at most this many bytes (1 MiB); a longer one is not metadata."""

FORMAT_BYTES = 16
"""The part of the ``fmt `` chunk that every WAV file has."""

NO_LENGTH = 0x7FFFF000
"""From here on (2 GiB) a length that the file does not bear out was never meant as one."""


@dataclass(frozen=True)
class Chunk:
    """A chunk: its four-letter name, where its content starts, and its announced and real sizes."""

    name: str
    offset: int
    announced: int
    size: int


def chunks(file: BinaryIO) -> tuple[Chunk, ...]:
    """List the chunks of an open RIFF file; nothing when it is none.

    A ``data`` chunk that announces nothing or more than is there (a streamed recording, a pulled
    card) is taken to reach to the end of the file.
    """
    file_size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return ()
    order = ">" if head[:4] == b"RIFX" else "<"
    found: list[Chunk] = []
    offset, long_data = 12, None
    while offset + 8 <= file_size and len(found) < MAX_CHUNKS:
        file.seek(offset)
        name, announced = struct.unpack(order + "4sI", file.read(8))
        start = offset + 8
        if name == b"ds64" and 16 <= announced <= file_size - start:
            long_data = struct.unpack("<QQ", file.read(16))[1]
        if name == b"data" and long_data is not None and announced == 0xFFFFFFFF:
            announced = long_data
        left = file_size - start
        size = left if name == b"data" and announced == 0 else min(announced, left)
        found.append(Chunk(name.decode("latin-1"), start, announced, size))
        offset = start + size + (size & 1)
    return tuple(found)


def content(path: Path, found: tuple[Chunk, ...], name: str) -> bytes | None:
    """The content of the first chunk of this name, or None."""
    for chunk in found:
        if chunk.name == name and chunk.size <= MAX_CONTENT:
            with path.open("rb") as file:
                file.seek(chunk.offset)
                return file.read(chunk.size)
    return None


def length_note(path: Path, found: tuple[Chunk, ...]) -> tuple[str, ...]:
    """What to tell the user when the header's length is not the file's; mostly nothing."""
    data = next((chunk for chunk in found if chunk.name == "data"), None)
    if data is None or data.announced == data.size:
        return ()
    fmt = content(path, found, "fmt ") or b""
    if data.announced == 0 or data.announced >= NO_LENGTH or len(fmt) < FORMAT_BYTES:
        return (
            "its header gives no true length (a streamed recording); all that is there is used",
        )
    bytes_per_s = max(1, struct.unpack("<I", fmt[8:12])[0])
    return (
        f"it is shorter than its header says ({data.size / bytes_per_s:.1f} of "
        f"{data.announced / bytes_per_s:.1f} s): the card was pulled or the copy broke off",
    )
