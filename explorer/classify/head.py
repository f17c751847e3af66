"""Hidden units beside a linear probe, for classes that no straight cut can part from the rest.

A class of two kinds of call, with other sounds in between, is beyond a linear probe. Hidden units
are grown from the solved probe by GradMax (`explorer.pretrain.growth`), so that nothing changes at
first, and then all weights are trained together. With a few hundred labels they seldom help, which
is why `explorer.classify.choice.grow` keeps them only where recordings left out say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import gelu, softplus

from explorer.pretrain.growth import grow, mean_norm
from explorer.space.parallel import in_order

HIDDEN_PENALTY = 30.0
"""Penalty on the weights of hidden units, by that of the linear ones. With 1 to 10 they learn the
examples by heart (AUC on environmental sounds falls from .967 to .89 and .95); with 30 they go back
to zero where there is nothing to bend, and still take AUC from .49 to 1.0 where there is."""
MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Hidden:
    """Hidden units.

    ``fan_in`` is ``[k, dimension + 1]``, the bias last; ``fan_out`` is ``[n_classes, k]``.
    """

    fan_in: torch.Tensor
    fan_out: torch.Tensor

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """What they add to the logits, ``[n, n_classes]``, for vectors ``[n, dimension]``."""
        return activation(vectors @ self.fan_in[:, :-1].T + self.fan_in[:, -1]) @ self.fan_out.T


def activation(inputs: torch.Tensor) -> torch.Tensor:
    """GELU times two: zero at zero with slope one, and bent there, so that units learn at once."""
    return 2 * gelu(inputs)


def grown(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    linear: torch.Tensor,
    *,
    units: int,
) -> Hidden:
    """New units beside a solved linear probe, silent so far; arguments as in `train`."""
    logits = linear[:, :-1] @ features.T + linear[:, -1:]
    gradient = weights * (torch.sigmoid(logits) - targets) @ features / len(features)
    # One direction a class, and no more than there are dimensions: golden/README.md 4.5.
    k = min(units, *gradient.shape)
    # There is no unit yet to take the length from. That of a class's weights lets new units off
    # at once; that of an input's, of which an embedding has a thousand, leaves them where they are.
    new = grow(gradient, k, scale=mean_norm(linear[:, :-1].T))
    return Hidden(torch.cat([new.fan_in, new.fan_in.new_zeros(k, 1)], dim=1), new.fan_out)


def train(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    linear: torch.Tensor,
    *,
    penalty: float,
    units: int,
) -> tuple[torch.Tensor, Hidden]:
    """Grow hidden units beside a solved probe and train everything, on the features' device.

    Parameters
    ----------
    features, targets, weights, penalty
        As `explorer.classify.logistic.solve` takes them.
    linear
        What it gave, ``[n_classes, dimension + 1]``.
    units
        How many, at most one for each class.

    Returns
    -------
    The linear weights as they are now, and the hidden units.
    """
    start = grown(features, targets, weights, linear, units=units)
    given = (features, targets, weights, linear, start, penalty)
    if features.device.type != "cpu":
        return _train(*given)
    # In a thread that keeps to one core, as every step is small: see `explorer.cores`.
    return next(in_order(lambda each: _train(*each), [given]))


def _train(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    linear: torch.Tensor,
    start: Hidden,
    penalty: float,
) -> tuple[torch.Tensor, Hidden]:
    parts = [
        part.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        for part in (linear, start.fan_in, start.fan_out)
    ]
    straight, fan_in, fan_out = parts
    optimiser = torch.optim.LBFGS(parts, max_iter=MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = features @ straight[:, :-1].T + straight[:, -1] + Hidden(fan_in, fan_out)(features)
        cells = softplus(logits.T) - targets * logits.T
        bent = (fan_in[:, :-1] ** 2).sum() + (fan_out**2).sum()
        size = (straight[:, :-1] ** 2).sum() + HIDDEN_PENALTY * bent
        value = (weights * cells).sum() + penalty / 2 * size
        value.backward()
        return value

    optimiser.step(loss)
    return straight.detach(), Hidden(fan_in.detach(), fan_out.detach())
