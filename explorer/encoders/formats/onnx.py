"""What an ONNX file takes and gives, and the part of it that one output needs. No onnxruntime here.

onnxruntime works out every output of a file, asked for or not, and in the large encoders the list
of species is most of the file (of Perch 2's 413 MB all but 49). So a file is cut down to what leads
to the outputs that are wanted before it is run.

Layout: onnx.proto of https://github.com/onnx/onnx, a message of Protocol Buffers.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from explorer.encoders.formats.protobuf import Message, varint
from explorer.errors import EncoderError

# Numbers of fields: of a model, of its graph, of a node, of an attribute.
_GRAPH = 7
_NODES, _WEIGHTS, _INPUTS, _OUTPUTS, _VALUES = 1, 5, 11, 12, 13
_NODE_INPUTS, _NODE_OUTPUTS, _ATTRIBUTES = 1, 2, 5
_ATTRIBUTE_GRAPH = 6
_NAME, _WEIGHT_NAME = 1, 8
_KINDS = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


@dataclass(frozen=True)
class Port:
    """An input or output of a file.

    `shape` has a number where a length is fixed and None where any is taken; it is None as a whole
    where the file does not say.

    Example
    -------
    >>> print(Port("inputs", "float32", (None, 160000)))
    inputs float32 [any, 160000]
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name} {self.kind}"
        lengths = ", ".join("any" if length is None else str(length) for length in self.shape)
        return f"{self.name} {self.kind} [{lengths}]"


@dataclass(frozen=True)
class Signature:
    """Everything that a file takes and gives, in the file's order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def signature(path: Path) -> Signature:
    """Read what a file takes and gives; its weights are not looked at.

    Raises
    ------
    EncoderError
        There is no such file, it is cut off, or it is not an ONNX file.
    """
    try:
        graph = Message(_model(path), str(path)).message(_GRAPH)
        weights = {weight.text(_WEIGHT_NAME) for weight in graph.messages(_WEIGHTS)}
        inputs = [_port(value) for value in graph.messages(_INPUTS)]
        outputs = tuple(_port(value) for value in graph.messages(_OUTPUTS))
    except EncoderError as error:
        raise _foreign(path, str(error)) from error
    if not outputs:
        raise _foreign(path, "it gives nothing")
    # Old files list their weights among the inputs.
    return Signature(tuple(port for port in inputs if port.name not in weights), outputs)


def only(path: Path, outputs: Collection[str]) -> bytes:
    """Return the file without what these outputs do not need.

    Raises
    ------
    EncoderError
        As `signature`.
    """
    model = _model(path)
    try:
        graph = Message(model, str(path)).blob(_GRAPH)
        needed = _needed(graph, outputs)
        kept = b"".join(
            whole
            for number, whole, inside in _fields(graph)
            if _stays(number, inside, needed, outputs)
        )
        around = [whole for number, whole, _ in _fields(model) if number != _GRAPH]
    except (EncoderError, ValueError) as error:
        raise _foreign(path, str(error)) from error
    return b"".join([*around, _varint_bytes(_GRAPH << 3 | 2), _varint_bytes(len(kept)), kept])


def leads_to(path: Path, start: str, end: str) -> bool:
    """Say whether one value, `end`, follows from another, `start`, with nothing else of the input.

    Raises
    ------
    EncoderError
        As `signature`.
    """
    return _between(path, start, end) is not None


def between(path: Path, start: str, end: str) -> bytes:
    """Return the part of the file that makes `end` of `start`, an output that becomes its input.

    Raises
    ------
    EncoderError
        As `signature`; or `end` does not follow from `start`.
    """
    fields = _between(path, start, end)
    if fields is None:
        raise EncoderError(f"{path}: {end} does not follow from {start} alone.")
    around = [whole for number, whole, _ in _fields(_model(path)) if number != _GRAPH]
    part = b"".join(fields)
    return b"".join([*around, _varint_bytes(_GRAPH << 3 | 2), _varint_bytes(len(part)), part])


def _between(path: Path, start: str, end: str) -> list[bytes | memoryview] | None:
    """The graph's fields of that part; None where it needs more than `start`."""
    try:
        graph = Message(_model(path), str(path)).blob(_GRAPH)
        needed = _needed(graph, [end], given=[start])
        if start not in needed:
            return None
        kept: list[bytes | memoryview] = []
        weights = {
            Message(inside, "a weight").text(_WEIGHT_NAME)
            for number, _, inside in _fields(graph)
            if number == _WEIGHTS
        }
        for number, whole, inside in _fields(graph):
            if number == _INPUTS:  # old files list their weights among the inputs
                if not needed.difference(weights).isdisjoint(_texts(inside, _NAME)):
                    return None
            elif number == _OUTPUTS and _texts(inside, _NAME) == [start]:
                kept += [_varint_bytes(_INPUTS << 3 | 2), _varint_bytes(len(inside)), inside]
            elif number == _NODES and start in (made := _texts(inside, _NODE_OUTPUTS)):
                if not needed.difference([start]).isdisjoint(made):
                    return None
            elif number != _VALUES and _stays(number, inside, needed, [end]):
                kept.append(whole)
    except (EncoderError, ValueError) as error:
        raise _foreign(path, str(error)) from error
    return kept


