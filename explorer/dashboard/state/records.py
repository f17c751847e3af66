"""What the screen speaks of, as plain records: classes, searches, notices, and undoable steps."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explorer.dashboard.state.learning import Learned, Rows
from explorer.errors import ParameterError

LONGEST_NAME = 60
MOST_STEPS = 200
"""That many can be undone: a step may hold a selection of a million rows."""


@dataclass(frozen=True)
class SoundClass:
    """A class as the screen shows it; ``found`` is None until it has a positive example.

    ``kept`` is how many of those found the filter keeps; None where there is no filter.
    """

    name: str
    style: int
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    unsure: tuple[int, ...]
    found: int | None
    threshold: float
    kept: int | None = None


@dataclass(frozen=True)
class Similar:
    """The windows most like a sound: ``title`` says which one."""

    title: str
    rows: Rows
    scores: Any


@dataclass(frozen=True)
class Notice:
    """A sentence for the person at the screen; ``number`` makes two equal sentences differ."""

    text: str
    kind: str = "info"
    number: int = 0


@dataclass(frozen=True)
class Step:
    """One thing done, in words, and what undoing it takes: all can be undone, not labels alone.

    Attributes
    ----------
    events
        Label events to take back.
    back
        What the state's parameters were before.
    threshold
        Class and threshold as they were before.
    also
        What else has to be done, such as to give a site back its old place.
    """

    said: str
    events: tuple[int, ...] = ()
    back: Mapping[str, Any] = field(default_factory=dict)
    threshold: tuple[str, float] | None = None
    also: Callable[[], None] | None = None


def clean_name(name: str) -> str:
    """A class name as it is kept: one line, no control signs, at most 60 letters.

    Examples
    --------
    >>> clean_name("  fish   grunt ")
    'fish grunt'
    """
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in name)
    cleaned = " ".join(visible.split())
    if not cleaned:
        raise ParameterError("a class needs a name, such as “grunt” or “Junco trill”")
    if len(cleaned) > LONGEST_NAME:
        raise ParameterError(f"a class name has at most {LONGEST_NAME} letters")
    return cleaned


def sound_classes(
    learned: Learned,
    styles: Mapping[str, int],
    thresholds: Mapping[str, float],
    kept: Any = None,
) -> list[SoundClass]:
    """The classes that the labels speak of, in the order in which they were first labelled.

    ``kept`` says which windows the filter keeps, bool [n_windows]; None for all.
    """
    made = []
    for name, said in learned.judgements.items():
        found = found_kept = None
        if learned.scores is not None and name in learned.classes:
            column = learned.scores[:, learned.classes.index(name)]
            above = column >= thresholds[name]
            found = int(np.count_nonzero(above))
            found_kept = None if kept is None else int(np.count_nonzero(above & kept))
        by = {
            kind: tuple(row for row, judgement in said.items() if judgement == kind)
            for kind in ("positive", "negative", "unsure")
        }
        made.append(
            SoundClass(
                name,
                styles[name],
                by["positive"],
                by["negative"],
                by["unsure"],
                found,
                thresholds[name],
                found_kept,
            )
        )
    return made
