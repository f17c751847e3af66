"""What is known about each window of a run, as arrays that can be counted fast.

`WindowFacts` is made once per run and shared by all sessions; it is never changed.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from explorer.collection.windows import WindowIndex

HOURS = 24
NO_DAY = -1


@dataclass(frozen=True)
class WindowFacts:
    """One entry per window (row) of a run.

    ``recording`` and ``site`` are indices into ``recordings`` and ``sites``; ``hour`` is the local
    hour of the day as a fraction (NaN where the start time is not known), ``day`` the ordinal of
    the local date (-1 where not known).
    """

    recordings: tuple[str, ...]
    recording: NDArray[np.int32]
    sites: tuple[str, ...]
    site: NDArray[np.int32]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    hour: NDArray[np.float32]
    day: NDArray[np.int32]
    began: tuple[datetime | None, ...]

    def __len__(self) -> int:
        return len(self.recording)

    def site_of(self, row: int) -> str:
        """Name of the site, or an empty text where none is known."""
        return self.sites[self.site[row]]

    def when(self, row: int) -> datetime | None:
        """Local start time of the window, with its zone."""
        began = self.began[self.recording[row]]
        return None if began is None else began + timedelta(seconds=float(self.start_s[row]))

    def place_of(self, row: int) -> str:
        """Where a window lies, for an address: ``reef/dawn.wav@12.5``; other runs know it too."""
        second = f"{self.start_s[row]:.3f}".rstrip("0").rstrip(".")
        return f"{self.recordings[self.recording[row]]}@{second}"

    def row_at(self, place: str) -> int | None:
        """The window at a place as `place_of` writes it, or None where there is none."""
        recording, _, second = place.rpartition("@")
        if recording not in self.recordings:
            return None
        with contextlib.suppress(ValueError):
            code, at = self.recordings.index(recording), float(second)
            rows = np.flatnonzero((self.recording == code) & (self.start_s <= at + 1e-3))
            if len(rows):
                found = int(rows[np.argmax(self.start_s[rows])])
                return found if at < self.end_s[found] else None
        return None


def gather(index: WindowIndex) -> WindowFacts:
    """Make the facts from a collection's window index (`Collection.index`)."""
    recordings, code = index.recordings, index.position.astype(np.int32)
    began = tuple(_moment(value) for value in recordings["started_at"])
    named = [str(value) if isinstance(value, str) else "" for value in recordings["site"]]
    sites = tuple(sorted(set(named))) or ("",)
    number = {name: i for i, name in enumerate(sites)}
    site_of = np.array([number[name] for name in named] or [0], dtype=np.int32)
    midnight = np.array([_seconds_of_day(t) for t in began] or [np.nan], dtype=np.float64)
    first_day = np.array([NO_DAY if t is None else t.date().toordinal() for t in began] or [NO_DAY])
    seconds = midnight[code] + index.start_s
    known = ~np.isnan(seconds)
    day = np.full(len(code), NO_DAY, dtype=np.int32)
    day[known] = first_day[code[known]] + (seconds[known] // 86_400).astype(np.int64)
    return WindowFacts(
        recordings=tuple(str(name) for name in recordings["recording"]),
        recording=code,
        sites=sites,
        site=site_of[code],
        start_s=index.start_s,
        end_s=index.end_s,
        hour=((seconds / 3600) % HOURS).astype(np.float32),
        day=day,
        began=began,
    )


def describe_selection(facts: WindowFacts, rows: NDArray[np.int64]) -> str:
    """Where and when a selection lies, in half a sentence, e.g. ``mostly Ridge-02, 05–06 h``.

    ``all`` and ``mostly`` are said when the whole or at least 60 % come from one site; hours are
    the shortest span of whole hours that holds 80 % of the selected windows, if it says anything.
    """
    if not len(rows):
        return ""
    parts = []
    counts = np.bincount(facts.site[rows], minlength=len(facts.sites))
    most, share = int(counts.argmax()), counts.max() / len(rows)
    name = facts.sites[most]
    if name and share >= 0.6:
        parts.append(name if len(rows) == 1 else f"{'all' if share == 1 else 'mostly'} {name}")
    elif any(facts.sites):
        parts.append(f"from {np.count_nonzero(counts)} sites")
    hours = facts.hour[rows]
    span = _busiest_span(hours[~np.isnan(hours)])
    if span:
        parts.append(f"{span[0]:02d}–{span[1]:02d} h")
    return ", ".join(parts)


def day_name(ordinal: int) -> str:
    """A date for people, e.g. ``3 May``."""
    day = date.fromordinal(int(ordinal))
    return f"{day.day} {day:%b}"


def clock(seconds: float) -> str:
    """A position in a recording: ``1:02:03`` or ``2:03``; tenths only where there are some.

    Examples
    --------
    >>> clock(123), clock(4.5)
    ('2:03', '0:04.5')
    """
    tenths = round(seconds * 10)
    whole, tenth = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{text}.{tenth}" if tenth else text


def _busiest_span(hours: NDArray[np.float32]) -> tuple[int, int] | None:
    """The shortest circular span of hours that holds 80 %; None where it is most of the day."""
    if not len(hours):
        return None
    counts = np.bincount(hours.astype(int) % HOURS, minlength=HOURS)
    twice = np.concatenate([counts, counts])
    for length in range(1, 9):
        sums = np.convolve(twice, np.ones(length, dtype=int), mode="valid")[:HOURS]
        if sums.max() >= 0.8 * len(hours):
            first = int(sums.argmax())
            return first, (first + length) % HOURS
    return None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return None if pd.isna(value) else value
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _seconds_of_day(moment: datetime | None) -> float:
    if moment is None:
        return math.nan
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
