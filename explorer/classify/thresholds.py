"""Thresholds of a wanted precision, and what each threshold finds and misses, with intervals.

A threshold that was right for one species or place is wrong for the next. These come from answers
about windows that were drawn at random, best under a `LabellingPlan`, whose answers stand for all
windows: how many of the detections at or above a threshold are right (precision), and how many of
the calls are among them (recall). To count calls no threshold is needed: see `density`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from explorer.classify.density import JEFFREYS, LEVEL, PRIOR, Estimate, check_interval, ends
from explorer.classify.labelling_plan import Floats, StratifiedLabels
from explorer.errors import ParameterError

DRAWS = 2_000
SURE_STEP = 5
"""Labelled windows between the thresholds that are tried where one must be sure. With all of them
tried, some lucky one passes in 12 of 100 studies instead of the 5 that are meant."""


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall at some thresholds, with intervals; every array is ``[n_thresholds]``.

    Attributes
    ----------
    thresholds
        A window at or above the threshold is a detection.
    precision
        Share of detections that are right; NaN where no labelled window is a detection.
    recall
        Share of the calls that are detected; NaN without a call.
    precision_interval, recall_interval
        float64 ``[n_thresholds, 2]``: low and high.
    n_detections
        Labelled windows at or above the threshold.
    level
        Probability of the intervals.
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    precision_interval: Floats
    recall_interval: Floats
    n_detections: NDArray[np.int64]
    level: float


def precision_recall(
    labels: StratifiedLabels,
    thresholds: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> PrecisionRecall:
    """How many detections are right and how many calls are detected, at each threshold.

    Every labelled window stands for its bin's share of all windows. The intervals draw, for each
    bin, the share of calls at or above the threshold and below it from beta distributions: with
    Jeffreys' prior for precision, as three right ones of three are no certainty, and that of
    `density` for recall, where bins without a call would add up to many.

    Parameters
    ----------
    thresholds
        Default: scores of labelled windows, at most 100.

    Examples
    --------
    >>> labels = StratifiedLabels.plain([0.1, 0.4, 0.6, 0.9], [False, True, False, True])
    >>> curve = precision_recall(labels, [0.5])
    >>> curve.precision, curve.recall
    (array([0.5]), array([0.5]))
    """
    check_interval(level)
    at = np.ravel(np.asarray(some(labels.scores) if thresholds is None else thresholds, float))
    above = labels.scores >= at[:, None]
    in_bin = np.eye(labels.n_bins)[labels.bins]
    # Answers of each threshold and bin, [n_thresholds, n_bins].
    yes_above, no_above = (above & labels.positive) @ in_bin, (above & ~labels.positive) @ in_bin
    yes_below, no_below = labels.positives - yes_above, labels.negatives - no_above
    n_above, n_below = yes_above + no_above, yes_below + no_below
    each = labels.weights / np.maximum(labels.positives + labels.negatives, 1)
    right = (each * yes_above).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = right / (each * n_above).sum(axis=1)
        recall = right / (each * labels.positives).sum()

    rng = np.random.default_rng(seed)
    size = (draws, *yes_above.shape)
    # A bin that the threshold cuts is above it by a share that is only known from its answers.
    drawn_above, drawn_below = rng.gamma(n_above, size=size), rng.gamma(n_below, size=size)

    def drawn_calls(yes: Floats, no: Floats, prior: float, weights: Floats) -> Floats:
        return np.asarray((rng.beta(yes + prior, no + prior, size) * weights).sum(axis=2))

    with np.errstate(invalid="ignore", divide="ignore"):
        share_above = np.nan_to_num(drawn_above / (drawn_above + drawn_below))
        above_it, below_it = labels.weights * share_above, labels.weights * (1 - share_above)
        drawn_precision = drawn_calls(yes_above, no_above, JEFFREYS, above_it) / above_it.sum(
            axis=2
        )
        found = drawn_calls(yes_above, no_above, PRIOR, above_it)
        drawn_recall = found / (found + drawn_calls(yes_below, no_below, PRIOR, below_it))
    return PrecisionRecall(
        thresholds=at,
        precision=precision,
        recall=recall,
        precision_interval=_interval(drawn_precision, precision, level),
        recall_interval=_interval(drawn_recall, recall, level),
        n_detections=above.sum(axis=1),
        level=level,
    )


@dataclass(frozen=True)
class Threshold:
    """A threshold and what is to be expected of it; NaN, with a message, where there is none."""

    value: float
    precision: Estimate
    recall: Estimate
    message: str = ""


def threshold_for_precision(
    labels: StratifiedLabels,
    wanted: float,
    *,
    sure: bool = False,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Threshold:
    """The lowest threshold at which the share of right detections is as wanted.

    The lower the threshold, the more calls are found. Precision is taken to rise with the score:
    among the thresholds that the answers can tell apart (the steps of an isotonic regression) the
    lowest that reaches ``wanted`` is taken, so that a lucky run of answers does not decide.

    Parameters
    ----------
    wanted
        Share of detections that are to be right, between 0 and 1.
    sure
        Ask that the lower end of the interval, not the estimate, reaches ``wanted``. Every fifth
        labelled window is tried then.

    Examples
    --------
    >>> labels = StratifiedLabels.plain(np.arange(40.0), np.arange(40) >= 20)
    >>> found = threshold_for_precision(labels, 0.9)
    >>> found.value, str(found.recall)
    (20.0, '1 (0.972 to 1)')
    """
    check_interval(level)
    if not 0 < wanted < 1:
        raise ParameterError(
            f"the wanted precision lies between 0 and 1 (such as .9), not {wanted}"
        )
    reason = ""
    if not labels.positive.any():
        reason = f"no calls among the {len(labels)} answers: label some high-scoring windows"
    elif sure and len(labels) < SURE_STEP:
        reason = f"{len(labels)} answers are too few to be sure: label {SURE_STEP} or more"
    if reason:
        nothing = Estimate(np.nan, 0.0, 1.0, level, len(labels))
        return Threshold(np.nan, nothing, nothing, reason)
    steps = _every_fifth(labels) if sure else _steps(labels)
    curve = precision_recall(labels, steps, level=level, draws=draws, seed=seed)
    reached = curve.precision_interval[:, 0] if sure else curve.precision
    enough = np.flatnonzero(reached >= wanted)
    at = int(enough[0]) if len(enough) else int(np.argmax(reached))
    precision, recall = (
        Estimate(
            float(value[at]), float(interval[at, 0]), float(interval[at, 1]), level, len(labels)
        )
        for value, interval in (
            (curve.precision, curve.precision_interval),
            (curve.recall, curve.recall_interval),
        )
    )
    if len(enough):
        return Threshold(float(steps[at]), precision, recall)
    reason = (
        f"no threshold is known to give a precision of {wanted:.2g}{' for sure' if sure else ''}; "
        f"the best is {steps[at]:.3g} with {precision}. Label more high-scoring windows"
    )
    return Threshold(np.nan, precision, recall, reason)


def _steps(labels: StratifiedLabels) -> Floats:
    """Scores at which the share of calls rises, ascending (isotonic regression)."""
    order = np.lexsort((~labels.positive, labels.scores))
    scores, positive = labels.scores[order], labels.positive[order].astype(float)
    fitted = isotonic_regression(positive, weights=labels.window_weights[order])
    # Windows of equal score cannot be told apart: a step begins with the first of them.
    starts = np.searchsorted(scores, scores[fitted.blocks[:-1]], side="left")
    return np.unique(scores[starts])


def _every_fifth(labels: StratifiedLabels) -> Floats:
    """Scores of every fifth labelled window from the highest down, ascending; whatever it is."""
    return np.unique(np.sort(labels.scores)[::-1][SURE_STEP - 1 :: SURE_STEP])


def some(scores: ArrayLike) -> Floats:
    """At most 100 of the scores, evenly spaced by rank.

    >>> some([0.5, 0.1, 0.5])
    array([0.1, 0.5])
    """
    known = np.unique(np.asarray(scores, np.float64))
    places = np.unique(np.linspace(0, max(len(known) - 1, 0), 100).astype(int))
    return known[places[: len(known)]]


def _interval(drawn: Floats, value: Floats, level: float) -> Floats:
    """``[n, 2]`` quantiles of ``[draws, n]``, value included; from 0 to 1 where it is not known."""
    low, high = np.quantile(np.where(np.isnan(value), 0.0, drawn), ends(level), axis=0)
    low, high = np.fmin(low, value), np.fmax(high, value)
    unknown = np.isnan(value)
    return np.stack([np.where(unknown, 0.0, low), np.where(unknown, 1.0, high)], axis=1)
