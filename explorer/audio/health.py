"""What the sound of one recording says of its recorder: level, clipping, silence, dropouts.

A recording is read once, from its beginning, in blocks of whole seconds; memory does not depend on
its length. Every channel is looked at as it was recorded: a mix would hide a dead microphone, and
resampling would round a clipped top.

A few words: *full scale* is the loudest number that a file can hold; levels are in decibels below
it (dBFS), without the constant offset. A *run* is a stretch of equal samples.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.audio.containers import Samples, Sound, open_sound
from explorer.audio.faults import Unreadable
from explorer.audio.health_runs import Runs

VERSION = 1
"""Raised when a number comes to mean something else: recordings are then measured again."""

BLOCK_SAMPLES = 1 << 20
"""Samples that are looked at together, all channels: 4 MiB, which a processor's cache likes."""

EIGHT_BITS = ("PCM_U8", "PCM_S8", "DPCM_8")
"""Encodings of 256 steps; all others have 65,536 or more, or finer ones where it is quiet."""

MINUTE_S = 60
FLOOR_DBFS = -120.0
"""What digital silence is given as a level; 24 bit files reach down to about -144 dBFS."""

QUIET_DBFS = -84.0
"""A second below this is no more than two steps of a 16 bit file. The own noise of every working
microphone with its amplifier lies above (-75 to -55 dBFS in the recordings that were looked at)."""

RUMBLE_HZ = 100
"""Wind, waves against a buoy and handling lie mostly below; a boat or a storm does too."""

RUMBLE_SHARE = 0.9
"""A second rumbles when this much of its power lies below `RUMBLE_HZ` …"""

RUMBLE_DBFS = -30.0
"""… and it is this loud, so that it takes room from all else that is recorded."""

