"""Scores as probabilities, with how far they can be trusted.

A classifier's score is no probability: what it means depends on the classifier, the class, and how
common the class is at the place. A `Calibration` learns it from answers about windows that were
drawn at random, best under a `LabellingPlan`: two numbers for a class (Platt scaling), kept with
the classifier. `reliability` tells how near the probabilities are to the truth. To count calls
`density` is better: it needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from explorer.classify.density import LEVEL, ends
from explorer.classify.labelling_plan import Floats, StratifiedLabels
from explorer.classify.weights import check_version
from explorer.errors import ParameterError

FEWEST_LABELS = 50
"""Labels below which a calibration is doubtful (golden/README.md 5.4)."""
ECE_BINS = 10
"""Bins of probability (golden/README.md 5.4)."""
LEAST_PROBABILITY = 1e-6
"""Scores of 0 and 1 are brought this far inside, so that they have a logit."""
NEWTON_STEPS = 100

FORMAT = "explorer calibration"
FORMAT_VERSION = 1

Kind = Literal["platt"]
Scale = Literal["logit", "probability"]


@dataclass(frozen=True)
class Calibration:
    """Turns the scores of one class into probabilities; make one with `fit`.

    The probability of a score z is sigmoid(slope z + offset) (Platt 1999).

    Attributes
    ----------
    kind
        "platt".
    scale
        What the scores are: "logit" (any real number) or "probability" (0 to 1, whose logit is z).
    slope, offset
        The two parameters.
    covariance
        Of slope and offset: variance of each, and their covariance.
    n_positive, n_negative
        Labels that it was made of.
    message
        Why it should be doubted; empty where all is well.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=400)
    >>> calls = rng.random(400) < expit(2 * scores - 1)
    >>> found = Calibration.fit(StratifiedLabels.plain(scores, calls))
    >>> found.probabilities([0.5]).round(1)
    array([0.5])
    >>> Calibration.from_dict(found.to_dict()) == found
    True
    """

    kind: Kind
    scale: Scale
    slope: float
    offset: float
    covariance: tuple[float, float, float]
    n_positive: int
    n_negative: int
    message: str = ""

    @classmethod
    def fit(
        cls,
        labels: StratifiedLabels,
        *,
        kind: str = "platt",
        scale: Scale = "logit",
        smoothed: bool = True,
    ) -> Calibration:
        """Find slope and offset from labels, each weighed by the windows it stands for.

        Parameters
        ----------
        kind
            "platt". A "temperature" is refused: see the message of the error.
        smoothed
            Aim at (n + 1)/(n + 2) and 1/(n + 2) instead of 1 and 0 (Platt 1999), so that few labels
            do not lead to probabilities of 0 and 1.

        Raises
        ------
        ParameterError
            Another kind or scale, no yes or no no, or, unless smoothed, labels that a threshold
            tells apart without a mistake.
        """
        _check(kind, scale)
        n_positive = int(labels.positive.sum())
        n_negative = len(labels) - n_positive
        if not n_positive or not n_negative:
            raise ParameterError(
                f"{n_positive} yes and {n_negative} no answers: calibration needs both. Label "
                "windows of high and of low score"
            )
        high = (n_positive + 1) / (n_positive + 2) if smoothed else 1.0
        low = 1 / (n_negative + 2) if smoothed else 0.0
        z = _logits(labels.scores, scale)
        calls, others = z[labels.positive], z[~labels.positive]
        if not smoothed and (calls.min() >= others.max() or calls.max() <= others.min()):
            raise ParameterError(
                "a threshold tells these labels apart without a mistake, so that there is no best "
                "slope; leave smoothed=True"
            )
        targets = np.where(labels.positive, high, low)
        (slope, offset), covariance = _logistic(z, targets, labels.window_weights)
        doubts = []
        if len(labels) < FEWEST_LABELS:
            doubts.append(f"made of {len(labels)} labels: {FEWEST_LABELS} or more are needed")
        if slope <= 0:
            doubts.append("higher scores are no likelier to be calls: the classifier does not work")
        return cls(
            kind="platt",
            scale=scale,
            slope=float(slope),
            offset=float(offset),
            covariance=(float(covariance[0, 0]), float(covariance[1, 1]), float(covariance[0, 1])),
            n_positive=n_positive,
            n_negative=n_negative,
            message="; ".join(doubts),
        )

    def probabilities(self, scores: ArrayLike) -> Floats:
        """The probability that a window of each score holds the class, same shape."""
        return np.asarray(expit(self.slope * _logits(scores, self.scale) + self.offset))

    def intervals(self, scores: ArrayLike, *, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Low and high ends of the probability at each score, as far as the labels tell."""
        z = _logits(scores, self.scale)
        slope, offset, both = self.covariance
        variance = slope * z**2 + 2 * both * z + offset
        spread = float(ndtri(ends(level)[1])) * np.sqrt(np.maximum(variance, 0))
        middle = self.slope * z + self.offset
        return np.asarray(expit(middle - spread)), np.asarray(expit(middle + spread))

    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON values, for the metadata of a classifier."""
        return {"format": FORMAT, "version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_dict` described.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no calibration.
        """
        check_version("this description", described, FORMAT, FORMAT_VERSION)
        values = {field.name: described[field.name] for field in fields(cls)}
        return cls(**values | {"covariance": tuple(described["covariance"])})


