"""Sounds in a cell: the gallery, of a table's sounds too, and the closer look that goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from explorer.dashboard.explore.closer import CloserLook
from explorer.dashboard.explore.gallery import Gallery
from explorer.dashboard.state.facts import WindowFacts
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.dashboard.single.session import Session
    from explorer.dashboard.state.learning import Rows

GIVEN = "given"
"""The gallery's place for the sounds of a table."""

TITLES = {
    "SearchHits": "most like what was searched for",
    "Detections": "detected",
    "Suggestions": "to label next",
    "Evidence": "that speak for it and against it",
    "Suspects": "whose labels look wrong",
    "Disagreements": "on which people differ",
}


@dataclass(frozen=True)
class Given:
    """Sounds that a gallery was given: windows in their order, and what the table says of each."""

    rows: Rows
    title: str = ""
    scores: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: WindowFacts, sounds: Any, title: str | None = None) -> Given:
        """From a table with recording, start_s and end_s, or from windows by row.

        Raises
        ------
        ParameterError
            If it is neither.
        """
        if not isinstance(sounds, pd.DataFrame):
            rows = np.asarray(sounds)
            if rows.ndim != 1 or (len(rows) and not np.issubdtype(rows.dtype, np.integer)):
                raise ParameterError(
                    "sounds are a table with recording, start_s and end_s, or rows"
                )
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(facts):
                raise ParameterError(f"there are {len(facts):,} windows, numbered from 0")
            return cls(_each_once(rows.astype(np.int64)), title or "")
        if not {"recording", "start_s", "end_s"} <= set(sounds.columns):
            raise ParameterError("a table of sounds has the columns recording, start_s and end_s")
        rows = windows_at(facts, sounds)
        told: dict[str, dict[int, Any]] = {"score": {}, "reason": {}}
        for name, values in told.items():
            if name in sounds:
                for row, value in zip(rows.tolist(), sounds[name].tolist(), strict=True):
                    if row >= 0 and pd.notna(value):
                        values.setdefault(row, value)
        title = TITLES.get(type(sounds).__name__, "") if title is None else title
        return cls(_each_once(rows[rows >= 0]), title, told["score"], told["reason"])


def windows_at(facts: WindowFacts, table: pd.DataFrame) -> Rows:
    """For each time range the window whose middle is nearest to its own; -1 where there is none.

    Examples
    --------
    >>> windows_at(facts, hits)                              # doctest: +SKIP
    array([12,  3])
    """
    middle = (facts.start_s + facts.end_s) / 2
    order = np.lexsort((middle, facts.recording))
    code = {name: i for i, name in enumerate(facts.recordings)}
    first = np.searchsorted(facts.recording[order], np.arange(len(facts.recordings) + 1))
    starts, ends = (table[name].to_numpy(dtype=np.float64) for name in ("start_s", "end_s"))
    found = np.full(len(table), -1, dtype=np.int64)
    for name, places in pd.Series(range(len(table))).groupby(table["recording"].to_numpy()):
        if name not in code:
            continue
        rows = order[first[code[name]] : first[code[name] + 1]]
        at = places.to_numpy()
        wanted = (starts[at] + ends[at]) / 2
        after = np.clip(np.searchsorted(middle[rows], wanted), 0, len(rows) - 1)
        before = np.maximum(after - 1, 0)
        nearer = np.abs(middle[rows[before]] - wanted) <= np.abs(middle[rows[after]] - wanted)
        near = rows[np.where(nearer, before, after)]
        touches = (facts.start_s[near] < ends[at]) & (starts[at] < facts.end_s[near])
        found[at[touches]] = near[touches]
    return found


def _each_once(rows: Rows) -> Rows:
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]


class Sounds(Gallery):
    """The gallery in a cell; of given sounds, it has a place of its own for them."""

    def __init__(self, session: Session, given: Given | None = None, **params: Any) -> None:
        self._session, self._given = session, given
        self._here = given is not None
        super().__init__(session.state, session.desk, session.pictures, **params)

    def do_place(self, place: str) -> None:
        """Another tab."""
        self._here = place == GIVEN and self._given is not None
        if self._here:
            self.first = 0
            self._update()
        else:
            super().do_place(place)
            self._update()

    def do_like(self, row: int) -> None:
        """More like this one."""
        self._here = False
        super().do_like(row)

    def do_closer(self, row: int) -> None:
        """Look at a sound closely, in this cell."""
        self._session.looking = self
        super().do_closer(row)

    def listed(self) -> Any:
        """The windows of the list that is shown."""
        return self._listing()

    def _start_anew(self, *events: Any) -> None:
        if self._here:  # what others look at does not move these
            self._update()
        else:
            super()._start_anew(*events)

    def _listing(self) -> Any:
        if self._here and self._given is not None:
            return self.state.kept_of(self._given.rows)
        return super()._listing()

    def _update(self, *events: Any) -> None:
        super()._update(*events)
        if self._here and self._given is not None:
            self.param.update(place=GIVEN, like=self._given.title, above=None)

    def _places(self) -> list[dict[str, Any]]:
        places = super()._places()
        if self._given is None:
            return places
        return [{"key": GIVEN, "number": len(self.state.kept_of(self._given.rows))}, *places]

    def _card(self, row: int, position: int) -> dict[str, Any]:
        made = super()._card(row, position)
        if self._here and self._given is not None:
            made["score"] = self._given.scores.get(row, made["score"])
            made["reason"] = self._given.reasons.get(row, "")
        return made


class Closer(CloserLook):
    """The closer look at a sound of one gallery; those of other cells open in theirs."""

    def __init__(self, session: Session, sounds: Sounds, **params: Any) -> None:
        self._session, self._sounds = session, sounds
        super().__init__(session.state, session.desk, session.pictures, **params)

    def _listed(self) -> Any:
        return self._sounds.listed()

    def _show(self, *events: Any) -> None:
        if self._session.looking is self._sounds:
            super()._show(*events)
        else:
            self.param.update(sound=None, strip=[])
