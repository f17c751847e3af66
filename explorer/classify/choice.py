"""Centroid or probe? Decided by how each does on recordings that it has not learnt from.

With a few examples a centroid ranks better, with many a probe; where one overtakes the other
depends on the encoder and on the sounds. So both are made of some of the recordings and tested on
the others, in turn, and the better one is proposed, with the numbers, in a sentence. It is a
proposal: either can be fitted with `fit`.

What is measured for each class is the ROC-AUC of its held-out examples against two kinds of
windows: the held-out labelled windows that are of other classes or were refused, and a sample of
the place's unlabelled windows that nothing was learnt from. The mean of both counts, as the first
asks for telling apart and the second for finding.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.classify.background import SAME_WINDOW, Background, Prepared
from explorer.classify.centroid import NearestCentroid
from explorer.classify.labelled import Labelled
from explorer.classify.logistic import solve
from explorer.classify.metrics import Values, average_precision, macro_mean
from explorer.classify.probe import Probe, compete, together
from explorer.classify.splits import Split, SplitWarning, k_fold
from explorer.classify.training import Problem, Training, balanced, threshold_shift
from explorer.errors import ParameterError

Kind = Literal["centroid", "probe"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Apart = Literal["recordings", "windows", "nothing"]
Scores = NDArray[np.float32]

LEAST_EXAMPLES = 4
"""Of a usual class, for a probe to be proposed. With fewer the test learns from one or two, and a
centroid ranked better, or as well, in 7 of 8 tests on real recordings."""
MOST_FOLDS = 5
MOST_WINDOWS, MOST_CLASSES = 2000, 40
"""That are tested, so that an answer takes about a second."""
TOLERANCE = 1e-3
"""Of the refits: rankings change no more."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What is proposed, and why.

    Attributes
    ----------
    kind
        "centroid" or "probe".
    sentence
        The reason, in words for a person.
    auc
        The mean AUC over the classes that could be tested, by kind; NaN where none could.
    by_class
        The AUC of each class, by kind, float64 ``[n_classes]``; NaN where it could not be tested.
    apart
        What was kept apart: "recordings", only "windows", or "nothing" where there was no test.
    """

    kind: Kind
    sentence: str
    auc: Mapping[Kind, float]
    by_class: Mapping[Kind, Values]
    apart: Apart

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; what could not be measured is None."""
        return {
            "kind": self.kind,
            "sentence": self.sentence,
            "auc": {kind: _or_none([value])[0] for kind, value in self.auc.items()},
            "by_class": {kind: _or_none(values) for kind, values in self.by_class.items()},
            "apart": self.apart,
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Choice:
        """The choice that `to_dict` described."""
        by_class = {kind: np.array(v, np.float64) for kind, v in described["by_class"].items()}
        auc = {kind: np.nan if v is None else v for kind, v in described["auc"].items()}
        return cls(described["kind"], described["sentence"], auc, by_class, described["apart"])


def choose(
    labelled: Labelled,
    background: Background | None = None,
    *,
    training: Training | None = None,
    seed: int = 0,
) -> Choice:
    """Propose a nearest centroid or a probe from their AUC on recordings left out.

    Parameters
    ----------
    labelled
        Its ``groups`` are the recordings (or sites) that are kept apart. Without them, or with all
        examples of every class from one recording, windows are left out instead; a warning and the
        sentence say that this flatters.
    seed
        Decides how the recordings are dealt into parts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.random((60, 8)) + np.repeat(np.eye(8)[:2], 30, axis=0)
    >>> labelled = Labelled.of(
    ...     {"a": rows[:6], "b": rows[30:36]}, groups={"a": range(6), "b": range(6)}
    ... )
    >>> choice = choose(labelled, Background.fit(rows))
    >>> choice.kind, choice.apart
    ('centroid', 'recordings')
    """
    found = held_out(KINDS, labelled, background, training=training, seed=seed)
    by_class = {kind: each.auc for kind, each in found.items()}
    apart = found["probe"].apart
    both = np.isfinite(by_class["centroid"]) & np.isfinite(by_class["probe"])
    auc: dict[Kind, float] = {kind: macro_mean(each[both]) for kind, each in by_class.items()}
    enough = np.median(labelled.positive.sum(axis=0)) >= LEAST_EXAMPLES
    kind: Kind = "probe" if enough and auc["probe"] > auc["centroid"] else "centroid"
    if apart == "windows":
        warnings.warn(FLATTERS, SplitWarning, stacklevel=2)
    return Choice(
        kind, _sentence(kind, auc, apart, int(both.sum()), len(both)), auc, by_class, apart
    )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How one kind of classifier does on windows of recordings that it has not learnt from.

    Attributes
    ----------
    auc
        See the module's text; float64 ``[n_classes]``, NaN where it could not be measured.
    average_precision
        Of the labelled windows alone, each scored when it was left out; float64 ``[n_classes]``.
    apart
        See `Choice`.
    """

    auc: Values
    average_precision: Values
    apart: Apart


def held_out(
    kinds: Iterable[Kind],
    labelled: Labelled,
    background: Background | None = None,
    *,
    training: Training | None = None,
    seed: int = 0,
) -> dict[Kind, HeldOut]:
    """Test kinds of classifiers on the same recordings left out; see `choose`.

    >>> labelled = Labelled.of({"a": [[0.0, 1.0], [0.1, 1.0]], "b": [[1.0, 0.0], [1.0, 0.1]]})
    >>> held_out(["centroid"], labelled)["centroid"].auc.tolist()
    [1.0, 1.0]
    """
    background = background or Background.plain(labelled.dimension)
    tested, columns = _sample(labelled, seed)
    splits, apart = _splits(tested, seed)
    trial = _Trial.of(tested, background) if splits else None
    result: dict[Kind, HeldOut] = {}
    for kind in kinds:
        auc, precision = np.full((2, len(labelled.classes)), np.nan)
        if trial is not None:
            scores = (
                _probe_scores(trial, splits, training or Training())
                if kind == "probe"
                else _centroid_scores(trial, splits)
            )
            auc[columns] = trial.auc(splits, scores)
            precision[columns] = trial.average_precision(splits, scores)
        result[kind] = HeldOut(auc, precision, apart)
    return result


def fit(
    kind: Kind,
    labelled: Labelled,
    background: Background | None = None,
    *,
    training: Training | None = None,
) -> NearestCentroid | Probe:
    """Make a classifier of the kind that was proposed, or of the other one.

    >>> fit("probe", Labelled.of({"a": [[0.0, 1.0]], "b": [[1.0, 0.0]]})).classes
    ('a', 'b')
    """
    if kind == "probe":
        return Probe.fit(labelled, background=background, training=training)
    if kind == "centroid":
        examples, negatives = labelled.examples(), labelled.negatives()
        return NearestCentroid.fit(examples, negatives=negatives, background=background)
    raise ParameterError(f"there is no classifier {kind!r}; there are centroid and probe")


FLATTERS = (
    "the examples come from one recording, or it is not known from which, so that only windows "
    "could be kept apart: the AUC flatters; label some from other recordings"
)


def _or_none(values: Iterable[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _sentence(kind: Kind, auc: Mapping[Kind, float], apart: Apart, tested: int, of: int) -> str:
    if not tested:
        return (
            "A nearest centroid, which needs the fewest examples: there are too few to leave some "
            "out and test on them."
        )
    other: Kind = "centroid" if kind == "probe" else "probe"
    parts = [
        "A probe." if kind == "probe" else "A nearest centroid.",
        f"On {apart} left out its mean AUC is {auc[kind]:.3f}, that of a {other} {auc[other]:.3f}"
        + (f" ({tested} of {of} classes could be tested)." if tested < of else "."),
    ]
    if auc[other] > auc[kind]:
        parts.append(f"A probe needs {LEAST_EXAMPLES} examples of a class to be trusted.")
    if apart == "windows":
        parts.append(f"{FLATTERS[0].upper()}{FLATTERS[1:]}.")
    return " ".join(parts)


def _sample(labelled: Labelled, seed: int) -> tuple[Labelled, NDArray[np.intp]]:
    """What is tested, and which classes those are: those with the most examples."""
    rows = np.arange(len(labelled))
    if len(rows) > MOST_WINDOWS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_WINDOWS])
    counts = labelled.positive[rows].sum(axis=0)
    columns = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    columns = columns[counts[columns] > 0]
    return labelled.take(rows, columns), columns


def _splits(labelled: Labelled, seed: int) -> tuple[list[Split], Apart]:
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
class _Trial:
    """The labelled windows, and after them unlabelled ones that nothing is learnt from."""

    labelled: Labelled
    background: Background
    """Its landmarks are half of those of the place: the others are for the test."""
    windows: Prepared

    @classmethod
    def of(cls, labelled: Labelled, background: Background) -> _Trial:
        own = background.transform(labelled.rows)
        unseen = background.landmarks[1::2]
        unseen = unseen[~(unseen @ own.T >= SAME_WINDOW).any(dim=1)]
        half = replace(background, landmarks=background.landmarks[::2])
        return cls(labelled, half, Prepared.of(half, torch.cat([own, unseen])))

    def auc(self, splits: list[Split], scores: Scores) -> Values:
        """Of each class, from scores ``[splits, windows, classes]`` with NaN where unlearnt."""
        positive = self.labelled.positive
        result = np.full(positive.shape[1], np.nan)
        for column in range(positive.shape[1]):
            wins = np.zeros((2, 2))  # against labelled and unlabelled windows: won, tried
            for split, found in zip(splits, scores[..., column], strict=True):
                is_positive = positive[split.test, column]
                own = found[split.test[is_positive]]
                if not len(own) or np.isnan(own[0]):
                    continue
                others = (found[split.test[~is_positive]], found[len(positive) :])
                for at, rest in enumerate(others):
                    ahead = own[:, None] - rest
                    wins[at] += (ahead > 0).sum() + (ahead == 0).sum() / 2, ahead.size
            tried = wins[wins[:, 1] > 0]
            if len(tried):
                result[column] = (tried[:, 0] / tried[:, 1]).mean()
        return result

    def average_precision(self, splits: list[Split], scores: Scores) -> Values:
        """Of each class among the labelled windows, by the score each had when it was left out."""
        own = np.full(self.labelled.truth.shape, np.nan)
        for split, found in zip(splits, scores, strict=True):
            own[split.test] = found[split.test]
        known, positive = ~np.isnan(own), self.labelled.positive
        result = average_precision(positive, np.where(known, own, 0), mask=known)
        # Where all are of the class, any order is right.
        return np.where((known & ~positive).any(axis=0), result, np.nan)


def _centroid_scores(trial: _Trial, splits: list[Split]) -> Scores:
    labelled = trial.labelled
    result = np.full((len(splits), len(trial.windows), len(labelled.classes)), np.nan, np.float32)
    for at, split in enumerate(splits):
        columns = np.flatnonzero(labelled.positive[split.train].any(axis=0))
        if not len(columns):
            continue
        part = labelled.take(split.train, columns)
        model = NearestCentroid.fit(
            part.examples(), negatives=part.negatives(), background=trial.background
        )
        result[at][:, columns] = model.similarities(trial.windows)
    return result


def _probe_scores(trial: _Trial, splits: list[Split], training: Training) -> Scores:
    labelled = trial.labelled
    problem = Problem.of(labelled, trial.background, training)
    n_classes = len(problem.targets)
    targets = problem.targets.repeat(len(splits), 1)
    weights = problem.weights.repeat(len(splits), 1)
    for at, split in enumerate(splits):
        weights[at * n_classes : (at + 1) * n_classes, split.test] = 0
    weights = balanced(weights, problem.n_labelled, training.weak_weight)
    learnt = ((targets * weights).sum(dim=1) > 0) & (((1 - targets) * weights).sum(dim=1) > 0)
    solved = solve(
        problem.features.float(),
        targets[learnt].float(),
        weights[learnt].float(),
        penalty=training.penalty,
        tolerance=TOLERANCE,
    )
    result = torch.full((len(targets), len(trial.windows)), torch.nan)
    result[learnt] = solved[:, :-1] @ trial.windows.vectors.T + solved[:, -1:]
    logits = result.reshape(len(splits), n_classes, -1).permute(0, 2, 1)
    shift = threshold_shift(targets, weights).float().reshape(len(splits), 1, n_classes)
    return compete(logits + shift, together(labelled)).numpy()
