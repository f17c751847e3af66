"""The screen "Recordings": what it shows, what it does, and what it lets nobody do."""

from __future__ import annotations

import base64
import io
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_recordings import RATE, write_recordings

import explorer
from explorer.collection.health_finding import deployments
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobchip import JobChip
from explorer.dashboard.frame.jobs import Board, Status, Stopped, look_for_windows
from explorer.dashboard.recordings import tasks
from explorer.dashboard.recordings.details import Details
from explorer.dashboard.recordings.findings import Findings, groups
from explorer.dashboard.recordings.lanes import UNITS, bars, marks, ticks, words
from explorer.dashboard.recordings.near import is_near
from explorer.dashboard.recordings.survey import Survey
from explorer.dashboard.recordings.timeline import Timeline
from explorer.dashboard.recordings.work import Work
from explorer.dashboard.state.state import State

HOUR = 3600.0


@pytest.fixture
def reef(tmp_path):
    """Nine recordings of two sites; one is clipped, one is no sound."""
    folder = write_recordings(tmp_path / "recordings")
    loud = np.clip(np.random.default_rng(0).normal(0, 2, RATE * 240), -1, 1)
    soundfile.write(folder / "west" / "WEST_20260301_120000.wav", loud, RATE)
    (folder / "west" / "=broken.wav").write_bytes(b"not a sound")
    collection = explorer.open(tmp_path / "reef.collection", audio=folder)
    collection.measure_health(progress=False)
    return collection


def open_screen(collection, piece, role="owner"):
    state = State(collection, user="ada", role=role)
    desk = Desk(state)
    survey = Survey(state, desk)
    made = piece(state, desk, survey)
    made.sent = []
    made._send_msg = made.sent.append
    return state, survey, made


def send(piece, action, **more):
    piece._handle_msg({"action": action, **more})


# --- the timeline --------------------------------------------------------------------------------


def lane(starts_h, seconds=600.0):
    table = pd.DataFrame(
        {
            "recording": [f"{n}.wav" for n in range(len(starts_h))],
            "started_at": [
                pd.Timestamp(1e9 + HOUR * h, unit="s", tz="UTC").isoformat() for h in starts_h
            ],
            "duration_s": seconds,
            "site": "reef",
            "device": "A1",
        }
    )
    (found,) = deployments(table)
    return found


def test_few_recordings_are_shown_one_by_one_with_the_worst_that_was_found():
    drawn = bars(lane([0, 1, 5]), 1e9, 1e9 + 10 * HOUR, {"1.wav": 0, "2.wav": 2})
    assert drawn == {"single": [[0, 167, 0, 0], [1000, 1167, 3, 1], [5000, 5167, 1, 2]]}


def test_many_recordings_are_shown_as_what_is_usual_and_what_is_not():
    hours = [h for h in np.arange(0, 2000, 0.5) if not 500 <= h < 700]
    drawn = bars(lane(hours, seconds=60.0), 1e9, 1e9 + 2000 * HOUR, {})["dense"]
    assert {level for _, _, level in drawn} <= {4, 5}
    holes = [(b, c) for (_, b, _), (c, _, _) in pairwise(drawn) if b != c]
    assert holes == [(pytest.approx(UNITS / 4, abs=20), pytest.approx(UNITS * 0.35, abs=20))]


def test_a_recording_that_began_before_the_view_is_still_seen():
    drawn = bars(lane([0, 20], seconds=3 * HOUR), 1e9 + 2 * HOUR, 1e9 + 12 * HOUR, {})
    assert drawn["single"] == [[0, 1000, 0, 0]]


def test_marks_that_would_cover_each_other_are_joined_and_the_worst_shows():
    found = pd.DataFrame(
        {
            "severity": ["note", "severe", "warning"],
            "kind": ["rumble", "clipping", "gap"],
            "since_s": [10.0, 11.0, 700.0],
            "until_s": [10.0, 11.0, 900.0],
        }
    )
    first, second = marks(found, 0, 1000)
    assert (first["severity"], first["count"]) == ("severe", 2)
    assert (second["severity"], second["spans"]) == ("warning", [[7000, 9000]])
    assert marks(found, 2000, 3000) == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.005, "08:00 08:01 08:02 08:03 08:04 08:05 08:06 08:07"),
        (0.5, "08:00 10:00 12:00 14:00 16:00 18:00"),
        (6, "2 Mar 3 Mar 4 Mar 5 Mar 6 Mar 7 Mar"),
        (60, "2 Mar 9 Mar 16 Mar 23 Mar 30 Mar 6 Apr 13 Apr 20 Apr 27 Apr"),
        (900, "Jul 2027 Jul 2028 Jul"),
    ],
)
def test_the_axis_has_round_times_of_the_recorders_own_zone(days, expected):
    since = pd.Timestamp("2026-03-01 08:00+10:00").timestamp()
    shown = ticks(since, since + days * 24 * HOUR, 10 * HOUR)
    assert " ".join(label for _, label, _ in shown) == expected
    assert all(0 <= place <= UNITS for place, _, _ in shown)


