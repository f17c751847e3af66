"""Under the top line: what is looked at. Every view obeys it, and every change can be undone."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import numpy as np
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.facts import NO_DAY
from explorer.dashboard.state.filtering import LABEL_STATES, Filter
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


class FilterBar(Piece):
    """Site, day, hour, score, label state and recording, and how many windows are left."""

    _esm = asset("dom.js", "filterbar.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "filterbar.css")]

    sites = param.List(doc="[name, windows] of each site.")
    first = param.String(doc="First day there is, ISO; empty where no time is known.")
    last = param.String()
    filter = param.Dict(doc="The filter's values, days as ISO texts.")
    words = param.Dict(doc="Each value that is set, in words.")
    kept = param.Integer()
    total = param.Integer()
    target = param.String(default=None, allow_None=True, doc="The class whose scores count.")
    states = param.List(default=list(LABEL_STATES))

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        facts = state.facts
        if facts is not None:
            counts = np.bincount(facts.site, minlength=len(facts.sites)).tolist()
            days = facts.day[facts.day > NO_DAY]
            self.sites = [list(pair) for pair in zip(facts.sites, counts, strict=True) if pair[0]]
            if len(days):
                self.first = date.fromordinal(int(days.min())).isoformat()
                self.last = date.fromordinal(int(days.max())).isoformat()
        state.param.watch(self._update, ["filter", "kept", "active", "learned"])
        self._update()

    def do_narrow(self, **values: Any) -> None:
        """Look at fewer windows, or at more."""
        self.state.narrow(**read_values(values))

    def do_widen(self) -> None:
        """Look at every window again."""
        self.state.widen()

    def _update(self, *_: Any) -> None:
        state = self.state
        total = state.n_windows
        self.param.update(
            filter=plain(state.filter),
            words={n: _one(state.filter, n).words() for n in state.filter.names},
            kept=total if state.kept is None else int(np.count_nonzero(state.kept)),
            total=total,
            target=state.active if state.scores is not None else None,
        )


def plain(kept: Filter) -> dict[str, Any]:
    """A filter's values for a browser."""
    return {
        "sites": list(kept.sites),
        "since": kept.since.isoformat() if kept.since else "",
        "until": kept.until.isoformat() if kept.until else "",
        "from_h": kept.from_h,
        "to_h": kept.to_h,
        "low": kept.low,
        "high": kept.high,
        "labels": kept.labels,
        "recording": kept.recording,
    }


def read_values(values: dict[str, Any]) -> dict[str, Any]:
    """A filter's values from a browser.

    Raises
    ------
    ParameterError
        If a value is not of the kind that the filter takes.
    """
    read: dict[str, Any] = {}
    try:
        for name, value in values.items():
            if name == "sites":
                read[name] = tuple(str(site) for site in value)
            elif name in ("since", "until"):
                read[name] = date.fromisoformat(value) if value else None
            elif name in ("from_h", "to_h", "low", "high"):
                read[name] = float(value)
            elif name in ("labels", "recording"):
                read[name] = str(value)
            else:
                raise ParameterError(f"there is no filter by {name!r}")
    except (TypeError, ValueError) as error:
        raise ParameterError(f"this is no filter: {error}") from error
    return read


def _one(kept: Filter, name: str) -> Filter:
    """The filter with this value alone (and its partner, as hours and days come in pairs)."""
    pairs = {"since": "until", "until": "since", "from_h": "to_h", "to_h": "from_h"}
    pairs |= {"low": "high", "high": "low"}
    names = {name, pairs.get(name, name)}
    return Filter(**{n: getattr(kept, n) for n in names})
