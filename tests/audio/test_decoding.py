"""Clips and windows: the right samples, whatever the format, the rate and the place."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import noise, write

from explorer.audio.decoding import read_clip, stream_windows, to_wav_bytes
from explorer.audio.windows import WindowGrid
from explorer.errors import AudioError, ParameterError

RATE = 32_000


def windows(path: Path, grid: WindowGrid, **options: object) -> np.ndarray:
    blocks = list(stream_windows(path, grid, **options))  # type: ignore[arg-type]
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "w64", "caf"])
def test_a_clip_is_exact_to_the_sample(tmp_path: Path, ending: str) -> None:
    """Sample k holds the number k, so a clip from the wrong place shows (PEERS 14)."""
    ramp = (np.arange(30_000) - 15_000).astype(np.int16)
    path = write(tmp_path / f"ramp.{ending}", ramp, RATE, "PCM_16")
    clip, rate = read_clip(path, 0.25, 0.5)
    assert rate == RATE
    np.testing.assert_array_equal(clip, ramp[8_000:16_000] / np.float32(32_768))


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3"])
@pytest.mark.parametrize("start_s", [0.0, 1.3, 11.017, 17.9])
def test_a_clip_of_a_lossy_file_is_from_the_right_place(
    tmp_path: Path, ending: str, start_s: float
) -> None:
    """A click each second: its place in a clip is the codec's to within a millisecond."""
    rate = 48_000
    clicks = noise(20, rate, level=0.001)
    clicks[rate // 2 :: rate] = 0.9
    path = write(tmp_path / f"clicks.{ending}", clicks, rate)
    whole, _ = read_clip(path)
    clip, _ = read_clip(path, start_s, start_s + 1.0)
    begin = round(start_s * rate)
    np.testing.assert_allclose(clip, whole[begin : begin + rate], atol=1e-6)
    heard_s = start_s + np.argmax(np.abs(clip)) / rate
    assert abs(heard_s - 0.5 - round(heard_s - 0.5)) < 0.001


@pytest.mark.parametrize("rate", [1_000, 11_025, 16_000, 22_050, 44_100, 96_000, 250_000, 384_000])
@pytest.mark.parametrize("to", [16_000, 32_000, 48_000])
def test_resampling_keeps_the_place_and_the_length(tmp_path: Path, rate: int, to: int) -> None:
    tone = np.sin(2 * np.pi * 150 * np.arange(rate * 22) / rate) * 0.5
    path = write(tmp_path / "tone.wav", tone, rate, "FLOAT")
    clip, new_rate = read_clip(path, 19.9, 21.1, sample_rate=to)  # over the seam at 20 s
    assert (new_rate, len(clip)) == (to, round(1.2 * to))
    seconds = round(19.9 * to) / to + np.arange(len(clip)) / to
    np.testing.assert_allclose(clip, 0.5 * np.sin(2 * np.pi * 150 * seconds), atol=2e-4)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_windows_are_the_same_bits_wherever_the_stream_starts(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"noise.{ending}", noise(63.4, 44_100), 44_100)
    grid = WindowGrid(3.0, 2.0)
    whole = windows(path, grid, sample_rate=RATE, block_windows=32)
    assert whole.shape == (32, 3 * RATE)
    for first, block in ((1, 5), (9, 32), (17, 1), (31, 4)):
        part = windows(path, grid, sample_rate=RATE, first_window=first, block_windows=block)
        assert part.tobytes() == whole[first:].tobytes()


def test_a_window_is_the_clip_of_its_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "noise.wav", noise(50, 44_100), 44_100)
    whole = windows(path, WindowGrid(3.0, 3.0), sample_rate=RATE)
    for row in (0, 6, 7, 15):
        clip, _ = read_clip(path, 3.0 * row, 3.0 * row + 3.0, sample_rate=RATE)
        np.testing.assert_array_equal(whole[row], clip)