def test_a_span_of_time_in_words():
    morning = pd.Timestamp("2026-03-01 08:00Z").timestamp()
    assert words(morning, morning + 2 * HOUR, 0) == "1 Mar 2026, 08:00–10:00"
    assert words(morning, morning + 50 * 24 * HOUR, 0) == "1 Mar–20 Apr 2026"


def test_the_timeline_zooms_within_what_there_is_and_back(reef):
    _, survey, timeline = open_screen(reef, Timeline)
    first, _ = survey.seen.span
    assert timeline.view["all"]
    send(timeline, "zoom", since=first + 60, until=first + 1000)
    assert survey.view == (first + 60, first + 1000)
    send(timeline, "zoom", since=-1e12, until=1e12)
    assert survey.view is None
    send(timeline, "zoom", since=5, until="never")
    assert timeline.state.notice.kind == "error"


def test_a_mark_of_one_recording_leads_to_it(reef):
    _, survey, timeline = open_screen(reef, Timeline)
    west = next(n for n, each in enumerate(survey.seen.lanes) if each.site == "WEST")
    survey.chosen = None
    (mark,) = [m for m in timeline.lanes[west]["marks"] if m["severity"] == "severe"]
    send(timeline, "findings", lane=west, since=mark["since"], until=mark["until"])
    name = survey.seen.recordings.at[survey.chosen, "recording"]
    assert name == "west/WEST_20260301_120000.wav"
    assert timeline.chosen["lane"] == timeline.part["lane"] == west


# --- findings ------------------------------------------------------------------------------------


def test_what_is_worst_is_chosen_first_and_listed_first(reef):
    _, _, findings = open_screen(reef, Findings)
    assert findings.chosen == "west/WEST_20260301_120000.wav"
    assert findings.groups[0]["kind"] == "clipping"
    assert findings.unmeasured == 0


def test_what_is_said_of_many_is_said_once():
    table = pd.DataFrame(
        {
            "severity": "severe",
            "kind": "dropouts",
            "site": "reef",
            "device": "",
            "recording": [f"{n}.wav" for n in range(100)],
            "from": None,
            "to": None,
            "sentence": "The card is too slow.",
        }
    )
    (group,) = groups(table)
    assert (group["count"], len(group["said"]), group["more"]) == (100, 1, 94)
    (group,) = groups(table, {("severe", "dropouts"): 66})
    assert group["more"] == 34


def test_files_left_out_have_causes_and_can_be_taken_home(reef):
    _, _, findings = open_screen(reef, Findings)
    ((name, cause),) = findings.left_out
    assert name == "west/=broken.wav"
    assert "text" in cause
    send(findings, "table", what="left out")
    text = base64.b64decode(findings.sent[-1]["data"]).decode()
    assert "cause" in text
    send(findings, "table", what="../../etc/passwd")
    assert findings.state.notice.kind == "error"


def test_recordings_are_found_by_site_name_and_day(reef):
    _, _, findings = open_screen(reef, Findings)
    send(findings, "list", text="EAST", first=0)
    assert findings.listing["total"] == 4
    send(findings, "list", text="2026-03-01t12", first=500)
    (row,) = findings.listing["rows"]
    assert (row["recording"], row["worst"]) == ("west/WEST_20260301_120000.wav", 0)


# --- one recording -------------------------------------------------------------------------------


def test_a_recording_shows_its_level_faults_and_facts(reef):
    _, _, details = open_screen(reef, Details)
    assert details.recording["name"] == "west/WEST_20260301_120000.wav"
    assert details.faults[0]["kind"] == "clipping"
    assert len(details.level["minutes"]) == 4
    assert dict(details.recording["facts"])["Length"] == "4 min"
    assert "File" in dict(details.recording["facts"])


def test_where_a_file_lies_is_for_owners_only(reef):
    _, _, details = open_screen(reef, Details, role="annotator")
    assert "File" not in dict(details.recording["facts"])


def test_any_part_of_a_recording_can_be_seen_and_heard(reef):
    _, survey, details = open_screen(reef, Details)
    send(details, "picture", recording=survey.chosen)
    assert details.sent[-1]["src"].startswith("data:image/png")
    send(details, "sound", recording=survey.chosen, start=230.0)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(details.sent[-1]["data"])))
    assert len(samples) / rate == pytest.approx(10.0)
    send(details, "sound", recording=10**9, start=0)
    assert details.state.notice.kind == "error"


def test_a_recording_that_is_gone_says_so_and_not_where_it_lay(reef, tmp_path):
    state, survey, details = open_screen(reef, Details, role="viewer")
    (tmp_path / "recordings" / "west" / "WEST_20260301_120000.wav").unlink()
    send(details, "picture", recording=survey.chosen)
    send(details, "sound", recording=survey.chosen, start=0)
    for said in (details.sent[-1]["error"], state.notice.text):
        assert "no such file" in said
        assert str(tmp_path) not in said


