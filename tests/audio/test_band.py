"""Band limits: what lies in the band stays as it is and where it is, what lies outside is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import fft, signal
from sound_files import noise, write

from explorer.audio.band import NO_LIMITS, Band, filtered
from explorer.audio.decoding import stream_windows
from explorer.audio.windows import WindowGrid
from explorer.errors import AudioError, ParameterError

RATES = [8_000, 44_100, 192_000]
BANDS = [
    Band(40, 2000),
    Band(low_hz=40),
    Band(high_hz=2000),
    Band(1000, 1200),
    Band(2000, 3900),
    Band(1, 20),
]


def windows(path: Path, grid: WindowGrid, **options: object) -> np.ndarray:
    blocks = list(stream_windows(path, grid, **options))  # type: ignore[arg-type]
    return np.concatenate([block.samples for block in blocks])


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.label)
def test_the_band_is_kept_to_a_hundredth_of_a_decibel_and_the_rest_is_gone(
    band: Band, rate: int
) -> None:
    taps = band.filter(rate)
    assert taps is not None
    low, high, fades = band.low_hz or -np.inf, band.high_hz or np.inf, band.transition_hz
    points = fft.next_fast_len(4 * len(taps))
    hz = np.fft.rfftfreq(points, 1 / rate)
    gain = np.abs(np.fft.rfft(taps, points))
    inside = (hz >= low) & (hz <= high)
    outside = (hz <= low - fades) | (hz >= high + fades)
    assert np.abs(20 * np.log10(gain[inside])).max() < 0.01
    assert gain[outside].max(initial=0.0) < 1e-3  # 60 dB


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.label)
def test_sound_keeps_its_place_in_time(band: Band) -> None:
    """A symmetric filter has one delay for all frequencies, and that is taken back."""
    taps = band.filter(8_000)
    assert taps is not None
    np.testing.assert_array_equal(taps, taps[::-1])
    click = np.zeros(40_001, dtype=np.float32)
    click[20_000] = 1.0
    heard = filtered(click, taps)
    assert heard.shape == click.shape
    assert np.argmax(np.abs(heard)) == 20_000
    reach = int(band.reach_s * 8_000) + 1
    assert np.abs(heard[: max(0, 20_000 - reach)]).max(initial=0.0) < 1e-6


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("speed", [1.0, 0.5, 4.0])
def test_limits_are_frequencies_of_the_recording_at_any_speed(
    tmp_path: Path, rate: int, speed: float
) -> None:
    """Of three tones, at 15, 440 and 3,000 Hz, the middle one reaches the encoder."""
    seconds = np.arange(rate * 26) / rate
    low, middle, high = (0.2 * np.sin(2 * np.pi * hz * seconds) for hz in (15, 440, 3000))
    grid = WindowGrid(2.0 * speed, 2.0 * speed)
    heard, alone = (
        windows(
            write(tmp_path / f"{name}.wav", sound, rate, "FLOAT"),
            grid,
            sample_rate=24_000,
            speed=speed,
            band=band,
        )
        for name, sound, band in (
            ("all", low + middle + high, Band(40, 2000)),
            ("alone", middle, NO_LIMITS),
        )
    )
    sound = np.s_[1:-2]  # the recording's very ends are mirrored, and the last window is padded
    assert level_db(heard[sound] - alone[sound]) < level_db(alone[sound]) - 50


@pytest.mark.parametrize("band", [Band(40, 2000), Band(1, 100)], ids=lambda band: band.label)
@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_windows_are_the_same_bits_wherever_the_stream_starts(
    tmp_path: Path, ending: str, band: Band
) -> None:
    path = write(tmp_path / f"noise.{ending}", noise(63.4, 44_100), 44_100)
    grid = WindowGrid(3.0, 2.0)
    whole = windows(path, grid, sample_rate=32_000, band=band, block_windows=32)
    for first, block in ((1, 5), (9, 32), (17, 1), (31, 4)):
        part = windows(
            path, grid, sample_rate=32_000, band=band, first_window=first, block_windows=block
        )
        assert part.tobytes() == whole[first:].tobytes()


@pytest.mark.parametrize("band", [Band(40, 2000), Band(1, 100)], ids=lambda band: band.label)
def test_there_is_no_seam_between_segments(tmp_path: Path, band: Band) -> None:
    """A recording filtered piece by piece is the recording filtered whole."""
    rate = 8_000
    sound = noise(63.4, rate).astype(np.float32)
    path = write(tmp_path / "noise.wav", sound, rate, "FLOAT")
    heard = windows(path, WindowGrid(60.0, 60.0), sample_rate=rate, band=band)[0]
    taps = band.filter(rate)
    assert taps is not None
    mirrored = np.pad(sound.astype(np.float64), len(taps) // 2, mode="reflect")
    whole = signal.fftconvolve(mirrored, taps.astype(np.float64), mode="valid")
    np.testing.assert_allclose(heard, whole[: len(heard)], atol=1e-6)


def test_a_recorders_constant_offset_is_no_bang_at_the_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "offset.wav", np.full(16_000, 0.25), 8_000, "FLOAT")
    heard = windows(path, WindowGrid(1.0, 1.0), sample_rate=8_000, band=Band(low_hz=40))
    assert np.abs(heard).max() < 0.25e-3


def test_without_limits_not_a_bit_changes(tmp_path: Path) -> None:
    """Nor with an upper limit above all that a recording holds."""
    path = write(tmp_path / "noise.wav", noise(5, 8_000), 8_000)
    grid = WindowGrid(2.0, 2.0)
    plain = windows(path, grid, sample_rate=16_000)
    for band in (NO_LIMITS, Band(high_hz=4_000), Band(high_hz=50_000)):
        assert windows(path, grid, sample_rate=16_000, band=band).tobytes() == plain.tobytes()
    kept = windows(path, grid, sample_rate=16_000, band=Band(40, 50_000))
    only_low = windows(path, grid, sample_rate=16_000, band=Band(40))
    np.testing.assert_allclose(kept, only_low, atol=1e-6)


def test_a_recording_shorter_than_the_filter_is_heard(tmp_path: Path) -> None:
    path = write(tmp_path / "short.wav", noise(0.02, 8_000), 8_000)
    heard = windows(path, WindowGrid(1.0, 1.0), sample_rate=8_000, band=Band(1, 2_000))
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() > 0


@pytest.mark.parametrize("rate", [2_000, 4_000])
def test_a_recording_that_holds_nothing_of_the_band_says_so(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "low rate.wav", noise(2, rate), rate)
    with pytest.raises(AudioError, match=r"low rate\.wav.*samples a second.*2000 Hz"):
        windows(path, WindowGrid(1.0, 1.0), sample_rate=16_000, band=Band(low_hz=2_000))


@pytest.mark.parametrize("limits", [(0, None), (-5, 100), (None, np.inf), (np.nan, 100), (0.5, 9)])
def test_a_limit_is_a_frequency(limits: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="leave it out for no limit"):
        Band(*limits)


@pytest.mark.parametrize("limits", [(2000, 40), (40, 40)])
def test_the_lower_limit_lies_below_the_upper_one(limits: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="must be below"):
        Band(*limits)


def test_labels_tell_bands_apart_and_can_name_a_folder() -> None:
    bands = [*BANDS, Band(40, 2000.5), Band(12_345.67), Band(12_345.68), Band(high_hz=250_000)]
    labels = {band.label for band in bands}
    assert len(labels) == len(bands)
    assert all(set(label) <= set("0123456789.-Hzfromt") for label in labels)
