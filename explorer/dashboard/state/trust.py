"""How far the scores can be trusted, said under the histogram once the labels have settled.

Leaving out recordings in turn takes longer than a judgement may. So it waits until nobody has
judged for a moment, runs in a thread, and is thrown away where the labels have changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isnan
from threading import Timer
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.dashboard.state.learning import Learned
from explorer.dashboard.state.lessons import once
from explorer.dashboard.state.measuring import measuring
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.collection.curve import Curve, Curves
    from explorer.dashboard.frame.desk import Desk
    from explorer.dashboard.state.state import State

SETTLED_S = 1.0
"""Labels are settled when nothing was judged for so long."""


@dataclass(frozen=True)
class ClassTrust:
    """How well one class is found: a few words, all that is to be said of it, and the curve."""

    text: str
    note: str = ""
    curve: Curve | None = None


@dataclass(frozen=True, eq=False)
class Trust:
    """How well each class is found, for the labels of ``learned``.

    ``curves`` holds those of all classes, with what is mixed up between them; None where recordings
    could not be left out.
    """

    learned: Learned
    by_class: Mapping[str, ClassTrust] = field(default_factory=dict)
    curves: Curves | None = None

    def curve(self, name: str | None) -> Curve | None:
        """The curve of a class, if it is known."""
        known = self.by_class.get(name or "")
        return None if known is None else known.curve


def measure(learned: Learned) -> Trust:
    """Leave recordings out in turn, once for all that is told of them; may run in a thread."""
    return Trust(learned, *_found(learned.classifier))


def _found(classifier: Any) -> tuple[dict[str, ClassTrust], Curves | None]:
    """What is told of each class of a classifier, and the curves."""
    try:
        table, curves = classifier.quality(), classifier.curves()
    except ExplorerError as error:
        told = ClassTrust("Not tested in recordings left out", str(error))
        return dict.fromkeys(classifier.classes, told), None
    of_class = {str(row.Index): _in_words(row) for row in table.itertuples()}
    return {name: replace(each, curve=curves.get(name)) for name, each in of_class.items()}, curves


def expected(curve: Curve | None, threshold: float) -> dict[str, Any] | None:
    """Precision and recall at a threshold, from the curve's table: value, low and high of each.

    A value that is not known is None; the whole is None where nothing is known at all.
    """
    if curve is None or curve.basis == "nothing":
        return None
    table = curve.table
    at = int(np.searchsorted(table["threshold"], threshold - 1e-6))
    row = table.iloc[min(at, len(table) - 1)]
    told: dict[str, Any] = {"detections": int(row["detections"])}
    for name in ("precision", "recall"):
        value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
        told[name] = None if isnan(value) else {"value": value, "low": low, "high": high}
    return told


def between(found: Mapping[str, float]) -> str:
    """A number with its interval as papers print it: ``.92 (.81–.97)``.

    Examples
    --------
    >>> between({"value": 0.92, "low": 0.81, "high": 1.0})
    '.92 (.81–1.0)'
    """
    value, low, high = (figure(found[name]) for name in ("value", "low", "high"))
    return f"{value} ({low}–{high})"


def figure(value: float) -> str:
    """The way papers print scores: .74."""
    return "1.0" if value >= 0.995 else f"{value:.2f}".removeprefix("0")


def _in_words(row: Any) -> ClassTrust:
    recordings, note = int(row.recordings), str(row.note)
    if row.examples == 1:
        return ClassTrust("One example: add one from another recording", note)
    if recordings == 1:
        return ClassTrust("Examples are of one recording: add one from another", note)
    if isnan(row.auc):
        return ClassTrust("Not tested in recordings left out", note)
    auc = figure(row.auc)
    meaning = (
        f"{auc} is the chance that a window with it scores above one without it, in recordings "
        "of which nothing was learnt."
    )
    return ClassTrust(
        f"AUC {auc} in recordings left out ({recordings})", f"{meaning} {note}".strip()
    )


class Watch:
    """Measures anew once the labels have settled; one measurement at a time for each session."""

    def __init__(self, state: State, desk: Desk, settled_s: float = SETTLED_S) -> None:
        self._state, self._desk, self._settled_s = state, desk, settled_s
        self._timer: Timer | None = None
        self._at_work = False
        state.param.watch(self._wait, ["learned"])

    def _wait(self, *_: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._desk.attached:
            self._start()
            return
        self._timer = Timer(self._settled_s, self._desk.soon, [self._start])
        self._timer.daemon = True
        self._timer.start()

    def _start(self) -> None:
        state, learned = self._state, self._state.learned
        if learned.classifier is None or self._at_work:
            return
        self._at_work = True
        if not self._desk.attached:
            self._finish(learned, _kept(learned))
            return
        asked = measuring(state.collection, state.run, _kept)
        asked.ask(learned, lambda *found: self._desk.soon(self._finish, *found))

    def _finish(self, measured: Learned, found: Any) -> None:
        self._at_work = False
        if isinstance(found, Exception):
            raise found
        now = self._state.learned
        # Every session has its own record of what the labels say; what they teach is one.
        same = measured.classifier is now.classifier
        self._state.trust = Trust(now if same else measured, *found)
        if not same:  # the labels went on meanwhile
            self._wait()


def _kept(learned: Learned) -> Any:
    """What is found about a classifier, or what it fails with: whoever waits must hear of it."""
    try:
        # Kept without what was learnt, which knows the classifier: else neither would be let go.
        return once(learned.classifier, lambda: _found(learned.classifier))
    except Exception as error:
        return error
