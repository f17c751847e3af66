"""Rates stand on recorded hours, and say how little they may mean."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import stats
from seasons import PER_RECORDING, hourly, season

from explorer.collection.activity import UNKNOWN, Cells, Tally, cells, limits
from explorer.collection.collection import Collection
from explorer.errors import ParameterError

ZONE = "Australia/Brisbane"
MINUTE_H = 1 / 60


def dawn(site: str, at: datetime) -> float:
    """A caller of the dawn that comes to the ridge only from April on."""
    if site == "Ridge" and at.month < 4:
        return 0.0
    return 0.5 if at.hour in (5, 6) else 0.0


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, np.ndarray]:
    """Ten weeks at two sites; the ridge's recorder ran at dawn only half of the days."""
    starts = hourly(["Creek"], "2026-03-01", 70, ZONE)
    starts += [
        one
        for one in hourly(["Ridge"], "2026-03-01", 70, ZONE)
        if one[1].day % 2 or one[1].hour > 8
    ]
    return season(tmp_path_factory.mktemp("spring") / "a.collection", starts, dawn, timezone=ZONE)


def test_rates_are_corrected_for_how_long_was_recorded(spring):
    collection, holds = spring
    made = cells(collection)
    tally = made.tally(np.flatnonzero(holds))
    count, hours = tally.by_site()
    assert made.sites == ("Creek", "Ridge")
    assert hours == pytest.approx(np.array([70 * 24, 36 * 24 + 34 * 15]) * MINUTE_H)
    assert count.sum() == holds.sum()
    months, april, recorded = tally.by_period("month", site=1)
    assert months == [date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)]
    assert april[0] == 0
    assert recorded[0] > 0  # silence is a result
    # Half the days without a dawn, and yet the same rate in the hours of dawn.
    grid = [tally.grid(date(2026, 4, 1).toordinal(), 1, 30, site) for site in (0, 1)]
    creek, ridge = (count[0, 5:7].sum() / hours[0, 5:7].sum() for count, hours in grid)
    assert ridge == pytest.approx(creek, rel=0.15)
    assert creek == pytest.approx(0.5 * 1200, rel=0.1)


def test_hours_without_a_recording_are_not_hours_of_silence(spring):
    collection, holds = spring
    first = date(2026, 3, 2).toordinal()
    count, hours = cells(collection).tally(np.flatnonzero(holds)).grid(first, 2, site=1)
    assert hours[0, :9].sum() == 0  # the second of March: an even day
    assert (hours[1] > 0).all()
    assert count[1, 12] == 0


def test_what_is_looked_at_is_all_that_counts(spring):
    collection, holds = spring
    made = cells(collection)
    creek = made.site[made.of_window] == 0
    tally = made.tally(np.flatnonzero(holds), within=creek)
    count, hours = tally.by_site()
    assert count.tolist() == [holds[creek].sum(), 0]
    assert hours[1] == 0


def test_spans_of_days_add_up(spring):
    collection, holds = spring
    tally = cells(collection).tally(np.flatnonzero(holds))
    first, last = tally.cells.days
    daily = tally.grid(first, last - first + 1)
    weekly = tally.grid(first, 10, 7)
    for one, seven in zip(daily, weekly, strict=True):
        assert seven == pytest.approx(one.reshape(10, 7, 24).sum(axis=1))


def test_weeks_begin_on_monday(spring):
    collection, _ = spring
    weeks, _, hours = cells(collection).tally().by_period("week")
    assert weeks[0] == date(2026, 2, 23)  # the first of March is a Sunday
    assert {week.weekday() for week in weeks} == {0}
    assert hours[0] == pytest.approx(2 * 24 * MINUTE_H)


def test_the_interval_is_garwoods():
    low, high = limits([0, 3, 10])
    assert low == pytest.approx([0, 0.6187, 4.7954], abs=1e-4)  # Garwood 1936, table
    assert high == pytest.approx([3.6889, 8.7673, 18.3904], abs=1e-4)
    # Its promise: a true mean outside of it makes such a count in less than 2.5 % of cases.
    assert stats.poisson.cdf(3, high[1]) == pytest.approx(0.025)
    assert stats.poisson.sf(2, low[1]) == pytest.approx(0.025)


