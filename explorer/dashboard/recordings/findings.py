"""What to look after, what could not be read, and all recordings as a list."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.recordings import tasks
from explorer.dashboard.recordings.survey import HEALTH, Seen, Survey
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError
from explorer.exchange.tables import write_csv

TABS = ["findings", "left out", "recordings"]
ROWS, MORE_ROWS = 6, 60
"""Rows shown of each group at first, and added by each press of “more”."""

PER_PAGE = 100
LEFT_OUT_SHOWN = 500
EDGE_SHARE = 0.5
"""A stretch that is gone to is shown with so much of its own length on both sides …"""

LEAST_EDGE_S = 1800.0
"""… and at least this."""


class Findings(Piece):
    """Three lists in one place: findings by kind, files left out, recordings."""

    _esm = asset("dom.js", "files.js", "findings.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "survey.css", "findings.css")]

    tab: Any = param.Selector(default="findings", objects=TABS)
    counts = param.Dict(default={})
    groups = param.List(doc="Findings by severity and kind.")
    where = param.String(doc="To which place of the timeline they are cut down; empty for all.")
    unmeasured = param.Integer(doc="Recordings whose sound nobody has looked at yet.")
    measuring = param.Boolean()
    owner = param.Boolean()
    left_out = param.List(doc="[recording, cause] of files that could not be used.")
    listing = param.Dict(default={}, doc="A page of recordings: rows, first, total, text.")
    chosen = param.String(doc="Name of the recording at hand.")

    def __init__(self, state: State, desk: Desk, survey: Survey, **params: Any) -> None:
        super().__init__(state, desk, owner=state.may("owner"), **params)
        self.survey = survey
        self._shown: dict[tuple[str, str], int] = {}
        self._text, self._first = "", 0
        survey.param.watch(self._update, ["seen", "part"])
        survey.param.watch(self._point, ["chosen"])
        state.param.watch(self._work, ["jobs"])
        self._update()
        self._point()

    def do_tab(self, name: str) -> None:
        """Show another of the lists."""
        self.tab = name

    def do_choose(self, name: str) -> None:
        """Look at a recording closely."""
        self.survey.choose(str(name))

    def do_go(self, since: str, until: str) -> None:
        """Show a stretch of time on the timeline."""
        try:
            a, b = (pd.Timestamp(at).timestamp() for at in (since, until))
        except ValueError as error:
            raise ParameterError(f"this is no span of time: {error}") from error
        edge = max(LEAST_EDGE_S, EDGE_SHARE * (b - a))
        self.survey.zoom(a - edge, b + edge)

    def do_everywhere(self) -> None:
        """Show the findings of all places again."""
        self.survey.part = None

    def do_more(self, severity: str, kind: str) -> None:
        """Show more rows of a group."""
        key = (str(severity), str(kind))
        self._shown[key] = self._shown.get(key, ROWS) + MORE_ROWS
        self._update()

    def do_list(self, text: str, first: int) -> None:
        """Another page of recordings, or those whose name, site or device holds a text."""
        self._text, self._first = str(text)[:200], max(0, int(first))
        self._list()

    def do_measure(self) -> None:
        """Listen to all recordings for faults."""
        tasks.measure(self.state, self.desk)

    def do_table(self, what: str) -> None:
        """Make a file of a list, and hand it to the browser."""
        seen = self._seen()
        if what not in TABS:
            raise ParameterError(f"there is no list {what!r}")
        name = f"{self.state.collection.name}-{what.replace(' ', '-')}.csv"
        table = {
            "findings": seen.findings,
            "left out": seen.left_out,
            "recordings": seen.recordings.drop(columns="path"),
        }[what]

        def make() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                return write_csv(table, Path(folder) / "table.csv").read_bytes()

        def give(data: bytes) -> None:
            encoded = base64.b64encode(data).decode()
            self.tell(kind="file", name=name, mime="text/csv", data=encoded)

        self.desk.run(make, give, "Writing")

    def _seen(self) -> Seen:
        if self.survey.seen is None:
            raise ParameterError("the recordings are still being looked at")
        return self.survey.seen

    def _update(self, *_: Any) -> None:
        seen, part = self.survey.seen, self.survey.part
        if seen is None:
            return
        shown, where = seen.findings, ""
        if part is not None and part.lane < len(seen.lanes):
            lane = seen.lanes[part.lane]
            shown = part.findings(seen)
            where = " ".join(filter(None, (lane.site, lane.device))) or "no site"
        self.param.update(
            counts={
                "findings": len(seen.findings),
                "left out": len(seen.left_out),
                "recordings": len(seen.recordings),
            },
            groups=groups(shown, self._shown),
            where=where,
            unmeasured=len(seen.recordings) - seen.measured,
            left_out=seen.left_out.head(LEFT_OUT_SHOWN).to_numpy().tolist(),
        )
        if part is not None:
            self.tab = "findings"
        self._list()
        self._work()

    def _list(self) -> None:
        seen = self.survey.seen
        if seen is not None:
            self.listing = listing(seen, self._text, self._first)

    def _point(self, *_: Any) -> None:
        seen, chosen = self.survey.seen, self.survey.chosen
        there = seen is not None and chosen in seen.recordings.index
        self.chosen = str(seen.recordings.at[chosen, "recording"]) if there else ""

    def _work(self, *_: Any) -> None:
        self.measuring = any(job.kind == HEALTH for job in self.state.jobs)


def groups(
    findings: pd.DataFrame, shown: dict[tuple[str, str], int] | None = None
) -> list[dict[str, Any]]:
    """Findings by severity and kind, most severe first; of each group the first rows.

    What is said of many recordings in the same words is said once, with all their names.
    """
    found = []
    for (severity, kind), group in findings.groupby(["severity", "kind"], sort=False):
        n = (shown or {}).get((severity, kind), ROWS)
        sites = [site for site in group["site"].unique() if site]
        rows = group.head(n)
        found.append(
            {
                "severity": severity,
                "kind": kind,
                "count": len(group),
                "sites": ", ".join(sites[:3]) + (f" and {len(sites) - 3} more" * (len(sites) > 3)),
                "said": [
                    {"sentence": sentence, "rows": [_row(row) for row in same.to_dict("records")]}
                    for sentence, same in rows.groupby("sentence", sort=False)
                ],
                "more": max(0, len(group) - n),
            }
        )
    return found


def _row(row: dict[str, Any]) -> dict[str, Any]:
    since, until = row["from"], row["to"]
    return {
        "recording": row["recording"],
        "where": " · ".join(filter(None, (row["site"], row["device"]))),
        "since": since or "",
        "until": until or "",
        "when": f"{since[:10]} {since[11:16]}" if since else "",
    }


def listing(seen: Seen, text: str, first: int) -> dict[str, Any]:
    """A page of recordings by site and time: name, site, device, start, seconds, worst finding."""
    table = seen.recordings
    wanted = text.strip().lower()
    if wanted:
        words = table["recording"].str.lower()
        for column in ("site", "device", "started_at"):
            words = words + " " + table[column].fillna("").astype(str).str.lower()
        table = table[words.str.contains(wanted, regex=False)]
    order = table.assign(site=table["site"].fillna("")).sort_values(
        ["site", "started_at", "recording"], na_position="last"
    )
    first = min(first, max(0, (len(order) - 1) // PER_PAGE * PER_PAGE))
    rows = [
        {
            "recording": row["recording"],
            "site": row["site"],
            "started": (row["started_at"] or "")[:16].replace("T", " "),
            "seconds": float(row["duration_s"]),
            "rate": int(row["sample_rate"]),
            "worst": seen.worst.get(row["recording"], -1),
        }
        for row in order.iloc[first : first + PER_PAGE].to_dict("records")
    ]
    return {"rows": rows, "first": first, "total": len(order), "text": text, "page": PER_PAGE}
