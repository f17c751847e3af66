"""The screen that says how far a class can be trusted, and what to do next."""

from __future__ import annotations

import base64
import shutil

import numpy as np
import pytest
from tone_recordings import make_tones, windows_of

from explorer.collection.collection import Collection
from explorer.dashboard.check.chart import Chart
from explorer.dashboard.check.counting import Counting
from explorer.dashboard.check.doors import Doors
from explorer.dashboard.check.doubts import Doubts
from explorer.dashboard.check.standing import Standing
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.doubting import doubted
from explorer.dashboard.state.state import State
from explorer.dashboard.state.trust import Watch, expected


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Sixteen recordings of four pitches; two of them are labelled, each in three recordings."""
    made = make_tones(tmp_path_factory.mktemp("tones"))
    for name in ("low", "high"):
        made.label(windows_of(made, name, 3), name, who="ana")
    made.label(windows_of(made, "middle", 2), "low", "negative", who="ana")
    made.background()
    made.close()
    return made.path


@pytest.fixture
def tones(labelled, tmp_path):
    return Collection(shutil.copytree(labelled, tmp_path / "tones.collection"))


@pytest.fixture
def state(tones):
    made = State(tones, user="ada")
    made.screen = "check"
    Watch(made, Desk(made))
    made.refresh(active="low")
    return made


@pytest.fixture
def counting(state):
    made = Counting(state, Desk(state), Pictures(state.collection, state.run))
    made.sent = []
    made._send_msg = made.sent.append
    state.door = "count"
    return made


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def answer(state, counting, judgement=None):
    """Answer what is asked, rightly unless told otherwise."""
    truth = set(windows_of(state.collection, "low"))
    row = counting.queue[0]["row"]
    right = "positive" if row in truth else "negative"
    send(counting, "answer", row=row, judgement=judgement or right)
    return row


# --- how far can it be trusted ----------------------------------------------------------------


def test_the_list_says_how_well_each_class_is_found_and_what_is_missing(state):
    standing = Standing(state, Desk(state))
    told = {each["name"]: each for each in standing.classes}
    assert set(told) == {"low", "high"}
    curve = state.trust.curve("low")
    assert told["low"]["auc"].startswith("1.0 (" if curve.auc.value > 0.995 else ".")
    assert told["low"]["precision"]
    assert told["low"]["says"]
    assert not told["low"]["outdated"]
    state.collection.label([5], "boat", "negative", who="ana")
    state.refresh()
    told = {each["name"]: each for each in standing.classes}
    assert told["boat"]["says"] == "Needs a yes before anything can be said."


def test_the_chart_holds_the_curve_and_follows_the_threshold(state):
    chart = Chart(state, Desk(state))
    curve = state.trust.curve("low")
    assert chart.curve["sentence"] == curve.sentence
    assert len(chart.curve["precision"]) == len(chart.curve["thresholds"]) == len(curve.table)
    assert chart.curve["auc"]["value"] == curve.auc.value
    assert chart.mixed["examples"] == len(windows_of(state.collection, "low", 3))
    send(chart, "threshold", value=1.0)
    assert (state.threshold, chart.threshold) == (1.0, 1.0)
    assert chart.mixed["found"] <= chart.mixed["examples"]
    state.undo()
    assert state.threshold == 0.5
    send(chart, "precision", wanted=0.9)
    assert expected(curve, state.threshold)["precision"]["value"] >= 0.9
    assert "of detections are right" in state.notice.text


def test_while_labels_change_the_old_figures_are_marked_and_nothing_is_computed_twice(
    state, monkeypatch
):
    chart = Chart(state, Desk(state))
    calls = []
    real = type(state.learned.classifier).quality
    monkeypatch.setattr(
        type(state.learned.classifier), "quality", lambda self: calls.append(1) or real(self)
    )
    held = []
    state.background = lambda compute, apply, doing: held.append((compute, apply))
    state.judge([int(state.ranking[-1])], "negative")
    assert not chart.outdated
    state.background = lambda compute, apply, doing: apply(compute())
    compute, apply = held.pop(0)
    apply(compute())
    assert not chart.outdated  # tested again at once, as nobody waits here
    assert calls == [1]
    assert state.trust.learned is state.learned


def test_of_a_class_that_cannot_be_tested_the_reason_stands_there(state):
    chart = Chart(state, Desk(state))
    state.select([int(windows_of(state.collection, "highest")[0])])
    state.new_class_from_selection("highest")
    assert chart.curve is None
    assert "add one from another recording" in chart.empty


# --- labels that look wrong -----------------------------------------------------------------


@pytest.fixture
def doubts(state):
    wrong = windows_of(state.collection, "high")[-1]
    state.collection.label([wrong], "low", who="ben")
    state.refresh()
    return Doubts(state, Desk(state), Pictures(state.collection, state.run)), wrong


def test_a_wrong_label_is_found_and_turned_round_and_undone(state, doubts):
    piece, wrong = doubts
    assert (piece.cards[0]["row"], piece.cards[0]["class"]) == (wrong, "low")
    assert piece.cards[0]["judgement"] == "positive"
    send(piece, "flip", row=wrong, name="low")
    said = state.collection.labels()
    mine = said[(said["who"] == "ada") & (said["class"] == "low")]
    assert mine["judgement"].tolist() == ["negative"]
    assert wrong not in [card["row"] for card in piece.cards if card["class"] == "low"]
    state.undo()
    assert piece.cards[0]["row"] == wrong


def test_a_label_that_was_heard_again_is_not_asked_about_again(state, doubts):
    piece, wrong = doubts
    send(piece, "keep", row=wrong, name="low")
    assert wrong not in [card["row"] for card in piece.cards if card["class"] == "low"]
    labels = state.collection.labels()
    kept = labels[(labels["who"] == "ada") & (labels["class"] == "low")]
    assert (kept["judgement"].tolist(), kept["source"].tolist()) == (["positive"], ["check"])
    state.undo()
    assert wrong in doubted(state.collection, state.learned).index
    send(piece, "keep", row=3, name="low")
    assert "no longer in doubt" in state.notice.text


def test_an_answer_of_a_study_that_is_confirmed_stays_one(state, tones):
    study = state.learned.classifier.study("low", per_bin=5)
    row = int(study.to_label(1).index[0])
    study.label([row], "positive", who="ada")
    state.refresh()
    state.confirm(row, "low", "positive")
    labels = tones.labels()
    mine = labels[(labels["who"] == "ada") & (labels["class"] == "low")]
    assert mine["source"].tolist() == [study.source]
    assert study.progress.answered >= 1


# --- how much is there ------------------------------------------------------------------------


def test_a_study_is_planned_answered_blind_and_read_off(state, counting):
    assert counting.step == "plan"
    assert counting.sizes[0]["answers"] < counting.sizes[-1]["answers"]
    widths = [size["plus_minus"] for size in counting.sizes]
    assert widths == sorted(widths, reverse=True)
    send(counting, "begin", per_bin=4)
    assert counting.step == "answer"
    assert all(card["score"] is None for card in counting.queue)
    while counting.step == "answer":
        answer(state, counting)
    assert state.notice is None
    assert counting.step == "result"
    study = state.asked.study
    assert counting.result["whole"]["density"] == pytest.approx(study.density().value)
    assert [site["site"] for site in counting.result["sites"]] == ["EAST", "WEST"]
    assert "Navine" in counting.result["methods"]
    # The curve now rests on the study, and offers thresholds.
    assert state.trust.curve("low").study == study.name
    offer = next(offer for offer in counting.offers if offer["threshold"] is not None)
    send(counting, "threshold", wanted=offer["wanted"])
    assert state.threshold == pytest.approx(offer["threshold"], abs=1e-3)
    state.undo()
    assert state.threshold == 0.5
    send(counting, "export")
    table = base64.b64decode(counting.sent[-1]["data"]).decode()
    assert table.splitlines()[0].startswith("site,windows,recorded_hours,density")


def test_one_may_stop_and_go_on_and_pressing_twice_takes_nothing_back(state, counting):
    send(counting, "begin", per_bin=4)
    row = answer(state, counting)
    before = state.asked.answered
    send(counting, "answer", row=row, judgement=state.judgement(row))
    assert state.asked.answered == before
    send(counting, "step", step="plan")
    assert [study["answered"] for study in counting.studies] == [before]
    state.place = "ranked"  # she looks at something else meanwhile
    send(counting, "go_on", name=counting.studies[0]["name"])
    answer(state, counting)
    sources = state.collection.labels()
    assert (sources["source"] == state.asked.study.source).sum() == 2
    assert len(state.collection.studies) == 1
    send(counting, "answer", row=0 if 0 not in state.asked.rows else 1, judgement="positive")
    assert "not one that the study asks about" in state.notice.text


def test_a_study_is_kept_to_the_sites_that_are_looked_at(state, counting):
    everywhere = counting.sizes[-1]["answers"]
    state.narrow(sites=("EAST",), from_h=2)
    assert counting.where == "EAST"
    assert counting.cannot == "02–24 h"
    assert counting.sizes[-1]["answers"] < everywhere
    send(counting, "begin", per_bin=2)
    assert state.asked.study.sites == ("EAST",)
    sites = state.collection.windows(np.concatenate(state.asked.study.plan.queues))["site"]
    assert set(sites) == {"EAST"}
    state.widen()
    send(counting, "step", step="plan")
    assert counting.studies[0]["where"] == "EAST"
    assert not counting.studies[0]["here"]


def test_more_answers_narrow_the_interval_until_it_is_as_wanted(state, counting):
    send(counting, "begin", per_bin=2)
    while counting.step == "answer":
        answer(state, counting)
    first = counting.result["whole"]
    send(counting, "narrow", within=0.1)
    assert counting.step == "answer"
    while counting.step == "answer":
        answer(state, counting)
    last = counting.result["whole"]
    assert last["high"] - last["low"] < first["high"] - first["low"]
    assert state.asked.more == 0


def test_undo_takes_an_answer_back(state, counting):
    send(counting, "begin", per_bin=4)
    row = answer(state, counting)
    answered = state.asked.answered
    send(counting, "undo")
    assert state.asked.answered == answered - 1
    assert row in [card["row"] for card in counting.queue]


# --- doors, and the filter -------------------------------------------------------------------


def test_what_teaches_most_is_shown_on_the_screen_for_listening(state):
    doors = Doors(state, Desk(state))
    assert doors.scored
    send(doors, "door", door="teach")
    assert (state.screen, state.place) == ("explore", "borderline")
    send(doors, "door", door="carry")
    assert state.door == "carry"
    send(doors, "door", door="carry")
    assert state.door == ""


def test_counts_and_the_histogram_obey_the_filter(state):
    panel, classes = ScorePanel(state, Desk(state)), ClassesPanel(state, Desk(state))
    whole = panel.found
    assert (panel.of, classes.classes[0]["kept"]) == (None, None)
    state.narrow(sites=("EAST",))
    east = (state.facts.site == state.facts.sites.index("EAST")) & (state.scores >= 0.5)
    assert (panel.found, panel.of) == (int(east.sum()), whole)
    assert sum(panel.counts) == int(state.kept.sum())
    low = next(each for each in classes.classes if each["name"] == "low")
    assert (low["kept"], low["found"]) == (int(east.sum()), whole)
    state.judge([int(state.ranking[-1])], "negative")
    assert panel.of is not None
    state.widen()
    assert panel.of is None


def test_the_histogram_says_the_precision_at_its_threshold(state):
    panel = ScorePanel(state, Desk(state))
    assert "precision" in panel.trust["text"]
    before = panel.trust["text"]
    state.set_threshold(0.0)
    assert panel.trust["text"] != before
    send(panel, "check")
    assert state.screen == "check"
