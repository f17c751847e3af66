"""The timeline in numbers: what was recorded, and what was found, as shares of the width.

Up to `SINGLE` recordings of a lane are shown one by one; more of them as the share of the time that
was recorded, in `BINS` steps, measured against what is usual in that lane: a recorder that sleeps
nine minutes of ten is not half absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.health_faults import SEVERITIES
from explorer.collection.health_finding import Deployment

SINGLE, BINS, LEVELS = 160, 600, 5
UNITS = 10_000
"""Places are whole numbers of ten thousandths of the width."""

MARK_BINS = 72
"""Marks nearer than this share of the width are joined into one."""

SPANS = ("gap", "pause", "overlap", "clock not set", "clock in the future")
"""Findings about a stretch of time, which is shown as such."""

HOUR_S, DAY_S = 3600, 86_400
_STEPS_S = (
    *(1, 5, 10, 30, 60, 120, 300, 600, 900, 1800),
    *(HOUR_S * h for h in (1, 2, 3, 6, 12)),
    *(DAY_S * d for d in (1, 2, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
MOST_TICKS = 9


def bars(lane: Deployment, since: float, until: float, worst: Mapping[str, int]) -> dict[str, Any]:
    """What is drawn of one lane in a span of time.

    Returns
    -------
    dict
        ``single``: [first, last, severity, id] of each recording, severity from 0 (nothing found)
        to 3 (severe); or ``dense``: [first, last, level] with the level from 1 to `LEVELS`.
    """
    start, end = lane.start_s, lane.end_s
    longest = float(np.max(end - start, initial=0.0))
    low = int(np.searchsorted(start, since - longest))
    high = int(np.searchsorted(start, until))
    shown = np.arange(low, high)[end[low:high] > since]
    if len(shown) <= SINGLE:
        places = _places(np.stack([start[shown], end[shown]], axis=1), since, until)
        names, ids = lane.table["recording"].iloc[shown], lane.table.index[shown]
        severity = [len(SEVERITIES) - worst.get(name, len(SEVERITIES)) for name in names]
        return {
            "single": [
                [*place, int(s), int(i)] for place, s, i in zip(places, severity, ids, strict=True)
            ]
        }
    return {"dense": _dense(start, end, since, until)}


def _dense(
    start: NDArray[np.float64], end: NDArray[np.float64], since: float, until: float
) -> list[list[int]]:
    edges = np.linspace(since, until, BINS + 1)
    # Recorded seconds up to a time; a stretch that was recorded twice counts once.
    covered = np.maximum.accumulate(np.concatenate([[-np.inf], end[:-1]]))
    begin = np.minimum(np.maximum(start, covered), end)
    times = np.stack([begin, end], axis=1).ravel()
    total = np.cumsum(np.stack([np.zeros(len(end)), end - begin], axis=1).ravel())
    share = np.diff(np.interp(edges, times, total)) / (edges[1] - edges[0])
    there = share > 1e-9
    if not there.any():
        return []
    usual = float(np.median(share[there]))
    level = np.where(there, np.clip(np.ceil(LEVELS * share / usual - 0.25), 1, LEVELS), 0)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], level, [0]])))
    return [
        [round(a / BINS * UNITS), round(b / BINS * UNITS), int(level[a])]
        for a, b in pairwise(changes)
        if level[a]
    ]


def marks(findings: pd.DataFrame, since: float, until: float) -> list[dict[str, Any]]:
    """What was found in one lane in a span of time, joined where marks would cover each other.

    ``findings`` are the lane's, with ``since_s`` and ``until_s``.
    """
    spans = findings["kind"].isin(SPANS).to_numpy()
    begin, end = findings["since_s"].to_numpy(), findings["until_s"].to_numpy()
    inside = (end >= since) & (begin <= until)
    rank = findings["severity"].map(SEVERITIES.index).to_numpy(dtype=int)
    middle = np.clip((np.maximum(begin, since) + np.minimum(end, until)) / 2, since, until)
    place = np.minimum((middle - since) / (until - since) * MARK_BINS, MARK_BINS - 1).astype(int)
    found = []
    for at in np.unique(place[inside]):
        group = np.flatnonzero(inside & (place == at))
        kinds = findings["kind"].iloc[group]
        found.append(
            {
                "at": _place(float(np.median(middle[group])), since, until),
                "severity": SEVERITIES[int(rank[group].min())],
                "count": len(group),
                "words": ", ".join(dict.fromkeys(kinds)),
                "since": float(begin[group].min()),
                "until": float(end[group].max()),
                "spans": _places(
                    np.stack([begin[group], end[group]], axis=1)[spans[group]], since, until
                ),
            }
        )
    return found


def ticks(since: float, until: float, offset_s: float) -> list[list[Any]]:
    """Marks on the axis of time: [place, label, is it a new day or year]."""
    low, high = since + offset_s, until + offset_s
    step = next((s for s in _STEPS_S if (high - low) / s <= MOST_TICKS), None)
    if step is None:
        return [
            [_place(at, low, high), label, strong] for at, label, strong in _month_ticks(low, high)
        ]
    first = -(-low // step) * step
    if step >= 7 * DAY_S:  # weeks begin on Mondays; 1 January 1970 was a Thursday
        first = -(-(low - 4 * DAY_S) // step) * step + 4 * DAY_S
    found = []
    for at in np.arange(first, high, step):
        moment = _moment(float(at))
        new_day = at % DAY_S == 0
        label = f"{moment.day} {moment:%b}" if new_day else f"{moment:%H:%M}"
        if step < 60:
            label = f"{moment:%H:%M:%S}"
        found.append([_place(float(at), low, high), label, bool(new_day)])
    return found


def _month_ticks(low: float, high: float) -> Iterable[tuple[float, str, bool]]:
    months = next(m for m in _MONTHS if (high - low) / (m * 30.44 * DAY_S) <= MOST_TICKS)
    begin = _moment(low)
    number = begin.year * 12 + begin.month - 1
    number -= number % months
    while True:
        moment = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        at = moment.timestamp()
        if at > high:
            return
        if at >= low:
            january = moment.month == 1
            yield at, f"{moment:%Y}" if january else f"{moment:%b}", january
        number += months


def words(since: float, until: float, offset_s: float) -> str:
    """A span of time for people: ``14 Mar 2026, 04:30–09:00``; ``1 May–14 Jun 2026``."""
    a, b = _moment(since + offset_s), _moment(until + offset_s)
    if a.date() == b.date():
        seconds = ":%S" if until - since < 300 else ""
        clock = f"%H:%M{seconds}"
        return f"{a.day} {a:%b %Y}, {a.strftime(clock)}–{b.strftime(clock)}"
    if a.year == b.year:
        return f"{a.day} {a:%b}–{b.day} {b:%b %Y}"
    return f"{a.day} {a:%b %Y}–{b.day} {b:%b %Y}"


def zone_name(offset_s: float) -> str:
    """The name of a fixed zone: ``UTC+10:00``."""
    return str(timezone(timedelta(seconds=offset_s)))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _place(at: float, since: float, until: float) -> int:
    return round(UNITS * (at - since) / (until - since))


def _places(spans: NDArray[np.float64], since: float, until: float) -> list[list[int]]:
    share = np.clip((spans - since) / (until - since), 0, 1)
    return np.rint(share * UNITS).astype(int).tolist()
