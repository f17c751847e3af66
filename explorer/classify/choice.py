"""Centroid or probe? Decided by how each does on recordings that it has not learnt from.

With a few examples a centroid ranks better, with many a probe; where one overtakes the other
depends on the encoder and on the sounds. So both are made of some of the recordings and tested on
the others, in turn, and the better one is proposed, with the numbers, in a sentence. It is a
proposal: either can be fitted with `fit`.

`explorer.classify.trial` says what is measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.classify.labelled import Labelled
from explorer.classify.metrics import Values, macro_mean
from explorer.classify.probe import Probe
from explorer.classify.splits import SplitWarning
from explorer.classify.training import Training
from explorer.classify.trial import (
    Apart,
    Outcome,
    Trial,
    centroid_midpoints,
    centroid_scores,
    probe_scores,
    splits_of,
)
from explorer.errors import ParameterError

Kind = Literal["centroid", "probe"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LEAST_EXAMPLES = 4
"""Of a usual class, for a probe to be proposed. With fewer the test learns from one or two, and a
centroid ranked better, or as well, in 7 of 8 tests on real recordings."""
MOST_WINDOWS, MOST_CLASSES = 2000, 40
"""That are tested, so that an answer takes about a second."""
LEAST_GAIN = 0.005
"""Mean AUC that hidden units must gain to be kept."""


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
    outcome
        Of the trial itself, for curves; None where there was none.
    """

    auc: Values
    average_precision: Values
    apart: Apart
    outcome: Outcome | None = None


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
    rows, columns = _sample(labelled, seed)
    sample = labelled.take(rows, columns)
    splits, apart = splits_of(sample, seed)
    trial = Trial.of(sample, background) if splits else None
    result: dict[Kind, HeldOut] = {}
    for kind in kinds:
        auc, precision = np.full((2, len(labelled.classes)), np.nan)
        outcome = None
        if trial is not None:
            scores, midpoints = (
                (probe_scores(trial, splits, training or Training()), None)
                if kind == "probe"
                else (centroid_scores(trial, splits), centroid_midpoints(trial, splits))
            )
            auc[columns] = trial.auc(splits, scores)
            precision[columns] = trial.average_precision(splits, scores)
            outcome = Outcome(trial, splits, scores, midpoints, rows, columns)
        result[kind] = HeldOut(auc, precision, apart, outcome)
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


def _sample(labelled: Labelled, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which windows are tested, and which classes: those with the most examples."""
    rows = np.arange(len(labelled))
    if len(rows) > MOST_WINDOWS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_WINDOWS])
    counts = labelled.positive[rows].sum(axis=0)
    columns = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    columns = columns[counts[columns] > 0]
    return rows, columns


def _or_none(values: Iterable[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


@dataclass(frozen=True, eq=False)
class Grown:
    """A probe with hidden units where they help, else as it was; and the reason.

    ``auc_before`` and ``auc_after`` are means over the classes on recordings left out.
    """

    probe: Probe
    kept: bool
    auc_before: float
    auc_after: float
    sentence: str


def grow(probe: Probe, *, units: int = 16, seed: int = 0) -> Grown:
    """Grow hidden units in a probe, and keep them only if recordings left out say so.

    For many labels, and takes some ten seconds: see `explorer.classify.head`.

    Parameters
    ----------
    units
        At most as many as classes are of use.

    Raises
    ------
    ParameterError
        If the probe is not a converged one.
    """
    training = replace(probe.training, hidden_units=units)
    splits, apart = splits_of(probe.labelled, seed)
    if apart != "recordings":
        sentence = "Stays linear: the labels do not come from several recordings, to test it on."
        return Grown(probe, False, np.nan, np.nan, sentence)
    home = probe.background or Background.plain(probe.dimension)
    trial = Trial.of(probe.labelled, home)
    before, after = (
        macro_mean(trial.auc(splits, probe_scores(trial, splits, each)))
        for each in (replace(training, hidden_units=0), training)
    )
    kept = after > before + LEAST_GAIN
    sentence = (
        f"{'Hidden units help' if kept else 'Stays linear'}: on recordings left out mean AUC is "
        f"{after:.3f} with hidden units, {before:.3f} without."
    )
    if kept:
        deep = Probe.fit(probe.labelled, background=probe.background, training=training)
        probe = replace(deep, metadata=probe.metadata)
    return Grown(probe, kept, before, after, sentence)


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
