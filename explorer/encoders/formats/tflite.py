"""A reader of TensorFlow Lite files: the graph and its constants, without TensorFlow.

A TFLite file is a FlatBuffer: tables that point at one another by offsets, each field found through
a small directory (vtable). Only what is needed to take a network apart is read: operators with
their options, tensors and constant buffers. Offsets are checked, so that a cut-off or foreign file
ends in an `EncoderError` that names it, never in nonsense weights.

Layout: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from explorer.errors import EncoderError

_IDENTIFIER = b"TFL3"

# Numbers of the schema's enumerations, for what such networks are made of.
_KINDS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED", 14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL", 22: "RESHAPE", 34: "PAD",
    36: "GATHER", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE",
    45: "STRIDED_SLICE", 53: "CAST", 55: "MAXIMUM", 70: "EXPAND_DIMS", 77: "SHAPE", 78: "POW",
    81: "REDUCE_PROD", 82: "REDUCE_MAX", 83: "PACK", 89: "REDUCE_MIN", 90: "FLOOR_DIV",
    96: "RANGE", 102: "SPLIT_V", 105: "REVERSE_V2", 131: "RFFT2D",
}  # fmt: skip
_TYPES: dict[int, type[np.generic]] = {
    0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_,
    7: np.int16, 8: np.complex64, 9: np.int8, 10: np.float64,
}  # fmt: skip
_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6", 4: "tanh"}
_PADDINGS = {0: "same", 1: "valid"}

# Fields of an operator's options in their order in the schema: (name, format). `b` is one byte,
# `i` four. Keyed by the number of the union BuiltinOptions.
_OPTIONS: dict[int, tuple[tuple[str, str], ...]] = {
    1: (("padding", "b"), ("stride_w", "i"), ("stride_h", "i"), ("activation", "b"),
        ("dilation_w", "i"), ("dilation_h", "i")),
    2: (("padding", "b"), ("stride_w", "i"), ("stride_h", "i"), ("depth_multiplier", "i"),
        ("activation", "b"), ("dilation_w", "i"), ("dilation_h", "i")),
    5: (("padding", "b"), ("stride_w", "i"), ("stride_h", "i"), ("filter_w", "i"),
        ("filter_h", "i"), ("activation", "b")),
    8: (("activation", "b"),),
    10: (("axis", "i"), ("activation", "b")),
    11: (("activation", "b"),),
    21: (("activation", "b"),),
}  # fmt: skip
_DEFAULTS = {"dilation_w": 1, "dilation_h": 1}


@dataclass(frozen=True)
class Tensor:
    """One tensor of the graph; `buffer` is where its constant value is, if it has one."""

    name: str
    shape: tuple[int, ...]
    dtype: type[np.generic] | None
    buffer: int


@dataclass(frozen=True)
class Operator:
    """One step of the graph.

    `inputs` and `outputs` are tensor numbers (-1: left out); `options` are strides, padding and the
    activation that is applied to the result.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A network as a list of operators in the order in which they run.

    Example
    -------
    >>> graph = read("model.tflite")                                        # doctest: +SKIP
    >>> [step.kind for step in graph.operators if step.kind == "CONV_2D"]   # doctest: +SKIP
    """

    path: Path
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    buffers: tuple[memoryview, ...] = field(repr=False)

    def constant(self, number: int) -> np.ndarray | None:
        """Return the constant value of a tensor, read-only, or None where it is computed."""
        tensor = self.tensors[number]
        data = self.buffers[tensor.buffer]
        if not len(data):
            return None
        if tensor.dtype is None:
            raise EncoderError(f"{self.path}: tensor {tensor.name!r} has a type not supported here")
        array = np.frombuffer(data, dtype=np.dtype(tensor.dtype).newbyteorder("<"))
        if array.size != int(np.prod(tensor.shape)):
            raise EncoderError(
                f"{self.path}: tensor {tensor.name!r} should have shape {tensor.shape} but holds "
                f"{array.size} numbers: the file is damaged, download it again"
            )
        return array.reshape(tensor.shape)


def read(path: str | Path) -> Graph:
    """Read the first graph of a TFLite file.

    Raises
    ------
    EncoderError
        The file is not there, not TFLite, or cut off.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data[4:8] != _IDENTIFIER:
        raise EncoderError(
            f"{path}: is not a TensorFlow Lite file (its bytes 4 to 8 should be "
            f"{_IDENTIFIER.decode()}). Give the path of a .tflite file."
        )
    try:
        return _read_model(path, memoryview(data))
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        raise EncoderError(
            f"{path}: is damaged or cut off ({len(data)} bytes; {error}). Download it again."
        ) from error


