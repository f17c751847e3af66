"""What a person is asked to listen to: windows that teach most, and windows of a study.

Functions here read a collection and may run in a thread; only `begin_study` writes, and only where
a class has no study yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.collection.study_report import percent
from explorer.dashboard.state.filtering import Filter
from explorer.dashboard.state.learning import Learned, Rows

if TYPE_CHECKING:
    from explorer.classify.density import Estimate
    from explorer.collection.collection import Collection
    from explorer.collection.study import Study

NEXT_AT_ONCE = 24
"""Few enough that what is said of them still helps to choose the next ones."""

WITHIN = 0.01
"""A study is done when the share of windows is known to ± this."""


@dataclass(frozen=True)
class Scope:
    """What a study is kept to: sites by name, first and last day; None for all."""

    sites: tuple[str, ...] | None = None
    since: str | None = None
    until: str | None = None

    @classmethod
    def of(cls, kept: Filter | Study) -> Scope:
        """What of a filter a study can be kept to; or what a study was kept to."""
        since, until = (None if day is None else str(day) for day in (kept.since, kept.until))
        return cls(tuple(sorted(kept.sites)) if kept.sites else None, since, until)

    def words(self) -> str:
        """The scope in half a sentence."""
        return Filter(
            sites=self.sites or (),
            since=None if self.since is None else date.fromisoformat(self.since),
            until=None if self.until is None else date.fromisoformat(self.until),
        ).words()


EVERYWHERE = Scope()


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
    ``estimate`` is that result; ``within`` is to how much it shall be known, and ``more`` how many
    answers that takes still.
    """

    study: Study
    rows: Rows
    share: float
    progress: str
    result: str = ""
    note: str = field(default="", compare=False)
    within: float = WITHIN
    answered: int = 0
    more: int = 0
    estimate: Estimate | None = None

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


def begin_study(
    collection: Collection,
    learned: Learned,
    name: str,
    scope: Scope = EVERYWHERE,
    *,
    study: str | None = None,
    per_bin: int | None = None,
    anew: bool = False,
) -> Study:
    """The latest study of a class within a scope, or else a new one.

    Parameters
    ----------
    study
        Name of one to go on with, whatever its scope.
    per_bin
        Windows of each level of score to answer first, where it is begun.
    anew
        Begin another one although there is one.
    """
    if study is not None:
        return collection.study(study)
    for known in [] if anew else studies_of(collection, learned, name)[::-1]:
        if Scope.of(known) == scope:
            return known
    made: Study = learned.classifier.study(
        name,
        sites=scope.sites,
        since=scope.since,
        until=scope.until,
        **({} if per_bin is None else {"per_bin": int(per_bin)}),
    )
    return made


def studies_of(collection: Collection, learned: Learned, name: str) -> list[Study]:
    """The studies of a class on the classifier's run, oldest first."""
    known = collection.studies
    own = known[(known["class"] == name) & (known["run"] == learned.classifier.run)]
    return [collection.study(str(each)) for each in own.sort_values("created_at")["name"]]


def look(study: Study, showing: Any = (), within: float = WITHIN) -> Asked:
    """How far a study is; the windows on show stay until all of them are answered.

    Parameters
    ----------
    showing
        Windows on show.
    within
        To how much the share shall be known, once the first answers are complete.
    """
    answered = study.judged().index
    progress = study.progress
    done = progress.planned - progress.to_label
    counted = f"{done:,} of {progress.planned:,} windows answered"
    known: dict[str, Any] = {"within": within, "answered": progress.answered}
    shown = np.asarray(showing, dtype=np.int64)
    stays = bool(len(shown)) and not np.isin(shown, answered).all()
    if progress.to_label:
        rows = shown if stays else _next(study)
        return Asked(
            study, rows, done / max(1, progress.planned), counted, more=progress.to_label, **known
        )
    estimate = study.density()
    if np.isnan(estimate.value):
        return Asked(study, shown[:0], 1.0, counted, estimate.message, **known)
    more = study.labels_needed(within)
    rows = shown if stays else _next(study, within)
    whole = progress.answered + more.total
    told = f"±{100 * within:g}\N{NO-BREAK SPACE}%"
    if more.total:
        counted = f"{many(progress.answered)} answered; {more.total:,} more reach {told}"
    else:
        counted = f"{many(progress.answered)} answered: known to {told}"
    return Asked(
        study,
        rows,
        progress.answered / max(1, whole),
        counted,
        f"In {percent(estimate.value)} % of windows, between {percent(estimate.low)} and "
        f"{percent(estimate.high)}\N{NO-BREAK SPACE}%",
        estimate.message,
        **known | {"more": more.total, "estimate": estimate},
    )


def _next(study: Study, plus_minus: float | None = None) -> Rows:
    found = study.to_label(NEXT_AT_ONCE, plus_minus=plus_minus)
    return found.index.to_numpy(dtype=np.int64)


def many(count: int) -> str:
    """So many windows, in words."""
    return f"{count} window" if count == 1 else f"{count:,} windows"
