"""What changes at a site from one day to the next, and what is there twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.health import SoundHealth
from explorer.collection.health_finding import Deployment, Finding
from explorer.collection.health_schedule import DAY_S

MOST_CHANGES = 3
"""More changes of rate or channels than this are a schedule of two kinds of recordings."""

LEVEL_DB = 10.0
"""A level that changes by this much for days is no weather: it is the gain or the microphone."""

LEVEL_DAYS, LEAST_LEVEL_DAYS = 7, 3
"""Days before and after that are compared by their medians, and how many there must be."""

SPREAD = 3.0
"""The change is this many times the usual distance (median) of a day from its side's median."""

_SETTINGS = {"sample_rate": ("sample rate changes", " Hz"), "channels": ("channels change", "")}


def change_findings(deployment: Deployment) -> Iterator[Finding]:
    """Another sample rate or another number of channels from some recording on."""
    for column, (kind, unit) in _SETTINGS.items():
        values = deployment.table[column].to_numpy()
        changes = np.flatnonzero(np.diff(values)) + 1
        if len(changes) > MOST_CHANGES:
            continue
        for at in changes:
            yield deployment.finding(
                "note",
                kind,
                f"From here on {values[at]:,}{unit} instead of {values[at - 1]:,}{unit}: look at "
                "counts before and after it apart, as what can be heard differs.",
                int(at),
            )


def device_findings(found: Iterable[Deployment]) -> Iterator[Finding]:
    """Another recorder at the same site, after the first one."""
    by_site: dict[str, list[Deployment]] = {}
    for part in found:
        if part.site and part.device:
            by_site.setdefault(part.site, []).append(part)
    for parts in by_site.values():
        ordered = sorted(parts, key=lambda part: part.start_s[0])
        for old, new in pairwise(ordered):
            if new.start_s[0] >= old.end_s.max():
                yield new.finding(
                    "note",
                    "device changes",
                    f"From here on the recorder is {new.device}, before it was {old.device}: "
                    "compare levels and counts across the change with care.",
                    0,
                )


def level_findings(deployment: Deployment, health: Mapping[int, SoundHealth]) -> Iterator[Finding]:
    """A level that is lower or higher for days, from one day on.

    Days are compared, not hours: a dawn chorus is louder than noon on every day.
    """
    level = np.array(
        [
            health[key].level_dbfs if key in health and health[key].seconds else np.nan
            for key in deployment.table.index
        ]
    )
    known = ~np.isnan(level)
    part, level = deployment.of(known), level[known]
    if not len(level):
        return
    day = np.floor(part.local_s / DAY_S).astype(np.int64)
    _, first = np.unique(day, return_index=True)
    medians = np.array([np.median(values) for values in np.split(level, first[1:])])
    change = _changes(medians)
    for at in np.flatnonzero(_peaks(np.abs(change)) & (np.abs(change) >= LEVEL_DB)):
        by = change[at]
        yield part.finding(
            "warning",
            "level changes",
            f"From this day on it is {abs(by):.0f} dB {'louder' if by > 0 else 'quieter'} than on "
            "the days before: another gain, or a microphone that fails or got wet. Scores from "
            "before and after may not compare.",
            int(first[at]),
        )


def _changes(medians: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of the days from each on minus medians of the days before it; 0 where it is noise."""
    change = np.zeros(len(medians))
    for at in range(LEAST_LEVEL_DAYS, len(medians) - LEAST_LEVEL_DAYS + 1):
        before = medians[max(0, at - LEVEL_DAYS) : at]
        after = medians[at : at + LEVEL_DAYS]
        by = float(np.median(after) - np.median(before))
        usual = np.median(
            np.concatenate([np.abs(side - np.median(side)) for side in (before, after)])
        )
        if abs(by) > SPREAD * usual:
            change[at] = by
    return change


def _peaks(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each is the largest within `LEVEL_DAYS` (of equals the one in the middle)."""
    found = np.zeros(len(values), dtype=bool)
    left = values.copy()
    while left.size and left.max() > 0:
        equal = np.flatnonzero(left == left.max())
        run = equal[: np.argmax(np.diff(np.append(equal, equal[-1] + 2)) > 1) + 1]
        at = int(run[len(run) // 2])
        found[at] = True
        left[max(0, at - LEVEL_DAYS) : at + LEVEL_DAYS + 1] = 0
    return found


def double_findings(
    recordings: pd.DataFrame, health: Mapping[int, SoundHealth]
) -> Iterator[Finding]:
    """Recordings that hold the same sound under two names.

    By their first samples where they are measured; else by start, length and size.
    """
    digest = pd.Series(
        [health[key].digest if key in health else "" for key in recordings.index],
        index=recordings.index,
        dtype=object,
    )
    started = recordings["started_at"].fillna("").astype(str)
    sizes = recordings["size_bytes"].astype(str) + "/" + started
    key = np.where(digest != "", digest, np.where(started != "", sizes, ""))
    frame = recordings.assign(same=key, length=recordings["duration_s"].round(3))
    frame = frame[frame["same"] != ""]
    frame = frame[frame.duplicated(["same", "length"], keep=False)]
    for _, group in frame.groupby(["same", "length"], sort=False):
        ordered = group.sort_values("recording")
        first = str(ordered["recording"].iloc[0])
        for row in ordered.iloc[1:].itertuples():
            yield Finding(
                "warning",
                "double",
                f"It holds the same sound as {first}: what is in it counts twice. Keep one of the "
                "two in the folder.",
                site=row.site or "",
                device=row.device or "",
                recording=str(row.recording),
            )
