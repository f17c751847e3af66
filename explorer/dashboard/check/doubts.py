"""Below the curve: labels that the others disagree with, to be heard again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import param

from explorer.dashboard.explore.cards import card
from explorer.dashboard.explore.listens import Listens
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.state.doubting import doubted
from explorer.dashboard.state.learning import Judgement, Learned
from explorer.dashboard.state.state import State
from explorer.errors import ExplorerError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

MOST = 12
"""Shown at once: whoever has heard a dozen asks again."""
OTHER: dict[str, Judgement] = {"positive": "negative", "negative": "positive"}


class Doubts(Listens):
    """Labels that look wrong, the most doubtful first; each is kept or turned round."""

    _esm = asset("dom.js", "spectrogram.js", "player.js", "why.js", "check-doubts.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "spectrogram.css", "check.css", "check-doubts.css")
    ]

    cards = param.List(doc="Doubted labels: cards with class, sign, judgement and reason.")
    total = param.Integer(doc="How many there are.")
    says = param.String(doc="Why there is nothing to show.")
    outdated = param.Boolean(doc="Whether labels changed since.")

    def __init__(self, state: State, desk: Desk, pictures: Pictures, **params: Any) -> None:
        super().__init__(state, desk, pictures, **params)
        self._of: Learned | None = None
        state.param.watch(self._look, ["trust", "learned", "screen"])
        self._look()

    def do_keep(self, row: int, name: str) -> None:
        """It was heard again, and is right."""
        doubt = self._doubt(row, name)
        self.state.confirm(doubt["row"], name, doubt["judgement"])

    def do_flip(self, row: int, name: str) -> None:
        """It was heard again, and is wrong."""
        doubt = self._doubt(row, name)
        if self.state.place == "study":  # this is no answer of the study
            self.state.place = "ranked"
        self.state.judge([doubt["row"]], OTHER[doubt["judgement"]], name)

    def do_show(self, row: int) -> None:
        """See where it lies on the map."""
        doubt = self._doubt(row, None)
        self.state.param.update(screen="explore")
        self.state.activate(doubt["class"])
        self.state.select([doubt["row"]])

    def _doubt(self, row: int, name: str | None) -> dict[str, Any]:
        for doubt in self.cards:
            if doubt["row"] == row and name in (None, doubt["class"]):
                found: dict[str, Any] = doubt
                return found
        raise ParameterError("this label is no longer in doubt")

    def _look(self, *_: Any) -> None:
        """Look for doubtful labels once the labels have settled, if anybody is looking on."""
        state, learned = self.state, self.state.learned
        self.outdated = self._of is not None and self._of is not learned
        if learned.classifier is None:
            self._of = learned
            self.param.update(cards=[], total=0, outdated=False, says="")
            return
        settled = state.trust.learned is learned
        if state.screen != "check" or not settled or self._of is learned:
            return
        self._of = learned
        self.desk.run(lambda: _found(state, learned), self._show, "")

    def _show(self, found: tuple[Learned, pd.DataFrame | None, str]) -> None:
        learned, table, says = found
        if learned is not self.state.learned or table is None:
            self.param.update(says=says)
            return
        signs = {c.name: c.style for c in self.state.classes}
        shown = [
            card(self.state, int(row.Index), score=float(row.doubt))
            | {
                "class": str(row.class_),
                "style": signs.get(str(row.class_), 0),
                "shape": class_shape(signs.get(str(row.class_), 0)),
                "judgement": str(row.judgement),
                "reason": str(row.reason),
            }
            for row in table.head(MOST).rename(columns={"class": "class_"}).itertuples()
        ]
        self.param.update(cards=shown, total=len(table), outdated=False, says=says)


def _found(state: State, learned: Learned) -> tuple[Learned, Any, str]:
    try:
        table = doubted(state.collection, learned)
    except ExplorerError as error:
        return learned, None, str(error)
    says = "" if len(table) else "No label looks wrong beside the others."
    return learned, table, says
