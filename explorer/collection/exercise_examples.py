"""Why a clip is what it is: the labelled sounds that are most like it, to look at and listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.collection.labels import agreed
from explorer.collection.results import SoundTable

if TYPE_CHECKING:
    from explorer.collection.exercises import Exercise


class Examples(SoundTable):
    """Labelled windows that are most like a clip of an exercise, most alike first.

    The index holds window numbers. Columns: recording, start_s, end_s, started_at, site, label
    (what it is, or is not) and likeness (cosine, in the geometry in which classifiers compare).
    """


def examples(exercise: Exercise, clip: int, *, most: int = 3) -> Examples:
    """Find the examples of one clip; see `Exercise.examples`."""
    collection, about = exercise.collection, exercise.about
    rows = collection.label_rows(about.run)
    said = agreed(rows[rows["class"].isin(about.classes)])
    said = said[(said["judgement"] != "unsure") & ~said["row"].isin(_of_the_exercise(exercise))]
    known = np.unique(said["row"].to_numpy(dtype=np.int64))
    mine = _rows(exercise, clip)
    if not len(known) or not len(mine):
        return _table(exercise, known[:0], [], np.zeros(0, np.float32))
    background = collection.background(about.run)
    vectors = collection.embeddings(about.run)
    there = background.transform(np.asarray(vectors.take(known), dtype=np.float32))
    here = background.transform(np.asarray(vectors.take(mine[:1]), dtype=np.float32))
    likeness = (there @ here[0]).numpy()
    best = np.argsort(-likeness, kind="stable")[:most]
    labels = []
    for row in known[best]:
        of = said[said["row"] == row]
        is_ = of.loc[of["judgement"] == "positive", "class"]
        is_not = [f"not {name}" for name in of.loc[of["judgement"] == "negative", "class"]]
        labels.append(", ".join(is_) or ", ".join(is_not))
    return _table(exercise, known[best], labels, likeness[best])


def _table(
    exercise: Exercise, rows: NDArray[np.int64], labels: list[str], likeness: NDArray[np.float32]
) -> Examples:
    windows = exercise.collection.windows(rows, exercise.about.run).drop(columns="recording_id")
    made = Examples.of(windows.assign(label=labels, likeness=likeness), exercise.collection)
    assert isinstance(made, Examples)
    return made


def _of_the_exercise(exercise: Exercise) -> NDArray[np.int64]:
    """Windows that are asked about: as examples they would tell the answers of other clips."""
    return np.concatenate([_rows(exercise, clip) for clip in range(len(exercise.clips))])


def _rows(exercise: Exercise, clip: int) -> NDArray[np.int64]:
    """The windows of a clip in the run of the exercise, the best first."""
    asked, collection = exercise.clips[clip], exercise.collection
    known = collection.recordings["recording"]
    ids = known.index[known == asked.recording]
    if not len(ids):
        return np.zeros(0, dtype=np.int64)
    index = collection.index(exercise.about.run)
    return index.overlapping(int(ids[0]), asked.start_s, asked.end_s)
