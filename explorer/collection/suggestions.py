"""Windows that are worth a person's next minutes, as a table that plays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.classify import sampling
from explorer.classify.sampling import Strategy
from explorer.collection.handover import write
from explorer.collection.results import SoundTable
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier


class Suggestions(SoundTable):
    """Windows to label next, the most worthwhile first; the index holds window numbers.

    Columns: recording, start_s, end_s, started_at, site, class (the likeliest), score (of that
    class) and reason (why a person's judgement would help).
    """

    def write(self, path: str | Path) -> list[Path]:
        """Write them with an empty column ``judgement`` to be filled in: yes, no or unsure.

        `Collection.import_labels` takes the file in again, and passes over what is still empty.

        Parameters
        ----------
        path
            A ``.csv`` for a spreadsheet; for Raven a ``.txt``, or a folder of a table a recording.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in ("", ".csv", ".txt"):
            raise ParameterError(
                f"{path}: windows to label are written as .csv for a spreadsheet, or for Raven as "
                ".txt or into a folder"
            )
        if self.collection is None:
            raise ParameterError("this table has lost its collection; slice it, do not rebuild it")
        columns = ["recording", "start_s", "end_s", "class", "judgement", "score", "reason"]
        table = pd.DataFrame(self).assign(judgement="")[[*columns, "started_at", "site"]]
        return write(table, path, "csv" if suffix == ".csv" else "raven", self.collection)


def next_to_label(
    classifier: Classifier,
    n: int,
    *,
    strategy: Strategy,
    class_: str | None,
    target: float,
    seed: int,
) -> Suggestions:
    """Pick windows that nobody has labelled; see `Classifier.next_to_label`."""
    collection, run = classifier.collection, classifier.run
    columns = slice(None) if class_ is None else [classifier.column(class_)]
    prepared = collection.prepared(run)
    scores = classifier.scores()[:, columns]
    scores = np.where(prepared.finite.numpy()[:, None], scores, np.nan)
    done = [collection.label_rows(run)["row"]]
    for side in ("examples", "negatives"):
        done += classifier.made_of.get(side, {}).values()
    found = sampling.next_to_label(
        prepared.vectors,
        scores,
        np.concatenate([np.asarray(rows, dtype=np.int64) for rows in done]),
        n,
        strategy=strategy,
        sites=collection.index(run).site.codes,
        target=target,
        seed=seed,
    )
    own = scores[found.rows]
    names = np.asarray(classifier.classes, dtype=object)[columns]
    table = collection.windows(found.rows, run).drop(columns="recording_id")
    table = table.assign(
        **{"class": names[own.argmax(axis=1)] if len(own) else names[:0]},
        score=own.max(axis=1, initial=0.0),
        reason=list(found.reasons),
    )
    suggestions = Suggestions.of(table, collection)
    assert isinstance(suggestions, Suggestions)
    return suggestions
