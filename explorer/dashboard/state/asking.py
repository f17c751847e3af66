"""What a person is asked to listen to: windows that teach most, and windows of a study.

Functions here read a collection and may run in a thread; only `begin_study` writes, and only where
a class has no study yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.dashboard.state.learning import Learned, Rows

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.study import Study

NEXT_AT_ONCE = 24
"""Few enough that what is said of them still helps to choose the next ones."""

WITHIN = 0.01
"""A study is done when the share of windows is known to ± this."""


@dataclass(frozen=True, eq=False)
class Suggested:
    """Windows that would teach most about a class, and why, in a few words each."""

    class_: str
    rows: Rows
    reasons: dict[int, str]


@dataclass(frozen=True, eq=False)
class Asked:
    """Where a study of a class is.

    ``rows`` are the windows to listen to now; ``share`` of the answers is there, from 0 to 1;
    ``progress`` and ``result`` say it in words, the result once the first answers are complete.
    """

    study: Study
    rows: Rows
    share: float
    progress: str
    result: str = ""
    note: str = field(default="", compare=False)

    @property
    def class_(self) -> str:
        """What is counted."""
        return self.study.class_


def suggest(learned: Learned, name: str, n: int = NEXT_AT_ONCE) -> Suggested:
    """Windows from which the classifier would learn most about one class."""
    found = learned.classifier.next_to_label(n, class_=name)
    rows = found.index.to_numpy(dtype=np.int64)
    # The card shows the score itself.
    reasons = [str(reason).split(" (score")[0] for reason in found["reason"]]
    return Suggested(name, rows, dict(zip(rows.tolist(), reasons, strict=True)))


def begin_study(collection: Collection, learned: Learned, name: str) -> Study:
    """The latest study of a class on the classifier's run, or else a new one."""
    known = collection.studies
    own = known[(known["class"] == name) & (known["run"] == learned.classifier.run)]
    if len(own):
        return collection.study(str(own.sort_values("created_at")["name"].iloc[-1]))
    study: Study = learned.classifier.study(name)
    return study


def look(study: Study, showing: Any = ()) -> Asked:
    """How far a study is; the windows on show stay until all of them are answered."""
    answered = study.judged().index
    progress = study.progress
    done = progress.planned - progress.to_label
    counted = f"{done:,} of {progress.planned:,} windows answered"
    shown = np.asarray(showing, dtype=np.int64)
    stays = bool(len(shown)) and not np.isin(shown, answered).all()
    if progress.to_label:
        rows = shown if stays else _next(study)
        return Asked(study, rows, done / max(1, progress.planned), counted)
    estimate = study.density()
    if np.isnan(estimate.value):
        return Asked(study, shown[:0], 1.0, counted, estimate.message)
    more = study.labels_needed(WITHIN)
    rows = shown if stays else _next(study, WITHIN)
    whole = progress.answered + more.total
    if more.total:
        counted = (
            f"{many(progress.answered)} answered; {more.total:,} more reach ±1\N{NO-BREAK SPACE}%"
        )
    else:
        counted = f"{many(progress.answered)} answered: known to ±1\N{NO-BREAK SPACE}%"
    return Asked(
        study,
        rows,
        progress.answered / max(1, whole),
        counted,
        f"In {percent(estimate.value)} % of windows, between {percent(estimate.low)} and "
        f"{percent(estimate.high)}\N{NO-BREAK SPACE}%",
        estimate.message,
    )


def _next(study: Study, plus_minus: float | None = None) -> Rows:
    found = study.to_label(NEXT_AT_ONCE, plus_minus=plus_minus)
    return found.index.to_numpy(dtype=np.int64)


def percent(share: float) -> str:
    """A share of windows in percent, as precise as it is worth.

    Examples
    --------
    >>> percent(0.0312), percent(0.0004), percent(0.41)
    ('3.1', '0.04', '41')
    """
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def many(count: int) -> str:
    """So many windows, in words."""
    return f"{count} window" if count == 1 else f"{count:,} windows"
