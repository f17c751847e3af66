"""Where recorders stood: what they wrote themselves, and what a person says.

Some recorders write their position into each file (GUANO's ``Loc Position``); a site then stands
at the median of its recordings. What a person gives (`place`, `import_sites`) has the last word.
Positions are degrees in WGS 84, north and east positive.

Recordings whose site is not known are a site of their own with an empty name, so that a collection
of one recorder without a name can be given its place too.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import ArrayLike, NDArray

from explorer.collection import schema
from explorer.errors import CollectionError, ParameterError
from explorer.exchange.cells import unguarded

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

EARTH_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

APART_M = 200.0
"""Positions of one site that lie further apart than this are told: GPS alone does not do it."""

_DEGREES = r"([+−-]?\d+(?:\.\d+)?)\s*°?\s*"
_POSITION = re.compile(rf"{_DEGREES}([NS])?[\s,;]+{_DEGREES}([EW])?", re.IGNORECASE)

COLUMNS = ["site", "latitude", "longitude", "recordings", "hours", "first", "last", "source"]
NAMES: dict[str, tuple[str, ...]] = {
    "site": ("site", "name", "location", "station", "plot"),
    "latitude": ("latitude", "lat", "y"),
    "longitude": ("longitude", "lon", "lng", "long", "x"),
}
"""What the columns of a table of sites may be called, whatever their case."""


def sites(collection: Collection) -> pd.DataFrame:
    """All sites and where they are; see `Collection.sites`."""
    known = collection.recordings
    given = _given(collection.catalogue.engine)
    rows = []
    for name, own in known.groupby(known["site"].fillna("").astype(str), sort=True):
        place = given.get(str(name))
        source: str | None = "given"
        if place is None:
            written = own[["latitude", "longitude"]].dropna().to_numpy(np.float64)
            place = _middle(written)
            source = "recorder" if len(written) else None
        started = own["started_at"].dropna()
        by_time = sorted(started, key=_instant)
        rows.append(
            (
                str(name),
                *place,
                len(own),
                float(own["duration_s"].sum()) / 3600,
                by_time[0] if by_time else None,
                by_time[-1] if by_time else None,
                source,
            )
        )
    table = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    return table.astype(
        {"hours": "float64", "latitude": "float64", "longitude": "float64", "recordings": "int64"}
    )


def spread_m(collection: Collection) -> pd.Series:
    """How far apart, in metres, the recorder's own positions of one site lie, by site.

    Only sites are there at which it is more than GPS would explain (200 m): a recorder was moved,
    or two places share a name.
    """
    known = collection.recordings.dropna(subset=["latitude", "longitude"])
    found = {}
    for name, own in known.groupby(known["site"].fillna("").astype(str)):
        east, north = metres(own["latitude"], own["longitude"])
        across = math.hypot(float(np.ptp(east)), float(np.ptp(north)))
        if across > APART_M:
            found[str(name)] = across
    return pd.Series(found, dtype="float64")


def place(
    collection: Collection, site: str, latitude: float | None, longitude: float | None
) -> None:
    """Say where a site is; see `Collection.place`."""
    _write(collection, {site: (latitude, longitude)})


@dataclass(frozen=True)
class SitesReport:
    """What a table of sites brought: names that were placed, and names that no recording has."""

    placed: tuple[str, ...]
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{_many(len(self.placed))} placed."
        if self.unknown:
            shown = ", ".join(self.unknown[:3]) + (" …" if len(self.unknown) > 3 else "")
            text += f" {_many(len(self.unknown))} left out, because no recording is of {shown}."
        return text


def import_sites(collection: Collection, path: str | Path) -> SitesReport:
    """Take in the places of sites from a table; see `Collection.import_sites`."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CollectionError(f"{path}: cannot be read ({error.strerror or error})") from error
    return take_in(collection, data, path.name)


def take_in(collection: Collection, data: bytes, name: str) -> SitesReport:
    """Take in a table of sites that is at hand as bytes, such as one from a browser."""
    wanted = read_sites(data, name)
    there = _names(collection)
    placed = {site: place for site, place in wanted.items() if site in there}
    if not placed:
        raise ParameterError(
            f"{name}: none of its {_many(len(wanted))} is a site of {collection.name}: "
            f"there are {_some(there)}"
        )
    _write(collection, placed)
    return SitesReport(tuple(placed), tuple(site for site in wanted if site not in there))


