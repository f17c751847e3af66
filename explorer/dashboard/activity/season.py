"""The season: rates by day, week or month, with how sure they are."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import param

from explorer.collection.activity import PERIODS
from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


class Season(Piece):
    """One point for each period, with its interval; a press on it looks at that period alone."""

    _esm = asset("dom.js", "actogram.js", "activity-season.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "activity.css", "activity-season.css"),
    ]

    frame = param.Dict(default={}, doc="See `figures.season`.")
    period = param.String(default="month")
    unit = param.String(default="windows")
    style = param.Integer()
    name_ = param.String(doc="The class.")
    since = param.String()
    until = param.String()

    def __init__(self, state: State, desk: Desk, heard: Heard, **params: Any) -> None:
        self.heard = heard
        super().__init__(state, desk, **params)
        heard.param.watch(self._update, ["looks", "each", "period"])
        self._update()

    def do_period(self, period: str) -> None:
        """Days, weeks or months."""
        if period not in PERIODS:
            raise ParameterError(f"{period!r} is none of {', '.join(PERIODS)}")
        self.heard.choose_period(period)  # type: ignore[arg-type]

    def do_look(self, begin: str) -> None:
        """Look at one period alone, or, when it is looked at already, at all again."""
        first = date.fromisoformat(begin)
        last = _end(first, self.heard.period)
        kept = self.state.filter
        if (kept.since, kept.until) == (first, last):
            self.state.narrow(since=None, until=None)
        else:
            self.state.narrow(since=first, until=last)

    def _update(self, *_: Any) -> None:
        looks, heard, state = self.heard.looks, self.heard, self.state
        if looks is None:
            return
        active, kept = state.active_class, state.filter
        self.param.update(
            frame=figures.season(looks, heard.period, each=heard.each),
            period=heard.period,
            unit=looks.unit,
            style=0 if active is None else active.style,
            name_="" if active is None else active.name,
            since=kept.since.isoformat() if kept.since else "",
            until=kept.until.isoformat() if kept.until else "",
        )


def _end(first: date, period: str) -> date:
    if period == "day":
        return first
    if period == "week":
        return first + timedelta(days=6)
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
