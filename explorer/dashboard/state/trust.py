"""How far the scores can be trusted, said under the histogram once the labels have settled.

Leaving out recordings in turn takes longer than a judgement may. So it waits until nobody has
judged for a moment, runs in a thread, and is thrown away where the labels have changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Timer
from typing import TYPE_CHECKING, Any

from explorer.dashboard.state.learning import Learned
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.dashboard.frame.desk import Desk
    from explorer.dashboard.state.state import State

SETTLED_S = 1.0
"""Labels are settled when nothing was judged for so long."""


@dataclass(frozen=True)
class ClassTrust:
    """How well one class is found: a few words, and all that is to be said of it."""

    text: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class Trust:
    """How well each class is found, for the labels of ``learned``."""

    learned: Learned
    by_class: Mapping[str, ClassTrust] = field(default_factory=dict)


def measure(learned: Learned) -> Trust:
    """Leave recordings out in turn; may run in a thread."""
    try:
        table = learned.classifier.quality()
    except ExplorerError as error:
        told = ClassTrust("Not tested in recordings left out", str(error))
        return Trust(learned, dict.fromkeys(learned.classes, told))
    return Trust(learned, {str(row.Index): _in_words(row) for row in table.itertuples()})


def _in_words(row: Any) -> ClassTrust:
    recordings, note = int(row.recordings), str(row.note)
    if row.examples == 1:
        return ClassTrust("One example: add one from another recording", note)
    if recordings == 1:
        return ClassTrust("Examples are of one recording: add one from another", note)
    if row.auc != row.auc:  # NaN
        return ClassTrust("Not tested in recordings left out", note)
    figure = "1.0" if row.auc >= 0.995 else f"{row.auc:.2f}".removeprefix("0")
    meaning = (
        f"{figure} is the chance that a window with it scores above one without it, in recordings "
        "of which nothing was learnt."
    )
    return ClassTrust(
        f"AUC {figure} in recordings left out ({recordings})", f"{meaning} {note}".strip()
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
        learned = self._state.learned
        if learned.classifier is None or self._at_work:
            return
        self._at_work = True
        self._desk.run(lambda: _kept(learned), self._finish, "")

    def _finish(self, found: Trust | Exception) -> None:
        self._at_work = False
        if isinstance(found, Exception):
            raise found
        if found.learned is self._state.learned:
            self._state.trust = found
        else:  # the labels went on meanwhile
            self._wait()


def _kept(learned: Learned) -> Trust | Exception:
    """What `measure` finds, or fails with: whoever waits must hear that it is over."""
    try:
        return measure(learned)
    except Exception as error:
        return error
