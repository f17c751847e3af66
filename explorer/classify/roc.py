"""The ROC curve of a class in recordings left out, whose area is the AUC, with an interval.

Scores of different parts of a trial come from different classifiers, so windows are compared within
their part only, as in `explorer.classify.trial`. The curve is the mean of the parts' curves at each
share of false alarms, each part counting as many times as it has pairs to compare; and the mean of
two such curves, against labelled windows and against unlabelled ones. So its area is exactly the
AUC that is told.

The interval is that of the AUC of independent windows (Hanley and McNeil 1982), inverted as Wilson
does for a share (Newcombe 2006, method 5), so that an AUC of 1 from six windows has one too; and
widened by how much the AUC changes when whole recordings are left out of the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from explorer.classify.density import LEVEL, check_interval, ends
from explorer.classify.trial import LABELLED, UNLABELLED, Match

Floats = NDArray[np.float64]

HALVINGS = 50


@dataclass(frozen=True, eq=False)
class Roc:
    """A ROC curve, its area, and an interval of that.

    Attributes
    ----------
    false_alarms, found
        Share of other windows and of examples at or above a threshold that falls; the curve is
        straight in between, ``[n_points]`` from (0, 0) to (1, 1).
    auc, low, high
        The area, NaN where nothing can be compared; and the interval that holds the true value
        with probability ``level``.
    n_examples, n_others
        Windows that were compared.
    """

    false_alarms: Floats
    found: Floats
    auc: float
    low: float
    high: float
    level: float
    n_examples: int
    n_others: int


def roc_of_matches(
    matches: Iterable[Match], groups: Sequence[object] | ArrayLike, *, level: float = LEVEL
) -> Roc:
    """The curve of one class from what a trial compares.

    Parameters
    ----------
    matches
        Of `Trial.matches`.
    groups
        The recording of each labelled window, ``[n_labelled]``.
    """
    check_interval(level)
    codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    parts = [match for match in matches if len(match.scores) and len(match.others)]
    curves, areas = [], []
    for kind in (LABELLED, UNLABELLED):
        of_kind = [match for match in parts if match.kind == kind]
        if of_kind:
            pairs = np.array([len(m.scores) * len(m.others) for m in of_kind], np.float64)
            drawn = [_curve(match.scores, match.others) for match in of_kind]
            curves.append(_mean_curve(drawn, pairs / pairs.sum()))
            areas.append(_Areas.of(of_kind, codes))
    n_examples = len(np.unique(np.concatenate([np.zeros(0, int), *(m.rows for m in parts)])))
    n_others = sum(len(m.others) for m in parts if m.kind == LABELLED)
    n_others += max((len(m.others) for m in parts if m.kind == UNLABELLED), default=0)
    if not curves:
        nothing = np.array([0.0, 1.0])
        return Roc(nothing, nothing, np.nan, 0.0, 1.0, level, n_examples, n_others)
    false_alarms, found = _mean_curve(curves, np.full(len(curves), 1 / len(curves)))
    auc = float(np.mean([area.value for area in areas]))
    low, high = _interval(auc, n_examples, n_others, _without_each(areas), level)
    return Roc(false_alarms, found, auc, low, high, level, n_examples, n_others)


def roc_of_scores(
    scores: ArrayLike,
    positive: ArrayLike,
    groups: Sequence[object] | ArrayLike,
    *,
    level: float = LEVEL,
) -> Roc:
    """The curve of windows that one classifier scored, none of which it learnt from.

    >>> found = roc_of_scores([0.9, 0.8, 0.8, 0.1], [True, False, True, False], list("abcd"))
    >>> found.auc, found.found.tolist()
    (0.875, [0.0, 0.5, 1.0, 1.0])
    """
    values, of_class = np.asarray(scores, np.float32), np.asarray(positive, bool)
    rows, others = np.flatnonzero(of_class), np.flatnonzero(~of_class)
    match = Match(LABELLED, values[rows], values[others], rows, others)
    return roc_of_matches([match], groups, level=level)


def auc_interval(
    auc: float, n_examples: int, n_others: int, *, design: float = 1.0, level: float = LEVEL
) -> tuple[float, float]:
    """The AUCs from which this one is no further than chance brings it.

    Parameters
    ----------
    design
        By how much the variance is larger than with independent windows.

    >>> low, high = auc_interval(1.0, 6, 20)
    >>> round(low, 2), high
    (0.85, 1.0)
    """
    z = float(ndtri(ends(level)[1]))

    def inside(theta: float) -> bool:
        spread = design * _variance(theta, n_examples, n_others)
        return abs(auc - theta) <= z * np.sqrt(spread)

    def edge(outside: float) -> float:
        if inside(outside):
            return outside
        near = auc
        for _ in range(HALVINGS):
            middle = (near + outside) / 2
            near, outside = (middle, outside) if inside(middle) else (near, middle)
        return near

    return edge(0.0), edge(1.0)


def _variance(theta: float, n_examples: int, n_others: int) -> float:
    """Of an AUC, after Hanley and McNeil, with the sizes that Newcombe's method 5 takes."""
    mean = (n_examples + n_others) / 2
    both = (1 - theta) / (2 - theta) + theta / (1 + theta)
    return theta * (1 - theta) * (1 + (mean - 1) * both) / (n_examples * n_others)


