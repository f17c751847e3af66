"""What an embedding tells apart, by nearest neighbours in other recordings: class, site, recorder.

An embedding that tells where a window was recorded better than what is in it will make a
classifier that knows the recorder. So the same question is asked of all three, with no training:
of a window's nearest neighbours (cosine), those of its own recording left out, how many are of its
kind? The share is its *purity*; taken as a score for every class (or site, or recorder), its
ROC-AUC says how well these are told, a half being chance whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.classify.metrics import macro_mean, roc_auc
from explorer.errors import ParameterError

NEIGHBOURS = 10
ROWS_AT_A_TIME = 512


@dataclass(frozen=True)
class Told:
    """How well kinds are told apart; NaN where that cannot be asked.

    Attributes
    ----------
    auc
        Macro ROC-AUC of the neighbours' votes; 0.5 is chance.
    purity
        Mean share of neighbours of the same kind, each kind weighing the same.
    chance
        What the purity of neighbours drawn at random would be.
    kinds
        How many classes (sites, recorders) could be asked about: those in two groups or more.
    """

    auc: float
    purity: float
    chance: float
    kinds: int


NOTHING = Told(np.nan, np.nan, np.nan, 0)


def neighbours_apart(
    embeddings: NDArray[np.float32], groups: ArrayLike, k: int = NEIGHBOURS
) -> NDArray[np.int64]:
    """The k nearest of every row (cosine) that are of another group, nearest first.

    Parameters
    ----------
    embeddings
        float ``[n, dimension]``.
    groups
        The recording of each row, ``[n]``.

    Returns
    -------
    int64 ``[n, k]``; -1 where the other groups hold fewer rows.

    Examples
    --------
    >>> rows = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]], np.float32)
    >>> neighbours_apart(rows, ["a", "a", "b", "b"], k=1).ravel().tolist()
    [2, 2, 1, 1]
    """
    _, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(group) != len(embeddings):
        raise ParameterError(f"{len(group)} groups for {len(embeddings)} rows; give one each")
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows = embeddings / np.where(length > 0, length, 1)
    most = min(k, len(rows))
    found = np.full((len(rows), k), -1, np.int64)
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        alike = rows[part] @ rows.T
        alike[group[part, None] == group] = -np.inf
        near = np.argpartition(-alike, most - 1, axis=1)[:, :most]
        value = np.take_along_axis(alike, near, axis=1)
        order = np.lexsort((near, -value), axis=1)
        there = np.isfinite(np.take_along_axis(value, order, axis=1))
        found[part, :most] = np.where(there, np.take_along_axis(near, order, axis=1), -1)
    return found


def told(of: NDArray[np.bool_], neighbours: NDArray[np.int64], groups: ArrayLike) -> Told:
    """How well the neighbours tell the kinds apart.

    Parameters
    ----------
    of
        What each row is of, ``[n, n_kinds]``; a row may be of several.
    neighbours
        Of `neighbours_apart`, with the same groups.

    Examples
    --------
    >>> of = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    >>> told(of, np.array([[1], [0], [3], [2]]), ["a", "b", "c", "d"]).purity
    1.0
    """
    _, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    in_groups = np.array([len(np.unique(group[column])) for column in of.T], np.int64)
    of = of[:, in_groups > 1]
    if of.shape[1] < 2:
        return NOTHING
    # A row of none of the kinds may be a neighbour: it votes for nothing.
    votes = np.where(neighbours[..., None] >= 0, of[neighbours], False).mean(axis=1)
    size = np.zeros((int(group.max()) + 1, of.shape[1]))
    np.add.at(size, group, of)
    elsewhere = np.maximum(len(of) - np.bincount(group)[group, None], 1)
    others = (of.sum(axis=0) - size[group]) / elsewhere
    return Told(
        macro_mean(roc_auc(of, votes)),
        macro_mean([votes[column, at].mean() for at, column in enumerate(of.T)]),
        macro_mean([others[column, at].mean() for at, column in enumerate(of.T)]),
        of.shape[1],
    )


def one_hot(names: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Columns for the names that occur, ``[n, n_names]``; the empty name has none.

    >>> one_hot(np.array(["a", "", "b"], dtype=object)).astype(int).tolist()
    [[1, 0], [0, 0], [0, 1]]
    """
    text = names.astype(str)
    known = np.unique(text[text != ""])
    return np.asarray(text[:, None] == known[None, :], dtype=bool)


def association(first: NDArray[np.object_], second: NDArray[np.object_]) -> float:
    """How closely two kinds of names go together, from 0 to 1 (Cramér's V).

    At 1 each class was recorded at sites of its own, and telling one is telling the other.

    >>> association(np.array(["a", "a", "b", "b"]), np.array(["x", "x", "y", "y"]))
    1.0
    """
    one, two = one_hot(first).astype(float), one_hot(second).astype(float)
    table = one.T @ two
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, least = table.sum(), min(table.shape, default=0) - 1
    if least < 1:
        return np.nan
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / n / least))
