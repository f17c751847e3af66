"""Pictures of sound: spectrograms in which a call can be seen at the default settings.

How the picture comes by its contrast is told in `explorer.audio.contrast`, how it comes by its
height in `explorer.audio.frequency_axis`.
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
import soxr
from PIL import Image

from ..errors import ParameterError
from .contrast import QUIETEST_DB, decibels, over_level, over_noise, pcen_image
from .frequency_axis import AXIS_KINDS, SPLIT_HZ, SPLIT_SHARE, Axis, AxisKind

Theme = Literal["light", "dark"]
Array = npt.NDArray[np.float32]

LONGER_BELOW = 4
"""Below the split of a split axis the analysis window is this many times longer: low calls are told
apart by pitch, high ones by time."""

MOST_PADDING = 4
"""An analysis window is padded to at most this many times its length to fill rows of pixels."""

PCEN_PER_PIXEL = 4
"""Most columns per column of pixels over which PCEN follows the noise."""

SHADES = 64
"""As many as can be told apart in noise; a picture is a fifth smaller than with 256."""

_FRAMES_AT_ONCE = 1 << 22  # samples in overlapping analysis windows held at a time: 16 MiB


@dataclass(frozen=True)
class SpectrogramSettings:
    """What a spectrogram shows.

    Parameters
    ----------
    window_s
        Length of the analysis window: longer resolves pitch, shorter resolves time.
    overlap
        The share that neighbouring analysis windows have in common at least.
    min_hz, max_hz
        The frequency axis; it ends at half the sample rate at the latest.
    axis
        ``linear``, ``log``, ``mel``, or ``split``: linear twice, with 40 % of the height below
        2 kHz.
    floor_db
        The level (dB re full scale) that becomes the ground; None for each clip's own noise.
    range_db
        The most that the picture spans, from its ground to its darkest.
    gain_db
        Brings out fainter sounds; below 0, only louder ones are left.
    pcen
        Use per-channel energy normalisation in place of decibels.
    pcen_s
        Over how long PCEN follows the background: longer than a call.

    Raises
    ------
    ParameterError
        When a value cannot be; the message says which, and what it could be.
    """

    window_s: float = 0.020
    overlap: float = 0.5
    min_hz: float = 0.0
    max_hz: float = math.inf
    axis: AxisKind = "linear"
    floor_db: float | None = None
    range_db: float = 48.0
    gain_db: float = 0.0
    pcen: bool = False
    pcen_s: float = 0.4

    def __post_init__(self) -> None:
        said = [
            (0.0005 <= self.window_s <= 4, "window_s from 0.0005 to 4 s"),
            (0 <= self.overlap <= 0.95, "overlap from 0 to 0.95"),
            (0 <= self.min_hz < self.max_hz, "0 <= min_hz < max_hz"),
            (self.axis in AXIS_KINDS, f"axis {', '.join(AXIS_KINDS)}"),
            (self.floor_db is None or QUIETEST_DB <= self.floor_db <= 0, "floor_db -160 to 0 dB"),
            (6 <= self.range_db <= 160, "range_db from 6 to 160 dB"),
            (-60 <= self.gain_db <= 60, "gain_db from -60 to 60 dB"),
            (0.01 <= self.pcen_s <= 60, "pcen_s from 0.01 to 60 s"),
        ]
        wrong = [words for right, words in said if not right]
        if wrong:
            raise ParameterError(f"a spectrogram needs {', '.join(wrong)}; got {self}")


PRESETS: dict[str, SpectrogramSettings] = {
    "wide": SpectrogramSettings(window_s=0.016, min_hz=40, max_hz=12_000, axis="split"),
    "reef": SpectrogramSettings(window_s=0.064, overlap=0.75, min_hz=40, max_hz=2_000),
    "bird": SpectrogramSettings(window_s=0.016, min_hz=300, max_hz=12_000),
    "bat": SpectrogramSettings(window_s=0.003, min_hz=8_000, max_hz=128_000, pcen_s=0.1),
    "whale": SpectrogramSettings(
        window_s=0.25, overlap=0.75, min_hz=10, max_hz=1_000, axis="log", pcen_s=4
    ),
    "full": SpectrogramSettings(window_s=0.016),
}
"""Settings by what is listened for; ``full`` shows everything that the recording holds."""


@dataclass(frozen=True)
class Spectrogram:
    """A picture of a clip: image float32 [freq, time] in [0, 1], lowest frequency first.

    ``level_db`` [freq, time] is what was there, in decibels re a sine of full scale; ``seconds`` is
    the clip's length.
    """

    image: Array
    level_db: Array
    axis: Axis
    seconds: float

    @property
    def min_hz(self) -> float:
        """Where the frequency axis begins."""
        return self.axis.min_hz

    @property
    def max_hz(self) -> float:
        """Where the frequency axis ends."""
        return self.axis.max_hz

    def hz_ticks(self, most: int = 4) -> list[tuple[float, float]]:
        """Round frequencies to write beside the picture, as (Hz, share of the height)."""
        return self.axis.ticks(most)


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
        [n], at ``rate``; the level does not matter unless ``floor_db`` is set.
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
    axis = axis_for(settings, rate)
    if axis.kind == "split" and height_px > 1:
        return _split(samples, rate, settings, axis, width_px, height_px)
    peak = float(np.max(np.abs(samples), initial=0.0))
    seconds = len(samples) / rate
    blank = Spectrogram(
        np.zeros((height_px, width_px), dtype=np.float32),
        np.full((height_px, width_px), QUIETEST_DB, dtype=np.float32),
        axis,
        seconds,
    )
    if peak == 0.0 or not math.isfinite(peak):
        return blank
    samples = (samples - samples.mean()) / np.float32(peak)
    column_s = seconds / width_px
    fine = 1
    if settings.pcen:
        fine = math.ceil(column_s / (settings.window_s * (1 - settings.overlap)))
        fine = min(fine, PCEN_PER_PIXEL)
    power = _power(samples, rate, settings, axis, (width_px * fine, height_px))
    if not power.any():
        return blank
    shown = power.reshape(height_px, width_px, fine).max(axis=2)
    absolute = shown * np.float32(peak) ** 2
    if settings.pcen:
        followed = pcen_image(power, column_s / fine, settings.pcen_s, settings.gain_db)
        image = followed.reshape(height_px, width_px, fine).max(axis=2)
    elif settings.floor_db is None:
        image = over_noise(shown, settings.range_db, settings.gain_db)
    else:
        image = over_level(absolute, settings.floor_db, settings.range_db, settings.gain_db)
    return Spectrogram(image, decibels(absolute), axis, seconds)


def axis_for(settings: SpectrogramSettings, rate: int) -> Axis:
    """The frequency axis of a recording of this rate: no further than the recording goes."""
    nyquist = rate / 2
    min_hz = settings.min_hz if settings.min_hz < nyquist else 0.0  # the recording ends below it
    return Axis.fitting(settings.axis, min_hz, min(settings.max_hz, nyquist))


def to_png(picture: Spectrogram, *, theme: Theme = "light") -> bytes:
    """Encode a spectrogram as PNG, high frequencies on top.

    ``light`` is dark sound on white, ``dark`` is bright sound on near black.
    """
    levels = np.rint(picture.image[::-1] * (SHADES - 1)).astype(np.uint8)
    return _png(levels, _palette(theme))


def to_level_png(picture: Spectrogram, *, every: int = 1) -> bytes:
    """Encode the levels as a grey PNG, high frequencies on top: value *v* stands for -*v* dB.

    ``every`` makes it that many times smaller; the loudest of each block stays.
    """
    level = picture.level_db
    rows, columns = (size // every * every for size in level.shape)
    blocks = level[:rows, :columns].reshape(rows // every, every, columns // every, every)
    whole = np.rint(-blocks.max(axis=(1, 3))[::-1])
    return _png(np.clip(whole, 0, 255).astype(np.uint8), None)


def _split(
    samples: Array,
    rate: int,
    settings: SpectrogramSettings,
    axis: Axis,
    width_px: int,
    height_px: int,
) -> Spectrogram:
    """Two pictures, one above the other, each drawn as it is best seen and over its own noise."""
    rows = min(max(1, round(height_px * SPLIT_SHARE)), height_px - 1)
    long_s = min(settings.window_s * LONGER_BELOW, 4.0)
    low = replace(settings, axis="linear", max_hz=SPLIT_HZ, window_s=long_s)
    high = replace(settings, axis="linear", min_hz=SPLIT_HZ)
    parts = [
        spectrogram(samples, rate, part, width_px=width_px, height_px=height)
        for part, height in ((low, rows), (high, height_px - rows))
    ]
    return Spectrogram(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.level_db for part in parts]),
        axis,
        parts[0].seconds,
    )


def _power(
    samples: Array, rate: int, settings: SpectrogramSettings, axis: Axis, size: tuple[int, int]
) -> Array:
    """Power [rows, columns] within the axis; a sine of amplitude 1 has power 1 at its place."""
    columns, rows = size
    enough = round(axis.max_hz * 2.5)
    if rate > 2 * enough:  # a low band of a fast recording: most of the spectrum is not shown
        samples, rate = soxr.resample(samples, rate, enough, "MQ"), enough
    window = max(16, min(round(settings.window_s * rate), len(samples)))
    # Analysis windows overlap; several fall into one pixel of a long clip.
    step = max(1.0, window * (1 - settings.overlap))
    per_pixel = max(1, math.ceil(len(samples) / columns / step))
    centres = (np.arange(columns * per_pixel) + 0.5) * (len(samples) / (columns * per_pixel))
    first = np.rint(centres).astype(np.int64)  # in the padded signal: the window's first sample
    frames = np.lib.stride_tricks.sliding_window_view(
        _mirrored(samples, window // 2, window), window
    )
    edges = axis.edges(rows)
    finest = float(np.diff(edges).min())
    n_fft = max(window, min(math.ceil(rate / finest), MOST_PADDING * window))
    n_fft = scipy.fft.next_fast_len(n_fft, real=True)
    into_rows = _RowsOf(edges * n_fft / rate, n_fft)
    taper = _hann(window)
    scale = np.float32((2 / taper.sum()) ** 2)
    at_once = max(1, _FRAMES_AT_ONCE // n_fft // per_pixel) * per_pixel
    pieces = []
    for start in range(0, len(first), at_once):
        spectrum = scipy.fft.rfft(frames[first[start : start + at_once]] * taper, n_fft, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        power = power.reshape(-1, per_pixel, power.shape[1]).max(axis=1)
        pieces.append(into_rows(power))
    return np.ascontiguousarray(np.concatenate(pieces).T) * scale


class _RowsOf:
    """Takes bins [time, bins] into rows of pixels [time, rows].

    Each row takes the loudest of its bins, so that a whistle thinner than a pixel stays; a row
    narrower than a bin lies between its neighbours, so that low octaves are not stairs.
    """

    def __init__(self, edges: npt.NDArray[np.float64], n_fft: int) -> None:
        last = n_fft // 2
        self._low = max(0, math.floor(edges[0]))
        self._high = min(last, math.ceil(edges[-1])) + 1
        self._starts = np.minimum(np.rint(edges[:-1]).astype(np.int64), self._high - 1) - self._low
        middle = np.clip((edges[1:] + edges[:-1]) / 2 - self._low, 0, self._high - self._low - 1)
        self._thin = np.flatnonzero(np.diff(edges) < 1)
        self._below = np.floor(middle[self._thin]).astype(np.int64)
        self._above = np.minimum(self._below + 1, self._high - self._low - 1)
        self._share = (middle[self._thin] - self._below).astype(np.float32)

    def __call__(self, power: Array) -> Array:
        power = power[:, self._low : self._high]
        rows = np.maximum.reduceat(power, self._starts, axis=1)
        if len(self._thin):
            rows[:, self._thin] = (1 - self._share) * power[:, self._below] + (
                self._share * power[:, self._above]
            )
        return np.asarray(rows, dtype=np.float32)


def _mirrored(samples: Array, before: int, after: int) -> Array:
    """The clip with its own mirror image at both ends: its edges are neither clicks nor gaps."""
    mirrored = np.pad(samples, (min(before, len(samples) - 1), 0), mode="reflect")
    mirrored = np.pad(mirrored, (0, min(after, len(mirrored) - 1)), mode="reflect")
    return np.pad(mirrored, (max(0, before - len(samples) + 1), after))


@functools.lru_cache(maxsize=8)
def _hann(window: int) -> Array:
    import scipy.signal  # noqa: PLC0415

    return np.asarray(scipy.signal.get_window("hann", window), dtype=np.float32)


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
    steps = np.linspace(0, 1, SHADES)
    channels = [np.interp(steps, at, channel) for channel in zip(*colours, strict=True)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8).tobytes()


def _png(values: npt.NDArray[np.uint8], palette: bytes | None) -> bytes:
    height, width = values.shape
    mode = "L" if palette is None else "P"
    image = Image.frombytes(mode, (width, height), np.ascontiguousarray(values).tobytes())
    if palette is not None:
        image.putpalette(palette)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()
