"""Probabilities for a classifier's scores, and a threshold for a wanted precision, from a study.

They are kept with the classifier, in its file. A classifier that learns anew needs them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.calibration import Calibration, Scale
from explorer.classify.centroid import NearestCentroid
from explorer.classify.kinds import Model
from explorer.classify.thresholds import threshold_for_precision
from explorer.errors import CollectionError, FormatVersionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.study import Study

MOST_LEARNT = 0.1
"""Share of the answers that a classifier may have learnt from before its calibration is doubted."""


def calibrate(
    classifier: Classifier, study: Study, *, precision: float | None = None
) -> Calibration:
    """Calibrate one class of a classifier; see `Classifier.calibrate`."""
    if study.run != classifier.run:
        raise ParameterError(
            f"study {study.name!r} is of windows of {study.run}, and this classifier scores those "
            f"of {classifier.run}: begin a study with classifier.study({study.class_!r})"
        )
    if study.class_ not in classifier.classes:
        raise ParameterError(
            f"study {study.name!r} is of {study.class_!r}, which is not among the classes of this "
            f"classifier: {', '.join(classifier.classes)}"
        )
    answers = study.answers
    rows = answers.index[answers["counts"] & (answers["judgement"] != "unsure")]
    scores = classifier.scores()[rows, classifier.classes.index(study.class_)]
    # Whichever classifier the windows were drawn by: they stand for the same shares of all.
    labels = replace(study.labels(), scores=scores.astype(np.float64))
    found = Calibration.fit(labels, scale=scale_of(classifier.model))
    learnt = int(rows.isin(_examples(classifier, study.class_)).sum())
    if learnt > MOST_LEARNT * len(labels):
        doubt = (
            f"{learnt} of the {len(labels)} answers were examples that this classifier learnt "
            "from, which makes it look better than it is: calibrate one that has not seen them"
        )
        found = replace(found, message="; ".join(filter(None, [found.message, doubt])))
    if precision is not None:
        threshold = threshold_for_precision(labels, precision)
        if threshold.message:
            raise ParameterError(f"study {study.name!r}: {threshold.message}")
        classifier.thresholds[study.class_] = threshold.value
    classifier.calibrations[study.class_] = found
    return found


def scale_of(model: Model) -> Scale:
    """What a model's scores are: plain cosines have no ends to speak of, all others 0 and 1."""
    cosines = isinstance(model, NearestCentroid) and model.method != "relative"
    return "logit" if cosines else "probability"


def probabilities(
    calibrations: Mapping[str, Calibration], classes: pd.Series, scores: pd.Series
) -> NDArray[np.float64]:
    """Probability of each detection, ``[n]``; NaN for classes that are not calibrated."""
    found = np.full(len(scores), np.nan)
    for class_, calibration in calibrations.items():
        mine = (classes == class_).to_numpy()
        found[mine] = calibration.probabilities(scores[mine])
    return found


def to_json(calibrations: Mapping[str, Calibration]) -> dict[str, Any]:
    """What a classifier's file says of them, by class."""
    return {class_: calibration.to_dict() for class_, calibration in calibrations.items()}


def from_json(kept: Mapping[str, Any] | None, file: object) -> dict[str, Calibration]:
    """Read what `to_json` wrote; files of before have none.

    Raises
    ------
    FormatVersionError
        If a newer program wrote it.
    CollectionError
        If it is damaged.
    """
    try:
        return {class_: Calibration.from_dict(each) for class_, each in (kept or {}).items()}
    except FormatVersionError as error:
        raise FormatVersionError(f"{file}: the calibration: {error}") from error
    except (ParameterError, KeyError, TypeError, AttributeError) as error:
        raise CollectionError(f"{file}: its calibration cannot be read ({error})") from error


def _examples(classifier: Classifier, class_: str) -> list[int]:
    """Windows that a classifier learnt a class from."""
    kinds = (classifier.made_of.get(kind, {}) for kind in ("examples", "negatives"))
    return [row for rows in kinds for row in rows.get(class_, [])]