LEAST_SECOND = 0.1
"""A last, partial second is left out of the levels below this share of a second."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoundHealth:
    """What was measured of one recording; shares are of samples, or of seconds where it says so.

    Attributes
    ----------
    seconds
        Of sound that was read.
    peak_dbfs, level_dbfs
        Loudest sample of all channels, and root mean square of all channels.
    minutes_dbfs, minutes_peak_dbfs, minutes_clipped
        The same for each minute, and the share of its samples that are clipped.
    channels_dbfs
        Level of each channel.
    clipped
        Share of samples in runs of 3 and more at full scale, or at the file's own steep maximum.
    silent, stuck
        Share of samples in runs of 10 ms and more: of zeros, and of any other number; of the
        channel that has least of them.
    quiet
        Share of seconds in which even the loudest channel is below `QUIET_DBFS`.
    rumble
        Share of seconds that are loud, and below `RUMBLE_HZ` only.
    offset
        Mean of the samples, as a share of full scale, of the channel where it is largest.
    dropouts, dropped_s, dropouts_at_s
        Sudden zeros within sound: how many, how long together, and where the first of them are.
    digest
        Of the first block of samples: two recordings that share it are copies. Empty for silence.
    cause
        Why the rest could not be read; empty where all was.
    """

    seconds: float = 0.0
    peak_dbfs: float = FLOOR_DBFS
    level_dbfs: float = FLOOR_DBFS
    minutes_dbfs: tuple[float, ...] = ()
    minutes_peak_dbfs: tuple[float, ...] = ()
    minutes_clipped: tuple[float, ...] = ()
    channels_dbfs: tuple[float, ...] = ()
    clipped: float = 0.0
    silent: float = 0.0
    stuck: float = 0.0
    quiet: float = 0.0
    rumble: float = 0.0
    offset: float = 0.0
    dropouts: int = 0
    dropped_s: float = 0.0
    dropouts_at_s: tuple[float, ...] = field(default=())
    digest: str = ""
    cause: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SoundHealth:
        """From plain values; unknown ones are left out."""
        known = {f.name for f in fields(cls)}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        return cls(**given)


def measure(path: str | os.PathLike[str]) -> SoundHealth:
    """Measure one recording; what cannot be read is said in ``cause``, never raised.

    Examples
    --------
    >>> measure("no such file.wav").cause
    'there is no such file'
    """
    try:
        with open_sound(path, sequential=True) as sound:
            return _measure(sound)
    except Unreadable as error:
        return SoundHealth(cause=error.cause)
    except OSError as error:
        return SoundHealth(cause=str(error))


def decibels(power: npt.ArrayLike) -> Floats:
    """Power (mean square, full scale 1) as dBFS, not below `FLOOR_DBFS`.

    Examples
    --------
    >>> decibels([1.0, 0.01, 0.0]).tolist()
    [0.0, -20.0, -120.0]
    """
    least = 10 ** (FLOOR_DBFS / 10)
    return np.asarray(10 * np.log10(np.maximum(np.asarray(power, dtype=np.float64), least)))


def _measure(sound: Sound) -> SoundHealth:
    rate, channels = sound.sample_rate, sound.channels
    seconds = max(1, BLOCK_SAMPLES // (rate * channels))
    levels = _Levels(rate, channels)
    step = 1 / 128 if sound.format.partition("/")[2] in EIGHT_BITS else 1 / 32768
    runs = [Runs(rate, step) for _ in range(channels)]
    digest, cause, position = "", "", 0
    while position < sound.frames:
        try:
            block = _finite(sound, sound.read(position, seconds * rate), position)
        except Unreadable as error:
            cause = error.cause
            break
        if not len(block):
            left_s = (sound.frames - position) / rate
            cause = f"its sound ends {left_s:.1f} s before its header says; copy it again"
            break
        if position == 0 and np.ptp(block) > 0:
            digest = hashlib.blake2b(block.tobytes(), digest_size=12).hexdigest()
        levels.add(block)
        for channel, run in enumerate(runs):
            run.add(np.ascontiguousarray(block[:, channel]))
        position += len(block)
    return _together(levels, runs, position, digest, cause)


def _finite(sound: Sound, block: Samples, position: int) -> Samples:
    if np.isfinite(block).all():
        return block
    at = position + int(np.argmin(np.isfinite(block).all(axis=1)))
    raise Unreadable(
        sound.path,
        "damaged",
        f"it holds samples that are not numbers (NaN or infinite, first at "
        f"{at / sound.sample_rate:.2f} s): export it again as 16 or 24 bit",
    )


def _together(
    levels: _Levels, runs: list[Runs], frames: int, digest: str, cause: str
) -> SoundHealth:
    if not frames:
        return SoundHealth(cause=cause)
    rate = levels.rate
    ended = [run.end() for run in runs]
    samples = frames * len(runs)
    minutes = math.ceil(frames / rate / MINUTE_S)
    clipped = np.sum([end.clipped_per_second(minutes * MINUTE_S) for end in ended], axis=0)
    per_minute = clipped.reshape(minutes, MINUTE_S).sum(axis=1)
    of_minute = np.full(minutes, MINUTE_S * rate * len(runs), dtype=np.float64)
    of_minute[-1] = samples - of_minute[:-1].sum()
    # A channel that is dead is told of as such; silence is where no channel holds sound.
    most_alive = min(ended, key=lambda end: end.silent + end.stuck)
    # A card that stalls takes all channels at once: the channel with most dropouts tells of all.
    worst = max(ended, key=lambda end: (end.dropouts, end.dropped))
    return SoundHealth(
        seconds=frames / rate,
        digest=digest,
        cause=cause,
        **levels.measures(),
        minutes_clipped=tuple(np.round(per_minute / of_minute, 6).tolist()),
        clipped=float(clipped.sum() / samples),
        silent=most_alive.silent / frames,
        stuck=most_alive.stuck / frames,
        dropouts=worst.dropouts,
        dropped_s=round(worst.dropped / rate, 4),
        dropouts_at_s=tuple(round(place / rate, 3) for place in worst.dropouts_at),
    )


class _Levels:
    """Power, peak, offset and low frequencies, second by second."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self._sum = np.zeros(channels)
        self._square = np.zeros(channels)
        self._frames = 0
        self._power: list[Floats] = []  # per second and channel, without the second's mean
        self._low: list[Floats] = []  # per second, all channels
        self._peak: list[Floats] = []
        self._weight: list[Floats] = []

    def add(self, block: Samples) -> None:
        """A block [frames, channels] that begins at a whole second."""
        self._sum += block.sum(axis=0, dtype=np.float64)
        self._frames += len(block)
        whole = len(block) // self.rate
        parts = [block[: whole * self.rate].reshape(whole, self.rate, -1)] if whole else []
        rest = block[whole * self.rate :]
        if len(rest):
            parts.append(rest[None])
        for part in parts:
            weight = part.shape[1] / self.rate
            mean = part.mean(axis=1, dtype=np.float64)
            square = np.square(part).mean(axis=1, dtype=np.float64)
            self._power.append(np.maximum(square - mean**2, 0.0))
            self._low.append(self._low_power(part))
            self._peak.append(np.abs(part).max(axis=(1, 2)).astype(np.float64))
            self._weight.append(np.full(len(part), weight))

    def _low_power(self, part: Samples) -> Floats:
        """Power below about `RUMBLE_HZ`: of means over a two-hundredth of a second."""
        step = self.rate // (2 * RUMBLE_HZ)
        n = part.shape[1] // step if step > 1 else 0
        if n < RUMBLE_HZ:  # half a second, and a rate that holds more than rumble
            return np.zeros(len(part))
        means = part[:, : n * step].reshape(len(part), n, step, -1).mean(axis=2)
        return np.asarray(means.var(axis=1, dtype=np.float64).mean(axis=1))

    def measures(self) -> dict[str, Any]:
        """The entries of `SoundHealth` that are levels."""
        power, low = np.concatenate(self._power), np.concatenate(self._low)
        peak, weight = np.concatenate(self._peak), np.concatenate(self._weight)
        all_channels = power.mean(axis=1)
        loudest = power.max(axis=1)
        counts = weight >= min(LEAST_SECOND, weight[0])
        rumbling = (low > RUMBLE_SHARE * all_channels) & (decibels(all_channels) > RUMBLE_DBFS)
        starts = np.arange(0, len(power), MINUTE_S)
        heard = np.add.reduceat(weight, starts)
        per_minute = np.add.reduceat(all_channels * weight, starts) / heard
        channels = (power * weight[:, None]).sum(axis=0) / weight.sum()
        offset = self._sum / self._frames
        return {
            "peak_dbfs": _round(decibels(peak.max() ** 2)),
            "level_dbfs": _round(decibels(channels.mean())),
            "minutes_dbfs": _rounded(decibels(per_minute)),
            "minutes_peak_dbfs": _rounded(decibels(np.maximum.reduceat(peak, starts) ** 2)),
            "channels_dbfs": _rounded(decibels(channels)),
            "quiet": float(np.mean(decibels(loudest[counts]) < QUIET_DBFS)),
            "rumble": float(np.mean(rumbling[counts])),
            "offset": round(float(offset[np.argmax(np.abs(offset))]), 6),
        }


def _round(value: Any) -> float:
    return round(float(value), 1)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(np.round(values, 1).tolist())
