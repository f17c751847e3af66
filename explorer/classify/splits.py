"""Splits that keep recordings apart: what is learnt from and what is tested on share no group.

Two windows of one recording share the night, the recorder and often the very animal. A classifier
that has seen one of them will know the other, and a test on it says nothing about the next
recording. So every split here is made of whole groups: recordings, or sites where the question is
how well a classifier travels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError

Rows = NDArray[np.int64]


class SplitWarning(UserWarning):
    """A split that is not what it should be; the message says why and what would help."""


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers to learn from and to test on, each int64 and ascending."""

    train: Rows
    test: Rows


def leave_one_group_out(groups: Sequence[object] | NDArray[np.generic]) -> list[Split]:
    """Leave out each group in turn, in the order in which they first occur.

    Raises
    ------
    ParameterError
        If there are fewer than two groups: nothing can be kept apart.

    >>> [split.test.tolist() for split in leave_one_group_out(["a", "b", "a"])]
    [[0, 2], [1]]
    """
    numbers = _numbered(groups)
    return [_split(numbers == at) for at in range(_at_least(numbers, 2))]


def k_fold(
    groups: Sequence[object] | NDArray[np.generic],
    k: int,
    *,
    labels: ArrayLike | None = None,
    seed: int = 0,
) -> list[Split]:
    """Deal whole groups into ``k`` parts of like size and like classes; leave out each in turn.

    Parameters
    ----------
    groups
        The recording or site of each row, [n].
    k
        At most the number of groups.
    labels
        What each row is of, so that each part gets its share: names or numbers [n], or 0 and 1
        [n, n_classes]. Each part gets its share as far as whole groups allow.
    seed
        Decides between groups that would do equally well.

    Raises
    ------
    ParameterError
        If there are fewer than ``k`` groups.

    Examples
    --------
    >>> [split.test.tolist() for split in k_fold(["a", "a", "b", "b", "c"], 2)]
    [[0, 1, 4], [2, 3]]
    """
    numbers = _numbered(groups)
    if k < 2:
        raise ParameterError(f"{k} parts cannot be told apart; give 2 or more")
    n_groups = _at_least(numbers, k)
    of_rows = np.c_[np.ones(len(numbers)), _columns(labels, len(numbers))]
    counts = np.zeros((n_groups, of_rows.shape[1]))
    np.add.at(counts, numbers, of_rows)
    # Shares, so that a rare class weighs as much as a common one.
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(n_groups)
    order = order[np.argsort(-shares[order].max(axis=1), kind="stable")]
    filled = np.zeros((k, shares.shape[1]))
    part = np.zeros(n_groups, np.int64)
    for at, group in enumerate(order):
        # No part may stay empty: the last groups go where there is nothing yet.
        empty = np.flatnonzero(filled[:, 0] == 0)
        places = empty if len(empty) >= n_groups - at else np.arange(k)
        # What the part has of the classes of this group, first of all of its rarest.
        part[group] = places[np.argmin(filled[places] @ shares[group])]
        filled[part[group]] += shares[group]
    return [_split(part[numbers] == number) for number in dict.fromkeys(part[numbers].tolist())]


def hold_out(
    groups: Sequence[object] | NDArray[np.generic],
    share: float = 0.25,
    *,
    labels: ArrayLike | None = None,
    seed: int = 0,
) -> Split:
    """Keep about ``share`` of the rows for testing, in whole groups (one of `k_fold`'s parts).

    >>> hold_out(["a", "a", "b", "b"], 0.5).test.tolist()
    [0, 1]
    """
    if not 0 < share <= 0.5:
        raise ParameterError(f"share must be above 0 and at most 0.5, not {share}")
    k = min(round(1 / share), _at_least(_numbered(groups), 2))
    return k_fold(groups, k, labels=labels, seed=seed)[0]


def check_apart(split: Split, groups: Sequence[object] | NDArray[np.generic]) -> None:
    """Refuse a split that has a group on both sides.

    Raises
    ------
    ParameterError
        Naming some of those groups.
    """
    numbers = _numbered(groups)
    shared = np.intersect1d(numbers[split.train], numbers[split.test])
    if len(shared):
        names = [str(groups[int(np.argmax(numbers == number))]) for number in shared[:3]]
        raise ParameterError(
            f"{len(shared)} groups are learnt from and tested on, such as {', '.join(names)}; "
            "split whole recordings (or sites), with k_fold or leave_one_group_out"
        )


def warn_untestable(
    positive: NDArray[np.bool_],
    groups: Sequence[object] | NDArray[np.generic],
    classes: Sequence[str],
) -> NDArray[np.bool_]:
    """Say which classes have all their examples in one group, and so no test that keeps it apart.

    Parameters
    ----------
    positive
        Where a row is an example of a class, [n, n_classes].

    Returns
    -------
    bool [n_classes]: True where a class can be tested.
    """
    numbers = _numbered(groups)
    testable = np.array([len(np.unique(numbers[column])) > 1 for column in positive.T], bool)
    if not testable.all():
        names = [name for name, can in zip(classes, testable, strict=True) if not can]
        warnings.warn(
            f"{', '.join(names)}: all examples come from one recording (or site), so that they "
            "cannot be tested on another; label some from a second one",
            SplitWarning,
            stacklevel=2,
        )
    return testable


def _numbered(groups: Sequence[object] | NDArray[np.generic]) -> Rows:
    """Number the groups in the order in which they first occur, [n]."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(group, len(known)) for group in _each(groups)], np.int64)


def _each(groups: Sequence[object] | NDArray[np.generic]) -> Iterator[object]:
    yield from groups.tolist() if isinstance(groups, np.ndarray) else groups


def _at_least(numbers: Rows, least: int) -> int:
    n_groups = int(numbers.max()) + 1 if len(numbers) else 0
    if n_groups < least:
        raise ParameterError(
            f"{least} parts that share no recording (or site) need as many of them, and there "
            f"{'is' if n_groups == 1 else 'are'} {n_groups}; label windows from more"
        )
    return n_groups


def _columns(labels: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if labels is None:
        return np.zeros((n, 0))
    array = np.asarray(labels)
    if array.ndim == 1:
        array = array[:, None] == np.unique(array)
    return array.astype(np.float64)


def _split(tested: NDArray[np.bool_]) -> Split:
    return Split(np.flatnonzero(~tested), np.flatnonzero(tested))
