"""Below the map: when. Detections per recorded hour, by day and hour of the day."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.facts import HOURS, WindowFacts, day_name
from explorer.dashboard.state.state import State

MOST_DAYS = 31
NO_TIMES = "These recordings carry no start time, so there is no when."
NO_CLASS = "When it was heard, per recorded hour, once a class has an example."


class WhenPanel(Piece):
    """Day by hour for the active class, corrected for how long was recorded."""

    _esm = asset("dom.js", "when.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "when.css")]

    days = param.List(doc="Names of the rows.")
    rates = param.List(doc="Detections per recorded hour [day][hour]; None where none recorded.")
    style = param.Integer()
    says_empty = param.String()
    summary = param.String()

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        self._effort = {} if state.facts is None else state.facts.effort_h()
        state.param.watch(self._update, ["classes", "active", "learned"])
        self._update()

    def _update(self, *_: Any) -> None:
        state, active = self.state, self.state.active_class
        if state.facts is None or not self._effort:
            self.param.update(days=[], rates=[], says_empty=NO_TIMES)
            return
        if active is None or state.scores is None:
            self.param.update(days=[], rates=[], says_empty=NO_CLASS)
            return
        rows = np.flatnonzero(state.scores >= active.threshold)
        names, rates = activity(state.facts, rows, self._effort)
        self.param.update(
            days=names,
            rates=rates,
            style=active.style,
            summary=f"{active.name} per recorded hour, {names[0]} to {names[-1]}",
        )


def activity(
    facts: WindowFacts, rows: Any, effort_h: dict[tuple[int, int], float]
) -> tuple[list[str], list[list[float | None]]]:
    """Windows per recorded hour, for each day (or span of days) and hour of the day.

    Parameters
    ----------
    rows
        The windows that count.
    effort_h
        Recorded hours by (day, hour), from `WindowFacts.effort_h`.

    Returns
    -------
    tuple
        Names of the spans; and per span 24 rates, None where nothing was recorded.
    """
    first = min(day for day, _ in effort_h)
    last = max(day for day, _ in effort_h)
    span = max(1, -(-(last - first + 1) // MOST_DAYS))
    n = (last - first) // span + 1
    recorded, heard = np.zeros((n, HOURS)), np.zeros((n, HOURS))
    for (day, hour), hours in effort_h.items():
        recorded[(day - first) // span, hour] += hours
    known = rows[facts.day[rows] >= 0]
    np.add.at(heard, ((facts.day[known] - first) // span, facts.hour[known].astype(int)), 1)
    rates = [
        [round(float(h / r), 3) if r > 0 else None for h, r in zip(hs, rs, strict=True)]
        for hs, rs in zip(heard, recorded, strict=True)
    ]
    return [day_name(first + i * span) for i in range(n)], rates
