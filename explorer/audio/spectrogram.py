"""Pictures of sound: spectrograms in which a call can be seen at the default settings.

A field recording's noise falls with frequency and its level differs from site to site, so a fixed
scale of decibels shows either nothing or a grey field. Here each clip's own noise floor, smooth
over frequency, becomes the ground of the picture, and contrast runs from there to the clip's
loudest sounds. A steady narrow hum stays visible (the floor is smooth), a constant offset does not
(it is taken out first).
"""

from __future__ import annotations

import functools
import io
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage
import scipy.signal
import soxr
from PIL import Image

from ..errors import ParameterError

Theme = Literal["light", "dark"]
Array = npt.NDArray[np.float32]

FLOOR_PERCENTILE = 50.0
"""A band's noise floor is its median over the clip: calls rarely fill half of it."""

FLOOR_SMOOTH = 0.25
"""The floor is smoothed over this share of the bands shown: a steady call stays above it."""

MIN_CONTRAST_DB = 24.0
"""The picture spans at least this much, so that a clip of mere noise looks like mere noise."""

GAMMA = 0.75
"""Below 1: faint calls are lifted more than loud ones; chosen by eye on dawn choruses."""

PCEN_TIME_S, PCEN_GAIN, PCEN_BIAS, PCEN_POWER = 0.4, 0.98, 2.0, 0.5
"""Per-channel energy normalisation: Wang et al. 2017 (ICASSP), Lostanlen et al. 2019 (SPL)."""

_EPS = 1e-12


@dataclass(frozen=True)
class SpectrogramSettings:
    """What a spectrogram shows.

    Parameters
    ----------
    window_s
        Length of the analysis window: longer resolves pitch, shorter resolves time.
    min_hz, max_hz
        The frequency axis; it ends at half the sample rate at the latest.
    range_db
        The most that the picture spans, from its ground to its darkest.
    pcen
        Use per-channel energy normalisation in place of decibels over the noise floor.
    """

    window_s: float = 0.020
    min_hz: float = 0.0
    max_hz: float = math.inf
    range_db: float = 48.0
    pcen: bool = False

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.range_db > 0 and 0 <= self.min_hz < self.max_hz):
            raise ParameterError(
                "a spectrogram needs window_s > 0, range_db > 0 and 0 <= min_hz < max_hz; "
                f"got {self}"
            )


PRESETS: dict[str, SpectrogramSettings] = {
    "bird": SpectrogramSettings(window_s=0.016, min_hz=300, max_hz=12_000),
    "reef": SpectrogramSettings(window_s=0.064, min_hz=40, max_hz=2_000),
    "bat": SpectrogramSettings(window_s=0.003, min_hz=8_000, max_hz=128_000),
    "full": SpectrogramSettings(window_s=0.016),
}
"""Settings by what is listened for; ``full`` shows everything that the recording holds."""


@dataclass(frozen=True)
class Spectrogram:
    """A picture of a clip: image float32 [freq, time] in [0, 1], lowest frequency first.

    The frequency axis is linear from ``min_hz`` to ``max_hz``; ``seconds`` is the clip's length.
    """

    image: Array
    min_hz: float
    max_hz: float
    seconds: float

    def hz_ticks(self, most: int = 4) -> list[tuple[float, float]]:
        """Round frequencies to write beside the picture, as (Hz, share of the height from below).

        Examples
        --------
        >>> Spectrogram(np.zeros((2, 2), np.float32), 0, 12_000, 3.0).hz_ticks()
        [(4000.0, 0.333...), (8000.0, 0.666...), (12000.0, 1.0)]
        """
        span = self.max_hz - self.min_hz
        step = 10 ** math.floor(math.log10(span / most))
        step = next(step * m for m in (1, 2, 2.5, 4, 5, 10, 20) if span / (step * m) <= most)
        first = math.floor(self.min_hz / step) + 1
        values = (step * k for k in range(first, int(self.max_hz / step + 1e-9) + 1))
        return [(float(hz), (hz - self.min_hz) / span) for hz in values]


