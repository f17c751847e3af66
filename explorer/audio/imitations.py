"""Imitations of reef and forest sounds, one small function for each, from numpy alone.

Every call takes the random generator, the sample rate and a `Voice` (one animal's own pitch and
pace) and returns a mono waveform whose peak is 1. Every ambience takes a length instead and
returns a waveform whose loudness (root mean square) is 1; the scene sets the real level of both.
No recording was used: frequencies, rates and lengths come from the literature named in each
docstring, and what one hears is a likeness, not a species.

References
----------
Au & Banks 1998, J. Acoust. Soc. Am. 103:41. Bedoya et al. 2017, Ecol. Indicators 75:95.
Bennet-Clark 1998, Phil. Trans. R. Soc. B 353:407. Lamont et al. 2022, J. Applied Ecology 59:742.
Lanyon 1957, Publ. Nuttall Ornithol. Club 1. Mann & Lobel 1997, J. Acoust. Soc. Am. 101:3783.
Marler & Isaac 1960, Condor 62:124. Ross 1976, Mechanics of Underwater Noise. Tricas & Boyle 2014,
Mar. Ecol. Prog. Ser. 511:1, and 2021, 666:149. Weisman et al. 1990, Condor 92:118. Wenz 1962,
J. Acoust. Soc. Am. 34:1936.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Wave = NDArray[np.float64]
Gain = Callable[[NDArray[np.floating]], NDArray[np.floating]]

SOUND_IN_WATER_M_S = 1500.0
TWO_PI = 2 * np.pi


@dataclass(frozen=True)
class Voice:
    """One animal: factors on the class's usual pitch and pace, and how far away it sits."""

    pitch: float = 1.0
    pace: float = 1.0
    distance_m: float = 10.0


# Building blocks ---------------------------------------------------------------------------------


def tone(frequency_hz: Wave, rate: int, harmonics: tuple[float, ...] = (1.0,)) -> Wave:
    """Return a sine whose frequency follows `frequency_hz` [n], with overtones at given levels."""
    phase = TWO_PI * np.cumsum(frequency_hz) / rate
    wave = np.zeros_like(phase)
    for number, level in enumerate(harmonics, start=1):
        wave += level * np.sin(number * phase) * (number * frequency_hz < 0.45 * rate)
    return wave


def fade(n: int, rate: int, attack_s: float, release_s: float) -> Wave:
    """Return a raised-cosine envelope [n], so that a note neither starts nor stops with a click."""
    time = np.arange(n) / rate
    rise = np.clip(time / attack_s, 0, 1)
    fall = np.clip((n / rate - time) / release_s, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))


def band(low_hz: float, high_hz: float, order: int = 2) -> Gain:
    """Return the gain curve of a band-pass filter (Butterworth magnitudes)."""

    def gain(hz: NDArray[np.floating]) -> NDArray[np.floating]:
        low = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1e-3)) ** (2 * order))
        return low / np.sqrt(1 + (hz / high_hz) ** (2 * order))

    return gain


def filtered(wave: Wave, rate: int, gain: Gain) -> Wave:
    """Return `wave` with the gain curve applied in the frequency domain (no delay)."""
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / rate)
    return np.fft.irfft(spectrum * gain(hz), len(wave)).astype(np.float64)


def slow_noise(rng: Generator, n: int, rate: int, every_s: float) -> Wave:
    """Return smooth random wandering [n] with mean 0 and spread 1, new about `every_s` seconds."""
    knots = rng.standard_normal(int(n / rate / every_s) + 3)
    return np.interp(np.arange(n) / rate / every_s, np.arange(len(knots)), knots)


def joined(parts: list[Wave], starts_s: list[float], rate: int) -> Wave:
    """Return the parts laid at their start times in one waveform."""
    starts = [round(start * rate) for start in starts_s]
    wave = np.zeros(max(start + len(part) for start, part in zip(starts, parts, strict=True)))
    for start, part in zip(starts, parts, strict=True):
        wave[start : start + len(part)] += part
    return wave


def ring(rate: int, hz: float, decay_s: float) -> Wave:
    """Return a damped sine: a swim bladder, or a snapping claw's bubble, after one blow."""
    time = np.arange(int(6 * decay_s * rate)) / rate
    return np.sin(TWO_PI * hz * time) * np.exp(-time / decay_s)


def to_peak(wave: Wave) -> Wave:
    """Return `wave` scaled to a peak of 1."""
    return wave / max(float(np.abs(wave).max()), 1e-12)


def to_loudness(wave: Wave) -> Wave:
    """Return `wave` scaled to a root mean square of 1."""
    return wave / max(float(np.sqrt(np.mean(wave**2))), 1e-12)


