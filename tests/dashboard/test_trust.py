"""How well a class is found is said once the labels have settled, and only of these labels."""

from __future__ import annotations

import threading
import time

import pytest

from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state import trust
from explorer.dashboard.state.learning import Learned
from explorer.dashboard.state.measuring import Measuring
from explorer.dashboard.state.state import State
from explorer.dashboard.state.trust import Watch, measure
from explorer.errors import ParameterError


@pytest.fixture
def state(fake):
    return State(fake(recordings=12), user="ada")


def begin(state, rows=(1, 25, 45)):
    state.select(rows)
    state.new_class_from_selection("grunt")


def test_the_score_panel_says_how_well_the_class_is_found(state):
    desk = Desk(state)
    panel = ScorePanel(state, desk)
    Watch(state, desk)
    begin(state)
    assert panel.trust["text"] == "AUC .97 in recordings left out (3)"
    assert "of few recordings" in panel.trust["note"]
    assert not panel.trust["outdated"]


def test_examples_of_one_recording_are_told_as_the_reason(state):
    begin(state, (1, 2, 3))
    told = measure(state.learned).by_class["grunt"]
    assert told.text == "Examples are of one recording: add one from another"


def test_a_classifier_that_cannot_be_tested_says_why(state):
    begin(state)

    def refuse():
        raise ParameterError("this is another method")

    state.learned.classifier.quality = refuse
    told = measure(state.learned).by_class["grunt"]
    assert told.text == "Not tested in recordings left out"
    assert told.note == "this is another method"


class Page(Desk):
    """A desk of a page, whose turns are taken when the test says so."""

    attached = True

    def __init__(self, state):
        super().__init__(state)
        self.turns = []

    def soon(self, callback, *args):
        self.turns.append(lambda: callback(*args))

    def until(self, holds):
        end = time.monotonic() + 5
        while not holds() and time.monotonic() < end:
            while self.turns:
                self.turns.pop(0)()
            time.sleep(0.005)
        assert holds()


def test_gestures_in_a_row_are_measured_once(state, monkeypatch):
    measured = []
    found = trust._found
    monkeypatch.setattr(trust, "_found", lambda c: measured.append(c) or found(c))
    page = Page(state)
    Watch(state, page, settled_s=0.15)
    begin(state)
    state.judge([100], "negative")
    state.judge([101], "negative")
    assert measured == []
    page.until(lambda: state.trust.learned is state.learned)
    assert measured == [state.learned.classifier]


def test_where_the_labels_went_on_what_was_found_is_outdated_and_measured_anew(state):
    page = Page(state)
    panel = ScorePanel(state, page)
    Watch(state, page, settled_s=0.05)
    begin(state)
    # The measurement is under way, and its answer waits for its turn.
    end = time.monotonic() + 5
    while not page.turns and time.monotonic() < end:
        time.sleep(0.005)
    page.turns.pop(0)()  # the timer's: it asks
    while not page.turns and time.monotonic() < end:
        time.sleep(0.005)
    state.judge([102], "negative")
    page.turns.pop(0)()
    assert panel.trust["outdated"]
    page.until(lambda: state.trust.learned is state.learned)
    assert not panel.trust["outdated"]


def test_who_waits_for_a_measurement_hears_of_the_newest_and_it_is_made_once():
    begun, go_on = threading.Event(), threading.Event()
    measured, told = [], []

    def measure_slowly(learned):
        measured.append(learned.upto)
        begun.set()
        go_on.wait(5)
        if learned.upto == 4:
            raise ParameterError("no")
        return learned.upto

    measuring = Measuring(measure_slowly)
    measuring.ask(Learned(upto=1), lambda of, found: told.append((of.upto, found)))
    assert begun.wait(5)
    for upto in (2, 3, 4):
        measuring.ask(Learned(upto=upto), lambda of, found: told.append((of.upto, str(found))))
    go_on.set()
    end = time.monotonic() + 5
    while len(told) < 4 and time.monotonic() < end:
        time.sleep(0.005)
    assert measured == [1, 4]
    assert told == [(1, 1)] + [(4, "no")] * 3  # also that it failed
