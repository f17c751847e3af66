"""Which windows all views speak of now: one `Filter`, obeyed by the map, the sounds and the counts.

A filter is plain values, so that it can be compared, undone, and written into an address.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from explorer.dashboard.state.facts import HOURS, NO_DAY, WindowFacts
from explorer.errors import ParameterError

LabelState = Literal["any", "labelled", "unlabelled", "yes", "no", "unsure"]
LABEL_STATES: tuple[str, ...] = get_args(LabelState)


@dataclass(frozen=True)
class Filter:
    """What is looked at; the default keeps every window.

    Attributes
    ----------
    sites
        Names of sites; none for all of them.
    since, until
        First and last local day, both included.
    from_h, to_h
        Local hours of the day, 0 to 24; ``22`` to ``5`` goes over midnight.
    low, high
        Scores of the class at hand; windows of a class without scores are all kept.
    labels
        What has been said of a window and the class at hand (of any class, where none is).
    recording
        Name of one recording; empty for all.

    Examples
    --------
    >>> Filter(sites=("Ridge-02",), from_h=22, to_h=5).words()
    'Ridge-02, 22–05 h'
    """

    sites: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    from_h: float = 0.0
    to_h: float = float(HOURS)
    low: float = 0.0
    high: float = 1.0
    labels: LabelState = "any"
    recording: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.from_h <= HOURS and 0 <= self.to_h <= HOURS):
            raise ParameterError("hours of the day go from 0 to 24")
        if self.labels not in LABEL_STATES:
            raise ParameterError(f"{self.labels!r} is none of {', '.join(LABEL_STATES)}")
        if self.since and self.until and self.since > self.until:
            raise ParameterError("the first day must not lie after the last one")
        if not 0 <= self.low <= self.high <= 1:
            raise ParameterError("scores go from 0 to 1, the lower limit first")

    def __bool__(self) -> bool:
        """Whether any window may be left out."""
        return self != EVERYTHING

    def with_(self, **values: Any) -> Filter:
        """The same filter with other values."""
        return replace(self, **values)

    @property
    def names(self) -> list[str]:
        """Names of the values that are not the default."""
        return [f.name for f in fields(self) if getattr(self, f.name) != f.default]

    def words(self) -> str:
        """The filter in half a sentence; empty where it keeps everything."""
        parts = []
        if self.sites:
            parts.append(
                ", ".join(self.sites) if len(self.sites) <= 2 else f"{len(self.sites)} sites"
            )
        if self.recording:
            parts.append(self.recording)
        if self.since or self.until:
            parts.append(_days(self.since, self.until))
        if (self.from_h, self.to_h) != (0, HOURS):
            parts.append(f"{_hour(self.from_h)}–{_hour(self.to_h)} h")
        if (self.low, self.high) != (0, 1):
            parts.append(f"score {self.low:.2f}–{self.high:.2f}")
        if self.labels != "any":
            parts.append(self.labels)
        return ", ".join(parts)

    def mask(
        self, facts: WindowFacts, scores: Any, judged: dict[int, str]
    ) -> NDArray[np.bool_] | None:
        """Whether each window is kept [n_windows]; None where all are.

        Parameters
        ----------
        scores
            Of the class at hand [n_windows], or None.
        judged
            What has been said of windows, by row.
        """
        if not self:
            return None
        keep = np.ones(len(facts), dtype=bool)
        if self.sites:
            wanted = np.array([name in self.sites for name in facts.sites])
            keep &= wanted[facts.site]
        if self.recording:
            named = np.array([name == self.recording for name in facts.recordings])
            keep &= named[facts.recording]
        if self.since is not None or self.until is not None:
            first = self.since.toordinal() if self.since else NO_DAY + 1
            last = self.until.toordinal() if self.until else np.iinfo(np.int32).max
            keep &= (facts.day >= first) & (facts.day <= last)
        if (self.from_h, self.to_h) != (0, HOURS):
            keep &= within_hours(facts.hour, self.from_h, self.to_h)
        if scores is not None and (self.low, self.high) != (0, 1):
            keep &= (scores >= self.low) & (scores <= self.high)
        if self.labels != "any":
            keep &= self._of_labels(len(facts), judged)
        return keep

    def _of_labels(self, n: int, judged: dict[int, str]) -> NDArray[np.bool_]:
        said = {"yes": "positive", "no": "negative", "unsure": "unsure"}.get(self.labels)
        rows = [row for row, judgement in judged.items() if said in (None, judgement)]
        found = np.zeros(n, dtype=bool)
        found[rows] = True
        return ~found if self.labels == "unlabelled" else found


EVERYTHING = Filter()


def within_hours(hour: NDArray[np.floating], from_h: float, to_h: float) -> NDArray[np.bool_]:
    """Whether hours of the day lie from one hour to another, over midnight if need be.

    Examples
    --------
    >>> within_hours(np.array([23.5, 4.0, 12.0]), 22, 5)
    array([ True,  True, False])
    """
    with np.errstate(invalid="ignore"):  # an unknown hour is in no span
        if from_h <= to_h:
            return np.asarray((hour >= from_h) & (hour < to_h))
        return np.asarray((hour >= from_h) | (hour < to_h))


def _hour(hour: float) -> str:
    whole, minute = divmod(round(hour * 60), 60)
    return f"{whole:02d}:{minute:02d}" if minute else f"{whole:02d}"


def _days(since: date | None, until: date | None) -> str:
    def named(day: date) -> str:
        return f"{day.day} {day:%b}"

    if since and until:
        return named(since) if since == until else f"{named(since)}–{named(until)}"
    return f"from {named(since)}" if since else f"until {named(until)}"  # type: ignore[arg-type]