def test_calls_that_come_in_bouts_widen_the_interval():
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(date(2026, 3, 1).toordinal(), date(2026, 6, 1).toordinal()), 24)
    hour = np.tile(np.arange(24), len(days) // 24)
    n = len(days)
    made = Cells(
        ("",), np.zeros(n, np.int32), days.astype(np.int32), hour.astype(np.int32),
        np.arange(n), np.full(n, 3600.0),
    )  # fmt: skip
    alone = Tally(made, rng.poisson(2.0, n).astype(float), made.hours)
    bouts = Tally(made, 6.0 * rng.poisson(2.0 / 6, n), made.hours)
    assert alone.dispersion == pytest.approx(1, abs=0.1)
    assert bouts.dispersion == pytest.approx(6, rel=0.15)
    narrow, wide = (np.ptp(limits([50], tally.dispersion)) for tally in (alone, bouts))
    assert wide > 2 * narrow


def test_too_few_days_say_nothing_about_bouts(spring):
    collection, holds = spring
    made = cells(collection)
    one_day = made.day[made.of_window] == made.days[0]
    assert made.tally(np.flatnonzero(holds), within=one_day).dispersion == 1


def test_a_notebook_gets_the_same_as_a_table(spring):
    collection, holds = spring
    model = collection.classifier({"call": np.flatnonzero(holds)[:20]}, kind="centroid")
    scores = model.scores()[:, 0]
    threshold = float((scores[holds].min() + scores[~holds].max()) / 2)
    table = collection.activity(["site", "month"], classifier=model, threshold=threshold)
    assert list(table.columns) == [
        "site", "month", "class", "windows", "recorded_hours", "per_hour", "low", "high",
    ]  # fmt: skip
    assert table["windows"].sum() == holds.sum()
    assert (table["low"] <= table["per_hour"]).all()
    assert (table["high"] > table["per_hour"]).all()
    merged = collection.activity("site", classifier=model, threshold=threshold, unit="detections")
    assert 0 < merged["detections"].sum() < holds.sum()
    same = model.counts("site", threshold=threshold)
    assert merged["detections"].tolist() == same["detections"].tolist()
    effort = collection.activity("hour")
    assert list(effort.columns) == ["hour", "recorded_hours"]
    assert effort["recorded_hours"].sum() == pytest.approx(len(holds) / PER_RECORDING * MINUTE_H)
    with pytest.raises(ParameterError, match="unit is windows or detections"):
        collection.activity("site", unit="calls")


def test_dawn_callers_stand_still_in_hours_after_sunrise(tmp_path: Path):
    """Two weeks of winter and of summer, when the sun rises an hour and more apart."""
    place = (-27.4698, 153.0251)
    starts = hourly(["Creek"], "2026-06-14", 14, ZONE) + hourly(["Creek"], "2026-12-14", 14, ZONE)
    rise = {6: 7, 12: 5}  # the full hour after sunrise
    creek, holds = season(
        tmp_path / "a.collection", starts, lambda _, at: 0.5 * (at.hour == rise[at.month])
    )
    with pytest.raises(ParameterError, match="sunrise is known only where the sites are"):
        creek.activity("after_sunrise")
    creek.place("Creek", *place)
    model = creek.classifier({"call": np.flatnonzero(holds)[:20]}, kind="centroid")
    by_clock = creek.activity("hour", classifier=model)
    by_sun = creek.activity("after_sunrise", classifier=model)
    assert by_sun["after_sunrise"].tolist() == list(range(-12, 12))
    assert np.count_nonzero(by_clock["per_hour"] > 100) == 2
    assert by_sun.loc[by_sun["per_hour"] > 100, "after_sunrise"].tolist() == [0]
    creek.place("Creek", -27.4698, 108.0)  # three hours to the west the same clock is another hour
    assert cells(creek, "after_sunrise").hour.tolist() != []
    moved = creek.activity("after_sunrise", classifier=model)
    assert moved.loc[moved["per_hour"] > 100, "after_sunrise"].tolist() == [-3]


def test_recordings_without_a_time_count_for_their_site_and_nowhere_else(tmp_path: Path):
    starts = hourly(["Creek"], "2026-06-14", 2, ZONE)
    creek, _ = season(tmp_path / "a.collection", starts, lambda *_: 0.1)
    with creek.catalogue.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE recordings SET started_at = NULL WHERE id <= 24")
    again = Collection(creek.path)
    tally = cells(again).tally()
    assert (tally.cells.day == UNKNOWN).sum() == 1
    assert tally.by_site()[1].sum() == pytest.approx(48 * MINUTE_H)
    assert tally.by_period("day")[2].sum() == pytest.approx(24 * MINUTE_H)


def test_the_recorders_clock_tells_the_hour_when_clocks_go_back(tmp_path: Path):
    berlin = ZoneInfo("Europe/Berlin")
    twice = [datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    wood, _ = season(tmp_path / "a.collection", [("Wood", at) for at in twice], lambda *_: 0.1)
    _, hours = cells(wood).tally().grid(date(2026, 10, 25).toordinal(), 1)
    assert hours[0, 2] == pytest.approx(2 * MINUTE_H)