# Birds -------------------------------------------------------------------------------------------


def trill(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A dry trill: one falling note 9 to 14 times a second (3-7 kHz; Marler & Isaac 1960)."""
    per_second = voice.pace * rng.uniform(10.5, 12.5)
    count = int(rng.integers(11, 26))
    n = int(0.62 / per_second * rate)
    top, bottom = 6200 * voice.pitch, 3700 * voice.pitch * rng.uniform(0.96, 1.04)
    note = tone(bottom + (top - bottom) * np.linspace(1, 0, n) ** 1.6, rate)
    note *= fade(n, rate, 0.006, 0.02)
    levels = np.minimum(1, 0.35 + np.arange(count) / 6) * rng.uniform(0.85, 1, count)
    parts = [note * level for level in levels]
    return to_peak(joined(parts, [i / per_second for i in range(count)], rate))


def whistle(rng: Generator, rate: int, voice: Voice) -> Wave:
    """Two or three long slurred whistles, each gliding down (2-6 kHz; Lanyon 1957)."""
    parts, starts, at = [], [], 0.0
    for number in range(int(rng.integers(2, 4))):
        seconds = rng.uniform(0.4, 0.75) / voice.pace
        n = int(seconds * rate)
        high = voice.pitch * rng.uniform(4300, 4800) * 0.9**number
        low = high * rng.uniform(0.58, 0.68)
        glide = low + (high - low) * (0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, n) ** 0.8))
        parts.append(tone(glide, rate, (1.0, 0.03)) * fade(n, rate, 0.05, 0.12))
        starts.append(at)
        at += seconds + rng.uniform(0.06, 0.14)
    return to_peak(joined(parts, starts, rate))


def buzz(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A buzzy phrase: notes beaten about 110 times a second, the last one low (3-8 kHz)."""
    parts, starts, at = [], [], 0.0
    count = int(rng.integers(3, 6))
    for number in range(count):
        seconds = (0.42 if number == count - 1 else 0.2) / voice.pace * rng.uniform(0.9, 1.1)
        n = int(seconds * rate)
        beat = np.arange(n) / rate * voice.pace * rng.uniform(100, 120)
        centre = voice.pitch * (4300 if number == count - 1 else 5600)
        wave = tone(centre + 700 * np.sin(TWO_PI * beat), rate)
        wave *= np.clip(0.5 + 0.7 * np.cos(TWO_PI * beat), 0, 1) * fade(n, rate, 0.03, 0.04)
        parts.append(wave)
        starts.append(at)
        at += seconds + rng.uniform(0.05, 0.09)
    return to_peak(joined(parts, starts, rate))


def two_note(rng: Generator, rate: int, voice: Voice) -> Wave:
    """Two pure notes, the second lower by the ratio 1.13 (3-4.2 kHz; Weisman et al. 1990)."""
    high = 3900 * voice.pitch * rng.uniform(0.99, 1.01)
    parts, starts, at = [], [], 0.0
    for hz in (high, high / 1.134):
        seconds = rng.uniform(0.34, 0.44) / voice.pace
        n = int(seconds * rate)
        glide = hz * np.linspace(1.03, 1.0, n)
        parts.append(tone(glide, rate, (1.0, 0.02)) * fade(n, rate, 0.03, 0.06))
        starts.append(at)
        at += seconds + rng.uniform(0.08, 0.12)
    return to_peak(joined(parts, starts, rate))


def warble(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A caroling string of short curved notes with overtones (1.7-3.8 kHz), as thrushes sing."""
    parts, starts, at = [], [], 0.0
    for _ in range(int(rng.integers(7, 14))):
        seconds = rng.uniform(0.07, 0.16) / voice.pace
        n = int(seconds * rate)
        middle, bend = voice.pitch * rng.uniform(1900, 3200), rng.uniform(0.08, 0.3)
        turns, start = rng.uniform(0.5, 1.6), rng.uniform(0, TWO_PI)
        curve = middle * (1 + bend * np.sin(start + TWO_PI * turns * np.linspace(0, 1, n)))
        wave = tone(curve, rate, (1.0, 0.12, 0.03)) * fade(n, rate, 0.012, 0.03)
        parts.append(wave * rng.uniform(0.5, 1))
        starts.append(at)
        at += seconds + rng.uniform(0.02, 0.09) + (rng.random() < 0.15) * 0.2
    return to_peak(joined(parts, starts, rate))


# Fish and their neighbours -----------------------------------------------------------------------


def grunt(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A grunt: sonic-muscle blows at 60-110 Hz ringing a swim bladder (100-900 Hz; Tricas & Boyle
    2014)."""
    n = int(rng.uniform(0.18, 0.42) / voice.pace * rate)
    blows_hz = (
        voice.pitch * 85 * np.linspace(1.08, 0.9, n) * (1 + 0.02 * slow_noise(rng, n, rate, 0.01))
    )
    cycles = np.floor(np.cumsum(blows_hz) / rate)
    blows = np.diff(cycles, prepend=0.0) * rng.uniform(0.7, 1, n) * fade(n, rate, 0.04, 0.12)
    modes = [ring(rate, 330 * voice.pitch, 0.006), 0.35 * ring(rate, 640 * voice.pitch, 0.004)]
    bladder = joined(modes, [0.0, 0.0], rate)
    return to_peak(np.convolve(blows, bladder))


def pulse_train(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A damselfish-like train of 4 to 10 short pulses, 9-14 a second (300-1200 Hz; Mann & Lobel
    1997)."""
    count = int(rng.integers(4, 11))
    gap_s = 1 / (voice.pace * rng.uniform(9.5, 13))
    parts = []
    for _ in range(count):
        hz = 720 * voice.pitch * rng.uniform(0.95, 1.05)
        parts.append(ring(rate, hz, rng.uniform(0.004, 0.006)) * rng.uniform(0.7, 1))
    starts = [gap_s * (i + 0.06 * rng.standard_normal()) for i in range(count)]
    return to_peak(joined(parts, [max(0.0, start) for start in starts], rate))


def whoop(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A rising whoop with two overtones (150-900 Hz; a reef call in Lamont et al. 2022)."""
    n = int(rng.uniform(0.26, 0.42) / voice.pace * rate)
    low, high = 190 * voice.pitch, 520 * voice.pitch * rng.uniform(0.9, 1.1)
    sweep = low + (high - low) * np.linspace(0, 1, n) ** 2.2
    wave = tone(sweep, rate, (1.0, 0.45, 0.15)) * fade(n, rate, 0.1, 0.05)
    return to_peak(wave * np.linspace(0.4, 1, n))


def scrape(rng: Generator, rate: int, voice: Voice) -> Wave:
    """A parrotfish grazing: two to five gritty bites (broadband, 1-6 kHz; Tricas & Boyle 2021)."""
    parts, starts, at = [], [], 0.0
    for _ in range(int(rng.integers(2, 6))):
        n = int(rng.uniform(0.07, 0.16) / voice.pace * rate)
        grit = rng.standard_normal(n) * (rng.random(n) < 0.12)
        wave = filtered(grit, rate, band(1300 * voice.pitch, 5200 * voice.pitch, 3))
        parts.append(to_peak(wave) * fade(n, rate, 0.012, 0.05) * rng.uniform(0.5, 1))
        starts.append(at)
        at += rng.uniform(0.22, 0.5) / voice.pace
    return to_peak(joined(parts, starts, rate))


def boat(rng: Generator, rate: int, seconds: float, *, nearest_m: float) -> Wave:
    """A small boat passing half-way through: engine and blade lines with Doppler, cavitation noise
    beaten by the propeller, and the fringes of the surface's mirror image (Ross 1976)."""
    n = int(seconds * rate)
    along_m = rng.uniform(10, 14) * (np.arange(n) / rate - seconds / 2)
    range_m = np.hypot(along_m, nearest_m)
    heard_hz = 1 - np.gradient(range_m, 1 / rate) / SOUND_IN_WATER_M_S
    shaft_hz = rng.uniform(44, 56) * heard_hz * (1 + 0.003 * slow_noise(rng, n, rate, 1.0))
    lines = tone(shaft_hz, rate, tuple(1 / (1 + 0.12 * k) for k in range(36)))
    blades = tone(3 * shaft_hz, rate)
    noise = filtered(rng.standard_normal(n), rate, band(200, 1400, 1))
    wave = to_loudness(lines) + to_loudness(noise) * (1 + 0.5 * blades)
    # The echo from the surface comes later the nearer the boat is: 2 * depths / range (Lloyd).
    lag = 2 * 1.0 * 10.0 / range_m / SOUND_IN_WATER_M_S * rate
    wave -= 0.75 * np.interp(np.arange(n) - lag, np.arange(n), wave)
    return to_peak(wave * (nearest_m / range_m) ** 1.3 * fade(n, rate, 2.0, 2.0))


# Ambiences ---------------------------------------------------------------------------------------


def crackle(rng: Generator, n: int, rate: int, *, snaps_per_s: float) -> Wave:
    """Snapping shrimp: clicks at random times, few near and very many far (2-9 kHz and above; Au &
    Banks 1998)."""
    times = rng.integers(0, n, rng.poisson(snaps_per_s * n / rate))
    loudness = np.minimum(rng.pareto(1.6, len(times)) + 0.05, 40.0)
    clicks = np.zeros(n)
    np.add.at(clicks, times, loudness * rng.choice([-1.0, 1.0], len(times)))
    return to_loudness(filtered(clicks, rate, band(1900, 7500, 3)))


def sea(rng: Generator, n: int, rate: int) -> Wave:
    """The sea's own noise, falling about 5 dB an octave above some 100 Hz (Wenz 1962)."""
    swell = 1 + 0.25 * slow_noise(rng, n, rate, 2.0)
    noise = filtered(rng.standard_normal(n), rate, lambda hz: np.maximum(hz, 90.0) ** -0.85)
    return to_loudness(noise * swell)


def wind(rng: Generator, n: int, rate: int) -> Wave:
    """Wind in gusts: a rumble below some 300 Hz and leaves that rustle with it (0.8-6 kHz)."""
    gusts = np.exp(0.6 * slow_noise(rng, n, rate, 3.0))
    rumble = to_loudness(
        filtered(rng.standard_normal(n), rate, lambda hz: np.maximum(hz, 30.0) ** -1.6)
    )
    leaves = to_loudness(filtered(rng.standard_normal(n), rate, band(900, 4500, 1)))
    flutter = 1 + 0.3 * slow_noise(rng, n, rate, 0.08)
    return to_loudness(rumble * gusts + 0.05 * leaves * flutter * gusts**2)


def crickets(rng: Generator, n: int, rate: int) -> Wave:
    """Crickets before dawn: three-pulse chirps at 4-5 kHz from several animals (Bennet-Clark
    1998)."""
    time = np.arange(n) / rate
    chorus = np.zeros(n)
    for _ in range(4):
        chirps_hz, pulses_hz, hz = (
            rng.uniform(2.2, 3.0),
            rng.uniform(27, 32),
            rng.uniform(4300, 4900),
        )
        in_chirp = np.mod(time * chirps_hz + rng.random() + 0.05 * slow_noise(rng, n, rate, 1.0), 1)
        pulses = np.clip(np.sin(TWO_PI * pulses_hz * in_chirp / chirps_hz), 0, 1)
        gate = in_chirp < 3 * chirps_hz / pulses_hz
        chorus += rng.uniform(0.3, 1) * gate * pulses * np.sin(TWO_PI * hz * time)
    return to_loudness(chorus)


def far_chorus(rng: Generator, n: int, rate: int) -> Wave:
    """Birds too far off to tell apart: a murmur of brief blurred notes between 2 and 5 kHz."""
    murmur = np.zeros(n)
    for _ in range(int(1.5 * n / rate)):
        length = int(rng.uniform(0.15, 0.5) * rate)
        start = int(rng.integers(0, n - length))
        hz = rng.uniform(2000, 4800) * (1 + 0.06 * slow_noise(rng, length, rate, 0.2))
        murmur[start : start + length] += tone(hz, rate) * fade(length, rate, 0.08, 0.1) ** 2
    # Nothing but echoes is left of them: the forest's tail without the direct sound.
    tail = rng.standard_normal(n) * np.exp(-np.arange(n) / (0.25 * rate))
    return to_loudness(np.fft.irfft(np.fft.rfft(murmur, 2 * n) * np.fft.rfft(tail, 2 * n))[:n])


def rain(rng: Generator, n: int, rate: int, *, drops_per_s: float) -> Wave:
    """Rain on leaves and on the recorder: hiss of far drops, ticks and thuds of near ones, with
    energy at 0.6-1.2 and 4.4-5.6 kHz (Bedoya et al. 2017)."""
    clicks = np.zeros(n)
    times = rng.integers(0, n, rng.poisson(drops_per_s * n / rate))
    np.add.at(clicks, times, np.minimum(rng.pareto(1.8, len(times)), 25.0))
    ticks = filtered(clicks, rate, band(3600, 6200, 2))
    thuds = np.zeros(n)
    near = rng.integers(0, n, rng.poisson(drops_per_s / 12 * n / rate))
    np.add.at(thuds, near, np.minimum(rng.pareto(1.6, len(near)), 12.0))
    thuds = np.convolve(thuds, ring(rate, 850, 0.004))[:n]
    hiss = filtered(rng.standard_normal(n), rate, band(500, 6500, 1))
    shower = np.exp(0.25 * slow_noise(rng, n, rate, 4.0))
    return to_loudness(
        (to_loudness(ticks) + 0.7 * to_loudness(thuds) + 0.5 * to_loudness(hiss)) * shower
    )
