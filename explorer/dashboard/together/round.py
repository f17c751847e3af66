"""What the screen is about: everybody's labels of one class or of all, as they are now.

It is worked out in a thread, once for all sessions, and only while somebody has the screen open.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import param
from numpy.typing import NDArray

from explorer.classify.agreement import Agreement, agreement
from explorer.collection.agreement import CATEGORIES, Voices, groups, queue, voices
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.lessons import Lesson, lesson
from explorer.dashboard.state.state import State

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

SCREEN = "together"
MOST_PEOPLE = 12
"""In a matrix of pairs, those who labelled most; more could not be read."""

APART, SECOND = "apart", "second"
MODES = [APART, SECOND]


@dataclass(frozen=True)
class Person:
    """Who labelled what, and when last (ISO 8601); ``classes`` are (name, labels), most first."""

    name: str
    labels: int
    yes: int
    no: int
    unsure: int
    classes: tuple[tuple[str, int], ...]
    last: str


@dataclass(frozen=True, eq=False)
class Found:
    """Everybody's labels, and how far all of them agree: of all classes (None) and of each."""

    said: Voices
    people: tuple[Person, ...]
    agreed: dict[str | None, Agreement]

    def of(self, class_: str | None) -> Voices:
        """What is said of one class, or of all."""
        return self.said if class_ is None else self.said.of(self.said.classes == class_)


_found: WeakKeyDictionary[Lesson, Found] = WeakKeyDictionary()
_pairs: WeakKeyDictionary[Found, dict[str | None, Any]] = WeakKeyDictionary()
_lock = threading.Lock()


class Round(param.Parameterized):
    """One session's look at what everybody says; both halves of the screen watch it."""

    class_ = param.String(default=None, allow_None=True, doc="One class, or None for all.")
    mode: Any = param.Selector(default=APART, objects=MODES, doc="Which windows are judged.")
    found: Any = param.ClassSelector(class_=Found, default=None, allow_None=True)
    pairs = param.List(doc="(names, Agreement) of each pair, most windows first.")
    items: Any = param.Array(doc="Positions in what is said, in the order in which to judge.")

    def __init__(self, state: State, desk: Desk) -> None:
        super().__init__(items=np.zeros(0, dtype=np.int64))
        self._state, self._desk = state, desk
        self._wanted: tuple[str | None, str] = (None, APART)
        self._upto = -1
        self._number = 0
        state.param.watch(self._look, ["learned", "screen"])
        state.param.watch(self._look_again, ["kept"])
        self._look()

    @property
    def voices(self) -> Voices | None:
        """What is said of the class at hand."""
        return None if self.found is None else self.found.of(self.class_)

    def show(self, class_: str | None, mode: str) -> None:
        """Look at another class, or judge other windows."""
        self._wanted = (class_, mode)
        self._look_again()

    def _look_again(self, *_: Any) -> None:
        self._upto = -1
        self._look()

    def _look(self, *_: Any) -> None:
        state = self._state
        if state.screen != SCREEN or self._upto == state.learned.upto or state.run is None:
            return
        self._upto = state.learned.upto
        self._number += 1
        number, (wanted, mode), kept = self._number, self._wanted, state.kept

        def compute() -> dict[str, Any]:
            found = everything(state.collection, state.run)
            if kept is not None:
                found = narrowed(found, kept)
            class_ = wanted if wanted in found.agreed else None  # nobody may speak of it any more
            items = to_judge(found.of(class_), mode, state.user)
            known = pairs(found, class_)
            return {"found": found, "class_": class_, "mode": mode, "items": items, "pairs": known}

        def apply(now: dict[str, Any]) -> None:
            if number == self._number:
                self.param.update(**now)

        self._desk.run(compute, apply, "")


def everything(collection: Collection, run: str | None) -> Found:
    """Everybody's labels as they are now; worked out once for each of their versions."""
    taught = lesson(collection, run)
    with _lock:
        if taught not in _found:
            _found[taught] = _work_out(taught.labels, collection)
        return _found[taught]


def pairs(found: Found, class_: str | None) -> list[tuple[tuple[str, ...], Agreement]]:
    """How far each pair agrees about a class, or about all."""
    with _lock:
        known = _pairs.setdefault(found, {})
        if class_ not in known:
            said = found.of(class_)
            most = {person.name for person in found.people[:MOST_PEOPLE]}
            chosen = [i for i, name in enumerate(said.people) if name in most]
            fewer = Voices(
                said.classes, said.rows, tuple(said.people[i] for i in chosen),
                said.codes[:, chosen], said.latest,
            )  # fmt: skip
            known[class_] = [pair for pair in groups(fewer) if len(pair[0]) == 2]
        return list(known[class_])


def to_judge(said: Voices, mode: str, user: str) -> NDArray[np.int64]:
    """Which windows to judge now, in which order.

    ``apart`` are those on which people differ and no majority decides; ``second`` those that
    others have judged and this person has not, in an order that says nothing.
    """
    if mode == APART:
        return queue(said)
    judged = said.codes >= 0
    open_ = judged.any(axis=1)
    if user in said.people:
        open_ &= ~judged[:, said.people.index(user)]
    items = np.flatnonzero(open_)
    # Windows with one voice gain most from a second one; within these, mixed, and always alike.
    mixed = (said.rows[items] * 2_654_435_761) % 2**32
    return items[np.lexsort((mixed, judged[items].sum(axis=1)))]


def narrowed(found: Found, kept: NDArray[np.bool_]) -> Found:
    """The same of the windows that a filter keeps (bool ``[n_windows]``)."""
    last = {person.name: person.last for person in found.people}
    return _of(found.said.of(kept[found.said.rows]), last)


def _work_out(labels: pd.DataFrame, collection: Collection) -> Found:
    last = collection.labels().groupby("who")["when"].max()
    return _of(voices(labels), {str(who): str(when) for who, when in last.items()})


def _of(said: Voices, last: Mapping[str, str]) -> Found:
    k = len(CATEGORIES)
    agreed: dict[str | None, Agreement] = {None: agreement(said.codes, n_categories=k)}
    for class_ in dict.fromkeys(said.classes):
        here = said.of(said.classes == class_)
        # People who did not judge this class take no part in it.
        spoke = (here.codes >= 0).any(axis=0)
        agreed[class_] = agreement(here.codes[:, spoke], n_categories=k)
    people = [_person(said, number, last) for number in range(len(said.people))]
    people = [person for person in people if person.labels]
    return Found(said, tuple(sorted(people, key=lambda one: (-one.labels, one.name))), agreed)


def _person(said: Voices, number: int, last: Mapping[str, str]) -> Person:
    codes = said.codes[:, number]
    classes, counts = np.unique(said.classes[codes >= 0].astype(str), return_counts=True)
    most = sorted(zip(classes.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1])
    no, yes, unsure = (int((codes == code).sum()) for code in range(len(CATEGORIES)))
    name = said.people[number]
    return Person(name, no + yes + unsure, yes, no, unsure, tuple(most), last.get(name, ""))
