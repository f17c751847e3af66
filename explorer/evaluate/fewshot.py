"""How well a few examples find the rest: the few-shot protocol of SurfPerch, on anyone's sounds.

Williams et al. (2024): of each class of a data set k examples are drawn, a classifier is made of
them on frozen embeddings, and everything that was not drawn is ranked; macro ROC-AUC is the mean
over classes, then over repeated draws, then over data sets (golden/README.md 3.1). Two things are
stricter here. Whole recordings (or sites) are kept apart: nothing of a recording that gave an
example is ranked. And every method and encoder is given the same draws.

Of each class a fifth of its recordings, one at the least, gives no example, so that there is always
something to find. A class that has fewer than k examples in the others takes no part at k shots;
its items stay among what is ranked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.background import Background
from explorer.classify.labelled import Labelled
from explorer.classify.metrics import average_precision, roc_auc
from explorer.classify.splits import Split, SplitWarning, check_apart, warn_untestable
from explorer.errors import ParameterError
from explorer.evaluate import methods as ways
from explorer.evaluate.datasets import DataSet
from explorer.evaluate.intervals import cell, with_intervals
from explorer.space.blocks import Corpus

SHOTS = (1, 4, 8, 16, 32)
PAPER_SHOTS = (4, 8, 16, 32)
DRAWS = 10
METHODS = ("auto", "centroid", "probe", "birb", "logistic")
MEAN = "mean over data sets"
TESTED_SHARE = 0.2
"""Share of a class's items that is kept for testing, in whole recordings, as far as k allows."""

