"""The numbers behind each picture of the screen, ready to be drawn: plain lists for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from explorer.collection.activity import HOURS, UNKNOWN, Tally, limits
from explorer.collection.daylight import EVENTS, Daylight
from explorer.collection.places import metres
from explorer.dashboard.activity.heard import Looks

SPANS = (1, 7, 14, 28, 91)
MOST_SPANS = 400
"""Columns of a map of days and hours: more could not be told apart on a screen."""

MOST_COLUMNS = 1500
"""Of all maps together, when there is one for each site."""

MOST_PANELS = 12
TOP = 0.98
"""The shades end where this share of all recorded time lies below: one lucky minute that was
recorded must not make everything else pale."""


def heat(
    tally: Tally,
    known: Daylight,
    *,
    each: bool,
    effort: bool,
    low: int = 0,
    most_spans: int = MOST_SPANS,
) -> dict[str, Any]:
    """Maps of days and hours, all sites together or one for each.

    Returns
    -------
    dict
        ``first`` day, days of a ``span``, number of spans ``n``, ``low`` hour; ``most``, the value
        of the darkest shade; ``limits`` of each count that occurs; and ``panels``: counts and
        recorded seconds by span and hour, flat, with the sun's hours. ``left`` sites have no panel.
        Empty where no start is known.
    """
    ends = tally.cells.days
    if ends is None:
        return {}
    sites = sites_heard(tally) if each else []
    first, n, span = _spans(ends, min(most_spans, MOST_COLUMNS // max(1, len(sites[:MOST_PANELS]))))
    panels, values, weights = [], [], []
    spread = tally.dispersion
    seen = np.zeros(1)
    for site in sites[:MOST_PANELS] if each else [None]:
        count, hours = tally.grid(first, n, span, site, low)
        there = hours > 0
        values.append((hours * 60 / span if effort else count / np.where(there, hours, 1))[there])
        weights.append(hours[there])
        seen = np.union1d(seen, count[there])
        name = None if site is None else tally.cells.sites[site]
        names = [name] if name is not None else list(tally.cells.sites)
        panels.append(
            {
                "site": name,
                "count": count.ravel().astype(int).tolist(),
                "seconds": np.rint(hours.ravel() * 3600).astype(int).tolist(),
                "sun": sun_of(known, names, first, n, span),
                "note": known.note(names),
            }
        )
    low_count, high_count = limits(seen, spread)
    return {
        "first": date.fromordinal(first).isoformat(),
        "last": date.fromordinal(ends[1]).isoformat(),
        "span": span,
        "n": n,
        "low": low,
        "most": _most(np.concatenate(values), np.concatenate(weights), rates=not effort),
        "limits": [
            [int(k), round(a, 3), round(b, 3)]
            for k, a, b in zip(seen, low_count, high_count, strict=True)
        ],
        "spread": round(spread, 1),
        "panels": panels,
        "left": max(0, len(sites) - MOST_PANELS),
    }


def sun_of(
    known: Daylight, names: Sequence[str], first: int, n: int, span: int
) -> dict[str, Any] | None:
    """Hours of dawn, sunrise, sunset and dusk in the middle of each span; None where not known."""
    site = known.one_for(names)
    if site is None:
        return None
    days = [date.fromordinal(first + i * span + span // 2) for i in range(n)]
    suns = [known.sun(site, day) for day in days]
    if suns[0] is None:
        return None
    found: dict[str, Any] = {
        event: [None if s is None else _rounded(s.hour(event), 3) for s in suns] for event in EVENTS
    }
    found["light"] = [None if s is None else s.light for s in suns]
    return found


def season(looks: Looks, period: Any, *, each: bool, low: int = 0) -> dict[str, Any]:
    """Rates by hour of the day, or by day, week or month, with their intervals.

    All sites together or for each. ``begins`` are the periods' first days, or hours from ``low``.
    """
    hourly = period == "hour"
    tally = looks.by_hour if hourly else looks.by_period
    sites = sites_heard(tally) if each else []
    spread = tally.dispersion
    panels: list[dict[str, Any]] = []
    begins: list[Any] = list(range(low, low + HOURS)) if hourly else []
    for site in sites[:MOST_PANELS] if each else [None]:
        if hourly:
            count, hours = tally.by_hour(site, low)
        else:
            days, count, hours = tally.by_period(period, site)
            begins = [day.isoformat() for day in days]
        least, greatest = limits(count, spread)
        there = hours > 0
        over = np.where(there, hours, 1)
        rates = (("rate", count), ("low", least), ("high", greatest))
        panels.append(
            {
                "site": None if site is None else tally.cells.sites[site],
                "count": count.astype(int).tolist(),
                "hours": np.round(hours, 4).tolist(),
                **{name: _where(there, values / over) for name, values in rates},
            }
        )
    return {
        "begins": begins if any(any(panel["hours"]) for panel in panels) else [],
        "panels": panels,
        "left": max(0, len(sites) - MOST_PANELS),
    }


def sites_table(looks: Looks, places: Any) -> list[dict[str, Any]]:
    """Each site with its rate, the interval, what they rest on, and where it is on a plain map.

    Parameters
    ----------
    places
        `Collection.sites`.
    """
    tally = looks.by_site
    count, hours = tally.by_site()
    low, high = limits(count, tally.dispersion)
    at = {site: i for i, site in enumerate(tally.cells.sites)}
    known = places[places["latitude"].notna()]
    east, north = metres(known["latitude"], known["longitude"])
    position = dict(zip(known["site"], zip(east, north, strict=True), strict=True))
    rows = []
    for place in places.itertuples(index=False):
        i = at.get(place.site)
        recorded = 0.0 if i is None else float(hours[i])
        row: dict[str, Any] = {
            "site": place.site,
            "hours": round(recorded, 4),
            "count": 0 if i is None else int(count[i]),
            "source": place.source,
            "latitude": None,
            "longitude": None,
            "x": None,
            "y": None,
        }
        for name, values in (("rate", count), ("low", low), ("high", high)):
            row[name] = _rounded(values[i] / recorded, 4) if i is not None and recorded else None
        if place.site in position:
            x, y = position[place.site]
            row |= {"latitude": place.latitude, "longitude": place.longitude}
            row |= {"x": round(float(x), 1), "y": round(float(y), 1)}
        rows.append(row)
    return rows


def sites_heard(tally: Tally) -> list[int]:
    """Sites in which anything was recorded under the filter, in order of their names."""
    dated = tally.cells.day != UNKNOWN
    hours = np.bincount(
        tally.cells.site[dated], tally.hours[dated], minlength=len(tally.cells.sites)
    )
    return np.flatnonzero(hours > 0).tolist()


def table(looks: Looks) -> pd.DataFrame:
    """What is looked at as a table: a row for each site, day and hour that was recorded."""
    tally, known = looks.kept, looks.daylight
    cells = tally.cells
    there = np.flatnonzero(tally.hours > 0)
    names = [cells.sites[i] for i in cells.site[there]]
    days = [None if d == UNKNOWN else date.fromordinal(int(d)) for d in cells.day[there]]
    hours = tally.hours[there]
    frame = pd.DataFrame(
        {
            "site": names,
            "day": [None if day is None else day.isoformat() for day in days],
            "hour": pd.array(
                [None if h == UNKNOWN else int(h) for h in cells.hour[there]], "Int64"
            ),
        }
    )
    if known.places:
        suns = [None if d is None else known.sun(n, d) for n, d in zip(names, days, strict=True)]
        for event in ("sunrise", "sunset"):
            at = [None if sun is None else getattr(sun, event) for sun in suns]
            frame[event] = [None if t is None else t.isoformat(timespec="seconds") for t in at]
    frame["recorded_hours"] = hours.round(6)
    if looks.unit != "effort":
        count = tally.count[there]
        low, high = limits(count, tally.dispersion)
        frame[looks.unit] = count.astype(int)
        for name, values in (("per_hour", count), ("low", low), ("high", high)):
            frame[name] = (values / hours).round(4)
    return frame.sort_values(["site", "day", "hour"], ignore_index=True)


def headline(looks: Looks, name: str | None, threshold: float) -> str:
    """What was counted, over what, in one sentence."""
    count, hours = float(looks.kept.count.sum()), float(looks.kept.hours.sum())
    recorded = f"{amount(hours)} recorded"
    if not hours:
        return "Nothing was recorded in what is looked at."
    if looks.unit == "effort" or name is None:
        return f"{recorded}."
    low, high = (float(x) for x in limits(count, looks.kept.dispersion))
    noun = looks.unit if count != 1 else looks.unit[:-1]
    return (
        f"{count:,.0f} {noun} at or above {threshold:.2f} in {recorded}: "
        f"{rate(count / hours)} per hour ({rate(low / hours)}–{rate(high / hours)})."
    )


def amount(hours: float) -> str:
    """A length of sound for people: ``36 s``, ``9 min``, ``4.2 h``, ``1,204 h``."""
    if hours >= 1:
        return f"{hours:,.1f} h" if hours < 100 else f"{hours:,.0f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 1 else f"{hours * 3600:.0f} s"


def rate(value: float) -> str:
    """A rate with as many digits as it deserves.

    Examples
    --------
    >>> rate(0.034), rate(3.14159), rate(1234.5), rate(0)
    ('0.034', '3.1', '1,234', '0')
    """
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _spans(ends: tuple[int, int], most: int) -> tuple[int, int, int]:
    """First day, number of spans and days of a span; spans of weeks begin on Monday."""
    for span in SPANS:
        first = ends[0] if span == 1 else ends[0] - (ends[0] - 1) % 7
        n = (ends[1] - first) // span + 1
        if n <= most:
            break
    return first, n, span


def _most(values: Any, weights: Any, *, rates: bool) -> float:
    """The value up to which shades go."""
    heard = values > 0
    if not heard.any():
        return 0.0
    if not rates:
        return float(values.max())
    order = np.argsort(values[heard])
    share = np.cumsum(weights[heard][order])
    at = int(np.searchsorted(share, TOP * share[-1]))
    return round(float(values[heard][order][min(at, len(order) - 1)]), 4)


def _where(there: Any, values: Any) -> list[float | None]:
    return [
        _rounded(value, 4) if known else None for known, value in zip(there, values, strict=True)
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
