"""The screen Activity: what is counted, what a brush does, and what each picture leaves out."""

from __future__ import annotations

import base64
import io
from datetime import date

import numpy as np
import pandas as pd
import pytest
from small_recordings import Listener, write_recordings

import explorer
from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.activity.heat import HeatMap
from explorer.dashboard.activity.season import Season
from explorer.dashboard.activity.sitemap import SiteMap
from explorer.dashboard.frame import address
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.rhythm import Rhythm
from explorer.dashboard.state.state import State


@pytest.fixture
def state(fake):
    """Fourteen days of three sites, a minute every seven hours, and a class."""
    made = State(fake(recordings=48), user="ada")
    made.select(np.flatnonzero(made.collection._kind == 0)[:6])
    made.new_class_from_selection("grunt")
    made.screen = "activity"
    return made


@pytest.fixture
def heard(state):
    return Heard(state, Desk(state))


@pytest.fixture
def heat(state, heard):
    made = HeatMap(state, Desk(state), heard)
    made.sent = []
    made._send_msg = made.sent.append
    return made


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def total(heat, what="count"):
    return sum(sum(panel[what]) for panel in heat.frame["panels"])


def found(state):
    return int(np.count_nonzero(state.scores >= state.threshold))


def test_every_window_is_counted_once_and_every_second(state, heat):
    assert total(heat) == found(state)
    assert total(heat, "seconds") == 48 * 60
    assert heat.frame["span"] == 1
    assert heat.words.startswith(f"{found(state)} windows at or above 0.50 in 48 min recorded: ")
    state.set_threshold(0.8)
    assert total(heat) == found(state)


def test_a_brush_narrows_the_filter_and_can_be_taken_back(state, heat):
    before = total(heat)
    send(heat, "brush", since="2026-05-02", until="2026-05-04", hours=[4, 12])
    kept = state.filter
    assert (kept.since, kept.until) == (date(2026, 5, 2), date(2026, 5, 4))
    assert (kept.from_h, kept.to_h) == (4, 12)
    assert state.kept.sum() < state.n_windows
    # What was cut away is still there to see, and the words speak of what is left.
    assert total(heat) == before
    assert heat.looked == "2 May–4 May, 04–12 h"
    assert heat.hits == np.count_nonzero(state.scores[state.kept] >= state.threshold)
    send(heat, "clear")
    assert not state.filter
    assert heat.looked == ""
    state.undo()
    assert state.filter == kept


def test_a_brush_in_the_map_of_a_site_looks_at_that_site(state, heat):
    send(heat, "each", each=True)
    assert [panel["site"] for panel in heat.frame["panels"]] == ["Creek-01", "Marsh-03", "Ridge-02"]
    assert total(heat) == found(state)
    send(heat, "brush", site="Marsh-03", since="", until="", hours=[0, 24])
    assert state.filter.sites == ("Marsh-03",)
    assert [panel["site"] for panel in heat.frame["panels"]] == ["Marsh-03"]


def test_each_picture_leaves_its_own_part_of_the_filter_out(state, heard):
    hours = {name: getattr(heard.looks, name).hours.sum() for name in ("by_period", "by_site")}
    state.narrow(since=date(2026, 5, 2), until=date(2026, 5, 4))
    assert heard.looks.by_period.hours.sum() == pytest.approx(hours["by_period"])
    assert heard.looks.by_site.hours.sum() < hours["by_site"]
    state.widen()
    state.narrow(sites=("Marsh-03",))
    assert heard.looks.by_site.hours.sum() == pytest.approx(hours["by_site"])
    assert heard.looks.by_period.hours.sum() < hours["by_period"]


def test_a_filter_of_scores_does_not_shorten_the_recordings(state, heard):
    before = heard.looks.kept
    state.narrow(low=0.9)
    now = heard.looks.kept
    assert now.hours.sum() == pytest.approx(before.hours.sum())
    assert now.count.sum() == np.count_nonzero(state.scores >= 0.9)
    state.narrow(low=0.0, labels="yes")
    assert heard.looks.kept.count.sum() <= 6
    assert heard.looks.kept.hours.sum() == pytest.approx(before.hours.sum())


def test_neighbours_are_one_detection(state, heat):
    windows = total(heat)
    send(heat, "unit", unit="detections")
    assert 0 < total(heat) <= windows
    send(heat, "unit", unit="effort")
    assert heat.words == "48 min recorded."
    assert total(heat) == 0


