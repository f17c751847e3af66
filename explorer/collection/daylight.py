"""Sunrise, sunset and civil twilight at each site, by the recorder's own clock.

Calls keep to the sun rather than to the clock: a dawn chorus that moves through the hours of a year
stands still in hours after sunrise. The sun's times are computed by astral (NOAA's formulas, right
to about a minute between the polar circles) for the site's position (`explorer.collection.places`),
and given by the clock that the site's recordings kept: the collection's time zone where their
times agree with it, else the difference to UTC of the recording nearest in time.

Where the position or the clock is not known, and on days on which the sun does not rise or set,
there is None and never an error.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.metadata import read_timezone
from explorer.collection.counts import clock
from explorer.collection.windows import WindowIndex

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

CIVIL = 6.0
"""Degrees of the sun below the horizon at civil dawn and dusk."""

NEAR_DEGREES = 1.0
"""Sites that lie within this of each other have one sun: it rises within four minutes."""

ASSUMED = (
    "These recordings do not say their time zone and were read as UTC: where their clocks ran on "
    "another zone, sunrise is drawn at the wrong hour. Enter them again with --timezone."
)

Event = Literal["dawn", "sunrise", "sunset", "dusk"]
Light = Literal["day", "night"]
EVENTS: tuple[Event, ...] = ("dawn", "sunrise", "sunset", "dusk")


@dataclass(frozen=True)
class Sun:
    """The sun's times at one place on one local day; None where it does not reach that height.

    ``light`` is ``"day"`` where the sun does not set (polar day), ``"night"`` where it does not
    rise, and None on an ordinary day.
    """

    dawn: datetime | None
    sunrise: datetime | None
    sunset: datetime | None
    dusk: datetime | None
    light: Light | None = None

    def hour(self, event: Event) -> float | None:
        """Hour of the local day of an event, as a fraction."""
        at: datetime | None = getattr(self, event)
        return None if at is None else at.hour + at.minute / 60 + at.second / 3600


@lru_cache(maxsize=50_000)
def sun(latitude: float, longitude: float, day: date, zone: tzinfo) -> Sun:
    """The sun's times at a position on a day of a zone's clock.

    Examples
    --------
    >>> brisbane = sun(-27.4698, 153.0251, date(2026, 6, 21), read_timezone("+10:00"))
    >>> f"{brisbane.sunrise:%H:%M} {brisbane.sunset:%H:%M}"
    '06:37 17:01'
    """
    from astral import Observer  # noqa: PLC0415
    from astral import sun as astral  # noqa: PLC0415

    observer = Observer(latitude, longitude)

    def at(find: Callable[..., datetime], *degrees: float) -> datetime | None:
        try:
            return find(observer, day, *degrees, zone)
        except ValueError:  # the sun does not reach that height on this day
            return None

    rise, fall = at(astral.sunrise), at(astral.sunset)
    light: Light | None = None
    if rise is None and fall is None:
        light = "day" if astral.elevation(observer, astral.noon(observer, day)) > 0 else "night"
    return Sun(at(astral.dawn, CIVIL), rise, fall, at(astral.dusk, CIVIL), light)


@dataclass(frozen=True)
class SiteClock:
    """Which zone the recorders of one site kept, as far as their recordings tell.

    Attributes
    ----------
    moments
        When its recordings began, seconds since 1970, ascending.
    offsets
        The difference to UTC of each, in seconds.
    zone
        The collection's time zone, where it agrees with all of them.
    assumed
        Whether some recording carried no zone and was read as UTC.
    """

    moments: tuple[float, ...]
    offsets: tuple[float, ...]
    zone: tzinfo | None = None
    assumed: bool = False

    @classmethod
    def of(
        cls, started: Iterable[datetime], zone: tzinfo | None = None, *, assumed: bool = False
    ) -> SiteClock:
        """The clock that some recordings' starts speak of."""
        known = sorted(started)
        offsets = tuple(_offset(at) for at in known)
        agrees = zone is not None and all(
            _offset(at.astimezone(zone)) == offset
            for at, offset in zip(known, offsets, strict=True)
        )
        return cls(
            tuple(at.timestamp() for at in known), offsets, zone if agrees else None, assumed
        )

    def zone_on(self, day: date) -> tzinfo | None:
        """The zone that holds on a local day; None where no recording tells."""
        if self.zone is not None:
            return self.zone
        if not self.moments:
            return None
        noon = datetime.combine(day, time(12), UTC).timestamp() - self.offsets[0]
        after = bisect.bisect_left(self.moments, noon)
        near = min(
            (i for i in (after - 1, after) if 0 <= i < len(self.moments)),
            key=lambda i: abs(self.moments[i] - noon),
        )
        return timezone(timedelta(seconds=self.offsets[near]))


