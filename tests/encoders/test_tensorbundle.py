"""Reading TensorFlow's checkpoints: one that TensorFlow wrote, ours, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from savedmodel_files import OBJECT_GRAPH, Sliced, table, write_bundle

from explorer.encoders.formats.crc32c import crc32c, masked
from explorer.encoders.formats.tensorbundle import Bundle
from explorer.errors import EncoderError


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    types = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint32"]
    made = {f"a/{t}": (100 * rng.random((3, 1, 5))).astype(t) for t in types}
    return (
        made
        | {"b/scalar": np.float32(7.5), "b/empty": np.zeros((0, 4), "float32")}
        | {f"c/{i}": rng.random(i % 7).astype("float32") for i in range(60)}
    )


# --- the checksum ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_checksum_equals_published_ones(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


def test_checksum_equals_the_definition_at_every_length() -> None:
    def by_definition(data: bytes) -> int:
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        return crc ^ 0xFFFFFFFF

    data = np.random.default_rng(1).bytes(260)
    for length in [*range(70), 127, 128, 129, 255, 256, 257]:
        assert crc32c(data[:length]) == by_definition(data[:length])


def test_masked_checksum_is_levels() -> None:
    assert masked(0) == 0xA282EAD8  # by its definition: rotated by 15, plus a constant


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("rows_per_block", [1, 7, 10_000])
def test_what_was_written_comes_back(tmp_path: Path, shards: int, rows_per_block: int) -> None:
    index = write_bundle(tmp_path, arrays(), shards=shards, rows_per_block=rows_per_block)
    bundle = Bundle(index)
    assert list(bundle.entries) == sorted(arrays())
    assert len(bundle.shards) == shards
    for name, array in arrays().items():
        read = bundle.read(name)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    exact = np.array([1.0, -2.5, 3.140625, 0.0], dtype=np.float32)  # these lose nothing
    halves = (exact.view(np.uint32) >> 16).astype(np.uint16)
    bundle = Bundle(write_bundle(tmp_path, {"x": halves}, bfloat16=frozenset({"x"})))
    np.testing.assert_array_equal(bundle.read("x"), exact)
    assert bundle.read("x").dtype == np.float32


def test_strings_come_back(tmp_path: Path) -> None:
    elements = [b"", b"reef", b"x" * 300]
    bundle = Bundle(write_bundle(tmp_path, {"names": elements, "one": [b"alone"]}))
    assert bundle.read_strings("names") == elements
    assert bundle.read_strings("one") == [b"alone"]


# --- refusals -------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_bundle(tmp_path, arrays() | {"text": [b"a reef"]}, shards=2)


def refusal(index: Path, name: str = "a/float32") -> str:
    with pytest.raises(EncoderError) as caught:
        bundle = Bundle(index)
        bundle.read_strings(name) if name == "text" else bundle.read(name)
    return str(caught.value)


def change(path: Path, at: int, by: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= by
    path.write_bytes(data)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    assert "variables.index: no such file" in refusal(tmp_path / "variables.index")


@pytest.mark.parametrize("kept", [0, 10, 60, 0.5, -1])
def test_an_index_that_is_cut_off_is_named(index: Path, kept: float) -> None:
    data = index.read_bytes()
    index.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    assert "variables.index: is not the index of a TensorFlow checkpoint" in refusal(index)


def test_an_index_that_lost_its_middle_is_named(index: Path) -> None:
    data = index.read_bytes()
    index.write_bytes(data[:200] + data[-48:])
    message = refusal(index)
    assert "variables.index: is damaged" in message
    assert "Copy or download it anew" in message


def test_a_changed_bit_of_the_index_is_found(index: Path) -> None:
    for at in range(0, len(index.read_bytes()) - 48, 97):
        change(index, at)
        assert "variables.index: is damaged" in refusal(index)
        change(index, at)
    Bundle(index)


def test_a_changed_bit_of_the_data_is_found(index: Path) -> None:
    shard = index.with_name("variables.data-00000-of-00002")
    for at in range(0, len(shard.read_bytes()), 13):
        change(shard, at)
        bundle = Bundle(index)
        found = []
        for name, entry in bundle.entries.items():
            try:
                bundle.read_strings(name) if entry.type == 7 else bundle.read(name)
            except EncoderError as error:
                found.append(str(error))
        assert len(found) == 1
        assert "data-00000-of-00002" in found[0]
        assert "damaged" in found[0]
        change(shard, at)


def test_data_that_are_cut_off_are_named_with_the_variable(index: Path) -> None:
    shard = index.with_name("variables.data-00001-of-00002")
    shard.write_bytes(shard.read_bytes()[:20])
    message = refusal(index, "a/float32")
    assert f"{shard}: is cut off: it has 20 bytes, but a/float32 ends at byte" in message


def test_a_missing_shard_is_named(index: Path) -> None:
    index.with_name("variables.data-00001-of-00002").unlink()
    assert "variables.data-00001-of-00002: is missing" in refusal(index, "a/float32")


def test_a_missing_variable_is_named(index: Path) -> None:
    message = refusal(index, "_variables/3")
    assert "variables.index: has no variable _variables/3 among its 72" in message


def test_numbers_and_strings_are_not_confused(index: Path) -> None:
    with pytest.raises(EncoderError, match="text is of type 7, not numbers"):
        Bundle(index).read("text")
    with pytest.raises(EncoderError, match="a/float32 is of type 1, not strings"):
        Bundle(index).read_strings("a/float32")


def test_a_big_endian_bundle_is_refused(tmp_path: Path) -> None:
    index = write_bundle(tmp_path, arrays(), endianness=1)
    assert "variables.index: was written by a big-endian machine" in refusal(index)


def test_a_bundle_for_newer_readers_is_refused(tmp_path: Path) -> None:
    Bundle(write_bundle(tmp_path, arrays(), producer=2))
    index = write_bundle(tmp_path, arrays(), producer=2, needs_reader=2)
    assert "variables.index: needs a newer reader" in refusal(index)


def test_a_compressed_index_is_refused(tmp_path: Path) -> None:
    index = write_bundle(tmp_path, arrays(), compression=1)
    assert "variables.index: is compressed (Snappy)" in refusal(index)


def test_a_variable_in_slices_is_refused(tmp_path: Path) -> None:
    index = write_bundle(tmp_path, {"x": Sliced(np.zeros(3, "float32"))})
    assert "x is saved in slices" in refusal(index, "x")


def test_an_entry_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    index = write_bundle(tmp_path, {"x": np.zeros(3, "float32")})
    data = (tmp_path / "variables.data-00000-of-00001").read_bytes()
    rows = {b"": b"\x08\x01\x1a\x02\x08\x01"}
    cases = [
        (b"\x12\x04\x12\x02\x08\x05", "x has 12 bytes, which does not suit its shape [5]"),
        (b"\x12\x0c\x12\x0a\x08" + b"\x80" * 8 + b"\x40", "an array has the shape [46116860"),
        (b"\x12\xe8\x07" + b"\x12\x02\x08\x01" * 250, "an array has the shape [1, 1"),
    ]
    for dimension, cause in cases:
        index.write_bytes(
            table(rows | {b"x": b"\x08\x01" + dimension + b"\x28" + bytes([len(data)])})
        )
        assert cause in refusal(index, "x")


# --- a checkpoint that TensorFlow wrote -----------------------------------------------------------


@pytest.fixture
def tensorflows(shared: Path) -> Path:
    return shared / "parity" / "savedmodel" / "variables" / "variables.index"


@pytest.mark.golden
def test_every_variable_of_tensorflows_checkpoint_is_exact(tensorflows: Path, shared: Path) -> None:
    expected = np.load(shared / "parity" / "full_model" / "weights_f16.npz", allow_pickle=False)
    listed = json.loads((tensorflows.parents[1] / "variable_map.json").read_text())
    bundle = Bundle(tensorflows)
    assert bundle.entries.keys() == {v["checkpoint_key"] for v in listed} | {OBJECT_GRAPH}
    for variable in listed:
        read = bundle.read(variable["checkpoint_key"])
        assert read.dtype == variable["dtype"]
        assert list(read.shape) == variable["shape"]
        np.testing.assert_array_equal(read, expected[variable["flax_path"]].astype(np.float32))


@pytest.mark.golden
def test_the_tests_write_as_tensorflow_does(tensorflows: Path, tmp_path: Path) -> None:
    bundle = Bundle(tensorflows)
    contents: dict[str, object] = {}
    for name, entry in bundle.entries.items():
        contents[name] = bundle.read_strings(name) if entry.type == 7 else bundle.read(name)
    by_place = sorted(bundle.entries, key=lambda name: bundle.entries[name].offset)
    written = write_bundle(tmp_path, contents, data_order=by_place)  # type: ignore[arg-type]
    assert written.read_bytes() == tensorflows.read_bytes()
    for ours, theirs in zip(Bundle(written).shards, bundle.shards, strict=True):
        assert ours.read_bytes() == theirs.read_bytes()
