"""How many detections per hour of recording, for each site, day, hour, week or month.

A recorder that ran twice as long hears twice as many calls. So every count stands beside its
*effort*: the hours of sound that were recorded then and there and that the encoder heard. Windows
that overlap count the sound they share once, and a window that is cut short by the end of its
recording counts what there is of it. A group in which nothing was recorded does not appear; one in
which there is sound and no detection appears with 0, which is a result.

Days and hours are those of the recorder's own clock. A window, and a detection, belongs to the
group in which it starts. Recordings whose site or start is not known form a group of their own,
the last one, without a name.

To say how much of a sound there is, a count of detections needs a threshold and counts its
mistakes; a `study.Study` does without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.detections import events_of
from explorer.collection.windows import WindowIndex
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier

GroupBy = Literal["site", "day", "week", "month", "hour"]
GROUP_BY: tuple[str, ...] = get_args(GroupBy)


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each window is in.

    Attributes
    ----------
    names
        One row for each group, in order: columns as asked for, such as site and hour.
    of_window
        int64 ``[n_windows]``: the group's row in ``names``.
    """

    names: pd.DataFrame
    of_window: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)


def groups_of(
    index: WindowIndex,
    by: GroupBy | Sequence[str],
    hours: Mapping[str, NDArray[np.float64]] | None = None,
) -> Groups:
    """Sort windows by site, day, week, month, hour of the day, or several of them.

    Days are named 2026-03-01, weeks 2026-W09 (ISO 8601: they begin on Monday), months 2026-03,
    hours 0 to 23.

    Parameters
    ----------
    hours
        Other hours to sort by, such as those after sunrise, by name: of each window [n_windows],
        not a number where not known.

    Raises
    ------
    ParameterError
        If ``by`` is something else, or there is no window.
    """
    wanted = [by] if isinstance(by, str) else list(by)
    hours = hours or {}
    known = (*GROUP_BY, *hours)
    if not wanted or len(set(wanted)) < len(wanted) or set(wanted) - set(known):
        raise ParameterError(
            f"by is one or several of {', '.join(known)}, not {', '.join(wanted) or 'nothing'}"
        )
    if not len(index):
        raise ParameterError(f"run {index.run.name} has no window yet")
    names: dict[str, list[Any]] = {}
    code = np.zeros(len(index), dtype=np.int64)
    for name in wanted:
        places, found = _whole_hours(hours[name]) if name in hours else _places(index, name)
        names[name] = [*found, None]  # what is not known comes last
        code = code * len(names[name]) + np.where(places < 0, len(found), places)
    there, of_window = np.unique(code, return_inverse=True)
    columns = np.unravel_index(there, [len(values) for values in names.values()])
    table = pd.DataFrame(
        {
            name: pd.array(
                [values[at] for at in column],
                dtype="Int64" if name == "hour" or name in hours else "object",
            )
            for (name, values), column in zip(names.items(), columns, strict=True)
        }
    )
    return Groups(table, of_window.astype(np.int64))


def recorded_s(index: WindowIndex) -> NDArray[np.float64]:
    """Seconds of sound that each window adds to those before it in its recording, [n_windows].

    Their sum is the length of sound that was heard, however much the windows overlap.
    """
    order = np.lexsort((index.start_s, index.position))
    recording, start_s, end_s = (
        values[order] for values in (index.position, index.start_s, index.end_s)
    )
    until = end_s.copy()
    same = recording[1:] == recording[:-1]
    until[:-1][same] = np.minimum(end_s[:-1], start_s[1:])[same]
    added = np.empty(len(order))
    added[order] = until - start_s
    return added


def begins(
    index: WindowIndex, rows: NDArray[np.integer], *, gap_s: float = 0.0
) -> NDArray[np.int64]:
    """Those of some windows with which a detection begins: neighbours are one detection.

    A detection, however long, is counted where its first window is.
    """
    order, first = events_of(
        index.position[rows], index.start_s[rows], index.end_s[rows], gap_s=gap_s
    )
    return np.asarray(rows, dtype=np.int64)[order[first]]


def counts(
    classifier: Classifier,
    by: GroupBy | Sequence[GroupBy] = "site",
    *,
    cuts: Mapping[str, float],
    gap_s: float = 0.0,
    class_: str | None = None,
) -> pd.DataFrame:
    """Count detections, per hour of recording; see `Classifier.counts`."""
    index = classifier.collection.index(classifier.run)
    groups = groups_of(index, by)
    hours = np.bincount(groups.of_window, recorded_s(index), len(groups)) / 3600
    scores = classifier.scores()
    parts = []
    for name in classifier.classes if class_ is None else [class_]:
        rows = np.flatnonzero(scores[:, classifier.column(name)] >= cuts[name])
        starts = groups.of_window[begins(index, rows, gap_s=gap_s)]
        number = np.bincount(starts, minlength=len(groups))
        parts.append(
            groups.names.assign(
                **{
                    "class": name,
                    "detections": number,
                    "recorded_hours": hours,
                    "per_hour": number / hours,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _places(index: WindowIndex, by: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Number of each window's site (day, hour, month), -1 where not known; and their names."""
    if by == "site":
        places, names = pd.factorize(index.recordings["site"].to_numpy(dtype=object), sort=True)
        return places[index.position].astype(np.int64), list(names)
    at = clock(index)
    known = ~np.isnat(at)
    unit = {"hour": "h", "day": "D", "week": "D", "month": "M"}[by]
    keys = at[known].astype(f"datetime64[{unit}]")
    if by == "hour":
        keys = keys.astype(np.int64) % 24
    elif by == "week":  # day 0 of 1970 was a Thursday
        keys -= ((keys.astype(np.int64) + 3) % 7).astype("timedelta64[D]")
    found, place = np.unique(keys, return_inverse=True)
    places = np.full(len(index), -1, dtype=np.int64)
    places[known] = place
    if by == "week":
        return places, [_week(day) for day in found.tolist()]
    return places, (found if by == "hour" else found.astype(str)).tolist()


def _whole_hours(hours: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[Any]]:
    places = np.full(len(hours), -1, dtype=np.int64)
    known = ~np.isnan(hours)
    found, places[known] = np.unique(np.floor(hours[known]).astype(np.int64), return_inverse=True)
    return places, found.tolist()


def _week(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


def clock(index: WindowIndex) -> NDArray[np.datetime64]:
    """What the recorder's clock showed at the start of each window; NaT where not known."""
    starts = [
        np.datetime64("NaT") if at is None else datetime.fromisoformat(at).replace(tzinfo=None)
        for at in index.recordings["started_at"]
    ]
    since = np.rint(index.start_s * 1e6).astype("timedelta64[us]")
    return np.array(starts, dtype="datetime64[us]")[index.position] + since