@dataclass(frozen=True)
class Daylight:
    """The sun at all sites of a collection.

    Attributes
    ----------
    places
        Latitude and longitude by site; only sites whose place is known are there.
    clocks
        Their clocks.
    """

    places: dict[str, tuple[float, float]]
    clocks: dict[str, SiteClock]

    @classmethod
    def of(cls, collection: Collection) -> Daylight:
        """What a collection knows of its sites now."""
        table = collection.sites
        known = table[table["latitude"].notna()]
        setting = collection.catalogue.setting("timezone")
        zone = read_timezone(setting) if setting else None
        recordings = collection.recordings
        names = recordings["site"].fillna("").astype(str)
        sources = recordings.get("zone_source", pd.Series(None, recordings.index, dtype=object))
        clocks = {}
        for name, rows in recordings.groupby(names).groups.items():
            started = recordings.loc[rows, "started_at"].dropna()
            clocks[str(name)] = SiteClock.of(
                (datetime.fromisoformat(text) for text in started),
                zone,
                assumed=bool((sources.loc[started.index] == "assumed").any()),
            )
        return cls(
            {
                row.site: (float(row.latitude), float(row.longitude))
                for row in known.itertuples(index=False)
            },
            clocks,
        )

    def sun(self, site: str, day: date) -> Sun | None:
        """The sun at a site on a local day; None where its place or its clock is not known."""
        place = self.places.get(site)
        clock = self.clocks.get(site)
        zone = None if clock is None else clock.zone_on(day)
        return None if place is None or zone is None else sun(*place, day, zone)

    def one_for(self, sites: Iterable[str]) -> str | None:
        """A site whose sun holds for all of these; None where they lie too far apart.

        Sites whose place is not known are passed over.
        """
        known = [site for site in sites if site in self.places]
        if not known:
            return None
        positions = np.array([self.places[site] for site in known])
        longitude = (positions[:, 1] - positions[0, 1] + 180) % 360 - 180
        if max(np.ptp(positions[:, 0]), np.ptp(longitude)) > NEAR_DEGREES:
            return None
        middle = np.abs(positions[:, 0] - positions[:, 0].mean()) + np.abs(
            longitude - longitude.mean()
        )
        return known[int(middle.argmin())]

    def note(self, sites: Iterable[str]) -> str:
        """What one should know before believing the sun's times; empty where all is well."""
        assumed = any(
            site in self.places and site in self.clocks and self.clocks[site].assumed
            for site in sites
        )
        return ASSUMED if assumed else ""


def daylight(collection: Collection) -> pd.DataFrame:
    """The sun on every day of every site; see `Collection.daylight`."""
    known = Daylight.of(collection)
    rows = []
    for place in collection.sites.itertuples(index=False):
        if place.site not in known.places or place.first is None:
            continue
        day = datetime.fromisoformat(place.first).date()
        last = datetime.fromisoformat(place.last).date()
        while day <= last:
            found = known.sun(place.site, day)
            assert found is not None  # there is a place, and a recording that tells the clock
            times = [getattr(found, event) for event in EVENTS]
            rows.append(
                (
                    place.site,
                    day.isoformat(),
                    *(None if at is None else at.isoformat(timespec="seconds") for at in times),
                    None if found.light is None else f"polar {found.light}",
                )
            )
            day += timedelta(days=1)
    return pd.DataFrame(rows, columns=["site", "day", *EVENTS, "light"], dtype=object)


def hours_after(
    index: WindowIndex, known: Daylight, event: Literal["sunrise", "sunset"]
) -> NDArray[np.float64]:
    """Hours from the nearest sunrise (or sunset) to the start of each window, [n_windows].

    From -12 (before it) to 12. The sun of the window's own local day stands for that of its
    neighbours, which is right to a few minutes. Not a number where the start or the place is not
    known, or where the sun does not rise (or set) on that day.
    """
    at = clock(index)
    sites, names = pd.factorize(index.recordings["site"].fillna("").astype(str).to_numpy(object))
    days = at.astype("datetime64[D]")
    dated = ~np.isnat(days)
    hour = np.full(len(at), np.nan)
    hour[dated] = (at[dated] - days[dated]) / np.timedelta64(1, "h")
    number = days.astype(np.int64)
    key = sites[index.position] * 10**7 + np.where(dated, number, 0)
    each, first, place = np.unique(key, return_index=True, return_inverse=True)
    events = np.full(len(each), np.nan)
    for i, row in enumerate(first):
        if dated[row]:
            found = known.sun(str(names[sites[index.position[row]]]), days[row].item())
            hours = None if found is None else found.hour(event)
            events[i] = np.nan if hours is None else hours
    return (hour - events[place] + 12) % 24 - 12


def _offset(at: datetime) -> float:
    offset = at.utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
