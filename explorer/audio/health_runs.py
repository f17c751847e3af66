"""Runs of equal samples in one channel, block by block: clipping, silence, stuck values, dropouts.

Sound that a microphone hears hardly ever holds the same number three times in a row, save at the
top of a slow wave or where it is quieter than the file's smallest step. So a run tells of what came
between the sound and the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLIPPED_RUN = 3
"""Samples in a row at the limit that count as clipped; two may be there by chance."""

FULL_SCALE = 0.99
"""From here on a sample is at full scale: the largest number of 8 bits is 127/128 = .992."""

OWN_MAXIMUM = 0.1
"""An amplifier may clip below the file's full scale. Below this limit (-20 dBFS) it is not called
clipping: a quiet file has few steps, and stays on the same one by chance."""

STEEP = 0.002
"""A clipped wave comes to its limit at speed, a natural top slowly: before or after a run at the
file's own maximum there is a step of this share of full scale (65 steps of 16 bits)."""

OWN_RUNS = 10
"""A file's own maximum counts as a limit when it was run into so often; a loudest sound is once."""

STUCK_S = 0.010
"""Equal samples for this long are silence or a stuck converter: below 50 Hz no sound lasts so."""

DROPOUT_S = 0.002
"""Zeros for this long within sound are a dropout …"""

DROPOUT_FLANK = 32
"""… when this many samples on both sides …"""

DROPOUT_STEPS = 10
"""… are louder than ten of the file's steps in the mean: sound that fades out is none."""

DROPOUTS_LISTED = 20

LEAST_DROPOUT = 8
"""A dropout has so many samples at least, however low the sample rate."""

Array = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


