"""Labelled windows with the scores that they get from classifiers that have not learnt from them.

Windows that a classifier was made of are left out with their whole recordings, in turn, and scored
by what is made of the rest (`explorer.collection.trust.left_out`). All others are scored as they
are: labels made since, answers of a study, and every label where the classifier is of another
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.classify.trial import Outcome
from explorer.collection.labels import agreed
from explorer.collection.trust import left_out
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Witnesses:
    """Labelled windows, and their scores by classifiers that have not learnt from them.

    Attributes
    ----------
    rows
        int64 ``[n]``, ascending.
    truth
        1 is of the class, 0 is not, NaN nobody has said or they are unsure, ``[n, n_classes]``.
    scores
        float32 ``[n, n_classes]``, NaN where nothing was left to learn from.
    learnt
        Which were left out to be scored, bool ``[n]``.
    recordings
        Names, ``[n]``.
    outcome
        Of the trial with recordings left out; None where there was none.
    reason
        Why there was none, in words.
    """

    rows: NDArray[np.int64]
    truth: NDArray[np.float64]
    scores: NDArray[np.float32]
    learnt: NDArray[np.bool_]
    recordings: NDArray[np.object_]
    outcome: Outcome | None = None
    reason: str = ""


def witnesses(classifier: Classifier) -> Witnesses:
    """Gather the labelled windows of a classifier's classes, and score them fairly."""
    collection, run = classifier.collection, classifier.run
    said = agreed(collection.label_rows(run))
    sides = {"positive": "examples", "negative": "negatives"}
    made = {side: classifier.made_of.get(side, {}) for side in sides.values()}
    learnt = _rows(made)
    known = said.loc[said["class"].isin(classifier.classes), "row"]
    rows = np.union1d(known.to_numpy(np.int64), learnt)
    truth = np.full((len(rows), len(classifier.classes)), np.nan)
    for column, name in enumerate(classifier.classes):
        # What it was made of counts unless somebody says otherwise now.
        for judgement, value in (("negative", 0.0), ("positive", 1.0)):
            truth[np.isin(rows, made[sides[judgement]].get(name, ())), column] = value
        of_class = said[said["class"] == name]
        for judgement, value in (("unsure", np.nan), ("negative", 0.0), ("positive", 1.0)):
            chosen = of_class.loc[of_class["judgement"] == judgement, "row"]
            truth[np.isin(rows, chosen), column] = value
    scores = np.array(classifier.scores()[rows], dtype=np.float32)
    is_learnt = np.isin(rows, learnt)
    scores[is_learnt] = np.nan
    outcome, reason = None, ""
    if is_learnt.any():
        try:
            judged, held = left_out(classifier)
        except ParameterError as error:
            reason = str(error)
        else:
            if held.apart == "recordings" and held.outcome is not None:
                outcome = held.outcome
                places = np.searchsorted(rows, judged.rows[outcome.rows])
                scores[np.ix_(places, outcome.columns)] = outcome.own_scores()
            else:
                reason = "all examples come from one recording: label some from another"
    index = collection.index(run)
    names = index.recordings["recording"].to_numpy(dtype=object)[index.position[rows]]
    return Witnesses(rows, truth, scores, is_learnt, names, outcome, reason)


def _rows(made: Mapping[str, Mapping[str, Any]]) -> NDArray[np.int64]:
    """All windows that a classifier was made of, each once."""
    parts = [np.asarray(rows, dtype=np.int64) for side in made.values() for rows in side.values()]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))
