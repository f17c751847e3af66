"""Is an adapted classifier better than it was? What labels say, and what can be guessed without.

With labels of the new place, both classifiers rank the labelled windows, and the difference comes
with an interval: whole recordings are drawn again and again, so that windows of one recording do
not count as so many witnesses (`change_on_labels`). Without labels nobody can know. `estimate`
shows what has changed, and how much of the order is left in which a class ranks the windows:
where adapting goes badly wrong, that is lost. `advice` says in words whether to keep the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from explorer.classify.adaptation_losses import entropy
from explorer.classify.metrics import average_precision, macro_mean, roc_auc
from explorer.errors import ParameterError
from explorer.space.neighbours import NeighbourGraph

Values = NDArray[np.float64]

DRAWS = 400
"""How often recordings are drawn again for an interval."""
COVERAGE = 0.95
WORSE_BY = 0.01
"""A fall of the mean ROC-AUC or average precision by more than this is worse."""
FEWEST_POSITIVES = 3
"""Classes with fewer positive labels say nothing about a change."""
LEAST_ORDER = 0.2
"""Least rank correlation of a class's scores before and after. Of 364 cases of real and simulated
changes of place, some of them adapted far too fast, it refuses 45 of the 47 that lost over .1 of
cmAP and 2 of the 292 that lost nothing; small losses cannot be seen without labels."""
ROWS_AT_A_TIME = 16_384


@dataclass(frozen=True)
class Measure:
    """One measure before and after adapting.

    Attributes
    ----------
    before, after
        The value, from 0 to 1.
    low, high
        The interval of their difference, 95 %.
    """

    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before

    def __str__(self) -> str:
        return (
            f"{self.before:.2f} -> {self.after:.2f} "
            f"({self.change:+.2f}, 95 %: {self.low:+.2f} to {self.high:+.2f})"
        )


@dataclass(frozen=True)
class LabelledChange:
    """How the ranking of labelled windows has changed; see `change_on_labels`.

    Attributes
    ----------
    classes
        Names of the classes that are measured.
    positives
        Positive labels of each.
    roc_auc, average_precision
        One `Measure` for each class.
    mean_roc_auc, mean_average_precision
        Of the means over these classes.
    """

    classes: tuple[str, ...]
    positives: tuple[int, ...]
    roc_auc: tuple[Measure, ...]
    average_precision: tuple[Measure, ...]
    mean_roc_auc: Measure
    mean_average_precision: Measure


def change_on_labels(
    labels: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    known: ArrayLike | None = None,
    recordings: ArrayLike | None = None,
    seed: int = 0,
) -> LabelledChange:
    """Compare two classifiers on the labels that there are of the new place.

    Parameters
    ----------
    labels
        Booleans ``[n, n_classes]``: whether the window is of the class.
    before, after
        Scores of the source and of the adapted classifier, ``[n, n_classes]``.
    classes
        Names; numbers if None.
    known
        Booleans ``[n, n_classes]``: whether somebody has judged the window for the class. All if
        None.
    recordings
        Which recording each window is of, ``[n]``; each window is one by itself if None.

    Raises
    ------
    ParameterError
        No class has 3 positive labels and a negative one.

    Examples
    --------
    >>> labels = np.repeat([[True], [False]], 10, axis=0)
    >>> better = labels + 0.1
    >>> worse = np.tile([[0.0], [1.0]], (10, 1))
    >>> change_on_labels(labels, worse, better).mean_roc_auc.after
    1.0
    """
    truth = np.asarray(labels, bool)
    sides = [np.asarray(values, np.float64) for values in (before, after)]
    mask = np.ones(truth.shape, bool) if known is None else np.asarray(known, bool)
    shapes = [array.shape for array in (truth, *sides, mask)]
    if truth.ndim != 2 or len(set(shapes)) > 1:
        raise ParameterError(
            f"labels, scores before and after, and what is known have shapes {shapes}; all must be "
            "[n_windows, n_classes]"
        )
    scores = np.stack(sides)
    mask = mask & np.isfinite(scores).all(axis=0)
    scores = np.where(mask, scores, 0.0)
    positives, negatives = (truth & mask).sum(axis=0), (~truth & mask).sum(axis=0)
    chosen = np.flatnonzero((positives >= FEWEST_POSITIVES) & (negatives > 0))
    if not len(chosen):
        raise ParameterError(
            f"no class has {FEWEST_POSITIVES} positive labels and a negative one at the new place; "
            "label more windows, or look at estimate(...)"
        )
    truth, mask, scores = truth[:, chosen], mask[:, chosen], scores[:, :, chosen]
    names = np.arange(len(positives)) if classes is None else np.asarray(classes)

    def both(rows: NDArray[np.int64]) -> Values:
        """``[2 measures, before and after, n_classes]``."""
        return np.stack(
            [
                [measure(truth[rows], side[rows], mask=mask[rows]) for side in scores]
                for measure in (roc_auc, average_precision)
            ]
        )

    drawn = np.stack([both(rows) for rows in _draws(recordings, len(truth), seed)])
    whole = both(np.arange(len(truth)))
    of_classes = [
        tuple(_measure(whole[which, :, at], drawn[:, which, :, at]) for at in range(len(chosen)))
        for which in (0, 1)
    ]
    means = [
        _measure(
            np.array([macro_mean(side) for side in whole[which]]),
            np.array([[macro_mean(side) for side in one[which]] for one in drawn]),
        )
        for which in (0, 1)
    ]
    return LabelledChange(
        tuple(str(names[at]) for at in chosen),
        tuple(int(positives[at]) for at in chosen),
        of_classes[0],
        of_classes[1],
        means[0],
        means[1],
    )


def _draws(recordings: ArrayLike | None, n_rows: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of recordings drawn with replacement, so often."""
    rng = np.random.default_rng(seed)
    given = np.arange(n_rows) if recordings is None else np.asarray(recordings)
    _, of = np.unique(given, return_inverse=True)
    order = np.argsort(of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    picks = rng.integers(len(groups), size=(DRAWS, len(groups)))
    return [np.concatenate([groups[at] for at in pick]) for pick in picks]


def _measure(whole: Values, drawn: Values) -> Measure:
    change = drawn[:, 1] - drawn[:, 0]
    change = change[np.isfinite(change)]
    edges = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    low, high = np.quantile(change, edges) if len(change) else (-1.0, 1.0)
    return Measure(float(whole[0]), float(whole[1]), float(low), float(high))


@dataclass(frozen=True, eq=False)
class Estimate:
    """What has changed without labels: signs, and no proof; see `estimate`.

    Attributes
    ----------
    prevalence_before, prevalence_after
        Mean probability of each class over the windows, float64 ``[n_classes]``.
    entropy_before, entropy_after
        How undecided the classifier is, from 0. Less is not better by itself: a classifier that is
        surely wrong has none.
    agreement_before, agreement_after
        How alike the probabilities of neighbouring windows are, from 0 to 1.
    order
        How much of the order is left in which each class ranks the windows: rank correlation
        before and after, float64 ``[n_classes]``. 1 is the same order, 0 has nothing to do with it.
    """

    prevalence_before: Values
    prevalence_after: Values
    entropy_before: float
    entropy_after: float
    agreement_before: float
    agreement_after: float
    order: Values


def estimate(
    before: ArrayLike,
    after: ArrayLike,
    graph: NeighbourGraph,
    *,
    multi_label: bool = True,
) -> Estimate:
    """Describe what has changed in the probabilities, where there are no labels to tell.

    Parameters
    ----------
    before, after
        Probabilities of the source and of the adapted classifier, ``[n, n_classes]``.
    graph
        Neighbours of the windows, by their embeddings as they came.

    Examples
    --------
    >>> from explorer.space.neighbours import knn_graph
    >>> graph = knn_graph([[0.0], [0.1], [5.0], [5.1]], 1)
    >>> found = estimate([[0.9], [0.1], [0.9], [0.1]], [[0.9], [0.9], [0.1], [0.1]], graph)
    >>> round(found.agreement_before, 1), round(found.agreement_after, 1)
    (0.2, 1.0)
    """
    sides = [np.asarray(values, np.float64) for values in (before, after)]
    if sides[0].shape != sides[1].shape or len(sides[0]) != len(graph):
        raise ParameterError(
            f"probabilities {sides[0].shape} and {sides[1].shape}, and a graph of {len(graph)} "
            "windows: all must be of the same windows and classes"
        )
    fine = np.asarray(np.isfinite(np.concatenate(sides, axis=1)).all(axis=1))
    found = []
    for p in sides:
        certainty = entropy(torch.from_numpy(p[fine]), multi_label=multi_label)
        agreement = _agreement(np.where(fine[:, None], p, 0.0), fine, graph.indices)
        found.append((p[fine].mean(axis=0), float(certainty.mean()), agreement))
    (p0, e0, a0), (p1, e1, a1) = found
    return Estimate(p0, p1, e0, e1, a0, a1, _order(sides[0][fine], sides[1][fine]))


def _order(before: Values, after: Values) -> Values:
    """Spearman's rank correlation of each column; 1 where there was no order to lose."""
    one, other = (rankdata(p, axis=0) for p in (before, after))
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    size = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))
    had_none = (one == 0).all(axis=0)
    return np.where(had_none, 1.0, (one * other).sum(axis=0) / np.where(size > 0, size, 1.0))


