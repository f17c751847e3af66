"""The view in the page's address: a link reopens what was looked at.

In the address stand the run, the screen and what it was asked to show, the class, the gallery's
place, the colours, the filter, how one listens, and the sound that is looked at closely. Whatever
is no longer there, or never was, is left out silently: an address is hostile text.

The browser's Back goes back through places: screens, classes, and sounds that were opened. What
only changes how a place looks makes no step of its own.
"""

from __future__ import annotations

import contextlib
from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import panel as pn
import param

from explorer.audio.listening import Listening
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.filtering import EVERYTHING, Filter
from explorer.dashboard.state.rhythm import Rhythm
from explorer.dashboard.state.state import COLOURS_BY, DOORS, PLACES, SCREENS, State
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

SEPARATOR = "~"
"""Between sites; it needs no escape in an address and is rare in names."""

PASSING = ("selection", "similar", "borderline", "study")
"""Places that show what only this session has; a link opens the ranking instead."""


def read() -> dict[str, str]:
    """The address's query of the page that is being made; empty in a notebook."""
    document = pn.state.curdoc
    if document is None or not document.session_context:
        return {}
    location = pn.state.location
    return _parsed(location.search if location else "")


def run_in(asked: dict[str, str], collection: Collection) -> str | None:
    """The run that an address names, if the collection has it."""
    run = asked.get("run")
    return run if run in collection.runs["run"].tolist() else None


def query(state: State) -> dict[str, str]:
    """What of the view stands in the address; nothing stands there for what is the default."""
    kept: dict[str, Any] = {}
    if state.run is not None and state.run != state.collection.run:
        kept["run"] = state.run
    if state.screen != "explore":
        kept["screen"] = state.screen
    if state.active is not None:
        kept["class"] = state.active
    if state.place not in ("sample", "ranked", *PASSING):
        kept["place"] = state.place
    if state.colour_by != "class":
        kept["colour"] = state.colour_by
    if state.door:
        kept["door"] = state.door
    if state.rhythm != Rhythm():
        kept["rhythm"] = state.rhythm.as_text()
    if state.listening != Listening():
        kept["listening"] = state.listening.as_text()
    if state.closer is not None and state.facts is not None:
        kept["sound"] = state.facts.place_of(state.closer)
    for name in state.filter.names:
        value = getattr(state.filter, name)
        kept[name] = SEPARATOR.join(value) if isinstance(value, tuple) else value
    return {key: f"{v:g}" if isinstance(v, float) else str(v) for key, v in kept.items()}


def filter_in(asked: dict[str, str]) -> Filter:
    """The filter that an address speaks of, as far as it can be read."""
    found = EVERYTHING
    for name, text in asked.items():
        with contextlib.suppress(ValueError, ParameterError, TypeError):
            if name == "sites":
                found = found.with_(sites=tuple(text.split(SEPARATOR)))
            elif name in ("since", "until"):
                found = found.with_(**{name: date.fromisoformat(text)})
            elif name in ("from_h", "to_h", "low", "high"):
                found = found.with_(**{name: float(text)})
            elif name in ("labels", "recording"):
                found = found.with_(**{name: text})
    return found


def restore(state: State, asked: dict[str, str]) -> None:
    """Set what can be set before the labels are read."""
    state.param.update(**_wanted(state, asked))


def view_of(asked: dict[str, str]) -> dict[str, Any]:
    """What is set once the labels are read: the class, and the gallery's place."""
    then: dict[str, Any] = {}
    if "class" in asked:
        then["active"] = asked["class"]
    if asked.get("place") in PLACES and asked["place"] not in PASSING:
        then["place"] = asked["place"]
    return then


def go(state: State, asked: dict[str, str]) -> None:
    """Look at what was looked at before; what the filter loses by it can be undone."""
    wanted = _wanted(state, asked)
    kept = wanted.pop("filter", state.filter)
    state.narrow(**{f.name: getattr(kept, f.name) for f in fields(kept)})
    view = view_of(asked)
    name = view.get("active")
    if name is not None and name != state.active and name in [c.name for c in state.classes]:
        state.activate(name)
    place = view.get("place", state.place)
    if "place" not in view and place not in PASSING:
        place = "sample" if state.scores is None else "ranked"
    state.param.update(**wanted, place=place)


class Address(Piece):
    """Nothing to see: it keeps the address up to date with the view, and hears of Back."""

    _esm = asset("dom.js", "address.js")

    now = param.Dict(
        default={},
        doc="``query`` of the address (None leaves it as it is); ``at``, where one is: when "
        "it changes, one went there, and Back goes back; ``run``, of which another one opens the "
        "page anew. One parameter, as a browser hears of several in any order.",
    )

    def __init__(self, state: State, desk: Desk, *, anew: bool = False, **params: Any) -> None:
        """Keep the address; ``anew`` where it speaks of what was looked at before."""
        told = query(state)
        now = {"query": None, "at": _at(told), "run": told.get("run")}
        super().__init__(state, desk, now=now, **params)
        self._last = {} if anew else read()
        self._goes = False
        watched = ["screen", "active", "place", "colour_by", "filter", "listening", "closer"]
        state.param.watch(self._write, [*watched, "door", "rhythm"])
        if anew:
            self._write()

    def do_go(self, query: str) -> None:
        """Back or forward was pressed."""
        self._goes = True
        try:
            go(self.state, _parsed(str(query)))
        finally:
            self._goes = False
        self._write()

    def _write(self, *_: Any) -> None:
        told = query(self.state)
        if told != self._last and not self._goes:
            self._last = told
            self.now = {"query": urlencode(told), "at": _at(told), "run": told.get("run")}


def _parsed(search: str) -> dict[str, str]:
    return dict(parse_qsl(search.lstrip("?"))[:40])


def _at(told: dict[str, str]) -> str:
    """Where one is: the screen, what is open on it, the class, whether a sound is opened."""
    names = ("screen", "door", "class")
    return SEPARATOR.join([*(told.get(name, "") for name in names), str("sound" in told)])


def _wanted(state: State, asked: dict[str, str]) -> dict[str, Any]:
    """Parameters of the state as an address wants them, and the default for all that it lacks."""
    screen = asked["screen"] if asked.get("screen") in SCREENS else SCREENS[0]
    if state.facts is None:
        return {"screen": screen}
    known = set(state.facts.sites)
    kept = filter_in(asked)
    sites = tuple(site for site in kept.sites if site in known)
    recording = kept.recording if kept.recording in state.facts.recordings else ""
    listening, rhythm = Listening(), Rhythm()
    with contextlib.suppress(ParameterError):
        listening = Listening.from_text(asked["listening"]) if "listening" in asked else listening
    with contextlib.suppress(ParameterError):
        rhythm = Rhythm.from_text(asked.get("rhythm", ""))
    return {
        "listening": listening,
        "closer": state.facts.row_at(asked.get("sound", "")),
        "filter": kept.with_(sites=sites, recording=recording),
        "screen": screen,
        "door": asked["door"] if asked.get("door") in DOORS else "",
        "rhythm": rhythm,
        "colour_by": asked["colour"] if asked.get("colour") in COLOURS_BY else COLOURS_BY[0],
    }
