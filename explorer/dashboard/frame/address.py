"""The view in the page's address: a link reopens what was looked at.

In the address stand the run, the screen, the class, the gallery's place, the colours, the filter,
how one listens, and the sound that is looked at closely. Whatever is no longer there, or never was,
is left out silently: an address is hostile text.
"""

from __future__ import annotations

import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import panel as pn

from explorer.audio.listening import Listening
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.filtering import EVERYTHING, Filter
from explorer.dashboard.state.state import COLOURS_BY, PLACES, SCREENS, State
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
    return dict(parse_qsl((location.search if location else "").lstrip("?"))[:40])


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
    screen = asked["screen"] if asked.get("screen") in SCREENS else state.screen
    if state.facts is None:
        state.screen = screen
        return
    known = set(state.facts.sites)
    wanted = filter_in(asked)
    sites = tuple(site for site in wanted.sites if site in known)
    recording = wanted.recording if wanted.recording in state.facts.recordings else ""
    listening = state.listening
    with contextlib.suppress(ParameterError):
        listening = Listening.from_text(asked["listening"]) if "listening" in asked else listening
    state.param.update(
        listening=listening,
        closer=state.facts.row_at(asked.get("sound", "")),
        filter=wanted.with_(sites=sites, recording=recording),
        screen=screen,
        colour_by=asked["colour"] if asked.get("colour") in COLOURS_BY else state.colour_by,
    )


def view_of(asked: dict[str, str]) -> dict[str, Any]:
    """What is set once the labels are read: the class, and the gallery's place."""
    then: dict[str, Any] = {}
    if "class" in asked:
        then["active"] = asked["class"]
    if asked.get("place") in PLACES and asked["place"] not in PASSING:
        then["place"] = asked["place"]
    return then


def keep(state: State, desk: Desk, *, anew: bool = False) -> None:
    """Keep the address up to date with the view; ``anew`` where it speaks of what was before."""
    location = pn.state.location if desk.served else None
    if location is None:
        return
    last = {"query": dict(parse_qsl((location.search or "").lstrip("?")))}

    def write(*_: Any) -> None:
        now = query(state)
        if now == last["query"]:
            return
        last["query"] = now
        location.search = f"?{urlencode(now)}" if now else ""

    watched = ["screen", "active", "place", "colour_by", "filter", "listening", "closer"]
    state.param.watch(write, watched)
    if anew:
        write()
