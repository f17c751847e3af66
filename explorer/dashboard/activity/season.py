"""The season and the hours of the day: rates by period, with how sure they are."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import param

from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.filterbar import plain
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.filtering import EVERYTHING, HOURS
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
    clock = param.String(default="hour")
    style = param.Integer()
    name_ = param.String(doc="The class.")
    filter = param.Dict(default=plain(EVERYTHING), doc="Days and hours that are looked at.")

    def __init__(self, state: State, desk: Desk, heard: Heard, **params: Any) -> None:
        self.heard = heard
        super().__init__(state, desk, **params)
        heard.param.watch(self._update, ["looks", "each", "period"])
        self._update()

    def do_period(self, period: str) -> None:
        """Hours of the day, days, weeks or months."""
        self.heard.choose(period=period)

    def do_look(self, begin: Any) -> None:
        """Look at one period (or hour) alone; at all again, when it is looked at already."""
        kept = self.state.filter
        if self.heard.period == "hour":
            self._look_at_hour(float(begin))
            return
        first = date.fromisoformat(begin)
        last = _end(first, self.heard.period)
        if (kept.since, kept.until) == (first, last):
            self.state.narrow(since=None, until=None)
        else:
            self.state.narrow(since=first, until=last)

    def _look_at_hour(self, hour: float) -> None:
        kept = self.state.filter
        if self.heard.clock != "hour":
            raise ParameterError(
                "the filter knows hours of the clock only: look “by the clock” to choose one"
            )
        if (kept.from_h, kept.to_h) == (hour, hour + 1):
            self.state.narrow(from_h=0.0, to_h=float(HOURS))
        else:
            self.state.narrow(from_h=hour, to_h=hour + 1)

    def _update(self, *_: Any) -> None:
        looks, heard, state = self.heard.looks, self.heard, self.state
        if looks is None:
            return
        active = state.active_class
        self.param.update(
            frame=figures.season(looks, heard.period, each=heard.each_season, low=heard.low),
            period=heard.period,
            unit=looks.unit,
            clock=heard.clock,
            style=0 if active is None else active.style,
            name_="" if active is None else active.name,
            filter=plain(state.filter),
        )


def _end(first: date, period: str) -> date:
    if period == "day":
        return first
    if period == "week":
        return first + timedelta(days=6)
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
