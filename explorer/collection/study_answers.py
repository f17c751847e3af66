"""A study's answers as windows with fair scores: scores by what has not learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.density import unanswered_bins
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.collection.witnesses import Witnesses
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.study import Study


@dataclass(frozen=True, eq=False)
class Drawn:
    """A study, its answers as windows with fair scores, and the share of each of its bins."""

    study: Study
    windows: pd.DataFrame
    weights: NDArray[np.float64]

    @property
    def tells(self) -> bool:
        """Whether every bin has been answered about, and there is a call."""
        labels = stratified(self.windows, self.weights)
        return bool(labels.positive.any()) and not unanswered_bins(labels)


def drawn_for(
    classifier: Classifier, name: str, found: Witnesses, wanted: str | None
) -> Drawn | None:
    """The study to use: the one asked for, or else the one with most answers; None without one."""
    collection = classifier.collection
    if wanted is not None:
        study = collection.study(wanted)
        if (study.class_, study.run) != (name, classifier.run):
            raise ParameterError(
                f"study {wanted!r} is of {study.class_} on {study.run}, not of {name} on "
                f"{classifier.run}"
            )
        drawn = _with_answers(study, found, classifier.column(name))
        if not drawn.tells:
            raise ParameterError(f"study {wanted!r} does not tell enough yet: {study.progress}")
        return drawn
    known = collection.studies
    known = known[(known["class"] == name) & (known["run"] == classifier.run)]
    order = known.sort_values("answered", kind="stable", ascending=False)["name"]
    for each in order:
        drawn = _with_answers(collection.study(str(each)), found, classifier.column(name))
        if drawn.tells:
            return drawn
    return None


def _with_answers(study: Study, found: Witnesses, column: int) -> Drawn:
    answers = study.answers
    counting = answers[answers["counts"] & (answers["judgement"] != "unsure")]
    # An answer is a label, so each is among the witnesses, unless it was given this very moment.
    counting = counting[counting.index.isin(found.rows)]
    places = np.searchsorted(found.rows, counting.index.to_numpy(np.int64))
    windows = pd.DataFrame(
        {
            "recording": found.recordings[places],
            "score": found.scores[places, column].astype(np.float64),
            "positive": (counting["judgement"] == "positive").to_numpy(),
            "learnt": found.learnt[places],
            "bin": counting["bin"].to_numpy(np.int64),
        },
        index=pd.Index(counting.index, name="window"),
    )
    return Drawn(study, windows[np.isfinite(windows["score"])], study.plan.weights)


def stratified(windows: pd.DataFrame, weights: NDArray[np.float64]) -> StratifiedLabels:
    """Windows (columns score, positive, bin) as the functions of `explorer.classify` take them."""
    return StratifiedLabels(
        windows["score"].to_numpy(np.float64),
        windows["positive"].to_numpy(bool),
        windows["bin"].to_numpy(np.int64),
        weights,
    )
