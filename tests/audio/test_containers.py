"""Headers that lie: what can be read is read, and what cannot is named with its cause."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from sound_files import noise, write

from explorer.audio import mpeg
from explorer.audio.containers import open_sound
from explorer.audio.decoding import read_clip
from explorer.audio.faults import Unreadable
from explorer.audio.recordings import describe

RATE = 32_000
SOUND = noise(2, RATE)


def with_data_length(path: Path, length: int) -> Path:
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", length)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 2**31])
def test_a_wav_without_a_true_length_is_read_whole(tmp_path: Path, length: int) -> None:
    whole, _ = read_clip(write(tmp_path / "good.wav", SOUND, RATE))
    path = with_data_length(write(tmp_path / "streamed.wav", SOUND, RATE), length)
    recording = describe(path)
    assert recording.duration_s == 2.0
    assert "no true length" in recording.notes[0]
    np.testing.assert_array_equal(read_clip(path)[0], whole)
    np.testing.assert_array_equal(read_clip(path, 1.0, 1.5)[0], whole[RATE : RATE * 3 // 2])


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_file_cut_short_is_read_as_far_as_it_goes_and_says_so(
    tmp_path: Path, ending: str
) -> None:
    whole, _ = read_clip(write(tmp_path / f"good.{ending}", noise(20, RATE), RATE))
    path = write(tmp_path / f"cut.{ending}", noise(20, RATE), RATE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.4)])
    recording = describe(path)
    assert 7 < recording.duration_s < 9
    assert "shorter than its header says" in recording.notes[0]
    clip, _ = read_clip(path)
    np.testing.assert_array_equal(clip, whole[: recording.frames])


def test_a_flac_damaged_in_the_middle_names_the_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise(20, RATE), RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=r"damaged between 9\.0 and 12\.0 s"):
        read_clip(path, 9.0, 12.0)
    assert len(read_clip(path, 1.0, 4.0)[0]) == 3 * RATE


def without_length_header(path: Path) -> Path:
    data = path.read_bytes()
    first = mpeg.read_frame(data[:4])
    assert first is not None
    assert data[first.tag_offset :][:4] in (b"Xing", b"Info")
    path.write_bytes(data[first.size :])
    return path


def sweep(seconds: float, rate: int) -> np.ndarray:
    """Noise that grows louder: its bit rate varies, so a guess from the bit rate is wrong."""
    return noise(seconds, rate) * np.linspace(0, 1, round(seconds * rate), dtype=np.float32) ** 4


def test_the_length_of_an_mp3_without_a_length_header_is_counted(tmp_path: Path) -> None:
    path = without_length_header(write(tmp_path / "a.mp3", sweep(30, 44_100), 44_100))
    assert describe(path).duration_s == pytest.approx(30, abs=0.06)
    clip, _ = read_clip(path, 27.0, 30.0)
    assert np.sqrt(np.mean(clip**2)) == pytest.approx(0.07, rel=0.25)


def test_an_mp3_cut_short_is_read_as_far_as_it_goes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.mp3", noise(30, 44_100), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recording = describe(path)
    assert recording.duration_s == pytest.approx(15, abs=0.3)
    assert "cut short" in recording.notes[0]
    assert len(read_clip(path)[0]) == recording.frames
    assert "Warning" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "empty", "0 bytes"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "not audio",
            "git lfs pull",
        ),
        (b"<html><body>403</body></html>", "not audio", "web page"),
        ("Zaunkönig, 5 Uhr\n".encode() * 500, "not audio", "text"),
        (bytes(5000), "damaged", "zeros"),
        (bytes(range(256)) * 20, "not audio", "convert it"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt \x10\x00", "damaged", "breaks off"),
    ],
)
def test_a_file_that_is_no_sound_is_told_apart(
    tmp_path: Path, content: bytes, kind: str, words: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words) as caught:
        open_sound(path)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [(22, b"\x00\x00", "0 channels"), (24, bytes(4), "0 samples"), (34, b"\x25\x00", "37 bit")],
)
def test_a_wav_header_that_cannot_be_is_told(
    tmp_path: Path, offset: int, value: bytes, words: str
) -> None:
    path = write(tmp_path / "a.wav", SOUND, RATE)
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=words):
        open_sound(path)


def test_a_header_with_no_sound_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SOUND[:0], RATE)
    with pytest.raises(Unreadable, match="no sound") as caught:
        describe(path)
    assert caught.value.kind == "empty"
