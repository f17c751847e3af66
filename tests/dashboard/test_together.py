"""The screen on which a lab sees how far it agrees, and decides what is unclear."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.classify.agreement import cohen_kappa
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.shared import shared
from explorer.dashboard.state.state import State
from explorer.dashboard.together.people import People, in_words
from explorer.dashboard.together.queue import Queue
from explorer.dashboard.together.round import APART, SECOND, Round
from explorer.dashboard.together.screen import make


@pytest.fixture
def lab(fake):
    """Ada and Ben judged ten windows of a class both, and differ about two of them."""
    collection = fake(recordings=12)
    collection.label(range(5), "hum", "positive", who="ada")
    collection.label(range(5, 10), "hum", "negative", who="ada")
    collection.label([0, 1, 2, 3, 5], "hum", "positive", who="ben")
    collection.label([4, 6, 7, 8, 9], "hum", "negative", who="ben")
    collection.label([30, 31], "buzz", "positive", who="ben")
    return collection


def visit(collection, user, role="owner"):
    state = State(collection, user=user, role=role)
    state.refresh()
    state.screen = "together"
    desk = Desk(state)
    round_ = Round(state, desk)
    pictures = Pictures(collection, state.run)
    return state, round_, People(state, desk, round_), Queue(state, desk, pictures, round_)


def shown(queue):
    return {(card["row"], card["class"]) for card in queue.cards}


def test_it_says_who_labelled_what_and_how_far_they_agree(lab):
    _, _, people, _ = visit(lab, "ada")
    told = {one["name"]: (one["labels"], one["yes"], one["no"]) for one in people.people}
    assert told == {"ben": (12, 7, 5), "ada": (10, 5, 5)}
    assert "ada and ben judged 10 windows both" in people.sentence
    assert "kappa of .60" in people.sentence
    hum = next(c for c in people.classes if c["name"] == "hum")
    assert (hum["windows"], hum["agreed"], hum["kappa"]) == (10, 0.8, 0.6)
    assert hum["low"] < 0.6 < hum["high"]
    assert [pair["who"] for pair in people.pairs] == [["ada", "ben"]]


def test_a_third_voice_decides_and_the_window_leaves_the_queue(lab):
    state, _, _, queue = visit(lab, "carl")
    assert shown(queue) == {(4, "hum"), (5, "hum")}
    card = next(card for card in queue.cards if card["row"] == 4)
    assert card["said"] == [["ada", "positive"], ["ben", "negative"]]
    queue.do_say(4, "hum", "positive")
    assert shown(queue) == {(5, "hum")}
    state.undo()
    assert shown(queue) == {(4, "hum"), (5, "hum")}


def test_saying_what_another_said_is_a_label_of_ones_own(lab):
    state, _, _, queue = visit(lab, "carl")
    queue.do_say(4, "hum", "negative")  # as Ben: it must not be taken for taking his back
    assert lab.labels(who="carl")["judgement"].tolist()[-1] == "negative"
    assert state.judgement(4, "hum") == "negative"


def test_one_of_the_two_may_change_her_mind(lab):
    _, _, people, queue = visit(lab, "ada")
    queue.do_say(4, "hum", "negative")
    assert shown(queue) == {(5, "hum")}
    assert next(c for c in people.classes if c["name"] == "hum")["agreed"] == 0.9


def test_a_second_opinion_is_asked_for_blind(lab):
    _, _, _, queue = visit(lab, "ada")
    queue.do_mode(SECOND)
    assert shown(queue) == {(30, "buzz"), (31, "buzz")}
    assert all(card["said"] == [] for card in queue.cards)
    assert queue.numbers == [2, 2]
    queue.do_say(30, "buzz", "negative")
    assert shown(queue) == {(31, "buzz")}
    queue.do_mode(APART)
    assert (30, "buzz") in shown(queue)


def test_a_class_can_be_looked_at_alone(lab):
    _, round_, people, queue = visit(lab, "carl")
    people.do_class("buzz")
    assert round_.class_ == "buzz" and not queue.cards
    assert people.sentence == ""
    people.do_class("buzz")
    assert round_.class_ is None


def test_the_filter_is_obeyed(lab):
    state, _, people, queue = visit(lab, "carl")
    kept = np.ones(state.n_windows, dtype=bool)
    kept[4] = False
    state.kept = kept
    assert shown(queue) == {(5, "hum")}
    assert next(c for c in people.classes if c["name"] == "hum")["windows"] == 9
    state.kept = None
    assert len(queue.cards) == 2


def test_who_is_alone_is_told_how_to_ask_others(fake):
    collection = fake(recordings=6)
    _, _, people, queue = visit(collection, "ada")
    assert people.state_of_things == "alone" and queue.alone
    collection.label([1], "hum", who="ada")
    collection.label([2], "hum", who="ben")
    _, _, people, queue = visit(collection, "ada")
    assert people.state_of_things == "apart"


def test_a_viewer_decides_nothing(lab):
    state, _, _, queue = visit(lab, "eve", role="viewer")
    before = len(lab._events)
    queue._handle_msg({"action": "say", "row": 4, "class_": "hum", "judgement": "positive"})
    assert "You are a viewer here" in state.notice.text
    assert len(lab._events) == before


@pytest.mark.parametrize(
    "message",
    [
        {"action": "say", "row": 4, "class_": "nothing", "judgement": "positive"},
        {"action": "say", "row": 100_000, "class_": "hum", "judgement": "positive"},
        {"action": "say", "row": 4, "class_": "hum", "judgement": "perhaps"},
        {"action": "mode", "mode": "other"},
    ],
)
def test_what_a_browser_should_not_send_is_refused_in_words(lab, message):
    state, _, _, queue = visit(lab, "ada")
    before = len(lab._events)
    queue._handle_msg(message)
    assert state.notice.kind == "error"
    assert len(lab._events) == before


def test_it_is_worked_out_only_while_somebody_looks_and_once_for_all(lab):
    state, round_, _, _ = visit(lab, "ada")
    _, other, _, _ = visit(lab, "ben")
    assert round_.found is other.found
    state.screen = "explore"
    was = round_.found
    state.judge([11], "positive", "hum")
    assert round_.found is was
    state.screen = "together"
    assert round_.found is not was


def test_few_windows_are_not_given_a_name(lab):
    pair = [("ada", "ben")]
    few = cohen_kappa([1, 0, 1, 0], [1, 0, 1, 1])
    assert in_words(few, pair).endswith("too few to say.")
    many = cohen_kappa([1, 0] * 60, [1, 0] * 60)
    assert in_words(many, pair).endswith("almost perfect.")
    assert "chance alone" in in_words(cohen_kappa([1, 1], [1, 1]), pair)


def test_the_screen_is_laid_out(lab):
    state = State(lab, user="ada")
    assert make(state, Desk(state), shared(lab, state.run)) is not None