def _read_model(path: Path, data: memoryview) -> Graph:
    model = _Table(data, *struct.unpack_from("<I", data, 0))
    kinds = [_operator_kind(code) for code in model.tables(1)]
    graph = model.tables(2)[0]
    tensors = tuple(_tensor(table) for table in graph.tables(0))
    operators = tuple(_operator(table, kinds) for table in graph.tables(3))
    buffers = tuple(_buffer(table) for table in model.tables(4))
    if any(tensor.buffer >= len(buffers) for tensor in tensors):
        raise ValueError("a tensor names a buffer that is not there")
    if any(max(step.inputs + step.outputs, default=-1) >= len(tensors) for step in operators):
        raise ValueError("an operator names a tensor that is not there")
    return Graph(path, tensors, operators, graph.numbers(1), graph.numbers(2), buffers)


def _operator_kind(code: _Table) -> str:
    # Codes above 127 did not fit the first field, so a wider one was added; the larger one counts.
    number = max(code.number(0, "b"), code.number(3, "i"))
    return _KINDS.get(number, code.text(1) or f"OPERATOR_{number}")


def _tensor(table: _Table) -> Tensor:
    return Tensor(
        name=table.text(3),
        shape=table.numbers(0),
        dtype=_TYPES.get(table.number(1, "b")),
        buffer=table.number(2, "I"),
    )


def _operator(table: _Table, kinds: list[str]) -> Operator:
    options: dict[str, int | str] = {}
    stored = table.table(4)
    if stored is not None:
        for place, (name, fmt) in enumerate(_OPTIONS.get(table.number(3, "B"), ())):
            options[name] = stored.number(place, fmt, _DEFAULTS.get(name, 0))
    for name, words in (("activation", _ACTIVATIONS), ("padding", _PADDINGS)):
        if name in options:
            options[name] = words.get(int(options[name]), f"unknown {options[name]}")
    return Operator(kinds[table.number(0, "I")], table.numbers(1), table.numbers(2), options)


def _buffer(table: _Table) -> memoryview:
    beside, size = table.number(1, "Q"), table.number(2, "Q")
    if beside > 1:  # files above 2 GB keep the data after the FlatBuffer
        if beside + size > len(table.data):
            raise ValueError("a buffer lies beyond the end of the file")
        return table.data[beside : beside + size]
    return table.bytes(0)


class _Table:
    """A FlatBuffer table: fields by their number, found through the table's directory."""

    def __init__(self, data: memoryview, position: int) -> None:
        self.data = data
        self.position = position
        (back,) = struct.unpack_from("<i", data, position)
        directory = position - back
        if not 0 <= directory <= len(data) - 4:
            raise ValueError(f"a table at byte {position} points outside the file")
        (size,) = struct.unpack_from("<H", data, directory)
        self.offsets = struct.unpack_from(f"<{max(size - 4, 0) // 2}H", data, directory + 4)

    def _field(self, place: int) -> int | None:
        offset = self.offsets[place] if place < len(self.offsets) else 0
        return self.position + offset if offset else None

    def number(self, place: int, fmt: str, default: int = 0) -> int:
        at = self._field(place)
        return default if at is None else int(struct.unpack_from(f"<{fmt}", self.data, at)[0])

    def table(self, place: int) -> _Table | None:
        at = self._field(place)
        return None if at is None else _Table(self.data, self._follow(at))

    def bytes(self, place: int) -> memoryview:
        start, count = self._vector(place)
        if start + count > len(self.data):
            raise ValueError("a buffer lies beyond the end of the file")
        return self.data[start : start + count]

    def text(self, place: int) -> str:
        return str(self.bytes(place), "utf-8")

    def numbers(self, place: int) -> tuple[int, ...]:
        start, count = self._vector(place)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def tables(self, place: int) -> list[_Table]:
        start, count = self._vector(place)
        return [_Table(self.data, self._follow(start + 4 * i)) for i in range(count)]

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def _vector(self, place: int) -> tuple[int, int]:
        """Return (first byte, number of entries); an absent vector is an empty one."""
        at = self._field(place)
        if at is None:
            return 0, 0
        start = self._follow(at)
        (count,) = struct.unpack_from("<I", self.data, start)
        if count > len(self.data):
            raise ValueError(f"a list at byte {start} is longer than the file")
        return start + 4, int(count)
