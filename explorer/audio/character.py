"""What a clip sounds like, in a few plain words: where its energy lies, whether it hums or clicks.

No animal is named and nothing is learnt: the dominant band, whether it stands out in time, how long
its parts last and how tonal they are, by thresholds that were set on labelled recordings of birds,
frogs, fish, whales, rain and engines. It costs some milliseconds a clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.ndimage
import scipy.signal
import scipy.special
from numpy.typing import NDArray

from explorer.errors import ParameterError

Kind = Literal["silence", "hum", "noise", "clicks", "chirps", "pulses", "tones", "bursts", "sounds"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LOWEST_HZ = 40.0
"""Below this lie wind, swell and the recorder itself."""
STEPS_PER_OCTAVE = 3
FRAME_S = 0.04
"""Long enough to tell bands of 50 Hz apart."""
STANDS_OUT = 2.0
"""A sound stands out where its loud moments are so many times louder than those of even noise."""
DOMINANT_DB = 8.0
"""The band reaches as far as the energy per step is within this of the strongest."""
TONAL = 0.25
"""A spectrum is tonal below this flatness (geometric over arithmetic mean); noise has 0.56."""
SMOOTH_S, GAP_S = 0.008, 0.03
"""Levels are taken over so long; parts that are nearer to each other in time are one."""
CLICK_S, PULSE_S = 0.012, 0.16
"""Parts shorter than this are clicks, or pulses where there are several."""
STEADY_SHARE = 0.6
"""A sound that fills more of the clip than this is steady."""
SILENT_DB = -96.0
LOW_HZ, HIGH_HZ = 800.0, 6000.0
"""Where "low" ends and "high" begins: the middle of the dominant band."""


@dataclass(frozen=True)
class Character:
    """What a clip sounds like.

    Attributes
    ----------
    kind
        "hum" (steady, tonal), "noise" (steady), "clicks" (very short), "chirps" (short, tonal),
        "pulses" (short), "tones", "bursts" (of noise), "silence", or "sounds" of several kinds.
    low_hz, high_hz
        The dominant band; 0 and 0 for silence.
    level_db
        Root mean square of the clip, in dB of full scale.
    """

    kind: Kind
    low_hz: float
    high_hz: float
    level_db: float

    @property
    def words(self) -> str:
        """Like "low pulses 0.2–0.8 kHz"."""
        if self.kind == "silence":
            return "near silence"
        middle = (self.low_hz * self.high_hz) ** 0.5
        pitch = "low " if middle < LOW_HZ else "high " if middle > HIGH_HZ else ""
        return f"{pitch}{self.kind} {self.band}"

    @property
    def band(self) -> str:
        """The dominant band in kHz, rounded: "0.2–0.8 kHz"."""
        low, high = (_rounded(hz) for hz in (self.low_hz, self.high_hz))
        return f"{low}–{high} kHz" if low != high else f"{low} kHz"


def character(samples: NDArray[np.floating], rate: int) -> Character:
    """Describe one clip.

    Parameters
    ----------
    samples
        [n], between -1 and 1; half a second or more says something.
    rate
        In Hz.

    Examples
    --------
    >>> tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    >>> character(tone, 16_000).kind
    'hum'
    """
    wave = np.asarray(samples, dtype=np.float32)
    if wave.ndim != 1 or rate <= 0:
        raise ParameterError("a clip is samples [n] at a rate")
    wave = np.nan_to_num(wave - wave.mean() if wave.size else wave)
    level = float(np.sqrt(np.mean(wave**2))) if wave.size else 0.0
    level_db = 20 * float(np.log10(max(level, 1e-10)))
    if level_db < SILENT_DB or len(wave) < 4 * int(FRAME_S * rate):
        return Character("silence", 0.0, 0.0, level_db)
    hz, power = _spectra(wave, rate)
    edges = _edges(rate)
    steps = _in_steps(hz, power, edges)
    usual = np.median(steps, axis=1)
    loud = np.percentile(steps, 95, axis=1)
    stands_out = loud > usual * _by_chance(np.diff(edges) * FRAME_S, 0.95) * STANDS_OUT
    energy = np.where(stands_out, loud - usual, 0) if stands_out.any() else usual
    # What stands out must also be heard: a twentieth of the usual loudest, at the least.
    if energy.max() < usual.max() / 20:
        stands_out, energy = np.zeros_like(stands_out), usual
    low, high = _band(energy, edges)
    steady = not stands_out.any()
    return Character(_kind(wave, rate, hz, power, (low, high), steady), low, high, level_db)


def common(clips: Sequence[Character]) -> Character | None:
    """What most clips have in common, "sounds" where they are of several kinds; None without any.

    >>> common([Character("hum", 100, 200, -30.0), Character("hum", 150, 300, -40.0)]).words
    'low hum 0.1–0.2 kHz'
    """
    if not clips:
        return None
    kind, count = Counter(clip.kind for clip in clips).most_common(1)[0]
    alike = [clip for clip in clips if clip.kind == kind]
    if 2 * count < len(clips):
        kind, alike = "sounds", [clip for clip in clips if clip.kind != "silence"]
    low, high, level = (
        float(np.median([getattr(clip, name) for clip in alike]))
        for name in ("low_hz", "high_hz", "level_db")
    )
    return Character(kind, low, high, level)


def _spectra(
    wave: NDArray[np.float32], rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies [f] and power [f, time]."""
    length = int(FRAME_S * rate)
    hz, _, power = scipy.signal.spectrogram(
        wave, rate, "hann", length, noverlap=length * 3 // 4, detrend=False, mode="psd"
    )
    return hz, power.astype(np.float64)


