"""The search box: what a few letters may mean here, and what to do with the choice.

A class is opened, a site or a recording narrows the filter, a cluster or a species is selected, and
a moment of a recording is searched with. Only names that the collection knows are found: nothing
that is typed is ever opened as a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from explorer.dashboard.state.layers import CLUSTER, SPECIES
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

MOST = 12
_AT = re.compile(r"^(?P<name>.+?)\s*@\s*(?P<time>[\d:.]+)\s*s?$")

CLASS, SITE, RECORDING, MOMENT = "class", "site", "recording", "sound at"


@dataclass(frozen=True)
class Found:
    """Something that goes by a name: what it is, its name, and a few words about it."""

    kind: str
    name: str
    note: str = ""


def find(state: State, text: str) -> list[Found]:
    """What the letters may mean, the best first, at most a dozen."""
    wanted = text.strip().casefold()
    if not wanted:
        return []
    moment = _AT.match(text.strip())
    if moment is not None and state.facts is not None:
        name, second = parse_place(text, state.facts.recordings)
        return [Found(MOMENT, f"{name} @ {second:g}", "what sounds like this moment")]
    fits = [found for found in _all(state) if wanted in found.name.casefold()]
    # Whole names first, then beginnings, then anything that holds the letters.
    fits.sort(key=lambda found: _rank(found.name.casefold(), wanted))
    return fits[:MOST]


def go(state: State, kind: str, name: str) -> None:
    """Do what choosing it means.

    Raises
    ------
    ParameterError
        If there is no such thing (any more).
    """
    if kind == MOMENT:
        recording, second = parse_place(name, state.recordings_known)
        title = f"{PurePosixPath(recording).name} {second:g} s"
        state.search((recording, second), title)
    elif kind == CLASS:
        state.activate(name)
    elif kind == SITE and state.facts is not None and name in state.facts.sites:
        state.narrow(sites=(name,))
    elif kind == RECORDING and name in state.recordings_known:
        state.narrow(recording=name)
    elif kind in state.layers and name in state.layers[kind].names:
        layer = state.layers[kind]
        state.colour_by = kind
        state.select(layer.rows_of(layer.names.index(name)))
    else:
        raise ParameterError(f"there is no {kind} “{name}” here")
    if state.screen not in ("explore", "activity"):
        state.screen = "explore"


def _all(state: State) -> Iterator[Found]:
    for known in state.classes:
        count = "needs a yes" if known.found is None else f"{known.found:,} found"
        yield Found(CLASS, known.name, count)
    for kind in (CLUSTER, SPECIES):
        layer = state.layers.get(kind)
        if layer is not None:
            sizes = layer.sizes()
            for name, size in zip(layer.names, sizes, strict=True):
                yield Found(kind, name, f"{size:,} windows")
    if state.facts is None:
        return
    counts = np.bincount(state.facts.site, minlength=len(state.facts.sites))
    for site, size in zip(state.facts.sites, counts, strict=True):
        if site:
            yield Found(SITE, site, f"{size:,} windows")
    for recording in state.facts.recordings:
        yield Found(RECORDING, recording)


def _rank(name: str, wanted: str) -> int:
    return 0 if name == wanted else 1 if name.startswith(wanted) else 2


def parse_place(text: str, recordings: tuple[str, ...]) -> tuple[str, float]:
    """Read ``recording @ second`` (or ``@ m:ss``): a name of the collection, or its unique ending.

    Examples
    --------
    >>> parse_place("dawn.wav @ 1:05", ("A/dawn.wav", "A/dusk.wav"))
    ('A/dawn.wav', 65.0)
    """
    found = _AT.match(text.strip())
    name, second = (found["name"], _seconds(found["time"])) if found else (text.strip(), 0.0)
    if name in recordings:
        return name, second
    matches = [known for known in recordings if name and name.lower() in known.lower()]
    if len(matches) == 1:
        return matches[0], second
    if not matches:
        raise ParameterError(
            f"nothing here is called “{name}”: type a class, a site, or a recording and a second, "
            "such as “dawn.wav @ 65”, or drop a sound file"
        )
    raise ParameterError(f"“{name}” fits {len(matches)} recordings: type more of the name")


def _seconds(text: str) -> float:
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        raise ParameterError(f"“{text}” is no time: write seconds (65), or 1:05") from None
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds
