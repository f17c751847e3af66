"""Spectrograms in which a call can be seen (PEERS 19), with axes that are true."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sound_files import noise

from explorer.audio.contrast import PCEN_BIAS, PCEN_EPS, PCEN_GAIN, PCEN_POWER, pcen
from explorer.audio.spectrogram import (
    PRESETS,
    SpectrogramSettings,
    spectrogram,
    to_level_png,
    to_png,
)
from explorer.errors import ParameterError

RATE = 48_000
SIZE = {"width_px": 240, "height_px": 140}


def call(at_s: float, hertz: float, length_s: float = 0.3, level: float = 0.02) -> np.ndarray:
    """Three seconds with one tone burst."""
    seconds = np.arange(3 * RATE) / RATE
    inside = (seconds >= at_s) & (seconds < at_s + length_s)
    return (level * np.sin(2 * np.pi * hertz * seconds) * inside).astype(np.float32)


def loudest(image: np.ndarray) -> tuple[float, float]:
    """Where the darkest place is: (share of the height from below, share of the width)."""
    blurred = image[:-2] + image[1:-1] + image[2:]
    row, column = np.unravel_index(np.argmax(blurred), blurred.shape)
    return (row + 1.5) / image.shape[0], (column + 0.5) / image.shape[1]


@pytest.mark.parametrize("hertz", [1_000, 4_000, 9_500])
def test_a_call_is_drawn_at_its_frequency_and_time(hertz: float) -> None:
    picture = spectrogram(call(1.0, hertz) + noise(3, RATE, level=1e-3), RATE, **SIZE)
    height, width = loudest(picture.image)
    shown_hz = picture.min_hz + height * (picture.max_hz - picture.min_hz)
    assert shown_hz == pytest.approx(hertz, abs=2 * 24_000 / 140)
    assert 0.95 <= width * picture.seconds <= 1.35


def test_a_faint_call_stands_out_from_noise_that_falls_with_frequency() -> None:
    red = np.cumsum(noise(3, RATE, level=1e-3))
    red = (red - np.mean(red)).astype(np.float32)
    picture = spectrogram(red + call(1.0, 6_000, level=2e-3), RATE, PRESETS["bird"], **SIZE)
    height, _ = loudest(picture.image)
    assert 300 + height * 11_700 == pytest.approx(6_000, abs=200)
    assert np.median(picture.image) < 0.05


def test_one_click_is_seen_in_a_minute() -> None:
    samples = noise(60, RATE, level=1e-4)
    samples[20 * RATE : 20 * RATE + 48] += 0.1
    picture = spectrogram(samples, RATE, **SIZE)
    assert np.argmax(picture.image.mean(axis=0)) == pytest.approx(80, abs=1)


@pytest.mark.parametrize("change", [lambda x: x + 0.4, lambda x: 4 * x, lambda x: x / 1000])
def test_offset_and_level_do_not_change_the_picture(change: object) -> None:
    samples = call(1.0, 4_000) + noise(3, RATE, level=1e-3)
    plain = spectrogram(samples, RATE, PRESETS["bird"], **SIZE).image
    changed = spectrogram(change(samples), RATE, PRESETS["bird"], **SIZE).image  # type: ignore[operator]
    assert np.abs(plain - changed).mean() < 0.005


def test_mere_noise_does_not_look_like_sound() -> None:
    image = spectrogram(noise(3, RATE), RATE, **SIZE).image
    assert image.mean() < 0.15
    assert np.mean(image > 0.7) < 0.001


@pytest.mark.parametrize("pcen", [False, True])
@pytest.mark.parametrize("n", [0, 1, 7, 480, 3 * RATE])
@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0])
def test_every_clip_has_a_finite_picture(n: int, level: float, pcen: bool) -> None:
    settings = SpectrogramSettings(pcen=pcen)
    picture = spectrogram(noise(3, RATE, level=level)[:n], RATE, settings, **SIZE)
    assert picture.image.shape == (140, 240)
    assert np.isfinite(picture.image).all()
    assert picture.image.min() >= 0
    assert picture.image.max() <= 1
    assert picture.seconds == n / RATE


def test_a_call_out_of_digital_silence_is_drawn() -> None:
    picture = spectrogram(call(1.0, 4_000), RATE, PRESETS["bird"], **SIZE)
    column = picture.image[:, 100]
    assert column.max() > 0.9
    assert picture.image[:, 20].max() == 0


def test_pcen_shows_a_call_over_a_steady_hum() -> None:
    hum = (0.05 * np.sin(2 * np.pi * 2_000 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    samples = hum + call(1.0, 6_000, level=0.01) + noise(3, RATE, level=1e-3)
    image = spectrogram(samples, RATE, SpectrogramSettings(max_hz=12_000, pcen=True), **SIZE).image
    assert image[69:71, 80:100].max() > 2 * image[22:25, 150:200].max()


def test_the_axis_ends_where_the_recording_does() -> None:
    picture = spectrogram(noise(3, 16_000), 16_000, PRESETS["bird"], **SIZE)
    assert (picture.min_hz, picture.max_hz) == (300, 8_000)
    assert spectrogram(noise(3, 4_000), 4_000, PRESETS["bat"], **SIZE).max_hz == 2_000


def test_ticks_are_round_and_in_their_place() -> None:
    picture = spectrogram(noise(1, RATE), RATE, PRESETS["bird"], **SIZE)
    ticks = picture.hz_ticks()
    assert [hz for hz, _ in ticks] == [4_000, 8_000, 12_000]
    assert ticks[0][1] == pytest.approx(3_700 / 11_700)
    reef = spectrogram(noise(1, RATE), RATE, PRESETS["reef"], **SIZE)
    assert [hz for hz, _ in reef.hz_ticks()] == [500, 1_000, 1_500, 2_000]


@pytest.mark.parametrize(("theme", "ground"), [("light", 255), ("dark", 15)])
def test_the_png_has_high_frequencies_on_top_on_its_ground(theme: str, ground: int) -> None:
    samples = call(1.0, 10_000) + noise(3, RATE, level=1e-5)
    picture = spectrogram(samples, RATE, PRESETS["bird"], **SIZE)
    image = Image.open(io.BytesIO(to_png(picture, theme=theme)))  # type: ignore[arg-type]
    grey = np.asarray(image.convert("L")).astype(int)
    assert grey.shape == (140, 240)
    assert np.median(grey) == pytest.approx(ground, abs=8)
    row, _ = np.unravel_index(np.argmax(np.abs(grey - ground)), grey.shape)
    assert row < 40


@pytest.mark.parametrize(
    ("preset", "rate", "hertz", "length_s"),
    [
        ("wide", 48_000, 400, 0.3),
        ("wide", 48_000, 6_000, 0.3),
        ("reef", 48_000, 300, 0.3),
        ("bird", 48_000, 5_000, 0.2),
        ("bat", 256_000, 45_000, 0.02),
        ("whale", 1_000, 25, 1.0),
        ("full", 48_000, 15_000, 0.2),
    ],
)
@pytest.mark.parametrize("pcen", [False, True])
def test_each_preset_shows_its_call_over_the_background(
    preset: str, rate: int, hertz: float, length_s: float, pcen: bool
) -> None:
    seconds = np.arange(3 * rate) / rate
    inside = (seconds >= 1.0) & (seconds < 1.0 + length_s)
    faint = 4e-3 * np.sin(2 * np.pi * hertz * seconds) * inside
    samples = (faint + noise(3, rate, level=2e-3)).astype(np.float32)
    picture = spectrogram(samples, rate, replace(PRESETS[preset], pcen=pcen), **SIZE)
    row = int(picture.axis.share(hertz) * 140)
    band = picture.image[max(0, row - 2) : row + 3].max(axis=0)
    call_at = band[round(240 / 3 * (1 + length_s * 0.25)) :][: max(2, int(80 * length_s * 0.5))]
    assert call_at.mean() > 0.5
    assert call_at.mean() > 3 * np.mean(picture.image)


@pytest.mark.parametrize("time_s", [0.06, 0.4])
def test_pcen_is_that_of_librosa(time_s: float) -> None:
    import librosa

    magnitude = np.abs(np.random.default_rng(1).normal(size=(20, 300))) * 1e6
    ours = pcen(magnitude, 0.01, time_s, start=np.ones((20, 1)))
    theirs = librosa.pcen(
        magnitude, sr=1000, hop_length=10, gain=PCEN_GAIN, bias=PCEN_BIAS, power=PCEN_POWER,
        time_constant=time_s, eps=PCEN_EPS,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "log", "mel", "split"])
@pytest.mark.parametrize("hertz", [150, 900, 5_000])
def test_a_call_stands_at_its_frequency_on_every_axis(kind: str, hertz: float) -> None:
    settings = SpectrogramSettings(window_s=0.032, min_hz=50, max_hz=10_000, axis=kind)
    picture = spectrogram(call(1.0, hertz) + noise(3, RATE, level=1e-4), RATE, settings, **SIZE)
    height, _ = loudest(picture.level_db)
    assert height == pytest.approx(picture.axis.share(hertz), abs=0.015)


def test_a_fixed_ground_tells_loud_clips_from_quiet_ones() -> None:
    fixed = SpectrogramSettings(max_hz=12_000, floor_db=-90, range_db=60)
    samples = call(1.0, 6_000, level=0.01)
    loud = spectrogram(samples, RATE, fixed, **SIZE)
    quiet = spectrogram(samples * 0.1, RATE, fixed, **SIZE)
    assert loud.level_db.max() == pytest.approx(-40, abs=0.5)
    assert quiet.level_db.max() == pytest.approx(-60, abs=0.5)
    assert quiet.image.max() < 0.8 * loud.image.max()
    brought_out = replace(fixed, gain_db=20)
    again = spectrogram(samples * 0.1, RATE, brought_out, **SIZE)
    assert again.image.max() == pytest.approx(loud.image.max(), abs=0.02)


@pytest.mark.parametrize("settings", [SpectrogramSettings(), SpectrogramSettings(pcen=True)])
def test_gain_brings_out_what_is_faint(settings: SpectrogramSettings) -> None:
    samples = noise(3, RATE, level=1e-3) + call(1.0, 6_000)
    means = [
        spectrogram(samples, RATE, replace(settings, gain_db=gain), **SIZE).image.mean()
        for gain in (-10, 0, 10)
    ]
    assert means == sorted(means)
    assert means[0] < means[2]


def test_levels_can_be_read_from_their_picture() -> None:
    picture = spectrogram(call(1.0, 6_000, level=0.1), RATE, **SIZE)
    grey = np.asarray(Image.open(io.BytesIO(to_level_png(picture, every=2))))
    assert grey.shape == (70, 120)
    assert grey.min() == pytest.approx(20, abs=1)
    assert grey[0, 0] > 100


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="min_hz"):
        SpectrogramSettings(min_hz=5_000, max_hz=1_000)
    for wrong in (
        {"window_s": 0}, {"window_s": 60}, {"overlap": 1}, {"axis": "round"}, {"floor_db": 3},
        {"range_db": 0}, {"gain_db": 99}, {"pcen_s": 0}, {"max_hz": float("nan")},
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            SpectrogramSettings(**wrong)
    with pytest.raises(ParameterError, match="theme"):
        to_png(spectrogram(noise(1, RATE), RATE, **SIZE), theme="sepia")  # type: ignore[arg-type]
