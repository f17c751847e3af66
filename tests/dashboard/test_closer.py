"""A closer look at one sound, and settings that all pieces share, by a browser's messages."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from PIL import Image

from explorer.audio.listening import Listening
from explorer.dashboard.explore.closer import CloserLook, clip_name
from explorer.dashboard.explore.gallery import Gallery
from explorer.dashboard.frame import address
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.state import State

RATE = 24_000


@pytest.fixture
def state(fake):
    collection = fake(recordings=6)

    def clip_of(recording, start_s, end_s):
        """A tone whose frequency is 100 Hz per second of the recording."""
        t = np.arange(round(start_s * RATE), round(end_s * RATE)) / RATE
        samples = (0.2 * np.sin(2 * np.pi * 100 * np.floor(t) * t)).astype("f4")
        return SimpleNamespace(samples=samples, rate=RATE, start_s=start_s, end_s=end_s)

    collection.clip_of = clip_of
    return State(collection, user="ada")


def at_hand(made):
    made.sent = []
    made._send_msg = made.sent.append
    made._pictures.submit = lambda work, *args, **_: work(*args)
    return made


@pytest.fixture
def closer(state):
    return at_hand(CloserLook(state, Desk(state), Pictures(state.collection, state.run)))


@pytest.fixture
def gallery(state):
    return at_hand(Gallery(state, Desk(state), Pictures(state.collection, state.run)))


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def grunts(state, n=4):
    state.select(np.flatnonzero(state.collection._kind == 0)[:n])
    state.new_class_from_selection("grunt")


def wav(message):
    return soundfile.read(io.BytesIO(base64.b64decode(message["data"])), dtype="float32")


def image(text):
    return Image.open(io.BytesIO(base64.b64decode(text.split(",")[1])))


def test_it_says_exactly_where_and_when_a_sound_is(state, gallery, closer):
    send(gallery, "closer", row=23)
    sound = closer.sound
    assert (sound["start_s"], sound["end_s"], sound["duration_s"]) == (9.0, 12.0, 60.0)
    assert sound["iso"] == "2026-05-01T11:00:09.000-07:00"
    assert (sound["site"], sound["window"], sound["windows"]) == ("Creek-01", 4, 20)
    assert sound["reference"] == (
        "Creek-01/20260501_110000.wav, 9.000–12.000 s; 2026-05-01T11:00:09.000-07:00; Creek-01; "
        "Spring 2026 survey (spectral-1_3.0s)"
    )
    send(closer, "close")
    assert closer.sound is None


def test_arrows_go_through_the_recording_and_j_through_the_list(state, closer):
    grunts(state)
    ranking = state.listing("ranked")
    state.closer = int(ranking[0])
    send(closer, "next", by=1)
    assert state.closer == ranking[1] == state.focus
    state.closer = 39
    send(closer, "step", by=1)
    assert state.closer == 39  # the last window of its recording
    send(closer, "step", by=-10)
    assert state.closer == 29
    send(closer, "window", row=25)
    assert state.closer == 25
    send(closer, "window", row=5)
    assert state.closer == 25
    assert "in this recording" in state.notice.text


def test_the_gallery_goes_to_the_page_of_the_last_sound(state, gallery, closer):
    grunts(state)
    last = int(state.listing("ranked")[40])
    state.closer = last
    state.closer = None
    assert gallery.focused == last
    assert last in {card["row"] for card in gallery.cards}


def test_a_view_is_drawn_with_its_axes_and_its_levels(state, closer):
    state.closer = 1
    send(closer, "view", number=1, start_s=0.0, end_s=9.0, size=[400, 200])
    view = closer.sent[-1]
    assert (view["start_s"], view["end_s"], view["rate"]) == (0.0, 9.0, RATE)
    assert (view["scale"][0], view["scale"][-1]) == (40, 12_000)
    assert image(view["src"]).size == (400, 200)
    assert image(view["levels"]).size == (200, 100)
    send(closer, "view", number=2, start_s=7.0, end_s=8.0, size=[400, 200], hz=[600, 900])
    zoomed = closer.sent[-1]
    assert (zoomed["scale"][0], zoomed["scale"][-1]) == (600, 900)
    grey = np.asarray(image(zoomed["levels"])).astype(int)
    row = np.unravel_index(np.argmin(grey), grey.shape)[0]
    assert 900 - 300 * row / 100 == pytest.approx(700, abs=40)


def test_a_stretch_is_heard_to_the_sample_and_at_the_speed_that_is_set(state, closer):
    state.closer = 1
    send(closer, "hear", name="a", start_s=2.5, end_s=3.25)
    samples, rate = wav(closer.sent[-1])
    recorded = state.collection.clip_of("", 2.5, 3.25).samples
    assert rate == RATE
    np.testing.assert_allclose(samples, recorded, atol=1 / 32768)
    send(closer, "listening", values={"preset": "wide", "speed": 0.5})
    send(closer, "hear", name="b", start_s=2.5, end_s=3.25)
    slow, rate = wav(closer.sent[-1])
    assert (len(slow) / rate, closer.sent[-1]["speed"]) == (1.5, 0.5)
    assert closer.sent[-1]["row"] == "b"


def test_what_is_drawn_around_is_measured(state, closer):
    state.closer = 1
    send(closer, "measure", start_s=5.1, end_s=5.6, hz=[200, 2000])
    found = closer.sent[-1]
    assert found["peak_hz"] == pytest.approx(500, abs=15)
    assert found["seconds"] == pytest.approx(0.5)
    assert found["level_db"] == pytest.approx(20 * np.log10(0.2), abs=0.5)


def test_a_downloaded_clip_says_in_its_name_how_it_is_played(state, closer):
    state.closer = 23
    state.listening = Listening.of("bat")
    send(closer, "download", start_s=9.0, end_s=9.5)
    saved = closer.sent[-1]
    assert saved["name"] == "20260501_110000_9.000-9.500s_bat_speed-0.1_band.wav"
    samples, rate = wav(saved)
    assert len(samples) / rate == pytest.approx(5.0)
    hostile = clip_name('..\\evil/../"<img>.wav', 0, 1, Listening())
    assert hostile == "img_0.000-1.000s_wide.wav"


@pytest.mark.parametrize(
    "message",
    [
        {"action": "view", "number": 1, "start_s": 70, "end_s": 80, "size": [100, 100]},
        {"action": "view", "number": 1, "start_s": 5, "end_s": 1, "size": [100, 100]},
        {"action": "hear", "name": "x", "start_s": 0, "end_s": float("nan")},
        {"action": "hear", "name": "x", "start_s": 0, "end_s": 3, "hz": [9, 1]},
        {"action": "measure", "start_s": 1, "end_s": 1.0001, "hz": [0, 100]},
        {"action": "listening", "values": {"speed": 0}},
        {"action": "judge", "rows": [10**9], "judgement": "positive"},
    ],
)
def test_what_cannot_be_shown_is_said_in_the_dialog(state, closer, message):
    state.closer = 1
    closer._handle_msg(message)
    assert closer.said["kind"] == "error"


def test_neighbours_scores_are_told_but_not_in_a_study(state, closer):
    grunts(state)
    state.closer = int(state.listing("ranked")[0])
    assert all(0 <= window["score"] <= 1 for window in closer.strip)
    assert any(window["row"] == state.closer for window in closer.strip)
    state.place = "study"
    assert closer.blind
    assert closer.sound["score"] is None
    assert {window["score"] for window in closer.strip} == {None}
    send(closer, "why", row=state.closer)
    assert "in a study" in state.notice.text


def test_a_class_can_begin_with_the_sound_that_is_looked_at(state, closer):
    state.closer = 7
    send(closer, "new_class", name="whoop")
    assert state.active == "whoop"
    assert closer.sound["judgement"] == "positive"
    send(closer, "judge", rows=[7], judgement="positive")
    assert closer.sound is not None
    assert closer.sound["judgement"] is None


def test_several_cards_are_judged_in_one_step(state, gallery):
    grunts(state)
    rows = [card["row"] for card in gallery.cards[:3]]
    send(gallery, "judge", rows=rows, judgement="negative")
    assert all(state.judgement(row) == "negative" for row in rows)
    send(gallery, "undo")
    assert all(state.judgement(row) is None for row in rows)


def test_settings_hold_for_every_piece_and_their_pictures(state, gallery, closer):
    send(gallery, "pictures", rows=[3])
    send(gallery, "listening", values={"preset": "reef"})
    assert closer.listening["preset"] == gallery.listening["preset"] == "reef"
    send(gallery, "pictures", rows=[3])
    wide, reef = gallery.sent
    assert wide["src"] != reef["src"]
    assert (reef["unit"], reef["key"]) == ("Hz", "reef/light")
    state.theme = "dark"
    assert gallery.key == "reef/dark"


def test_the_gallery_shows_what_the_filter_keeps_and_says_when_that_is_nothing(state, gallery):
    grunts(state)
    state.narrow(sites=("Creek-01",))
    assert {card["site"] for card in gallery.cards} == {"Creek-01"}
    assert gallery.total == np.count_nonzero(state.kept)
    state.narrow(sites=("Creek-01",), low=0.999)
    assert gallery.cards == []
    assert "Creek-01" in gallery.left_out
    send(gallery, "widen")
    assert gallery.cards
    assert gallery.left_out == ""


def test_likeness_is_told_of_the_right_windows_under_a_filter(state, gallery):
    state.search_like(30)
    scores = dict(zip(state.similar.rows, state.similar.scores, strict=True))
    state.narrow(sites=("Marsh-03",))
    assert gallery.cards
    for card in gallery.cards:
        assert card["score"] == pytest.approx(scores[card["row"]])


def test_a_link_reopens_the_sound_and_the_settings(state, fake):
    state.closer = 23
    state.listening = Listening.of("bird").with_(pcen=True)
    asked = address.query(state)
    assert asked["sound"] == "Creek-01/20260501_110000.wav@9"
    again = State(fake(recordings=6), user="ben")
    address.restore(again, asked)
    assert again.closer == 23
    assert again.listening == state.listening
    for nonsense in (
        "x@1",
        "Creek-01/20260501_110000.wav@900",
        "@",
        "Creek-01/20260501_110000.wav@a",
    ):
        address.restore(again, {"sound": nonsense, "listening": "bird,pcen=cat"})
        assert again.closer is None
