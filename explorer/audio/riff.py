"""The chunks of a RIFF file (WAV, RF64, BW64), read without decoding any sound.

libsndfile reads the sound; this reads what it does not hand on: the recorder's metadata chunks, and
what the header claims about the length of the sound, which is often not what the file holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_CHUNKS = 64
"""A recorder writes fewer than ten; more is a damaged file that sends the reader in circles."""

MAX_TEXT = 1 << 20
"""A metadata chunk is at most this many bytes (1 MiB); a longer one is not metadata."""


@dataclass(frozen=True)
class Chunk:
    """A chunk: its four-letter name, where its content starts, and its announced and real sizes."""

    name: str
    offset: int
    announced: int
    size: int


def chunks(file: BinaryIO, file_size: int) -> list[Chunk]:
    """List the chunks of an open RIFF file; an empty list when it is none.

    A ``data`` chunk that announces nothing or more than is there (a streamed recording, a pulled
    card) is taken to reach to the end of the file.
    """
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return []
    order = ">" if head[:4] == b"RIFX" else "<"
    found: list[Chunk] = []
    offset, long_data = 12, None
    while offset + 8 <= file_size and len(found) < MAX_CHUNKS:
        file.seek(offset)
        name, announced = struct.unpack(order + "4sI", file.read(8))
        start = offset + 8
        if name == b"ds64" and announced >= 16:
            long_data = struct.unpack("<QQ", file.read(16))[1]
        if name == b"data" and long_data is not None and announced == 0xFFFFFFFF:
            announced = long_data
        left = file_size - start
        size = min(announced, left)
        if name == b"data" and announced == 0:
            size = left
        found.append(Chunk(name.decode("latin-1"), start, announced, size))
        offset = start + size + (size & 1)
    return found


def text_chunk(path: Path, found: list[Chunk], name: str) -> bytes | None:
    """The content of the first chunk of this name, or None."""
    for chunk in found:
        if chunk.name == name and chunk.size <= MAX_TEXT:
            with path.open("rb") as file:
                file.seek(chunk.offset)
                return file.read(chunk.size)
    return None
