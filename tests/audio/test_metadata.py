"""Start times, zones, sites and devices, from what recorders write and how they name files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from explorer.audio import metadata
from explorer.errors import ParameterError

AUDIOMOTH = "Recorded at 19:17:30 10/12/2019 (UTC{}) by AudioMoth 243B1F055CCCBE05 at medium gain"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20190522_043000.WAV", "2019-05-22T04:30:00"),
        ("242A2604603691DD_20250503_031300.WAV", "2025-05-03T03:13:00"),
        ("20240903_193130T.WAV", "2024-09-03T19:31:30"),
        ("S4A03895_20190522_000000.wav", "2019-05-22T00:00:00"),
        ("SMM00424_20220801_$050000.wav", "2022-08-01T05:00:00"),
        ("CHE_02_20190101_183410.wav", "2019-01-01T18:34:10"),
        ("DUB_20200623_000152_885.wav", "2020-06-23T00:01:52.885000"),
        ("67416073.210610033655.wav", "2021-06-10T03:36:55"),
        ("AMAR173.4.20190920T004248Z.wav", "2019-09-20T00:42:48+00:00"),
        ("IOS3HYDARR02_20100305T020217.000Z-segment06p.flac", "2010-03-05T02:02:17+00:00"),
        ("X_20120206T085046.143Z.flac", "2012-02-06T08:50:46.143000+00:00"),
        ("5E90A4D4.WAV", "2020-04-10T16:54:44+00:00"),
        ("20240229_000000.wav", "2024-02-29T00:00:00"),
    ],
)
def test_recorders_names_give_their_start_time(name: str, expected: str) -> None:
    started_at = metadata.from_name(name).started_at
    assert started_at is not None
    assert started_at.isoformat() == expected


@pytest.mark.parametrize(
    "name",
    [
        "20251345_256199.wav",  # month 13, hour 25
        "20230229_000000.wav",  # no leap year
        "XC821988-Lasiurus-2016.02.17-CL01712.flac",
        "DEADBEEF.WAV",  # a hexadecimal time in 2088
        "12345678.wav",  # a number, in 1979 if it were a hexadecimal time
        "dawn chorus.wav",
    ],
)
def test_names_without_a_possible_time_give_none(name: str) -> None:
    assert metadata.from_name(name).started_at is None


@pytest.mark.parametrize(
    ("name", "site", "device"),
    [
        ("CHE_02_20190101_183410.wav", "CHE_02", None),
        ("S4A03895_20190522_000000.wav", "S4A03895", "S4A03895"),
        ("242A2604603691DD_20250503_031300.WAV", None, "242A2604603691DD"),
        ("67416073.210610033655.wav", None, "67416073"),
        ("AMAR173.4.20190920T004248Z.wav", None, "AMAR173"),
        ("20190522_043000.WAV", None, None),
    ],
)
def test_a_prefix_is_a_site_and_a_serial_number_is_a_device(
    name: str, site: str | None, device: str | None
) -> None:
    origin = metadata.from_name(name)
    assert (origin.site, origin.device) == (site, device)


@pytest.mark.parametrize(
    ("offset", "iso"),
    [("", "+00:00"), ("+1", "+01:00"), ("-3", "-03:00"), ("+5:30", "+05:30"), ("-9:30", "-09:30")],
)
def test_an_audiomoth_comment_keeps_its_own_offset(offset: str, iso: str) -> None:
    origin = metadata.from_audiomoth(AUDIOMOTH.format(offset))
    assert origin.started_at is not None
    assert origin.started_at.isoformat() == f"2019-12-10T19:17:30{iso}"
    assert origin.device == "243B1F055CCCBE05"


def test_the_oldest_audiomoth_comment_has_no_zone() -> None:
    origin = metadata.from_audiomoth(
        "Recorded at 21:00:00 19/02/2018 by AudioMoth 0FE081F80FE081F0 at gain setting 2"
    )
    assert origin.started_at == datetime(2018, 2, 19, 21)
    assert origin.started_at.tzinfo is None


def test_an_impossible_audiomoth_time_is_noted_not_guessed() -> None:
    origin = metadata.from_audiomoth("Recorded at 25:00:00 31/02/2018 (UTC) by AudioMoth")
    assert origin.started_at is None
    assert "impossible" in origin.notes[0]


def test_guano_time_place_and_serial() -> None:
    origin = metadata.from_guano(
        b"GUANO|Version: 1.0\nTimestamp: 2024-10-27T02:30:00+01:00\nSerial: 24E1\n"
        b"Loc Position: 46.5197 6.6323\nSite: Gr\xc3\xbcnes Tal\nNote: a:b\n\x00"
    )
    assert origin.started_at is not None
    assert origin.started_at.isoformat() == "2024-10-27T02:30:00+01:00"
    assert (origin.latitude, origin.longitude) == (46.5197, 6.6323)
    assert (origin.site, origin.device, origin.notes) == ("Grünes Tal", "24E1", ())


def test_broken_guano_is_noted_and_the_rest_is_used() -> None:
    origin = metadata.from_guano(b"Timestamp: yesterday\nLoc Position: 95 200\nSerial: 7\n\xff\xfe")
    assert origin.started_at is None
    assert origin.latitude is None
    assert origin.device == "7"
    assert "yesterday" in origin.notes[0]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("+03:00", 3), ("-3:30", -3.5), ("UTC+5:30", 5.5), ("UTC", 0), ("Z", 0), ("GMT-2", -2)],
)
def test_offsets_are_read_as_zones(text: str, offset: float) -> None:
    zone = metadata.read_timezone(text)
    assert zone.utcoffset(None) == timedelta(hours=offset)


@pytest.mark.parametrize("text", ["Mars/Olympus", "+25:00", "../../etc/passwd", "three"])
def test_a_zone_that_is_not_known_names_a_cure(text: str) -> None:
    with pytest.raises(ParameterError, match="zone"):
        metadata.read_timezone(text)


def test_the_setting_is_used_only_where_a_time_has_no_zone() -> None:
    zone = ZoneInfo("America/Lima")
    own = datetime(2024, 5, 1, 5, tzinfo=timezone(timedelta(hours=1)))
    naive = own.replace(tzinfo=None)
    assert metadata.settle_zone(own, zone, "recorder") == (own, "recorder", ())
    settled, source, notes = metadata.settle_zone(naive, zone, "name")
    assert settled is not None
    assert (settled.isoformat(), source, notes) == ("2024-05-01T05:00:00-05:00", "setting", ())


def test_without_any_zone_utc_is_assumed_and_said() -> None:
    settled, source, _ = metadata.settle_zone(datetime(2024, 5, 1), None, "name")
    assert settled == datetime(2024, 5, 1, tzinfo=UTC)
    assert source == "assumed"


def test_the_hour_that_happens_twice_is_the_earlier_one_with_a_note() -> None:
    twice = datetime(2024, 10, 27, 2, 30)
    settled, _, notes = metadata.settle_zone(twice, ZoneInfo("Europe/Berlin"), "name")
    assert settled is not None
    assert settled.isoformat() == "2024-10-27T02:30:00+02:00"
    assert "happens twice" in notes[0]


def test_the_hour_that_does_not_happen_is_noted() -> None:
    never = datetime(2024, 3, 31, 2, 30)
    settled, _, notes = metadata.settle_zone(never, ZoneInfo("Europe/Berlin"), "name")
    assert settled is not None
    assert settled.astimezone(UTC) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    assert "does not exist" in notes[0]


def test_a_site_pattern_without_its_group_is_refused_with_a_cure() -> None:
    with pytest.raises(ParameterError, match=r"\(\?P<site>"):
        metadata.read_site_pattern(r"[^/]+/")
    with pytest.raises(ParameterError, match="cannot be read"):
        metadata.read_site_pattern(r"(?P<site>")
