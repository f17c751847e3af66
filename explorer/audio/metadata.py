"""When, where and by which device a recording was made.

Start times come from the recorder's own metadata first (a GUANO chunk, then an AudioMoth comment)
and from the file name otherwise. A time that carries no zone is read in the ``timezone`` setting,
or, without one, as UTC, and says so in ``zone_source``. Nothing is guessed in silence: an
impossible date gives no time, and an hour that happens twice when clocks go back gives the earlier
one and a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import PurePosixPath
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import ParameterError

_T = TypeVar("_T")

ZoneSource = Literal["recorder", "name", "setting", "assumed"]

FIRST_HEX_YEAR, LAST_HEX_YEAR = 2015, 2037
"""Old AudioMoths named files by seconds since 1970 in hexadecimal; the first was sold in 2017."""


@dataclass(frozen=True)
class Origin:
    """What a file says about where it comes from; ``started_at`` may still lack a zone."""

    started_at: datetime | None = None
    site: str | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    notes: tuple[str, ...] = field(default=())


def read_timezone(text: str) -> tzinfo:
    """Turn a time-zone setting into a zone: an IANA name, "UTC", "+03:00" or "UTC-3:30".

    Raises
    ------
    ParameterError
        When it is none of these.

    Examples
    --------
    >>> read_timezone("+03:00")
    datetime.timezone(datetime.timedelta(seconds=10800))
    """
    offset = re.fullmatch(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", text.strip(), re.I)
    if offset:
        return _fixed_zone(offset[1], offset[2], offset[3])
    if text.strip().upper() in ("UTC", "GMT", "Z"):
        return UTC
    try:
        return ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError(
            f"timezone {text!r} is not known; give a name such as Europe/Berlin or an offset "
            "such as +03:00"
        ) from error


def settle_zone(
    started_at: datetime | None, zone: tzinfo | None, own: ZoneSource
) -> tuple[datetime | None, ZoneSource | None, tuple[str, ...]]:
    """Give a start time a zone, where it came from, and what to tell the user about it.

    ``own`` is the source to name when the time has a zone already.
    """
    if started_at is None:
        return None, None, ()
    if started_at.tzinfo is not None:
        return started_at, own, ()
    if zone is None:
        return started_at.replace(tzinfo=UTC), "assumed", ()
    early, late = (started_at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    notes: tuple[str, ...] = ()
    if early.utcoffset() != late.utcoffset():
        exists = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == started_at
        what = "happens twice" if exists else "does not exist"
        use = "the earlier is used" if exists else "it is read as if clocks had not changed"
        notes = (f"the clock time {started_at:%Y-%m-%d %H:%M:%S} {what} in {zone}: {use}",)
    return early, "setting", notes


def from_guano(content: bytes) -> Origin:
    """Read a GUANO chunk (https://guano-md.org): Timestamp, Serial, Loc Position and site."""
    text = content.decode("utf-8", errors="replace").replace("\x00", "")
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    broken: list[str] = []
    started_at = _try(fields.get("Timestamp"), datetime.fromisoformat, "Timestamp", broken)
    place = _try(fields.get("Loc Position"), _position, "Loc Position", broken)
    site = next((fields[k] for k in ("Site", "Loc Site", "Site Name") if fields.get(k)), None)
    device = fields.get("Serial") or fields.get("WA|Serial") or None
    note = f"its GUANO metadata is damaged ({', '.join(broken)}); the rest is used"
    return Origin(
        started_at=started_at,
        site=site,
        device=device,
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        notes=(note,) if broken else (),
    )


_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(\.\d{1,3})? (\d\d)/(\d\d)/(\d{4})"
    r"(?: \((UTC)(?:([+-])(\d{1,2})(?::?(\d\d))?)?\))?"
)
_AUDIOMOTH_ID = re.compile(r"AudioMoth ([0-9A-F]{16})")


def from_audiomoth(comment: str, artist: str = "") -> Origin:
    """Read the comment that an AudioMoth leaves in each file, in any of its firmwares.

    Examples
    --------
    >>> text = "Recorded at 19:17:30 10/12/2019 (UTC+5:30) by AudioMoth 243B1F055CCCBE05 at ..."
    >>> from_audiomoth(text).started_at.isoformat()
    '2019-12-10T19:17:30+05:30'
    """
    serial = _AUDIOMOTH_ID.search(comment) or _AUDIOMOTH_ID.search(artist)
    device = serial[1] if serial else None
    found = _AUDIOMOTH.search(comment)
    if not found:
        return Origin(device=device)
    hour, minute, second, fraction, day, month, year, utc, sign, hours, minutes = found.groups()
    started_at = _moment(year, month, day, hour, minute, second, (fraction or ".")[1:])
    if started_at is None:
        return Origin(device=device, notes=("its AudioMoth comment holds an impossible time",))
    if utc:
        zone = _fixed_zone(sign, hours, minutes) if sign else UTC
        started_at = started_at.replace(tzinfo=zone)
    return Origin(started_at=started_at, device=device)