def _interval(
    auc: float, n_examples: int, n_others: int, without: Floats, level: float
) -> tuple[float, float]:
    design = 1.0
    usual = _variance(auc, n_examples, n_others)
    if len(without) > 1 and usual > 0:
        jackknife = (len(without) - 1) * without.var()
        design = max(1.0, float(jackknife / usual))
    return auc_interval(auc, n_examples, n_others, design=design, level=level)


@dataclass(frozen=True, eq=False)
class _Areas:
    """Pairs of one kind: won and tried, in all and with a window of each recording, ``[2, ...]``.

    With what a recording's windows win and lose set aside, the AUC without it is known at once.
    """

    total: Floats
    of_group: Floats

    @classmethod
    def of(cls, matches: Sequence[Match], codes: NDArray[np.intp]) -> _Areas:
        n = int(codes.max()) + 1
        total, of_group = np.zeros(2), np.zeros((2, n))
        for match in matches:
            ahead = match.scores[:, None] - match.others
            won = (ahead > 0) + (ahead == 0) / 2
            own = codes[match.rows]
            total += won.sum(), won.size
            of_group[0] += np.bincount(own, won.sum(axis=1), n)
            of_group[1] += np.bincount(own, minlength=n) * won.shape[1]
            if match.other_rows is None:
                continue
            other = codes[match.other_rows]
            of_group[0] += np.bincount(other, won.sum(axis=0), n)
            of_group[1] += np.bincount(other, minlength=n) * won.shape[0]
            # Pairs of one recording were counted on both sides.
            same = own[:, None] == other
            within = np.broadcast_to(own[:, None], same.shape)[same]
            of_group[0] -= np.bincount(within, won[same], n)
            of_group[1] -= np.bincount(within, minlength=n)
        return cls(total, of_group)

    @property
    def value(self) -> float:
        return float(self.total[0] / self.total[1])


def _without_each(areas: Sequence[_Areas]) -> Floats:
    """The AUC without each of the recordings that matter to it."""
    left = [area.total[:, None] - area.of_group for area in areas]
    matters = np.any([area.of_group[1] > 0 for area in areas], axis=0)
    whole = np.all([rest[1] > 0 for rest in left], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.mean([rest[0] / rest[1] for rest in left], axis=0)
    return np.asarray(found[matters & whole])


def _curve(scores: NDArray[np.float32], others: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Points of one curve; equal scores are one straight step."""
    steps = np.unique(np.concatenate([scores, others]))[::-1]
    found, false_alarms = (
        np.searchsorted(-np.sort(values)[::-1], -steps, side="right") / len(values)
        for values in (scores, others)
    )
    return np.r_[0.0, false_alarms], np.r_[0.0, found]


def _mean_curve(curves: Sequence[tuple[Floats, Floats]], weights: Floats) -> tuple[Floats, Floats]:
    """The weighted mean of curves over the share of false alarms, upright steps and all."""
    places = np.unique(np.concatenate([x for x, _ in curves]))
    below, above = np.zeros((2, len(places)))
    for (x, y), weight in zip(curves, weights, strict=True):
        at, first = np.unique(x, return_index=True)
        last = np.r_[first[1:], len(x)] - 1
        foot, head = y[first], y[last]
        known = np.isin(places, at)
        # Between two places a curve goes from the head of the one to the foot of the next.
        after = np.clip(np.searchsorted(at, places, side="left"), 1, len(at) - 1)
        share = (places - at[after - 1]) / (at[after] - at[after - 1])
        between = head[after - 1] + share * (foot[after] - head[after - 1])
        here = np.clip(np.searchsorted(at, places), 0, len(at) - 1)
        below += weight * np.where(known, foot[here], between)
        above += weight * np.where(known, head[here], between)
    x = np.repeat(places, 2)
    y = np.stack([below, above], axis=1).ravel()
    kept = np.r_[True, (np.diff(x) > 0) | (np.diff(y) > 0)]
    return x[kept], y[kept]
