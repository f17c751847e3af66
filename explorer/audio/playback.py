"""Sound for ears: slowed down for bats, sped up for whales, or exactly what was recorded.

Two numbers say how a clip is played. ``speed`` is how fast its time passes, ``pitch`` is what its
frequencies are multiplied with. Where both are the same, the samples are only played at another
rate, as a tape would be (time expansion); that keeps every sample. Where they differ, a phase
vocoder stretches time first.

At speed 1, without a band and as loud as it was, what is played is the clip's samples and nothing
else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from ..errors import ParameterError
from .band import Band, filtered

Array = npt.NDArray[np.float32]

BROWSER_RATES_HZ = (8_000, 96_000)
"""Every browser plays what has a rate between these as it is."""

PLAYED_HZ = 48_000
"""What is faster is brought to this rate: nobody hears what it leaves out."""

SLOWEST, FASTEST = 0.01, 32.0
LOWEST_HEARD_HZ, HIGHEST_HEARD_HZ = 20.0, 20_000.0

MOST_PLAYED_S = 600.0
"""Longer than anybody listens to at a stretch, and some 60 MB."""

LIMIT = 0.7
"""The limiter leaves alone what is below this share of full scale."""

STRETCHED_OVER_S = 0.043
"""Analysis window of the phase vocoder in seconds as heard: librosa's 2048 samples at 48 kHz."""


@dataclass(frozen=True)
class PlaybackSettings:
    """How a clip is played.

    Parameters
    ----------
    speed
        How fast time passes: 0.1 for bats, 4 or 8 for whales.
    pitch
        What frequencies are multiplied with; None goes with the speed, 1 keeps them as recorded.
    low_hz, high_hz
        The band that is heard, in Hz of the recording; None for no limit.
    volume_db
        How much louder; what then goes beyond full scale is rounded off softly.

    Raises
    ------
    ParameterError
        When a value cannot be; the message says which, and what it could be.

    Examples
    --------
    >>> bats = PlaybackSettings(speed=0.1)
    >>> bats.heard_hz(40_000), bats.played_s(3.0)
    (4000.0, 30.0)
    """

    speed: float = 1.0
    pitch: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    volume_db: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("speed", self.speed), ("pitch", self.pitch)):
            if value is not None and not SLOWEST <= value <= FASTEST:
                raise ParameterError(f"{name} goes from {SLOWEST:g} to {FASTEST:g}, not {value!r}")
        if not -60 <= self.volume_db <= 60:
            raise ParameterError(f"volume_db goes from -60 to 60 dB, not {self.volume_db!r}")
        self.band  # noqa: B018 - says what is wrong with its limits

    @property
    def band(self) -> Band:
        """The frequencies that are heard."""
        return Band(self.low_hz, self.high_hz)

    @property
    def factor(self) -> float:
        """What frequencies are multiplied with."""
        return self.speed if self.pitch is None else self.pitch

    @property
    def exact(self) -> bool:
        """Whether the samples are played as they were recorded."""
        return self.speed == self.factor == 1 and self.band == Band() and self.volume_db == 0

    def heard_hz(self, hz: float) -> float:
        """As what a frequency of the recording is heard."""
        return hz * self.factor

    def played_s(self, seconds: float) -> float:
        """How long seconds of the recording are played."""
        return seconds / self.speed


