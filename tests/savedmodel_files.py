"""A writer of TensorFlow's SavedModels for the tests: bundles of arrays and graphs of operations.

It knows what TensorFlow writes and no more, and is independent of the readers in the package, save
for the checksum, which has tests of its own. `protobuf` makes a message from its fields::

    protobuf({1: 150, 2: "text", 3: [b"a message", b"another"]})
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explorer.encoders.formats.crc32c import crc32c, masked

TYPES = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9,
    "bool": 10, "uint16": 17, "float16": 19, "uint32": 22, "uint64": 23,
}  # fmt: skip
MAGIC = 0xDB4775248B80FB57
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


# --- Protocol Buffers -----------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def protobuf(fields: Mapping[int, object]) -> bytes:
    """Write fields by number: int, float (four bytes), str, bytes, or a list of these."""
    out = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += varint(number << 3) + varint(item)
            elif isinstance(item, float):
                out += varint(number << 3 | 5) + struct.pack("<f", item)
            else:
                data = item.encode() if isinstance(item, str) else bytes(item)  # type: ignore[call-overload]
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<I", value)


def mapping(entries: Mapping[str, bytes]) -> list[bytes]:
    return [protobuf({1: name, 2: value}) for name, value in entries.items()]


def shape(sizes: Iterable[int]) -> bytes:
    return protobuf({2: [protobuf({1: size}) if size else b"" for size in sizes]})


# --- the index: a LevelDB table -------------------------------------------------------------------


def block(rows: Sequence[tuple[bytes, bytes]], every: int) -> bytes:
    """Write a block; every so many entries the key stands in full."""
    out, restarts, before = b"", [], b""
    for i, (key, value) in enumerate(rows):
        if i % every == 0:
            restarts.append(len(out))
            before = b""
        shared = next((n for n, (a, b) in enumerate(zip(before, key)) if a != b), -1)  # noqa: B905
        shared = min(len(before), len(key)) if shared < 0 else shared
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        before = key
    restarts = restarts or [0]
    return out + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def trailer(data: bytes, compression: int = 0) -> bytes:
    kind = bytes([compression])
    return kind + struct.pack("<I", masked(crc32c(data + kind)))


def table(rows: Mapping[bytes, bytes], rows_per_block: int = 10_000, compression: int = 0) -> bytes:
    """Write a table as LevelDB does; `compression` 1 says Snappy without doing it."""
    out, handles = b"", []
    ordered = sorted(rows.items())
    for start in range(0, len(ordered), rows_per_block):
        some = ordered[start : start + rows_per_block]
        data = block(some, every=16)
        last = start + rows_per_block >= len(ordered)
        key = successor(some[-1][0]) if last else some[-1][0]
        handles.append((key, varint(len(out)) + varint(len(data))))
        out += data + trailer(data, compression)
    places = b""
    for data in (block([], every=1), block(handles, every=1)):
        places += varint(len(out)) + varint(len(data))
        out += data + trailer(data)
    return out + places.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def successor(key: bytes) -> bytes:
    """Return the short key that LevelDB puts behind the last one."""
    return bytes([key[0] + 1]) if key else key


# --- bundles --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sliced:
    """An array that was saved in slices."""

    array: np.ndarray


Arrays = Mapping[str, "np.ndarray | list[bytes] | Sliced"]


def strings(elements: Sequence[bytes]) -> tuple[bytes, int]:
    """Return how an array of strings is stored, and its checksum."""
    lengths = struct.pack(f"<{len(elements)}I", *map(len, elements))
    check = struct.pack("<I", masked(crc32c(lengths)))
    text = b"".join(elements)
    return b"".join(map(varint, map(len, elements))) + check + text, crc32c(lengths + check + text)


def write_bundle(
    folder: Path,
    arrays: Arrays,
    *,
    shards: int = 1,
    bfloat16: frozenset[str] = frozenset(),
    endianness: int = 0,
    producer: int = 1,
    needs_reader: int = 0,
    rows_per_block: int = 10_000,
    compression: int = 0,
    data_order: Iterable[str] | None = None,
) -> Path:
    """Write `variables.index` and its shards; arrays go to the shards in turn. Returns the index.

    Arrays named in `bfloat16` hold uint16 and are said to be bfloat16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version = protobuf({1: producer} | ({2: needs_reader} if needs_reader else {}))
    header = protobuf({1: shards} | ({2: endianness} if endianness else {}) | {3: version})
    rows = {b"": header}
    data = [bytearray() for _ in range(shards)]
    for i, name in enumerate(data_order or sorted(arrays)):
        value = arrays[name]
        shard = i % shards
        array = value.array if isinstance(value, Sliced) else value
        if isinstance(array, list):
            stored, crc = strings(array)
            kind, sizes = 7, [len(array)] if len(array) != 1 else []
        else:
            stored = array.tobytes()
            crc = crc32c(stored)
            kind = 14 if name in bfloat16 else TYPES[array.dtype.name]
            sizes = list(array.shape)
        fields: dict[int, object] = {1: kind, 2: shape(sizes)}
        fields |= {3: shard} if shard else {}
        fields |= {4: len(data[shard])} if data[shard] else {}
        fields |= {5: len(stored)}
        row = protobuf(fields) + fixed32(6, masked(crc))
        rows[name.encode()] = row + (protobuf({7: b""}) if isinstance(value, Sliced) else b"")
        data[shard] += stored
    for number, content in enumerate(data):
        (folder / f"variables.data-{number:05d}-of-{shards:05d}").write_bytes(content)
    index = folder / "variables.index"
    index.write_bytes(table(rows, rows_per_block, compression))
    return index


