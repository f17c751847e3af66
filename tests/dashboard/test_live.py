"""What others label arrives, and moves nothing that one is looking at."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pandas as pd
import pytest

from explorer.dashboard.serving import live
from explorer.dashboard.state.state import State


class Page:
    """In place of a session's desk: what is to be done is done by `turn`, on the test's thread."""

    attached = True

    def __init__(self):
        self.document = object()
        self._waiting = []
        self._ends = []

    def soon(self, callback, *args):
        self._waiting.append((callback, args))

    def at_end(self, callback):
        self._ends.append(callback)

    def close(self):
        for end in self._ends:
            end()

    def turn(self):
        waiting, self._waiting = self._waiting, []
        for callback, args in waiting:
            callback(*args)

    def until(self, holds, limit_s=10.0):
        end = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)
            self.turn()


@pytest.fixture
def collection(fake, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    monkeypatch.setattr(live, "LONGEST_S", 0.05)
    made = fake(recordings=12)
    made.label_events = lambda since: pd.DataFrame(made._events[since:])
    return made


def visit(collection, user):
    state, page = State(collection, user=user), Page()
    live.join(state, page)
    state.refresh()
    return state, page


def begin(state, kind=0):
    state.select(np.flatnonzero(state.collection._kind == kind)[:4])
    state.new_class_from_selection("grunt")


def test_labels_of_others_arrive_and_are_told_quietly(collection):
    ada, page = visit(collection, "ada")
    ben, _ = visit(collection, "ben")
    begin(ada)
    ben.refresh()
    ben.judge([50], "negative", "grunt")
    ben.judge([51], "negative", "grunt")
    page.until(lambda: ada.judgement(51, "grunt") == "negative")
    assert ada.news.text == "ben labelled 2 windows"
    assert ada.notice is None  # nothing pops up
    ben.undo()
    page.until(lambda: ada.judgement(51, "grunt") is None)
    assert "took 1 label back" in ada.news.text


def test_what_one_looks_at_stays_where_it_is_until_ones_own_next_gesture(collection):
    ada, page = visit(collection, "ada")
    begin(ada)
    seen, scores = ada.listing().copy(), ada.scores.copy()
    for row in seen[:3]:
        collection.label([row], "grunt", "negative", who="ben")
    page.until(lambda: ada.judgement(int(seen[2])) == "negative")
    assert not np.array_equal(ada.scores, scores)
    assert np.array_equal(ada.listing(), seen)
    ada.judge([int(seen[5])], "negative")
    assert not np.array_equal(ada.listing(), seen)


def test_who_has_not_chosen_a_class_is_not_taken_to_one(collection):
    ada, page = visit(collection, "ada")
    collection.label([1, 2, 3], "boat", "positive", who="ben")
    page.until(lambda: ada.classes)
    assert (ada.active, ada.place) == (None, "sample")


def test_own_labels_from_elsewhere_arrive_without_news(collection):
    ada, page = visit(collection, "ada")
    begin(ada)
    collection.label([70], "grunt", "unsure", who="ada", source="notebook")
    page.until(lambda: ada.judgement(70) == "unsure")
    assert ada.news is None


def test_own_gestures_are_not_learnt_a_second_time(collection):
    ada, page = visit(collection, "ada")
    begin(ada)
    before = collection.fits
    time.sleep(0.2)
    page.turn()
    assert collection.fits == before


def test_all_sessions_learn_from_one_fit(collection):
    everyone = [visit(collection, name) for name in ("ada", "ben", "carl", "dora")]
    begin(everyone[0][0])
    before = collection.fits
    collection.label([70], "grunt", "negative", who="eve")
    for state, page in everyone:
        page.until(lambda state=state: state.judgement(70, "grunt") == "negative")
    assert collection.fits == before + 1
    assert everyone[1][0].learned.scores is everyone[2][0].learned.scores


def test_one_sees_who_is_here_and_who_has_left(collection):
    ada, page = visit(collection, "ada")
    _, ben_page = visit(collection, "ben")
    page.until(lambda: ada.here == ["ada", "ben"])
    ben_page.close()
    page.until(lambda: ada.here == ["ada"])


def test_nobody_is_looked_out_for_when_all_have_left(collection):
    before = {one for one in threading.enumerate() if one.name == "explorer-live"}
    state, page = visit(collection, "ada")
    assert {one for one in threading.enumerate() if one.name == "explorer-live"} - before
    page.close()
    del state
    gc.collect()
    Page().until(
        lambda: not {one for one in threading.enumerate() if one.name == "explorer-live"} - before
    )


def test_a_catalogue_that_cannot_be_read_for_a_moment_is_no_end(collection, monkeypatch, caplog):
    monkeypatch.setattr(live, "BREATH_S", 0.05)
    ada, page = visit(collection, "ada")
    asked = collection.latest_event
    collection.latest_event = lambda: 1 / 0
    Page().until(lambda: "looking for labels of others" in caplog.text)
    collection.latest_event = asked
    collection.label([1], "boat", "positive", who="ben")
    page.until(lambda: ada.classes)


@pytest.mark.parametrize(
    ("labelled", "taken_back", "words"),
    [
        ({"ben": 1}, {}, "ben labelled 1 window"),
        ({"a": 1, "b": 1, "c": 2}, {}, "a and 2 others labelled 4 windows"),
        ({}, {"ben": 2}, "ben took 2 labels back"),
        ({}, {}, ""),
    ],
)
def test_news_is_short(labelled, taken_back, words):
    assert live.news(labelled, taken_back) == words