def spectrogram(
    samples: npt.NDArray[np.floating],
    rate: int,
    settings: SpectrogramSettings = PRESETS["full"],
    *,
    width_px: int,
    height_px: int,
) -> Spectrogram:
    """Draw the spectrogram of a clip at the size in which it will be shown.

    Parameters
    ----------
    samples
        [n], at ``rate``; the level does not matter.
    width_px, height_px
        Size of the image; a short sound between two columns is not lost.

    Returns
    -------
    Spectrogram
        All zeros for a clip without any sound.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 3000 * np.arange(48_000) / 48_000)
    >>> picture = spectrogram(tone, 48_000, PRESETS["bird"], width_px=240, height_px=140)
    >>> picture.image.shape, picture.seconds
    ((140, 240), 1.0)
    """
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or rate <= 0 or width_px < 1 or height_px < 1:
        raise ParameterError("a spectrogram needs samples [n], a rate and a size of at least 1 px")
    seconds = len(samples) / rate
    nyquist = rate / 2
    min_hz = settings.min_hz if settings.min_hz < nyquist else 0.0  # the recording ends below it
    settings = replace(settings, min_hz=min_hz, max_hz=min(settings.max_hz, nyquist))
    peak = float(np.max(np.abs(samples), initial=0.0))
    blank = np.zeros((height_px, width_px), dtype=np.float32)
    if peak == 0.0 or not math.isfinite(peak):
        return Spectrogram(blank, settings.min_hz, settings.max_hz, seconds)
    samples = (samples - samples.mean()) / np.float32(peak)
    power, frame_s = _power(samples, rate, settings, width_px, height_px)
    if not power.any():
        return Spectrogram(blank, settings.min_hz, settings.max_hz, seconds)
    image = _pcen(power, frame_s) if settings.pcen else _over_noise(power, settings.range_db)
    return Spectrogram(image, settings.min_hz, settings.max_hz, seconds)


