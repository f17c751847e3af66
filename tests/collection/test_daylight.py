"""Sunrise and sunset by the recorder's own clock; None, never an error, where there is none."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from seasons import hourly, season

from explorer.collection.daylight import Daylight, SiteClock, hours_after, sun

BRISBANE = (-27.4698, 153.0251)
BERLIN = (52.52, 13.405)
LONGYEARBYEN = (78.22, 15.64)
MINUTES_3 = 3 / 60


def hours(text: str) -> float:
    hour, minute = text.split(":")
    return int(hour) + int(minute) / 60


@pytest.mark.parametrize(
    ("place", "zone", "day", "rise", "fall"),
    [
        # Almanac values to the minute: solstices and an equinox.
        (BRISBANE, "Australia/Brisbane", date(2026, 6, 21), "6:37", "17:02"),
        (BRISBANE, "Australia/Brisbane", date(2026, 12, 22), "4:49", "18:42"),
        (BERLIN, "Europe/Berlin", date(2026, 6, 21), "4:43", "21:33"),
        (BERLIN, "Europe/Berlin", date(2026, 12, 21), "8:15", "15:54"),
        ((0.0, -78.5), "America/Guayaquil", date(2026, 3, 20), "6:18", "18:24"),
    ],
)
def test_sunrise_and_sunset_agree_with_the_almanac(place, zone, day, rise, fall):
    found = sun(*place, day, ZoneInfo(zone))
    assert found.hour("sunrise") == pytest.approx(hours(rise), abs=MINUTES_3)
    assert found.hour("sunset") == pytest.approx(hours(fall), abs=MINUTES_3)
    assert found.dawn < found.sunrise < found.sunset < found.dusk
    assert found.light is None


def test_polar_day_and_night_have_no_sunrise():
    zone = ZoneInfo("Arctic/Longyearbyen")
    summer = sun(*LONGYEARBYEN, date(2026, 6, 21), zone)
    winter = sun(*LONGYEARBYEN, date(2026, 12, 21), zone)
    assert (summer.sunrise, summer.sunset, summer.dawn, summer.light) == (None, None, None, "day")
    assert (winter.sunrise, winter.sunset, winter.hour("sunrise"), winter.light) == (
        None, None, None, "night",
    )  # fmt: skip


def test_every_day_of_a_year_has_its_own_sunrise_wherever_the_recorder_is():
    for place, offset in ((BRISBANE, 10), ((-43.5, 172.6), 13), ((21.3, -157.9), -10), (BERLIN, 1)):
        zone = timezone(timedelta(hours=offset))
        rises = [
            sun(*place, date(2026, 1, 1) + timedelta(days=i), zone).sunrise for i in range(365)
        ]
        assert [at.date() - date(2026, 1, 1) for at in rises] == [
            timedelta(days=i) for i in range(365)
        ]


def test_clocks_that_go_forward_take_sunrise_with_them(tmp_path: Path):
    starts = hourly(["Wood"], "2026-03-27", 5, "Europe/Berlin", hours=[0, 12])
    wood, _ = season(tmp_path / "a.collection", starts, lambda *_: 0.1, timezone="Europe/Berlin")
    wood.place("Wood", *BERLIN)
    table = wood.daylight()
    assert table["day"].tolist() == [f"2026-03-{day}" for day in range(27, 32)]
    rise = [datetime.fromisoformat(text) for text in table["sunrise"]]
    assert [at.utcoffset() for at in rise] == [timedelta(hours=h) for h in (1, 1, 2, 2, 2)]
    steps = np.diff([at.hour + at.minute / 60 for at in rise])
    assert steps[1] == pytest.approx(1, abs=0.05)  # the clock jumps, the sun does not
    assert np.abs(steps[[0, 2, 3]]).max() < 0.05
    assert table["light"].isna().all()


def test_a_recorder_that_ignores_summer_time_keeps_its_own_clock(tmp_path: Path):
    winter = timezone(timedelta(hours=1))
    starts = [("Wood", datetime(2026, 7, day, 12, tzinfo=winter)) for day in (1, 3)]
    wood, _ = season(tmp_path / "a.collection", starts, lambda *_: 0.1, timezone="Europe/Berlin")
    wood.place("Wood", *BERLIN)
    rise = Daylight.of(wood).sun("Wood", date(2026, 7, 2)).sunrise
    assert rise.utcoffset() == timedelta(hours=1)
    assert rise.hour == 3


def test_the_recording_nearest_in_time_tells_the_clock():
    early = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    late = datetime(2026, 9, 1, tzinfo=timezone(timedelta(hours=2)))
    clock = SiteClock.of([late, early])
    assert clock.zone_on(date(2026, 2, 1)).utcoffset(None) == timedelta(hours=1)
    assert clock.zone_on(date(2026, 8, 1)).utcoffset(None) == timedelta(hours=2)
    assert SiteClock.of([]).zone_on(date(2026, 8, 1)) is None


def test_what_is_not_known_is_none(tmp_path: Path):
    starts = hourly(["Creek"], "2026-06-01", 1, "Australia/Brisbane", hours=[6])
    creek, _ = season(tmp_path / "a.collection", starts, lambda *_: 0.1)
    known = Daylight.of(creek)
    assert known.sun("Creek", date(2026, 6, 1)) is None
    assert known.sun("Nowhere", date(2026, 6, 1)) is None
    assert np.isnan(hours_after(creek.index(), known, "sunrise")).all()
    assert creek.daylight().empty


def test_hours_after_sunrise_are_counted_from_the_nearest_one(tmp_path: Path):
    starts = hourly(["Creek"], "2026-06-21", 1, "Australia/Brisbane", hours=[6, 7, 23])
    creek, _ = season(tmp_path / "a.collection", starts, lambda *_: 0.1)
    creek.place("Creek", *BRISBANE)
    after = hours_after(creek.index(), Daylight.of(creek), "sunrise")
    assert after[[0, 20, 40]] == pytest.approx([6 - 6.63, 7 - 6.63, 23 - 6.63 - 24], abs=MINUTES_3)


def test_sites_that_lie_together_have_one_sun():
    known = Daylight({"a": (-27.4, 153.0), "b": (-27.5, 153.1), "far": (-20.0, 148.0)}, {})
    assert known.one_for(["a", "b", "unknown"]) in ("a", "b")
    assert known.one_for(["a", "far"]) is None
    assert known.one_for(["unknown"]) is None
    across = Daylight({"a": (-17.0, 179.9), "b": (-17.0, -179.9)}, {})
    assert across.one_for(["a", "b"]) is not None