def test_without_a_class_the_recorded_time_is_shown(fake):
    state = State(fake(recordings=12), user="ada")
    state.screen = "activity"
    heat = HeatMap(state, Desk(state), Heard(state, Desk(state)))
    assert heat.unit == "effort"
    assert heat.frame["most"] == 1  # minute a day
    assert heat.words == "12 min recorded."


def test_recordings_without_a_time_say_so(fake):
    collection = fake(recordings=6)
    collection._recordings["started_at"] = None
    state = State(collection, user="ada")
    state.screen = "activity"
    heard = Heard(state, Desk(state))
    heat, season = HeatMap(state, Desk(state), heard), Season(state, Desk(state), heard)
    assert heat.frame == {}
    assert "carry no start time" in heat.says_empty
    assert season.frame["begins"] == []


def test_nothing_is_counted_while_another_screen_is_open(state, heard):
    state.screen = "explore"
    before = heard.looks
    state.narrow(sites=("Marsh-03",))
    assert heard.looks is before
    state.screen = "activity"
    assert heard.looks is not before


def test_the_season_has_an_interval_for_each_period(state, heard):
    season = Season(state, Desk(state), heard)
    assert season.period == "day"
    panel = season.frame["panels"][0]
    assert sum(panel["count"]) == found(state)
    for rate, low, high in zip(panel["rate"], panel["low"], panel["high"], strict=True):
        assert rate is None or low <= rate < high
    send(season, "look", begin="2026-05-03")
    assert (state.filter.since, state.filter.until) == (date(2026, 5, 3), date(2026, 5, 3))
    send(season, "look", begin="2026-05-03")
    assert not state.filter
    send(season, "period", period="month")
    assert season.frame["begins"] == ["2026-05-01"]
    send(season, "look", begin="2026-05-01")
    assert state.filter.until == date(2026, 5, 31)


def test_the_hours_of_the_day_have_a_picture_of_their_own(state, heard):
    season = Season(state, Desk(state), heard)
    send(season, "period", period="hour")
    panel = season.frame["panels"][0]
    assert season.frame["begins"] == list(range(24))
    assert sum(panel["hours"]) == pytest.approx(48 / 60, abs=1e-3)
    hour = int(np.argmax(panel["count"]))
    send(season, "look", begin=hour)
    assert (state.filter.from_h, state.filter.to_h) == (hour, hour + 1)
    assert sum(season.frame["panels"][0]["count"]) == found(state)  # its own part is left out


def test_sites_are_chosen_on_their_map_and_can_be_placed(state, heard):
    sites = SiteMap(state, Desk(state), heard)
    assert [site["x"] for site in sites.sites] == [None] * 3
    assert sum(site["count"] for site in sites.sites) == found(state)
    send(sites, "place", site="Marsh-03", position="27.4698 S, 153.0251 E")
    send(sites, "place", site="Creek-01", position="-27.4698, 153.0351")
    creek, marsh, ridge = sites.sites
    assert ridge["x"] is None
    assert creek["x"] - marsh["x"] == pytest.approx(987, rel=0.01)
    send(sites, "choose", site="Marsh-03")
    send(sites, "choose", site="Creek-01", more=True)
    assert state.filter.sites == ("Marsh-03", "Creek-01")
    send(sites, "choose", site="Marsh-03", more=True)
    assert state.filter.sites == ("Creek-01",)
    send(sites, "all")
    assert state.filter.sites == ()
    send(sites, "place", site="Marsh-03", position="north of the creek")
    assert "is no position" in state.notice.text


def test_where_a_site_is_said_to_be_can_be_undone(state, heard):
    sites = SiteMap(state, Desk(state), heard)
    at = {"site": "Marsh-03", "position": "-27.4698, 153.0251"}
    send(sites, "place", **at)
    send(sites, "place", **at | {"position": "-27.5, 153.1"})
    assert state.steps[-1].said == "placed Marsh-03"
    for latitude in (-27.5, -27.4698, None):
        assert [site["latitude"] for site in sites.sites] == [None, latitude, None]
        if latitude is not None:
            state.undo()


def test_a_table_of_sites_can_be_undone_as_one(tmp_path):
    reef = explorer.open(tmp_path / "reef", write_recordings(tmp_path / "audio", count=2))
    reef.embed(Listener(), progress=False)
    state = State(reef, user="ada")
    state.screen = "activity"
    sites = SiteMap(state, Desk(state), Heard(state, Desk(state)))
    send(sites, "place", site="EAST", position="1, 2")
    table = b"site,latitude,longitude\nWEST,-1,2\nEAST,-3,4\n"
    send(sites, "table", name="sites.csv", data=base64.b64encode(table).decode())
    assert [site["latitude"] for site in sites.sites] == [-3, -1]
    assert state.steps[-1].said == "placed 2 sites"
    state.undo()
    assert [site["latitude"] for site in sites.sites] == [1, None]


