"""One filter that every view obeys, as plain values: compared, undone, and written into a link."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from explorer.dashboard.frame import address
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.filterbar import plain, read_values
from explorer.dashboard.state.filtering import EVERYTHING, Filter
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


@pytest.fixture
def state(fake):
    return State(fake(), user="ada")


def test_by_default_everything_is_kept(state):
    assert not state.filter
    assert state.kept is None
    assert state.filter.words() == ""


def test_every_place_of_the_gallery_obeys_the_filter(state):
    state.select(range(0, 200, 7))
    state.new_class_from_selection("grunt")
    state.select(range(100))
    state.narrow(sites=("Creek-01",))
    creek = state.facts.sites.index("Creek-01")
    for place in ("ranked", "selection", "sample", "labelled"):
        rows = state.listing(place)
        assert len(rows)
        assert (state.facts.site[rows] == creek).all()


def test_a_lasso_takes_only_what_is_shown(state):
    state.narrow(sites=("Creek-01",))
    state.select(np.arange(state.n_windows))
    assert np.array_equal(state.selection, np.flatnonzero(state.kept))


def test_hours_may_go_over_midnight(state):
    state.narrow(from_h=22, to_h=5)
    hours = state.facts.hour[state.kept]
    assert len(hours)
    assert ((hours >= 22) | (hours < 5)).all()


def test_days_are_included_at_both_ends(state):
    state.narrow(since=date(2026, 5, 2), until=date(2026, 5, 3))
    assert {date.fromordinal(int(d)) for d in state.facts.day[state.kept]} == {
        date(2026, 5, 2),
        date(2026, 5, 3),
    }


def test_scores_and_label_states_follow_the_labels(state):
    state.select(np.flatnonzero(state.collection._kind == 0)[:4])
    state.new_class_from_selection("grunt")
    state.narrow(labels="unlabelled", low=0.5)
    assert (state.scores[state.kept] >= 0.5).all()
    row = int(state.listing("ranked")[0])
    state.judge([row], "positive")
    assert not state.kept[row]


def test_filters_can_be_undone_one_by_one(state):
    state.narrow(sites=("Creek-01",))
    state.narrow(from_h=4, to_h=9)
    state.undo()
    assert state.filter == Filter(sites=("Creek-01",))
    state.undo()
    assert state.filter == EVERYTHING
    assert state.kept is None


def test_a_threshold_that_was_dragged_comes_back_in_one_step(state):
    state.select(range(0, 60, 7))
    state.new_class_from_selection("grunt")
    for value in (0.6, 0.7, 0.8):
        state.set_threshold(value)
    state.undo()
    assert state.threshold == 0.5


def test_a_link_holds_the_filter_and_the_view(state):
    state.select(range(0, 60, 7))
    state.new_class_from_selection("grunt")
    state.narrow(sites=("Creek-01", "Marsh-03"), since=date(2026, 5, 2), from_h=4.5)
    state.colour_by = "hour"
    told = address.query(state)
    assert told["class"] == "grunt"
    other = State(state.collection, user="ben")
    address.restore(other, told)
    other.refresh(**address.view_of(told))
    assert other.filter == state.filter
    assert other.colour_by == "hour"
    assert other.active == "grunt"


def test_back_goes_back_and_the_filter_it_costs_can_be_undone(state):
    state.select(range(0, 60, 7))
    state.new_class_from_selection("grunt")
    page = address.Address(state, Desk(state))
    assert page.now["query"] is None
    state.narrow(from_h=4)
    before = page.now
    state.colour_by = "hour"
    assert page.now["at"] == before["at"]
    assert page.now != before
    state.narrow(from_h=0, sites=("Creek-01",))
    state.param.update(screen="check", door="count", closer=3)
    assert page.now["at"] != before["at"]
    page._handle_msg({"action": "go", "query": f"?{before['query']}"})
    assert (state.screen, state.door, state.closer) == ("explore", "", None)
    assert state.filter == Filter(from_h=4)
    assert state.colour_by == "class"
    assert page.now == before
    state.undo()
    assert state.filter == Filter(sites=("Creek-01",))


@pytest.mark.parametrize(
    "hostile",
    [
        {"sites": "Nowhere"},
        {"from_h": "99"},
        {"since": "yesterday"},
        {"labels": "<script>"},
        {"recording": "../../etc/passwd"},
        {"screen": "__init__", "colour": "x", "low": "nan"},
        {"door": "back", "rhythm": "daily"},
    ],
)
def test_what_a_link_says_that_cannot_be_is_left_out(state, hostile):
    address.restore(state, hostile)
    assert state.filter == EVERYTHING
    assert (state.screen, state.colour_by, state.door) == ("explore", "class", "")
    state.narrow(from_h=4)
    address.go(state, hostile)
    assert state.filter == EVERYTHING


def test_a_filter_goes_to_the_browser_and_back():
    wanted = Filter(sites=("a", "b"), since=date(2026, 1, 2), from_h=3, labels="yes")
    assert Filter(**read_values(plain(wanted))) == wanted
    with pytest.raises(ParameterError, match="no filter by"):
        read_values({"price": 3})


def test_a_viewer_looks_and_does_not_label(fake):
    viewer = State(fake(), user="eve", role="viewer")
    viewer.select([1, 2])
    with pytest.raises(ParameterError, match="viewer"):
        viewer.new_class_from_selection("grunt")
    viewer.narrow(sites=("Creek-01",))
    viewer.undo()
