"""Somebody's page in the classroom: what a piece and its desk need of a session, and no more.

A student's page knows nothing of the collection's windows, labels or scores, so it costs little,
and nothing on it can give an answer away.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import panel as pn
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import CLASS_COLOURS, THEMES
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.records import Notice

if TYPE_CHECKING:
    from explorer.dashboard.state.state import State
    from explorer.dashboard.workshop.room import News, Room

TEMPLATE = """
{% block js_resources %}
{% for line in bokeh_js.splitlines() if not ("/bokeh-mathjax." in line or "/bokeh-gl." in line) %}
{{ line | replace("static/js/", "workshop/script/")
        | replace("static/extensions/panel/panel.min.js", "workshop/script/panel.min.js") }}
{% endfor %}
{% endblock %}
{% block postamble %}
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<style>
  html { background: #f4f3ef; color: #5f676b; color-scheme: light dark; }
  @media (prefers-color-scheme: dark) { html { background: #12171a; color: #a0abb0; } }
  body::before { content: "Opening …"; position: absolute; inset: 40vh 0 auto; text-align: center;
    font: 16px/1.5 system-ui, sans-serif; z-index: -1; }
</style>
{% endblock %}
"""
"""A phone shows a page at its own width only if it is told to; and the first words stand there
before any program has arrived. Scripts come packed (`ScriptHandler`), and those for formulas and
for large maps not at all."""


class Visitor(param.Parameterized):
    """In the place of a `State`: what a desk tells the person, and that there are no roles here."""

    busy = param.String(default="")
    notice: Any = param.ClassSelector(class_=Notice, default=None, allow_None=True)

    def refusal(self, role: str, to_do: str = "this") -> str:
        """Roles are the dashboard's; here the teacher's code decides."""
        return ""

    def say(self, text: str, kind: str = "info") -> None:
        """Tell the person something."""
        number = 1 if self.notice is None else self.notice.number + 1
        self.notice = Notice(text, kind, number)


class Often:
    """Something to be done soon after it was asked for, but only so often; any thread may ask."""

    def __init__(self, desk: Desk, act: Callable[[], None], every_s: float) -> None:
        self._desk, self._act, self._every_s = desk, act, every_s
        self._last = 0.0
        self._asked = False
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Ask for it."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
        self._desk.soon(self._wait)

    def _wait(self) -> None:
        left = self._last + self._every_s - time.monotonic()
        if left > 0 and self._desk.served:
            asyncio.get_running_loop().call_later(left, self._desk.soon, self._now)
        else:
            self._now()

    def _now(self) -> None:
        with self._lock:
            self._asked = False
        self._last = time.monotonic()
        self._act()


def colours_css() -> str:
    """Both themes' colours: the system's one, unless the person chose the other."""
    blocks = {}
    for theme, colours in THEMES.items():
        variables = {f"--{name}": value for name, value in colours.items() if name != "scheme"}
        variables |= {f"--class-{i}": c for i, c in enumerate(CLASS_COLOURS[theme])}
        body = "".join(f"{name}:{value};" for name, value in variables.items())
        blocks[theme] = f"{body}color-scheme:{colours['scheme']};"
    return (
        f":host{{{blocks['light']}}}"
        f"@media (prefers-color-scheme: dark){{:host{{{blocks['dark']}}}}}"
        f":host(.light){{{blocks['light']}}}:host(.dark){{{blocks['dark']}}}"
    )


class Page(Piece):
    """Base of the student's and the teacher's page: fills the window, knows the room."""

    _stylesheets: ClassVar[list[str]] = [colours_css(), asset("base.css", "workshop.css")]

    notice = param.Dict(default=None, allow_None=True, doc="A sentence for the person.")

    def __init__(self, room: Room, **params: Any) -> None:
        visitor = Visitor()
        # A piece and its desk ask no more of a state than a visitor has.
        state = cast("State", visitor)
        super().__init__(
            state,
            Desk(state),
            sizing_mode="stretch_both",
            margin=0,
            styles={"height": "100dvh"},
            **params,
        )
        self.room = room
        visitor.param.watch(self._notify, ["notice"])
        document = pn.state.curdoc
        if document is not None and self.desk.served:
            document.template = TEMPLATE  # type: ignore[assignment]

    def follow(self, tell: Callable[[News], None]) -> None:
        """Hear the room's news for as long as the page is open."""
        self.desk.at_end(self.room.watch(tell))

    def say(self, text: str, kind: str = "info") -> None:
        """Tell the person something."""
        self.state.say(text, kind)

    def do_dismiss(self) -> None:
        """The notice was read."""
        self.notice = None

    def _notify(self, *_: Any) -> None:
        notice = self.state.notice
        self.notice = {"text": notice.text, "kind": notice.kind, "number": notice.number}
