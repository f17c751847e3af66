"""The filter bank that BEATs looks at, against its definition written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.encoders.kaldi import KaldiFbank, frame_count, mel_filters, povey_window

RATE = 16_000
SILENCE = np.log(np.finfo(np.float32).eps)


def bands_of(wave: np.ndarray) -> np.ndarray:
    return KaldiFbank()(torch.from_numpy(wave).float()[None])[0].numpy()


def tone(hz: float, amplitude: float = 1000.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)


def by_hand(frame: np.ndarray) -> np.ndarray:
    """One frame of 400 samples, step by step in float64, with loops in place of matrices."""
    frame = frame.astype(np.float64) - frame.mean()
    lifted = [frame[0] - 0.97 * frame[0]] + [frame[n] - 0.97 * frame[n - 1] for n in range(1, 400)]
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * n / 399) for n in range(400)]
    samples = np.array(lifted) * np.array(hann) ** 0.85
    power = np.abs(np.fft.fft(np.concatenate([samples, np.zeros(112)]))) ** 2

    def mel(hz: float) -> float:
        return 1127 * np.log(1 + hz / 700)

    step = (mel(8000) - mel(20)) / 129
    bands = []
    for band in range(128):
        middle = mel(20) + (band + 1) * step
        weights = [max(0.0, 1 - abs(mel(k * RATE / 512) - middle) / step) for k in range(256)]
        bands.append(np.log(max(np.dot(weights, power[:256]), np.finfo(np.float32).eps)))
    return np.array(bands)


def test_frames_are_what_the_definition_says() -> None:
    wave = np.random.default_rng(4).normal(0, 3000, 400 + 2 * 160)
    ours = bands_of(wave)
    for frame in range(3):
        expected = by_hand(wave[160 * frame : 160 * frame + 400])
        np.testing.assert_allclose(ours[frame], expected, atol=2e-3)  # float32 at narrow bands
        assert np.abs(ours[frame] - expected).mean() < 1e-5


@pytest.mark.parametrize("samples, frames", [(400, 1), (559, 1), (560, 2), (80_000, 498)])
def test_only_whole_frames_count(samples: int, frames: int) -> None:
    assert KaldiFbank()(torch.zeros(1, samples)).shape == (1, frames, 128)
    assert frame_count(samples) == frames


@pytest.mark.parametrize("level", [0.0, 1000.0], ids=["silence", "a constant"])
def test_silence_is_the_floor_and_an_offset_is_not_heard(level: float) -> None:
    np.testing.assert_allclose(bands_of(np.full(RATE, level)), SILENCE, rtol=1e-6)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    """Band b is centred at mel(20) + (b + 1) steps; 2 kHz lies nearest to that of band 67."""
    assert bands_of(tone(2000)).mean(0).argmax() == 67


def test_twice_as_loud_is_four_times_the_energy() -> None:
    wave = np.random.default_rng(5).normal(0, 1000, RATE)
    heard = bands_of(wave) > 0  # empty bands stay at the floor
    np.testing.assert_allclose((bands_of(2 * wave) - bands_of(wave))[heard], np.log(4), atol=1e-4)


def test_high_frequencies_are_lifted() -> None:
    """A difference from 0.97 of the sample before: 26 dB between 200 Hz and 4 kHz."""
    low, high = (bands_of(tone(hz)).max() for hz in (200, 4000))
    gain = [abs(1 - 0.97 * np.exp(-2j * np.pi * hz / RATE)) ** 2 for hz in (200, 4000)]
    assert high - low == pytest.approx(np.log(gain[1] / gain[0]), abs=0.7)  # triangles differ


def test_the_window_is_kaldis_own_to_the_last_bits() -> None:
    exact = np.hanning(400) ** 0.85
    np.testing.assert_allclose(povey_window().numpy(), exact, atol=2e-7)


def test_every_band_but_the_narrowest_hears_something() -> None:
    filters = mel_filters(128)
    assert filters.shape == (257, 128)
    assert (filters >= 0).all() and (filters <= 1).all()
    deaf = (filters.sum(0) == 0).nonzero()[:, 0]
    assert len(deaf) and deaf.max() < 30  # below 31 Hz a bin, some triangles meet no bin
    assert (filters[-1] == 0).all()
