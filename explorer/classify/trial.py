"""How well centroids and probes do on recordings that they have not learnt from.

What is measured for each class is the ROC-AUC of its held-out examples against two kinds of
windows: the held-out labelled windows that are of other classes or were refused, and a sample of
the place's unlabelled windows that nothing was learnt from. The mean of both counts, as the first
asks for telling apart and the second for finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.classify.background import SAME_WINDOW, Background, Prepared
from explorer.classify.centroid import SPREAD, NearestCentroid
from explorer.classify.centroid_evidence import Examples
from explorer.classify.labelled import Labelled
from explorer.classify.metrics import Values, average_precision
from explorer.classify.probe import compete, learn, together
from explorer.classify.splits import Split, k_fold
from explorer.classify.training import Problem, Training, balanced, threshold_shift

Apart = Literal["recordings", "windows", "nothing"]
Scores = NDArray[np.float32]

LABELLED, UNLABELLED = 0, 1
"""The two kinds of windows that examples are compared with."""

MOST_FOLDS = 5
TOLERANCE = 1e-3
"""Of the refits: rankings change no more."""


def splits_of(labelled: Labelled, seed: int) -> tuple[list[Split], Apart]:
    """Parts to leave out in turn: of recordings where that can be, else of windows, else none."""
    windows = np.arange(len(labelled)).astype(object)
    attempts: list[tuple[Apart, NDArray[np.object_]]] = [("windows", windows)]
    if labelled.groups is not None:
        attempts.insert(0, ("recordings", labelled.groups))
    for apart, groups in attempts:
        of_class = np.array([len(set(groups[column])) for column in labelled.positive.T])
        if of_class.max() > 1:
            # As many parts as a usual class has recordings: each part then has an example of it,
            # and windows of other classes to rank it against.
            usual = int(np.median(of_class[of_class > 1]))
            parts = max(2, min(MOST_FOLDS, usual))
            return k_fold(groups, parts, labels=labelled.positive, seed=seed), apart
    return [], "nothing"


@dataclass(frozen=True, eq=False)
class Match:
    """Scores of a class's examples ``[n]`` in one part, and of what they are compared with ``[m]``.

    ``rows`` and ``other_rows`` are their places among the labelled windows; unlabelled ones have
    none.
    """

    kind: int
    scores: Scores
    others: Scores
    rows: NDArray[np.int64]
    other_rows: NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class Trial:
    """The labelled windows, and after them unlabelled ones that nothing is learnt from."""

    labelled: Labelled
    background: Background
    """Its landmarks are half of those of the place: the others are for the test."""
    windows: Prepared

    @classmethod
    def of(cls, labelled: Labelled, background: Background) -> Trial:
        """Put the labelled windows, and half of the background's landmarks, to the test."""
        own = background.transform(labelled.rows)
        unseen = background.landmarks[1::2]
        unseen = unseen[~(unseen @ own.T >= SAME_WINDOW).any(dim=1)]
        half = replace(background, landmarks=background.landmarks[::2])
        return cls(labelled, half, Prepared.of(half, torch.cat([own, unseen])))

    def auc(self, splits: list[Split], scores: Scores) -> Values:
        """Of each class, from scores ``[splits, windows, classes]`` with NaN where unlearnt."""
        result = np.full(len(self.labelled.classes), np.nan)
        for column in range(len(result)):
            wins = np.zeros((2, 2))  # against labelled and unlabelled windows: won, tried
            for match in self.matches(splits, scores, column):
                ahead = match.scores[:, None] - match.others
                wins[match.kind] += (ahead > 0).sum() + (ahead == 0).sum() / 2, ahead.size
            tried = wins[wins[:, 1] > 0]
            if len(tried):
                result[column] = (tried[:, 0] / tried[:, 1]).mean()
        return result

    def matches(self, splits: list[Split], scores: Scores, column: int) -> Iterator[Match]:
        """What is compared for a class: in each part its examples, with each kind of the others."""
        positive = self.labelled.positive[:, column]
        for split, found in zip(splits, scores[..., column], strict=True):
            rows, rest = split.test[positive[split.test]], split.test[~positive[split.test]]
            if not len(rows) or np.isnan(found[rows[0]]):
                continue
            yield Match(LABELLED, found[rows], found[rest], rows, rest)
            yield Match(UNLABELLED, found[rows], found[len(positive) :], rows, None)

    def average_precision(self, splits: list[Split], scores: Scores) -> Values:
        """Of each class among the labelled windows, by the score each had when it was left out."""
        own = np.full(self.labelled.truth.shape, np.nan)
        for split, found in zip(splits, scores, strict=True):
            own[split.test] = found[split.test]
        known, positive = ~np.isnan(own), self.labelled.positive
        result = average_precision(positive, np.where(known, own, 0), mask=known)
        # Where all are of the class, any order is right.
        return np.where((known & ~positive).any(axis=0), result, np.nan)


