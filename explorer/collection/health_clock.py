"""Clocks that were never set, went backwards, or jumped: what start times say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection.health_finding import Deployment, Finding, lasting, stretches, with_starts
from explorer.collection.health_schedule import DAY_S, LONGER, usual_interval

FIRST_YEAR = 1990
"""Before it no card recorder existed: these are the years where clocks begin (1970, 1980)."""

DEFAULT_YEARS = (2000,)
"""Years where the clocks of others begin."""

AHEAD_S = 2 * DAY_S
"""A start this far in the future is no question of time zones."""

BACK_S = 1.0
"""A start this much before the one of the file before goes backwards."""

FORWARD, LEAST_STEPS = 0.8, 5
"""Names with a running number tell of the clock where this share of the steps goes forward, and
there are so many."""

SHIFT_S, SHIFT = 10.0, 0.02
"""A shift of the grid counts from here, in seconds or as a share of the interval: clocks drift by a
second or two a day."""

STEADY = 3
"""A shift is told where so many distances before and after it are the interval."""

SHIFTS_PER_DAY = 0.1
"""More shifts than this (and than `STEADY`) belong to the schedule, such as one of the sun."""

_DIGITS = re.compile(r"\d+")


def unset(deployment: Deployment, now: datetime | None = None) -> NDArray[np.bool_]:
    """Which start times cannot be true: from the years where clocks begin, or the future."""
    ahead = (now or datetime.now(UTC)).timestamp() + AHEAD_S
    year = deployment.local_s.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    return (year < FIRST_YEAR) | np.isin(year, DEFAULT_YEARS) | (deployment.start_s > ahead)


def clock_findings(deployment: Deployment, now: datetime | None = None) -> Iterator[Finding]:
    """Start times that cannot be true, and shifts of the schedule's grid."""
    wrong = unset(deployment, now)
    ahead = (now or datetime.now(UTC)).timestamp() + AHEAD_S
    for first, last in stretches(wrong):
        n = last - first + 1
        future = deployment.start_s[first] > ahead
        moment = deployment.moment(deployment.start_s[first], first)
        what = "One recording says" if n == 1 else f"{n:,} recordings say"
        yield deployment.finding(
            "severe",
            "clock in the future" if future else "clock not set",
            f"{what} {moment:%Y-%m-%d %H:%M}, which "
            + ("is still to come" if future else "is where a clock begins that was never set")
            + ": hours and seasons of these are wrong. Set the clock before each deployment; here, "
            "leave them out of counts by hour.",
            first,
            last,
            count=n,
        )
    yield from _shift_findings(deployment.of(~wrong))


def _shift_findings(part: Deployment) -> Iterator[Finding]:
    interval = usual_interval(part.local_s)
    if interval is None:
        return
    distance = np.diff(part.local_s)
    steady = np.abs(distance - interval) <= max(2.0, 0.01 * interval)
    shift = distance - interval * np.maximum(np.rint(distance / interval), 0)
    limit = max(SHIFT_S, SHIFT * interval)
    # Within a session, or over a short gap: a break of most of a day is the schedule's own.
    shifted = (np.abs(shift) > limit) & (distance < max(LONGER * interval, DAY_S / 2))
    shifted &= _steady_around(steady)
    at = np.flatnonzero(shifted)
    days = (part.local_s[-1] - part.local_s[0]) / DAY_S + 1
    if len(at) > max(STEADY, SHIFTS_PER_DAY * days):
        return
    for before in at:
        by = float(shift[before])
        yield part.finding(
            "warning",
            "clock shift",
            f"From here on recordings start {lasting(abs(by))} {'later' if by > 0 else 'earlier'} "
            f"than the grid of one every {lasting(interval)} had it: the clock was set, or lost "
            "power. Times on one of the two sides are off by that much.",
            int(before) + 1,
            int(before) + 1,
        )


def _steady_around(steady: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether `STEADY` distances right before and right after each are the interval."""
    total = np.concatenate([[0], np.cumsum(steady)])
    place = np.arange(len(steady))
    before = total[place] - total[np.maximum(place - STEADY, 0)]
    after = total[np.minimum(place + 1 + STEADY, len(steady))] - total[place + 1]
    return np.asarray((before == STEADY) & (after == STEADY))


def backward_findings(recordings: pd.DataFrame) -> Iterator[Finding]:
    """Start times that go backwards where the running number of the files goes forward.

    Only names with a running number can tell: names made of the time itself always agree with it.
    """
    timed = with_starts(recordings)
    folders, stems = _split(timed["recording"].astype(str))
    frame = timed.assign(
        kind=[
            f"{folder}/{_DIGITS.sub('#', stem)}"
            for folder, stem in zip(folders, stems, strict=True)
        ],
        stem=stems,
        site=timed["site"].fillna("").astype(str),
        device=timed["device"].fillna("").astype(str),
    )
    for _, group in frame.groupby(["kind", "site", "device"], sort=True):
        if len(group) <= LEAST_STEPS:
            continue
        numbers = [[int(n) for n in _DIGITS.findall(stem)] for stem in group["stem"]]
        ordered = group.iloc[sorted(range(len(group)), key=numbers.__getitem__)]
        step = np.diff(ordered["start_s"].to_numpy())
        if (step > 0).mean() < FORWARD:
            continue
        back = np.flatnonzero(step < -BACK_S)
        site, device = str(ordered["site"].iloc[0]), str(ordered["device"].iloc[0])
        whole = Deployment(site, device, ordered)
        for before in back:
            previous = PurePosixPath(str(ordered["recording"].iloc[before])).name
            yield whole.finding(
                "severe",
                "clock goes backwards",
                f"It starts {lasting(-float(step[before]))} before {previous}, which was recorded "
                "first by its number: the clock was set back or lost power. Times from here on, "
                "or those before, are wrong.",
                int(before) + 1,
            )


def _split(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Folders, and names without folder and ending; quicker than paths for years of recordings."""
    parts = [name.rpartition("/") for name in names]
    return [folder for folder, _, _ in parts], [file.rpartition(".")[0] for _, _, file in parts]


def untimed_findings(recordings: pd.DataFrame) -> Iterator[Finding]:
    """Recordings without a start time, by site."""
    without = recordings[recordings["started_at"].isna()]
    for site, group in without.groupby(without["site"].fillna("").astype(str), sort=True):
        n = len(group)
        yield Finding(
            "note",
            "no start time",
            ("One recording carries" if n == 1 else f"{n:,} recordings carry")
            + " no start time, neither in the file nor in the name, and "
            + ("is" if n == 1 else "are")
            + " no part of any hour or season. Names such as SITE_20260314_043000.wav are read.",
            site=str(site),
            recording=str(group["recording"].iloc[0]) if n == 1 else "",
            count=n,
        )


def kept(found: Iterable[Deployment], now: datetime | None = None) -> list[Deployment]:
    """Deployments without the recordings whose clock cannot be right."""
    sound = [part.of(~unset(part, now)) for part in found]
    return [part for part in sound if len(part.table)]
