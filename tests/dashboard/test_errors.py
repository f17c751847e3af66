"""Whatever fails reaches the person in words, and the log with a traceback, on every path."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa
from tornado.websocket import WebSocketClosedError

from explorer.dashboard.frame.connection import MOST_WRONG, Connection
from explorer.dashboard.frame.desk import Desk, in_words
from explorer.dashboard.serving.serve import is_news, make_server, report
from explorer.dashboard.state.state import State
from explorer.errors import AudioError


def at_work(fake, act):
    """Let a session of its own event loop act, and wait until its threads have answered."""

    async def session():
        state = State(fake(recordings=6), user="ada")
        desk = Desk(state)
        desk.open()
        state.background = desk.run
        act(state, desk)
        for _ in range(500):
            await asyncio.sleep(0.01)
            if state.notice is not None:
                break
        return state

    return asyncio.run(session())


def fails(error):
    def work(*_, **__):
        raise error

    return work


def test_in_a_thread(fake, caplog):
    def act(state, desk):
        desk.run(fails(RuntimeError("the disk is gone")), print, "Reading")
        assert state.busy == "Reading"

    state = at_work(fake, act)
    assert state.notice.kind == "error"
    assert "not your fault: RuntimeError: the disk is gone" in state.notice.text
    assert state.busy == ""
    assert "Traceback" in caplog.text


def test_in_what_is_done_with_the_answer_of_a_thread(fake, caplog):
    state = at_work(
        fake, lambda _, desk: desk.run(lambda: 1, fails(RuntimeError("no room to draw")), "")
    )
    assert "no room to draw" in state.notice.text
    assert "Traceback" in caplog.text


def test_what_was_foreseen_is_told_as_it_is_and_needs_no_traceback(fake, caplog):
    error = AudioError("reef.wav", "the file is empty")
    state = at_work(fake, lambda _, desk: desk.run(fails(error), print, ""))
    assert state.notice.text == "reef.wav: the file is empty"
    assert "Traceback" not in caplog.text


def test_labels_that_cannot_be_read_for_once_are_read_the_next_time(fake):
    def act(state, _):
        state.collection.label([1, 2], "hum", who="ada")
        right, state.collection.label_rows = state.collection.label_rows, fails(OSError("gone"))
        state.refresh()
        state.right = right

    state = at_work(fake, act)
    assert "OSError: gone" in state.notice.text
    assert not state.at_work  # or what others label would never arrive again
    state.collection.label_rows = state.right
    state.background = lambda compute, apply, _: apply(compute())
    state.catch_up()
    assert [c.name for c in state.classes] == ["hum"]


def test_in_the_browser(fake, caplog):
    state = State(fake(recordings=2))
    page = Connection(state, Desk(state))
    for _ in range(MOST_WRONG + 5):
        page.do_wrong("x is undefined\nat draw (map.js)")
    assert "A part of this page failed (x is undefined)" in state.notice.text
    assert caplog.text.count("at draw (map.js)") == MOST_WRONG


def test_where_no_page_is_known_the_log_still_is(caplog):
    report(RuntimeError("nobody there"))
    assert "nobody there" in caplog.text


def test_a_database_says_what_is_wrong_and_not_its_query(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(sa.exc.OperationalError) as caught, engine.connect() as connection:
        connection.execute(sa.text("SELECT a_very_long_query FROM nowhere"))
    assert in_words(caught.value) == "OperationalError: no such table: nowhere"
    assert in_words(ValueError()) == "ValueError"


def test_an_address_at_which_there_is_nothing(fake):
    server = make_server(fake(recordings=2), port=0)
    server.start()

    def ask():
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"http://localhost:{server.port}/old-name/x", timeout=10)
        return missing.value.code, missing.value.read().decode()

    try:
        loop = server.io_loop.asyncio_loop
        code, page = loop.run_until_complete(loop.run_in_executor(None, ask))
        assert code == 404
        assert "There is no such page" in page and 'href="../"' in page
    finally:
        server.stop()


def test_a_page_that_was_closed_is_no_news_for_the_log(caplog):
    asyncio_log = logging.getLogger("asyncio")
    asyncio_log.addFilter(is_news)
    try:
        for error in (WebSocketClosedError(), OSError("no disk")):
            asyncio_log.error("Task exception was never retrieved", exc_info=error)
    finally:
        asyncio_log.removeFilter(is_news)
    assert [record.exc_info[0] for record in caplog.records] == [OSError]


def test_a_notice_that_came_meanwhile_is_not_dismissed_with_the_one_before(fake):
    state = State(fake(recordings=6), user="ada")
    state.say("measured")
    before = state.notice.number
    state.say("stopped")
    state.dismiss(before)
    assert state.notice.text == "stopped"
    state.dismiss(state.notice.number)
    assert state.notice is None