def centroid_scores(trial: Trial, splits: list[Split]) -> Scores:
    """Likenesses ``[splits, windows, classes]`` to centroids made of the rest of each split."""
    labelled, windows = trial.labelled, trial.windows
    result = torch.full((len(splits), len(windows), len(labelled.classes)), torch.nan)
    for at, split in enumerate(splits):
        can = torch.from_numpy(labelled.positive[split.train].any(axis=0))
        examples = Examples.among(
            windows.vectors[split.train],
            torch.from_numpy(labelled.positive[split.train])[:, can],
            torch.from_numpy(labelled.negative[split.train])[:, can],
            trial.background,
        )
        result[at][:, can] = examples.likeness(windows.vectors, windows.density)
    return result.numpy()


def centroid_midpoints(trial: Trial, splits: list[Split]) -> Scores:
    """At which likeness the score is a half, ``[splits, classes]``; NaN where unlearnt."""
    labelled = trial.labelled
    result = np.full((len(splits), len(labelled.classes)), np.nan, np.float32)
    for at, split in enumerate(splits):
        can = np.flatnonzero(labelled.positive[split.train].any(axis=0))
        if len(can):
            part = labelled.take(split.train, can)
            model = NearestCentroid.fit(part.examples(), background=trial.background)
            result[at, can] = model.midpoint.numpy()
    return result


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trial that was held: what each part scored when nothing was learnt from it.

    Attributes
    ----------
    splits
        The parts that were left out in turn.
    scores
        Likenesses to centroids, or logits of probes, ``[splits, windows, classes]``.
    midpoints
        Of centroids, ``[splits, classes]``; None for probes.
    rows, columns
        Which of all labelled windows and classes were tested.
    """

    trial: Trial
    splits: list[Split]
    scores: Scores
    midpoints: Scores | None
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def own_scores(self) -> Scores:
        """Scores from 0 to 1 that labelled windows get when left out, ``[n_tested, n_classes]``.

        NaN where nothing of the class was left to learn from.
        """
        own = np.full(self.trial.labelled.truth.shape, np.nan, np.float32)
        for at, split in enumerate(self.splits):
            found = self.scores[at][split.test]
            if self.midpoints is not None:
                found = (found - self.midpoints[at]) / SPREAD
            own[split.test] = torch.from_numpy(found).sigmoid().numpy()
        return own


def probe_scores(trial: Trial, splits: list[Split], training: Training) -> Scores:
    """Scores ``[splits, windows, classes]`` of probes made of the rest of each split."""
    problem = Problem.of(trial.labelled, trial.background, training)
    features, vectors = problem.features.float(), trial.windows.vectors
    allies = together(trial.labelled)
    result = torch.full((len(splits), len(vectors), len(allies)), torch.nan)
    for at, split in enumerate(splits):
        weights = problem.weights.clone()
        weights[:, split.test] = 0
        weights = balanced(weights, problem.n_labelled, training.weak_weight)
        positives = (problem.targets * weights).sum(dim=1)
        can = (positives > 0) & (positives < weights.sum(dim=1))
        if not bool(can.any()):
            continue
        targets, weights = problem.targets[can].float(), weights[can].float()
        linear, hidden = learn(features, targets, weights, training, tolerance=TOLERANCE)
        logits = vectors @ linear[:, :-1].T + linear[:, -1] + threshold_shift(targets, weights)
        logits = logits if hidden is None else logits + hidden(vectors)
        result[at][:, can] = compete(logits, allies[can][:, can])
    return result.numpy()
