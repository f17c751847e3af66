"""How well a class is found is said once the labels have settled, and only of these labels."""

from __future__ import annotations

import time

import pytest

from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.frame.desk import Desk
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


class Busy(Desk):
    """A desk whose work ends when the test says so."""

    attached = True

    def __init__(self, state):
        super().__init__(state)
        self.left = []

    def run(self, compute, apply, doing):
        self.left.append((compute, apply))


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def test_gestures_in_a_row_are_measured_once_and_outdated_results_are_dropped(state):
    desk = Busy(state)
    Watch(state, desk, settled_s=0.15)
    begin(state)
    state.judge([100], "negative")
    state.judge([101], "negative")
    assert desk.left == []
    wait_for(lambda: len(desk.left) == 1)
    state.judge([102], "negative")
    compute, apply = desk.left.pop()
    apply(compute())
    assert state.trust.by_class == {}
    wait_for(lambda: len(desk.left) == 1)
    compute, apply = desk.left.pop()
    apply(compute())
    assert state.trust.learned is state.learned
