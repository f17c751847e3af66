"""Long work that belongs to the collection: one bar for all, a stop, and no lost error."""

from __future__ import annotations

import asyncio
import threading

import pytest

from explorer.collection import preparing
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import (
    GETTING_READY,
    READY,
    Board,
    Job,
    Stopped,
    board,
    get_ready,
)
from explorer.dashboard.state.state import State


def wait(job):
    ended = threading.Event()
    outcome = []
    job.at_end(lambda result, error: (outcome.extend([result, error]), ended.set()))
    assert ended.wait(10)
    return outcome


def test_its_result_comes_even_to_who_asks_late():
    job = Board().start("count", "Counting", lambda report, cancel: 42)
    assert wait(job) == [42, None]
    assert wait(job) == [42, None]


def test_a_second_session_gets_the_same_job_and_sees_the_same_bar():
    board, go = Board(), threading.Event()

    def work(report, cancel):
        report(0.5, "half way")
        go.wait(10)

    half = threading.Event()
    seen = []
    stop = board.watch(
        lambda jobs: (seen.append(jobs), [half.set() for j in jobs if j.share == 0.5])
    )
    first = board.start("map", "Drawing", work)
    assert half.wait(10)
    assert board.start("map", "Drawing", work) is first
    assert [(job.share, job.words) for job in board.statuses] == [(0.5, "half way")]
    go.set()
    wait(first)
    assert board.statuses == []
    stop()


def test_it_stops_when_told_to():
    board, begun = Board(), threading.Event()

    def work(report, cancel):
        begun.set()
        while True:
            cancel.wait(0.01)
            report(0.3, "working")

    job = board.start("map", "Drawing", work)
    assert begun.wait(10)
    board.stop("map")
    result, error = wait(job)
    assert result is None
    assert isinstance(error, Stopped)


def test_a_map_does_not_wait_behind_an_embedding():
    board, go = Board(), threading.Event()
    embedding = board.start("embed", "Embedding", lambda report, cancel: go.wait(10), long=True)
    assert wait(board.start("map", "Drawing", lambda report, cancel: "drawn")) == ["drawn", None]
    go.set()
    wait(embedding)


def test_getting_a_large_run_ready_has_a_bar_and_a_small_one_has_none(fake, monkeypatch, tmp_path):
    state = State(fake(recordings=6), user="ada")
    state.collection.path = tmp_path  # a board of its own
    titles, words = set(), set()

    def hear(statuses):
        titles.update(job.title for job in statuses)
        words.update(job.words for job in statuses)

    stop = board(state.collection).watch(hear)

    async def ready():
        get_ready(state, Desk(state))

    asyncio.run(ready())
    assert state.busy == GETTING_READY
    assert titles == set()
    monkeypatch.setattr(preparing, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(Job, "_report", lambda self, share, text="": words.add(text))
    asyncio.run(ready())
    wait(board(state.collection).start(f"{READY} {state.run}", GETTING_READY, lambda *_: None))
    assert titles == {GETTING_READY}
    assert f"{state.n_windows:,} of {state.n_windows:,} windows" in words
    stop()


def test_an_error_is_told_to_whoever_waits():
    def work(report, cancel):
        raise ValueError("no disk")

    _, error = wait(Board().start("map", "Drawing", work))
    assert str(error) == "no disk"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_first_and_the_last_share_are_always_told(share):
    board, told = Board(), []
    board.watch(lambda jobs: told.extend(job.share for job in jobs))
    wait(board.start("count", "Counting", lambda report, cancel: report(share, "")))
    assert share in told
