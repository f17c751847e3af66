"""Is a classifier better for having been adapted? Before and after, in a table and a sentence.

Labels of the new place decide where there are any: both classifiers rank the labelled windows, and
the difference of the two comes with an interval, for which whole recordings are drawn anew, as
windows of one recording are no independent witnesses. Labels that were made by listening to what
one of the two found speak for neither quite fairly; `explorer.collection.study` draws windows at
random.

Without labels nobody can know, and the verdict is to label some. What can be estimated is whether
adapting went wrong in one of the usual ways; that is a warning, and it is called an estimate.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.adaptation_evidence import (
    FEWEST_POSITIVES,
    WORSE_BY,
    Estimate,
    LabelledChange,
    Measure,
    advice,
    change_on_labels,
    estimate,
)
from explorer.collection.labels import agreed
from explorer.collection.progress import share_bar
from explorer.errors import ParameterError
from explorer.space.neighbours import knn_graph

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.transfer import Progress

Verdict = Literal["keep", "do not keep", "label more"]

FEWEST_RECORDINGS = 5
"""With examples, below which drawing recordings anew says nothing about others."""
FIRST_LABELS = 30
"""For each class where there are none: with 15 yes and 15 no a ROC-AUC of .9 is known to .11."""
MOST_JUDGED = 5000
"""Labelled windows that are measured; of more, positives first."""
MOST_LABELS = 1000
"""More than this is not worth counting out."""
UNJUDGED_WINDOWS = 1000
"""That stand for what is not of a class where nobody has said what is not."""
ESTIMATE_WINDOWS = 4000
"""Evenly spaced, that an estimate looks at."""
NEIGHBOURS = 5
NOTHING_MOVED = 0.01
"""Of scores from 0 to 1: less is not worth a second classifier, and needs no label to be known."""
SCORE_ROWS = 4096

COLUMNS = ["class", "measure", "before", "after", "change", "low", "high", "positives", "basis"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A classifier before and after adapting.

    Attributes
    ----------
    verdict
        "keep", "do not keep", or "label more": it cannot be known yet.
    sentence
        The verdict and its reason, in words for a person.
    table
        class, measure, before, after, change, low and high (of the change, 95 %; not a number
        where there is no interval), positives (labels), basis (labels, or an estimate without
        labels).
    on_labels
        Whether labels were measured; else it is an estimate.
    labels_wanted
        About how many more labelled windows would settle it; 0 where it is settled.
    advised
        False where labels, or a warning of the estimate, speak against keeping it.
    """

    verdict: Verdict
    sentence: str
    table: pd.DataFrame
    on_labels: bool
    labels_wanted: int = 0
    advised: bool = True

    def __str__(self) -> str:
        shown = self.table.to_string(index=False, float_format="{:.3f}".format, na_rep="")
        return f"{shown}\n{self.sentence}"

    def _repr_html_(self) -> str:
        table = self.table.to_html(index=False, float_format="{:.3f}".format, na_rep="", border=0)
        return f"<p>{html.escape(self.sentence)}</p>{table}"


def compare(classifier: Classifier, *, seed: int = 0, progress: Progress = True) -> Comparison:
    """Compare an adapted classifier with what it was; see `Classifier.comparison`."""
    if classifier.adaptation is None:
        raise ParameterError("this classifier is not adapted: there is nothing to compare it with")
    with share_bar(progress, "Comparing") as report:
        report(0.0, "Reading labels")
        judged = _Judged.of(classifier)
        rows = judged.rows if judged.measurable else _sample(classifier, ESTIMATE_WINDOWS)
        report(0.1, "Scoring as it was")
        before = _scores(classifier.undone, rows)
        report(0.4, "Scoring as adapted")
        after = _scores(classifier, rows)
        report(0.7, "Comparing")
        if judged.measurable:
            change = change_on_labels(
                judged.positive,
                before,
                after,
                classes=classifier.classes,
                known=judged.known,
                recordings=judged.recordings,
                seed=seed,
            )
            found = _on_labels(change, judged)
        elif not _gives_probabilities(classifier):
            why = "Plain cosines are no probabilities, so that nothing can be estimated"
            found = _label_first(judged, why, pd.DataFrame(columns=COLUMNS))
        else:
            vectors = classifier.collection.embeddings(classifier.run).take(rows)
            guess = estimate(before, after, knn_graph(vectors, NEIGHBOURS))
            found = _on_estimate(guess, judged, float(np.abs(after - before).max(initial=0)))
        report(1.0, "Compared")
    return found


