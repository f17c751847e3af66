"""What all pieces of the screen look at: recordings, findings, and which one is looked at closely.

The tables are gathered in a thread, once for all sessions of the server, and again whenever long
work has added to them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import param

from explorer.audio.health_faults import SEVERITIES
from explorer.collection import health_store
from explorer.collection.health_clock import unset
from explorer.collection.health_finding import Deployment, deployments
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import EMBED
from explorer.dashboard.state.state import State

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

HEALTH, ADD = "health", "add"
CHANGING = {EMBED, HEALTH, ADD}
"""Kinds of jobs that change what is seen here."""

LOOK_AGAIN_S = 4.0
"""While recordings are measured or added, what is seen follows at this distance."""

LEAST_SPAN_S = 10.0
"""The timeline shows at least this much."""

_seen: OrderedDict[str, tuple[Any, Seen]] = OrderedDict()
_MOST_COLLECTIONS = 8
_guard = threading.Lock()


@dataclass(frozen=True)
class Seen:
    """What there is, at one moment.

    Attributes
    ----------
    recordings
        As `Collection.recordings`.
    findings
        As `Collection.health`.
    left_out
        As `Collection.left_out`.
    lanes
        Deployments, without the recordings whose clock cannot be right.
    wrong
        How many recordings of each lane those are.
    by_lane
        The findings of each lane that have a time, with ``since_s`` and ``until_s``.
    offset_s
        The zone of most recordings, in seconds from UTC.
    worst
        By the name of a recording, the place in `SEVERITIES` of the worst that was found in it.
    measured
        How many recordings are measured.
    """

    recordings: pd.DataFrame
    findings: pd.DataFrame
    left_out: pd.DataFrame
    lanes: tuple[Deployment, ...]
    wrong: tuple[int, ...]
    by_lane: tuple[pd.DataFrame, ...]
    offset_s: float
    worst: dict[str, int]
    measured: int

    @property
    def span(self) -> tuple[float, float] | None:
        """From the first start to the last end, seconds since 1970; None without any time."""
        if not self.lanes:
            return None
        first = min(float(lane.start_s[0]) for lane in self.lanes)
        last = max(float(lane.end_s.max()) for lane in self.lanes)
        return first, max(last, first + 1)

    @property
    def most_wanted(self) -> int | None:
        """The recording to begin with: one of those in which the worst was found, or the first."""
        table = self.recordings
        if not len(table):
            return None
        worst = min(self.worst, key=self.worst.__getitem__, default=None)
        found = table.index[table["recording"] == worst]
        return int(found[0] if len(found) else table.index[0])


def gather(collection: Collection) -> Seen:
    """What there is now; the same object until something changes."""
    catalogue = collection.catalogue
    left_out = collection.left_out
    stamp = (catalogue.version(), health_store.stamp(catalogue), len(left_out))
    key = str(collection.path)
    with _guard:
        known = _seen.get(key)
    if known is not None and known[0] == stamp:
        return known[1]
    seen = _gather(collection, left_out)
    with _guard:
        _seen[key] = (stamp, seen)
        _seen.move_to_end(key)
        while len(_seen) > _MOST_COLLECTIONS:
            _seen.popitem(last=False)
    return seen


def _gather(collection: Collection, left_out: pd.DataFrame) -> Seen:
    recordings, findings = collection.recordings, collection.health()
    lanes, wrong = [], []
    for part in deployments(recordings):
        bad = unset(part)
        if not bad.all():
            lanes.append(part.of(~bad))
            wrong.append(int(bad.sum()))
    rank = findings["severity"].map(SEVERITIES.index)
    of_one = findings["recording"] != ""
    worst = rank[of_one].groupby(findings.loc[of_one, "recording"]).min()
    return Seen(
        recordings,
        findings,
        left_out,
        tuple(lanes),
        tuple(wrong),
        tuple(_by_lane(findings, lanes)),
        _usual_offset(lanes),
        {str(name): int(place) for name, place in worst.items()},
        health_store.count(collection.catalogue),
    )


def _by_lane(findings: pd.DataFrame, lanes: list[Deployment]) -> list[pd.DataFrame]:
    timed = findings[findings["from"].notna()]
    timed = timed.assign(
        since_s=[datetime.fromisoformat(at).timestamp() for at in timed["from"]],
        until_s=[datetime.fromisoformat(at).timestamp() for at in timed["to"]],
    ).astype({"since_s": "float64", "until_s": "float64"})
    groups = dict(list(timed.groupby(["site", "device"])))
    return [groups.get((lane.site, lane.device), timed.iloc[:0]) for lane in lanes]


def _usual_offset(lanes: list[Deployment]) -> float:
    if not lanes:
        return 0.0
    offsets = np.concatenate([lane.table["offset_s"].to_numpy() for lane in lanes])
    values, counts = np.unique(offsets, return_counts=True)
    return float(values[counts.argmax()])


@dataclass(frozen=True)
class Part:
    """A part of the timeline whose findings are looked at: a lane, and a span of time."""

    lane: int
    since: float
    until: float

    def findings(self, seen: Seen) -> pd.DataFrame:
        """The findings there."""
        here = seen.by_lane[self.lane]
        return here[(here["until_s"] >= self.since) & (here["since_s"] <= self.until)]


class Survey(param.Parameterized):
    """What one session sees of the recordings, and what of it is chosen."""

    seen: Any = param.ClassSelector(class_=Seen, default=None, allow_None=True)
    chosen = param.Integer(default=None, allow_None=True, doc="Id of the recording at hand.")
    view: Any = param.Tuple(
        default=None, allow_None=True, length=2, doc="Span of the timeline; None for all."
    )
    part: Any = param.ClassSelector(class_=Part, default=None, allow_None=True)

    def __init__(self, state: State, desk: Desk) -> None:
        super().__init__()
        self.state, self.desk = state, desk
        self._asked = 0
        self._looked_at = 0.0
        self._kinds: set[str] = set()
        state.param.watch(self._hear, ["jobs"])
        self.look()

    def look(self) -> None:
        """See what there is now."""
        self._looked_at = time.monotonic()
        self._asked += 1
        number = self._asked

        def apply(seen: Seen) -> None:
            if number == self._asked and seen is not self.seen:
                first = self.seen is None
                self.seen = seen
                if first:
                    self.chosen = seen.most_wanted

        self.desk.run(lambda: gather(self.state.collection), apply, "")

    def choose(self, name: str) -> None:
        """Look at one recording closely, by its name."""
        if self.seen is None:
            return
        found = self.seen.recordings.index[self.seen.recordings["recording"] == name]
        self.chosen = int(found[0]) if len(found) else None

    def zoom(self, since: float, until: float) -> None:
        """Look at a span of time, as far as there is any."""
        span = None if self.seen is None else self.seen.span
        if span is None:
            return
        first, last = span
        edge = 0.02 * (last - first)
        since, until = max(since, first - edge), min(until, last + edge)
        if until - since < LEAST_SPAN_S:
            middle = (since + until) / 2
            since, until = middle - LEAST_SPAN_S / 2, middle + LEAST_SPAN_S / 2
        whole = since <= first and until >= last
        self.view = None if whole else (since, until)

    def _hear(self, *_: Any) -> None:
        kinds = {job.kind for job in self.state.jobs} & CHANGING
        over, self._kinds = self._kinds - kinds, kinds
        due = bool(kinds) and time.monotonic() - self._looked_at > LOOK_AGAIN_S
        if over or due:
            self.look()
