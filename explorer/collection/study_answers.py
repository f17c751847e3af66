"""A study's answers as windows with fair scores: scores by what has not learnt from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.density import unanswered_bins
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.collection.study_files import names_of_studies
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


def studies_on(classifier: Classifier, wanted: str | None = None) -> list[Study]:
    """The studies on a classifier's run, opened; or only the one asked for.

    Raises
    ------
    ParameterError
        If the one asked for is on another run.
    """
    collection = classifier.collection
    names = names_of_studies(collection) if wanted is None else [wanted]
    found = [collection.study(name) for name in names]
    on_run = [study for study in found if study.run == classifier.run]
    if wanted is not None and not on_run:
        raise ParameterError(
            f"study {wanted!r} is on {found[0].run}, and this classifier on {classifier.run}"
        )
    return on_run


def drawn_for(studies: Sequence[Study], name: str, column: int, found: Witnesses) -> Drawn | None:
    """Of some studies the one of a class with the most answers that tells; None without one."""
    drawn = [_with_answers(study, found, column) for study in studies if study.class_ == name]
    telling = [each for each in drawn if each.tells]
    return max(telling, key=lambda each: len(each.windows), default=None)


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