def _edges(rate: int) -> NDArray[np.float64]:
    """Edges of the steps, a third of an octave each."""
    octaves = np.log2(rate / 2 / LOWEST_HZ)
    return LOWEST_HZ * 2 ** (np.arange(int(octaves * STEPS_PER_OCTAVE) + 1) / STEPS_PER_OCTAVE)


def _in_steps(
    hz: NDArray[np.float64], power: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Power in each step over time [steps, time]: noise that falls by 3 dB an octave is even."""
    total = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    width = hz[1] - hz[0]
    at = np.clip(edges / width + 0.5, 0, len(hz))
    whole = np.minimum(at.astype(np.int64), len(hz) - 1)
    below = total[whole] + (at - whole)[:, None] * power[whole]
    return np.diff(below, axis=0)


def _band(energy: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[float, float]:
    """The steps around the strongest that are nearly as strong."""
    strong = energy > energy.max() * 10 ** (-DOMINANT_DB / 10)
    low = high = int(energy.argmax())
    while low > 0 and strong[low - 1]:
        low -= 1
    while high < len(energy) - 1 and strong[high + 1]:
        high += 1
    return float(edges[low]), float(edges[high + 1])


def _kind(
    wave: NDArray[np.float32],
    rate: int,
    hz: NDArray[np.float64],
    power: NDArray[np.float64],
    band: tuple[float, float],
    steady: bool,
) -> Kind:
    """How the dominant band goes on in time, and how tonal it is."""
    inside = (hz >= band[0] / 1.1) & (hz <= band[1] * 1.1)
    within = power[inside].sum(axis=0)
    loudest = power[inside][:, within >= np.percentile(within, 90)] + 1e-30
    flatness = float(np.mean(np.exp(np.log(loudest).mean(axis=0)) / loudest.mean(axis=0)))
    tonal = inside.sum() < 4 or flatness < TONAL
    durations, share = _parts(wave, rate, band)
    if steady or share > STEADY_SHARE or not len(durations):
        return "hum" if tonal else "noise"
    usual = float(np.median(durations))
    if usual < CLICK_S and not tonal:
        return "clicks"
    if usual < PULSE_S and len(durations) >= 3:
        return "chirps" if tonal and band[0] > LOW_HZ else "pulses"
    return "tones" if tonal else "bursts"


def _parts(
    wave: NDArray[np.float32], rate: int, band: tuple[float, float]
) -> tuple[NDArray[np.float64], float]:
    """How long the parts of a band last that stand out, in seconds, and their share of the clip."""
    nyquist = rate / 2
    low, high = band[0] / nyquist, min(band[1] / nyquist, 0.98)
    filter_ = scipy.signal.butter(2, (min(low, high * 0.9), high), "band", output="sos")
    heard = scipy.signal.sosfiltfilt(filter_, wave.astype(np.float64))
    step = max(1, int(rate * 0.002))
    smooth = max(SMOOTH_S, 1.0 / band[0])
    level = scipy.ndimage.uniform_filter1d(heard**2, max(1, int(smooth * rate)))[::step]
    usual, top = np.median(level), np.percentile(level, 99.5)
    chance = _by_chance(np.array([(band[1] - band[0]) * smooth]), 0.99)[0]
    out = level > max(usual * chance * STANDS_OUT, top / 30)
    gap = max(1, round(GAP_S * rate / step))
    out = scipy.ndimage.binary_closing(np.pad(out, gap), np.ones(gap, bool))[gap:-gap]
    edges = np.flatnonzero(np.diff(np.r_[False, out, False].astype(np.int8)))
    durations = (edges[1::2] - edges[::2]) * step / rate - smooth
    return np.maximum(durations, 0), float(out.mean())


def _by_chance(products: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """How far above its median the power of even noise goes, by bandwidth times time."""
    shape = np.maximum(products, 0.5)
    highest: NDArray[np.float64] = scipy.special.gammaincinv(shape, share)
    return highest / scipy.special.gammaincinv(shape, 0.5)


def _rounded(hz: float) -> str:
    """Kilohertz to what an ear can tell: two digits below 1 kHz, halves above, wholes above 5."""
    khz = hz / 1000
    if khz < 1:
        return f"{max(round(khz, 2 if khz < 0.1 else 1), 0.01):g}"
    return f"{round(khz * 2) / 2:g}" if khz < 5 else f"{round(khz):g}"
