"""When: a map of the days and hours of the whole deployment, to read and to cut a part out of."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import param

from explorer.dashboard.activity import figures
from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.filterbar import plain, read_values
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.filtering import EVERYTHING, HOURS, Filter
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError
from explorer.exchange.tables import write_csv

NO_TIMES = (
    "These recordings carry no start time, so there is no when. Recorders write it into the file "
    "or its name, such as SITE_20260301_053000.wav."
)
COUNTING = "Counting …"


class HeatMap(Piece):
    """Rates by day and hour, with the sun; a rectangle drawn on it narrows the filter."""

    _esm = asset("dom.js", "actogram.js", "activity-heat.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("base.css", "activity.css", "activity-heat.css"),
    ]

    frame = param.Dict(default={}, doc="See `figures.heat`.")
    filter = param.Dict(default=plain(EVERYTHING), doc="Days and hours that are looked at.")
    classes = param.List(doc="Name, sign and number found of each class.")
    active = param.String(default=None, allow_None=True)
    unit = param.String(default="windows")
    clock = param.String(default="hour")
    each = param.Boolean()
    several = param.Boolean(doc="Whether there is more than one site.")
    placed = param.Boolean(doc="Whether the sun is known anywhere.")
    scored = param.Boolean(doc="Whether the class has scores.")
    words = param.String(doc="What was counted, over what.")
    note = param.String(doc="What one should know before believing it.")
    looked = param.String(doc="The part that is looked at, in words; empty where it is all.")
    hits = param.Integer(doc="How many windows are counted in it.")
    summary = param.String()
    says_empty = param.String(default=COUNTING)
    title = param.String()
    file = param.String(doc="Name of exported files, without ending.")

    def __init__(self, state: State, desk: Desk, heard: Heard, **params: Any) -> None:
        self.heard = heard
        facts = state.facts
        super().__init__(
            state,
            desk,
            title=state.collection.name,
            several=facts is not None and len(facts.sites) > 1,
            **params,
        )
        heard.param.watch(self._update, ["looks", "each"])
        self._update()

    def do_activate(self, name: str) -> None:
        """Look at another class."""
        self.state.activate(str(name))
        if self.state.rhythm.unit == "effort" and self.state.scores is not None:
            self.heard.choose(unit="windows")

    def do_unit(self, unit: str) -> None:
        """Count windows or detections, or look at the effort alone."""
        self.heard.choose(unit=unit)

    def do_clock(self, clock: str) -> None:
        """Hours by the clock, or after sunrise or sunset."""
        self.heard.choose(clock=clock)

    def do_each(self, each: bool) -> None:
        """A map for each site, or one for all."""
        self.heard.choose(each=bool(each))

    def do_brush(
        self, since: str, until: str, hours: list[float] | None = None, site: str | None = None
    ) -> None:
        """Look at a rectangle of days and hours (of one site)."""
        values = read_values({"since": since, "until": until})
        if hours is not None:
            from_h, to_h = hours
            values |= read_values({"from_h": from_h, "to_h": to_h})
        if site is not None:
            values["sites"] = (str(site),)
        self.state.narrow(**values)

    def do_clear(self) -> None:
        """Look at all days, hours and sites again."""
        self.state.narrow(since=None, until=None, from_h=0.0, to_h=float(HOURS), sites=())

    def do_listen(self) -> None:
        """Hear what is looked at: go to the sounds, best first."""
        self.state.param.update(screen="explore", place="ranked")

    def do_table(self) -> None:
        """Make a table of what is looked at, and hand it to the browser."""
        looks, name = self.heard.looks, self.file

        def give(data: bytes) -> None:
            self.tell(
                kind="file",
                name=f"{name}.csv",
                mime="text/csv",
                data=base64.b64encode(data).decode(),
            )

        def make() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                return write_csv(figures.table(looks), Path(folder) / "table.csv").read_bytes()

        if looks is None:
            raise ParameterError("nothing has been counted yet")
        self.desk.run(make, give, "Writing")

    def _update(self, *_: Any) -> None:
        state, heard, looks = self.state, self.heard, self.heard.looks
        if looks is None:
            return
        active = state.active_class
        effort = looks.unit == "effort"
        frame = figures.heat(
            looks.by_day_and_hour, looks.daylight, each=heard.each, effort=effort, low=heard.low
        )
        looked = replace(_times(state.filter), sites=state.filter.sites)
        what = "Recorded time" if effort or active is None else active.name
        self.param.update(
            frame=frame,
            filter=plain(_times(state.filter)),
            classes=[
                {
                    "name": c.name,
                    "style": c.style,
                    "shape": class_shape(c.style),
                    "found": c.found,
                }
                for c in state.classes
            ],
            active=state.active,
            unit=looks.unit,
            clock=heard.clock,
            each=heard.each,
            placed=bool(looks.daylight.places),
            scored=state.scores is not None,
            words=figures.headline(looks, state.active, state.threshold),
            note=_note(frame),
            looked=looked.words(),
            hits=int(looks.kept.count.sum()),
            summary=_summary(what, frame, effort),
            says_empty=NO_TIMES,
            file=_file_name(f"{state.collection.name}-{what}-activity"),
        )


def _summary(what: str, frame: dict[str, Any], effort: bool) -> str:
    if not frame:
        return ""
    first, last = (date.fromisoformat(frame[end]) for end in ("first", "last"))
    per = "" if effort else " per recorded hour"
    span = "day" if frame["span"] == 1 else f"{frame['span']} days"
    return f"{what}{per} by {span} and hour, {first:%-d %B %Y} to {last:%-d %B %Y}."


def _note(frame: dict[str, Any]) -> str:
    notes = {panel["note"] for panel in frame.get("panels", ()) if panel["sun"]}
    return " ".join(sorted(notes - {""}))


def _times(kept: Filter) -> Filter:
    return Filter(since=kept.since, until=kept.until, from_h=kept.from_h, to_h=kept.to_h)


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return kept.strip("-") or "activity"
