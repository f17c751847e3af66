"""How much a window could teach a classifier: how doubtful it is, and how unlike what is known.

Small functions on plain arrays (golden/README.md 5.5), of which `sampling` makes a choice. Doubt is
the entropy of the scores; likeness is the cosine of embeddings brought to length one.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import as_numpy

ENTROPY_WEIGHT = 0.3
"""Weight of doubt against distance (best entry of BioDCASE 2026, task 4; golden/README.md 5.5)."""
MMR_WEIGHT = 0.3
"""Weight of likeness to what is picked already (golden/README.md 5.5)."""

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]


def entropy(scores: ArrayLike) -> Floats:
    """How doubtful scores in [0, 1] are, in bits: mean over the classes, ``[n]``.

    >>> entropy([[0.5, 0.5], [1.0, 0.5], [0.0, 1.0]])
    array([1. , 0.5, 0. ])
    """
    p = by_class(scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.asarray(np.where((p <= 0) | (p >= 1), 0, bits).mean(axis=1))


def distance_from(scores: ArrayLike, target: float = 0.5) -> Floats:
    """How far scores are from a target, mean over the classes, ``[n]``; at a half, the margin.

    >>> distance_from([0.5, 0.9]).round(2)
    array([0. , 0.4])
    """
    return np.asarray(np.abs(by_class(scores) - target).mean(axis=1))


def distance_to(embeddings: ArrayLike, labelled: ArrayLike) -> Floats:
    """Squared distance of each row to the nearest labelled one, all brought to length one, ``[n]``.

    Parameters
    ----------
    embeddings, labelled
        ``[n, dimension]`` and ``[n_labelled, dimension]``. With nothing labelled the distance is 4,
        the largest there is.

    >>> distance_to([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0]])
    array([0., 2.])
    """
    rows, others = unit(embeddings), unit(labelled)
    if not len(others):
        return np.full(len(rows), 4.0, rows.dtype)
    return np.asarray(np.maximum(2 - 2 * (rows @ others.T).max(axis=1), 0))


def utility(doubt: Floats, distance: Floats, *, entropy_weight: float = ENTROPY_WEIGHT) -> Floats:
    """What is learnt from a window: doubt (`entropy`) and distance to what is labelled, ``[n]``.

    >>> utility(np.array([1.0, 0.0]), np.array([0.0, 2.0]))
    array([0.3, 0.7])
    """
    furthest = distance.max(initial=0.0)
    share = distance / furthest if furthest > 0 else distance
    return np.asarray(entropy_weight * doubt + (1 - entropy_weight) * share)


def farthest_first(embeddings: ArrayLike, labelled: ArrayLike, n: int) -> Rows:
    """Rows that cover what is not labelled: each the farthest from all labelled and picked ones.

    Also known as CoreSet (Sener & Savarese 2018). Shapes as in `distance_to`.

    >>> farthest_first([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]], [[1.0, 0.0]], 2)
    array([1, 2])
    """
    rows = unit(embeddings)
    distance = distance_to(rows, labelled)
    picked: list[int] = []
    for _ in range(min(n, len(rows))):
        best = int(np.argmax(distance))
        picked.append(best)
        distance = np.minimum(distance, np.maximum(2 - 2 * (rows @ rows[best]), 0))
        distance[picked] = -1
    return np.array(picked, dtype=np.int64)


def thinned(
    embeddings: ArrayLike,
    utility: ArrayLike,
    n: int,
    *,
    weight: float = MMR_WEIGHT,
    groups: Rows | None = None,
    most_of_group: int = 0,
) -> Rows:
    """Rows of high utility that are unlike each other (maximal marginal relevance, MMR).

    Each in turn is the one of highest ``(1 - weight) utility - weight x``, where x is its largest
    cosine to those picked before (Carbonell & Goldstein 1998; golden/README.md 5.5).

    Parameters
    ----------
    embeddings, utility
        ``[n, dimension]`` and ``[n]``.
    groups, most_of_group
        A number for each row, ``[n]``, and how many to take of one group, as long as there are
        others.

    >>> thinned([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], [1.0, 0.9, 0.8], 2)
    array([0, 2])
    """
    rows = unit(embeddings)
    worth = (1 - weight) * np.asarray(utility, dtype=rows.dtype)
    likeness = np.zeros_like(worth)
    taken, full = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    picked: list[int] = []
    for _ in range(min(n, len(rows))):
        closed = taken | full if not (taken | full).all() else taken
        best = int(np.argmax(np.where(closed, -np.inf, worth - weight * likeness)))
        cosine = rows @ rows[best]
        likeness = np.maximum(likeness, cosine) if picked else cosine
        picked.append(best)
        taken[best] = True
        if groups is not None and (groups[picked] == groups[best]).sum() >= most_of_group:
            full |= groups == groups[best]
    return np.array(picked, dtype=np.int64)


def unit(rows: ArrayLike | torch.Tensor) -> Floats:
    """Rows brought to length one, float64 if they were, else float32; rows of zeros stay.

    >>> unit([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.atleast_2d(as_numpy(rows))
    if array.dtype != np.float64:
        array = array.astype(np.float32)
    length = np.linalg.norm(array, axis=1, keepdims=True)
    return np.asarray(array / np.where(length > 0, length, 1))


def by_class(scores: ArrayLike) -> Floats:
    """Scores as ``[n, n_classes]``, of the type they have."""
    array = as_numpy(scores)
    table = array[:, None] if array.ndim == 1 else array
    if table.ndim != 2:
        raise ParameterError(f"scores have shape {array.shape}; give [n] or [n, n_classes]")
    return np.asarray(table, dtype=table.dtype if table.dtype.kind == "f" else np.float64)
