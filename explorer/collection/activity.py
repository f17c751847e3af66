"""When and where a sound is heard: rates per recorded hour, with what they rest on.

Everything here stands on the same effort as `explorer.collection.counts`: the hours of sound that
were recorded then and there. Where nothing was recorded there is no rate (not a number), where
there is sound and no detection the rate is 0: absence of evidence and evidence of absence differ.

A rate comes with an interval, because 3 in 0.2 h may be luck. It is Garwood's exact interval of a
Poisson count (Garwood 1936, *Biometrika* 28), widened by how much the counts of like hours vary
from day to day (`dispersion`): animals call in bouts, and a bout counts as little more than one
call. The interval does not know how many detections are mistakes; a `study.Study` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from explorer.collection.counts import GROUP_BY, GroupBy, begins, groups_of, recorded_s
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier, Threshold
    from explorer.collection.collection import Collection

Unit = Literal["windows", "detections"]
Clock = Literal["hour", "after_sunrise", "after_sunset"]
Period = Literal["day", "week", "month"]
CLOCKS: tuple[str, ...] = get_args(Clock)
PERIODS: tuple[str, ...] = get_args(Period)

HOURS = 24
UNKNOWN = np.iinfo(np.int32).min
"""Day or hour of a window whose start (or sunrise) is not known."""

LEVEL = 0.95
ENOUGH_CELLS = 20
"""Fewer hours that have a like hour on another day say nothing about how counts vary."""


def limits(
    count: ArrayLike, dispersion: float = 1.0, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of the count to be expected, given the one that was seen.

    Parameters
    ----------
    count
        How many were counted, [n]. Divide both limits by the hours for an interval of the rate.
    dispersion
        Variance over mean of such counts; 1 for independent ones.

    Returns
    -------
    tuple
        Low and high, [n]: Garwood's limits of count / dispersion, times dispersion.

    Examples
    --------
    >>> [limit.round(2).tolist() for limit in limits([0, 3])]
    [[0.0, 0.62], [3.69, 8.77]]
    """
    from scipy.stats import chi2  # noqa: PLC0415

    seen = np.asarray(count, dtype=np.float64) / dispersion
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(seen > 0, chi2.ppf(tail, 2 * seen) / 2, 0.0)
    high = chi2.ppf(1 - tail, 2 * seen + 2) / 2
    return low * dispersion, high * dispersion


@dataclass(frozen=True, eq=False)
class Cells:
    """The hours of each day at each site in which something was recorded.

    Attributes
    ----------
    sites
        Names of the sites, in order; an empty one for recordings whose site is not known.
    site, day, hour
        int32 ``[n_cells]``: index into ``sites``; ordinal of the recorder's local date; hour of the
        day, or after sunrise or sunset. ``UNKNOWN`` where not known.
    of_window
        int64 ``[n_windows]``: the cell of each window.
    seconds
        ``[n_windows]``: the sound that each window adds (`counts.recorded_s`).
    """

    sites: tuple[str, ...]
    site: NDArray[np.int32]
    day: NDArray[np.int32]
    hour: NDArray[np.int32]
    of_window: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.site)

    @property
    def days(self) -> tuple[int, int] | None:
        """The first and the last day; None where no start is known."""
        known = self.day[self.day != UNKNOWN]
        return (int(known.min()), int(known.max())) if len(known) else None

    @cached_property
    def hours(self) -> NDArray[np.float64]:
        """Recorded hours of each cell."""
        return summed(self.of_window, len(self), self.seconds) / 3600

    def tally(
        self, rows: NDArray[np.integer] | None = None, within: NDArray[np.bool_] | None = None
    ) -> Tally:
        """Count windows, and the hours in which they could have been.

        Parameters
        ----------
        rows
            The windows that count; None to look at the effort alone.
        within
            Which windows are looked at (bool ``[n_windows]``): only these count as recorded. It
            must speak of when and where only. None for all of them.
        """
        hours = self.hours
        if within is not None:
            inside = self.of_window[within]
            hours = summed(inside, len(self), self.seconds[within]) / 3600
        counted = np.zeros(len(self))
        if rows is not None:
            kept = rows if within is None else rows[within[rows]]
            counted = summed(self.of_window[kept], len(self))
        return Tally(self, counted, hours)


