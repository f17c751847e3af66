"""Work off the event loop: threads for what takes longer than a frame, answers back on the loop.

A session's document may only be changed by the session's own turn on the event loop. `Desk.soon`
gives it one, from any thread; in a notebook that is the loop on which the kernel hears the screen,
and where nothing runs (tests, scripts) the call is made at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock, RLock
from typing import Any

import panel as pn
from panel.io.state import set_curdoc

from explorer.dashboard.state.state import State
from explorer.errors import ExplorerError

log = logging.getLogger(__name__)

WORKERS = 4
_pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="explorer-dashboard")
_later = ThreadPoolExecutor(1, thread_name_prefix="explorer-later")
"""What nobody waits for; it never stands before a person's own gesture."""

notebook_turn = RLock()
"""Held while anything is sent to a notebook's page.

A kernel may hear each view on a thread of its own (a subshell), and views share a state: a message
to a view is several packets, and packets of two threads would mix.
"""

MOST_LETTERS = 240
UNEXPECTED = "That did not work, and it is not your fault: {error}. The log has the details."


def in_words(error: BaseException) -> str:
    """An unexpected error, as short as it can be said: the database's own words, not the query."""
    error = getattr(error, "orig", None) or error
    first = next(iter(str(error).splitlines()), "").strip()[:MOST_LETTERS]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


class Desk:
    """Where one session's work is handed in, and its answers come back.

    Make it where the session's views are made: it remembers the document or the running loop.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        document = pn.state.curdoc
        self._document = document if document is not None and document.session_context else None
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()

        # A notebook loses what it is sent before it has drawn the app (see `sender` in dom.js). So
        # does a page: what changes after it was written out and before the browser has it is on
        # neither side's list.
        self._lock = Lock()
        self.is_open = False  # whether the screen was heard
        self._held: list[Callable[[], None]] | None = None
        if self._document is None and self._loop is not None:
            self._held = []
        elif self._document is not None and not pn.state.loaded:
            self._held = []
            pn.state.onload(self._let_out)

    @property
    def document(self) -> Any:
        """The served page, or None in a notebook."""
        return self._document

    @property
    def served(self) -> bool:
        """Whether this is a page of its own, and not a notebook's cell."""
        return self._document is not None

    @property
    def attached(self) -> bool:
        """Whether there is an event loop to come back to."""
        return self._document is not None or self._loop is not None

    @property
    def turn(self) -> contextlib.AbstractContextManager[Any]:
        """To be held while the screen is changed: a page has its server's lock already."""
        return notebook_turn if self._document is None else contextlib.nullcontext()

    def soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call on the session's own turn; from any thread."""
        turn = partial(self._turn, callback, args)
        with self._lock:
            if self._held is not None:
                self._held.append(turn)
                return
        if self._document is not None:
            try:
                self._document.add_next_tick_callback(turn)
            except (RuntimeError, ValueError, AttributeError):  # Bokeh's, where it is gone
                log.debug("a session ended before its work was done")
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(turn)
        else:
            turn()

    def open(self) -> None:
        """A notebook's screen can be spoken to, on this thread: what was held back goes out."""
        self.is_open = True
        if self._document is not None:
            return  # a page says so itself, and later than its first message
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        self._let_out()

    def _let_out(self) -> None:
        with self._lock:
            held, self._held = self._held, None
        for turn in held or ():
            turn()

    def at_end(self, callback: Callable[[], Any]) -> None:
        """Call when the session is over: its page was closed, and nobody came back."""
        if self._document is not None:
            self._document.on_session_destroyed(lambda _context: callback())

    def run(self, compute: Callable[[], Any], apply: Callable[[Any], None], doing: str) -> None:
        """Compute in a thread, then apply on the session's turn; the `State.background` way."""
        if not self.attached:
            apply(compute())
            return
        if doing:
            self._state.busy = doing
        self._submit(_pool, compute, apply, doing)

    def later(self, compute: Callable[[], Any], apply: Callable[[Any], None], doing: str) -> None:
        """The same, where nobody waits for it: behind what people ask for."""
        if not self.attached:
            apply(compute())
            return
        self._submit(_later, compute, apply, doing)

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        compute: Callable[[], Any],
        apply: Callable[[Any], None],
        doing: str,
    ) -> None:
        pool.submit(compute).add_done_callback(
            lambda future: self.soon(self._finish, future, apply, doing)
        )

    def report(self, error: BaseException) -> None:
        """Tell the person in words what went wrong; the log gets the traceback if it is news."""
        if isinstance(error, ExplorerError):
            self._state.say(str(error), "error")
            return
        log.error("in the dashboard", exc_info=error)
        self._state.say(UNEXPECTED.format(error=in_words(error)), "error")

    def _finish(self, future: Future[Any], apply: Callable[[Any], None], doing: str) -> None:
        if doing:
            self._state.busy = ""
        error = future.exception()
        if error is not None:
            raise error
        apply(future.result())

    def _turn(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        with self.turn, set_curdoc(self._document):
            try:
                callback(*args)
            except Exception as error:
                self.report(error)
