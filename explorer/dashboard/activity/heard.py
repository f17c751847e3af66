"""What the screen "Activity" counts: the windows of the class at hand, over recorded hours.

A filter has two halves. *When and where* (sites, days, hours, recording) says which sound is looked
at, and so which hours count as recorded. *What* (score, labels) says which windows count: it must
not touch the hours, or a filter for high scores would make every rate high.

Each picture leaves its own part of the filter out, so that one sees what was cut away and can cut
elsewhere: the map of days and hours shows all of them, with those outside of the filter pale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import param

from explorer.collection.activity import Cells, Clock, Tally, cells
from explorer.collection.counts import begins
from explorer.collection.daylight import Daylight
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state.filtering import EVERYTHING, Filter
from explorer.dashboard.state.rhythm import RHYTHMS
from explorer.dashboard.state.state import State

FEW_DAYS = 4
"""So few days are drawn as rows of bars."""

TURNED_FROM = -12
"""The first of the hours before and after sunrise."""

DAYS, HOURS_OF_DAY, SITES = ("since", "until"), ("from_h", "to_h"), ("sites",)


@dataclass(frozen=True)
class Looks:
    """The counts behind each picture, each without its own part of the filter.

    ``kept`` obeys the whole filter, and is what the words speak of.
    """

    kept: Tally
    by_day_and_hour: Tally
    by_hour: Tally
    by_period: Tally
    by_site: Tally
    daylight: Daylight
    unit: str


def counted(state: State, unit: str) -> Any:
    """Rows of the windows that count, ascending; None where only the effort is looked at.

    With ``detections`` neighbouring windows are one, and counted where the first of them is.
    """
    scores = state.scores
    if scores is None or unit == "effort":
        return None
    rows = np.flatnonzero(scores >= state.threshold)
    if unit == "detections":
        rows = np.sort(begins(state.collection.index(state.run), rows))
    return rows


def tally(state: State, made: Cells, rows: Any, without: tuple[str, ...] = ()) -> Tally:
    """Count some windows under the session's filter.

    Parameters
    ----------
    rows
        From `counted`.
    without
        Names of values of the filter that are left out.
    """
    facts = state.facts
    assert facts is not None  # or there would be no cells
    whole = state.filter.with_(**{name: getattr(EVERYTHING, name) for name in without})
    where = whole.with_(**{name: getattr(EVERYTHING, name) for name in ("low", "high", "labels")})
    within = where.mask(facts, None, {})
    more = len(made.of_window) - len(facts)
    if more:  # embedded since this session began, and not yet on its map
        within = np.ones(len(facts), dtype=bool) if within is None else within
        within = np.concatenate([within, np.zeros(more, dtype=bool)])
    if rows is not None and whole != where:
        what = _what(whole).mask(facts, state.scores, state.judged())
        rows = rows if what is None else rows[what[rows]]
    return made.tally(rows, within)


class Heard(param.Parameterized):
    """What follows from the state's `Rhythm`, its class and its filter; knows no widget.

    Nothing is counted while another screen is open.
    """

    each = param.Boolean(doc="A picture for each site.")
    period: Any = param.Selector(default="month", objects=list(RHYTHMS))
    looks: Any = param.ClassSelector(class_=Looks, default=None, allow_None=True)

    def __init__(self, state: State, desk: Desk) -> None:
        super().__init__()
        self.state, self._desk = state, desk
        self._asked = 0
        self._stale = True
        state.param.watch(self._look, ["classes", "active", "learned", "filter", "screen"])
        state.param.watch(self._choose, ["rhythm"])
        self._look()

    @property
    def each_season(self) -> bool:
        """Whether there is a season for each site: only where somebody wants to see that."""
        return bool(self.state.rhythm.each)

    @property
    def clock(self) -> Clock:
        """By which clock hours are told."""
        clock: Clock = self.state.rhythm.clock
        return clock

    @property
    def low(self) -> int:
        """The first of the 24 hours."""
        return 0 if self.clock == "hour" else TURNED_FROM

    def choose(self, **values: Any) -> None:
        """Look at it in another way: set values of the `Rhythm`."""
        self.state.rhythm = self.state.rhythm.with_(**values)

    def look_again(self) -> None:
        """Count again, since something that the state does not know of has changed."""
        self._stale = True
        self._look()

    def _choose(self, event: Any) -> None:
        old, new = event.old, event.new
        if (old.unit, old.clock) != (new.unit, new.clock):
            self._look(event)
        elif self.looks is not None:
            self.param.update(**self._suited(self.looks.kept.cells))

    def _look(self, *events: Any) -> None:
        if any(event.name != "screen" for event in events):
            self._stale = True
        if not self._seen() or not self._stale:
            return
        self._stale = False
        self._asked += 1
        number, unit, clock = self._asked, self.state.rhythm.unit, self.clock

        def apply(found: Looks) -> None:
            if number != self._asked:
                return
            # All at once, so that nothing is drawn twice.
            self.param.update(looks=found, **self._suited(found.kept.cells))

        # The first count of a million windows takes a moment; what follows is quick.
        self._desk.run(lambda: look(self.state, unit, clock), apply, "")

    def _seen(self) -> bool:
        return bool(self.state.screen == "activity")

    def _suited(self, made: Cells) -> dict[str, Any]:
        """What the person chose, or else what suits a deployment of this length."""
        ends, chosen = made.days, self.state.rhythm
        length = 0 if ends is None else ends[1] - ends[0] + 1
        # A few days leave room for every site.
        each = 0 < length <= FEW_DAYS and len(made.sites) > 1
        return {
            "period": chosen.period or _period_for(length),
            "each": each if chosen.each is None else chosen.each,
        }


def look(state: State, unit: str, clock: Clock) -> Looks:
    """Count for each picture; equal filters are counted once."""
    by_clock = cells(state.collection, "hour", state.run)
    rows = counted(state, unit)
    once: dict[Filter, Tally] = {}

    def of(*without: str) -> Tally:
        key = state.filter.with_(**{name: getattr(EVERYTHING, name) for name in without})
        if key not in once:
            once[key] = tally(state, by_clock, rows, without)
        return once[key]

    by_day_and_hour, by_hour = of(*DAYS, *HOURS_OF_DAY), of(*HOURS_OF_DAY)
    if clock != "hour":  # the filter's hours are the clock's: they hold here as they do elsewhere
        by_sun = cells(state.collection, clock, state.run)
        by_day_and_hour, by_hour = tally(state, by_sun, rows, DAYS), tally(state, by_sun, rows)
    return Looks(
        kept=of(),
        by_day_and_hour=by_day_and_hour,
        by_hour=by_hour,
        by_period=of(*DAYS),
        by_site=of(*SITES),
        daylight=Daylight.of(state.collection),
        unit="effort" if rows is None else unit,
    )


def _period_for(days: int) -> str:
    """Hours for a few days, days for up to three weeks, weeks for half a year, else months."""
    if days <= FEW_DAYS:
        return "hour"
    return "day" if days <= 21 else "week" if days <= 190 else "month"


def _what(whole: Filter) -> Filter:
    return Filter(low=whole.low, high=whole.high, labels=whole.labels)