@dataclass(frozen=True, eq=False)
class Tally:
    """What was counted in each cell, and in how many recorded hours: float64 [n_cells] both."""

    cells: Cells
    count: NDArray[np.float64]
    hours: NDArray[np.float64]

    @cached_property
    def dispersion(self) -> float:
        """How much the counts of like hours vary, over what independent calls would; 1 or more.

        Pearson's statistic over its degrees of freedom, with a rate for each site, month and hour.
        1 too where there are too few days to tell.
        """
        cells = self.cells
        there = (self.hours > 0) & (cells.day != UNKNOWN) & (cells.hour != UNKNOWN)
        if not there.any():
            return 1.0
        month = _numbered(cells.day[there], "month")
        hour = cells.hour[there] + HOURS  # those before sunrise are negative
        like = (cells.site[there] * np.int64(10**6) + month - month.min()) * (3 * HOURS) + hour
        _, group = np.unique(like, return_inverse=True)
        count, hours = self.count[there], self.hours[there]
        groups = int(group.max()) + 1
        rate = summed(group, groups, count) / summed(group, groups, hours)
        expected = rate[group] * hours
        heard = (expected > 0) & (np.bincount(group)[group] > 1)
        freedom = np.count_nonzero(heard) - len(np.unique(group[heard]))
        if freedom < ENOUGH_CELLS:
            return 1.0
        pearson = ((count[heard] - expected[heard]) ** 2 / expected[heard]).sum()
        return max(1.0, float(pearson / freedom))

    def grid(
        self, first: int, spans: int, days: int = 1, site: int | None = None, low: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Counts and recorded hours by span of days and hour, ``[spans, 24]`` each.

        Parameters
        ----------
        first
            Ordinal of the first day.
        spans, days
            How many spans, and how many days each is long.
        site
            Index of the only site that counts; None for all together.
        low
            The first hour of the 24; below 0 with hours before sunrise.
        """
        cells = self.cells
        inside = (cells.day >= first) & (cells.day < first + spans * days)
        inside &= (cells.hour >= low) & (cells.hour < low + HOURS)
        if site is not None:
            inside &= cells.site == site
        at = (cells.day[inside] - first) // days * HOURS + cells.hour[inside] - low
        size = spans * HOURS
        count, hours = (summed(at, size, x[inside]) for x in (self.count, self.hours))
        return count.reshape(spans, HOURS), hours.reshape(spans, HOURS)

    def by_site(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Counts and recorded hours of each site, ``[n_sites]`` each."""
        site, n = self.cells.site, len(self.cells.sites)
        return summed(site, n, self.count), summed(site, n, self.hours)

    def by_hour(
        self, site: int | None = None, low: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Counts and recorded hours by hour of the day (from ``low``), all days together, [24]."""
        cells = self.cells
        inside = (cells.hour >= low) & (cells.hour < low + HOURS)
        if site is not None:
            inside &= cells.site == site
        at = cells.hour[inside] - low
        return summed(at, HOURS, self.count[inside]), summed(at, HOURS, self.hours[inside])

    def by_period(
        self, period: Period, site: int | None = None
    ) -> tuple[list[date], NDArray[np.float64], NDArray[np.float64]]:
        """First days of all periods from first to last, and counts and recorded hours in each."""
        cells = self.cells
        ends = cells.days
        if ends is None:
            return [], np.zeros(0), np.zeros(0)
        known = cells.day != UNKNOWN
        if site is not None:
            known &= cells.site == site
        first, last = _numbered(np.array(ends), period)
        at = _numbered(cells.day[known], period) - first
        n = int(last - first) + 1
        count, hours = (summed(at, n, x[known]) for x in (self.count, self.hours))
        return [_begins(int(first) + i, period) for i in range(n)], count, hours


def summed(
    group: NDArray[np.integer], n: int, values: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Sum of the values (or how many there are) in each of ``n`` groups."""
    return np.bincount(group, values, n).astype(np.float64)


def cells(collection: Collection, clock: Clock = "hour", run: str | None = None) -> Cells:
    """The recorded hours of a run; made once, and again when there is more."""
    run = run or collection.run
    stamp: object = collection.n_windows(run)
    if clock != "hour":
        from explorer.collection.daylight import Daylight  # noqa: PLC0415

        # Who gives a site another place gives it another sun.
        stamp = (stamp, tuple(sorted(Daylight.of(collection).places.items())))
    made: Cells = collection._keep(
        ("cells", str(run), clock), stamp, lambda: _made(collection, clock, run)
    )
    return made


def activity(
    collection: Collection,
    by: GroupBy | Clock | Sequence[str] = ("site", "day", "hour"),
    *,
    classifier: Classifier | None = None,
    class_: str | None = None,
    threshold: Threshold = None,
    unit: Unit = "windows",
    gap_s: float = 0.0,
    run: str | None = None,
) -> pd.DataFrame:
    """Rates per recorded hour with intervals; see `Collection.activity`."""
    if unit not in get_args(Unit):
        raise ParameterError(f"unit is windows or detections, not {unit!r}")
    run = classifier.run if classifier is not None else run
    index = collection.index(run)
    wanted = [by] if isinstance(by, str) else list(by)
    groups = groups_of(index, wanted, _sun_hours(collection, wanted, run))
    hours = np.bincount(groups.of_window, recorded_s(index), len(groups)) / 3600
    if classifier is None:
        return groups.names.assign(recorded_hours=hours)
    cuts, scores = classifier.cuts(threshold), classifier.scores()
    parts = []
    for name in classifier.classes if class_ is None else [class_]:
        rows = np.flatnonzero(scores[:, classifier.column(name)] >= cuts[name])
        if unit == "detections":
            rows = begins(index, rows, gap_s=gap_s)
        count = np.bincount(groups.of_window[rows], minlength=len(groups))
        spread = cells(collection, run=run).tally(rows).dispersion
        low, high = limits(count, spread)
        parts.append(
            groups.names.assign(
                **{
                    "class": name,
                    unit: count,
                    "recorded_hours": hours,
                    "per_hour": count / hours,
                    "low": low / hours,
                    "high": high / hours,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def day_names(first: int, spans: int, days: int = 1) -> list[tuple[date, date]]:
    """The first and the last day of each span."""
    begin = date.fromordinal(first)
    return [
        (begin + timedelta(days=i * days), begin + timedelta(days=(i + 1) * days - 1))
        for i in range(spans)
    ]


def _made(collection: Collection, clock: Clock, run: str | None) -> Cells:
    index = collection.index(run)
    groups = groups_of(index, ["site", "day", clock], _sun_hours(collection, [clock], run))
    names = groups.names
    named = names["site"].map(lambda site: site if isinstance(site, str) else "")
    code, sites = pd.factorize(named.to_numpy(object), sort=True)
    days = [
        date.fromisoformat(day).toordinal() if isinstance(day, str) else UNKNOWN
        for day in names["day"]
    ]
    day = np.array(days, dtype=np.int32)
    hour = names[clock].fillna(UNKNOWN).to_numpy(np.int32)
    return Cells(
        tuple(str(site) for site in sites),
        code.astype(np.int32),
        day,
        hour,
        groups.of_window,
        recorded_s(index),
    )


def _sun_hours(
    collection: Collection, by: Sequence[str], run: str | None
) -> dict[str, NDArray[np.float64]] | None:
    """Hours after sunrise or sunset of each window, where they are asked for."""
    wanted = [name for name in CLOCKS if name in by and name not in GROUP_BY]
    if not wanted:
        return None
    from explorer.collection.daylight import Daylight, hours_after  # noqa: PLC0415

    index, known = collection.index(run), Daylight.of(collection)
    if not known.places:
        raise ParameterError(
            "sunrise is known only where the sites are: say so with collection.place(site, "
            'latitude, longitude), or explorer sites COLLECTION --set "SITE=latitude,longitude"'
        )
    return {
        name: hours_after(index, known, "sunrise" if name == "after_sunrise" else "sunset")
        for name in wanted
    }


def _numbered(day: NDArray[np.integer], period: Period) -> NDArray[np.int64]:
    """Number of the day, week (from Monday) or month that ordinals lie in."""
    if period == "day":
        return day.astype(np.int64)
    if period == "week":  # day 1 was a Monday
        return ((day - 1) // 7).astype(np.int64)
    since_1970 = (day - date(1970, 1, 1).toordinal()).astype("datetime64[D]")
    return since_1970.astype("datetime64[M]").astype(np.int64)


def _begins(number: int, period: Period) -> date:
    if period == "day":
        return date.fromordinal(number)
    if period == "week":
        return date.fromordinal(number * 7 + 1)
    return date(1970 + number // 12, number % 12 + 1, 1)
