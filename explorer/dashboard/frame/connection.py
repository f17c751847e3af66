"""A page that has lost its server says so, and comes back by itself with nothing lost.

Bokeh would ask the server for the session anew, which a server that was started anew does not have.
Here the page waits until the server answers and opens its own address again, in which the view
stands. Judgements are kept in the browser until the server has said that it heard them; what was
said in the moment of the loss, or after it, is said again by the page that comes back.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import panel as pn
import param

from explorer.dashboard.explore.cards import row_of
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

log = logging.getLogger(__name__)

MOST_UNSENT = 500
MOST_WRONG = 3
"""A page that fails again and again says so that often; the rest is more of the same."""
JUDGEMENTS = ("positive", "negative", "unsure")


class Connection(Piece):
    """Nothing to see, as long as the server is there."""

    _esm = asset("dom.js", "connection.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "connection.css")]

    alive = param.String(default="alive", doc="Address that answers while the server is there.")
    run = param.String(default=None, allow_None=True, doc="The run that rows are numbered in.")
    memory = param.String(doc="Under which name the browser keeps what was not sent.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        memory = f"explorer.unsent.{state.collection.name}.{state.user}"
        super().__init__(state, desk, run=state.run, memory=memory, **params)
        self._wrong = 0

    def do_unsent(self, run: str, said: list[dict[str, Any]]) -> None:
        """Take in what the page before could not send."""
        done = 0
        for one in said[:MOST_UNSENT]:
            name, judgement = one.get("class"), one.get("judgement")
            if judgement not in JUDGEMENTS or not isinstance(name, str):
                raise ParameterError(f"{judgement!r} of {name!r} is no judgement")
            if run == self.state.run and not one.get("study"):
                rows = [row_of(self.state, row) for row in one.get("rows", ())]
                done += self._say_again(rows, judgement, name)
        self.tell(kind="taken")
        if done:
            noun = "judgement that had" if done == 1 else "judgements that had"
            self.state.say(f"Connected again: {done} {noun} not been sent is saved now")
        elif said:
            self.state.say("Connected again: the last answer did not arrive, it is asked again")

    def do_wrong(self, text: str) -> None:
        """Something failed in the browser, where no log of ours is."""
        self._wrong += 1
        if self._wrong > MOST_WRONG:
            return
        log.error("in the browser of %r: %s", self.state.user, str(text)[:2000])
        first = (str(text).splitlines() or [""])[0][:200]
        self.state.say(f"A part of this page failed ({first}). Opening it again helps.", "error")

    def _say_again(self, rows: list[int], judgement: Any, name: str) -> int:
        """Say it of those of which it is not said yet: a second time would take it back."""
        state = self.state
        own = state.learned.events
        new = [r for r in rows if (name, r) not in own or state.judgement(r, name) != judgement]
        if new:
            state.judge(new, judgement, name)
        return len(new)


def quiet(document: Any) -> None:
    """Keep Bokeh's own words about the connection off a page, and its way of reconnecting."""
    document.config.update(
        reconnect_session=False, notify_connection_status=False, notifications=None
    )


def alive_at() -> str:
    """Where a page asks whether its server is there, from its own address."""
    document: Any = pn.state.curdoc
    request = document.session_context.request if document and document.session_context else None
    path = getattr(request, "path", None) or "/"
    return "../" * max(0, path.count("/") - 1) + "alive"
