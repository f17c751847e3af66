"""A reader of TensorFlow's checkpoints (TensorBundle): weights by name, without TensorFlow.

A checkpoint is an index and one or more shards of data::

    variables.index                    a LevelDB table: name -> type, shape, shard, place, checksum
    variables.data-00000-of-00001      the numbers, one array after another

The index is a row of blocks of entries, each key written as what it adds to the one before; a block
of blocks says where they are, and the last 48 bytes where that is. Every block and every array has
a checksum and all are verified: a file that is cut off, damaged, or of another make ends in an
`EncoderError` that names it, never in wrong weights.

Layouts: LevelDB's doc/table_format.md; TensorFlow's core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from explorer.encoders.formats.crc32c import crc32c, masked
from explorer.encoders.formats.protobuf import Bytes, Message, varint
from explorer.errors import EncoderError

_MAGIC = 0xDB47_7524_8B80_FB57
_FOOTER = 48
_TRAILER = 5  # behind each block: how it is compressed (one byte), checksum (four)
_BUNDLE_VERSION = 1  # the newest layout of bundles there is
_BFLOAT16, _STRING = 14, 7
_MOST_AXES, _LONGEST_AXIS = 32, 1 << 40  # no array has more

# Numbers of TensorFlow's types, in core/framework/types.proto.
_TYPES: dict[int, type[np.generic]] = {
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8,
    8: np.complex64, 9: np.int64, 10: np.bool_, _BFLOAT16: np.uint16, 17: np.uint16,
    18: np.complex128, 19: np.float16, 22: np.uint32, 23: np.uint64,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Where an array of a bundle lies; `type` is TensorFlow's number, `crc` the masked checksum."""

    type: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    sliced: bool