def _agreement(p: Values, fine: NDArray[np.bool_], indices: NDArray[np.int32]) -> float:
    """One less the mean distance of probabilities from their neighbours' mean."""
    apart, counted = 0.0, 0
    for start in range(0, len(p), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        near = indices[rows]
        counts = np.logical_and(near >= 0, fine[near]) & fine[rows, None]
        mean = (p[near] * counts[:, :, None]).sum(axis=1)
        mean /= np.maximum(counts.sum(axis=1), 1)[:, None]
        linked = counts.any(axis=1)
        apart += float(np.abs(p[rows] - mean)[linked].mean(axis=1).sum())
        counted += int(linked.sum())
    return 1 - apart / counted if counted else 1.0


@dataclass(frozen=True)
class Advice:
    """Whether to keep an adapted classifier, and why.

    Attributes
    ----------
    keep
        False where it should be undone.
    why
        A sentence or two.
    on_labels
        Whether labels say so; else it is an estimate.
    """

    keep: bool
    why: str
    on_labels: bool


def advice(evidence: LabelledChange | Estimate) -> Advice:
    """Say whether to keep an adapted classifier.

    On labels: unless the mean ROC-AUC or average precision has fallen by more than .01. Without: an
    estimate, which refuses a classifier that ranks the windows in quite another order than before.
    """
    if isinstance(evidence, LabelledChange):
        return _on_labels(evidence)
    lost = evidence.order < LEAST_ORDER
    if lost.any():
        why = (
            f"{lost.sum()} of {len(lost)} classes rank the windows in an order that has little to "
            f"do with the one before (rank correlation down to {evidence.order.min():.2f}): more "
            "likely gone astray than mended."
        )
    else:
        why = "Nothing speaks against it."
    said = f"An estimate, as there are no labels of the new place. {why} Label some to be sure."
    return Advice(not lost.any(), said, on_labels=False)


def _on_labels(change: LabelledChange) -> Advice:
    both = change.mean_average_precision, change.mean_roc_auc
    keep = min(one.change for one in both) >= -WORSE_BY
    certain = all(one.low > 0 for one in both) or any(one.high < 0 for one in both)
    why = (
        f"On {sum(change.positives)} positive labels of {len(change.classes)} classes, average "
        f"precision {both[0]}, ROC-AUC {both[1]}."
    )
    return Advice(keep, why if certain else f"{why} It may be chance: label more.", on_labels=True)