def key(number: int) -> str:
    return f"_variables/{number}/.ATTRIBUTES/VARIABLE_VALUE"


def object_graph(keys: Mapping[str, str], attribute: str = "_structured_variables") -> bytes:
    """Write the tree of objects that gives each variable, by its path, its key."""
    nodes: list[dict[str, int]] = [{}]
    attributes: dict[int, str] = {}
    for path, key in keys.items():
        at = 0
        for part in (attribute, *path.split("/")):
            if part not in nodes[at]:
                nodes.append({})
                nodes[at][part] = len(nodes) - 1
            at = nodes[at][part]
        attributes[at] = key
    written = []
    for number, children in enumerate(nodes):
        links = [protobuf({1: child, 2: name}) for name, child in children.items()]
        fields: dict[int, object] = {1: links}
        if number in attributes:
            fields[2] = protobuf({1: "VARIABLE_VALUE", 2: "Variable", 3: attributes[number]})
        written.append(protobuf(fields))
    return protobuf({1: written})


def exported(tree: Mapping[str, np.ndarray], *, names: bool = True) -> dict[str, object]:
    """Return the arrays of a bundle as Perch's exporter makes it from a tree of parameters."""
    order = sorted(tree, key=lambda path: path.split("/"))
    keys = {path: key(number) for number, path in enumerate(order)}
    arrays: dict[str, object] = {keys[path]: tree[path] for path in order}
    if names:
        arrays[OBJECT_GRAPH] = [object_graph(keys)]
    return arrays


# --- programs -------------------------------------------------------------------------------------


def constant(array: np.ndarray, values: Sequence[float] | None = None) -> bytes:
    """Write a node that holds an array of float32: its bytes, or a list of some of its values."""
    array = np.asarray(array, dtype="<f4")
    content = {4: array.tobytes()} if values is None else {5: np.array(values, "<f4").tobytes()}
    tensor = protobuf({1: 1, 2: shape(array.shape)} | content)
    attributes = mapping({"dtype": protobuf({6: 1}), "value": protobuf({8: tensor})})
    return protobuf({1: "constant", 2: "Const", 5: attributes})


def function(name: str, operations: Mapping[str, int], constants: Iterable[np.ndarray]) -> bytes:
    nodes = [constant(array) for array in constants]
    for operation, count in operations.items():
        nodes += [protobuf({1: f"{operation}_{i}", 2: operation}) for i in range(count)]
    return protobuf({1: protobuf({1: name}), 3: nodes})


def write_program(
    folder: Path, functions: Sequence[bytes], outputs: Mapping[str, Sequence[int]] | None = None
) -> Path:
    """Write `saved_model.pb` with a library of functions and what `serving_default` returns."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: protobuf({2: 1, 3: shape(sizes)}) for name, sizes in (outputs or {}).items()}
    signature = protobuf({2: mapping(tensors)})
    graph = protobuf({2: protobuf({1: list(functions)})})
    meta = protobuf({2: graph, 5: mapping({"serving_default": signature})})
    path = folder / "saved_model.pb"
    path.write_bytes(protobuf({1: 1, 2: meta}))
    return path
