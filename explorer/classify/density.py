"""How much of a sound there is: the share of windows that hold it, with an interval.

Counting the windows above a threshold counts the classifier's mistakes too, and no threshold is
right at every site. Call density (Navine et al. 2024, "All Thresholds Barred") does without: people
answer yes or no for windows drawn at random from each bin of score (see `labelling_plan`), and the
bins' shares turn the answers into the share of all windows, with an interval that says how far a
hundred answers can be trusted. The same answers tell how well the classifier ranks, and how many
more of which bin would narrow the interval. For sites, see `site_density`.

Where a number is not defined it is NaN, and ``message`` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from explorer.classify.labelling_plan import Floats, Rows, StratifiedLabels
from explorer.errors import ParameterError

PRIOR = 0.1
"""Answers of each kind that a bin is taken to have had before the first (golden/README.md 3.3)."""
JEFFREYS = 0.5
"""The same, after Jeffreys: wider and higher where a sound is rare."""
EPSILON = 1e-6
"""Added to the number of answers of a bin, as in the reference (golden/README.md 3.3)."""
LEVEL = 0.9
"""Intervals run from the 5 to the 95 percent quantile (golden/README.md 3.3)."""
DRAWS = 100_000
"""Draws of the posterior: with the reference's 10,000, quantiles of few labels vary by .01."""
AUC_DRAWS = 2_000
MOST_MORE = 20_000
"""More labels of one bin than anyone would make."""


@dataclass(frozen=True)
class Estimate:
    """A number with an interval.

    Attributes
    ----------
    value
        The number itself; NaN where it is not defined.
    low, high
        Ends of the interval that holds the true value with probability ``level``.
    level
        That probability.
    n_labels
        Answers that it is made of.
    message
        Why something is NaN or should be doubted; empty where all is well.
    """

    value: float
    low: float
    high: float
    level: float
    n_labels: int
    message: str = ""

    def __str__(self) -> str:
        text = f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"
        return f"{text}; {self.message}" if self.message else text