class PerSecond:
    """How many samples of each second are of some kind."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._counts: Counts = np.zeros(0, dtype=np.int64)
        self.runs = 0

    def add(self, starts: Counts, lengths: Counts) -> None:
        """Runs, by their first sample; a run counts in the second where it begins."""
        self.runs += len(starts)
        found = np.bincount(starts // self._rate, weights=lengths).astype(np.int64)
        if len(found) > len(self._counts):
            found, self._counts = self._counts, found
        self._counts[: len(found)] += found

    def upto(self, seconds: int) -> Counts:
        """The counts of so many seconds [seconds]."""
        return np.pad(self._counts, (0, max(0, seconds - len(self._counts))))[:seconds]


@dataclass
class Ended:
    """What the runs of a channel come to; counts are of samples."""

    clipped: list[PerSecond]
    silent: int = 0
    stuck: int = 0
    dropouts: int = 0
    dropped: int = 0
    dropouts_at: tuple[int, ...] = ()

    def clipped_per_second(self, seconds: int) -> Counts:
        """How many samples are clipped in each second [seconds]."""
        return np.sum([kind.upto(seconds) for kind in self.clipped], axis=0)


class _Limit:
    """The largest value so far (of the samples, or of the samples' negatives), and runs there."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._value = 0.0
        self._found = PerSecond(rate)

    def meet(self, largest: float, values: Array, starts: Counts, lengths: Counts) -> None:
        """Steep runs, and the largest sample of where they lie."""
        if largest > self._value:
            self._value, self._found = largest, PerSecond(self._rate)
        mine = values == np.float32(self._value)
        if mine.any():
            self._found.add(starts[mine], lengths[mine])

    def clipped(self) -> list[PerSecond]:
        """The runs, if this is a limit and not just the loudest sound."""
        limit = OWN_MAXIMUM <= self._value < FULL_SCALE and self._found.runs >= OWN_RUNS
        return [self._found] if limit else []


class Runs:
    """Finds runs in a channel that comes in blocks; a run over a border is one run.

    ``step`` is the smallest difference between two samples that the file can hold.
    """

    def __init__(self, rate: int, step: float = 1 / 32768) -> None:
        self._rate = rate
        self._sound = DROPOUT_STEPS * step
        self._stuck = max(CLIPPED_RUN, round(STUCK_S * rate))
        self._dropout = max(LEAST_DROPOUT, round(DROPOUT_S * rate))
        self._position = 0
        self._held: Array = np.zeros(0, dtype=np.float32)
        self._context = 0  # samples of `_held` before the run that is still open
        self._cut = 0  # samples of the open run that are no longer held
        self._limits = (_Limit(rate), _Limit(rate))
        self._full = PerSecond(rate)
        self._ended = Ended([self._full])

    def add(self, block: Array) -> None:
        """The next samples [n]."""
        self._look(block, last=False)

    def end(self) -> Ended:
        """Close the last run, and give what was found."""
        self._look(np.zeros(0, dtype=np.float32), last=True)
        for limit in self._limits:
            self._ended.clipped += limit.clipped()
        return self._ended

    def _look(self, block: Array, *, last: bool) -> None:
        samples = np.concatenate([self._held, block]) if len(self._held) else block
        if not len(samples):
            return
        begins = self._position - len(self._held)
        starts, lengths = runs_of(samples, CLIPPED_RUN)
        open_at = _last_run(samples)
        done = starts >= self._context
        if not last:
            done &= starts < open_at
        starts, lengths = starts[done], lengths[done]
        cut, largest = np.zeros(len(starts), np.int64), (0.0, 0.0)
        if self._cut and len(starts) and starts[0] == self._context:
            cut[0] = self._cut
        if len(block):
            largest = (float(block.max()), -float(block.min()))
        self._count(samples, begins, starts, lengths, cut, largest)
        if not last:
            self._hold(samples, open_at, len(block))

    def _count(
        self,
        samples: Array,
        begins: int,
        starts: Counts,
        lengths: Counts,
        cut: Counts,
        largest: Sequence[float],
    ) -> None:
        values = samples[starts]
        first, whole = begins + starts - cut, lengths + cut
        full = np.abs(values) >= FULL_SCALE
        if full.any():
            self._full.add(first[full], whole[full])
        steep = ~full & (_edges(samples, starts, lengths, values) >= STEEP)
        for limit, most, sign in zip(self._limits, largest, (1, -1), strict=True):
            limit.meet(most, sign * values[steep], first[steep], whole[steep])
        long = whole >= self._stuck
        zero = values == 0
        self._ended.silent += int(whole[long & zero].sum())
        self._ended.stuck += int(whole[long & ~zero].sum())
        gaps = zero & (whole >= self._dropout)
        if gaps.any():
            gaps[gaps] = _within_sound(samples, starts[gaps], lengths[gaps], self._sound)
            self._ended.dropouts += int(gaps.sum())
            self._ended.dropped += int(whole[gaps].sum())
            listed = [*self._ended.dropouts_at, *first[gaps].tolist()]
            self._ended.dropouts_at = tuple(listed[:DROPOUTS_LISTED])

    def _hold(self, samples: Array, open_at: int, new: int) -> None:
        """Keep the last run, which may go on in the next block, and what comes before it."""
        first = max(0, open_at - DROPOUT_FLANK)
        fresh = open_at != self._context or not len(self._held)
        self._cut = 0 if fresh else self._cut
        length = len(samples) - open_at
        kept = min(length, self._rate)  # of a long silence a second is enough to go on with
        self._cut += length - kept
        self._held = np.concatenate([samples[first:open_at], samples[len(samples) - kept :]])
        self._context = open_at - first
        self._position += new


def runs_of(samples: Array, least: int) -> tuple[Counts, Counts]:
    """Starts and lengths of the runs of at least ``least`` (2 or more) equal samples.

    Examples
    --------
    >>> starts, lengths = runs_of(np.array([1, 2, 2, 2, 3, 3], np.float32), 3)
    >>> starts.tolist(), lengths.tolist()
    ([1], [3])
    """
    same = np.zeros(len(samples) + 1, dtype=bool)
    np.equal(samples[1:], samples[:-1], out=same[1:-1])
    edges = np.flatnonzero(same[1:] != same[:-1])
    starts, lengths = edges[::2], edges[1::2] - edges[::2] + 1
    long = lengths >= least
    return starts[long], lengths[long]


def _last_run(samples: Array) -> int:
    """Where the run begins (of one sample, if need be) that the last sample belongs to."""
    n, step = len(samples), 256
    while True:
        tail = samples[max(0, n - step) :]
        differs = np.flatnonzero(tail != samples[-1])
        if len(differs):
            return int(n - len(tail) + differs[-1] + 1)
        if len(tail) == n:
            return 0
        step *= 16


def _edges(samples: Array, starts: Counts, lengths: Counts, values: Array) -> Array:
    """The larger of the steps before and after each run."""
    if not len(starts):
        return np.zeros(0, dtype=np.float32)
    before = np.abs(samples[np.maximum(starts - 1, 0)] - values)
    after = np.abs(samples[np.minimum(starts + lengths, len(samples) - 1)] - values)
    return np.maximum(before, after)


def _within_sound(
    samples: Array, starts: Counts, lengths: Counts, level: float
) -> npt.NDArray[np.bool_]:
    """Whether there is sound of this level right before and right after each run."""
    total = np.concatenate([[0.0], np.cumsum(np.abs(samples), dtype=np.float64)])
    ends = starts + lengths
    before = np.maximum(starts - DROPOUT_FLANK, 0)
    after = np.minimum(ends + DROPOUT_FLANK, len(samples))
    enough = (starts > before) & (after > ends)
    louder = (total[starts] - total[before] >= level * (starts - before)) & (
        total[after] - total[ends] >= level * (after - ends)
    )
    return enough & louder