# Labels -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Judged:
    """Labelled windows of the classes, and others that stand for what is not of a class.

    ``positive`` and ``known`` are bool ``[n, n_classes]``.
    """

    classes: list[str]
    rows: NDArray[np.int64]
    positive: NDArray[np.bool_]
    known: NDArray[np.bool_]
    recordings: NDArray[np.int64]
    labelled: int
    """Windows that somebody has judged for one of the classes."""
    witnesses: int
    """Recordings that hold a positive one."""
    presumed: tuple[str, ...]
    """Classes that nobody has said no to."""

    @classmethod
    def of(cls, classifier: Classifier) -> _Judged:
        collection, run, classes = classifier.collection, classifier.run, classifier.classes
        said = agreed(collection.label_rows(run))
        said = said[said["class"].isin(classes) & (said["judgement"] != "unsure")]
        rows = _finite(classifier, np.unique(said["row"].to_numpy(np.int64)))
        positives = said.loc[said["judgement"] == "positive", "row"].to_numpy(np.int64)
        rows = _at_most(rows, np.isin(rows, positives), MOST_JUDGED)
        said = said[said["row"].isin(rows)]
        labelled = len(rows)
        yes, no = (
            {name: of["row"] for name, of in said[said["judgement"] == answer].groupby("class")}
            for answer in ("positive", "negative")
        )
        presumed = tuple(name for name in classes if name in yes and name not in no)
        if presumed:
            rows = np.union1d(rows, _sample(classifier, UNJUDGED_WINDOWS))
        positive, known = (np.zeros((len(rows), len(classes)), bool) for _ in range(2))
        for column, name in enumerate(classes):
            positive[:, column] = np.isin(rows, yes.get(name, ()))
            known[:, column] = positive[:, column] | np.isin(rows, no.get(name, ()))
            known[:, column] |= name in presumed
        index = collection.index(run)
        witnesses = np.unique(index.recording_id[rows[positive.any(axis=1)]])
        return cls(
            classes,
            rows,
            positive,
            known,
            np.asarray(index.recording_id[rows], np.int64),
            labelled,
            len(witnesses),
            presumed,
        )

    @property
    def measurable(self) -> bool:
        """Whether a class has enough of both."""
        yes, judged = (which.sum(axis=0) for which in (self.positive, self.known))
        return bool(((yes >= FEWEST_POSITIVES) & (judged > yes)).any())


