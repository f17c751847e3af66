"""Right: what it sounds like. Cards that are judgements, ranked or selected, page by page."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import param

from explorer.dashboard.explore.cards import card, row_of, told_score
from explorer.dashboard.explore.listens import Listens
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.state.state import PLACES, State

MOST_PER_PAGE = 60


class Gallery(Listens):
    """The gallery and the ranked table: two looks at the same page of windows."""

    _esm = asset(
        "dom.js",
        "spectrogram.js",
        "player.js",
        "listening.js",
        "why.js",
        "cards.js",
        "gallery-words.js",
        "gallery.js",
    )
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "spectrogram.css", "listening.css", "gallery.css", "why.css")
    ]

    cards = param.List(doc="The windows of this page, as plain values.")
    first = param.Integer(doc="Position of the page's first window in the listing.")
    total = param.Integer(doc="Length of the listing.")
    above = param.Integer(default=None, allow_None=True, doc="How many are at or above threshold.")
    places = param.List(doc="The tabs: key, words, number.")
    place = param.String()
    like = param.String(doc="What the similar windows are like.")
    left_out = param.String(doc="What the filter keeps, in words, where it leaves sounds out.")
    focused = param.Integer(default=None, allow_None=True, doc="The card that should be in focus.")
    look = param.String(default="cards", doc="cards or table")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        super().__init__(state, desk, pictures, **params)
        self._per_page = 9
        self._put_away: np.ndarray[Any, Any] = np.zeros(0, dtype=np.int64)
        anew = ["place", "active", "similar", "selection", "suggested", "filter"]
        state.param.watch(self._start_anew, anew)
        state.param.watch(self._update, ["learned", "classes", "ranking", "xy", "kept"])
        state.param.watch(self._ask_on, ["asked"])
        state.param.watch(self._come_back, ["closer"])
        self._update()

    # --- what the person does ---------------------------------------------------------------

    def do_focus(self, row: int) -> None:
        """Another card is in focus; the map shows where it lies, but not in a study."""
        self.state.focus = None if self.state.place == "study" else row_of(self.state, row)

    def do_place(self, place: str) -> None:
        """Another tab; what to label next is found anew each time."""
        if place == "borderline":
            self.state.suggest()
        else:
            self.state.place = place

    def do_page(self, first: int) -> None:
        """Another page."""
        last = max(0, self.total - 1) // self._per_page * self._per_page
        self._tidy()
        self.first = int(np.clip(int(first), 0, last))
        self._update()

    def do_per_page(self, count: int) -> None:
        """The window was resized: so many cards fit."""
        count = int(np.clip(int(count), 1, MOST_PER_PAGE))
        if count != self._per_page:
            self._per_page = count
            self.first -= self.first % count
            self._update()

    def do_closer(self, row: int) -> None:
        """Look at a sound closely."""
        self.state.closer = row_of(self.state, row)

    def do_widen(self) -> None:
        """Look at every window again."""
        self.state.widen()

    def do_look(self, look: str) -> None:
        """Cards or table."""
        self.look = "table" if look == "table" else "cards"

    # --- what is shown ----------------------------------------------------------------------

    def _start_anew(self, *events: Any) -> None:
        if any(event.name == "place" or self._shows(event.name) for event in events):
            self.first = 0
            self._tidy()
        self._update()

    def _ask_on(self, *events: Any) -> None:
        before, now = events[0].old, events[0].new
        if before is None or now is None or not np.array_equal(before.rows, now.rows):
            self.first = 0
        self._update()

    def _tidy(self) -> None:
        """Put what has been judged out of the ranking's way; not while one looks at it."""
        judged = self.state.learned.judgements.get(self.state.active or "", {})
        self._put_away = np.fromiter(judged, dtype=np.int64, count=len(judged))

    def _listing(self) -> Any:
        rows = self.state.listing()
        if self.state.place != "ranked" or not len(self._put_away):
            return rows
        keep = np.ones(self.state.n_windows, dtype=bool)
        keep[self._put_away] = False
        return rows[keep[rows]]

    def _shows(self, name: str) -> bool:
        place = self.state.place
        shown = {"selection": "selection", "similar": "similar", "suggested": "borderline"}
        return (shown | {"active": place, "filter": place}).get(name) == place

    def _come_back(self, *events: Any) -> None:
        """From the closer look back to the page on which its last sound is."""
        row = events[0].old
        if self.state.closer is not None or row is None:
            return
        at = np.flatnonzero(self._listing() == row)
        if len(at):
            self.first = int(at[0]) // self._per_page * self._per_page
            self._update()
            self.focused = None  # the same row may be meant a second time
            self.focused = row

    def _update(self, *_: Any) -> None:
        state = self.state
        self._aim()
        rows = self._listing()
        first = self.first if self.first < len(rows) else 0
        page = rows[first : first + self._per_page]
        active = state.active_class
        above = None
        if active is not None and state.scores is not None and state.place == "ranked":
            gone = int((state.scores[self._put_away] >= active.threshold).sum())
            above = (active.found or 0) - gone
            if state.kept is not None:
                above = int((state.scores[rows] >= active.threshold).sum())
        self.param.update(
            cards=[self._card(int(row), first + i) for i, row in enumerate(page)],
            left_out="" if state.kept is None or len(rows) else state.filter.words(),
            first=first,
            total=len(rows),
            above=above,
            place=state.place,
            places=self._places(),
            like="" if state.similar is None else state.similar.title,
        )

    def _places(self) -> list[dict[str, Any]]:
        state, active = self.state, self.state.active_class
        judged = 0 if active is None else len(state.learned.judgements.get(active.name, {}))
        numbers: dict[str, int | None] = {
            "sample": None,
            "ranked": None,
            "selection": len(state.kept_of(state.selection)),
            "similar": None,
            "borderline": None,
            "study": None,
            "unsure": 0 if active is None else len(active.unsure),
            "labelled": judged,
        }
        there = {
            "sample": state.place == "sample" or not len(state.ranking),
            "ranked": len(state.ranking) > 0,
            "selection": True,
            "similar": state.similar is not None,
            "borderline": state.place == "borderline",
            "study": state.asked is not None
            and active is not None
            and state.asked.class_ == active.name,
            "unsure": active is not None,
            "labelled": active is not None,
        }
        return [{"key": key, "number": numbers[key]} for key in PLACES if there[key]]

    def _card(self, row: int, position: int) -> dict[str, Any]:
        state = self.state
        if state.place == "similar" and state.similar is not None:
            value: float | None = self._likeness.get(row)
        else:
            value = told_score(state, row)
        made = card(state, row, position=position, score=value)
        if state.place == "borderline" and state.suggested is not None:
            made["reason"] = state.suggested.reasons.get(row, "")
        return made

    @property
    def _likeness(self) -> dict[int, float]:
        similar = self.state.similar
        return dict(zip(similar.rows.tolist(), similar.scores.tolist(), strict=True))
