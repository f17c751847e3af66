"""How good a ranking is: ROC-AUC and average precision of each class, and their means.

The area under the ROC curve (ROC-AUC) is the chance that a window of the class scores higher than
one that is not; average precision (AP) is the share of right ones met while reading down the list.
All classes are measured at once, on plain arrays.

Windows of equal score are one step here: half of the pairs count for ROC-AUC, and AP takes the
precision at the end of the step, as scikit-learn does. The reference implementation of BIRB (Hamer
et al. 2023) lets the order of the input decide instead, so that constant scores can reach an AUC of
0.07 or 0.98; ``reference_order=True`` reproduces its numbers (golden/README.md 1.4).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError

CELLS_AT_A_TIME = 2_000_000
"""Windows x classes that are sorted at a time: some 150 MB of memory."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """A measure of each class, and the means over the classes.

    Attributes
    ----------
    individual
        float64 ``[n_classes]``; NaN for a class that cannot be measured or has too few positives.
    macro
        The arithmetic mean of those that are not NaN.
    geometric
        Their geometric mean: one class that is not found at all makes it 0.
    """

    individual: Values
    macro: float
    geometric: float


def roc_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    reference_order: bool = False,
) -> Values:
    """Area under the ROC curve of each class.

    Parameters
    ----------
    labels
        1 or True where the window is of the class, ``[n]`` or ``[n, n_classes]``.
    scores
        Higher is more likely, same shape; not NaN.
    mask
        False where a window does not count for a class, ``[n]`` or ``[n, n_classes]``.
    reference_order
        Of equal scores the later row ranks higher, as in BIRB's reference.

    Returns
    -------
    float64 ``[n_classes]`` (one number for ``[n]``): NaN without a positive or without a negative.

    Examples
    --------
    >>> roc_auc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]).item()
    0.875
    """
    return _each(labels, scores, mask, reference_order, _roc_auc)


def roc_variance(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    reference_order: bool = False,
) -> Values:
    """How much the positives of a class differ in the share of negatives ranked above them.

    The population variance over the positives (BIRB); for the arguments see `roc_auc`.

    >>> roc_variance([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]).item()
    0.0625
    """
    return _each(labels, scores, mask, reference_order, _roc_variance)


def average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    interpolated: bool = False,
    reference_order: bool = False,
) -> Values:
    """Average precision of each class; for the arguments see `roc_auc`.

    Parameters
    ----------
    interpolated
        Take for every positive the highest precision at its rank or further down.

    Returns
    -------
    float64 ``[n_classes]`` (one number for ``[n]``): NaN without a positive.

    Examples
    --------
    >>> round(average_precision([1, 0, 1], [0.9, 0.8, 0.7]).item(), 4)
    0.8333
    """
    measure = _interpolated_precision if interpolated else _average_precision
    return _each(labels, scores, mask, reference_order, measure)


def mean_roc_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    least_positives: int = 1,
    reference_order: bool = False,
) -> ClassMeans:
    """ROC-AUC of the classes with at least ``least_positives`` positives, and the means over them.

    A class without negatives is left out with a warning; under ``reference_order`` it makes the
    means NaN, as it does in the reference. For the arguments see `roc_auc`.

    >>> mean_roc_auc(np.eye(2), [[0.9, 0.2], [0.1, 0.8]]).macro
    1.0
    """
    truth, _, valid = _checked(labels, scores, mask)
    positives = (truth & valid).sum(axis=0)
    enough = positives >= max(least_positives, 1)
    auc = np.where(
        enough, roc_auc(truth, scores, mask=valid, reference_order=reference_order), np.nan
    )
    undefined = enough & np.isnan(auc)
    if undefined.any() and reference_order:
        return ClassMeans(auc, np.nan, np.nan)
    if undefined.any():
        columns = ", ".join(map(str, np.flatnonzero(undefined)))
        warnings.warn(
            f"every window is of class (column) {columns}, so that its AUC is not defined; "
            "it is left out of the mean",
            stacklevel=2,
        )
    return ClassMeans(auc, macro_mean(auc), geometric_mean(auc))


def cmap(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    more_than: int = 0,
    interpolated: bool = False,
    reference_order: bool = False,
) -> ClassMeans:
    """AP of the classes with more than ``more_than`` positives, and the means over them (cmAP).

    For the arguments see `average_precision`.

    >>> cmap(np.eye(3), np.eye(3)).macro
    1.0
    """
    truth, _, valid = _checked(labels, scores, mask)
    precision = average_precision(
        truth, scores, mask=valid, interpolated=interpolated, reference_order=reference_order
    )
    precision = np.where((truth & valid).sum(axis=0) > more_than, precision, np.nan)
    return ClassMeans(precision, macro_mean(precision), geometric_mean(precision))


def macro_mean(values: ArrayLike) -> float:
    """The arithmetic mean of those that are not NaN; NaN where all are.

    >>> macro_mean([0.5, float("nan"), 1.0])
    0.75
    """
    known = _known(values)
    return float(known.mean()) if len(known) else np.nan


def geometric_mean(values: ArrayLike) -> float:
    """The geometric mean of those that are not NaN; 0 where one is 0, NaN where all are NaN.

    >>> geometric_mean([0.25, float("nan"), 1.0])
    0.5
    """
    known = _known(values)
    if not len(known):
        return np.nan
    return float(np.exp(np.log(known).mean())) if (known > 0).all() else 0.0


def _known(values: ArrayLike) -> Values:
    array = np.ravel(np.asarray(values, dtype=np.float64))
    return array[~np.isnan(array)]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Windows of some classes from the highest score down, every array ``[n, n_classes]``.

    ``positive`` and ``negative`` say what each window is (neither: masked); the counts are of
    positives and negatives in the steps before its own, and up to the end of its own.
    """

    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    positives_before: Values
    positives_to_end: Values
    negatives_before: Values
    negatives_to_end: Values