class Bundle:
    """The arrays of a checkpoint by name.

    Parameters
    ----------
    index:
        The index, e.g. `variables/variables.index`; the shards lie beside it.

    Raises
    ------
    EncoderError
        The index is absent, cut off, damaged, compressed or written by a big-endian machine.

    Example
    -------
    >>> bundle = Bundle(Path("surfperch/variables/variables.index"))    # doctest: +SKIP
    >>> bundle.read("_variables/0/.ATTRIBUTES/VARIABLE_VALUE").shape     # doctest: +SKIP
    (1280,)
    """

    def __init__(self, index: Path) -> None:
        self.index = index
        rows = dict(_table(index))
        header = Message(rows.pop("", b""), str(index))
        self._shards = header.integer(1)
        if header.integer(2):
            raise EncoderError(
                f"{index}: was written by a big-endian machine, which is not supported. Save the "
                "model anew on an ordinary computer."
            )
        if header.message(3).integer(2) > _BUNDLE_VERSION:
            raise EncoderError(
                f"{index}: needs a newer reader of checkpoints than this one. Update this program."
            )
        self.entries = {name: _entry(Message(row, str(index))) for name, row in rows.items()}

    def shard(self, number: int) -> Path:
        """Return the path of one file of data."""
        name = f"{self.index.stem}.data-{number:05d}-of-{self._shards:05d}"
        return self.index.with_name(name)

    @cached_property
    def shards(self) -> list[Path]:
        """The files of data."""
        return [self.shard(number) for number in range(self._shards)]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array without reading it; an `EncoderError` if it is missing."""
        return self._entry(name).shape

    def read(self, name: str) -> np.ndarray:
        """Return an array of numbers; the file is mapped, not copied, and cannot be written to.

        bfloat16 becomes float32, everything else is what it was.

        Raises
        ------
        EncoderError
            No variable of that name, or its data are absent, cut off or damaged.
        """
        entry = self._entry(name)
        if entry.type not in _TYPES:
            raise EncoderError(f"{self.index}: {name} is of type {entry.type}, not numbers.")
        dtype = np.dtype(_TYPES[entry.type])
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise EncoderError(
                f"{self.index}: {name} has {entry.size} bytes, which does not suit its shape "
                f"{list(entry.shape)}. The file is damaged: copy or download it anew."
            )
        raw = self._bytes(name, entry)
        self._verify(name, entry, raw)
        array = raw.view(dtype).reshape(entry.shape)
        if entry.type == _BFLOAT16:  # the upper half of a float32
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array

    def read_strings(self, name: str) -> list[bytes]:
        """Return the elements of an array of strings, in C order; errors as in `read`.

        On disk: the lengths as variable-length numbers, a checksum of them, then all the bytes. The
        entry's checksum covers the lengths as four-byte numbers, that checksum and the bytes.
        """
        entry = self._entry(name)
        if entry.type != _STRING:
            raise EncoderError(f"{self.index}: {name} is of type {entry.type}, not strings.")
        raw = self._bytes(name, entry).data
        lengths, at = [], 0
        try:
            for _ in range(math.prod(entry.shape)):
                length, at = varint(raw, at)
                lengths.append(length)
        except ValueError as error:
            raise self._damaged(name, entry) from error
        plain = np.array(lengths, dtype=np.uint64).astype("<u4").tobytes()
        if masked(crc32c(plain)) != int.from_bytes(raw[at : at + 4], "little"):
            raise self._damaged(name, entry)
        self._verify(name, entry, plain + bytes(raw[at:]))
        ends = np.cumsum([at + 4, *lengths])
        if ends[-1] != len(raw):
            raise self._damaged(name, entry)
        return [bytes(raw[a:b]) for a, b in pairwise(ends)]

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise EncoderError(
                f"{self.index}: has no variable {name} among its {len(self.entries)}. The "
                "checkpoint is not whole, or not of this model: download it anew."
            )
        entry = self.entries[name]
        if entry.sliced:
            raise EncoderError(
                f"{self.index}: {name} is saved in slices, which is not supported. Save the model "
                "anew without partitioned variables."
            )
        return entry

    def _bytes(self, name: str, entry: Entry) -> np.ndarray:
        """Map the bytes of an array, uint8 `[size]`."""
        path = self.shard(entry.shard)
        if not path.is_file():
            raise EncoderError(
                f"{path}: is missing; {name} is in it. All files of the folder variables belong "
                "together: copy or download them anew."
            )
        length = path.stat().st_size
        if entry.offset + entry.size > length:
            raise EncoderError(
                f"{path}: is cut off: it has {length} bytes, but {name} ends at byte "
                f"{entry.offset + entry.size}. Copy or download it anew."
            )
        if not entry.size:
            return np.empty(0, np.uint8)
        return np.memmap(path, np.uint8, "r", entry.offset, (entry.size,))

    def _verify(self, name: str, entry: Entry, data: Bytes | np.ndarray) -> None:
        if masked(crc32c(data)) != entry.crc:
            raise self._damaged(name, entry)

    def _damaged(self, name: str, entry: Entry) -> EncoderError:
        return EncoderError(
            f"{self.shard(entry.shard)}: {name} is damaged (its checksum is wrong). Copy or "
            "download the file anew."
        )


def _entry(message: Message) -> Entry:
    shape = tuple(dimension.integer(1) for dimension in message.message(2).messages(2))
    if len(shape) > _MOST_AXES or any(size > _LONGEST_AXIS for size in shape):
        raise message.damaged(f"it says that an array has the shape {list(shape[:9])}")
    return Entry(
        type=message.integer(1),
        shape=shape,
        shard=message.integer(3),
        offset=message.integer(4),
        size=message.integer(5),
        crc=message.fixed32(6),
        sliced=7 in message,
    )


def _table(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and values of a LevelDB table in their order."""
    if not path.is_file():
        raise EncoderError(f"{path}: no such file.")
    data = path.read_bytes()
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise EncoderError(
            f"{path}: is not the index of a TensorFlow checkpoint, or is cut off. Copy or download "
            "it anew."
        )
    try:
        _, at = _handle(data, len(data) - _FOOTER)
        (start, size), _ = _handle(data, at)
        for _, handle in _block(path, data, start, size):
            (start, size), _ = _handle(handle, 0)
            for key, value in _block(path, data, start, size):
                yield key.decode("utf-8"), value
    except ValueError as error:  # UnicodeDecodeError included
        raise EncoderError(f"{path}: is damaged ({error}). Copy or download it anew.") from error


def _handle(data: Bytes, at: int) -> tuple[tuple[int, int], int]:
    """Read where a block starts and its size; return them and where the next byte is."""
    start, at = varint(data, at)
    size, at = varint(data, at)
    return (start, size), at


def _block(path: Path, data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block; keys share their beginning with the one before."""
    stored = data[start : start + size + _TRAILER]
    if len(stored) != size + _TRAILER or size < 4:
        raise ValueError("a block is cut off")
    if masked(crc32c(stored[:-4])) != int.from_bytes(stored[-4:], "little"):
        raise ValueError("a block's checksum is wrong")
    if stored[size]:
        raise EncoderError(
            f"{path}: is compressed (Snappy), which TensorFlow's own checkpoints never are. Save "
            "the model anew with TensorFlow."
        )
    restarts = int.from_bytes(stored[size - 4 : size], "little")
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = varint(stored, at)
        added, at = varint(stored, at)
        length, at = varint(stored, at)
        if shared > len(key) or at + added + length > end:
            raise ValueError("an entry of a block is cut off")
        key = key[:shared] + stored[at : at + added]
        at += added
        yield key, stored[at : at + length]
        at += length