def _model(path: Path) -> memoryview:
    """Map a file into memory, so that only what is read of it is fetched from the disk."""
    if not path.is_file():
        raise EncoderError(f"{path}: no such file.")
    if not path.stat().st_size:
        raise _foreign(path, "it is empty")
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _foreign(path: Path, why: str) -> EncoderError:
    return EncoderError(f"{path}: is damaged or not an ONNX file ({why}). Copy it here again.")


def _port(value: Message) -> Port:
    tensor = value.message(2).message(1)
    shape = None
    if 2 in tensor:
        lengths = (length.integer(1) for length in tensor.message(2).messages(1))
        shape = tuple(length or None for length in lengths)
    kind = tensor.integer(1)
    return Port(value.text(_NAME), _KINDS.get(kind, f"kind {kind}"), shape)


def _needed(graph: memoryview, outputs: Collection[str], given: Collection[str] = ()) -> set[str]:
    """Names of all values on the way to these outputs from those given, both included."""
    needed = set(outputs)
    nodes = [inside for number, _, inside in _fields(graph) if number == _NODES]
    for node in reversed(nodes):  # what is worked out first stands before what needs it
        made = set(_texts(node, _NODE_OUTPUTS)).difference(given)
        if not needed.isdisjoint(made):
            needed.update(made, _taken(node))
    return needed


def _taken(node: memoryview) -> Iterator[str]:
    """Names of what a node takes, also within its branches and loops."""
    yield from _texts(node, _NODE_INPUTS)
    for attribute in Message(node, "a node").messages(_ATTRIBUTES):
        for number, _, inside in _fields(attribute.blob(_ATTRIBUTE_GRAPH)):
            if number == _NODES:
                yield from _taken(inside)
            elif number == _OUTPUTS:
                yield from _texts(inside, _NAME)


def _stays(number: int, part: memoryview, needed: set[str], outputs: Collection[str]) -> bool:
    if number == _NODES:
        return not needed.isdisjoint(_texts(part, _NODE_OUTPUTS))
    if number == _WEIGHTS:
        return Message(part, "a weight").text(_WEIGHT_NAME) in needed
    if number == _VALUES:
        return not needed.isdisjoint(_texts(part, _NAME))
    return number != _OUTPUTS or not set(outputs).isdisjoint(_texts(part, _NAME))


def _texts(data: memoryview, number: int) -> list[str]:
    return [str(inside, "utf-8") for found, _, inside in _fields(data) if found == number]


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Each field of a message: its number, all of its bytes, and the bytes of its value.

    Raises
    ------
    ValueError
        The bytes are cut off, or hold a kind of field that ONNX files do not have here.
    """
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        inside = at
        if tag & 7 == 2:
            length, inside = varint(data, at)
            at = inside + length
        elif tag & 7 == 0:
            _, at = varint(data, at)
        else:
            raise ValueError(f"field kind {tag & 7} is unknown")
        if at > len(data):
            raise ValueError("a field is cut off")
        yield tag >> 3, data[start:at], data[inside:at]


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
