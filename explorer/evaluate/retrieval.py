"""How well a few examples find a sound in recordings: the retrieval task of BIRB.

Hamer et al. (2023, golden/README.md 1): of each class k examples are drawn, and every window of a
corpus is ranked by how much it is like them; nothing is trained on the corpus. ROC-AUC and average
precision of each class are averaged over classes, by arithmetic and geometric means, and over
repeated draws. It runs on any collection with labelled time ranges, of long recordings or of clips,
and on all its runs side by side: each encoder is given windows of the same labelled sounds.

Two things are as in a collection, and not as published, unless a `Task` says otherwise:

- **Recordings are kept apart.** In each draw the labelled recordings are dealt into two halves: one
  gives the examples, the other is ranked, the same for every k. BIRB removes from what is ranked
  only the very windows that were drawn (``groups="none"``), so that their neighbours, often the
  same animal a moment later, are among what is found.
- **Two methods.** BIRB's plain cosine (``"birb"``) beside what `explorer` does by default
  (``"centroid"``), which knows the unlabelled windows of the place and, in one draw, the examples
  of all classes.

A class takes no part in a draw where fewer than k examples can be drawn, where nothing of it is
among what is ranked, or nothing else; `Retrieval.dropped` lists these with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.labelled import Labelled
from explorer.classify.metrics import average_precision, roc_auc
from explorer.errors import ParameterError
from explorer.evaluate import methods as ways
from explorer.evaluate.corpora import Flags, counting
from explorer.evaluate.draws import Sides, examples_of, sides_of
from explorer.evaluate.findings import Retrieval
from explorer.evaluate.ranges import Held, held_in, ranges_of
from explorer.evaluate.task import Task

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Rows = NDArray[np.int64]


def retrieval(
    collection: Collection,
    runs: Sequence[str] | None = None,
    task: Task | None = None,
    *,
    background: pd.DataFrame | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Retrieval:
    """Measure how well k examples of each class find the others.

    Parameters
    ----------
    runs
        Runs of the collection to compare; None for all.
    task
        What is asked; None for BIRB's numbers of examples and draws with recordings kept apart.
    background
        Classes heard in the background: recording and class (and start_s, end_s), for ``"xc_fg"``
        and ``"xc_bg"``.
    on_progress
        Told how many draws are done, of how many, and the run.

    Raises
    ------
    ParameterError
        If nothing is labelled, or no class can be measured while recordings are kept apart.

    Examples
    --------
    >>> found = retrieval(reef, task=Task(shots=(1, 4)))   # doctest: +SKIP
    >>> found.table()                                      # doctest: +SKIP
    """
    asked = task or Task()
    ranges = ranges_of(
        collection, classes=asked.classes, background=background, corpus=asked.corpus
    )
    names = _run_names(collection, runs)
    sides = sides_of(collection.recordings, ranges, asked)
    measured: list[dict[str, object]] = []
    left_out: list[dict[str, object]] = []
    for at, run in enumerate(names):
        held = held_in(collection, run, ranges, least_overlap_s=asked.least_overlap_s)
        # The methods take any corpus that hands out blocks; the windows stay on disk.
        place = ways.Place(cast("Any", held.windows), held.everything)
        for number, side in enumerate(sides):
            chosen = examples_of(collection.index(run), held, ranges, side, asked, number)
            for k in asked.shots:
                about = {"run": run, "shots": k, "draw": number}
                one = _Draw(asked, held, ranges.classes, side, [rows[:k] for rows in chosen], k)
                measured += [about | row for row in one.measured(place)]
                left_out += [about | row for row in one.left_out()]
            if on_progress is not None:
                on_progress(at * len(sides) + number + 1, len(names) * len(sides), run)
    if not measured:
        raise ParameterError(_nothing(asked, left_out))
    return Retrieval(asked, pd.DataFrame(measured), pd.DataFrame(left_out))


def _run_names(collection: Collection, runs: Sequence[str] | None) -> list[str]:
    known = list(collection.catalogue.runs())
    if not known:
        raise ParameterError(
            f'{collection.name}: nothing is embedded yet: explorer embed "{collection.path}"'
        )
    names = known if not runs else list(dict.fromkeys(runs))
    strange = [name for name in names if name not in known]
    if strange:
        raise ParameterError(
            f"{collection.name} has no run {', '.join(strange)}; there are: {', '.join(known)}"
        )
    return names


class _Draw:
    """One draw of k examples of each class: what takes part, what is ranked, and how well.

    Parameters
    ----------
    examples
        Of each class, at most k, as positions in ``held``.
    """

    def __init__(
        self,
        task: Task,
        held: Held,
        classes: tuple[str, ...],
        side: Sides,
        examples: Sequence[Rows],
        k: int,
    ) -> None:
        self.task, self.held, self.classes, self.examples = task, held, classes, examples
        self.able = np.array([len(rows) == k for rows in examples], bool)
        self.positive = held.foreground | held.background
        self.counts = _counts(task, held) & side.ranked[held.position][:, None]
        with_examples: list[int] = np.flatnonzero(self.able).tolist()
        if task.groups == "time" and with_examples:
            drawn = np.concatenate([examples[column] for column in with_examples])
            self.counts[held.touching(drawn)] = False
        if task.groups == "none":
            for column in with_examples:
                self.counts[examples[column], column] = False
        self.positives = np.sum(self.positive & self.counts, axis=0)
        self.negatives = np.sum(~self.positive & self.counts, axis=0)
        self.measurable = self.able & (self.positives > 0) & (self.negatives > 0)

    def measured(self, place: ways.Place) -> list[dict[str, object]]:
        """AUC and AP of each method and class that can be measured."""
        columns = np.flatnonzero(self.measurable)
        if not len(columns):
            return []
        rows = np.flatnonzero(self.counts[:, columns].any(axis=1))
        cells = np.ix_(rows, columns)
        labelled, taking_part = self._labelled()
        order = self.task.reference_order
        found: list[dict[str, object]] = []
        for method in self.task.methods:
            scores = ways.scores(method, labelled, place)
            scores = scores[np.ix_(rows, np.searchsorted(taking_part, columns))]
            auc, ap = (
                measure(
                    self.positive[cells], scores, mask=self.counts[cells], reference_order=order
                )
                for measure in (roc_auc, average_precision)
            )
            found += [
                {
                    "method": method,
                    "class": self.classes[column],
                    "windows": int(self.positives[column] + self.negatives[column]),
                    "positives": int(self.positives[column]),
                    "auc": auc[at],
                    "ap": ap[at],
                }
                for at, column in enumerate(columns.tolist())
            ]
        return found

    def _labelled(self) -> tuple[Labelled, Rows]:
        """The examples, k of each class, each known not to be of what it does not hold; columns."""
        columns = np.flatnonzero(self.able)
        drawn = np.unique(np.concatenate([self.examples[column] for column in columns.tolist()]))
        may_hold = (self.positive | self.held.unsure)[np.ix_(drawn, columns)]
        truth = np.where(may_hold, np.nan, 0.0).astype(np.float32)
        for at, column in enumerate(columns.tolist()):
            truth[np.searchsorted(drawn, self.examples[column]), at] = 1
        names = tuple(self.classes[column] for column in columns.tolist())
        return Labelled(names, self.held.windows.take(drawn), truth), columns

    def left_out(self) -> list[dict[str, object]]:
        """Classes that cannot be measured, each with the reason."""
        reasons = np.select(
            [~self.able, self.positives == 0],
            ["too few examples to draw from", "nothing of it to find"],
            "nothing but it to find",
        )
        return [
            {
                "class": self.classes[column],
                "reason": str(reasons[column]),
                "examples": len(self.examples[column]),
            }
            for column in np.flatnonzero(~self.measurable).tolist()
        ]


def _counts(task: Task, held: Held) -> Flags:
    """Which windows count for which class, before any is left out for the sake of examples."""
    positive = held.foreground | held.background
    also = np.ones(len(held), bool) if task.ranked == "all" else held.judged
    counts = counting(held.foreground, held.background, task.corpus)
    counts = counts | (also & ~positive.any(axis=1))[:, None]
    return np.asarray(counts & (positive | ~held.unsure), dtype=bool)


def _nothing(task: Task, left_out: Sequence[Mapping[str, object]]) -> str:
    reasons = sorted({f"{row['class']}: {row['reason']}" for row in left_out})
    text = f"no class can be measured ({'; '.join(reasons[:3])}): label more"
    if not task.keeps_groups_apart:
        return f"{text}, or ask for fewer shots"
    return (
        f"{text}, from more recordings (or sites), since examples never come from those that are "
        "ranked; or ask for fewer shots. With groups 'time' only the moments of the examples are "
        "left out, which flatters"
    )
