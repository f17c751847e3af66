"""What was recorded when, at each site by each recorder, and what was found there."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np
import param

from explorer.audio.health_faults import SEVERITIES
from explorer.collection.health_finding import Deployment
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.recordings.lanes import UNITS, bars, marks, ticks, words, zone_name
from explorer.dashboard.recordings.survey import Part, Seen, Survey
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

NO_TIMES = (
    "These recordings carry no start time, so there is no timeline; all of them are in the list "
    "below. Names such as SITE_20260314_043000.wav are read when the folder is added again."
)
NO_RECORDINGS = "Nothing yet. Add a folder of recordings on the right: they stay where they are."
LOOKING = "Looking …"
EDGE = 0.02
"""Room before the first and after the last recording, as a share of all."""


class Timeline(Piece):
    """A lane for each deployment, from the first recording to the last, or a part of that."""

    _esm = asset("dom.js", "timeline.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "survey.css", "timeline.css")]

    facts = param.List(doc="What there is, in a few words each.")
    lanes = param.List(doc="Site, device, words, bars and marks of each lane.")
    ticks = param.List()
    view = param.Dict(default={}, doc="since, until (seconds), words, zone, and whether it is all.")
    chosen = param.Dict(default=None, allow_None=True, doc="lane, from, to of the one at hand.")
    part = param.Dict(default=None, allow_None=True, doc="lane, from, to whose findings are shown.")
    summary = param.String()
    says_empty = param.String(default=LOOKING)

    def __init__(self, state: State, desk: Desk, survey: Survey, **params: Any) -> None:
        super().__init__(state, desk, **params)
        self.survey = survey
        self._asked = 0
        survey.param.watch(self._update, ["seen", "view"])
        survey.param.watch(self._point, ["chosen", "part"])
        self._update()

    def do_zoom(self, since: float, until: float) -> None:
        """Look at a span of time."""
        since, until = float(since), float(until)
        if not (np.isfinite([since, until]).all() and since < until):
            raise ParameterError("a span of time has a beginning and a later end")
        self.survey.zoom(since, until)

    def do_all(self) -> None:
        """Look at all times."""
        self.survey.view = None

    def do_choose(self, recording: int) -> None:
        """Look at a recording closely."""
        if self.survey.seen is None or int(recording) not in self.survey.seen.recordings.index:
            raise ParameterError("this recording is not there any more")
        self.survey.chosen = int(recording)

    def do_findings(self, lane: int, since: float, until: float) -> None:
        """Show what was found at a place; of one recording, that recording."""
        seen = self.survey.seen
        if seen is None or not 0 <= int(lane) < len(seen.lanes):
            raise ParameterError("this place is not there any more")
        part = Part(int(lane), float(since), float(until))
        here = part.findings(seen)
        names = set(here["recording"]) - {""}
        if len(names) == 1 and len(here) == (here["recording"] != "").sum():
            self.survey.choose(names.pop())
        self.survey.part = part

    def _update(self, *_: Any) -> None:
        seen, view = self.survey.seen, self.survey.view
        if seen is None:
            return
        self._asked += 1
        number = self._asked

        def apply(drawn: dict[str, Any]) -> None:
            if number == self._asked:  # a later gesture has its own answer on the way
                self.param.update(**drawn)
                self._point()

        self.desk.run(lambda: draw(seen, view), apply, "")

    def _point(self, *_: Any) -> None:
        seen, survey, view = self.survey.seen, self.survey, self.view
        if seen is None or not view:
            self.param.update(chosen=None, part=None)
            return

        def place(at: float) -> int:
            return round(UNITS * (at - view["since"]) / (view["until"] - view["since"]))

        chosen = part = None
        for n, lane in enumerate(seen.lanes):
            if survey.chosen in lane.table.index:
                row = lane.table.loc[survey.chosen]
                end = row["start_s"] + row["duration_s"]
                chosen = {"lane": n, "from": place(row["start_s"]), "to": place(end)}
        if survey.part is not None and survey.part.lane < len(seen.lanes):
            part = {
                "lane": survey.part.lane,
                "from": place(survey.part.since),
                "to": place(survey.part.until),
            }
        self.param.update(chosen=chosen, part=part)


def draw(seen: Seen, view: tuple[float, float] | None) -> dict[str, Any]:
    """What the timeline shows of a span of time; None for all there is."""
    span = seen.span
    if span is None:
        empty = NO_TIMES if len(seen.recordings) else NO_RECORDINGS
        return {
            "facts": facts(seen),
            "lanes": [],
            "ticks": [],
            "view": {},
            "summary": "",
            "says_empty": empty,
        }
    edge = EDGE * (span[1] - span[0])
    since, until = view or (span[0] - edge, span[1] + edge)
    offset = seen.offset_s
    return {
        "facts": facts(seen),
        "lanes": [
            {
                "site": lane.site or "no site",
                "device": lane.device if lane.device != lane.site else "",
                "words": lane_words(lane, wrong),
                **bars(lane, since, until, seen.worst),
                "marks": marks(findings, since, until),
            }
            for lane, wrong, findings in zip(seen.lanes, seen.wrong, seen.by_lane, strict=True)
        ],
        "ticks": ticks(since, until, offset),
        "view": {
            "since": since,
            "until": until,
            "words": words(max(since, span[0]), min(until, span[1]), offset),
            "zone": zone_name(offset),
            "offset": offset,
            "all": view is None,
        },
        "summary": summary(seen),
    }


def facts(seen: Seen) -> list[str]:
    """What there is: recordings, hours, sites, period, what was left out."""
    recordings = seen.recordings
    n = len(recordings)
    found = [f"{n:,} recording{'s' * (n != 1)}"]
    if n:
        hours = float(recordings["duration_s"].sum()) / 3600
        found.append(f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:.0f} min")
        sites = recordings["site"].dropna().nunique()
        if sites:
            found.append(f"{sites} site{'s' * (sites != 1)}")
    if seen.span is not None:
        found.append(days(seen))
    untimed = int(recordings["started_at"].isna().sum())
    if untimed:
        found.append(f"{untimed:,} without a start time")
    return found


def days(seen: Seen) -> str:
    """From which day to which there are recordings."""
    assert seen.span is not None
    text = words(*seen.span, seen.offset_s)
    return text.partition(",")[0] if "," in text else text


def summary(seen: Seen) -> str:
    """The picture in a sentence or two, for those who cannot see it."""
    counts = Counter(seen.findings["severity"])
    found = ", ".join(f"{counts[name]:,} {name}" for name in SEVERITIES if counts[name])
    lanes = len(seen.lanes)
    return (
        f"Timeline of {lanes} deployment{'s' * (lanes != 1)}, {days(seen)}. "
        f"Found: {found or 'nothing to look after'}. "
        "Findings and recordings are listed below it."
    )


def lane_words(lane: Deployment, wrong: int) -> str:
    """How much there is of a lane."""
    n, hours = len(lane.table), float(lane.table["duration_s"].sum()) / 3600
    length = f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    return f"{n:,} · {length}" + (f" · {wrong:,} with a wrong clock" if wrong else "")
