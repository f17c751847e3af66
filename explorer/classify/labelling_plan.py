"""Which windows to listen to when the wish is to count: a few from every level of score, at random.

Labels gathered while searching lean towards what the classifier likes, and say nothing of how many
calls it misses. A `LabellingPlan` (Navine et al. 2024) cuts all windows into bins of score, the
better half cut in halves again, and draws windows from each bin at random. Every bin's share of all
windows is known, so the answers stand for the whole collection: `StratifiedLabels` holds them, and
call density, ROC-AUC, thresholds and calibration are computed from those.

A plan is drawn once and is a few kilobytes of JSON: labelling can stop at any moment and go on
later, on another computer, with the same windows in the same order. It stays valid when the
classifier learns from the answers, as bins and scores are those of the day it was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.classify.weights import check_version
from explorer.errors import ParameterError

FORMAT = "explorer labelling plan"
FORMAT_VERSION = 1

QUANTILES = (0.0, 0.5, 0.75, 0.875, 1.0)
"""Each bin is half of the rest (golden/README.md 3.3)."""
PER_BIN = 25
"""Windows of each bin that are labelled first (golden/README.md 3.3)."""
MOST_QUEUED = 1000
"""Windows of a bin that a plan holds in reserve, for those who go on labelling."""

Judgement = Literal["positive", "negative", "unsure"]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StratifiedLabels:
    """Answers about windows that were drawn at random within bins of score.

    Attributes
    ----------
    scores
        float64 ``[n]``: what the classifier gave the windows that were answered yes or no.
    positive
        bool ``[n]``: whether the class is in them.
    bins
        int64 ``[n]``: the bin of each, 0 for the lowest scores.
    weights
        float64 ``[n_bins]``: the share of all windows that is in each bin.
    n_unsure
        Answers that were neither yes nor no; they are left out.

    Examples
    --------
    >>> labels = StratifiedLabels.plain([0.9, 0.4, 0.2], [True, False, False])
    >>> labels.positives, labels.negatives
    (array([1]), array([2]))
    """

    scores: Floats
    positive: NDArray[np.bool_]
    bins: Rows
    weights: Floats
    n_unsure: int = 0

    def __post_init__(self) -> None:
        n = len(self.scores)
        if not (self.scores.shape == self.positive.shape == self.bins.shape == (n,)):
            raise ParameterError(
                f"{self.scores.shape} scores, {self.positive.shape} answers and {self.bins.shape} "
                "bins: give one of each for every labelled window"
            )
        if not np.isfinite(self.scores).all():
            raise ParameterError("a labelled window has no finite score; leave it out")
        if n and not 0 <= self.bins.min() <= self.bins.max() < len(self.weights):
            raise ParameterError(f"bins go from 0 to {len(self.weights) - 1}; one lies outside")

    @classmethod
    def plain(cls, scores: ArrayLike, positive: ArrayLike) -> StratifiedLabels:
        """Labels of windows that were drawn at random from all: one bin of weight 1.

        Of windows that were chosen by their score this makes statements about the chosen ones only.
        """
        answers = np.asarray(positive)
        if answers.dtype != bool and not np.isin(answers, (0, 1)).all():
            raise ParameterError("labels must be True or False (1 or 0); leave unsure ones out")
        values = np.asarray(scores, dtype=np.float64)
        return cls(values, answers.astype(bool), np.zeros(len(values), np.int64), np.ones(1))

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.weights)

    @property
    def positives(self) -> Rows:
        """How many windows of each bin were answered yes, ``[n_bins]``."""
        return np.bincount(self.bins[self.positive], minlength=self.n_bins)

    @property
    def negatives(self) -> Rows:
        """How many windows of each bin were answered no, ``[n_bins]``."""
        return np.bincount(self.bins[~self.positive], minlength=self.n_bins)

    @property
    def window_weights(self) -> Floats:
        """How many windows each answer stands for, ``[n]``, with a mean of one."""
        if not len(self):
            return np.zeros(0)
        answered = self.positives + self.negatives
        standing_for = (self.weights / np.maximum(answered, 1))[self.bins]
        return standing_for / standing_for.mean()


@dataclass(frozen=True)
class LabellingPlan:
    """Bins of score, and the windows of each to label, in random order. Make one with `draw`.

    Attributes
    ----------
    bounds
        The scores that bins lie between, ascending, ``n_bins + 1`` of them. A score below the first
        counts to the lowest bin, one at or above the last to the highest.
    sizes
        How many windows are in each bin.
    queues
        Rows of the windows to label, for each bin in the order of asking.
    scores
        Their scores when the plan was drawn.
    per_bin
        How many of each queue are to be labelled first.
    seed
        What the order was drawn with.

    Examples
    --------
    >>> plan = LabellingPlan.draw(np.linspace(-3, 3, 800), per_bin=2)
    >>> plan.sizes, plan.weights
    ((400, 200, 100, 100), array([0.5  , 0.25 , 0.125, 0.125]))
    >>> asked = plan.to_label()
    >>> len(asked)
    8
    >>> labels = plan.labels(asked[:5], ["positive", "unsure", "negative", "negative", "negative"])
    >>> len(labels), labels.n_unsure
    (4, 1)
    >>> (plan.to_label(asked[:5]) == asked[5:]).all()
    np.True_
    >>> LabellingPlan.from_dict(plan.to_dict()) == plan
    True
    """

    bounds: tuple[float, ...]
    sizes: tuple[int, ...]
    queues: tuple[tuple[int, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    per_bin: int = PER_BIN
    seed: int = 0

    @classmethod
    def draw(
        cls,
        scores: ArrayLike,
        *,
        quantiles: Sequence[float] = QUANTILES,
        per_bin: int = PER_BIN,
        seed: int = 0,
    ) -> LabellingPlan:
        """Cut windows into bins of score, and draw the windows to label.

        Parameters
        ----------
        scores
            The classifier's score of the class for every window, ``[n_windows]``. Windows whose
            score is NaN take no part.
        quantiles
            Shares of the windows that lie below each bound, from 0 to 1. Where many windows have
            the same score, bins that would be empty are left out.
        per_bin
            Windows of each bin to label first; the plan holds up to 1,000 in reserve.

        Raises
        ------
        ParameterError
            No finite score, or quantiles that do not ascend from 0 to 1.
        """
        values = np.asarray(scores, dtype=np.float64)
        if values.ndim != 1:
            raise ParameterError(f"scores have shape {values.shape}; give those of one class, [n]")
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            raise ParameterError("no window has a finite score: there is nothing to label")
        levels = [float(level) for level in quantiles]
        ascending = all(low < high for low, high in pairwise(levels))
        if len(levels) < 2 or not ascending or (levels[0], levels[-1]) != (0.0, 1.0):
            raise ParameterError(f"quantiles must ascend from 0 to 1, not {levels}")
        if per_bin < 1:
            raise ParameterError(f"per_bin must be 1 or more, not {per_bin}")
        bounds = score_bounds(values[known], levels)
        bins = bins_of(values[known], bounds)
        members = [known[bins == number] for number in range(len(bounds) - 1)]
        rng = np.random.default_rng(seed)
        kept = max(MOST_QUEUED, per_bin)
        queues = [rng.permutation(rows)[:kept] for rows in members]
        return cls(
            bounds=tuple(bounds.tolist()),
            sizes=tuple(map(len, members)),
            queues=tuple(tuple(queue.tolist()) for queue in queues),
            scores=tuple(tuple(values[queue].tolist()) for queue in queues),
            per_bin=per_bin,
            seed=seed,
        )

    @property
    def weights(self) -> Floats:
        """The share of all windows that is in each bin, ``[n_bins]``."""
        return np.array(self.sizes) / sum(self.sizes)

    @property
    def n_windows(self) -> int:
        """How many windows the plan stands for."""
        return sum(self.sizes)

    def to_label(
        self, answered: ArrayLike = (), *, more: Sequence[int] | NDArray[np.integer] | None = None
    ) -> Rows:
        """Rows of the windows to label next, in the order of asking.

        Bins take turns, in an order that does not tell which bin a window is from, so that wherever
        labelling stops each bin has had its part.

        Parameters
        ----------
        answered
            Rows that were answered already, unsure ones too.
        more
            How many more of each bin, ``[n_bins]``, beyond those answered (see
            `density.labels_needed`); without it the first ``per_bin`` of each.
        """
        done = set(np.asarray(answered, dtype=np.int64).tolist())
        turns: list[tuple[int, float, int]] = []
        for number, queue in enumerate(self.queues):
            place = np.random.default_rng([self.seed, number]).random(len(queue))
            waiting = [(turn, row) for turn, row in enumerate(queue) if row not in done]
            if more is None:
                waiting = [(turn, row) for turn, row in waiting if turn < self.per_bin]
            else:
                waiting = list(enumerate(row for _, row in waiting[: int(more[number])]))
            turns += [(turn, float(place[turn]), row) for turn, row in waiting]
        return np.array([row for _, _, row in sorted(turns)], dtype=np.int64)

    def remaining(self, answered: ArrayLike = ()) -> Rows:
        """How many windows of each bin can still be labelled under this plan, ``[n_bins]``."""
        done = np.asarray(answered, dtype=np.int64)
        return np.array([int((~np.isin(queue, done)).sum()) for queue in self.queues])

    def labels(self, rows: ArrayLike, judgements: Sequence[str]) -> StratifiedLabels:
        """Sort answers into the bins.

        Parameters
        ----------
        rows
            Windows that were answered, ``[n]``. Those that the plan did not draw are passed over:
            they were chosen in another way, and would make the result lean.
        judgements
            "positive", "negative" or "unsure" for each.
        """
        asked = np.asarray(rows, dtype=np.int64)
        if len(asked) != len(judgements):
            raise ParameterError(f"{len(asked)} rows, but {len(judgements)} judgements")
        if len(np.unique(asked)) != len(asked):
            raise ParameterError("a window was given twice; give the judgement that counts")
        unknown = set(judgements) - {"positive", "negative", "unsure"}
        if unknown:
            raise ParameterError(
                f"judgement {unknown.pop()!r} is not known; use positive, negative or unsure"
            )
        planned = {
            row: (number, score)
            for number, (queue, scores) in enumerate(zip(self.queues, self.scores, strict=True))
            for row, score in zip(queue, scores, strict=True)
        }
        answers = dict(zip(asked.tolist(), judgements, strict=True))
        counted = [row for row in answers if row in planned]
        decided = [row for row in counted if answers[row] != "unsure"]
        return StratifiedLabels(
            scores=np.array([planned[row][1] for row in decided], dtype=np.float64),
            positive=np.array([answers[row] == "positive" for row in decided], dtype=bool),
            bins=np.array([planned[row][0] for row in decided], dtype=np.int64),
            weights=self.weights,
            n_unsure=len(counted) - len(decided),
        )

    def histograms(self, scores: ArrayLike, groups: ArrayLike) -> tuple[NDArray[Any], Rows]:
        """Count the windows of each bin for each site (or day, or hour).

        Parameters
        ----------
        scores
            Scores of the classifier that the plan was drawn with, ``[n]``; NaN is passed over.
        groups
            The site of each window, ``[n]``.

        Returns
        -------
        names
            The sites, sorted, ``[n_sites]``.
        counts
            int64 ``[n_sites, n_bins]``.
        """
        values = np.asarray(scores, dtype=np.float64)
        names, site = np.unique(np.asarray(groups), return_inverse=True)
        if values.shape != site.shape:
            raise ParameterError(f"{values.shape} scores, but {site.shape} groups")
        counts = np.zeros((len(names), len(self.sizes)), np.int64)
        known = np.isfinite(values)
        np.add.at(counts, (site[known], bins_of(values[known], self.bounds)), 1)
        return names, counts

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {"format": FORMAT, "version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> LabellingPlan:
        """The plan that `to_dict` described.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no plan.
        """
        check_version("this description", described, FORMAT, FORMAT_VERSION)
        return cls(
            bounds=tuple(described["bounds"]),
            sizes=tuple(described["sizes"]),
            queues=tuple(map(tuple, described["queues"])),
            scores=tuple(map(tuple, described["scores"])),
            per_bin=described["per_bin"],
            seed=described["seed"],
        )


def score_bounds(scores: Floats, quantiles: Sequence[float]) -> Floats:
    """The scores between bins, ``[n_bins + 1]``: quantiles, less those that leave a bin empty.

    >>> score_bounds(np.array([0.0, 0.0, 0.0, 0.5, 1.0]), (0, 0.5, 0.75, 1))
    array([0. , 0.5, 1. ])
    """
    first, *between, last = np.quantile(scores, quantiles)
    steps = np.unique(between)
    below = np.bincount(np.searchsorted(steps, scores, side="right"), minlength=len(steps) + 1)
    return np.array([first, *steps[below[:-1] > 0], last])


def bins_of(scores: ArrayLike, bounds: ArrayLike) -> Rows:
    """The bin of each score, int64 ``[n]``: 0 for the lowest.

    >>> bins_of([-9.0, 0.2, 0.5, 9.0], [0.0, 0.5, 1.0])
    array([0, 0, 1, 1])
    """
    between = np.asarray(bounds, dtype=np.float64)[1:-1]
    return np.searchsorted(between, np.asarray(scores, dtype=np.float64), side="right")
