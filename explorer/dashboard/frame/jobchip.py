"""In the top line while there is long work: what it is, how far, how long still, and a stop."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import board
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


class JobChip(Piece):
    """The long work of this collection, whoever began it; nothing where there is none.

    When it has made windows that this session does not look at yet, it offers to.
    """

    _esm = asset("dom.js", "jobs.js", "jobchip.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "jobchip.css")]

    jobs = param.List(doc="kind, title, share, words, left_s of each.")
    fresh = param.String(default=None, allow_None=True, doc="A run that could be opened.")
    grown = param.Boolean(doc="Whether that is the run that is looked at, with more windows now.")
    stopper = param.Boolean()

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, stopper=state.may("annotator"), **params)
        state.param.watch(self._update, ["jobs", "fresh_run"])
        self._update()

    def do_stop(self, kind: str) -> None:
        """Stop long work; what is done is kept."""
        if not self.stopper:
            raise ParameterError("stopping long work takes annotator rights")
        board(self.state.collection).stop(str(kind))

    def do_open(self) -> None:
        """Look at the new windows."""
        if self.state.fresh_run is not None:
            self.state.open_run = self.state.fresh_run

    def do_later(self) -> None:
        """Go on with what is looked at."""
        self.state.fresh_run = None

    def _update(self, *_: Any) -> None:
        state = self.state
        shown = bool(state.jobs) or state.fresh_run is not None
        self.param.update(
            jobs=[vars(job) for job in state.jobs],
            fresh=state.fresh_run,
            grown=state.fresh_run == state.run,
            visible=shown,
        )
