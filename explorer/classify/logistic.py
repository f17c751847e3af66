"""Logistic regressions with a weight for every row, many at once, solved to convergence.

Each problem has targets and weights for the rows, and all share the rows. So the classes of a
probe, and the refits that leave out one recording after the other, are one solve: two matrix
products a step, and some twenty steps.

What is minimised for each, over a slope for each dimension and an intercept::

    sum over rows of weight * cross-entropy(target, logit)  +  penalty / 2 * |slope|^2

The intercept is not penalised. It is a sum, not a mean, so that scikit-learn's ``C`` is 1 /
penalty, and more examples outweigh the penalty.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from explorer.space.parallel import in_order

MEMORY = 10
"""Earlier steps that L-BFGS judges the curvature by (Nocedal 1980)."""
MOST_STEPS = 300
MOST_HALVINGS = 30
TOLERANCE = 1e-5
"""Converged where the gradient is this share of what it is at zero."""


def solve(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    *,
    penalty: float,
    start: torch.Tensor | None = None,
    tolerance: float = TOLERANCE,
) -> torch.Tensor:
    """Fit many logistic regressions, on the device of the features.

    No problem's answer depends on which others are solved along with it.

    Parameters
    ----------
    features
        ``[n, dimension]``, float64, or float32 where the device has no float64.
    targets
        ``[problems, n]`` in [0, 1].
    weights
        ``[problems, n]``, 0 where a row does not count for a problem.
    penalty
        Above 0, so that there is one best answer.
    start
        A first guess, ``[problems, dimension + 1]``.

    Returns
    -------
    ``[problems, dimension + 1]``: the slopes, and last the intercept.

    Examples
    --------
    >>> rows = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    >>> one = torch.ones(1, 2, dtype=torch.float64)
    >>> answer = solve(rows, torch.tensor([[0.0, 1.0]]).double(), one, penalty=1.0)
    >>> round(answer[0, 0].item(), 3)
    0.675
    """
    if start is None:
        start = features.new_zeros(len(targets), features.shape[1] + 1)

    def some(part: slice) -> torch.Tensor:
        return _solve(features, targets[part], weights[part], start[part], penalty, tolerance)

    if features.device.type != "cpu":
        return some(slice(None))
    # Each core gets problems of its own: see `explorer.cores`.
    each = -(-len(targets) // torch.get_num_threads())
    parts = [slice(first, first + each) for first in range(0, len(targets), each)]
    return torch.cat(list(in_order(some, parts)))


def _solve(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    at: torch.Tensor,
    penalty: float,
    tolerance: float,
) -> torch.Tensor:
    def measure(where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The objective ``[problems]`` and its gradient ``[problems, dimension + 1]``."""
        logits = where[:, :-1] @ features.T + where[:, -1:]
        loss = (weights * (softplus(logits) - targets * logits)).sum(dim=1)
        residual = weights * (torch.sigmoid(logits) - targets)
        slope = residual @ features + penalty * where[:, :-1]
        loss = loss + penalty / 2 * (where[:, :-1] ** 2).sum(dim=1)
        return loss, torch.cat([slope, residual.sum(dim=1, keepdim=True)], dim=1)

    enough = tolerance * torch.linalg.vector_norm(measure(torch.zeros_like(at))[1], dim=1)
    value, gradient = measure(at)
    steps: list[tuple[torch.Tensor, torch.Tensor]] = []
    # Differences below this are the rounding of a sum, and no ascent.
    slack = 30 * torch.finfo(features.dtype).eps
    open_ = torch.ones_like(value, dtype=torch.bool)
    for _ in range(MOST_STEPS):
        open_ &= torch.linalg.vector_norm(gradient, dim=1) > enough
        if not bool(open_.any()):
            break
        direction = torch.where(open_[:, None], _direction(gradient, steps), 0.0)
        descent = (gradient * direction).sum(dim=1)
        length = torch.ones_like(value)
        for _ in range(MOST_HALVINGS):
            new = at - length[:, None] * direction
            new_value, new_gradient = measure(new)
            good = new_value <= value * (1 + slack) - 1e-4 * length * descent
            if bool(good.all()):
                break
            length = torch.where(good, length, length / 2)
        # What found no better place has converged as far as its numbers allow.
        open_ &= good
        new = torch.where(open_[:, None], new, at)
        new_gradient = torch.where(open_[:, None], new_gradient, gradient)
        steps = [*steps, (new - at, new_gradient - gradient)][-MEMORY:]
        at, gradient, value = new, new_gradient, torch.where(open_, new_value, value)
    return at


def _direction(
    gradient: torch.Tensor, steps: list[tuple[torch.Tensor, torch.Tensor]]
) -> torch.Tensor:
    """The gradient times the inverse curvature that the last steps show, for each problem."""
    if not steps:
        return gradient / torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp(min=1)
    tiny = torch.finfo(gradient.dtype).tiny
    result = gradient.clone()
    shares = []
    for step, change in reversed(steps):
        curvature = _product(step, change)
        inverse = torch.where(curvature > tiny, 1 / curvature.clamp(min=tiny), 0.0)
        share = inverse * _product(step, result)
        result -= share * change
        shares.append((inverse, share))
    step, change = steps[-1]
    size = _product(step, change) / _product(change, change).clamp(min=tiny)
    result *= torch.where(size > 0, size, 1.0)
    for (step, change), (inverse, share) in zip(steps, reversed(shares), strict=True):
        result += (share - inverse * _product(change, result)) * step
    return result


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1, keepdim=True)