def test_a_link_reopens_the_rhythm(state, fake):
    heat = HeatMap(state, Desk(state), Heard(state, Desk(state)))
    season = Season(state, Desk(state), heat.heard)
    send(heat, "unit", unit="detections")
    send(heat, "each", each=True)
    send(season, "period", period="week")
    told = address.query(state)
    assert told["rhythm"] == "detections,week,each"
    other = State(state.collection, user="ben")
    address.restore(other, told)
    other.refresh(**address.view_of(told))
    heat = HeatMap(other, Desk(other), Heard(other, Desk(other)))
    season = Season(other, Desk(other), heat.heard)
    assert (heat.unit, heat.each, season.period) == ("detections", True, "week")
    assert len(season.frame["panels"]) == 3
    address.restore(other, {"rhythm": "calls,<b>"})
    assert other.rhythm == Rhythm()


def test_sunrise_is_drawn_where_the_sites_are_known(state, heard, heat):
    assert heat.frame["panels"][0]["sun"] is None
    assert not heat.placed
    state.collection.place("Marsh-03", 37.4, -122.1)
    heard.look_again()
    sun = heat.frame["panels"][0]["sun"]
    assert len(sun["sunrise"]) == heat.frame["n"]
    assert sun["sunrise"][0] == pytest.approx(6.2, abs=0.05)  # on the first of May, UTC-7
    send(heat, "clock", clock="after_sunrise")
    assert heat.frame["low"] == -12
    # A minute at the full hour lies in one hour after sunrise; only one site has a sun.
    assert total(heat, "seconds") == 16 * 60
    send(heat, "clock", clock="moon")
    assert "is none of hour, after_sunrise" in state.notice.text


def test_who_only_looks_cannot_say_where_sites_are(fake):
    state = State(fake(recordings=6), user="vera", role="viewer")
    state.screen = "activity"
    sites = SiteMap(state, Desk(state), Heard(state, Desk(state)))
    assert not sites.may_place
    send(sites, "place", site="Marsh-03", position="1, 2")
    assert "takes owner rights" in state.notice.text
    assert state.collection.places == {}


def test_the_table_holds_what_is_looked_at_and_is_safe_in_a_spreadsheet(state, heat):
    state.collection._recordings["site"] = state.collection._recordings["site"].replace(
        "Marsh-03", "=Marsh"
    )
    send(heat, "brush", since="2026-05-02", until="2026-05-04", hours=[0, 24])
    send(heat, "table")
    file = heat.sent[-1]
    table = pd.read_csv(io.BytesIO(base64.b64decode(file["data"])))
    assert file["name"] == "Spring-2026-survey-grunt-activity.csv"
    assert set(table["day"]) == {"2026-05-02", "2026-05-03", "2026-05-04"}
    assert "'=Marsh" in set(table["site"])
    assert table["windows"].sum() == heat.hits
    assert (table["low"] <= table["per_hour"]).all()


@pytest.mark.parametrize(
    "message",
    [
        {"action": "brush", "since": "yesterday", "until": ""},
        {"action": "brush", "since": "", "until": "", "hours": [1, 99]},
        {"action": "brush", "since": "", "until": "", "hours": "all"},
        {"action": "unit", "unit": "calls"},
        {"action": "activate", "name": "nobody"},
    ],
)
def test_a_message_that_makes_no_sense_is_told_and_harms_nothing(state, heat, message):
    heat._handle_msg(message)
    assert state.notice.kind == "error"
    assert not state.filter


def test_long_deployments_are_shown_by_weeks(state, heard):
    looks = heard.looks
    day = looks.kept.cells.day
    day[-1] = day[0] + 3 * 365  # one recording came three years later
    frame = figures.heat(looks.kept, looks.daylight, each=False, effort=False)
    assert frame["span"] == 7
    assert date.fromisoformat(frame["first"]).weekday() == 0
    assert sum(frame["panels"][0]["seconds"]) == 48 * 60


def test_amounts_and_rates_have_the_digits_they_deserve():
    assert [figures.amount(hours) for hours in (0.01, 0.15, 4.21, 1204.3)] == [
        "36 s",
        "9 min",
        "4.2 h",
        "1,204 h",
    ]
    assert [figures.rate(x) for x in (0.0, 0.0341, 3.14, 1234.5)] == ["0", "0.034", "3.1", "1,234"]
