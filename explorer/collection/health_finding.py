"""What is found about recordings and recorders, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.health_faults import SEVERITIES, Severity

COLUMNS = ["severity", "kind", "site", "device", "recording", "from", "to", "count", "sentence"]


@dataclass(frozen=True)
class Finding:
    """Something to look after: of one recording, or of a stretch of a deployment.

    ``count`` is how many recordings (or missing ones) it is about; ``since`` and ``until`` are
    None where nothing is known of the time.
    """

    severity: Severity
    kind: str
    sentence: str
    site: str = ""
    device: str = ""
    recording: str = ""
    since: datetime | None = None
    until: datetime | None = None
    count: int = 1


@dataclass(frozen=True)
class Deployment:
    """One recorder at one site: its recordings by start time.

    Attributes
    ----------
    site, device
        Empty where not known.
    table
        Rows of the recordings' table that have a start time, by start, with the columns
        ``start_s`` (seconds since 1970 in UTC) and ``offset_s`` (of the zone) added.
    """

    site: str
    device: str
    table: pd.DataFrame

    @property
    def start_s(self) -> NDArray[np.float64]:
        """Starts, seconds since 1970 in UTC."""
        return self.table["start_s"].to_numpy()

    @property
    def local_s(self) -> NDArray[np.float64]:
        """Starts as the recorder's clock showed them, seconds since 1970."""
        return self.table["start_s"].to_numpy() + self.table["offset_s"].to_numpy()

    @property
    def end_s(self) -> NDArray[np.float64]:
        """Ends, seconds since 1970 in UTC."""
        return self.start_s + self.table["duration_s"].to_numpy()

    def moment(self, start_s: float, near: int) -> datetime:
        """A time in the zone of the recording at a position."""
        zone = timedelta(seconds=float(self.table["offset_s"].iloc[near]))
        moment = datetime.fromtimestamp(float(start_s), UTC) + zone
        return moment.replace(tzinfo=timezone(zone))

    def of(self, kept: NDArray[np.bool_]) -> Deployment:
        """The same with some of its recordings."""
        return Deployment(self.site, self.device, self.table[kept])

    def finding(
        self,
        severity: Severity,
        kind: str,
        sentence: str,
        first: int,
        last: int | None = None,
        *,
        since_s: float | None = None,
        until_s: float | None = None,
        count: int = 1,
    ) -> Finding:
        """Something about the recordings from one position to another (one of them: by name)."""
        last = first if last is None else last
        since = self.start_s[first] if since_s is None else since_s
        until = self.end_s[last] if until_s is None else until_s
        one = first == last and since_s is None
        return Finding(
            severity,
            kind,
            sentence,
            self.site,
            self.device,
            str(self.table["recording"].iloc[first]) if one else "",
            self.moment(since, first),
            self.moment(until, last),
            count,
        )


def deployments(recordings: pd.DataFrame) -> list[Deployment]:
    """Recordings with a start time, by site and device; each list in order of time."""
    timed = with_starts(recordings)
    named = timed.assign(
        site=timed["site"].fillna("").astype(str), device=timed["device"].fillna("").astype(str)
    )
    ordered = named.sort_values(["start_s", "recording"], kind="stable")
    return [
        Deployment(site, device, table)
        for (site, device), table in ordered.groupby(["site", "device"], sort=True)
    ]


def with_starts(recordings: pd.DataFrame) -> pd.DataFrame:
    """The recordings whose start is known, with ``start_s`` and ``offset_s`` as numbers."""
    timed = recordings[recordings["started_at"].notna()]
    starts = [datetime.fromisoformat(text) for text in timed["started_at"]]
    return timed.assign(
        start_s=np.array([at.timestamp() for at in starts], dtype=np.float64),
        offset_s=np.array(
            [(at.utcoffset() or timedelta()).total_seconds() for at in starts], dtype=np.float64
        ),
    )


def stretches(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last position of each unbroken stretch of marked ones.

    Examples
    --------
    >>> stretches(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def table_of(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a table, most severe first, then by site and time."""
    rows = [
        {
            "severity": found.severity,
            "kind": found.kind,
            "site": found.site,
            "device": found.device,
            "recording": found.recording,
            "from": _iso(found.since),
            "to": _iso(found.until),
            "count": found.count,
            "sentence": found.sentence,
        }
        for found in findings
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    for column in ("from", "to"):
        table[column] = table[column].astype(object).where(table[column].notna(), None)
    rank = table["severity"].map({name: n for n, name in enumerate(SEVERITIES)})
    order = table.assign(rank=rank).sort_values(
        ["rank", "kind", "site", "device", "from", "recording"], na_position="last", kind="stable"
    )
    return order.drop(columns="rank").reset_index(drop=True)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def lasting(seconds: float) -> str:
    """A length of time for people.

    Examples
    --------
    >>> lasting(40), lasting(600), lasting(5400), lasting(86400 * 3)
    ('40 s', '10 min', '1.5 h', '3 days')
    """
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.2g} h" if seconds < 36000 else f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.2g} days" if seconds < 864_000 else f"{seconds / 86400:,.0f} days"
