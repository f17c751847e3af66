"""Give a network new hidden units without changing what it computes (GradMax).

Evci et al. 2022, "GradMax: Growing Neural Networks using Gradient Information". A new unit starts
with weights of zero towards its inputs, so that it is silent as long as its activation of zero is
zero. Its weights towards the outputs are chosen so that the gradient of the silent ones is as large
as can be: along the singular vectors of the gradient between inputs and outputs. So the unit starts
to learn at once, and what most needs to be learnt (golden/README.md 4.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from explorer.errors import ParameterError


@dataclass(frozen=True, eq=False)
class Growth:
    """Weights of new hidden units.

    Attributes
    ----------
    fan_in
        From the inputs, ``[k, inputs]``: zeros.
    fan_out
        To the outputs, ``[outputs, k]``: orthogonal columns of one length.
    gradient_norm
        Of the loss, by ``fan_in``, where the activation's slope at zero is 1: the largest that
        orthogonal columns of this length can have.
    """

    fan_in: torch.Tensor
    fan_out: torch.Tensor
    gradient_norm: float


def grow(gradient: torch.Tensor, k: int, *, scale: float) -> Growth:
    """Make ``k`` new hidden units between some inputs and outputs.

    Parameters
    ----------
    gradient
        Of the loss by a weight between each output and input, ``[outputs, inputs]``: the mean over
        the examples of (gradient by the output) x (input).
    k
        At most the smaller of the two numbers: more directions there are not.
    scale
        Length of each column of ``fan_out``; `mean_norm` of those that are there already.

    Raises
    ------
    ParameterError
        If there are not as many directions, or the gradient is not finite.

    Examples
    --------
    >>> grown = grow(torch.tensor([[0.0, 0.0], [0.0, 3.0]]), 1, scale=2.0)
    >>> grown.fan_out.tolist(), grown.gradient_norm
    ([[0.0], [2.0]], 6.0)
    """
    if not 1 <= k <= min(gradient.shape):
        raise ParameterError(
            f"{k} new units between {gradient.shape[1]} inputs and {gradient.shape[0]} outputs: "
            f"there are only {min(gradient.shape)} directions to learn in"
        )
    if not bool(torch.isfinite(gradient).all()):
        raise ParameterError("the gradient holds NaN or infinite values; check the examples")
    vectors, values, _ = torch.linalg.svd(gradient, full_matrices=False)
    vectors = vectors[:, :k]
    # The sign is arbitrary: the largest entry of a column is positive, so that runs agree.
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return Growth(
        fan_in=gradient.new_zeros(k, gradient.shape[1]),
        fan_out=scale * vectors * largest.sign(),
        gradient_norm=scale * float(torch.linalg.vector_norm(values[:k])),
    )


def mean_norm(fan_out: torch.Tensor) -> float:
    """The mean length of the columns of ``[outputs, units]``: the usual ``scale`` of new ones.

    >>> mean_norm(torch.tensor([[3.0, 0.0], [4.0, 1.0]]))
    3.0
    """
    return float(torch.linalg.vector_norm(fan_out, dim=0).mean())
