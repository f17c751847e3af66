"""How well a class is found at each threshold, from windows that nothing was learnt from.

Two things can speak for it, and a curve says on which it rests:

- **A study** (`explorer.collection.study`): windows drawn at random from every level of score. Its
  answers stand for all windows of the study, so precision and recall are those of the collection.
- **Labels**: windows that a person chose, mostly because they looked or sounded likely. Precision
  among them is not that of the collection, and that is said.

Either way each window is scored by a classifier that has not learnt from it: windows that it was
made of are left out with their whole recordings, in turn (`explorer.collection.trust.left_out`);
all others are scored as they are, such as those of a classifier that was made at another place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from explorer.classify.curves import (
    Confusions,
    confusions,
    others_of,
    precision_recall_of_labels,
    score_bins,
)
from explorer.classify.density import LEVEL, Estimate
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.classify.metrics import average_precision
from explorer.classify.roc import Roc, roc_of_matches, roc_of_scores
from explorer.classify.thresholds import (
    PrecisionRecall,
    Threshold,
    precision_recall,
    some,
    threshold_for_precision,
)
from explorer.collection.study_answers import Drawn, drawn_for, stratified, studies_on
from explorer.collection.trust import left_out
from explorer.collection.witnesses import Witnesses, witnesses
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.study import Study

Basis = Literal["study", "labels", "nothing"]

THRESHOLDS = 101
"""Of the table: every hundredth; and scores of labelled windows, where it changes."""
PER_THRESHOLD = (
    "precision",
    "recall",
    "precision_interval",
    "recall_interval",
    "n_detections",
)
CHOSEN = "Labels were chosen, not drawn: a study gives an unbiased figure."


@dataclass(frozen=True)
class Point:
    """What is to be expected at one threshold: precision and recall with intervals.

    ``detections`` is the number of labelled windows at or above it that nothing was learnt from.
    """

    threshold: float
    precision: Estimate
    recall: Estimate
    detections: int


@dataclass(frozen=True, eq=False)
class Curve:
    """How well one class is found. Plain data: three tables, a number with an interval, sentences.

    Attributes
    ----------
    class_
        Which.
    basis
        "study", "labels", or "nothing" where no window can speak for it.
    table
        threshold, precision, precision_low, precision_high, recall, recall_low, recall_high, and
        detections (labelled windows at or above it); NaN where it is not known. A threshold in
        between is as good as the next one above it.
    roc
        false_alarms and found: the ROC curve, whose area is ``auc``.
    bins
        low, high, score, share, share_low, share_high, labels: what share of windows of a score
        hold the class.
    windows
        The windows that it rests on, by number: recording, score, positive, learnt (whether it was
        left out to be scored) and bin (of the study; 0 without one).
    auc
        The chance that a window with the class scores above one without it.
    average_precision
        Of the windows; NaN where all or none are of the class.
    recordings
        How many they come from.
    study
        Name of the study, or None.
    level
        Probability of the intervals.
    sentence
        What it rests on, in words.
    message
        Why something is not known; empty where all is.
    weights
        The share of all windows that each bin stands for, ``[n_bins]``.
    """

    class_: str
    basis: Basis
    table: pd.DataFrame
    roc: pd.DataFrame
    bins: pd.DataFrame
    windows: pd.DataFrame
    auc: Estimate
    average_precision: float
    recordings: int
    study: str | None
    level: float
    sentence: str
    message: str = ""
    weights: NDArray[np.float64] = field(default_factory=lambda: np.ones(1), repr=False)

    def __str__(self) -> str:
        return f"{self.class_}: AUC {self.auc}. {self.sentence}"

    def __repr__(self) -> str:
        return f"<Curve of {self}>"

    def plot(self, style: int = 0) -> Any:
        """The curve as a HoloViews overlay: multiply two of them to compare, style 0 with style 1.

        >>> old.curve("grunt").plot() * new.curve("grunt").plot(1)        # doctest: +SKIP
        """
        return import_module("explorer.dashboard.single.plots").plot(self, style)

    def _repr_html_(self) -> str:
        from explorer.collection.curve_display import as_html  # noqa: PLC0415

        return as_html({self.class_: self})

    @property
    def positives(self) -> int:
        """How many of the windows hold the class."""
        return int(self.windows["positive"].sum())

    @property
    def negatives(self) -> int:
        """How many do not."""
        return len(self.windows) - self.positives

    def at(self, threshold: float) -> Point:
        """Precision and recall at a threshold.

        Examples
        --------
        >>> grunts.curve().at(0.7).precision            # doctest: +SKIP
        """
        found = _measured(self.basis, self.windows, self.weights, [threshold], self.level)

        def told(value: NDArray[np.float64], interval: NDArray[np.float64]) -> Estimate:
            low, high = float(interval[0, 0]), float(interval[0, 1])
            return Estimate(float(value[0]), low, high, self.level, len(self.windows))

        return Point(
            float(threshold),
            told(found.precision, found.precision_interval),
            told(found.recall, found.recall_interval),
            int(found.n_detections[0]),
        )

    def threshold_for(self, precision: float, *, sure: bool = False) -> Threshold:
        """The lowest threshold of a wanted precision; NaN, with a message, where there is none.

        Parameters
        ----------
        precision
            Share of detections that are to be right.
        sure
            Ask that the lower end of the interval reaches it.
        """
        return threshold_for_precision(self.labels, precision, sure=sure, level=self.level)

    @property
    def labels(self) -> StratifiedLabels:
        """The windows as the functions of `explorer.classify` take them."""
        return stratified(self.windows, self.weights)


def curve(
    classifier: Classifier,
    class_: str | None = None,
    *,
    study: str | None = None,
    level: float = LEVEL,
) -> Curve:
    """How well one class is found; see `Classifier.curve`."""
    if class_ is None and len(classifier.classes) > 1:
        raise ParameterError(
            f"a curve is of one class: name one of {', '.join(classifier.classes)}"
        )
    name = classifier.classes[0] if class_ is None else class_
    column = classifier.column(name)
    found, studies = witnesses(classifier), studies_on(classifier, study)
    drawn = drawn_for(studies, name, column, found)
    if study is not None and drawn is None:
        raise ParameterError(_why_not(studies[0], name))
    return _of_class(classifier, name, found, drawn, level)


@dataclass(frozen=True, eq=False)
class Curves(Mapping[str, Curve]):
    """The curve of every class, by name; and what is mixed up between them.

    Attributes
    ----------
    by_class
        In the order of the classifier's classes.
    found
        The labelled windows that they rest on.
    """

    by_class: Mapping[str, Curve]
    found: Witnesses

    def __getitem__(self, name: str) -> Curve:
        return self.by_class[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_class)

    def __len__(self) -> int:
        return len(self.by_class)

    def _repr_html_(self) -> str:
        from explorer.collection.curve_display import as_html  # noqa: PLC0415

        return as_html(self)

    def mixed_up(self, thresholds: Mapping[str, float]) -> Confusions:
        """What of each class is missed and what is taken for it, at a threshold for each class."""
        at = [thresholds[name] for name in self]
        return confusions(self.found.truth, self.found.scores, at)


def curves(classifier: Classifier, *, level: float = LEVEL) -> Curves:
    """How well each class is found; see `Classifier.curves`."""
    found, studies = witnesses(classifier), studies_on(classifier)
    made = {}
    for column, name in enumerate(classifier.classes):
        drawn = drawn_for(studies, name, column, found)
        made[name] = _of_class(classifier, name, found, drawn, level)
    return Curves(made, found)


def _of_class(
    classifier: Classifier, name: str, found: Witnesses, drawn: Drawn | None, level: float
) -> Curve:
    column = classifier.column(name)
    chosen = _chosen(found, column)
    windows, weights = (chosen, np.ones(1)) if drawn is None else (drawn.windows, drawn.weights)
    roc = _roc(classifier, found, column, chosen, level)
    basis: Basis = "labels" if drawn is None else "study"
    if not windows["positive"].any():
        basis = "nothing"
    labels = stratified(windows, weights)
    lowest = float(min(0.0, classifier.scores()[:, column].min(initial=0.0)))
    thresholds = np.union1d(np.linspace(lowest, 1, THRESHOLDS).round(4), some(windows["score"]))
    measured = _measured(basis, windows, weights, thresholds, level)
    bins = score_bins(labels, level=level)
    return Curve(
        class_=name,
        basis=basis,
        table=_table(measured),
        roc=pd.DataFrame({"false_alarms": roc.false_alarms, "found": roc.found}),
        bins=pd.DataFrame(
            {
                "low": bins.low,
                "high": bins.high,
                "score": bins.score,
                "share": bins.share,
                "share_low": bins.interval[:, 0],
                "share_high": bins.interval[:, 1],
                "labels": bins.n_labels,
            }
        ),
        windows=windows,
        auc=Estimate(roc.auc, roc.low, roc.high, level, roc.n_examples, ""),
        average_precision=_precision_of(chosen),
        recordings=int(windows["recording"].nunique()),
        study=None if drawn is None else drawn.study.name,
        level=level,
        sentence=_sentence(basis, windows, drawn),
        message=_message(found, column, chosen, name),
        weights=weights,
    )


def _chosen(found: Witnesses, column: int) -> pd.DataFrame:
    """Labelled windows that are of the class or not, and have a fair score."""
    positive = found.truth[:, column] > 0.5
    known = positive | others_of(found.truth)[:, column]
    known &= np.isfinite(found.scores[:, column])
    return pd.DataFrame(
        {
            "recording": found.recordings[known],
            "score": found.scores[known, column].astype(np.float64),
            "positive": positive[known],
            "learnt": found.learnt[known],
            "bin": np.int64(0),
        },
        index=pd.Index(found.rows[known], name="window"),
    )


def _roc(
    classifier: Classifier, found: Witnesses, column: int, chosen: pd.DataFrame, level: float
) -> Roc:
    if found.outcome is not None and column in found.outcome.columns:
        at = int(np.flatnonzero(found.outcome.columns == column)[0])
        judged, _ = left_out(classifier)
        assert judged.labelled.groups is not None
        groups = judged.labelled.groups[found.outcome.rows]
        matches = found.outcome.trial.matches(found.outcome.splits, found.outcome.scores, at)
        return roc_of_matches(matches, groups, level=level)
    return roc_of_scores(chosen["score"], chosen["positive"], chosen["recording"], level=level)


def _measured(
    basis: Basis,
    windows: pd.DataFrame,
    weights: NDArray[np.float64],
    thresholds: ArrayLike,
    level: float,
) -> PrecisionRecall:
    if basis == "study":
        # Thresholds with no answer between them are one: they share the draws of the interval.
        at = np.ravel(np.asarray(thresholds, np.float64))
        same = np.searchsorted(np.sort(windows["score"]), at)
        _, first, which = np.unique(same, return_index=True, return_inverse=True)
        each = precision_recall(stratified(windows, weights), at[first], level=level)
        return PrecisionRecall(
            thresholds=at,
            level=level,
            **{name: getattr(each, name)[which] for name in PER_THRESHOLD},
        )
    scores, positive, recordings = (windows[name] for name in ("score", "positive", "recording"))
    return precision_recall_of_labels(scores, positive, recordings, thresholds, level=level)


def _table(measured: PrecisionRecall) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "threshold": measured.thresholds,
            "precision": measured.precision,
            "precision_low": measured.precision_interval[:, 0],
            "precision_high": measured.precision_interval[:, 1],
            "recall": measured.recall,
            "recall_low": measured.recall_interval[:, 0],
            "recall_high": measured.recall_interval[:, 1],
            "detections": measured.n_detections,
        }
    )


def _precision_of(windows: pd.DataFrame) -> float:
    if windows["positive"].nunique() < 2:
        return float("nan")
    return float(average_precision(windows["positive"], windows["score"]).item())


def _sentence(basis: Basis, windows: pd.DataFrame, drawn: Drawn | None) -> str:
    if basis == "nothing":
        return "No labelled window can speak for it yet."
    recordings = many(windows["recording"].nunique(), "recording")
    if drawn is None:
        return f"{many(len(windows), 'label')} of {recordings}. {CHOSEN}"
    study = drawn.study
    where = f"{study.plan.n_windows:,} windows"
    if study.sites is not None:
        where += f" at {', '.join(study.sites)}"
    if study.since or study.until:
        where += f" ({study.since or 'the first day'} to {study.until or 'the last day'})"
    return (
        f"{many(len(windows), 'answer')} of {recordings}, drawn at random in the study "
        f"“{study.name}”: they stand for {where}."
    )


def _why_not(study: Study, name: str) -> str:
    """Why a study that was asked for is not used."""
    if study.class_ != name:
        return f"study {study.name!r} is of {study.class_}, not of {name}"
    return f"study {study.name!r} does not tell enough yet: {study.progress}"


def _message(found: Witnesses, column: int, chosen: pd.DataFrame, name: str) -> str:
    """What is not known of a class, and what would help."""
    positive = found.truth[:, column] > 0.5
    if not positive.any():
        return f"Nobody has said yes to {name} here."
    if not chosen["positive"].any():
        if len(set(found.recordings[positive])) == 1:
            only = "The only example comes" if positive.sum() == 1 else "All examples come"
            return f"{only} from one recording: label some from another."
        return f"It could not be tested: {found.reason}." if found.reason else "It was not tested."
    if chosen["positive"].all():
        return f"Nothing is labelled that is not {name}: say no to a few."
    return ""


def many(number: int, one: str) -> str:
    """A number and what is counted, in words.

    >>> many(1, "label"), many(1200, "label")
    ('1 label', '1,200 labels')
    """
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
