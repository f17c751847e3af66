"""Right: what it sounds like. Cards that are judgements, ranked or selected, page by page."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import param

from explorer.audio.spectrogram import PRESETS
from explorer.dashboard.explore.why import Why, explain
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.pictures import WIDE, Pictures
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.facts import clock
from explorer.dashboard.state.state import PLACES, State
from explorer.errors import ExplorerError, ParameterError

MOST_PER_PAGE = 60

PRESET_NOTES = {
    WIDE: "40 Hz–12 kHz, split at 2",
    "bird": "0.3–12 kHz",
    "reef": "40–2000 Hz",
    "bat": "8–128 kHz",
    "full": "all there is",
}


class Gallery(Piece):
    """The gallery and the ranked table: two looks at the same page of windows."""

    _esm = asset("dom.js", "gallery.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "gallery.css")]

    cards = param.List(doc="The windows of this page, as plain values.")
    first = param.Integer(doc="Position of the page's first window in the listing.")
    total = param.Integer(doc="Length of the listing.")
    above = param.Integer(default=None, allow_None=True, doc="How many are at or above threshold.")
    threshold = param.Number(default=0.5)
    places = param.List(doc="The tabs: key, words, number.")
    place = param.String()
    target = param.Dict(default=None, allow_None=True, doc="The active class: name, shape, style.")
    like = param.String(doc="What the similar windows are like.")
    preset = param.String(default=WIDE)
    presets = param.List()
    theme = param.String(default="light")
    look = param.String(default="cards", doc="cards or table")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        known = [WIDE, *(name for name in PRESETS if name in PRESET_NOTES)]
        presets = [{"value": name, "note": PRESET_NOTES[name]} for name in known]
        super().__init__(state, desk, presets=presets, theme=state.theme, **params)
        self._pictures = pictures
        self._wanted: tuple[tuple[int, ...], str, str] = ((), "", "")
        self._per_page = 9
        self._put_away: np.ndarray[Any, Any] = np.zeros(0, dtype=np.int64)
        anew = ["place", "active", "similar", "selection", "suggested"]
        state.param.watch(self._start_anew, anew)
        state.param.watch(self._update, ["learned", "classes", "ranking", "xy"])
        state.param.watch(self._ask_on, ["asked"])
        state.param.watch(self._retheme, ["theme"])
        self._update()

    # --- what the person does ---------------------------------------------------------------

    def do_judge(self, row: int, judgement: str) -> None:
        """Yes, no or unsure to one card."""
        if judgement not in ("positive", "negative", "unsure"):
            raise ParameterError(f"{judgement!r} is no judgement")
        self.state.judge([self._row(row)], judgement)  # type: ignore[arg-type]

    def do_focus(self, row: int) -> None:
        """Another card is in focus; the map shows where it lies, but not in a study."""
        self.state.focus = None if self.state.place == "study" else self._row(row)

    def do_like(self, row: int) -> None:
        """More like this one."""
        self.state.search_like(self._row(row))

    def do_why(self, row: int) -> None:
        """Tell which labels speak for a window's score, and which against it."""
        learned, name, row = self.state.learned, self.state.active or "", self._row(row)
        if self.state.place == "study":
            raise ParameterError("in a study nothing is told of a window before it is answered")
        self.desk.run(lambda: explain(learned, row, name), self._tell_why, "")

    def _tell_why(self, why: Why) -> None:
        proofs = [
            self._card(proof.row, 0) | {"label": proof.label, "weight": proof.weight}
            for proof in why.proofs
        ]
        self.tell(kind="why", row=why.row, proofs=proofs, sentence=why.sentence)

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.state.undo()

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

    def do_look(self, look: str) -> None:
        """Cards or table."""
        self.look = "table" if look == "table" else "cards"

    def do_preset(self, preset: str) -> None:
        """Other spectrogram settings."""
        if preset not in PRESET_NOTES:
            raise ParameterError(f"there are no spectrogram settings {preset!r}")
        self.preset = preset

    def do_pictures(self, rows: list[int], preset: str, theme: str) -> None:
        """The page lacks these pictures; earlier wishes are forgotten."""
        wanted = tuple(self._row(row) for row in rows[:MOST_PER_PAGE])
        theme = "dark" if theme == "dark" else "light"
        self._wanted = (wanted, preset, theme)
        for row in wanted:
            self._pictures.submit(self._draw, row, preset, theme)

    def do_sound(self, row: int) -> None:
        """A card is to be heard."""
        self._pictures.submit(self._read_sound, self._row(row))

    # --- in threads -------------------------------------------------------------------------

    def _draw(self, row: int, preset: str, theme: str) -> None:
        rows, now_preset, now_theme = self._wanted
        if row not in rows or (preset, theme) != (now_preset, now_theme):
            return
        message = {"kind": "picture", "row": row, "key": f"{preset}/{theme}"}
        try:
            picture = self._pictures.picture(row, preset, theme)  # type: ignore[arg-type]
            message |= picture.message()
        except ExplorerError as error:
            message |= {"error": str(error)}
        except Exception as error:
            message |= {"error": "this window could not be drawn"}
            self.desk.soon(self.desk.report, error)
        self.desk.soon(lambda: self.tell(**message))

    def _read_sound(self, row: int) -> None:
        try:
            wav = self._pictures.sound(row)
        except Exception as error:
            self.desk.soon(self.desk.report, error)
            return
        self.desk.soon(lambda: self.tell(kind="sound", row=row, data=wav))

    # --- what is shown ----------------------------------------------------------------------

    def _row(self, row: Any) -> int:
        if not isinstance(row, int) or not 0 <= row < self.state.n_windows:
            raise ParameterError(f"there is no window {row!r}")
        return row

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
        return (shown | {"active": place}).get(name) == place

    def _retheme(self, *_: Any) -> None:
        self.theme = self.state.theme

    def _update(self, *_: Any) -> None:
        state = self.state
        rows = self._listing()
        first = self.first if self.first < len(rows) else 0
        page = rows[first : first + self._per_page]
        active = state.active_class
        above = None
        if active is not None and state.scores is not None and state.place == "ranked":
            gone = int((state.scores[self._put_away] >= active.threshold).sum())
            above = (active.found or 0) - gone
        self.param.update(
            cards=[self._card(int(row), first + i) for i, row in enumerate(page)],
            first=first,
            total=len(rows),
            above=above,
            threshold=state.threshold,
            place=state.place,
            places=self._places(),
            target=None
            if active is None
            else {"name": active.name, "style": active.style, "shape": class_shape(active.style)},
            like="" if state.similar is None else state.similar.title,
        )

    def _places(self) -> list[dict[str, Any]]:
        state, active = self.state, self.state.active_class
        judged = 0 if active is None else len(state.learned.judgements.get(active.name, {}))
        numbers: dict[str, int | None] = {
            "sample": None,
            "ranked": None,
            "selection": len(state.selection),
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
        state, facts = self.state, self.state.facts
        assert facts is not None
        scores = state.similar.scores if state.place == "similar" and state.similar else None
        value: float | None = None
        if scores is not None:
            value = float(scores[position])
        elif state.scores is not None and state.place != "study":
            # Who knows the score hears what is expected.
            value = float(state.scores[row])
        suggested = state.suggested if state.place == "borderline" else None
        when = facts.when(row)
        return {
            "row": row,
            "n": position + 1,
            "site": facts.site_of(row),
            "recording": facts.recordings[facts.recording[row]],
            "at": clock(float(facts.start_s[row])),
            "seconds": round(float(facts.end_s[row] - facts.start_s[row]), 3),
            "day": f"{when.day} {when:%b}" if when else "",
            "time": f"{when:%H:%M:%S}" if when else "",
            "iso": when.isoformat(timespec="milliseconds") if when else "",
            "score": value,
            "judgement": state.judgement(row),
            "reason": "" if suggested is None else suggested.reasons.get(row, ""),
        }
