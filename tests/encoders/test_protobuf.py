"""Reading Protocol Buffers without a schema."""

from __future__ import annotations

import pytest
from savedmodel_files import fixed32, mapping, protobuf
from savedmodel_files import varint as written

from explorer.encoders.formats.protobuf import Message, varint
from explorer.errors import EncoderError


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_numbers_of_any_length_come_back(number: int) -> None:
    assert varint(written(number) + b"more", 0) == (number, len(written(number)))


def test_fields_are_read_by_number_and_absent_ones_are_empty() -> None:
    inner = protobuf({1: "inside"})
    data = protobuf({1: 7, 2: "reef", 3: [inner, inner], 4: 2.0}) + fixed32(5, 99)
    message = Message(data, "a file")
    assert message.integer(1) == 7
    assert message.text(2) == "reef"
    assert [m.text(1) for m in message.messages(3)] == ["inside", "inside"]
    assert message.joined(4) == bytes([0, 0, 0, 64])
    assert message.fixed32(5) == 99
    assert (message.integer(9), message.text(9), message.messages(9)) == (0, "", [])
    assert message.message(9).integer(1) == 0
    assert 3 in message
    assert 9 not in message


def test_a_map_is_read_by_its_names() -> None:
    entries = mapping({"label": protobuf({1: 37}), "genus": protobuf({1: 23})})
    message = Message(protobuf({5: entries}), "a file")
    assert {k: m.integer(1) for k, m in message.mapping(5).items()} == {"label": 37, "genus": 23}


def test_the_last_of_a_field_that_is_written_twice_counts() -> None:
    assert Message(protobuf({1: 1}) + protobuf({1: 2}), "a file").integer(1) == 2


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (protobuf({2: "reef"})[:-1], "cut off"),
        (b"\x08", "cut off"),
        (b"\x08" + b"\xff" * 10, "too long"),
        (b"\x0d\x00\x00", "cut off"),
        (b"\x0b", "kind 3"),
    ],
)
def test_damage_is_an_error_that_names_the_file(data: bytes, cause: str) -> None:
    with pytest.raises(EncoderError, match=f"saved_model.pb.*{cause}"):
        Message(data, "saved_model.pb").integer(1)


def test_a_field_of_another_kind_than_expected_is_an_error() -> None:
    message = Message(protobuf({1: 7, 2: b"\xff\xfe", 3: "abc"}), "a file")
    for read in (lambda: message.text(1), lambda: message.text(2), lambda: message.integer(3)):
        with pytest.raises(EncoderError, match="a file: is damaged"):
            read()
    with pytest.raises(EncoderError, match="four bytes"):
        message.fixed32(3)
