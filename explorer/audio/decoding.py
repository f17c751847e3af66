"""Samples out of recordings: one clip, or every window in a stream.

Memory does not depend on the length of a file: a stream holds a few segments of it.

Filtering and resampling are done in segments that lie at fixed whole seconds of the recording, each
with a second of sound or more on both sides. A window is cut out of these segments, so its samples
are the same bits whichever window the stream started at: a run that was killed goes on as if it had
not been.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from ..errors import AudioError, ParameterError
from .band import NO_LIMITS, Band, filtered
from .channels import mixing
from .containers import Samples, Sound, open_sound
from .faults import Unreadable
from .windows import WindowGrid

Channel = Literal["mix"] | int

SEGMENT_S = 20
"""Seconds of a recording that are resampled at a time."""

CONTEXT_S = 1
"""Seconds read on both sides of a segment beside what the filter of a band reaches over; soxr's own
filters reach over less than 0.1 s."""

END_TOLERANCE_S = 0.1
"""A lossy file may end this much before its announced length (encoder padding)."""

_DECODE_SAMPLES = 1 << 20  # decoded at a time, all channels together: 4 MiB
_SIMPLE = "speed {} must be a simple number such as 0.1, 0.5, 2.5 or 10"


@dataclass(frozen=True)
class WindowBlock:
    """Neighbouring windows of one recording: samples [n_windows, samples per window]."""

    first_window: int
    samples: Samples


def read_clip(
    path: str | os.PathLike[str],
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    sample_rate: int | None = None,
    channel: Channel = "mix",
) -> tuple[Samples, int]:
    """Read a time range of a recording, exact to the sample.

    Parameters
    ----------
    path
        The recording.
    start_s, end_s
        The range in seconds; no end, or one past the recording's, means to its end.
    sample_rate
        Resample to this rate; None keeps the recording's own.
    channel
        ``"mix"`` (the mean; see :mod:`explorer.audio.channels` for channels that cancel each other
        out) or the number of a channel, from 0.

    Returns
    -------
    samples, sample_rate
        float32 [n] and its rate; sample *k* was recorded at ``round(start_s * rate) + k``.

    Raises
    ------
    AudioError
        When the recording cannot be read, is damaged there, or the range lies beyond its end.
    """
    if not (start_s >= 0 and (end_s is None or end_s > start_s)):
        raise ParameterError(f"a clip from {start_s} s to {end_s} s is not a range of time")
    with open_sound(path) as sound:
        duration_s = sound.frames / sound.sample_rate
        end_s = duration_s if end_s is None else min(end_s, duration_s)
        if start_s >= duration_s:
            raise AudioError(path, f"it ends at {duration_s:.2f} s, before {start_s:.2f} s")
        if sample_rate is None or sample_rate == sound.sample_rate:
            start, stop = round(start_s * sound.sample_rate), round(end_s * sound.sample_rate)
            return _Mono(sound, channel).read(start, min(stop, sound.frames)), sound.sample_rate
        stream = _Resampled(sound, sample_rate, 1.0, channel, sound.frames, NO_LIMITS)
        start, stop = round(start_s * stream.rate), round(end_s * stream.rate)
        return stream.read(start, min(stop, stream.length)), stream.rate


def stream_windows(
    path: str | os.PathLike[str],
    grid: WindowGrid,
    *,
    sample_rate: int,
    duration_s: float | None = None,
    channel: Channel = "mix",
    speed: float = 1.0,
    band: Band = NO_LIMITS,
    first_window: int = 0,
    block_windows: int = 32,
) -> Iterator[WindowBlock]:
    """Give every window of a recording, in blocks, at an encoder's sample rate.

    Parameters
    ----------
    grid
        The windows, in seconds of the recording.
    sample_rate
        The encoder's.
    duration_s
        The recording's length as catalogued; None takes it from the file.
    speed
        How many times faster the recording is played into the encoder (0.1 for bats, 4 for whales).
    band
        The frequencies of the recording that are kept; all by default.
    first_window
        Where to start; a window's samples do not depend on it.
    block_windows
        At most this many windows at a time; a window's samples do not depend on it.

    Yields
    ------
    WindowBlock
        float32 [n, round(grid.window_s / speed * sample_rate)]. A window that is only partly sound
        is centred and padded with zeros.

    Raises
    ------
    AudioError
        When the file is damaged, holds NaN or infinite samples, ends before ``duration_s``, or its
        sample rate is too low to hold anything of the band.
    """
    if block_windows < 1 or first_window < 0:
        raise ParameterError("block_windows must be at least 1, first_window at least 0")
    with open_sound(path, sequential=True) as sound:
        frames = _agreed_frames(sound, duration_s)
        stream = _Resampled(sound, sample_rate, speed, channel, frames, band)
        n_windows = grid.count(duration_s if duration_s is not None else frames / sound.sample_rate)
        width = round(grid.window_s / speed * sample_rate)
        for first in range(first_window, n_windows, block_windows):
            n = min(block_windows, n_windows - first)
            samples = np.zeros((n, width), dtype=np.float32)
            for row in range(n):
                start = round((first + row) * grid.hop_s / speed * sample_rate)
                sound_here = stream.read(start, min(start + width, stream.length))
                if not len(sound_here):
                    raise Unreadable(path, "damaged", "it ends before its last window")
                left = (width - len(sound_here)) // 2
                samples[row, left : left + len(sound_here)] = sound_here
            yield WindowBlock(first, samples)


def segment_seconds(sample_rate: int, speed: float = 1.0) -> int:
    """Length of the segments that are resampled at a time, in whole seconds of the recording.

    Raises
    ------
    ParameterError
        If ``speed`` is no simple number.
    """
    unit_s = (Fraction(sample_rate) / _simple_fraction(speed)).denominator
    if unit_s > 2 * SEGMENT_S:
        raise ParameterError(_SIMPLE.format(speed))
    return unit_s * math.ceil(SEGMENT_S / unit_s)


def to_wav_bytes(samples: npt.NDArray[np.floating], rate: int) -> bytes:
    """Write samples [n] as a 16 bit WAV file that a browser plays, exactly n samples long.

    Samples beyond full scale (32 bit float recorders) are brought down together, never wrapped.
    """
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise ParameterError(f"to_wav_bytes takes one channel [n], not {samples.shape}")
    peak = float(np.max(np.abs(samples), initial=0.0))
    scaled = samples * (32768.0 / max(peak, 1.0))
    data = np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes()
    out = io.BytesIO()
    out.write(struct.pack("<4sI4s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16))
    out.write(struct.pack("<HHIIHH4sI", 1, 1, rate, rate * 2, 2, 16, b"data", len(data)))
    out.write(data)
    return out.getvalue()


def _agreed_frames(sound: Sound, duration_s: float | None) -> int:
    """The frames to read: as catalogued, when the file still holds them."""
    if duration_s is None:
        return sound.frames
    frames = round(duration_s * sound.sample_rate)
    if frames > sound.frames + END_TOLERANCE_S * sound.sample_rate:
        now_s = sound.frames / sound.sample_rate
        raise AudioError(
            sound.path,
            f"it is {now_s:.1f} s long and was {duration_s:.1f} s when it was added: "
            "the file has changed; add its folder again",
        )
    return min(frames, sound.frames)


class _Resampled:
    """A recording at another rate, read forward in segments that lie at fixed places."""

    def __init__(
        self,
        sound: Sound,
        sample_rate: int,
        speed: float,
        channel: Channel,
        frames: int,
        band: Band,
    ) -> None:
        if band.low_hz is not None and band.low_hz >= sound.sample_rate / 2:
            raise AudioError(
                sound.path,
                f"it has {sound.sample_rate:,} samples a second, so nothing at or above the lower "
                f"limit of {band.low_hz:g} Hz; embed it without that limit",
            )
        self.rate = sample_rate
        self._sound = sound
        self._frames = frames
        self._speed = _simple_fraction(speed)
        self._channel = _Mono(sound, channel)
        self._filter = band.filter(sound.sample_rate)
        # A segment is a whole number of samples at both rates, so its position is exact.
        out_per_s = Fraction(sample_rate) / self._speed
        unit_s = out_per_s.denominator
        self._segment_s = segment_seconds(sample_rate, speed)
        self._context_s = unit_s * math.ceil((CONTEXT_S + band.reach_s) / unit_s)
        self._segment_out = int(out_per_s * self._segment_s)
        self.length = round(frames * out_per_s / sound.sample_rate)
        self._segments: dict[int, Samples] = {}

    def read(self, start: int, stop: int) -> Samples:
        """Samples [start, stop) at the new rate; segments before ``start`` are let go."""
        first, last = start // self._segment_out, max(start, stop - 1) // self._segment_out
        self._segments = {k: v for k, v in self._segments.items() if k >= first}
        pieces = []
        for k in range(first, last + 1):
            offset = k * self._segment_out
            piece = self._segment(k)[max(start - offset, 0) : max(stop - offset, 0)]
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _segment(self, k: int) -> Samples:
        if k not in self._segments:
            self._segments[k] = self._resample(k)
        return self._segments[k]

    def _resample(self, k: int) -> Samples:
        rate = self._sound.sample_rate
        begin_s = max(0, k * self._segment_s - self._context_s)
        end_s = (k + 1) * self._segment_s + self._context_s
        samples = self._channel.read(begin_s * rate, min(end_s * rate, self._frames))
        if self._filter is not None:
            samples = filtered(samples, self._filter)
        if self._speed * rate != self.rate:
            samples = soxr.resample(samples, float(self._speed * rate), float(self.rate), "HQ")
        skip = int((k * self._segment_s - begin_s) * Fraction(self.rate) / self._speed)
        return samples[skip : skip + self._segment_out]


class _Mono:
    """One channel of a recording, or their mix, read forward with the last piece kept."""

    def __init__(self, sound: Sound, channel: Channel) -> None:
        if channel != "mix" and not 0 <= int(channel) < sound.channels:
            raise AudioError(
                sound.path, f"it has {sound.channels} channel(s), so there is no channel {channel}"
            )
        self._sound = sound
        self._channel = channel
        self._mixing = mixing(sound)
        self._start = 0
        self._kept: Samples = np.zeros(0, dtype=np.float32)

    def read(self, start: int, stop: int) -> Samples:
        kept_stop = self._start + len(self._kept)
        if self._start <= start <= kept_stop:
            kept = self._kept[start - self._start :]
        else:
            kept, kept_stop = self._kept[:0], start
        if stop > kept_stop:
            kept = np.concatenate([kept, self._decode(kept_stop, stop)])
        self._start, self._kept = start, kept
        return kept[: stop - start]

    def _decode(self, start: int, stop: int) -> Samples:
        step = max(1, _DECODE_SAMPLES // self._sound.channels)
        pieces = []
        for at in range(start, stop, step):
            wanted = min(step, stop - at)
            samples = self._sound.read(at, wanted)
            pieces.append(self._one_channel(at, samples))
            if len(samples) < wanted:
                self._check_end(at + len(samples), stop)
                break
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _one_channel(self, start: int, samples: Samples) -> Samples:
        if self._channel == "mix":
            mono = self._mixing.apply(samples)
        else:
            mono = np.ascontiguousarray(samples[:, int(self._channel)])
        finite = np.isfinite(mono)
        if not finite.all():
            at_s = (start + int(np.argmin(finite))) / self._sound.sample_rate
            raise Unreadable(
                self._sound.path,
                "damaged",
                f"it holds samples that are not numbers (NaN or infinite, first at {at_s:.2f} s): "
                "export it again as 16 or 24 bit",
            )
        return mono

    def _check_end(self, ends: int, stop: int) -> None:
        rate = self._sound.sample_rate
        if stop - ends > END_TOLERANCE_S * rate:
            cause = f"its sound ends at {ends / rate:.1f} s, before its header says; copy it again"
            raise Unreadable(self._sound.path, "damaged", cause)


def _simple_fraction(speed: float) -> Fraction:
    if not (math.isfinite(speed) and speed > 0):
        raise ParameterError(f"speed must be a positive number, not {speed!r}")
    fraction = Fraction(speed).limit_denominator(100)
    if abs(float(fraction) - speed) > 1e-9 * speed:
        raise ParameterError(_SIMPLE.format(speed))
    return fraction
