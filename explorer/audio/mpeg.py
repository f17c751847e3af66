"""The true length of MP3 files: a count of their frames.

An MP3 file of variable bit rate without a length header (Xing), or one that was cut short, is given
a wrong length by libsndfile, which guesses from the bit rate, and then stops reading there. Frames
say how long they are, so counting them takes no decoding; a header with the true count is put in
front of (or in place of) the file's own on its way to libsndfile. The file is not touched.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

_KBITS = {  # by (MPEG 1?, layer): ISO/IEC 11172-3 and 13818-3, table of bit rates
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
_SYNC_WITHIN = 1 << 16  # bytes of rubbish or tags that may lie between two frames


@dataclass(frozen=True)
class Frame:
    """What a frame header says: its size in bytes, its samples, and where a Xing tag would be."""

    size: int
    samples: int
    tag_offset: int
    mpeg1: bool


@dataclass(frozen=True)
class Mended:
    """Bytes to read in place of the first ``skip`` bytes of the file, and what was wrong."""

    head: bytes
    skip: int
    cut_short: bool


def read_frame(header: bytes) -> Frame | None:
    """Read a four-byte frame header; None when it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    mpeg1 = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    per_second = _KBITS[mpeg1, layer][bits] * 1000
    padding = header[2] >> 1 & 1
    if layer == 1:
        return Frame((12 * per_second // hertz + padding) * 4, 384, 36, mpeg1)
    samples = 576 if layer == 3 and not mpeg1 else 1152
    mono = header[3] >> 6 == 3
    side = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}[mpeg1, mono]
    return Frame(samples // 8 * per_second // hertz + padding, samples, 4 + side, mpeg1)


def is_mp3(head: bytes) -> bool:
    """Whether a file's first bytes are an MP3's: an ID3 tag or a frame."""
    return head[:3] == b"ID3" or read_frame(head[:4]) is not None


def mend(path: Path) -> Mended | None:
    """Return a true length header for an MP3 file that lacks one; None when it needs none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _after_id3(data)
        first = _next_frame(data, start)
        if first is None or data[start : start + 4] == b"fLaC":  # FLAC files carry ID3 tags too
            return None
        start, frame = first
        tag = start + frame.tag_offset
        if data[tag : tag + 4] not in (b"Xing", b"Info"):
            count, _ = _count(data, start)
            return Mended(
                _length_frame(data[start : start + 4], frame, count, len(data)), start, False
            )
        flags = struct.unpack(">I", data[tag + 4 : tag + 8])[0]
        if flags & 3 != 3:
            return None
        announced = struct.unpack(">I", data[tag + 12 : tag + 16])[0]
        left = len(data) - start
        if announced <= left + frame.size:
            return None
        count, _ = _count(data, start + frame.size)
        head = bytearray(data[: tag + 16])
        head[tag + 8 : tag + 16] = struct.pack(">II", count, left)
        return Mended(bytes(head), len(head), True)


def _count(data: mmap.mmap, start: int) -> tuple[int, int]:
    """Count whole frames from ``start``; returns (frames, end of the last one)."""
    count, at, end = 0, start, len(data)
    while at + 4 <= end:
        frame = read_frame(data[at : at + 4])
        if frame is None:
            following = _next_frame(data, at + 1)
            if following is None:
                break
            at = following[0]
            continue
        if at + frame.size > end:
            break
        count += 1
        at += frame.size
    return count, at


def _next_frame(data: mmap.mmap, start: int) -> tuple[int, Frame] | None:
    """The next place where a frame header is followed by another one where it should be."""
    at = start
    while (at := data.find(b"\xff", at, start + _SYNC_WITHIN)) >= 0:
        frame = read_frame(data[at : at + 4])
        if frame is not None and (
            at + frame.size == len(data) or read_frame(data[at + frame.size : at + frame.size + 4])
        ):
            return at, frame
        at += 1
    return None


def _after_id3(data: mmap.mmap) -> int:
    if data[:3] != b"ID3":
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _length_frame(header: bytes, frame: Frame, count: int, size: int) -> bytes:
    """A frame of silence that carries a Xing tag with this count of frames."""
    bits = 9  # 128 or 80 kbit/s: room for the tag in every version and at every rate
    larger = bytes([header[0], header[1] | 1, (header[2] & 0x0D) | bits << 4, header[3]])
    made = read_frame(larger)
    assert made is not None
    tag = b"Xing" + struct.pack(">III", 3, count, size + made.size)
    return (larger + bytes(frame.tag_offset - 4) + tag).ljust(made.size, b"\x00")
