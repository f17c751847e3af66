"""The arithmetic of adapting without labels: probabilities, losses, and the labels a model gives.

Pure functions of torch tensors, on any device and in any float type. "Multi-label" means that any
number of classes may sound in a window, each with a sigmoid of its own; else exactly one does, and
the classes share a softmax. Formulas: golden/README.md 2.2 to 2.5, after Boudiaf et al. 2023 and
the methods it compares.
"""

from __future__ import annotations

import torch
from torch import Tensor

INSIDE_LOG = 1e-10
"""Added to probabilities before a logarithm, as in the reference."""
TO_DIVIDE = 1e-8
"""Added to sums that are divided by, as in the reference."""


def probabilities(logits: Tensor, *, multi_label: bool) -> Tensor:
    """Probabilities of each class, ``[n, n_classes]``."""
    return torch.sigmoid(logits) if multi_label else torch.softmax(logits, dim=1)


def entropy(p: Tensor, *, multi_label: bool) -> Tensor:
    """How undecided each window's probabilities are, ``[n]``.

    Multi-label: the mean over classes of binary entropies.
    """
    return cross_entropy(p, p, multi_label=multi_label)


def cross_entropy(p: Tensor, labels: Tensor, *, multi_label: bool) -> Tensor:
    """Loss of probabilities ``p`` where ``labels`` (0 to 1) are right, ``[n]``.

    Multi-label: the mean over classes.
    """
    if multi_label:
        return binary_cross_entropy(p, labels).mean(dim=1)
    return -(labels * torch.log(p + INSIDE_LOG)).sum(dim=1)


def binary_cross_entropy(p: Tensor, labels: Tensor) -> Tensor:
    """Loss of each window and class, ``[n, n_classes]``."""
    yes, no = torch.log(p + INSIDE_LOG), torch.log(1 - p + INSIDE_LOG)
    return -(labels * yes + (1 - labels) * no)


# NOTELA -------------------------------------------------------------------------------------------


def reciprocal(near: Tensor, rows: Tensor, graph: Tensor) -> Tensor:
    """Which neighbours have the row among their own neighbours, booleans ``[n, k]``.

    Parameters
    ----------
    near
        Neighbours of some rows, ``[n, k]``; -1 for none.
    rows
        Which rows those are, ``[n]``.
    graph
        Neighbours of all rows, ``[n_all, k]``.
    """
    return (near >= 0) & (graph[near] == rows[:, None, None]).any(dim=2)


