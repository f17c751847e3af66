"""Precision and recall at every threshold from labels, what is mixed up, and what scores mean.

Where windows were drawn at random for a study, `explorer.classify.thresholds` says how many of all
detections are right. Most labels were chosen by a person, though, and say only how many of *those*
are right; the functions here do the same for them. Scores must be of windows that nothing was
learnt from.

Windows of one recording are no independent witnesses. So intervals are Wilson's with as many
labels as would be as good if they were independent (the effective number of Korn and Graubard 1998,
the variance from the differences between recordings; Dean and Pagano 2015 compare such intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from explorer.classify.calibration import ECE_BINS, reliability
from explorer.classify.density import LEVEL, check_interval, ends
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.classify.thresholds import PrecisionRecall
from explorer.errors import ParameterError

Floats = NDArray[np.float64]


def share_interval(
    positives: ArrayLike,
    total: ArrayLike,
    *,
    effective: ArrayLike | None = None,
    level: float = LEVEL,
) -> Floats:
    """Wilson's interval of a share, ``[..., 2]``; from 0 to 1 where there is nothing.

    Parameters
    ----------
    positives, total
        How many of how many.
    effective
        As how many independent ones they count; None for ``total``.

    Examples
    --------
    >>> share_interval(9, 10).round(2).tolist(), share_interval(0, 0).tolist()
    ([0.65, 0.98], [0.0, 1.0])
    """
    check_interval(level)
    k, n = np.asarray(positives, np.float64), np.asarray(total, np.float64)
    size = n if effective is None else np.asarray(effective, np.float64)
    square = float(ndtri(ends(level)[1])) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / n
        middle = (share + square / (2 * size)) / (1 + square / size)
        half = np.sqrt(square * (share * (1 - share) / size + square / (4 * size**2)))
        half = half / (1 + square / size)
    known = (n > 0) & (size > 0)
    # Rounding must not leave the share itself outside.
    low = np.where(known, np.clip(np.fmin(middle - half, share), 0, 1), 0.0)
    high = np.where(known, np.clip(np.fmax(middle + half, share), 0, 1), 1.0)
    return np.stack([low, high], axis=-1)


def effective_number(positives: ArrayLike, total: ArrayLike, *, level: float = LEVEL) -> Floats:
    """As how many independent labels those of some recordings count, ``[n_shares]``.

    Parameters
    ----------
    positives, total
        Of each recording, ``[n_shares, n_recordings]``.

    Examples
    --------
    >>> total = np.full((1, 4), 5)
    >>> effective_number([[5, 5, 0, 0]], total).round(1).tolist()  # recordings differ
    [3.0]
    >>> effective_number([[3, 2, 3, 2]], total).tolist()  # they do not
    [20.0]
    """
    k, n = np.asarray(positives, np.float64), np.asarray(total, np.float64)
    labels = n.sum(axis=1)
    recordings = (n > 0).sum(axis=1)
    square = float(ndtri(ends(level)[1])) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        # Away from 0 and 1 (Agresti and Coull), where there would be no variance to compare with.
        share = (k.sum(axis=1) + square / 2) / (labels + square)
        apart = ((k - share[:, None] * n) ** 2).sum(axis=1)
        variance = recordings / (recordings - 1) * apart / labels**2
        design = np.maximum(1.0, variance / (share * (1 - share) / labels))
        return np.where(recordings > 1, labels / design, np.minimum(labels, 1.0))


def precision_recall_of_labels(
    scores: ArrayLike,
    positive: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    thresholds: ArrayLike,
    *,
    level: float = LEVEL,
) -> PrecisionRecall:
    """How many labelled detections are right, and how many examples are detected.

    Parameters
    ----------
    scores
        Of labelled windows that nothing was learnt from, ``[n]``.
    positive
        Whether each holds the class, ``[n]``.
    groups
        The recording of each, ``[n]``.
    thresholds
        ``[n_thresholds]``.

    Examples
    --------
    >>> found = precision_recall_of_labels([0.9, 0.6, 0.4], [1, 0, 1], ["a", "b", "c"], [0.5, 0.95])
    >>> found.precision.tolist(), found.recall.tolist(), found.n_detections.tolist()
    ([0.5, nan], [0.5, 0.0], [2, 0])
    """
    values, of_class = np.asarray(scores, np.float64), np.asarray(positive).astype(bool)
    if not len(values) == len(of_class) == len(np.asarray(groups)):
        raise ParameterError("give a score, an answer and a recording for each labelled window")
    at = np.ravel(np.asarray(thresholds, np.float64))
    names, code = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    by_recording = np.zeros((len(values), len(names)))
    by_recording[np.arange(len(values)), code] = 1
    above = (values >= at[:, None]).astype(np.float64)
    right, detected = (above * of_class) @ by_recording, above @ by_recording
    examples = np.broadcast_to(of_class @ by_recording, right.shape)
    shares = []
    for positives, total in ((right, detected), (right, examples)):
        effective = effective_number(positives, total, level=level)
        k, n = positives.sum(axis=1), total.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append((k / n, share_interval(k, n, effective=effective, level=level)))
    (precision, of_precision), (recall, of_recall) = shares
    return PrecisionRecall(
        thresholds=at,
        precision=precision,
        recall=recall,
        precision_interval=of_precision,
        recall_interval=of_recall,
        n_detections=above.sum(axis=1).astype(np.int64),
        level=level,
    )


@dataclass(frozen=True, eq=False)
class ScoreBins:
    """What scores mean: in bins of score, the share of windows that hold the class.

    Every array is ``[n_bins]``; ``score`` and ``share`` are NaN where a bin is empty. ``interval``
    is ``[n_bins, 2]``, ``n_labels`` how many answers a bin has.
    """

    low: Floats
    high: Floats
    score: Floats
    share: Floats
    interval: Floats
    n_labels: NDArray[np.int64]


def score_bins(
    labels: StratifiedLabels, *, n_bins: int = ECE_BINS, level: float = LEVEL
) -> ScoreBins:
    """Sort labelled windows into bins of score; answers of a study count for what they stand for.

    Scores lie from 0 to 1. They are no probabilities: where the share is far from the score,
    `explorer.classify.calibration` makes them some.

    >>> labels = StratifiedLabels.plain([0.15, 0.15, 0.9], [False, True, True])
    >>> found = score_bins(labels, n_bins=2)
    >>> found.share.tolist(), found.n_labels.tolist()
    ([0.5, 1.0], [2, 1])
    """
    found = reliability(np.clip(labels.scores, 0, 1), labels, n_bins=n_bins)
    bins = np.minimum((np.clip(labels.scores, 0, 1) * n_bins).astype(np.int64), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    weights = labels.window_weights
    with np.errstate(invalid="ignore", divide="ignore"):
        # Kish's effective number: unequal weights are worth fewer answers.
        effective = np.bincount(bins, weights, n_bins) ** 2 / np.bincount(bins, weights**2, n_bins)
    interval = share_interval(found.share * counts, counts, effective=effective, level=level)
    edges = np.linspace(0, 1, n_bins + 1)
    return ScoreBins(edges[:-1], edges[1:], found.probability, found.share, interval, counts)


@dataclass(frozen=True, eq=False)
class Confusions:
    """What of each class is missed, and what is taken for it, among labelled windows.

    Attributes
    ----------
    found
        Examples at or above their class's threshold, int64 ``[n_classes]``.
    missed
        Examples of a class (row) below its threshold, by the class that they are taken for instead:
        the one whose threshold they clear by most; the last column is for none.
    mistaken
        Windows at or above the threshold of a class (row) that are not of it, by the class that
        they are of; the last column is for those of none of the classes.
    """

    found: NDArray[np.int64]
    missed: NDArray[np.int64]
    mistaken: NDArray[np.int64]


def confusions(truth: ArrayLike, scores: ArrayLike, thresholds: ArrayLike) -> Confusions:
    """Count what is mixed up.

    Parameters
    ----------
    truth
        1 is of the class, 0 is not, NaN nobody has said, ``[n, n_classes]``; see `Labelled`.
    scores
        Of windows that nothing was learnt from, ``[n, n_classes]``; NaN counts as below.
    thresholds
        Of each class, ``[n_classes]``.

    Examples
    --------
    >>> found = confusions([[1, np.nan], [1, np.nan], [0, 1]], [[0.9, 0], [0.1, 0.7], [0.8, 0.9]],
    ...                    [0.5, 0.5])
    >>> found.found.tolist(), found.missed.tolist(), found.mistaken.tolist()
    ([1, 1], [[0, 1, 0], [0, 0, 0]], [[0, 1, 0], [1, 0, 0]])
    """
    said = np.asarray(truth, np.float64)
    margin = np.nan_to_num(np.asarray(scores, np.float64) - np.asarray(thresholds), nan=-np.inf)
    n_classes = said.shape[1]
    positive, above = said > 0.5, margin >= 0
    not_of = others_of(said)
    missed, mistaken = np.zeros((2, n_classes, n_classes + 1), np.int64)
    for column in range(n_classes):
        lost = positive[:, column] & ~above[:, column]
        rival = np.where(positive[lost] | ~above[lost], -np.inf, margin[lost])
        instead = np.where(np.isfinite(rival).any(axis=1), rival.argmax(axis=1), n_classes)
        missed[column] = np.bincount(instead, minlength=n_classes + 1)
        wrong = not_of[:, column] & above[:, column]
        first = positive[wrong].argmax(axis=1)
        instead = np.where(positive[wrong].any(axis=1), first, n_classes)
        mistaken[column] = np.bincount(instead, minlength=n_classes + 1)
    return Confusions((positive & above).sum(axis=0), missed, mistaken)


def others_of(truth: ArrayLike) -> NDArray[np.bool_]:
    """Which windows count as not of each class, ``[n, n_classes]``.

    Those of which it was said, and examples of another class that nobody was asked about.

    >>> others_of([[0, np.nan], [np.nan, 1], [np.nan, np.nan]]).tolist()
    [[True, False], [True, False], [False, False]]
    """
    said = np.asarray(truth, np.float64)
    return (said < 0.5) | (np.isnan(said) & (said > 0.5).any(axis=1, keepdims=True))
