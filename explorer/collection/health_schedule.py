"""When a recorder should have recorded and did not: gaps, recordings cut short, double coverage.

Nobody has to say what the schedule is: it is learnt from the recordings. The *interval* is the most
common distance between starts. Days are cut into slots of that length, and a slot is expected on a
day when at least half of the days before it (up to a week) have a recording there, and half of the
days after it. So a recorder that sleeps at noon leaves no gaps at noon, and one whose sessions
wander with the sun leaves none at their ends. With fewer than three days, a break counts as a gap
only when it is shorter than what was recorded without a break on both of its sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.audio.health_faults import Severity
from explorer.collection.health_finding import Deployment, Finding, lasting, stretches

DAY_S = 86_400.0

LEAST_RECORDINGS = 6
"""From fewer recordings no schedule is learnt."""

REGULAR = 0.5
"""A schedule is regular when so many of the distances between starts are the interval."""

JITTER_S, JITTER = 2.0, 0.01
"""Starts may be off by this much, in seconds or as a share of the interval: recorders take a moment
to wake up and to open a file."""

LONGER = 1.5
"""A distance between starts that is this many intervals or more is a break."""

NEIGHBOURS = 7
"""Days before and days after that say what is expected of a day …"""

LEAST_NEIGHBOURS = 2
"""… of which there must be so many."""

EXPECTED = 0.5
"""A slot is expected when this share of the days before have it, and of the days after."""

EDGE_SLOTS = 3
"""On the first and last days, which have neighbours on one side only, so few slots at the end of a
break that every day has are no gap: sessions may wander with the sun."""

SHORTEST_SLOT_S = 30.0
"""Slots of a day are not cut finer, so that years of short clips fit into memory."""

PAUSE_DAYS = 30.0
"""A longer break is a pause between two deployments, not a fault."""

MANY_GAPS = 20
"""More gaps of a recording or two than this are told in one sentence."""

SHORT = 0.9
"""A recording shorter than this share of the usual length was cut short …"""

SAME_LENGTH = 0.8
"""… where this share of the recordings have the usual length."""


@dataclass(frozen=True)
class Gap:
    """A break: after which recording (position), until which, and how many are missing."""

    before: int
    after: int
    missing: int


def usual_interval(start_s: NDArray[np.float64]) -> float | None:
    """Most common distance between starts (ascending), or None where there is none.

    Examples
    --------
    >>> usual_interval(np.array([0, 600, 1200, 1801, 2400, 3000, 9000.0]))
    600.0
    """
    if len(start_s) < LEAST_RECORDINGS:
        return None
    distance = np.diff(start_s)
    distance = distance[distance > 0.5]
    if not len(distance):
        return None
    values, counts = np.unique(np.rint(distance), return_counts=True)
    likely = float(values[counts.argmax()])
    near = distance[np.abs(distance - likely) <= _jitter(likely)]
    if len(near) < REGULAR * len(distance):
        return None
    return float(np.median(near))


def schedule_findings(deployment: Deployment) -> Iterator[Finding]:
    """Gaps, cut-short recordings and double coverage of one recorder at one site."""
    # A recorder may follow two schedules, one for bats and one for birds: each rate has its own.
    rates = deployment.table["sample_rate"].to_numpy()
    for rate in np.unique(rates):
        part = deployment.of(rates == rate)
        yield from _overlap_findings(part)
        interval = usual_interval(part.local_s)
        if interval is not None:
            yield from _gap_findings(part, interval)
        yield from _short_findings(part, interval)


# --- gaps -----------------------------------------------------------------------------------


def gaps(local_s: NDArray[np.float64], end_s: NDArray[np.float64], interval: float) -> list[Gap]:
    """Breaks in which recordings are missing, by the recorder's own clock.

    Parameters
    ----------
    local_s, end_s
        Starts (ascending) and ends by the same clock, seconds.
    interval
        The usual distance between starts.
    """
    breaks = np.flatnonzero(np.diff(local_s) >= LONGER * interval)
    # A file that lasts into the break, or beyond it, leaves less of it, or nothing.
    covered = np.maximum.accumulate(end_s)[breaks]
    breaks = breaks[local_s[breaks + 1] - covered >= (LONGER - 1) * interval]
    if not len(breaks):
        return []
    if interval > DAY_S / 2:
        lengths = np.diff(local_s)[breaks]
        missing = np.rint(lengths / interval).astype(int) - 1
    else:
        days = np.unique(np.floor(local_s / DAY_S))
        count = _missing_by_day if len(days) > LEAST_NEIGHBOURS else _missing_at_once
        missing = count(local_s, interval, breaks)
    return [Gap(int(b), int(b) + 1, int(m)) for b, m in zip(breaks, missing, strict=True) if m > 0]


def _missing_at_once(
    local_s: NDArray[np.float64], interval: float, breaks: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Missing recordings of breaks that are shorter than what lies on both of their sides."""
    length = np.diff(local_s)[breaks]
    begins = np.concatenate([[local_s[0]], local_s[breaks + 1]])
    ends = np.concatenate([local_s[breaks], [local_s[-1]]])
    unbroken = ends - begins
    short = (length < unbroken[:-1]) & (length < unbroken[1:])
    return np.where(short, np.rint(length / interval).astype(np.int64) - 1, 0)