@dataclass(frozen=True, eq=False)
class Reliability:
    """How near probabilities are to the truth; lower is better for all three.

    Attributes
    ----------
    ece
        Expected calibration error: how far the share of calls is from the probability, mean over
        the windows by bins of probability. It is kinder on the labels that a calibration was fitted
        to than on others.
    brier
        Mean squared difference of probability and truth.
    log_loss
        Mean negative log probability of the truth.
    probability, share, weight
        For each bin of probability: the mean probability, the share of calls and the share of the
        windows, ``[n_bins]``; NaN for the first two where the bin is empty.
    """

    ece: float
    brier: float
    log_loss: float
    probability: Floats
    share: Floats
    weight: Floats


def reliability(
    probabilities: ArrayLike, labels: StratifiedLabels, *, n_bins: int = ECE_BINS
) -> Reliability:
    """Compare probabilities with the answers, by bins of equal width.

    Parameters
    ----------
    probabilities
        Of the labelled windows, in [0, 1], in the order of ``labels``, ``[n]``.

    Examples
    --------
    >>> labels = StratifiedLabels.plain([0.2, 0.2, 0.2, 0.9], [False, False, True, True])
    >>> round(reliability(labels.scores, labels).ece, 3)
    0.125
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != labels.scores.shape or not ((p >= 0) & (p <= 1)).all():
        raise ParameterError(
            f"give a probability from 0 to 1 for each of the {len(labels)} labelled windows"
        )
    y = labels.positive.astype(np.float64)
    each = labels.window_weights / max(len(labels), 1)
    bins = np.minimum((p * n_bins).astype(np.int64), n_bins - 1)
    weight, of_p, of_y = (
        np.bincount(bins, weights=each * value, minlength=n_bins).astype(np.float64)
        for value in (np.ones(len(p)), p, y)
    )
    inside = np.clip(p, np.finfo(float).tiny, 1 - np.finfo(float).epsneg)
    truth = np.where(labels.positive, np.log(inside), np.log1p(-inside))
    with np.errstate(invalid="ignore", divide="ignore"):
        return Reliability(
            ece=float(abs(of_p - of_y).sum()),
            brier=float(each @ (p - y) ** 2),
            log_loss=float(-(each @ truth)),
            probability=of_p / weight,
            share=of_y / weight,
            weight=weight,
        )


def _logits(scores: ArrayLike, scale: Scale) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if scale == "logit":
        return values
    return np.asarray(logit(np.clip(values, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)))


def _check(kind: str, scale: str) -> None:
    if kind == "temperature":
        raise ParameterError(
            "a temperature only stretches scores about zero and cannot move them: it leaves "
            "probabilities wrong wherever calls are rarer or commoner than the classifier assumes; "
            "use kind='platt', which does both"
        )
    if kind != "platt":
        raise ParameterError(f"calibration of kind {kind!r} is not known; use 'platt'")
    if scale not in ("logit", "probability"):
        raise ParameterError(f"scale {scale!r} is not known; use 'logit' or 'probability'")


def _logistic(z: Floats, targets: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted logistic regression on one number: (slope, offset), and their covariance.

    Newton's method, with half the step wherever a whole one does not improve. The covariance is for
    answers that are each one answer, whatever number of windows they stand for.
    """
    middle, spread = z.mean(), z.std() or 1.0
    design = np.stack([(z - middle) / spread, np.ones_like(z)], axis=1)

    def loss(point: Floats) -> float:
        reached = design @ point
        return float(weights @ (np.logaddexp(0, reached) - targets * reached))

    found, best = np.zeros(2), loss(np.zeros(2))
    for _ in range(NEWTON_STEPS):
        p = expit(design @ found)
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, design.T @ (weights * (p - targets)), rcond=None)[0]
        while loss(found - step) > best and abs(step).max() > 1e-12:
            step = step / 2
        found = found - step
        best = loss(found)
        if abs(step).max() <= 1e-12 * (1 + abs(found).max()):
            break
    p = expit(design @ found)
    inverse = np.linalg.pinv((design * (weights * p * (1 - p))[:, None]).T @ design)
    scatter = (design * (weights**2 * p * (1 - p))[:, None]).T @ design
    back = np.array([[1 / spread, 0.0], [-middle / spread, 1.0]])
    return back @ found, back @ (inverse @ scatter @ inverse) @ back.T