def _at_most(rows: NDArray[np.int64], first: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Evenly spaced ones of the rows: at most half of them from those that come first, if more."""
    if len(rows) <= most:
        return rows
    favoured = _evenly(rows[first], most // 2)
    return np.sort(np.concatenate([favoured, _evenly(rows[~first], most - len(favoured))]))


def _evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows[:: max(1, -(-len(rows) // most))]


def _on_labels(change: LabelledChange, judged: _Judged) -> Comparison:
    enough = judged.witnesses >= FEWEST_RECORDINGS
    basis = "labels"
    n_classes = len(change.classes)
    rows = []
    kinds = (
        ("ROC-AUC", change.mean_roc_auc, change.roc_auc),
        ("average precision", change.mean_average_precision, change.average_precision),
    )
    for measure, mean, each in kinds:
        of_classes = zip(change.classes, each, change.positives, strict=True)
        if n_classes > 1:
            name, count = f"mean of {n_classes}", sum(change.positives)
            rows.append(_row(name, measure, mean, count, basis, interval=enough))
        rows += [
            _row(name, measure, one, count, basis, interval=enough)
            for name, one, count in of_classes
        ]
    both = change.mean_roc_auc, change.mean_average_precision
    verdict = _verdict(both) if enough else "label more"
    wanted = _labels_wanted(both, judged) if verdict == "label more" else 0
    mean_of = "mean " if n_classes > 1 else ""
    measured = "; ".join(
        f"{mean_of}{measure} {one if enough else f'{one.before:.2f} -> {one.after:.2f}'}"
        for (measure, _, _), one in zip(kinds, both, strict=True)
    )
    where = (
        f"on {judged.labelled:,} labelled windows, with examples in {judged.witnesses} "
        f"recordings, {measured}."
    )
    if judged.presumed:
        names = ", ".join(judged.presumed)
        where += f" Nobody has said what is not {names}: other windows stand for it."
    why = {
        "keep": f"Keep it: {where}",
        "do not keep": f"Do not keep it, as it {_what_it_does(both)}: {where}",
        "label more": f"Label {_about(wanted)} windows to know: {where}",
    }[verdict]
    if not enough:
        why += (
            f" Recordings are the witnesses, and {FEWEST_RECORDINGS} are the fewest that say "
            "anything: label in others."
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Comparison(verdict, why, table, True, wanted, verdict != "do not keep")


def _verdict(both: tuple[Measure, Measure]) -> Verdict:
    if all(one.low > -WORSE_BY and one.high < WORSE_BY for one in both):
        return "do not keep"  # it changes nothing that matters, and the source is simpler
    if any(one.high < 0 for one in both):
        return "do not keep"
    if any(one.low > 0 for one in both) and all(one.change >= -WORSE_BY for one in both):
        return "keep"
    return "label more"


def _what_it_does(both: tuple[Measure, Measure]) -> str:
    return "is worse" if any(one.high < 0 for one in both) else "makes no difference that matters"


def _labels_wanted(both: tuple[Measure, Measure], judged: _Judged) -> int:
    """How many more windows, so that an interval as wide as it will be no longer meets zero."""
    auc = both[0]
    half = (auc.high - auc.low) / 2
    needed = judged.labelled * (half / max(abs(auc.change), WORSE_BY)) ** 2 - judged.labelled
    return min(MOST_LABELS, max(FIRST_LABELS, ceil(needed / 10) * 10))


def _about(wanted: int) -> str:
    return f"{wanted:,} or more" if wanted >= MOST_LABELS else f"about {wanted} more"


# Without labels -----------------------------------------------------------------------------------


def _on_estimate(guess: Estimate, judged: _Judged, most_moved: float) -> Comparison:
    basis = "estimate without labels"
    share = zip(judged.classes, guess.prevalence_before, guess.prevalence_after, strict=True)
    rows = [(name, "mean score", float(before), float(after)) for name, before, after in share]
    rows += [
        ("all", "indecision (entropy)", guess.entropy_before, guess.entropy_after),
        ("all", "agreement of like windows", guess.agreement_before, guess.agreement_after),
    ]
    table = pd.DataFrame(
        [
            (name, measure, before, after, after - before, np.nan, np.nan, "", basis)
            for name, measure, before, after in rows
        ],
        columns=COLUMNS,
    )
    if most_moved < NOTHING_MOVED:
        why = f"Do not keep it: it changes nothing, as no score moves by {NOTHING_MOVED}."
        return Comparison("do not keep", why, table, False, advised=False)
    found = advice(guess)
    if found.keep:
        why = "An estimate finds nothing that speaks against it, and cannot tell more"
    else:
        why = f"Do not rely on it until then. {found.why.rstrip('.')}"
    return _label_first(judged, why, table, advised=found.keep)


def _label_first(
    judged: _Judged, why: str, table: pd.DataFrame, *, advised: bool = True
) -> Comparison:
    wanted = FIRST_LABELS * len(judged.classes)
    sentence = (
        f"Label about {wanted} windows, of {FEWEST_RECORDINGS} recordings or more, to know: "
        f"{_lacking(judged)}. {why}."
    )
    return Comparison("label more", sentence, table, False, wanted, advised)


def _lacking(judged: _Judged) -> str:
    names = ", ".join(judged.classes)
    if not judged.labelled:
        return f"nobody has labelled a window of this place for {names}"
    return (
        f"the {judged.labelled} labelled windows of this place hold fewer than "
        f"{FEWEST_POSITIVES} examples of {names}"
    )


# Scores -------------------------------------------------------------------------------------------


class _Scores(Protocol):
    def scores(self, embeddings: NDArray[np.float32], /) -> NDArray[np.float32]: ...


def _scores(classifier: Classifier, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores of some windows, without those of all being made."""
    model: _Scores
    if classifier.adaptation is not None:
        model = classifier.adaptation.at_work(classifier)
    else:
        model = classifier.model.on(classifier.collection.background(classifier.run))
    vectors = classifier.collection.embeddings(classifier.run)
    parts = [np.zeros((0, len(classifier.classes)), np.float32)]
    for some in _pieces(rows):
        parts.append(model.scores(vectors.take(some)))
    return np.concatenate(parts)


def _finite(classifier: Classifier, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those windows whose embedding is finite."""
    vectors = classifier.collection.embeddings(classifier.run)
    fine = [np.isfinite(vectors.take(some)).all(axis=1) for some in _pieces(rows)]
    return rows[np.concatenate([np.zeros(0, bool), *fine])]


def _pieces(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), SCORE_ROWS):
        yield rows[start : start + SCORE_ROWS]


def _sample(classifier: Classifier, most: int) -> NDArray[np.int64]:
    """Evenly spaced windows whose embedding is finite."""
    n_windows = classifier.collection.n_windows(classifier.run)
    return _finite(classifier, _evenly(np.arange(n_windows, dtype=np.int64), most))


def _gives_probabilities(classifier: Classifier) -> bool:
    return not str(getattr(classifier.model, "method", "")).startswith("birb")


def _row(
    name: str, measure: str, one: Measure, count: int, basis: str, *, interval: bool
) -> tuple[object, ...]:
    low, high = (one.low, one.high) if interval else (np.nan, np.nan)
    return (name, measure, one.before, one.after, one.change, low, high, count, basis)
