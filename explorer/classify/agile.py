"""The probe of agile modelling as it is published (golden/README.md 5.2).

Dumoulin et al. 2025 train one dense layer on embeddings: 128 steps of Adam, each on 128 labelled
windows and 128 random unlabelled ones, which are taken for negatives of little weight. It is here
to be compared with; `explorer.classify.probe.Probe` does better by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.functional import softplus

from explorer.space.parallel import in_order

Loss = Literal["bce", "hinge"]

WEAK_WEIGHT = 0.05
"""What a window counts for a class that nobody has judged it for."""
STEPS = 128
BATCH = 128
MOST_UNLABELLED = 20_000
"""Unlabelled windows that are drawn from, evenly spaced over the run."""
LEARNING_RATE, EPSILON = 1e-3, 1e-7
"""Of Adam; the epsilon is that of Keras."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Weights ``[dimension, n_classes]``, biases ``[n_classes]``, the loss before each step."""

    weight: torch.Tensor
    bias: torch.Tensor
    losses: torch.Tensor


def train(
    rows: torch.Tensor,
    targets: torch.Tensor,
    known: torch.Tensor,
    *,
    unlabelled: torch.Tensor | None = None,
    start: torch.Tensor | None = None,
    weak_weight: float = WEAK_WEIGHT,
    loss: Loss = "bce",
    seed: int = 0,
) -> Trained:
    """Train a linear probe with Adam, on the device of the rows.

    Parameters
    ----------
    rows
        Embeddings of labelled windows ``[n, dimension]``, as they come from the encoder.
    targets, known
        ``[n, n_classes]``: 1 where a window is of a class; True where a person has said so.
    unlabelled
        Windows to draw weak negatives from, ``[m, dimension]``.
    start
        First weights ``[dimension, n_classes]``; None for Glorot's random ones.

    Returns
    -------
    Trained
        The same input and seed give the same result.
    """
    given = (rows, targets, known, unlabelled, start, weak_weight, loss, seed)
    if rows.device.type != "cpu":
        return _train(*given)
    # In a thread that keeps to one core, as every step is small: see `explorer.cores`.
    return next(in_order(lambda each: _train(*each), [given]))


def _train(
    rows: torch.Tensor,
    targets: torch.Tensor,
    known: torch.Tensor,
    unlabelled: torch.Tensor | None,
    start: torch.Tensor | None,
    weak_weight: float,
    loss: Loss,
    seed: int,
) -> Trained:
    # Random numbers come from the CPU, so that every device draws the same.
    random = torch.Generator().manual_seed(seed)
    shape = (rows.shape[1], targets.shape[1])
    if start is None:
        start = (torch.rand(shape, generator=random) * 2 - 1) * (6 / sum(shape)) ** 0.5
    weight = start.to(rows, copy=True).requires_grad_()
    bias = rows.new_zeros(shape[1], requires_grad=True)
    adam = torch.optim.Adam([weight, bias], lr=LEARNING_RATE, eps=EPSILON)
    losses = []
    batches = _batches(len(rows), random)
    for _ in range(STEPS):
        chosen = next(batches).to(rows.device)
        features, wanted, said = rows[chosen], targets[chosen], known[chosen]
        if unlabelled is not None and len(unlabelled):
            drawn = torch.randint(len(unlabelled), (BATCH,), generator=random)
            features = torch.cat([features, unlabelled[drawn.to(rows.device)]])
            nothing = wanted.new_zeros(BATCH, shape[1])
            wanted, said = torch.cat([wanted, nothing]), torch.cat([said, nothing.bool()])
        value = objective(
            features @ weight + bias, wanted, said, weak_weight=weak_weight, loss=loss
        )
        losses.append(value.detach())
        adam.zero_grad()
        value.backward()
        adam.step()
    return Trained(weight.detach(), bias.detach(), torch.stack(losses))


def objective(
    logits: torch.Tensor,
    targets: torch.Tensor,
    known: torch.Tensor,
    *,
    weak_weight: float = WEAK_WEIGHT,
    loss: Loss = "bce",
) -> torch.Tensor:
    """The mean loss over all cells ``[n, n_classes]``; unknown ones are negatives of less weight.

    "bce" is the cross-entropy, "hinge" is ``max(0, 1 - (2 target - 1) logit)``.
    """
    targets = torch.where(known, targets, 0.0)
    if loss == "bce":
        cells = softplus(logits) - targets * logits
    else:
        cells = (1 - (2 * targets - 1) * logits).clamp(min=0)
    return (torch.where(known, 1.0, weak_weight) * cells).mean()


def _batches(n: int, random: torch.Generator) -> Iterator[torch.Tensor]:
    """Row numbers of each step: all where they are few, else from one shuffle after the other."""
    queue = torch.empty(0, dtype=torch.long)
    while True:
        while n > BATCH > len(queue):
            queue = torch.cat([queue, torch.randperm(n, generator=random)])
        yield queue[:BATCH] if n > BATCH else torch.arange(n)
        queue = queue[BATCH:]