def test_the_arrows_go_along_the_deployment_and_stop_at_its_ends(reef):
    _, _, details = open_screen(reef, Details)
    names = []
    for _ in range(6):
        names.append(details.recording["name"][-10:-4])
        send(details, "step", by=-1)
    assert names == ["120000", "070000", "050000", "030000", "010000", "010000"]


def test_its_windows_are_shown_by_the_filter_of_all_screens(reef):
    reef.embed("spectral", progress=False)
    state, _, details = open_screen(reef, Details)
    assert details.windows == 80
    send(details, "windows")
    assert state.screen == "explore"
    assert state.filter.recording == "west/WEST_20260301_120000.wav"


# --- long work -----------------------------------------------------------------------------------


def test_an_owner_embeds_from_the_screen_and_can_open_what_was_made(reef, monkeypatch):
    monkeypatch.setattr(tasks, "embed_apart", lambda collection, encoder, hop_s, **_: (
        collection.embed(encoder, hop_s=hop_s, progress=False)
    ))  # fmt: skip
    state, _, work = open_screen(reef, Work)
    assert not work.runs
    known = {encoder["name"]: encoder for encoder in work.encoders}
    assert known["spectral"]["windows"] == 97
    assert known["spectral"]["licence"].startswith("Apache-2.0")
    send(work, "embed", encoder="spectral", overlap=2)
    assert state.notice.kind == "info", state.notice.text
    (run,) = reef.runs["run"]
    assert run == "spectral-1_3.0s_hop1.5s"
    tasks.remember_speed(reef, "spectral", windows=100, elapsed_s=2.0)
    assert tasks.speed(reef, "spectral") == 50
    look_for_windows(state)
    assert state.fresh_run == run
    send(work, "open", run=run)
    assert state.open_run == run


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("embed", {"encoder": "spectral"}),
        ("measure", {}),
        ("add", {"folder": "/tmp"}),
        ("stop", {"kind": "embed"}),
    ],
)
def test_who_only_looks_on_begins_and_stops_nothing(reef, action, more):
    state, _, work = open_screen(reef, Work, role="viewer")
    send(work, action, **more)
    assert "rights" in state.notice.text
    assert not len(reef.runs)


@pytest.mark.parametrize("encoder", ["perch2", "../evil", ""])
def test_only_encoders_that_are_there_can_be_chosen(reef, encoder):
    state, _, work = open_screen(reef, Work)
    send(work, "embed", encoder=encoder)
    assert "cannot be used here" in state.notice.text


def test_a_folder_is_added_and_a_wrong_one_is_named(reef, tmp_path):
    state, survey, work = open_screen(reef, Work)
    send(work, "add", folder=str(tmp_path / "nowhere"))
    assert "there is no folder" in state.notice.text
    write_recordings(tmp_path / "more" / "south", count=2)
    send(work, "add", folder=f' "{tmp_path / "more"}" ', timezone="+10:00")
    assert "2 recordings matched" in state.notice.text
    survey.look()
    assert work.recordings == 11


@pytest.mark.parametrize(
    ("remote", "headers", "near"),
    [
        ("127.0.0.1", {"Host": "localhost:5006"}, True),
        ("::1", {"Host": "[::1]:5006"}, True),
        ("192.168.1.7", {"Host": "localhost:5006"}, False),
        ("127.0.0.1", {"Host": "reef.example.org"}, False),
        ("127.0.0.1", {"Host": "localhost:5006", "X-Forwarded-For": "10.0.0.3"}, False),
        ("127.0.0.1", {}, False),
    ],
)
def test_only_who_sits_at_the_machine_may_name_its_folders(remote, headers, near):
    assert is_near(SimpleNamespace(remote_ip=remote, headers=headers)) is near


def test_the_chip_is_there_while_there_is_work_and_when_there_is_something_new(reef):
    state = State(reef, user="ada", role="viewer")
    chip = JobChip(state, Desk(state))
    assert not chip.visible
    state.jobs = [Status("embed", "Embedding with spectral", 0.25, "25 of 100 windows", 30.0)]
    assert chip.visible
    assert chip.jobs[0]["share"] == 0.25
    send(chip, "stop", kind="embed")
    assert "rights" in state.notice.text
    state.param.update(jobs=[], fresh_run="spectral-1_3.0s")
    assert chip.visible
    send(chip, "later")
    assert not chip.visible


def test_work_that_waits_for_its_turn_can_be_stopped_at_once():
    board, begun, gate, ended = Board(), threading.Event(), threading.Event(), []
    first = board.start("a", "A", lambda report, cancel: (begun.set(), gate.wait(20)))
    assert begun.wait(20)
    waiting = board.start("b", "B", lambda report, cancel: pytest.fail("it was stopped"))
    waiting.at_end(lambda result, error: ended.append(error))
    board.stop("b")
    assert [type(error) for error in ended] == [Stopped]
    assert [status.kind for status in board.statuses] == ["a"]
    board.stop("a")
    assert board.statuses[0].words == "stopping"
    over = threading.Event()
    first.at_end(lambda result, error: over.set())
    gate.set()
    assert over.wait(20)