def to_png(picture: Spectrogram, *, theme: Theme = "light") -> bytes:
    """Encode a spectrogram as PNG, high frequencies on top.

    ``light`` is dark sound on white, ``dark`` is bright sound on near black.
    """
    levels = np.rint(picture.image[::-1] * 255).astype(np.uint8)
    height, width = levels.shape
    image = Image.frombytes("P", (width, height), np.ascontiguousarray(levels).tobytes())
    image.putpalette(_palette(theme))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _power(
    samples: Array, rate: int, settings: SpectrogramSettings, width_px: int, height_px: int
) -> tuple[Array, float]:
    """Power [height_px, width_px] within the frequency limits, and the seconds between columns."""
    enough = round(settings.max_hz * 2.5)
    if rate > 2 * enough:  # a low band of a fast recording: most of the spectrum is not shown
        samples, rate = soxr.resample(samples, rate, enough, "MQ"), enough
    window = max(16, min(round(settings.window_s * rate), len(samples)))
    # Columns overlap by half at least; several fall into one pixel of a long clip.
    per_pixel = max(1, math.ceil(len(samples) / width_px / max(1, window // 2)))
    n_frames = width_px * per_pixel
    centres = (np.arange(n_frames) + 0.5) * (len(samples) / n_frames)
    first = np.rint(centres).astype(np.int64)  # in the padded signal: the window's first sample
    padded = _mirrored(samples, window // 2, window)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[first]
    hz_per_px = (settings.max_hz - settings.min_hz) / height_px
    n_fft = scipy.fft.next_fast_len(max(window, math.ceil(rate / hz_per_px)), real=True)
    low = math.floor(settings.min_hz * n_fft / rate)
    high = math.ceil(settings.max_hz * n_fft / rate) + 1
    spectrum = scipy.fft.rfft(frames * _hann(window), n_fft, axis=1)[:, low:high]
    power = spectrum.real**2 + spectrum.imag**2
    power = power.reshape(width_px, per_pixel, -1).max(axis=1)
    # Each row of pixels takes the loudest of its bins: a whistle thinner than a pixel stays.
    edges = (settings.min_hz + hz_per_px * np.arange(height_px)) * n_fft / rate - low
    starts = np.minimum(np.rint(edges).astype(np.int64), power.shape[1] - 1)
    rows = np.maximum.reduceat(power, starts, axis=1)
    return np.ascontiguousarray(rows.T), len(samples) / rate / width_px


def _over_noise(power: Array, range_db: float) -> Array:
    """Decibels over the clip's noise floor, from 0 at the floor to 1 at its loudest sounds."""
    quietest = float(power.max()) * 1e-12  # digital silence around a call is no noise floor
    decibels = 10 * np.log10(power + max(quietest, 1e-20))
    floor = np.percentile(decibels, FLOOR_PERCENTILE, axis=1)
    floor = np.maximum(floor, decibels.max() - 80)
    size = max(3, int(len(floor) * FLOOR_SMOOTH)) | 1
    floor = scipy.ndimage.median_filter(floor, min(size, len(floor) | 1), mode="nearest")
    floor = scipy.ndimage.gaussian_filter1d(floor, size / 6, mode="nearest")
    over = decibels - floor[:, None]
    top = max(float(np.percentile(over, 99.7)), MIN_CONTRAST_DB)
    ground = max(2.0, top - range_db)
    return (np.clip((over - ground) / (top - ground), 0, 1) ** GAMMA).astype(np.float32)


def _pcen(power: Array, frame_s: float) -> Array:
    magnitude = np.sqrt(power) * (2.0**31 / max(float(np.sqrt(power.max())), _EPS))
    smooth = 1 - math.exp(-frame_s / PCEN_TIME_S)
    # The filter starts at the band's usual level: at its first frame it would open with a glare.
    start = (1 - smooth) * np.median(magnitude, axis=1, keepdims=True)
    level, _ = scipy.signal.lfilter([smooth], [1, smooth - 1], magnitude, axis=1, zi=start)
    gained = magnitude / (_EPS + level) ** PCEN_GAIN
    image = (gained + PCEN_BIAS) ** PCEN_POWER - PCEN_BIAS**PCEN_POWER
    low, high = np.percentile(image, (50, 99.8))
    return np.clip((image - low) / max(high - low, _EPS), 0, 1).astype(np.float32)


def _mirrored(samples: Array, before: int, after: int) -> Array:
    """The clip with its own mirror image at both ends: its edges are neither clicks nor gaps."""
    mirrored = np.pad(samples, (min(before, len(samples) - 1), 0), mode="reflect")
    mirrored = np.pad(mirrored, (0, min(after, len(mirrored) - 1)), mode="reflect")
    return np.pad(mirrored, (max(0, before - len(samples) + 1), after))


@functools.lru_cache(maxsize=8)
def _hann(window: int) -> Array:
    return scipy.signal.get_window("hann", window).astype(np.float32)


_RAMPS: dict[str, list[tuple[float, tuple[int, int, int]]]] = {
    "light": [
        (0.0, (255, 255, 255)),
        (0.35, (205, 209, 214)),
        (0.7, (92, 98, 108)),
        (1.0, (8, 10, 14)),
    ],
    "dark": [
        (0.0, (12, 12, 20)),
        (0.25, (54, 22, 90)),
        (0.5, (150, 42, 110)),
        (0.75, (238, 110, 80)),
        (1.0, (254, 240, 190)),
    ],
}


@functools.lru_cache(maxsize=2)
def _palette(theme: Theme) -> bytes:
    if theme not in _RAMPS:
        raise ParameterError(f"theme must be light or dark, not {theme!r}")
    at, colours = zip(*_RAMPS[theme], strict=True)
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, at, channel) for channel in zip(*colours, strict=True)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8).tobytes()