@dataclass(frozen=True)
class Heard:
    """Sound for a browser: float32 samples [n], and the rate at which they are played."""

    samples: Array
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is played."""
        return len(self.samples) / self.rate


def playback(
    samples: npt.NDArray[np.floating], rate: int, settings: PlaybackSettings | None = None
) -> Heard:
    """Make a clip into what is heard.

    Parameters
    ----------
    samples
        [n], at ``rate``.
    settings
        None plays it as it was recorded.

    Returns
    -------
    Heard
        As long as the clip divided by the speed, to the sample.

    Raises
    ------
    ParameterError
        When it would take longer than ten minutes to listen to, or nothing of the recording lies in
        the band.

    Examples
    --------
    >>> clip = np.sin(2 * np.pi * 40_000 * np.arange(256_000) / 256_000)
    >>> heard = playback(clip, 256_000, PlaybackSettings(speed=0.1))
    >>> heard.rate, heard.seconds
    (25600, 10.0)
    """
    settings = settings or PlaybackSettings()
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or rate <= 0:
        raise ParameterError("playback needs samples [n] and a rate")
    length_s = settings.played_s(len(samples) / rate)
    if length_s > MOST_PLAYED_S:
        raise ParameterError(
            f"this would take {length_s / 60:.0f} minutes to listen to: choose a shorter stretch, "
            "or play it faster"
        )
    samples = _in_band(samples, rate, settings)
    if settings.factor != settings.speed and len(samples):
        samples = _stretched(samples, rate, settings)
    heard = _at_a_rate_that_plays(samples, rate * settings.factor, length_s)
    if settings.volume_db:
        heard = Heard(
            limited(heard.samples * np.float32(10 ** (settings.volume_db / 20))), heard.rate
        )
    return heard


def limited(samples: Array) -> Array:
    """Samples that stay below full scale: quiet ones as they are, loud ones rounded off softly."""
    size = np.abs(samples)
    soft = LIMIT + (1 - LIMIT) * np.tanh((size - LIMIT) / (1 - LIMIT))
    return np.where(size <= LIMIT, samples, np.copysign(soft, samples)).astype(np.float32)


def in_words(settings: PlaybackSettings, example_hz: float) -> str:
    """What is done to the sound, in half a sentence; empty where nothing is.

    Parameters
    ----------
    example_hz
        A frequency of the recording to tell it by.

    Examples
    --------
    >>> in_words(PlaybackSettings(speed=0.1), 40_000)
    'heard at 1/10 speed: 40 kHz sounds as 4 kHz'
    >>> in_words(PlaybackSettings(speed=8), 20)
    'heard at 8× speed: 20 Hz sounds as 160 Hz'
    >>> in_words(PlaybackSettings(speed=0.5, pitch=1), 3000)
    'heard at 1/2 speed, pitch as recorded'
    """
    said = []
    if settings.speed != 1:
        said.append(f"heard at {times(settings.speed)} speed")
    if settings.pitch == 1 and settings.speed != 1:
        said.append("pitch as recorded")
    elif settings.factor not in (1, settings.speed):
        said.append(f"pitch {times(settings.factor)}")
    words = ", ".join(said)
    if settings.factor != 1 and words:
        words += f": {hertz(example_hz)} sounds as {hertz(settings.heard_hz(example_hz))}"
    return words


def times(factor: float) -> str:
    """A factor in words: ``8×``, or ``1/10``."""
    if factor < 1 and abs(1 / factor - round(1 / factor)) < 1e-6:
        return f"1/{round(1 / factor)}"
    return f"{factor:.3g}×"


def hertz(hz: float) -> str:
    """A frequency in words: ``160 Hz``, ``4 kHz``."""
    return f"{hz / 1000:.3g} kHz" if hz >= 1000 else f"{hz:.3g} Hz"


def _in_band(samples: Array, rate: int, settings: PlaybackSettings) -> Array:
    band = settings.band
    if band.low_hz is not None and band.low_hz >= rate / 2:
        raise ParameterError(
            f"this recording ends at {hertz(rate / 2)}: "
            f"nothing of it lies above {hertz(band.low_hz)}"
        )
    taps = band.filter(rate)
    return samples if taps is None else filtered(samples, taps)


def _stretched(samples: Array, rate: int, settings: PlaybackSettings) -> Array:
    """Samples that last longer at the same pitch, so that at another rate both are as asked for."""
    import librosa  # noqa: PLC0415

    wanted = round(len(samples) * settings.factor / settings.speed)
    over = 2 ** round(math.log2(max(64.0, STRETCHED_OVER_S * rate * settings.factor)))
    n_fft = int(min(over, 1 << 14))
    padded = np.pad(samples, (0, max(0, n_fft - len(samples))))
    stretched = librosa.effects.time_stretch(
        padded, rate=settings.speed / settings.factor, n_fft=n_fft
    )
    return np.asarray(np.resize(_fitted(stretched, wanted), wanted), dtype=np.float32)


def _at_a_rate_that_plays(samples: Array, rate: float, length_s: float) -> Heard:
    low, high = BROWSER_RATES_HZ
    whole = round(rate)
    if low <= whole <= high and abs(rate - whole) < 1e-6:
        return Heard(samples, whole)
    played = PLAYED_HZ
    if rate < low and abs(rate - whole) < 1e-6:
        played = whole * math.ceil(2 * low / whole)  # every sample stays, with others between
    if not len(samples):
        return Heard(samples, played)
    made = soxr.resample(samples, rate, played, "HQ")
    return Heard(_fitted(np.asarray(made, dtype=np.float32), round(length_s * played)), played)


def _fitted(samples: Array, n: int) -> Array:
    return samples[:n] if len(samples) >= n else np.pad(samples, (0, n - len(samples)))
