"""How far a classifier can be trusted, class by class.

First of all that is told from recordings that were left out. A probe adds what Takeuchi's criterion
expects it to lose on new windows (`explorer.classify.evidence.expected_gap`); with few examples
that is not identifiable, and said to be so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.classify.centroid import NearestCentroid
from explorer.classify.choice import MOST_CLASSES, HeldOut, Kind, held_out
from explorer.classify.evidence import expected_gap
from explorer.classify.probe import Probe
from explorer.collection.learning import Apart, Judged
from explorer.collection.reasons import model_here
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier

FEW_GROUPS = 4
"""Recordings (or sites) below which a figure is rough."""


def quality(classifier: Classifier, *, apart: Apart = "recording") -> pd.DataFrame:
    """A table with one row for each class; see `Classifier.quality`."""
    judged, found = left_out(classifier, apart)
    labelled = judged.labelled
    assert labelled.groups is not None
    told = found.apart == "recordings"
    groups = [len(set(labelled.groups[column])) for column in labelled.positive.T]
    table = pd.DataFrame(
        {
            "examples": labelled.positive.sum(axis=0),
            "negatives": labelled.negative.sum(axis=0),
            f"{apart}s": groups,
            "auc": found.auc if told else np.nan,
            "average_precision": found.average_precision if told else np.nan,
        },
        index=pd.Index(labelled.classes, name="class"),
    )
    notes = [
        _note(int(examples), count, auc, precision, apart)
        for examples, count, auc, precision in zip(
            table["examples"], groups, table["auc"], table["average_precision"], strict=True
        )
    ]
    model = model_here(classifier)
    if isinstance(model, Probe) and model.hidden is None:
        gaps = list(expected_gap(model).values())
        table = table.assign(
            gap=[gap.takeuchi for gap in gaps], gap_left_out=[gap.left_out for gap in gaps]
        )
        unknown = [
            f"Its gap is not identifiable: {gap.reason}." if gap.reason else "" for gap in gaps
        ]
        notes = [" ".join(filter(None, pair)) for pair in zip(notes, unknown, strict=True)]
    return table.assign(note=notes)


def left_out(classifier: Classifier, apart: Apart = "recording") -> tuple[Judged, HeldOut]:
    """What a classifier was made of, and how each part of it scores when it is left out.

    Made once for each classifier and kept with it: tables and curves share it.

    Raises
    ------
    ParameterError
        If it does not say what it was made of, was adapted since, or is of an unusual method.
    """
    if apart not in classifier.left_out:
        kind = _usual_kind(classifier)
        judged = Judged.of_classifier(classifier, apart=apart)
        training = classifier.model.training if isinstance(classifier.model, Probe) else None
        background = classifier.collection.background(classifier.run)
        found = held_out([kind], judged.labelled, background, training=training)[kind]
        classifier.left_out[apart] = judged, found
    return classifier.left_out[apart]


def _usual_kind(classifier: Classifier) -> Kind:
    """The kind of a classifier that was made in the usual way.

    Raises
    ------
    ParameterError
        If it is of another method: what is tested would be another classifier.
    """
    model = classifier.model
    usual = "relative" if isinstance(model, NearestCentroid) else "converged"
    method = model.method if isinstance(model, NearestCentroid) else model.training.method
    if method != usual:
        raise ParameterError(
            f"recordings are left out for method {usual!r} only, and this is {method!r}; "
            "compare methods with: explorer evaluate fewshot"
        )
    return "centroid" if isinstance(model, NearestCentroid) else "probe"


def _note(examples: int, groups: int, auc: float, precision: float, apart: Apart) -> str:
    """What cannot be said of a class, why, and what would help."""
    if examples == 1:
        return f"One example cannot be tested; label another in a second {apart}."
    if groups == 1:
        return (
            f"All {examples} examples come from one {apart}, so that nothing tells how well it is "
            f"found in another; label some there."
        )
    if np.isnan(auc):
        return (
            f"Not tested: only the {MOST_CLASSES} classes with the most examples are, and those "
            f"with something left to learn from when a {apart} is left out."
        )
    notes = []
    if groups < FEW_GROUPS:
        notes.append(f"From {groups} {apart}s only: a rough figure.")
    if np.isnan(precision):
        notes.append("Nothing is labelled that is not of it, so there is no average precision.")
    return " ".join(notes)