def from_name(name: str) -> Origin:
    """Read time, site and device out of a file name, by the habits of recorders.

    Known: AudioMoth ``YYYYMMDD_HHMMSS`` (with or without its serial number) and old AudioMoth
    ``5E90A4D4``; Song Meter ``SITE_YYYYMMDD_HHMMSS`` (also ``_$HHMMSS`` and milliseconds);
    SoundTrap ``serial.YYMMDDHHMMSS``; ``YYYYMMDDTHHMMSS.mmmZ`` (AMAR, icListen, ONC).

    Examples
    --------
    >>> from_name("CHE_02_20190101_183410.wav").site
    'CHE_02'
    """
    stem = PurePosixPath(name).stem
    for pattern, read in _NAMES:
        found = pattern.search(stem)
        if found:
            return read(found)
    return Origin()


def site_from_pattern(name: str, pattern: re.Pattern[str]) -> str | None:
    """The named group ``site`` of a pattern found in a relative POSIX name, or None."""
    found = pattern.search(name)
    return (found["site"] or None) if found else None


def read_site_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a site pattern.

    Raises
    ------
    ParameterError
        When it is not a regular expression with a group named ``site``.
    """
    cure = r"give a regular expression with a group named site, such as (?P<site>[^/]+)/"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ParameterError(f"site_pattern {pattern!r} cannot be read: {error}; {cure}") from error
    if "site" not in compiled.groupindex:
        raise ParameterError(f"site_pattern {pattern!r} has no group named site; {cure}")
    return compiled


def _iso_name(found: re.Match[str]) -> Origin:
    started_at = _moment(*found.group("y", "mo", "d", "h", "mi", "s", "ms"))
    if started_at is not None and found["zone"]:
        started_at = started_at.replace(tzinfo=UTC)
    amar = re.match(r"AMAR\d+", found.string)
    return Origin(started_at=started_at, device=amar[0] if amar else None)


def _soundtrap_name(found: re.Match[str]) -> Origin:
    started_at = _moment("20" + found["y"], *found.group("mo", "d", "h", "mi", "s"))
    return Origin(started_at=started_at, device=found["serial"])


def _song_meter_name(found: re.Match[str]) -> Origin:
    started_at = _moment(*found.group("y", "mo", "d", "h", "mi", "s", "ms"))
    prefix = (found["prefix"] or "").rstrip("_-") or None
    if prefix and re.fullmatch(r"[0-9A-F]{16}", prefix):  # an AudioMoth's serial number, no site
        return Origin(started_at=started_at, device=prefix)
    is_serial = prefix and re.fullmatch(r"(S4A|S4U|SMM|SMU|SMA|2M[AM])\d{5}", prefix)
    return Origin(started_at=started_at, site=prefix, device=prefix if is_serial else None)


def _hex_name(found: re.Match[str]) -> Origin:
    moment = datetime.fromtimestamp(int(found[0], 16), UTC)
    if FIRST_HEX_YEAR <= moment.year <= LAST_HEX_YEAR:
        return Origin(started_at=moment)
    return Origin()


_DAY = r"(?P<y>(?:19|20)\d\d)(?P<mo>\d\d)(?P<d>\d\d)"
_NAMES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Origin]], ...] = (
    (
        re.compile(
            rf"(?<!\d){_DAY}T(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)(?:[.,](?P<ms>\d{{1,6}}))?"
            r"(?P<zone>Z)?(?!\d)"
        ),
        _iso_name,
    ),
    (
        re.compile(
            rf"^(?P<prefix>.*?[_-])??{_DAY}_\$?(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)T?"
            r"(?:_(?P<ms>\d{3}))?(?!\d)"
        ),
        _song_meter_name,
    ),
    (
        re.compile(
            r"(?<!\d)(?P<serial>\d{3,10})\.(?P<y>\d\d)(?P<mo>\d\d)(?P<d>\d\d)"
            r"(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)(?!\d)"
        ),
        _soundtrap_name,
    ),
    (re.compile(r"^[0-9A-F]{8}$"), _hex_name),
)


def _moment(
    year: str, month: str, day: str, hour: str, minute: str, second: str, fraction: str | None = ""
) -> datetime | None:
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond
        )
    except ValueError:
        return None


def _fixed_zone(sign: str, hours: str, minutes: str | None) -> timezone:
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if offset >= timedelta(hours=24):
        raise ParameterError(f"a time zone cannot be {sign}{hours}:{minutes or '00'} from UTC")
    return timezone(-offset if sign == "-" else offset)


def _position(text: str) -> tuple[float, float]:
    latitude, longitude = (float(part) for part in re.split(r"[\s,]+", text))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(text)
    return latitude, longitude


def _try(text: str | None, read: Callable[[str], _T], name: str, broken: list[str]) -> _T | None:
    if not text:
        return None
    try:
        return read(text)
    except ValueError:
        broken.append(f"{name} {text!r}")
        return None