def test_a_partial_window_is_centred_and_padded(tmp_path: Path) -> None:
    ones = np.full(RATE * 4, 0.5, dtype=np.float32)
    path = write(tmp_path / "ones.wav", ones, RATE, "FLOAT")
    last = windows(path, WindowGrid(3.0, 3.0), sample_rate=RATE)[-1]
    np.testing.assert_array_equal(last[:RATE], 0)
    np.testing.assert_array_equal(last[RATE : 2 * RATE], 0.5)
    np.testing.assert_array_equal(last[2 * RATE :], 0)


@pytest.mark.parametrize("speed", [0.1, 0.5, 4.0, 2.5])
def test_speed_plays_slower_or_faster_and_keeps_the_recordings_times(
    tmp_path: Path, speed: float
) -> None:
    """A click at 8.75 s of the recording is where its window's seconds say, at any speed."""
    rate = 48_000
    samples = np.zeros(rate * 30, dtype=np.float32)
    samples[round(8.75 * rate)] = 0.9
    path = write(tmp_path / "click.wav", samples, rate, "FLOAT")
    grid = WindowGrid(3.0 * speed, 3.0 * speed)
    played = windows(path, grid, sample_rate=32_000, speed=speed)
    assert played.shape == (grid.count(30.0), 96_000)
    row, place = np.unravel_index(np.argmax(np.abs(played)), played.shape)
    heard_s = grid.start_s(int(row)) + place / 32_000 * speed
    assert heard_s == pytest.approx(8.75, abs=2 * speed / 32_000)


def test_a_speed_without_a_simple_ratio_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "noise.wav", noise(1, RATE), RATE)
    with pytest.raises(ParameterError, match="simple"):
        next(stream_windows(path, WindowGrid(3.0, 3.0), sample_rate=RATE, speed=0.123456))


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak_bytes(minutes: int) -> int:
        path = write(tmp_path / f"{minutes}.flac", noise(60 * minutes, 8_000), 8_000)
        tracemalloc.start()
        for _ in stream_windows(path, WindowGrid(3.0, 3.0), sample_rate=16_000):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)
    assert peak_bytes(20) < 1.3 * peak_bytes(4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_name_the_file_and_the_place(
    tmp_path: Path, bad: float
) -> None:
    samples = noise(8, RATE)
    samples[5 * RATE] = bad
    path = write(tmp_path / "broken recorder.wav", samples, RATE, "FLOAT")
    with pytest.raises(AudioError, match=r"broken recorder\.wav.*not numbers.*5\.00 s"):
        windows(path, WindowGrid(3.0, 3.0), sample_rate=48_000)
    clip, _ = read_clip(path, 0.0, 3.0)  # what is sound can still be heard
    assert np.isfinite(clip).all()


def test_a_file_that_shrank_since_it_was_added_is_an_error_not_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(4, RATE), RATE)
    with pytest.raises(AudioError, match="has changed"):
        windows(path, WindowGrid(3.0, 3.0), sample_rate=RATE, duration_s=10.0)


def test_ranges_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(4, RATE), RATE)
    with pytest.raises(ParameterError):
        read_clip(path, 2.0, 1.0)
    with pytest.raises(AudioError, match=r"ends at 4\.00 s"):
        read_clip(path, 5.0, 6.0)
    with pytest.raises(AudioError, match="no channel 1"):
        read_clip(path, channel=1)


def test_wav_bytes_hold_exactly_the_samples() -> None:
    samples = (np.arange(-300, 301) * 100 / 32_768).astype(np.float32)
    back, rate = soundfile.read(io.BytesIO(to_wav_bytes(samples, 44_100)), dtype="float32")
    assert rate == 44_100
    np.testing.assert_array_equal(back, samples)


def test_wav_bytes_of_peaks_beyond_full_scale_do_not_wrap() -> None:
    loud = np.array([0.0, 2.0, -4.0, 1.0], dtype=np.float32)
    back, _ = soundfile.read(io.BytesIO(to_wav_bytes(loud, 8_000)), dtype="float32")
    np.testing.assert_allclose(back, loud / 4, atol=1e-4)