def read_sites(data: bytes, name: str) -> dict[str, tuple[float, float]]:
    """Read a table with the columns site, latitude and longitude (or the like).

    Comma, semicolon or tab; with semicolons and tabs a number may have a decimal comma.

    Raises
    ------
    ParameterError
        If a column is missing, or a line has no position; it names the line.

    Examples
    --------
    >>> read_sites("Name;Lat;Lon\\nRidge;-27,5;153,0\\n".encode(), "sites.csv")
    {'Ridge': (-27.5, 153.0)}
    """
    text = data.decode("utf-8-sig", errors="replace")
    head = text.split("\n", 1)[0]
    comma = max(",;\t", key=head.count)
    lines = list(csv.reader(io.StringIO(text), delimiter=comma))
    titles = [title.strip().lower() for title in lines[0]] if lines else []
    at = {}
    for column, names in NAMES.items():
        column_at = next((titles.index(n) for n in names if n in titles), None)
        if column_at is None:
            raise ParameterError(
                f"{name}: there is no column {column}. A table of sites begins with the line "
                "site,latitude,longitude"
            )
        at[column] = column_at
    found: dict[str, tuple[float, float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in line):
            continue
        cells = [*line, *[""] * len(titles)]
        values = [cells[at[column]].strip() for column in NAMES]
        if comma != ",":
            values[1:] = [value.replace(",", ".") for value in values[1:]]
        try:
            position = _checked(float(values[1]), float(values[2]))
        except (ValueError, ParameterError) as error:
            raise ParameterError(
                f"{name}, line {number}: {values[1]!r}, {values[2]!r} is no position in degrees, "
                "such as -27.4698, 153.0251"
            ) from error
        found[unguarded(values[0])] = position
    return found


def read_position(text: str) -> tuple[float, float]:
    """Read a position as a person writes it: ``-27.4698, 153.0251`` or ``27.47 S 153.03 E``.

    Raises
    ------
    ParameterError
        If it is none.

    Examples
    --------
    >>> read_position("27.4698° S, 153.0251° E")
    (-27.4698, 153.0251)
    """
    found = _POSITION.fullmatch(text.strip())
    if found is None:
        raise ParameterError(
            f"{text.strip()!r} is no position: write latitude and longitude in degrees, such as "
            "-27.4698, 153.0251"
        )
    latitude, longitude = (float(found[group].replace("−", "-")) for group in (1, 3))
    if (found[2] or "").upper() == "S":
        latitude = -abs(latitude)
    if (found[4] or "").upper() == "W":
        longitude = -abs(longitude)
    return _checked(latitude, longitude)


def metres(
    latitude: ArrayLike, longitude: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres east and north of the middle of some positions, for a plain map of them.

    An equirectangular projection about the middle: true to a few per cent over hundreds of
    kilometres. Positions on both sides of the date line stay together.

    Examples
    --------
    >>> east, north = metres([0.0, 0.0], [179.99, -179.99])
    >>> (east - east[0]).round()
    array([   0., 2224.])
    """
    lat = np.asarray(latitude, dtype=np.float64)
    lon = np.asarray(longitude, dtype=np.float64)
    if not lat.size:
        return lat, lon
    middle_lat, middle_lon = _middle(np.column_stack([lat, lon]), middle=np.mean)
    around = (lon - middle_lon + 180) % 360 - 180
    east = np.radians(around) * EARTH_M * math.cos(math.radians(middle_lat))
    return east, np.radians(lat - middle_lat) * EARTH_M


def _middle(positions: NDArray[np.float64], middle: Any = np.median) -> tuple[float, float]:
    """The median position, also across the date line; not a number where there is none."""
    if not len(positions):
        return math.nan, math.nan
    latitude, longitude = positions.T
    first = longitude[0]
    around = float(middle((longitude - first + 180) % 360 - 180))
    return float(middle(latitude)), (first + around + 180) % 360 - 180


def _checked(latitude: float, longitude: float) -> tuple[float, float]:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ParameterError(
            f"{latitude:g}, {longitude:g} is no position: latitude goes from -90 to 90 degrees, "
            "longitude from -180 to 180"
        )
    return latitude, longitude


def _write(collection: Collection, places: Mapping[str, tuple[float | None, float | None]]) -> None:
    there = _names(collection)
    table = schema.sites
    with collection.catalogue.engine.begin() as connection:
        for site, (latitude, longitude) in places.items():
            if site not in there:
                raise ParameterError(
                    f"no recording is of a site {site!r}: there are {_some(there)}"
                )
            connection.execute(table.delete().where(table.c.name == site))
            if latitude is not None and longitude is not None:
                position = dict(
                    zip(("latitude", "longitude"), _checked(latitude, longitude), strict=True)
                )
                connection.execute(table.insert().values(name=site, **position))


def _given(engine: sa.Engine) -> dict[str, tuple[float, float]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.sites)).all()
    return {row.name: (float(row.latitude), float(row.longitude)) for row in rows}


def _names(collection: Collection) -> list[str]:
    return sorted(set(collection.recordings["site"].fillna("").astype(str)))


def _instant(started_at: str) -> float:
    return pd.Timestamp(started_at).timestamp()


def _some(names: Iterable[str], shown: int = 4) -> str:
    named = [name or "one without a name" for name in names]
    listed = ", ".join(named[:shown])
    return listed if len(named) <= shown else f"{listed} and {len(named) - shown} more"


def _many(n: int) -> str:
    return "1 site" if n == 1 else f"{n:,} sites"
