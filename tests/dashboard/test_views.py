"""What the pieces of the screen show and do, driven by the messages that a browser sends."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import panel as pn
import pytest
import soundfile

from explorer.dashboard.app import make_app
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.explore.gallery import Gallery
from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.explore.when import WhenPanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.header import Header
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.facts import describe_selection, gather
from explorer.dashboard.state.finding import find, go, parse_place
from explorer.dashboard.state.state import State
from explorer.errors import AudioError, ParameterError


@pytest.fixture
def state(fake):
    return State(fake(recordings=12), user="ada")


@pytest.fixture
def desk(state):
    return Desk(state)


@pytest.fixture
def gallery(state, desk):
    made = Gallery(state, desk, Pictures(state.collection, state.run))
    made.sent = []
    made._send_msg = made.sent.append
    made._pictures.submit = lambda work, *args, **_: work(*args)
    return made


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def test_the_gallery_shows_the_ranking_page_by_page(state, gallery):
    state.select(np.flatnonzero(state.collection._kind == 0)[:4])
    state.new_class_from_selection("grunt")
    send(gallery, "per_page", count=6)
    first = [card["row"] for card in gallery.cards]
    assert len(first) == 6
    send(gallery, "page", first=6)
    assert not set(first) & {card["row"] for card in gallery.cards}
    assert [card["n"] for card in gallery.cards] == list(range(7, 13))


def test_what_is_judged_stays_in_sight_until_the_page_is_turned(state, gallery):
    state.select(np.flatnonzero(state.collection._kind == 0)[:4])
    state.new_class_from_selection("grunt")
    row = gallery.cards[0]["row"]
    send(gallery, "judge", rows=[row], judgement="positive")
    shown = {card["row"]: card["judgement"] for card in gallery.cards}
    assert shown[row] == "positive"
    send(gallery, "page", first=0)
    assert row not in {card["row"] for card in gallery.cards}


def test_sound_and_picture_are_of_the_window_asked_for(state, gallery):
    send(gallery, "pictures", rows=[17])
    send(gallery, "sound", row=17)
    picture, sound = gallery.sent
    assert picture["row"] == 17
    assert picture["src"].startswith("data:image/png;base64,")
    assert [text for text, _ in picture["ticks"]] == ["1", "2", "5", "10"]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["data"])))
    assert len(samples) / rate == pytest.approx(3.0, abs=1 / rate)


def test_a_recording_that_cannot_be_read_says_so_on_its_card(state, gallery):
    def unreadable(row, **_):
        raise AudioError("dawn.wav", "the file is no longer there")

    state.collection.clip = unreadable
    send(gallery, "pictures", rows=[3])
    assert "no longer there" in gallery.sent[0]["error"]


@pytest.mark.parametrize(
    "message",
    [
        {"action": "sound", "row": 10**9},
        {"action": "sound", "row": "../../etc/passwd"},
        {"action": "judge", "rows": [1], "judgement": "drop table"},
        {"action": "pictures", "rows": [0], "preset": "wide"},
        {"action": "pictures", "rows": [True]},
        {"action": "judge", "rows": [10**9], "judgement": "positive"},
        {"action": "listening", "values": {"preset": "dog"}},
        {"action": "__init__"},
        {"action": "_draw", "row": 1},
        {},
        "not a message",
    ],
)
def test_a_message_that_makes_no_sense_is_told_and_harms_nothing(state, gallery, message):
    gallery._handle_msg(message)
    assert state.notice.kind == "error"
    assert state.collection._events == []


def test_an_unexpected_failure_is_said_in_words_and_logged(state, gallery, caplog):
    state.judge = None
    send(gallery, "judge", rows=[1], judgement="positive")
    assert "did not work" in state.notice.text
    assert "Traceback" in caplog.text


def test_the_histogram_counts_every_window_once(state, desk):
    panel = ScorePanel(state, desk)
    assert panel.counts == []
    state.select(np.flatnonzero(state.collection._kind == 0)[:4])
    state.new_class_from_selection("grunt")
    assert sum(panel.counts) == state.n_windows
    send(panel, "threshold", value=0.25)
    assert panel.found == np.count_nonzero(state.scores >= 0.25)


def test_the_classes_panel_says_what_to_do_next(state, desk):
    panel = ClassesPanel(state, desk)
    assert "Draw around" in panel.advice
    state.select([1, 2])
    assert panel.candidates == 2
    assert "Listen" in panel.advice
    send(panel, "new_class", name="grunt")
    assert "say no" in panel.advice
    assert panel.classes[0]["positives"] == 2
    send(panel, "rename", old="grunt", new="whoop")
    assert panel.classes[0]["name"] == "whoop"


def test_labels_are_exported_with_zone_and_site(state, desk):
    panel = ClassesPanel(state, desk)
    sent = []
    panel._send_msg = sent.append
    state.select([1, 25])
    send(panel, "new_class", name="grunt")
    send(panel, "export", what="labels", format="csv")
    table = pd.read_csv(io.BytesIO(base64.b64decode(sent[0]["data"])))
    assert list(table["start_s"]) == [3.0, 15.0]
    assert list(table["started_at"]) == [
        "2026-05-01T04:00:03.000-07:00",
        "2026-05-01T11:00:15.000-07:00",
    ]
    assert list(table["site"]) == ["Ridge-02", "Creek-01"]
    send(panel, "export", what="labels", format="raven")
    assert sent[1]["name"].endswith(".zip")


def test_search_knows_recordings_of_the_collection_only():
    known = ("A/dawn.wav", "A/dusk.wav", "B/dusk.wav")
    assert parse_place("dawn @ 1:05", known) == ("A/dawn.wav", 65.0)
    assert parse_place("B/dusk.wav @ 3.5 s", known) == ("B/dusk.wav", 3.5)
    for text in ("/etc/passwd @ 0", "dusk @ 3", "", "dawn @ 1:x"):
        with pytest.raises(ParameterError):
            parse_place(text, known)


def test_an_uploaded_sound_arrives_in_parts_and_is_searched_with(state, desk):
    header = Header(state, desk, switch=lambda run: None)
    data = [base64.b64encode(part).decode() for part in (b"one", b"two")]
    send(header, "upload", name="..\\evil/../call.wav", part=0, parts=2, data=data[0])
    send(header, "upload", name="..\\evil/../call.wav", part=1, parts=2, data=data[1])
    assert state.place == "similar"
    assert state.similar.title == "call.wav"
    send(header, "upload", name="call.wav", part=1, parts=2, data=data[1])
    assert "did not arrive whole" in state.notice.text


def test_the_panel_below_the_map_leaves_unrecorded_hours_open(state, desk):
    panel = WhenPanel(state, desk)
    assert panel.unit == "effort"
    seconds = np.reshape(panel.frame["panels"][0]["seconds"], (-1, 24))
    assert seconds.sum() == 12 * 60
    assert (panel.frame["first"], panel.frame["n"]) == ("2026-05-01", 4)
    assert seconds[0, [4, 5, 11]].tolist() == [60, 0, 60]
    state.select(np.flatnonzero(state.collection._kind == 0)[:4])
    state.new_class_from_selection("grunt")
    assert panel.unit == "windows"
    assert sum(panel.frame["panels"][0]["count"]) == np.count_nonzero(state.scores >= 0.5)


def test_the_selection_says_where_and_when(fake):
    facts = gather(fake(recordings=6).index())
    assert describe_selection(facts, np.arange(5)) == "all Ridge-02, 04–05 h"
    assert describe_selection(facts, np.array([0, 1, 2, 3, 25])) == "mostly Ridge-02, 04–05 h"
    assert describe_selection(facts, np.array([0, 25, 45])).startswith("from 3 sites")


def test_the_search_box_finds_classes_sites_and_recordings(state):
    state.select([1, 2])
    state.new_class_from_selection("ridge call")
    kinds = [(found.kind, found.name) for found in find(state, "Ridge")]
    assert kinds[0] == ("class", "ridge call")
    assert ("site", "Ridge-02") in kinds
    assert any(kind == "recording" for kind, _ in kinds)
    go(state, "site", "Ridge-02")
    assert state.filter.sites == ("Ridge-02",)
    recording = state.facts.recordings[1]
    go(state, "recording", recording)
    assert state.filter.recording == recording
    found = find(state, f"{recording} @ 3")
    go(state, found[0].kind, found[0].name)
    assert state.place == "similar"


@pytest.mark.parametrize("kind", ["class", "site", "recording", "cluster", "species", "nonsense"])
def test_what_is_not_there_cannot_be_gone_to(state, kind):
    with pytest.raises(ParameterError):
        go(state, kind, "<img src=x>")


@pytest.mark.parametrize("n", [3, 1300])
def test_the_app_can_be_made_with_few_and_with_many_windows(fake, n):
    app = make_app(fake(recordings=n), user="ada")
    app.get_root()
    app.state.select([0, 1, 2])
    app.state.new_class_from_selection("grunt")
    for by in ("score", "site", "hour", "class"):
        app.state.colour_by = by
    app.state.theme = "dark"
    assert "dark" in app.css_classes


def test_a_missing_map_is_made(fake):
    app = make_app(fake(recordings=3, projected=False), user="ada")
    assert app.state.xy is not None


def test_a_collection_without_embeddings_says_what_to_run(fake):
    app = make_app(fake(embedded=False), user="ada")
    welcome = app.select(lambda view: hasattr(view, "command"))[0]
    assert welcome.command.startswith("explorer embed")


def test_sessions_share_what_is_read_only_and_nothing_else(fake):
    collection = fake(recordings=3)
    one, two = make_app(collection, user="ada"), make_app(collection, user="ben")
    assert one.state.facts is two.state.facts
    one.state.select([1])
    one.state.theme = "dark"
    assert len(two.state.selection) == 0
    assert "light" in two.css_classes
    pn.state.clear_caches()
