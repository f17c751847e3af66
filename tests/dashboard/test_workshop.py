"""The classroom without a browser: what is blind stays blind, and nothing that was said is lost."""

from __future__ import annotations

import asyncio
import json
import shutil
from types import SimpleNamespace

import pytest
import soundfile
from tone_recordings import make_tones, windows_of
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from explorer.collection.collection import Collection
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.serving.serve import make_server
from explorer.dashboard.state.state import State
from explorer.dashboard.workshop import views
from explorer.dashboard.workshop.addresses import is_this_machine, qr_path, room_urls
from explorer.dashboard.workshop.clips import sound
from explorer.dashboard.workshop.keeper import Keeper
from explorer.dashboard.workshop.pages import Classroom, new_code
from explorer.dashboard.workshop.room import Room
from explorer.dashboard.workshop.student import StudentPage
from explorer.dashboard.workshop.teacher import TeacherPage
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    tones = make_tones(tmp_path_factory.mktemp("tones"))
    tones.label(windows_of(tones, "low"), "low", who="ana")
    tones.label(windows_of(tones, "high"), "low", "negative", who="ana")
    tones.close()
    return tones.path


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Nothing in the background: without a server pages do not take turns, and would wait."""
    monkeypatch.setattr(Room, "_explain", lambda self, reasons: reasons.explain())
    monkeypatch.setattr(Keeper, "put", lambda self, one: one.kept(self._write([one])))


@pytest.fixture
def tones(made, tmp_path):
    return Collection(shutil.copytree(made, tmp_path / "tones.collection"))


@pytest.fixture
def room(tones):
    made = Room(tones)
    made.choose(tones.new_exercise("low", n=6))
    made.start()
    yield made
    made.close()


def page(cls, *args):
    shown = cls(*args)
    shown.sent = []
    shown._send_msg = shown.sent.append
    return shown


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


def student(room, name, secret=""):
    made = page(StudentPage, room)
    send(made, "join", name=name, secret=secret)
    return made


def teacher(room):
    made = page(TeacherPage, room, "abcd-efgh")
    send(made, "enter", code=" ABCD-efgh ")
    return made


def texts(value):
    """Everything that a page was given, as text."""
    return json.dumps(value)


def test_a_student_is_told_nothing_before_the_reveal_and_nothing_right_before_it_is_told(room):
    ada, ben = student(room, "ada"), student(room, "ben")
    send(ben, "answer", clip=0, answer="yes")
    send(ada, "answer", clip=0, answer="no")
    assert ada.now == ["no", None, None, None, None, None]
    assert not {"counts", "counts_now", "told", "why", "where"} & set(ada.exercise)
    assert "ben" not in texts(ada.exercise)
    room.reveal()
    assert ada.exercise["counts"][0] == [1, 1, 0]
    assert ada.exercise["told"] == {}
    room.tell(0)
    assert ada.exercise["told"] == {"0": room.exercise.right[0]}


def test_the_wall_shows_no_right_answer_before_it_is_told_even_in_who_was_right(room):
    ada, wall = student(room, "ada"), teacher(room)
    send(ada, "answer", clip=0, answer="yes")
    room.reveal()
    shown = wall.room_view
    assert shown["told"] == {} and "confusion" not in shown
    assert shown["members"][0]["right"] is None
    room.tell(None)
    assert wall.room_view["members"][0]["of"] == 1
    assert wall.room_view["confusion"]["right"] == ["yes", "no"]


def test_without_the_code_a_visitor_sees_nothing_and_can_do_nothing(room):
    stranger = page(TeacherPage, room, "abcd-efgh")
    for action, more in (
        ("enter", {"code": "abcd-efgi"}), ("reveal", {}), ("tell", {}), ("prepare", {"on": True}),
        ("make", {"classes": ["low"], "clips": "labelled", "n": 6}), ("download", {}),
    ):  # fmt: skip
        send(stranger, action, **more)
        assert "not the teacher's code" in stranger.notice["text"]
    assert stranger.room_view is None and stranger.made == stranger.prepared == []
    assert room.exercise.phase == "open"
    assert len(room.collection.exercises) == 1


def test_a_page_is_the_teachers_own_only_on_the_serving_machine():
    def asked(remote, host, **headers):
        return is_this_machine(SimpleNamespace(remote_ip=remote, headers={"Host": host, **headers}))

    assert asked("127.0.0.1", "localhost:5006") and asked("::1", "[::1]:5006")
    assert not asked("192.168.1.7", "localhost:5006")
    assert not asked("127.0.0.1", "evil.example:5006")
    assert not asked("127.0.0.1", "localhost:5006", **{"X-Forwarded-For": "192.168.1.7"})
    assert not is_this_machine(None)


def test_a_student_who_comes_back_finds_her_answers_and_a_namesake_does_not(room):
    ada = student(room, "ada", "secret")
    send(ada, "answer", clip=2, answer="unsure")
    assert student(room, "ada", "secret").now[2] == "unsure"
    other = student(room, "ada", "another")
    assert other.who == "ada 2" and other.now == [None] * 6
    assert [m["kind"] for m in ada.sent if m["kind"] == "joined"] == ["joined"]
    assert ada.sent[0]["secret"] == "secret"


def test_a_room_that_is_opened_again_goes_on_where_it_was(room, tones):
    ada = student(room, "ada", "secret")
    send(ada, "answer", clip=1, answer="yes")
    room.reveal()
    send(ada, "answer", clip=1, answer="no")
    room.tell(3)
    again = Room(Collection(tones.path))
    assert views.public(again) | {"why": {}} == views.public(room) | {"why": {}}
    assert again.answers_of("ada") == ([None, "yes", *[None] * 4], [None, "no", *[None] * 4])


def test_an_answer_is_said_to_be_kept_only_when_it_is_in_the_catalogue(room, tones):
    kept = []
    who = room.join("ada", "s")
    for clip in range(6):
        room.answer(who, clip, "yes", kept.append)
    room._keeper.flush()
    assert kept == [None] * 6
    assert len(tones.exercise("low").events()) == 7


def test_answers_that_are_on_their_way_at_the_reveal_are_blind_ones(room, tones, monkeypatch):
    monkeypatch.undo()  # the keeper's own thread
    who = room.join("ada", "s")
    for clip in range(6):
        room.answer(who, clip, "yes", lambda error: None)
    room.reveal()
    room.answer(who, 0, "no", lambda error: None)
    room._keeper.flush()
    assert tones.exercise("low").sheet().given.tolist() == [[0] * 6]
    assert tones.exercise("low").sheet(after=True).given[0, 0] == 1


def test_what_cannot_be_answered_is_refused_in_words(room):
    ada = student(room, "ada")
    for clip, answer in ((0, "perhaps"), (99, "yes"), ("0", "yes"), (0, None), (True, "yes")):
        send(ada, "answer", clip=clip, answer=answer)
        assert ada.notice["kind"] == "error"
        assert ada.sent[-1]["kind"] == "refused"
    stranger = page(StudentPage, room)
    send(stranger, "answer", clip=0, answer="yes")
    assert "join" in stranger.notice["text"]
    with pytest.raises(ParameterError, match="join"):
        room.answer("nobody", 0, "yes", lambda error: None)


def test_everybody_goes_over_to_the_next_exercise_with_her_name(room, tones):
    ada, wall = student(room, "ada"), teacher(room)
    send(ada, "answer", clip=0, answer="yes")
    send(wall, "make", classes=["low"], clips="ranked", n=8, name="second")
    assert room.exercise.name == "second"
    assert (ada.who, ada.exercise["name"], ada.now) == ("ada", "second", [None] * 8)
    assert wall.room_view["members"][0]["who"] == "ada"
    send(wall, "choose", name="low")
    assert ada.now[0] == "yes"


def test_who_comes_before_there_is_an_exercise_waits_under_her_name(tones):
    room = Room(tones)
    ada = student(room, "ada")
    assert (ada.who, ada.exercise) == ("ada", None)
    room.choose(tones.new_exercise("low", n=6))
    assert ada.exercise["people"] == 1
    assert room.here() == {"ada"}


def test_the_majority_becomes_labels_and_can_be_taken_back(room, tones):
    for name in ("ada", "ben"):
        one = student(room, name)
        for clip in range(6):
            send(one, "answer", clip=clip, answer="yes")
    wall = teacher(room)
    send(wall, "reveal")
    before = len(tones.labels())
    send(wall, "majority")
    assert "6 labels" in wall.notice["text"]
    assert len(tones.labels(who="workshop")) == 6
    assert wall.room_view["taken"] == 6
    send(wall, "give_back")
    assert len(tones.labels()) == before and wall.room_view["taken"] == 0


def test_the_teacher_looks_at_the_clips_and_corrects_what_is_right(tones):
    room = Room(tones)
    room.choose(tones.new_exercise("low", n=6))
    wall = teacher(room)
    send(wall, "prepare", on=True)
    assert [clip["right"] for clip in wall.prepared] == list(room.exercise.right)
    send(wall, "settle", clip=0, right="")
    token = room.exercise.about.token
    send(wall, "leave_out", clip=5)
    assert room.clips.token != token  # a browser keeps clips by token and number
    assert len(wall.prepared) == 5 and wall.prepared[0] == wall.prepared[0] | {
        "right": "",
        "by": "",
    }
    send(wall, "start")
    send(wall, "leave_out", clip=0)
    assert "before the exercise starts" in wall.notice["text"]


def test_a_clips_sound_is_whole_and_audible_and_slowed_for_bats(tones, tmp_path):
    clip = tones.clip_of(tones.recordings["recording"].iloc[0], 0, 1)
    for speed, rate in ((1.0, 8000), (0.5, 4000)):
        path = tmp_path / "clip.flac"
        path.write_bytes(sound(clip.samples * 0.01, clip.rate, speed).data)
        samples, read_hz = soundfile.read(path)
        assert (len(samples), read_hz) == (8000, rate)
        assert 0.05 < abs(samples).max() <= 0.71


def test_the_server_hands_out_clips_by_token_only_and_packed_scripts(room, tones):
    server = make_server(tones, port=0, workshop=True)
    server.start()
    token = room.exercise.about.token

    async def get(path, **headers):
        try:
            return await AsyncHTTPClient().fetch(
                f"http://localhost:{server.port}/{path}", headers=headers, decompress_response=False
            )
        except HTTPClientError as error:
            return error

    try:
        run = server.io_loop.asyncio_loop.run_until_complete
        picture, heard = (run(get(f"workshop/clip/{token}/0.{kind}")) for kind in ("dark", "sound"))
        assert picture.headers["Content-Type"] in ("image/webp", "image/png")
        assert json.loads(picture.headers["X-Clip"])["seconds"] == pytest.approx(1.0)
        assert heard.body[:4] == b"fLaC"
        assert "immutable" in heard.headers["Cache-Control"]
        for path in ("x/0.light", f"{token}/6.light", f"{token}/0.json", f"{token}/../0.light"):
            assert run(get(f"workshop/clip/{path}")).code == 404
        script = run(get("workshop/script/bokeh.min.js", **{"Accept-Encoding": "gzip"}))
        assert script.headers["Content-Encoding"] == "gzip" and len(script.body) < 500_000
        assert run(get("workshop/script/nothing.min.js")).code == 404
        html = run(asyncio.wait_for(get("exercise"), 60)).body.decode()
        assert "width=device-width" in html
        assert "http://" not in html and "https://" not in html
    finally:
        server.stop()


def test_a_room_is_shown_addresses_that_others_can_reach(monkeypatch):
    monkeypatch.setattr(
        "explorer.dashboard.workshop.addresses.names", lambda _: ["192.168.4.2", "localhost"]
    )
    assert room_urls("localhost:5006", "0.0.0.0") == ["http://192.168.4.2:5006/"]
    assert room_urls("10.0.0.9:80", "0.0.0.0")[0] == "http://10.0.0.9:80/"
    assert room_urls("localhost:5006", "localhost") == []
    path, size = qr_path("http://192.168.4.2:5006/")
    assert path.startswith("M0 0h7v1H0z") and size == 25


def test_the_terminal_says_where_to_go_and_the_code(tones, monkeypatch):
    monkeypatch.setattr("explorer.dashboard.workshop.addresses.names", lambda _: ["192.168.4.2"])
    said = Classroom(tones, teacher_code="abcd-efgh", address="0.0.0.0").welcome(5006)
    assert "http://192.168.4.2:5006/" in said and "abcd-efgh" in said
    assert "--address 0.0.0.0" in Classroom(tones).welcome(5006)
    assert new_code() != new_code()


@pytest.mark.parametrize("selected", [0, 8])
def test_an_owner_makes_an_exercise_of_what_is_selected_or_of_the_labels(tones, selected):
    state = State(tones, user="ana")
    state.refresh()
    state.select(range(selected))
    send(ClassesPanel(state, Desk(state)), "exercise")
    assert "is ready" in state.notice.text
    (clips,) = tones.exercises["clips"]
    assert clips == selected or not selected


def test_an_annotator_makes_no_exercise(tones):
    state = State(tones, user="ben", role="annotator")
    state.refresh()
    send(ClassesPanel(state, Desk(state)), "exercise")
    assert "owners" in state.notice.text
    assert tones.exercises.empty
