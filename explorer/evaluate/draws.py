"""Which recordings give the examples of a draw and which are ranked, and which examples are drawn.

Draws follow from the labels and the seed alone, so every run (encoder) and method gets the same.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.splits import Split, check_apart, warn_untestable
from explorer.collection.windows import WindowIndex
from explorer.errors import ParameterError
from explorer.evaluate.ranges import Held, Ranges
from explorer.evaluate.task import Task

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sides:
    """Recordings that give examples, and recordings that are ranked, bool ``[n_recordings]``."""

    giving: NDArray[np.bool_]
    ranked: NDArray[np.bool_]


def sides_of(recordings: pd.DataFrame, ranges: Ranges, task: Task) -> list[Sides]:
    """Say for each draw which recordings give examples and which are ranked.

    Where recordings (or sites) are kept apart those with something to give are dealt into two
    halves anew for each draw, unless the task names those that give.

    Parameters
    ----------
    recordings
        The collection's table: recording, site.

    Raises
    ------
    ParameterError
        If sites are not known, or no recording has the names that the task asks for.
    """
    group = _groups(recordings, ranges, task)
    if task.examples is not None:
        sides = [_named(recordings["recording"], group, task)] * task.draws
    elif task.keeps_groups_apart:
        sides = _dealt(group, ranges, task)
    else:
        sides = [Sides(np.ones(len(group), bool), np.ones(len(group), bool))] * task.draws
    if task.keeps_groups_apart:
        for side in sides:
            check_apart(Split(np.flatnonzero(side.giving), np.flatnonzero(side.ranked)), group)
    return sides


def _groups(recordings: pd.DataFrame, ranges: Ranges, task: Task) -> Rows:
    """A number for each recording: those of the same number are kept together."""
    names = recordings["recording"]
    if isinstance(task.groups, Mapping):
        cut_from = task.groups
        names = names.map(lambda name: cut_from.get(name, name))
    elif task.groups == "site":
        names = recordings["site"].fillna("")
        nowhere = names.iloc[ranges.table["position"].unique()] == ""
        if nowhere.any():
            raise ParameterError(
                f"{int(nowhere.sum())} labelled recordings have no site; give --site-pattern when "
                "recordings are added, or keep recordings apart instead"
            )
    return np.unique(names.astype(str).to_numpy(), return_inverse=True)[1].astype(np.int64)


def _named(names: pd.Series, group: Rows, task: Task) -> Sides:
    """The sides where the task says which recordings give the examples."""
    pattern = str(task.examples)
    giving = np.array([fnmatch.fnmatchcase(name, pattern) for name in names], bool)
    if not giving.any():
        raise ParameterError(f"no recording has a name like {pattern!r}, such as {names.iloc[0]!r}")
    ranked = ~np.isin(group, group[giving]) if task.keeps_groups_apart else ~giving
    if not ranked.any():
        raise ParameterError(
            f"nothing is left to be ranked: every recording (or site) has a part like {pattern!r}"
        )
    return Sides(giving, ranked)


def _dealt(group: Rows, ranges: Ranges, task: Task) -> list[Sides]:
    positive = ranges.of("positive")
    of_range = group[positive["position"].to_numpy()]
    column = positive["column"].to_numpy()
    of_class = column[:, None] == np.arange(len(ranges.classes))
    warn_untestable(of_class, of_range, ranges.classes)
    counts = np.zeros((group.max() + 1, len(ranges.classes)), np.int64)
    np.add.at(counts, (of_range, column), 1)
    found = []
    for number in range(task.draws):
        giving = deal(counts, np.random.default_rng([task.seed, number]))[group]
        found.append(Sides(giving, ~giving))
    return found


def deal(counts: Rows, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Deal groups into two halves, so that each has half of every class as far as groups allow.

    Parameters
    ----------
    counts
        How much each group has of each class, ``[n_groups, n_classes]``.

    Returns
    -------
    True for groups of the half that gives examples, ``[n_groups]``; never for a group that has
    nothing to give.

    Examples
    --------
    >>> counts = np.array([[4, 0], [4, 0], [0, 1], [0, 1], [0, 0]])
    >>> half = deal(counts, np.random.default_rng(0))
    >>> counts[half].sum(axis=0).tolist()
    [4, 1]
    """
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((2, counts.shape[1]))
    giving = np.zeros(len(counts), bool)
    for group in rng.permutation(np.flatnonzero(counts.any(axis=1))):
        # What a side has of the classes of this group, first of all of its rarest.
        there = filled @ shares[group]
        side = int(rng.integers(2)) if there[0] == there[1] else int(there.argmin())
        filled[side] += shares[group]
        giving[group] = side == 1
    return giving


def examples_of(
    index: WindowIndex, held: Held, ranges: Ranges, side: Sides, task: Task, number: int
) -> list[Rows]:
    """Windows to take as examples, for each class in the order of the draw.

    Each labelled range gives one window, of those that a label on it speaks of: which ranges, and
    where within a long one, is the same for every run. Fewer examples are the first of more.

    Returns
    -------
    For each class windows as positions in ``held``, as many as the largest number of shots or,
    where there are fewer, all.
    """
    most = max(task.shots)
    at = np.full(len(index), -1, np.int64)
    at[held.windows.rows] = np.arange(len(held))
    positive = ranges.of("positive")
    positive = positive[side.giving[positive["position"].to_numpy()]]
    found = []
    for column in range(len(ranges.classes)):
        mine = positive[positive["column"] == column]
        rng = np.random.default_rng([task.seed, number, column])
        order, within = rng.permutation(len(mine)), rng.random(len(mine))
        chosen: dict[int, None] = {}
        for place in order:
            one = mine.iloc[place]
            rows = at[index.overlapping(one["recording_id"], one["start_s"], one["end_s"])]
            rows = rows[rows >= 0]
            if len(rows):
                chosen[int(rows[int(within[place] * len(rows))])] = None
            if len(chosen) == most:
                break
        found.append(np.array(list(chosen), np.int64))
    return found
