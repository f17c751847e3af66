"""Which clips an exercise asks about: labelled windows, a class's ranking, or windows at hand.

Chosen by a seed, so that the same exercise can be made again; spread over recordings, because two
clips of one animal teach less than two animals; and shuffled, so that their order says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.labelling_plan import bins_of
from explorer.collection.archive import Rows
from explorer.collection.labels import agreed
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Source = Literal["labelled", "ranked"]

YES, NO, NONE, UNSURE = "yes", "no", "none", "unsure"
RESERVED = (YES, NO, NONE, UNSURE)
"""Answers that every exercise may have; no class of an exercise can be called so."""

FEWEST, MOST, USUAL = 6, 40, 12
"""How many clips: fewer say little, and more than forty nobody answers with fresh ears."""

LEVELS = (0.0, 0.5, 0.75, 0.875, 0.96, 1.0)
"""Quantiles of score between which ranked clips are drawn, as many from each: clear cases of both
kinds, and doubtful ones between. Most windows hold no call, so the upper levels are narrower."""


@dataclass(frozen=True)
class ExerciseClip:
    """A few seconds of a recording, and the right answer where it is known.

    ``by`` says who knows it: ``labels``, ``teacher``, or nobody.
    """

    recording: str
    start_s: float
    end_s: float
    right: str | None = None
    by: str = ""


def draw(
    collection: Collection,
    classes: Sequence[str],
    clips: Source | Rows,
    *,
    n: int | None,
    seed: int,
    run: str,
) -> list[ExerciseClip]:
    """Draw the clips of an exercise and shuffle them.

    Parameters
    ----------
    clips
        ``"labelled"``, ``"ranked"``, or windows by row.
    n
        How many; None for twelve, or for all of the given windows.

    Raises
    ------
    ParameterError
        If there are not enough of them.
    """
    generator = np.random.default_rng(seed)
    if n is not None and not FEWEST <= n <= MOST:
        raise ParameterError(f"an exercise has {FEWEST} to {MOST} clips, not {n}")
    truth = right_answers(collection, classes, run)
    if isinstance(clips, str):
        if clips not in ("labelled", "ranked"):
            raise ParameterError(f'clips are "labelled", "ranked" or windows, not {clips!r}')
        wanted = USUAL if n is None else n
        choose = _labelled if clips == "labelled" else _ranked
        rows = choose(collection, classes, truth, wanted, generator, run)
    else:
        given = np.unique(np.asarray(clips, dtype=np.int64))
        rows = _spread(collection, given, generator, run)[: len(given) if n is None else n]
    if not FEWEST <= len(rows) <= MOST:
        raise ParameterError(
            f"an exercise has {FEWEST} to {MOST} clips, and these are {len(rows)}"
            + (": label more windows first" if isinstance(clips, str) else "")
        )
    windows = collection.windows(generator.permutation(rows), run)
    known = truth.reindex(windows.index)
    return [
        ExerciseClip(
            str(window.recording),
            float(window.start_s),
            float(window.end_s),
            right if isinstance(right, str) else None,
            "labels" if isinstance(right, str) else "",
        )
        for window, right in zip(windows.itertuples(), known, strict=True)
    ]


def right_answers(collection: Collection, classes: Sequence[str], run: str) -> pd.Series:
    """What the labels answer, by row: yes or no to one class, or which of several.

    Windows of which the labels do not say enough are left out: those with two of the classes, or
    with none of them while nobody said no to all.
    """
    rows = collection.label_rows(run)
    settled = agreed(rows[rows["class"].isin(classes)])
    if settled.empty:
        return pd.Series([], index=pd.Index([], dtype=np.int64), dtype=object)
    said = settled.pivot(index="row", columns="class", values="judgement").reindex(columns=classes)
    positive, negative = said == "positive", said == "negative"
    answers = pd.Series(index=said.index, dtype=object)
    answers[negative.all(axis=1)] = NO if len(classes) == 1 else NONE
    single = positive.sum(axis=1) == 1
    answers[single] = YES if len(classes) == 1 else positive[single].idxmax(axis=1)
    return answers.dropna()


def _labelled(
    collection: Collection,
    classes: Sequence[str],
    truth: pd.Series,
    n: int,
    generator: np.random.Generator,
    run: str,
) -> NDArray[np.int64]:
    """As many of each answer as there are, turn by turn."""
    answers = [YES, NO] if len(classes) == 1 else [*classes, NONE]
    missing = [a for a in answers if a != NONE and not (truth == a).any()]
    if missing:
        what = {YES: f"to hold {classes[0]!r}", NO: f"not to hold {classes[0]!r}"}
        raise ParameterError(
            f"no window is labelled {what.get(missing[0], f'as {missing[0]!r} alone')}: label some "
            'first, or take clips="ranked"'
        )
    pools = []
    for answer in answers:
        rows = truth.index[truth == answer].to_numpy(dtype=np.int64)
        pools.append(_spread(collection, rows, generator, run))
    turns = [row for turn in range(n) for pool in pools for row in pool[turn : turn + 1]]
    return np.array(turns[:n], dtype=np.int64)


def _ranked(
    collection: Collection,
    classes: Sequence[str],
    truth: pd.Series,
    n: int,
    generator: np.random.Generator,
    run: str,
) -> NDArray[np.int64]:
    """As many from each level of score, for each class."""
    classifier = collection.classifier(run=run, kind="centroid")
    scores = classifier.scores()
    pools = []
    for class_ in classes:
        column = scores[:, classifier.column(class_)]
        levels = bins_of(column, np.quantile(column, LEVELS))
        for level in reversed(range(len(LEVELS) - 1)):
            rows = np.flatnonzero(levels == level)
            pools.append(_spread(collection, rows, generator, run, most=n))
    turns = [row for turn in range(n) for pool in pools for row in pool[turn : turn + 1]]
    return np.array(list(dict.fromkeys(turns))[:n], dtype=np.int64)


def _spread(
    collection: Collection,
    rows: NDArray[np.int64],
    generator: np.random.Generator,
    run: str,
    most: int = 1000,
) -> NDArray[np.int64]:
    """Some rows in random order, one of each recording before the second of any."""
    shuffled = rows[generator.permutation(len(rows))[: most * 4]]
    if not len(shuffled):
        return shuffled
    recording = pd.Series(collection.index(run).recording_id[shuffled])
    order = np.argsort(recording.groupby(recording).cumcount().to_numpy(), kind="stable")
    return np.asarray(shuffled[order], dtype=np.int64)
