"""The mix of channels, and what stands in for it where channels cancel each other out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sound_files import noise, write

from explorer.audio.decoding import read_clip, stream_windows
from explorer.audio.recordings import describe
from explorer.audio.windows import WindowGrid

RATE = 16_000
LEFT, RIGHT = noise(30, RATE, seed=1), noise(30, RATE, seed=2)


def save(path: Path, *channels: np.ndarray) -> Path:
    return write(path, np.stack(channels, axis=1), RATE, "FLOAT")


def test_the_mix_is_the_mean_and_a_channel_is_itself(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", LEFT, RIGHT)
    np.testing.assert_array_equal(read_clip(path)[0], (LEFT + RIGHT) / np.float32(2))
    np.testing.assert_array_equal(read_clip(path, channel=1)[0], RIGHT)
    assert describe(path).notes == ()


def test_channels_that_cancel_out_give_the_strongest_and_a_note(tmp_path: Path) -> None:
    path = save(tmp_path / "wired.wav", -0.9 * LEFT, LEFT)
    clip, _ = read_clip(path, 3.0, 6.0)
    np.testing.assert_array_equal(clip, LEFT[3 * RATE : 6 * RATE])
    block = next(stream_windows(path, WindowGrid(3.0, 3.0), sample_rate=RATE))
    np.testing.assert_array_equal(block.samples[1], clip)
    assert "channel 1 is used" in describe(path).notes[0]


def test_one_clip_and_the_whole_file_follow_the_same_rule(tmp_path: Path) -> None:
    """The two channels cancel in one second of thirty only: the file's rule is still the mix."""
    right = RIGHT.copy()
    right[5 * RATE : 6 * RATE] = -LEFT[5 * RATE : 6 * RATE]
    path = save(tmp_path / "a.wav", LEFT, right)
    whole, _ = read_clip(path)
    clip, _ = read_clip(path, 5.0, 6.0)
    np.testing.assert_array_equal(clip, whole[5 * RATE : 6 * RATE])


def test_a_dead_channel_is_noted_and_the_sound_is_there(tmp_path: Path) -> None:
    path = save(tmp_path / "dead.wav", np.zeros_like(LEFT), LEFT)
    np.testing.assert_array_equal(read_clip(path)[0], LEFT / 2)
    assert describe(path).notes == ("channel 0 silent (counted from 0)",)


@pytest.mark.parametrize("n", [4, 16])
def test_an_array_of_unrelated_hydrophones_is_mixed(tmp_path: Path, n: int) -> None:
    channels = [noise(4, RATE, seed=k) for k in range(n)]
    path = save(tmp_path / "array.wav", *channels)
    np.testing.assert_allclose(read_clip(path)[0], np.mean(channels, axis=0), atol=1e-7)


def test_silence_in_all_channels_is_silence(tmp_path: Path) -> None:
    path = save(tmp_path / "silent.wav", np.zeros_like(LEFT), np.zeros_like(LEFT))
    assert not read_clip(path)[0].any()
    assert describe(path).notes == ()
