"""A reader of Protocol Buffers: the fields of a message by number, without a schema.

TensorFlow keeps its graphs and the index of its weights as such messages. A message is a row of
fields, each a number, a kind and a value; which number means what stands in TensorFlow's schemas,
and is said where a message is read. Only what is asked for is taken apart, so that a large graph
costs little. A message that is cut off ends in an `EncoderError` that names the file.

Layout: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from functools import cached_property

from explorer.errors import EncoderError

Bytes = bytes | memoryview
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length at byte `at`; return it and where the next byte is.

    Raises
    ------
    ValueError
        The bytes end within it, or it is longer than 64 bits.

    Example
    -------
    >>> varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = 0
    for i in range(10):
        if at + i >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + i + 1
    raise ValueError("a number is too long")


class Message:
    """One message; `source` says where it comes from, for errors.

    A field that is absent reads as 0, empty bytes or an empty list, as the format wants it; of one
    that stands twice where once is meant, the last counts.

    Raises
    ------
    EncoderError
        On the first look at a message whose bytes are cut off, or not a message.

    Example
    -------
    >>> message = Message(bytes([0x08, 0x96, 0x01, 0x12, 0x02]) + b"hi", "example")
    >>> message.integer(1), message.text(2), message.integer(3)
    (150, 'hi', 0)
    """

    def __init__(self, data: Bytes, source: str) -> None:
        self._data = memoryview(data)
        self.source = source

    @cached_property
    def _fields(self) -> dict[int, list[int | memoryview]]:
        fields: dict[int, list[int | memoryview]] = {}
        data, at = self._data, 0
        try:
            while at < len(data):
                tag, at = varint(data, at)
                value: int | memoryview
                kind = tag & 7
                if kind == _VARINT:
                    value, at = varint(data, at)
                else:
                    if kind == _LENGTH:
                        length, at = varint(data, at)
                    elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
                        length = 8 if kind == _EIGHT_BYTES else 4
                    else:
                        raise ValueError(f"field kind {kind} is unknown")
                    value = data[at : at + length]
                    if len(value) != length:
                        raise ValueError("a field is cut off")
                    at += length
                fields.setdefault(tag >> 3, []).append(value)
        except ValueError as error:
            raise self.damaged(str(error)) from error
        return fields

    def damaged(self, why: str) -> EncoderError:
        """Return the error to raise where the message is not what it should be."""
        return EncoderError(f"{self.source}: is damaged or not TensorFlow's ({why}).")

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def integer(self, number: int) -> int:
        """Return a field that holds a number."""
        value = self._fields.get(number, [0])[-1]
        if not isinstance(value, int):
            raise self.damaged(f"field {number} is not a number")
        return value

    def fixed32(self, number: int) -> int:
        """Return a field that holds a number in four bytes."""
        data = self.blob(number)
        if len(data) not in (0, 4):
            raise self.damaged(f"field {number} does not have four bytes")
        return int(struct.unpack("<I", data)[0]) if len(data) else 0

    def blob(self, number: int) -> memoryview:
        """Return a field's bytes."""
        values = self._blobs(number)
        return values[-1] if values else memoryview(b"")

    def text(self, number: int) -> str:
        """Return a field that holds text."""
        try:
            return bytes(self.blob(number)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged(f"field {number} is not text") from error

    def message(self, number: int) -> Message:
        """Return a message within this one."""
        return Message(self.blob(number), self.source)

    def messages(self, number: int) -> list[Message]:
        """Return the messages of a repeated field."""
        return [Message(data, self.source) for data in self._blobs(number)]

    def mapping(self, number: int) -> dict[str, Message]:
        """Return the messages of a field that maps names to messages."""
        return {entry.text(1): entry.message(2) for entry in self.messages(number)}

    def joined(self, number: int) -> bytes:
        """Return the bytes of a repeated field of floats, packed together or not."""
        return b"".join(self._blobs(number))

    def _blobs(self, number: int) -> list[memoryview]:
        values = self._fields.get(number, [])
        if any(isinstance(value, int) for value in values):
            raise self.damaged(f"field {number} holds a number, not bytes")
        return [value for value in values if not isinstance(value, int)]
