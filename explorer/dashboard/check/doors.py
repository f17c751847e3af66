"""Right: three doors to what comes next."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import DOORS, State
from explorer.errors import ParameterError


class Doors(Piece):
    """Label what teaches most; count how much there is; use it elsewhere."""

    _esm = asset("dom.js", "check-doors.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "check.css", "check-doors.css")]

    door = param.String()
    target = param.String(doc="Name of the active class.")
    scored = param.Boolean(doc="Whether the class can be ranked.")
    says = param.Dict(default={}, doc="A sentence under each door.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        watched = ["door", "classes", "active", "trust", "asked", "learned"]
        state.param.watch(self._update, watched)
        self._update()

    def do_door(self, door: str) -> None:
        """Open a door, or close it again."""
        if door not in (*DOORS, "teach"):
            raise ParameterError(f"there is no door {door!r}")
        if door == "teach":
            self.state.suggest()
            self.state.screen = "explore"
            return
        self.state.door = "" if door == self.state.door else door

    def _update(self, *_: Any) -> None:
        state = self.state
        self.param.update(
            door=state.door,
            target=state.active or "",
            scored=state.scores is not None,
            says=self._words(),
        )

    def _words(self) -> dict[str, str]:
        state, active = self.state, self.state.active_class
        carry = "Save it, write its card, and see what adapting changes at another place."
        if active is None:
            return {"carry": "See what a saved classifier finds here, and adapt it to this place."}
        asked = state.asked if state.asked and state.asked.class_ == active.name else None
        curve = state.trust.curve(active.name)
        labelled = len(active.positives) + len(active.negatives)
        return {
            "teach": "Likely calls, and sounds unlike any that were labelled; each says why. "
            f"{labelled} labelled so far.",
            "count": asked.result or asked.progress
            if asked
            else "Windows drawn at random, answered blind: a share with an interval, no threshold."
            if curve is None or curve.study is None
            else f"The study “{curve.study}” tells; look at it, or go on with it.",
            "carry": carry,
        }
