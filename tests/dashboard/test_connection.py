"""What was said in the moment in which the connection was lost is not lost with it."""

from __future__ import annotations

import pytest

from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.frame.connection import Connection
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.serving.serve import guarded
from explorer.dashboard.state.state import State
from explorer.errors import CollectionError


@pytest.fixture
def back(fake):
    """The page that has come back, with a class of Ada's."""
    collection = fake(recordings=6)
    collection.label([1, 2, 3], "grunt", "positive", who="ada")
    state = State(collection, user="ada")
    state.refresh()
    return state, Connection(state, Desk(state))


def said(rows, judgement, class_="grunt", **more):
    return {"rows": rows, "judgement": judgement, "class": class_, **more}


def test_what_had_not_been_sent_is_said_again(back):
    state, page = back
    page.do_unsent(state.run, [said([7], "negative"), said([8, 9], "unsure")])
    assert [state.judgement(row, "grunt") for row in (7, 8, 9)] == ["negative", "unsure", "unsure"]
    assert "3 judgements" in state.notice.text


def test_what_had_arrived_is_not_taken_back_by_saying_it_again(back):
    state, page = back
    page.do_unsent(state.run, [said([2], "positive")])
    assert state.judgement(2, "grunt") == "positive"
    assert len(state.collection._events) == 3


def test_rows_of_another_encoder_and_answers_of_a_study_are_not_guessed(back):
    state, page = back
    page.do_unsent("another run", [said([7], "negative")])
    page.do_unsent(state.run, [said([7], "negative", study=True)])
    assert len(state.collection._events) == 3
    assert "asked again" in state.notice.text


@pytest.mark.parametrize(
    "one", [said([7], "perhaps"), said([10_000], "positive"), said([7], "positive", class_=None)]
)
def test_what_a_browser_made_up_is_refused_in_words(back, one):
    state, page = back
    page._handle_msg({"action": "unsent", "run": state.run, "said": [one]})
    assert state.notice.kind == "error"
    assert len(state.collection._events) == 3


def test_a_message_with_a_receipt_is_answered_also_when_it_was_refused(back, monkeypatch):
    state, _ = back
    panel = ClassesPanel(state, Desk(state))
    told = []
    monkeypatch.setattr(panel, "_send_msg", told.append)
    panel._handle_msg({"action": "activate", "name": "grunt", "receipt": "a-1"})
    panel._handle_msg({"action": "activate", "name": "nothing", "receipt": "a-2"})
    assert [(one["receipt"], one["failed"]) for one in told] == [("a-1", False), ("a-2", True)]


def test_a_page_that_cannot_be_made_says_so_and_is_not_blank(caplog):
    def broken():
        raise RuntimeError("the disk is gone <b>now</b>")

    page = guarded(broken)()
    assert "This page cannot be opened" in page.object
    assert "the disk is gone &lt;b&gt;now" in page.object
    assert "Traceback" in caplog.text

    def known():
        raise CollectionError("reef.collection: the catalogue is of a newer program")

    assert "newer program" in guarded(known)().object