BackgroundFrom = Literal["collection", "own", "others", "none"]
KEY = ["data_set", "encoder", "method", "shots"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draw:
    """Examples and what is ranked, as row numbers of a `Labelled`.

    Attributes
    ----------
    classes
        Columns of the classes that take part.
    examples
        k of each, and as many windows that are of no class where there are any.
    test
        Everything of groups that gave no example.
    """

    classes: Rows
    examples: Rows
    test: Rows


def draw(labelled: Labelled, shots: int, seed: Sequence[int]) -> Draw:
    """Draw examples of each class from as many groups as possible, and keep groups apart.

    With the same seed the draw of more shots begins with that of fewer, as far as groups allow.

    Examples
    --------
    >>> labelled = Labelled.of(
    ...     {"grunt": np.eye(6)[:3], "boat": np.eye(6)[3:]},
    ...     groups={"grunt": ["a", "b", "c"], "boat": ["d", "e", "f"]},
    ... )
    >>> one = draw(labelled, 1, [0])
    >>> len(one.examples), len(one.test)
    (2, 4)
    """
    rng = np.random.default_rng(list(seed))
    _, group = np.unique(_names(labelled), return_inverse=True)
    n_groups = int(group.max()) + 1
    none = ~labelled.positive.any(axis=1) & labelled.negative.any(axis=1)
    of = np.c_[labelled.positive, none]
    counts = np.zeros((n_groups, of.shape[1]), np.int64)
    np.add.at(counts, group, of)
    able = _able(counts, shots)
    able[-1] = counts[:, -1].any()
    tested = _tested(counts, able, shots, rng.permutation(n_groups))
    giving = np.where(tested[:, None], 0, counts)
    able &= (counts[tested] > 0).any(axis=0) & (giving.sum(axis=0) >= shots)
    able[-1] = giving[:, -1].any()
    if able.sum() < 2:  # nothing to tell a class from
        able[:] = False
    order = rng.permutation(len(of))
    order = order[~tested[group[order]]]
    chosen = [_spread(order[of[order, at]], group, shots) for at in np.flatnonzero(able)]
    examples = np.unique(np.concatenate([np.zeros(0, np.int64), *chosen]))
    test = np.flatnonzero(~np.isin(group, group[examples]))
    check_apart(Split(examples, test), group)
    return Draw(np.flatnonzero(able[:-1]), examples, test)


def _able(counts: Rows, shots: int) -> NDArray[np.bool_]:
    """Classes with enough examples when their smallest group is kept for testing."""
    smallest = np.where(counts > 0, counts, counts.sum()).min(axis=0)
    enough = counts.sum(axis=0) - smallest >= shots
    return enough & ((counts > 0).sum(axis=0) > 1)


def _tested(counts: Rows, able: NDArray[np.bool_], shots: int, order: Rows) -> NDArray[np.bool_]:
    """Groups that give no example: a share of each class, and never so many that k are not left."""
    goal = np.maximum(1, TESTED_SHARE * counts.sum(axis=0))
    least = np.where(able, shots, 0)
    least[-1] = 0
    left, kept = counts.sum(axis=0), np.zeros(counts.shape[1])
    tested = np.zeros(len(counts), bool)
    for group in order:
        here = able & (counts[group] > 0)
        wanted = (kept < goal)[here].any()
        affordable = (left - counts[group] >= least)[here].all()
        if wanted and affordable:
            tested[group] = True
            left, kept = left - counts[group], kept + counts[group]
    return tested


def _spread(rows: Rows, group: Rows, shots: int) -> Rows:
    """The first rows of each group, then the second ones, and so on: k of them."""
    turn = pd.Series(group[rows]).groupby(group[rows]).cumcount().to_numpy()
    return rows[np.argsort(turn, kind="stable")][:shots]


def _names(labelled: Labelled) -> NDArray[np.object_]:
    if labelled.groups is None:
        raise ParameterError("the labelled items have no groups; give the recording of each")
    return labelled.groups.astype(str)


def fewshot(
    data_sets: Sequence[DataSet],
    *,
    shots: Sequence[int] = SHOTS,
    draws: int = DRAWS,
    methods: Sequence[str] = METHODS,
    background: BackgroundFrom = "collection",
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Measure every method on every data set, at every number of examples.

    Parameters
    ----------
    data_sets
        One for each data set and encoder (`explorer.evaluate.datasets`).
    shots
        Numbers of examples of each class.
    draws
        Repetitions, each with other examples.
    methods
        Of `explorer.evaluate.methods`.
    background
        Where unlabelled windows come from: ``"collection"``, all windows of the collection that
        holds the data set, labels unseen, as in daily use; ``"own"``, those of the data set alone;
        ``"others"``, those of the other data sets, so that nothing of this one is known but its
        examples (leave one data set out); ``"none"``.
    on_progress
        Told how many draws are done, of how many, and the data set.

    Returns
    -------
    One row for each data set, encoder, method, shots, draw and class: positives (that were ranked),
    auc and ap (average precision). `summary` has the means with intervals, `table` the text.

    Raises
    ------
    ParameterError
        If nothing can be drawn, or a setting is wrong.
    """
    if not data_sets or not shots or min(shots) < 1 or draws < 1:
        raise ParameterError("give a data set, shots of 1 or more, and 1 draw or more")
    for method in methods:
        ways.check(method)
    for part in {one.name: one for one in data_sets}.values():
        known = part.known()
        warn_untestable(known.positive, _names(known), known.classes)
        if part.groups == "none":
            warnings.warn(
                f"recordings of {part.name} are not kept apart: what was learnt from one is tested "
                "on the same one, and scores flatter",
                SplitWarning,
                stacklevel=2,
            )
    found: list[dict[str, object]] = []
    total, done = len(data_sets) * draws * len(shots), 0
    geometry: dict[int, Background] = {}
    for part in data_sets:
        labelled = part.known()
        unlabelled = _unlabelled(part, data_sets, background)
        place = ways.Place(labelled.rows, unlabelled, geometry.get(id(unlabelled)))
        for number in range(draws):
            for k in shots:
                one = draw(labelled, k, (seed, number))
                about = {"data_set": part.name, "encoder": part.encoder, "shots": k}
                about |= {"draw": number}
                found += [about | row for row in _measured(labelled, one, place, methods)]
                done += 1
                if on_progress is not None:
                    on_progress(done, total, part.name)
        made = vars(place).get("background")  # if a method asked for it
        if background == "collection" and made is not None:
            geometry[id(unlabelled)] = made  # the data sets of a collection share it
    if not found:
        raise ParameterError(
            f"no class of {', '.join(sorted({part.name for part in data_sets}))} has "
            f"{min(shots)} examples, something to test them on in other recordings (or sites), and "
            "something to be told from: label more, from more recordings, or ask for fewer shots"
        )
    columns = [*KEY, "draw", "class", "positives", "auc", "ap"]
    return pd.DataFrame(found)[columns]


def _unlabelled(
    part: DataSet, data_sets: Sequence[DataSet], background: BackgroundFrom
) -> Corpus | None:
    if background == "none":
        return None
    if background == "collection":
        return part.around
    if background == "own":
        return part.windows
    others = [
        other.windows
        for other in data_sets
        if other.encoder == part.encoder and other.name != part.name
    ]
    if not others:
        raise ParameterError(
            f"there is no other data set than {part.name} to take unlabelled windows from"
        )
    return list(chain.from_iterable(windows.blocks() for windows in others))


def _measured(
    labelled: Labelled, one: Draw, place: ways.Place, methods: Sequence[str]
) -> list[dict[str, object]]:
    """AUC and AP of each method and class of a draw."""
    if not len(one.classes):
        return []
    truth = labelled.truth[:, one.classes]
    names = [labelled.classes[at] for at in one.classes]
    chosen = one.examples
    groups = None if labelled.groups is None else labelled.groups[chosen]
    examples = Labelled(tuple(names), labelled.rows[chosen], truth[chosen], groups)
    known = ~np.isnan(truth[one.test])
    positive = truth[one.test] > 0.5
    testable = positive.any(axis=0) & (known & ~positive).any(axis=0)
    rows: list[dict[str, object]] = []
    for method in methods:
        scored = ways.scores(method, examples, place)[one.test]
        auc = roc_auc(positive, scored, mask=known)
        ap = average_precision(positive, scored, mask=known)
        rows += [
            {
                "method": method,
                "class": names[at],
                "positives": int(positive[:, at].sum()),
                "auc": auc[at],
                "ap": ap[at],
            }
            for at in np.flatnonzero(testable)
        ]
    return rows


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Means of the results of `fewshot`, with 95 % intervals.

    Returns
    -------
    One row for each data set, encoder, method and shots: classes, draws, and for auc and ap the
    mean over classes and then draws with ``_low`` and ``_high``: Student's interval of the mean
    over draws, so it holds for these recordings and says how much hangs on which examples are
    drawn.
    Rows of `MEAN` follow: the mean over the data sets that have so many shots, as the paper has
    it, with the interval over data sets, which says how far it holds for another one.
    """
    by_draw = results.groupby([*KEY, "draw"], sort=False)[["auc", "ap"]].mean().reset_index()
    each = with_intervals(by_draw, KEY)
    each.insert(0, "classes", results.groupby(KEY, sort=False)["class"].nunique())
    each.insert(1, "draws", by_draw.groupby(KEY, sort=False).size())
    each = each.assign(data_sets=1).reset_index()
    over = with_intervals(each, KEY[1:])
    counts = each.groupby(KEY[1:], sort=False).agg(
        classes=("classes", "sum"), draws=("draws", "min"), data_sets=("data_sets", "sum")
    )
    means = over.join(counts).assign(data_set=MEAN).reset_index()
    return pd.concat([each, means[means["data_sets"] > 1]], ignore_index=True)[list(each.columns)]


def table(results: pd.DataFrame, measure: Literal["auc", "ap"] = "auc") -> str:
    """The results of `fewshot` as a text: a block for each data set, shots from left to right.

    Every cell is the mean and half of its 95 % interval (see `summary`).
    """
    means = summary(results)
    shots = sorted(means["shots"].unique())
    words = {"auc": "macro ROC-AUC", "ap": "macro average precision"}[measure]
    width = max(map(len, [*means["encoder"].unique(), "encoder"])) + 2
    head = f"{'encoder':<{width}}{'method':<10}" + "".join(f"{k:>13}" for k in shots)
    lines = [f"{words}, ± half of a 95 % interval; examples of each class from left to right"]
    for name, block in means.groupby("data_set", sort=False):
        lines += ["", f"{name}: {_what(block, shots)}", head]
        for (encoder, method), part in block.groupby(["encoder", "method"], sort=False):
            cells = part.set_index("shots")
            cut = [cell(cells.loc[k] if k in cells.index else None, measure) for k in shots]
            row = "".join(f"{text:>13}" for text in cut)
            lines.append(f"{encoder:<{width}}{method:<10}{row}")
    return "\n".join(lines)


def _what(block: pd.DataFrame, shots: Sequence[int]) -> str:
    """Of how many classes (data sets) the columns are."""
    mean = block["data_set"].iloc[0] == MEAN
    column, noun = ("data_sets", "data sets") if mean else ("classes", "classes")
    counts = block.groupby("shots")[column].max().reindex(shots, fill_value=0)
    listed = str(counts.iloc[0]) if counts.nunique() == 1 else ", ".join(map(str, counts))
    draws = int(block["draws"].max())
    return f"{listed} {noun}" + f", {draws} draw{'s' * (draws > 1)}" * (not mean)