def density(
    labels: StratifiedLabels,
    *,
    prior: float = PRIOR,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """The share of windows that hold the class.

    The value is the sum over bins of the bin's share of windows times its share of yes answers. The
    interval comes from beta distributions of the latter (Navine et al. 2024; golden/README.md 3.3),
    whose mean lies above the value while answers are few: see `posterior_moments`.

    Parameters
    ----------
    labels
        Answers; unsure ones are left out.
    prior
        0.1 as published, or `JEFFREYS`.
    level
        Probability of the interval.
    draws, seed
        How many draws, and of which stream.

    Examples
    --------
    >>> labels = StratifiedLabels.plain(np.arange(50.0), np.arange(50) >= 45)
    >>> print(density(labels))
    0.1 (0.0421 to 0.179)
    """
    check_interval(level, prior)
    drawn = posterior_rates(labels, prior=prior, draws=draws, seed=seed) @ labels.weights
    unheard = unanswered_bins(labels)
    value = np.nan if unheard else float(labels.weights @ yes_rates(labels))
    return _estimate(value, drawn, level, labels, unheard)


def posterior_moments(labels: StratifiedLabels, *, prior: float = PRIOR) -> tuple[float, float]:
    """Mean and standard deviation of the density's posterior, in closed form.

    >>> labels = StratifiedLabels.plain([1.0, 2.0], [True, False])
    >>> posterior_moments(labels, prior=1.0)
    (0.5, 0.22360679774997896)
    """
    yes, no = labels.positives + prior, labels.negatives + prior
    mean = labels.weights @ (yes / (yes + no))
    return float(mean), float(np.sqrt(_variances(labels, prior).sum()))


def ranking_auc(
    labels: StratifiedLabels,
    *,
    ties: bool = True,
    prior: float = PRIOR,
    level: float = LEVEL,
    draws: int = AUC_DRAWS,
    seed: int = 0,
) -> Estimate:
    """ROC-AUC over all windows, from the answers: the chance that a call outscores another window.

    Bins stand for their share of the windows (golden/README.md 3.3, step 5). The interval draws the
    bins' shares of yes answers from their beta distributions, and weighs the answered windows of a
    bin anew each time (Bayesian bootstrap).

    Parameters
    ----------
    ties
        Count half of the pairs of equal score; False, as in the reference, counts none.
    """
    check_interval(level, prior)
    value, message = np.nan, unanswered_bins(labels)
    if not message:
        answered = labels.positives + labels.negatives + EPSILON
        yes, no = labels.positives / answered, labels.negatives / answered
        value = float(_auc(labels.weights, yes, no, _auc_within_bins(labels, ties))[0])
        if np.isnan(value):
            message = (
                f"the {len(labels)} answers are all {'yes' if labels.positive.any() else 'no'}: "
                "there is nothing to rank until some are not"
            )
    rng = np.random.default_rng(seed)
    yes = posterior_rates(labels, prior=prior, draws=draws, seed=seed)
    drawn = _auc(labels.weights, yes, 1 - yes, _auc_within_bins(labels, ties, draws, rng))
    return _estimate(value, drawn, level, labels, message)


@dataclass(frozen=True, eq=False)
class LabelsNeeded:
    """How many more windows of which bin to label; see `labels_needed`.

    Attributes
    ----------
    per_bin
        More answers of each bin, ``[n_bins]``; hand it to `LabellingPlan.to_label`.
    half_width
        Half the width of the interval that is to be expected then.
    message
        A sentence for the user.
    """

    per_bin: Rows
    half_width: float
    message: str

    @property
    def total(self) -> int:
        """How many in all."""
        return int(self.per_bin.sum())


def labels_needed(
    labels: StratifiedLabels,
    half_width: float,
    *,
    available: Sequence[int] | NDArray[np.integer] | None = None,
    prior: float = PRIOR,
    level: float = LEVEL,
) -> LabelsNeeded:
    """How many more windows to label, and of which bins, to know the density to ± ``half_width``.

    Each answer is asked where it is expected to narrow the interval most: in bins that hold many
    windows and about whose share of calls most doubt is left (Neyman's allocation). With s answers
    (and prior) in a bin, n more are expected to bring the variance of its share of calls down to
    s / (s + n) of what it is.

    Parameters
    ----------
    half_width
        Half the width of the interval, as a share of windows: 0.01 is one window in a hundred.
    available
        Windows of each bin that are left to label (`LabellingPlan.remaining`).

    Examples
    --------
    >>> labels = StratifiedLabels.plain(np.arange(50.0), np.arange(50) >= 45)
    >>> print(labels_needed(labels, 0.03).message)
    label 219 more (219 of bin 1) to know the density to ±0.03
    """
    check_interval(level, prior)
    if not 0 < half_width < 1:
        raise ParameterError(f"half_width is a share of windows between 0 and 1, not {half_width}")
    z = float(ndtri(ends(level)[1]))
    left = np.full(labels.n_bins, MOST_MORE) if available is None else np.asarray(available)
    if left.shape != (labels.n_bins,):
        raise ParameterError(f"available has shape {left.shape}; give one number for each bin")
    variances = _variances(labels, prior)
    answers = labels.positives + labels.negatives + 2 * prior
    # What every further answer takes off; the greedy choice of the best is the best choice, as
    # the gains of a bin only fall.
    steps = [np.arange(count + 1) for count in np.clip(left, 0, MOST_MORE)]
    gains = [
        -np.diff(variance * size / (size + step))
        for variance, size, step in zip(variances, answers, steps, strict=True)
    ]
    bins = np.repeat(np.arange(labels.n_bins), [len(gain) for gain in gains])
    order = np.argsort(-np.concatenate(gains), kind="stable")
    reached = variances.sum() - np.r_[0.0, np.cumsum(np.concatenate(gains)[order])]
    enough = reached <= (half_width / z) ** 2
    n = int(np.argmax(enough)) if enough.any() else len(order)
    per_bin = np.bincount(bins[order[:n]], minlength=labels.n_bins)
    expected = z * float(np.sqrt(max(reached[n], 0.0)))
    return LabelsNeeded(per_bin, expected, _advice(per_bin, expected, half_width, enough.any()))


def expected_half_width(
    weights: ArrayLike,
    rates: ArrayLike,
    n_labels: ArrayLike,
    *,
    prior: float = PRIOR,
    level: float = LEVEL,
) -> float:
    """To ± what the density will be known, before the first answer, if a guess is right.

    Parameters
    ----------
    weights
        Share of all windows that is in each bin, ``[n_bins]``.
    rates
        A guess of the share of calls in each bin.
    n_labels
        How many of each are to be labelled.

    Examples
    --------
    >>> round(expected_half_width([0.75, 0.25], [0.02, 0.5], [25, 25]), 3)
    0.054
    >>> round(expected_half_width([0.75, 0.25], [0.02, 0.5], [100, 100]), 3)
    0.027
    """
    check_interval(level, prior)
    n = np.asarray(n_labels, np.float64)
    yes = np.asarray(rates, np.float64) * n + prior
    total = n + 2 * prior
    variances = np.asarray(weights) ** 2 * yes * (total - yes) / (total**2 * (total + 1))
    return float(ndtri(ends(level)[1]) * np.sqrt(variances.sum()))


def yes_rates(labels: StratifiedLabels) -> Floats:
    """The share of yes answers of each bin, ``[n_bins]``; 0 where there are no answers."""
    return labels.positives / (labels.positives + labels.negatives + EPSILON)


def posterior_rates(
    labels: StratifiedLabels, *, prior: float = PRIOR, draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Draws of each bin's share of calls, ``[draws, n_bins]``: Beta(yes + prior, no + prior)."""
    rng = np.random.default_rng(seed)
    yes, no = labels.positives + prior, labels.negatives + prior
    return rng.beta(yes, no, size=(draws, labels.n_bins))


def unanswered_bins(labels: StratifiedLabels) -> str:
    """A sentence that names the bins nobody has answered about; empty where there is none."""
    empty = np.flatnonzero((labels.positives + labels.negatives == 0) & (labels.weights > 0))
    if not len(empty):
        return ""
    names = ", ".join(str(number + 1) for number in empty)
    share = labels.weights[empty].sum()
    return (
        f"no yes or no yet for bin {names} of {labels.n_bins} ({share:.0%} of all windows): "
        "label some there"
    )


def _variances(labels: StratifiedLabels, prior: float) -> Floats:
    """What each bin adds to the variance of the density, ``[n_bins]``."""
    yes, no = labels.positives + prior, labels.negatives + prior
    total = yes + no
    return labels.weights**2 * yes * no / (total**2 * (total + 1))


def _auc(weights: Floats, yes: Floats, no: Floats, within: Floats) -> Floats:
    """ROC-AUC for each row of shares ``[draws, n_bins]``; NaN without calls, or with nothing else.

    Every bin counts, the highest too: a call there outscores whatever is in the bins below.
    """
    yes, no = np.atleast_2d(weights * yes), np.atleast_2d(weights * no)
    density = yes.sum(axis=1)
    below = np.cumsum(no, axis=1) - no
    won = (yes * (below + within * no)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((density > 0) & (density < 1), won / (density * (1 - density)), np.nan)


def _auc_within_bins(
    labels: StratifiedLabels, ties: bool, draws: int = 1, rng: np.random.Generator | None = None
) -> Floats:
    """The share of (yes, no) pairs of a bin in which yes scores higher, ``[draws, n_bins]``.

    With a generator the windows of each bin are weighed at random in every draw. A half where a bin
    has no such pair.
    """
    found = np.full((draws, labels.n_bins), 0.5)
    for number in range(labels.n_bins):
        mine = labels.bins == number
        calls = labels.scores[mine & labels.positive]
        others = labels.scores[mine & ~labels.positive]
        if not len(calls) or not len(others):
            continue
        won = (calls[:, None] > others) + (0.5 if ties else 0.0) * (calls[:, None] == others)
        if rng is None:
            found[:, number] = won.mean()
        else:
            of_calls = rng.dirichlet(np.ones(len(calls)), draws)
            of_others = rng.dirichlet(np.ones(len(others)), draws)
            found[:, number] = ((of_calls @ won) * of_others).sum(axis=1)
    return found


def _advice(per_bin: Rows, expected: float, wanted: float, reached: np.bool_) -> str:
    where = ", ".join(f"{count} of bin {at + 1}" for at, count in enumerate(per_bin) if count)
    if not per_bin.sum():
        return (
            f"the density is known to ±{expected:.2g} already"
            if reached
            else f"all windows are labelled: the density is known to ±{expected:.2g}"
        )
    label = f"label {per_bin.sum()} more ({where}) to know the density to ±{expected:.2g}"
    return label if reached else f"{label}; these windows are too few for ±{wanted:.2g}"


def _estimate(
    value: float, drawn: Floats, level: float, labels: StratifiedLabels, message: str
) -> Estimate:
    # The value lies inside, also where it is 0 or 1 and the prior keeps all draws away from that.
    low, high = np.nanquantile(drawn, ends(level))
    inside = float(np.fmin(low, value)), float(np.fmax(high, value))
    return Estimate(value, *inside, level, len(labels), message)


def ends(level: float) -> tuple[float, float]:
    """The two quantiles that an interval of this probability lies between."""
    return (1 - level) / 2, (1 + level) / 2


def check_interval(level: float, prior: float = PRIOR) -> None:
    """Refuse a level or a prior that cannot be right."""
    if not 0 < level < 1:
        raise ParameterError(f"level is a probability between 0 and 1, not {level}")
    if not prior > 0:
        raise ParameterError(f"prior must be above 0, such as {PRIOR} or {JEFFREYS}, not {prior}")
