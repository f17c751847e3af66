"""Below the map: when. A small map of days and hours; the screen "Activity" has the large one."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from explorer.collection.activity import Tally, cells
from explorer.collection.daylight import Daylight
from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import DAYS, HOURS_OF_DAY, counted, tally
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.filterbar import plain
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.filtering import EVERYTHING
from explorer.dashboard.state.state import State

MOST_SPANS = 130
NO_TIMES = "These recordings carry no start time, so there is no when."


class WhenPanel(Piece):
    """Day by hour for the active class, corrected for how long was recorded.

    Before a class has an example it shows when was recorded.
    """

    _esm = asset("dom.js", "actogram.js", "when.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "when.css")]

    frame = param.Dict(default={}, doc="See `figures.heat`.")
    filter = param.Dict(
        default=plain(EVERYTHING), doc="Days and hours that are looked at; others are pale."
    )
    unit = param.String(default="effort")
    style = param.Integer()
    says_empty = param.String()
    summary = param.String()

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        self._asked = 0
        self._sun: Daylight | None = None
        state.param.watch(self._update, ["classes", "active", "learned", "filter", "screen"])
        self._update()

    def do_open(self) -> None:
        """See it large."""
        self.state.screen = "activity"

    def _update(self, *events: Any) -> None:
        state = self.state
        if state.facts is None or state.screen != "explore":
            return
        if self._sun is None or any(event.name == "screen" for event in events):
            self._sun = Daylight.of(state.collection)
        self._asked += 1
        number = self._asked

        def count() -> Tally:
            made = cells(state.collection, "hour", state.run)
            return tally(state, made, counted(state, "windows"), (*DAYS, *HOURS_OF_DAY))

        def apply(found: Tally) -> None:
            if number == self._asked:
                self._show(found)

        self.desk.run(count, apply, "")

    def _show(self, found: Tally) -> None:
        state, active = self.state, self.state.active_class
        effort = active is None or state.scores is None
        assert self._sun is not None  # made before anything is counted
        frame = figures.heat(found, self._sun, each=False, effort=effort, most_spans=MOST_SPANS)
        what = "Recorded time" if effort or active is None else f"{active.name} per recorded hour"
        self.param.update(
            frame=frame,
            filter=plain(state.filter),
            unit="effort" if effort else "windows",
            style=0 if active is None else active.style,
            summary=f"{what}, {frame['first']} to {frame['last']}" if frame else "",
            says_empty=NO_TIMES,
        )
