"""What a person is asked to listen to: what to label next, and how much of a class there is."""

from __future__ import annotations

import pytest
from small_recordings import Listener, write_recordings

import explorer
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.explore.gallery import Gallery
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.asking import percent
from explorer.dashboard.state.state import State


@pytest.fixture
def state(tmp_path):
    audio = write_recordings(tmp_path / "recordings", count=6)
    reef = explorer.open(tmp_path / "reef.collection", audio=audio)
    reef.embed(Listener(), progress=False)
    made = State(reef, user="ana")
    made.select([0, 1])
    made.new_class_from_selection("hum")
    return made


@pytest.fixture
def desk(state):
    return Desk(state)


@pytest.fixture
def gallery(state, desk):
    return Gallery(state, desk, Pictures(state.collection, state.run))


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def test_each_card_of_what_to_label_next_says_why(state, desk, gallery):
    send(ClassesPanel(state, desk), "show", place="borderline")
    assert state.place == "borderline"
    assert gallery.cards
    assert all(card["reason"] and "score" not in card["reason"] for card in gallery.cards)
    assert not {card["row"] for card in gallery.cards} & {0, 1}
    send(gallery, "place", place="ranked")
    assert not any(card["reason"] for card in gallery.cards)


def test_a_study_is_answered_blind_and_tells_how_much_there_is(state, desk, gallery):
    panel = ClassesPanel(state, desk)
    assert panel.study is None
    send(panel, "count")
    assert state.place == "study"
    assert gallery.cards
    assert all(card["score"] is None for card in gallery.cards)
    first = [card["row"] for card in gallery.cards]
    send(gallery, "judge", rows=[first[0]], judgement="negative")
    assert [card["row"] for card in gallery.cards] == first
    assert panel.study["result"] == ""
    while not panel.study["result"]:
        unheard = [card["row"] for card in gallery.cards if not card["judgement"]]
        if not unheard:
            send(gallery, "page", first=gallery.first + len(gallery.cards))
            continue
        send(gallery, "judge", rows=[unheard[0]], judgement="negative")
    assert state.notice is None
    assert " % of windows, between " in panel.study["result"]
    sources = set(state.collection.labels()["source"])
    assert f"study:{state.asked.study.name}" in sources


def test_a_study_is_gone_on_with_and_not_begun_twice(state, desk):
    panel = ClassesPanel(state, desk)
    send(panel, "count")
    state.judge(state.listing()[:1], "negative")
    before = state.asked.progress
    state.place = "ranked"
    send(panel, "count")
    assert state.asked.progress == before
    assert len(state.collection.studies) == 1
    state.undo()
    assert state.asked.progress != before


def test_shares_are_told_as_precisely_as_they_are_worth():
    assert [percent(share) for share in (0, 0.00004, 0.0312, 0.5)] == ["0", "0.004", "3.1", "50"]


def test_why_shows_the_labels_that_speak_for_a_window_and_against_it(state, gallery):
    gallery.sent = []
    gallery._send_msg = gallery.sent.append
    state.judge([int(state.ranking[-1])], "negative")
    likely = next(int(row) for row in state.ranking if state.judgement(int(row)) is None)
    send(gallery, "why", row=likely)
    (told,) = gallery.sent
    assert told["row"] == likely
    labels = {proof["row"]: proof["label"] for proof in told["proofs"]}
    assert set(labels) <= set(state.active_class.positives) | set(state.active_class.negatives)
    assert labels[told["proofs"][0]["row"]] == "hum"
    assert told["proofs"][0]["weight"] > 0


def test_of_an_only_example_no_weight_is_made_up(state, gallery):
    gallery.sent = []
    gallery._send_msg = gallery.sent.append
    state.remove_example([1])
    send(gallery, "why", row=5)
    assert [proof["weight"] for proof in gallery.sent[0]["proofs"]] == [None]


def test_in_a_study_nothing_is_told_of_a_window(state, gallery):
    state.count()
    send(gallery, "why", row=5)
    assert "in a study" in state.notice.text
