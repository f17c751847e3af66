"""Labels that look wrong, heard again; what somebody has confirmed is not asked about again.

A confirmation is a label like any other: the same judgement once more, marked as such, so that it
is in the log, can be undone, and counts for whoever gives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from explorer.dashboard.state.learning import Judgement, Learned

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

SOURCE = "check"
"""What confirmations are marked with."""
RANGE = ["recording_id", "start_s", "end_s", "class", "judgement"]


def confirm(
    collection: Collection, row: int, name: str, judgement: Judgement, user: str, run: str | None
) -> list[int]:
    """Write the same judgement once more; give the events, for undo."""
    known = collection.label_rows(run)
    mine = known[(known["row"] == row) & (known["class"] == name) & (known["who"] == user)]
    labels = collection.labels().set_index("event")
    sources = labels.loc[mine["event"], "source"].tolist()
    # An answer of a study stays one: only the latest label of a person counts.
    source = next((each for each in sources if str(each).startswith("study:")), SOURCE)
    return collection.label([row], name, judgement, who=user, source=source, run=run)


def doubted(collection: Collection, learned: Learned) -> pd.DataFrame:
    """The labels that the others disagree with, without those that were confirmed.

    As `Classifier.suspects` gives them; may run in a thread.
    """
    found = learned.classifier.suspects()
    sure = _confirmed(collection, learned)
    pairs = zip(found.index, found["class"], found["judgement"], strict=True)
    return found[[(int(row), name, said) not in sure for row, name, said in pairs]]


def _confirmed(collection: Collection, learned: Learned) -> set[tuple[int, Any, Any]]:
    """Windows, classes and judgements that one person has given twice, or confirmed."""
    labels, events = collection.labels(), collection.label_events()
    undone: set[int] = set()
    for event, target in events["undoes"].dropna().iloc[::-1].items():
        if event not in undone:
            undone.add(int(target))
    counting = events[~events.index.isin(undone)]
    times = counting.groupby([*RANGE, "who"]).size()  # without the undoing ones, of no class
    given = times.reindex(pd.MultiIndex.from_frame(labels[[*RANGE, "who"]])).to_numpy()
    again = labels[(labels["source"] == SOURCE).to_numpy() | (given > 1)]
    rows = collection.label_rows(learned.classifier.run)
    rows = rows[rows["event"].isin(again["event"])]
    return set(zip(rows["row"].astype(int), rows["class"], rows["judgement"], strict=True))