def neighbour_mean(bank: Tensor, near: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the neighbours' probabilities, and which rows have a neighbour.

    Parameters
    ----------
    bank
        Probabilities of all rows, ``[n_all, n_classes]``.
    near
        Neighbours of some rows, ``[n, k]``.
    counts
        Which of them count, booleans ``[n, k]``.

    Returns
    -------
    ``[n, n_classes]``, zeros without a neighbour, and booleans ``[n]``.
    """
    weight = counts.to(bank.dtype)
    total = (bank[near] * weight[:, :, None]).sum(dim=1)
    return total / (weight.sum(dim=1, keepdim=True) + TO_DIVIDE), counts.any(dim=1)


def notela_labels(
    p: Tensor,
    mean: Tensor,
    linked: Tensor,
    *,
    multi_label: bool,
    lambda_: float = 1.0,
    alpha: float = 1.0,
    normalise: bool = True,
) -> Tensor:
    """The labels that suit both the model and the neighbours best (NOTELA's closed form).

    Parameters
    ----------
    p
        Probabilities without dropout, ``[n, n_classes]``.
    mean, linked
        What `neighbour_mean` gives.
    lambda_
        Weight of the neighbours; 0 gives the labels of the Dropout Student.
    alpha
        Softness: below 1 labels are sharper than ``p``, and 0 is the best class alone, shared
        where several are best (only with ``normalise``).
    normalise
        Whether labels are scaled to a sum of one; without, the product itself.

    Examples
    --------
    >>> p, mean = torch.tensor([[0.5, 0.4]]), torch.tensor([[0.0, 1.0]])
    >>> notela_labels(p, mean, torch.tensor([True]), multi_label=True)
    tensor([[0.2689, 0.6444]])
    """
    if multi_label:
        # Each class is a question of its own with two answers: no and yes.
        of_no = torch.where(linked[:, None], 1 - mean, 0.0)
        p, mean = torch.stack([1 - p, p]), torch.stack([of_no, mean])
        answers = 0
    else:
        answers = 1
    if alpha == 0:
        product = p * torch.exp(lambda_ * mean)
        product = (product == product.amax(dim=answers, keepdim=True)).to(p.dtype)
    else:
        product = p ** (1 / alpha) * torch.exp(lambda_ / alpha * mean)
    if normalise:
        product = product / (product.sum(dim=answers, keepdim=True) + TO_DIVIDE)
    return product[1] if multi_label else product


# SHOT ---------------------------------------------------------------------------------------------


def shot_labels(features: Tensor, p: Tensor, *, multi_label: bool) -> Tensor:
    """Labels from the nearest class centroid, the centroids found in two steps: 0 or 1.

    Multi-label: for each class, whether its windows' centroid is nearer than that of the others.
    """
    if not multi_label:
        return _nearest_of_two_steps(features, p)
    found = [_nearest_of_two_steps(features, torch.stack([1 - one, one], dim=1)) for one in p.T]
    return torch.stack([answer[:, 1] for answer in found], dim=1)


def _nearest_of_two_steps(features: Tensor, weights: Tensor) -> Tensor:
    for _ in range(2):
        total = weights.sum(dim=0)[:, None]
        centroids = weights.T @ features / (total + 1e-6)
        # Less the windows' own squares, which are the same for all classes.
        squares = centroids.square().sum(dim=1) - 2 * features @ centroids.T
        weights = torch.nn.functional.one_hot(squares.argmin(dim=1), weights.shape[1])
        weights = weights.to(features.dtype)
    return weights


def shot_loss(p: Tensor, labels: Tensor, *, beta: float, multi_label: bool) -> Tensor:
    """Decided windows, varied answers, and agreement with ``labels`` in proportion ``beta``."""
    loss = entropy(p, multi_label=multi_label).mean() - diversity(p, multi_label=multi_label)
    return loss + beta * cross_entropy(p, labels, multi_label=multi_label).mean()


def diversity(p: Tensor, *, multi_label: bool) -> Tensor:
    """Entropy of the mean prediction: high where classes are predicted equally often."""
    return entropy(p.mean(dim=0, keepdim=True), multi_label=multi_label)[0]


# Pseudo-labels and DUST ---------------------------------------------------------------------------


def confident(p: Tensor, threshold: float, *, multi_label: bool) -> tuple[Tensor, Tensor]:
    """Labels of a model that is sure, and where it is.

    Returns
    -------
    Multi-label: ones, and which classes of which windows are above the threshold,
    ``[n, n_classes]`` each. Else: the best class ``[n, n_classes]``, and which windows, ``[n]``.
    """
    if multi_label:
        return torch.ones_like(p), p > threshold
    best = torch.nn.functional.one_hot(p.argmax(dim=1), p.shape[1]).to(p.dtype)
    return best, p.amax(dim=1) > threshold


def masked_cross_entropy(p: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """Mean loss where it counts: windows ``[n]``, or classes of windows ``[n, n_classes]``."""
    weight = counts.to(p.dtype)
    if counts.ndim == 1:
        return (weight * cross_entropy(p, labels, multi_label=False)).mean()
    loss = (weight * binary_cross_entropy(p, labels)).sum(dim=1)
    return (loss / (weight.sum(dim=1) + INSIDE_LOG)).mean()


def divergence(clean: Tensor, noisy: Tensor, *, multi_label: bool) -> Tensor:
    """Kullback-Leibler divergence of noisy from clean probabilities, never negative.

    ``[n, n_classes]`` for multi-label, else ``[n]``.
    """
    if multi_label:
        return binary_cross_entropy(noisy, clean) - binary_cross_entropy(clean, clean)
    return cross_entropy(noisy, clean, multi_label=False) - entropy(clean, multi_label=False)


def divergence_of_reference(clean: Tensor, noisy: Tensor, *, multi_label: bool) -> Tensor:
    """What the reference implementation of DUST takes for a divergence; for comparison only.

    It swaps the two sides, and can be negative. For a single label it also passes the small number
    of the logarithm where a weight is expected, which leaves next to nothing but the entropy.
    """
    if multi_label:
        return binary_cross_entropy(clean, noisy) - binary_cross_entropy(clean, clean)
    crossed = cross_entropy(clean, noisy, multi_label=False)
    return INSIDE_LOG * crossed - entropy(clean, multi_label=False)


# NRC ----------------------------------------------------------------------------------------------


def nrc_weights(rows: Tensor, extended: Tensor, base_affinity: float) -> Tensor:
    """How much each neighbour counts, ``[n, k]``: often a neighbour's neighbour itself, or little.

    Parameters
    ----------
    rows
        Which rows, ``[n]``.
    extended
        Neighbours of their neighbours, ``[n, k, m]``.
    """
    times = (extended == rows[:, None, None]).sum(dim=2)
    return torch.where(times > 0, times.float(), base_affinity)


def nrc_loss(
    p: Tensor,
    near: Tensor,
    weights: Tensor,
    far: Tensor,
    base_affinity: float,
    *,
    multi_label: bool,
) -> Tensor:
    """Agreement with neighbours and with theirs, and varied answers.

    Parameters
    ----------
    near, weights
        Probabilities of the neighbours ``[n, k, n_classes]``, and how much they count ``[n, k]``.
    far
        Probabilities of the neighbours' neighbours, ``[n, k, m, n_classes]``.
    """

    def agreement(others: Tensor) -> Tensor:
        own = p.reshape(len(p), *[1] * (others.ndim - 2), -1)
        if multi_label:
            return (own * others + (1 - own) * (1 - others)).mean(dim=-1)
        return (own * others).sum(dim=-1)

    total = (weights.to(p.dtype) * agreement(near)).sum() + base_affinity * agreement(far).sum()
    return -total / len(p) - diversity(p, multi_label=multi_label)
