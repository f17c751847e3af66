"""What one example does to a classifier, in closed form: nothing is refitted.

Plain arrays in float64; `explorer.classify.evidence` asks these formulas about real classifiers.
Which of them are exact, and when, is in their texts (golden/README.md 4.2 to 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from explorer.errors import ParameterError

Metric = Literal["euclid", "cosine", "dot"]
Values = NDArray[np.float64]

MOST_LEVERAGE = 0.5
"""Takeuchi's criterion takes every example for one among many. Where one of them bends the curve by
half on its own, as the few examples of a class do, it is too low by a factor of two to five (on ten
bird species with 4 examples .02 instead of .065): then it is not identifiable."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Values with every row taken part, ``full``, and with each row left out, ``left_out``.

    Both ``[n, n_classes]``.
    """

    full: Values
    left_out: Values


def centroid_left_out(rows: ArrayLike, classes: ArrayLike, metric: Metric = "cosine") -> LeftOut:
    """How like its centroids each example is, once with it and once without it. Exact.

    Parameters
    ----------
    rows
        ``[n, dimension]``.
    classes
        The class of each row, 0 to n_classes - 1.
    metric
        "cosine", "dot", or "euclid": minus the squared distance. Higher is always more alike.

    Returns
    -------
    LeftOut
        NaN for an example that is the only one of its class. Exact as long as nothing else, such
        as a mean or a whitening, was fitted on the labels.

    Examples
    --------
    >>> centroid_left_out([[0.0], [2.0], [4.0]], [0, 0, 1], "euclid").left_out[0].tolist()
    [-4.0, -16.0]
    """
    x = np.asarray(rows, np.float64)
    of = np.asarray(classes)
    member = (of[:, None] == np.arange(of.max() + 1)).astype(np.float64)
    counts, sums = member.sum(axis=0), member.T @ x
    means, squares = sums / counts[:, None], (x**2).sum(axis=1)
    full = _alike(x @ means.T, squares[:, None], (means**2).sum(axis=1), metric)
    left_out = full.copy()
    remaining = counts[of] - 1
    others = (sums[of] - x) / np.maximum(remaining, 1)[:, None]
    own = _alike((x * others).sum(axis=1), squares, (others**2).sum(axis=1), metric)
    left_out[np.arange(len(x)), of] = np.where(remaining > 0, own, np.nan)
    return LeftOut(full, left_out)


def _alike(products: Values, squares: Values, their_squares: Values, metric: Metric) -> Values:
    """How alike vectors are, from their products and their squared lengths."""
    if metric == "euclid":
        return 2 * products - squares - their_squares
    if metric == "dot":
        return products
    lengths = np.sqrt(squares * their_squares)
    return products / np.where(lengths > 0, lengths, 1)


@dataclass(frozen=True, eq=False)
class Ridge:
    """Fit and leave-one-out predictions ``[n, n_classes]``, leverage of each row ``[n]``."""

    fit: Values
    leverage: Values
    left_out: Values


def ridge_left_out(rows: ArrayLike, targets: ArrayLike, penalty: float) -> Ridge:
    """Ridge regression with an intercept (not penalised), and each row's prediction without it.

    Exact. ``rows`` are ``[n, dimension]``, ``targets`` ``[n, n_classes]``.

    >>> ridge_left_out([[0.0], [1.0], [2.0]], [[0.0], [1.0], [2.0]], 1e-9).left_out[0].round(6)
    array([0.])
    """
    x = _with_one(np.asarray(rows, np.float64))
    y = np.asarray(targets, np.float64)
    penalties = np.full(x.shape[1], float(penalty))
    penalties[-1] = 0
    inverse = cho_solve(cho_factor(x.T @ x + np.diag(penalties)), x.T)
    leverage = np.einsum("nd,dn->n", x, inverse)
    fit = x @ (inverse @ y)
    return Ridge(fit, leverage, y - (y - fit) / (1 - leverage)[:, None])


@dataclass(frozen=True, eq=False)
class Curvature:
    """A logistic regression at its optimum, and how it bends. Make one with `Curvature.of`.

    What was minimised is the sum over rows of weight times cross-entropy, plus the penalties over
    two on the squared coefficients.

    Attributes
    ----------
    targets, weights, logits
        Of the rows that are asked about, ``[n]``; so are the others.
    leverage
        How much of the curve each row makes up at its own place, from 0 to 1, ``[n]``.
    reach
        ``x A^-1 x`` of each row, A the curvature of what was minimised, ``[n]``.
    solved
        ``A^-1 x`` of each row, ``[n, dimension]``.
    """

    targets: Values
    weights: Values
    logits: Values
    leverage: Values
    reach: Values
    solved: Values

    @classmethod
    def of(
        cls,
        rows: ArrayLike,
        targets: ArrayLike,
        coefficients: ArrayLike,
        penalties: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        first: int | None = None,
    ) -> Curvature:
        """Measure the curvature at the optimum.

        Parameters
        ----------
        penalties
            One number, or one for each coefficient (0 for an intercept that is not penalised).
        rows
            ``[n, dimension]``, with a column of ones if there is an intercept.
        weights
            What each row counts, 1 by default.
        first
            Ask only about so many rows, the first ones.

        Raises
        ------
        ParameterError
            If it is flat: more coefficients than rows and no penalty, or classes that a straight
            cut parts without one.
        """
        x, y = np.asarray(rows, np.float64), np.asarray(targets, np.float64)
        counts = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
        each = np.broadcast_to(np.asarray(penalties, np.float64), (x.shape[1],))
        logits = x @ np.asarray(coefficients, np.float64)
        bend = counts * _slope(logits)
        try:
            # A product with its own transpose costs half of any other.
            scaled = np.sqrt(bend)[:, None] * x
            factor = _factor(scaled.T @ scaled + np.diag(each))
        except np.linalg.LinAlgError as error:
            raise ParameterError(
                "the regression has no single optimum (its classes can be parted, or there are "
                "more coefficients than rows, and nothing is penalised); give a penalty"
            ) from error
        asked = slice(0, first)
        solved = cho_solve(factor, x[asked].T).T
        reach = np.einsum("nd,nd->n", x[asked], solved)
        own = (y[asked], counts[asked], logits[asked])
        return cls(*own, bend[asked] * reach, reach, solved)

    @property
    def residuals(self) -> Values:
        """Probability minus target of each row, ``[n]``."""
        return _sigmoid(self.logits) - self.targets

    def left_out_logits(self) -> Values:
        """The logit of each row had it not been there ``[n]``, by one Newton step.

        Within .1 of refits in the golden fixture; it errs by most where ``leverage`` is high.
        """
        return self.logits + self.weights * self.residuals * self.reach / (1 - self.leverage)

    def moves(self, *, newton: bool = True) -> Values:
        """How the coefficients change when each row is taken away, ``[n, dimension]``.

        Without ``newton``, to first order: of less use, at the same cost.
        """
        step = self.weights * self.residuals
        if newton:
            step = step / (1 - self.leverage)
        return step[:, None] * self.solved

    def change(self, rows: ArrayLike, *, newton: bool = True) -> Values:
        """How the logits of other rows change when each row is taken away, ``[m, n]``."""
        return np.asarray(rows, np.float64) @ self.moves(newton=newton).T


def trak(
    rows: ArrayLike,
    targets: ArrayLike,
    coefficients: ArrayLike,
    rows_asked: ArrayLike,
    targets_asked: ArrayLike,
    *,
    ridge: float = 0.0,
) -> Values:
    """How each row helps the others' margins, ``[m, n]`` (TRAK, Park et al. 2023, no projection).

    Positive helps. For a logistic regression `Curvature.change` is better at the same cost; this is
    here to be compared with. ``ridge`` is needed with fewer rows than dimensions.
    """
    x, asked = np.asarray(rows, np.float64), np.asarray(rows_asked, np.float64)
    sign, sign_asked = (2 * np.asarray(y, np.float64) - 1 for y in (targets, targets_asked))
    margin = sign * (x @ np.asarray(coefficients, np.float64))
    features = sign[:, None] * x
    inverse = cho_solve(cho_factor(features.T @ features + ridge * np.eye(x.shape[1])), features.T)
    return (sign_asked[:, None] * asked) @ inverse * _sigmoid(-margin)


@dataclass(frozen=True, eq=False)
class Takeuchi:
    """How much worse a classifier is expected to be on new windows than on its own.

    Attributes
    ----------
    gap
        Expected loss on new windows less that on its own; NaN where it is not identifiable.
    identifiable
        Whether it can be told.
    reason
        Why not, in words; empty where it can.
    ratio
        The cheap form: traces divided. Too small on probes (golden/README.md 4.2).
    hessian, covariance
        Of the mean loss without its penalty, and of the gradients of single rows.
    """

    gap: float
    identifiable: bool
    reason: str
    ratio: float
    hessian: Values
    covariance: Values


def takeuchi(
    rows: ArrayLike,
    targets: ArrayLike,
    coefficients: ArrayLike,
    penalty: float,
    *,
    centred: bool = False,
) -> Takeuchi:
    """Takeuchi's criterion for a logistic or softmax regression (Thomas et al. 2020).

    Parameters
    ----------
    rows
        ``[n, dimension]``, with a column of ones if there is an intercept.
    targets
        0 and 1 ``[n]``; with coefficients ``[dimension, n_classes]`` the class of each row.
    coefficients
        That minimise the *mean* loss plus ``penalty / 2`` times their squares.
    centred
        Take the mean off the gradients first; it is not zero where there is a penalty.

    Examples
    --------
    >>> takeuchi([[1.0], [1.0]], [0, 1], [0.0], 0.0).gap
    0.5
    """
    x, theta = np.asarray(rows, np.float64), np.asarray(coefficients, np.float64)
    n = len(x)
    if theta.ndim == 1:
        residual = (_sigmoid(x @ theta) - np.asarray(targets, np.float64))[:, None]
        bend = _slope(x @ theta)[:, None, None]
    else:
        logits = x @ theta
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        residual = share - np.eye(theta.shape[1])[np.asarray(targets)]
        bend = share[:, :, None] * np.eye(theta.shape[1]) - share[:, :, None] * share[:, None, :]
    # Flattened with the dimension first: coefficient (d, k) is number d * n_classes + k.
    gradients = (x[:, :, None] * residual[:, None, :]).reshape(n, -1)
    if centred:
        gradients = gradients - gradients.mean(axis=0)
    size = gradients.shape[1]
    hessian = np.einsum("nd,nkl,ne->dkel", x, bend, x, optimize=True).reshape(size, size) / n
    covariance = gradients.T @ gradients / n
    curved = hessian + penalty * np.eye(size)
    ratio = float(np.trace(covariance) / np.trace(curved) / n)
    gap, reason = np.nan, ""
    try:
        inverse = cho_solve(_factor(curved), np.eye(size))
    except np.linalg.LinAlgError:
        reason = "more examples than there are, or a penalty, are needed to fix the classifier"
    else:
        reason = too_heavy(_leverage(x, bend, inverse).max())
    if not reason:
        gap = float(np.trace(inverse @ covariance)) / n
    return Takeuchi(gap, not reason, reason, ratio, hessian, covariance)


def _leverage(x: Values, bend: Values, inverse: Values) -> Values:
    """How much of the curve each row makes up at its own place, from 0 to 1, ``[n]``."""
    n, n_columns = len(x), bend.shape[1]
    blocks = inverse.reshape(x.shape[1], n_columns, x.shape[1], n_columns)
    found = np.zeros(n)
    for k, j in np.ndindex(n_columns, n_columns):
        found += bend[:, k, j] * np.einsum("nd,nd->n", x @ blocks[:, j, :, k], x)
    # A row bends a softmax in one direction fewer than there are classes.
    return found / n / max(1, n_columns - 1)


def too_heavy(leverage: float) -> str:
    """Why a criterion that takes every example for one among many does not hold, or nothing.

    >>> too_heavy(0.1)
    ''
    """
    if leverage <= MOST_LEVERAGE:
        return ""
    return (
        f"one example alone makes up {leverage:.0%} of what fixes the classifier near it; "
        "with more examples of the class this can be told"
    )


def _factor(matrix: Values) -> tuple[Values, bool]:
    """The Cholesky factor; refused where rounding alone makes the matrix positive."""
    factor, lower = cho_factor(matrix)
    diagonal = np.diagonal(factor)
    if diagonal.min() ** 2 < len(matrix) * np.finfo(np.float64).eps * diagonal.max() ** 2:
        raise np.linalg.LinAlgError("flat")
    return factor, lower


def _sigmoid(logits: Values) -> Values:
    return 0.5 * (1 + np.tanh(logits / 2))


def _slope(logits: Values) -> Values:
    """``p (1 - p)``, right for large logits too."""
    return _sigmoid(logits) * _sigmoid(-logits)


def _with_one(rows: Values) -> Values:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
