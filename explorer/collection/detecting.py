"""From scores to detections: which windows are at or above a threshold, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.classify.detections import merge_windows
from explorer.collection import calibrating
from explorer.collection.results import Detections
from explorer.collection.windows import moments

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier


def detections(
    classifier: Classifier,
    cuts: Mapping[str, float],
    *,
    merge: bool,
    gap_s: float,
    class_: str | None,
) -> Detections:
    """Windows at or above their class's cut, merged into events; see `Classifier.detections`."""
    scores = classifier.scores()
    least = np.array([cuts[class_] for class_ in classifier.classes], dtype=np.float32)
    rows, columns = np.nonzero(scores >= least)
    if class_ is not None:
        keep = columns == classifier.column(class_)
        rows, columns = rows[keep], columns[keep]
    index = classifier.collection.index(classifier.run)
    table = pd.DataFrame(
        {
            "recording_id": index.recording_id[rows],
            "start_s": index.start_s[rows],
            "end_s": index.end_s[rows],
            "class": np.asarray(classifier.classes, dtype=object)[columns],
            "score": scores[rows, columns],
        }
    )
    found = merge_windows(table, gap_s=gap_s) if merge else table.assign(windows=1)
    recordings = index.recordings.loc[found["recording_id"].to_numpy()]
    found = pd.DataFrame(
        {
            "recording": recordings["recording"].to_numpy(dtype=object),
            "start_s": found["start_s"].to_numpy(),
            "end_s": found["end_s"].to_numpy(),
            "class": found["class"].to_numpy(dtype=object),
            "score": found["score"].to_numpy(),
            "windows": found["windows"].to_numpy(),
            "site": recordings["site"].to_numpy(dtype=object),
            "started_at": moments(recordings["started_at"].tolist(), found["start_s"].to_numpy()),
        }
    )
    if classifier.calibrations:
        chances = calibrating.probabilities(classifier.calibrations, found["class"], found["score"])
        found.insert(found.columns.get_loc("score") + 1, "probability", chances)
    ordered = found.sort_values(["recording", "start_s", "class"], ignore_index=True)
    return Detections.of(ordered, classifier.collection)