def _missing_by_day(
    local_s: NDArray[np.float64], interval: float, breaks: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Missing recordings of each break, by what the days around have in its place."""
    slot_s = max(interval, SHORTEST_SLOT_S)
    per_day = int(np.ceil(DAY_S / slot_s))
    first = int(np.floor(local_s[0] / DAY_S))
    day = np.floor(local_s / DAY_S).astype(np.int64) - first
    phase = _phases(local_s, day, slot_s)
    slot = np.rint((local_s % DAY_S - phase[day]) / slot_s).astype(np.int64) % per_day
    active, position = np.unique(day, return_inverse=True)
    there = np.zeros((len(active), per_day), dtype=bool)
    there[position, slot] = True
    expected = _Expected(there, active)

    missing = np.zeros(len(breaks), dtype=np.int64)
    for n, b in enumerate(breaks):
        begin, end = local_s[b], local_s[b + 1]
        slots = np.arange(1, int(np.ceil((end - begin) / slot_s)))  # strictly between the two
        at = begin + slots * slot_s
        at = at[at < end - 0.5 * slot_s]
        if len(at) > PAUSE_DAYS * per_day:  # told as a pause: its days need not be looked at
            missing[n] = len(at)
            continue
        which = np.floor(at / DAY_S).astype(np.int64) - first
        of_day = np.rint((at % DAY_S - phase[which]) / slot_s).astype(np.int64) % per_day
        due, sure = expected.of(which, of_day)
        found = int(due.sum())
        usual = not due.all()  # a part of it is no time to record
        missing[n] = found if found > (EDGE_SLOTS if usual and not sure.all() else 0) else 0
    return missing


def _phases(
    local_s: NDArray[np.float64], day: NDArray[np.int64], slot_s: float
) -> NDArray[np.float64]:
    """Where in its slot a recording of each day starts (its circular mean) [days], seconds."""
    angle = 2 * np.pi * ((local_s % DAY_S) % slot_s) / slot_s
    days = int(day[-1]) + 1
    total = np.zeros(days, dtype=np.complex128)
    np.add.at(total, day, np.exp(1j * angle))
    known = np.abs(total) > 0
    # A day without recordings has the phase of the last day that has some.
    last = np.maximum.accumulate(np.where(known, np.arange(days), 0))
    return (np.angle(total[last]) / (2 * np.pi) % 1.0) * slot_s


class _Expected:
    """Whether slots of days are expected, by the active days around."""

    def __init__(self, there: NDArray[np.bool_], active: NDArray[np.int64]) -> None:
        self._active = active
        zero = np.zeros((1, there.shape[1]), dtype=np.int32)
        self._total = np.concatenate([zero, np.cumsum(there, axis=0, dtype=np.int32)])

    def of(
        self, day: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For pairs of a day and a slot; and whether there are days on both sides to say so."""
        n, total = len(self._active), self._total
        low = np.searchsorted(self._active, day, "left")
        high = np.searchsorted(self._active, day, "right")  # without the day itself
        first, last = np.maximum(low - NEIGHBOURS, 0), np.minimum(high + NEIGHBOURS, n)
        before, after = low - first, last - high
        had = total[low, slot] - total[first, slot] >= EXPECTED * before
        has = total[last, slot] - total[high, slot] >= EXPECTED * after
        return had & has & (before + after >= LEAST_NEIGHBOURS), (before > 0) & (after > 0)


def _gap_findings(part: Deployment, interval: float) -> Iterator[Finding]:
    local = part.local_s
    found = gaps(local, local + part.table["duration_s"].to_numpy(), interval)
    every = lasting(interval)
    small = [gap for gap in found if gap.missing <= 2]
    if len(small) > MANY_GAPS:
        found = [gap for gap in found if gap.missing > 2]
        missing = sum(gap.missing for gap in small)
        yield part.finding(
            "warning",
            "gap",
            f"Single recordings are missing {len(small):,} times ({missing:,} in all) where one "
            f"every {every} is usual: look at the card's speed and at the battery's voltage.",
            small[0].before,
            small[-1].after,
            since_s=part.end_s[small[0].before],
            until_s=part.start_s[small[-1].after],
            count=missing,
        )
    for gap in found:
        length = local[gap.after] - local[gap.before] - interval
        pause = length > PAUSE_DAYS * DAY_S
        yield part.finding(
            "note" if pause else _gap_severity(gap.missing, length),
            "pause" if pause else "gap",
            f"Nothing for {lasting(length)}: a pause between two deployments, if it was meant."
            if pause
            else _gap_words(gap.missing, length, interval),
            gap.before,
            gap.after,
            since_s=part.end_s[gap.before],
            until_s=part.start_s[gap.after],
            count=gap.missing,
        )


def _gap_words(missing: int, length_s: float, interval: float) -> str:
    what = "One recording is" if missing == 1 else f"{missing:,} recordings are"
    # A break may hold hours at which this recorder sleeps on every day.
    within = "in a break of " if length_s > LONGER * missing * interval else ""
    return (
        f"{what} missing ({within}{lasting(length_s)}) where one every {lasting(interval)} is "
        "usual: look for them on the card; else the battery, the card or a visit to the recorder "
        "explains it."
    )


def _gap_severity(missing: int, length_s: float) -> Severity:
    if length_s >= DAY_S:
        return "severe"
    return "warning" if missing > 2 else "note"


# --- recordings cut short, and double coverage --------------------------------------------------


def _short_findings(part: Deployment, interval: float | None) -> Iterator[Finding]:
    duration = part.table["duration_s"].to_numpy()
    if interval is None or len(duration) < LEAST_RECORDINGS:
        return
    usual = float(np.median(duration))
    if (np.abs(duration - usual) <= _jitter(usual)).mean() < SAME_LENGTH:
        return
    for first, last in stretches(duration < SHORT * usual):
        n = last - first + 1
        what = (
            f"It lasts {lasting(duration[first])}"
            if n == 1
            else f"{n:,} recordings last {lasting(float(np.median(duration[first : last + 1])))}"
        )
        yield part.finding(
            "warning" if n > 1 else "note",
            "cut short",
            f"{what} where {lasting(usual)} are usual: the battery ran down, the card was full, "
            "or the copy broke off.",
            first,
            last,
            count=n,
        )


def _overlap_findings(part: Deployment) -> Iterator[Finding]:
    start, end = part.start_s, part.end_s
    if len(start) < 2:
        return
    covered = np.maximum.accumulate(end)[:-1]
    duration = part.table["duration_s"].to_numpy()[1:]
    tolerance = np.maximum(JITTER_S, 0.02 * duration)
    overlaps = np.concatenate([[False], covered - start[1:] > tolerance])
    overlaps[1:] &= ~_same_twice(part)
    n = int(overlaps.sum())
    if not n:
        return
    if n >= max(LEAST_RECORDINGS, 0.4 * len(start)):
        yield part.finding(
            "warning",
            "overlap",
            f"{n:,} of {len(start):,} recordings lie over each other in time: two recorders "
            "seem to go under one name. Give each its site with site_pattern when adding the "
            "folder.",
            0,
            len(start) - 1,
            count=n,
        )
        return
    for first, last in stretches(overlaps):
        n = last - first + 1
        seconds = float(np.minimum(covered - start[1:], duration)[first - 1 : last].sum())
        one = "A recording lies" if n == 1 else f"{n:,} recordings lie"
        yield part.finding(
            "warning",
            "overlap",
            f"{one} over the time of the one before ({lasting(seconds)}): its calls count twice. "
            "Copies, a clock that was set back, or two recorders under one name are the causes.",
            first,
            last,
            since_s=start[first],
            count=n,
        )


def _same_twice(part: Deployment) -> NDArray[np.bool_]:
    """Whether a recording and the one before are the same file twice, which is told elsewhere."""
    size = part.table["size_bytes"].to_numpy()
    same: NDArray[np.bool_] = (np.diff(part.start_s) == 0) & (np.diff(size) == 0)
    return same


def _jitter(seconds: float) -> float:
    return max(JITTER_S, JITTER * seconds)
