"""What the screen "Activity" was asked to show: plain values, for a comparison and for a link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from explorer.collection.activity import CLOCKS, PERIODS, Clock
from explorer.errors import ParameterError

UNITS = ("windows", "detections", "effort")
RHYTHMS = ("hour", *PERIODS)
EACH, ALL = "each", "all"


@dataclass(frozen=True)
class Rhythm:
    """What is counted, by which clock, and how finely.

    Attributes
    ----------
    unit
        ``windows``, ``detections`` (neighbouring windows are one), or ``effort`` (recorded time).
    clock
        Hours by the clock, or after sunrise or sunset.
    period
        ``hour`` of the day, ``day``, ``week`` or ``month``; None is what suits the deployment.
    each
        Whether there is a picture for each site; None is what suits the deployment.

    Examples
    --------
    >>> Rhythm(unit="detections", period="week").as_text()
    'detections,week'
    >>> Rhythm.from_text("detections,week").period
    'week'
    """

    unit: Literal["windows", "detections", "effort"] = "windows"
    clock: Clock = "hour"
    period: str | None = None
    each: bool | None = None

    def __post_init__(self) -> None:
        _one_of(self.unit, UNITS)
        _one_of(self.clock, CLOCKS)
        if self.period is not None:
            _one_of(self.period, RHYTHMS)

    def with_(self, **values: Any) -> Rhythm:
        """The same with other values."""
        return replace(self, **values)

    def as_text(self) -> str:
        """For an address: what differs from the default, such as ``detections,week,each``."""
        said: list[str] = [self.unit] if self.unit != UNITS[0] else []
        if self.clock != CLOCKS[0]:
            said.append(self.clock)
        if self.period is not None:
            said.append(self.period)
        if self.each is not None:
            said.append(EACH if self.each else ALL)
        return ",".join(said)

    @classmethod
    def from_text(cls, text: str) -> Rhythm:
        """Read what `as_text` wrote; raises ParameterError for anything else."""
        found = cls()
        for word in filter(None, text.split(",")):
            if word in UNITS:
                found = found.with_(unit=word)
            elif word in RHYTHMS:
                found = found.with_(period=word)
            elif word in CLOCKS:
                found = found.with_(clock=word)
            else:
                found = found.with_(each=_one_of(word, (EACH, ALL)) == EACH)
        return found


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ParameterError(f"{value!r} is none of {', '.join(known)}")
    return value