def _roc_auc(ranked: _Ranked) -> Values:
    beaten = (ranked.positives_before + ranked.positives_to_end) / 2
    pairs = ranked.positive.sum(axis=0) * ranked.negative.sum(axis=0)
    return np.sum(beaten, axis=0, where=ranked.negative) / pairs


def _roc_variance(ranked: _Ranked) -> Values:
    above = (ranked.negatives_before + ranked.negatives_to_end) / 2 / ranked.negative.sum(axis=0)
    return np.var(above, axis=0, where=ranked.positive)


def _precision(ranked: _Ranked) -> Values:
    met = ranked.positives_to_end + ranked.negatives_to_end
    return ranked.positives_to_end / np.maximum(met, 1)


def _average_precision(ranked: _Ranked) -> Values:
    return np.mean(_precision(ranked), axis=0, where=ranked.positive)


def _interpolated_precision(ranked: _Ranked) -> Values:
    best_below = np.maximum.accumulate(_precision(ranked)[::-1], axis=0)[::-1]
    return np.mean(best_below, axis=0, where=ranked.positive)


def _each(
    labels: ArrayLike,
    scores: ArrayLike,
    mask: ArrayLike | None,
    reference_order: bool,
    measure: Callable[[_Ranked], Values],
) -> Values:
    truth, values, valid = _checked(labels, scores, mask)
    parts = [np.zeros(0)]
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        # A class without a positive or a negative is 0 / 0 below, and NaN is what it is.
        warnings.simplefilter("ignore", RuntimeWarning)
        for ranked in _rankings(truth, values, valid, reference_order):
            parts.append(measure(ranked))
    return np.concatenate(parts).reshape(np.shape(scores)[1:])


def _rankings(
    truth: NDArray[np.bool_],
    scores: NDArray[np.floating],
    valid: NDArray[np.bool_],
    reference_order: bool,
) -> Iterator[_Ranked]:
    """Yield the rankings of a few classes at a time."""
    n, n_classes = scores.shape
    step = max(1, CELLS_AT_A_TIME // max(n, 1))
    for start in range(0, n_classes, step):
        part = slice(start, start + step)
        order = np.argsort(scores[:, part], axis=0, kind="stable")[::-1]
        positive = np.take_along_axis(truth[:, part] & valid[:, part], order, axis=0)
        negative = np.take_along_axis(~truth[:, part] & valid[:, part], order, axis=0)
        counts = [
            np.vstack([np.zeros((1, positive.shape[1])), np.cumsum(kind, axis=0)])
            for kind in (positive, negative)
        ]
        first = np.broadcast_to(np.arange(n)[:, None], order.shape)
        end = first + 1
        if not reference_order:
            first, end = _steps(np.take_along_axis(scores[:, part], order, axis=0))
        before_and_end = [
            np.take_along_axis(count, at, axis=0) for count in counts for at in (first, end)
        ]
        yield _Ranked(positive, negative, *before_and_end)


def _steps(ranked: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the step of equal scores that each row is in begins and ends, ``[n, n_classes]``."""
    n = len(ranked)
    new = np.ones((n + 1, ranked.shape[1]), bool)
    new[1:n] = ranked[1:] != ranked[:-1]
    at = np.arange(n + 1)[:, None]
    first = np.maximum.accumulate(np.where(new[:n], at[:n], 0), axis=0)
    end = np.minimum.accumulate(np.where(new[1:], at[1:], n)[::-1], axis=0)[::-1]
    return first, end


def _checked(
    labels: ArrayLike, scores: ArrayLike, mask: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.floating], NDArray[np.bool_]]:
    """Labels, scores and mask as ``[n, n_classes]``."""
    given, values = np.asarray(labels), np.asarray(scores)
    if given.shape != values.shape or values.ndim not in (1, 2):
        raise ParameterError(
            f"labels have shape {given.shape} and scores {values.shape}; "
            "give both as [n] or [n, n_classes]"
        )
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    if np.isnan(values).any():
        row = int(np.argmax(np.isnan(values).reshape(len(values), -1).any(axis=1)))
        raise ParameterError(f"the scores of row {row} are NaN; leave such windows out first")
    if given.dtype != bool and not np.isin(given, (0, 1)).all():
        raise ParameterError("labels must be 0 or 1 (a soft label has no rank); round them first")
    valid = np.ones(values.shape, bool) if mask is None else np.asarray(mask).astype(bool)
    if valid.shape != values.shape:
        if valid.shape != values.shape[:1]:
            raise ParameterError(
                f"the mask has shape {valid.shape}, and the scores {values.shape}; "
                "give one value a window, or one a window and class"
            )
        valid = np.broadcast_to(valid[:, None], values.shape)
    if values.ndim == 1:
        return given.astype(bool)[:, None], values[:, None], valid[:, None]
    return given.astype(bool), values, valid
