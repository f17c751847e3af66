"""How far the people who labelled a collection agree, and the windows on which they do not.

The labels of each person are laid on the windows of a run, the latest of each person for each
window and class. People agree independently of each other only where they did not see each other's
labels: a study or a workshop asks blind, the gallery does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify import agreement as measures
from explorer.classify.agreement import NOT_JUDGED, Agreement
from explorer.collection.handover import write
from explorer.collection.labels import rows_of_labels
from explorer.collection.results import SoundTable
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

CATEGORIES = ("negative", "positive", "unsure")
"""What a judgement can be, as the numbers that `explorer.classify.agreement` counts; being unsure
is an answer of its own, which agrees with another unsure."""

WORDS = {"negative": "no", "positive": "yes", "unsure": "unsure"}

COLUMNS = ["class", "who", "people", "windows", "agreed", "kappa", "low", "high", "word", "error"]


class Disagreements(SoundTable):
    """Windows on which people differ, the most contested first; the index holds window numbers.

    Columns: recording, start_s, end_s, class, said (who said what), contested (the share of pairs
    of people who differ), people, settled (more than half say the same), started_at, site.
    """

    def write(self, path: str | Path) -> list[Path]:
        """Write them blind, with an empty column ``judgement``, for one more person to decide.

        `Collection.import_labels` takes the file in again under her name.

        Parameters
        ----------
        path
            A ``.csv`` for a spreadsheet; for Raven a ``.txt``, or a folder of a table a recording.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in ("", ".csv", ".txt"):
            raise ParameterError(
                f"{path}: windows to judge are written as .csv for a spreadsheet, or for Raven as "
                ".txt or into a folder"
            )
        if self.collection is None:
            raise ParameterError("this table has lost its collection; slice it, do not rebuild it")
        columns = ["recording", "start_s", "end_s", "class", "judgement", "started_at", "site"]
        table = pd.DataFrame(self).assign(judgement="")[columns]
        return write(table, path, "csv" if suffix == ".csv" else "raven", self.collection)


@dataclass(frozen=True)
class Voices:
    """What each person says of each window and class that anybody judged.

    Attributes
    ----------
    classes, rows
        Class and window of each item, ``[n_items]``.
    people
        Names, in the order in which they first labelled.
    codes
        ``[n_items, n_people]``: positions in `CATEGORIES`, `NOT_JUDGED` where there is none.
    latest
        Number of the latest label event of each item, ``[n_items]``.
    """

    classes: NDArray[np.object_]
    rows: NDArray[np.int64]
    people: tuple[str, ...]
    codes: NDArray[np.int64]
    latest: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many people said what of each item, ``[n_items, 3]``."""
        return measures.counts_of(self.codes, len(CATEGORIES))

    def said(self, item: int) -> list[tuple[str, str]]:
        """Who said what of an item: (name, judgement)."""
        return [
            (name, CATEGORIES[code])
            for name, code in zip(self.people, self.codes[item], strict=True)
            if code != NOT_JUDGED
        ]

    def of(self, items: NDArray[np.bool_]) -> Voices:
        """Some of the items, chosen by a mask."""
        return Voices(
            self.classes[items], self.rows[items], self.people, self.codes[items],
            self.latest[items],
        )  # fmt: skip


def voices(
    label_rows: pd.DataFrame, class_: str | None = None, who: Sequence[str] | None = None
) -> Voices:
    """Gather what everybody says from labels as windows (`Collection.label_rows`)."""
    found = label_rows
    if class_ is not None:
        _known(class_, found["class"], "there are no labels of the class")
        found = found[found["class"] == class_]
    if who is not None:
        for name in who:
            _known(name, label_rows["who"], "there are no labels by")
        found = found[found["who"].isin(list(who))]
    # A person's labels may overlap on a window, such as ranges drawn in Raven: the latest counts.
    found = found.sort_values("event").drop_duplicates(["class", "row", "who"], keep="last")
    people = tuple(dict.fromkeys(found["who"])) if who is None else tuple(dict.fromkeys(who))
    items = pd.MultiIndex.from_frame(found[["class", "row"]])
    item, unique = items.factorize(sort=True)
    codes = np.full((len(unique), len(people)), NOT_JUDGED, dtype=np.int64)
    person = pd.Index(people).get_indexer(found["who"])
    codes[item, person] = [CATEGORIES.index(judgement) for judgement in found["judgement"]]
    latest = np.zeros(len(unique), dtype=np.int64)
    np.maximum.at(latest, item, found["event"].to_numpy(dtype=np.int64))
    return Voices(
        unique.get_level_values(0).to_numpy(dtype=object),
        unique.get_level_values(1).to_numpy(dtype=np.int64),
        people,
        codes,
        latest,
    )


def agreement(
    collection: Collection,
    class_: str | None = None,
    who: Sequence[str] | None = None,
    run: str | None = None,
) -> pd.DataFrame:
    """How far people agree; see `Collection.agreement`."""
    return table_of(voices(_label_rows(collection, run), class_, who))


def table_of(said: Voices) -> pd.DataFrame:
    """Agreement of all people and of each pair, for all classes together and for each."""
    rows = []
    names = list(dict.fromkeys(said.classes))
    for class_ in [None, *names] if len(names) > 1 else names:
        here = said if class_ is None else said.of(said.classes == class_)
        rows += [_row(class_, who, found) for who, found in groups(here)]
    return pd.DataFrame(rows, columns=COLUMNS)


def groups(said: Voices) -> list[tuple[tuple[str, ...], Agreement]]:
    """Agreement of all people, if there are more than two, and of each pair with common windows."""
    everyone = len(said.people)
    sets = [tuple(range(everyone))] if everyone > 2 else []
    sets += list(combinations(range(everyone), 2))
    found = [
        (
            tuple(said.people[i] for i in members),
            measures.agreement(said.codes[:, members], n_categories=len(CATEGORIES)),
        )
        for members in sets
    ]
    found = [(who, one) for who, one in found if one.windows]
    return sorted(found, key=lambda pair: (-len(pair[0]), -pair[1].windows))


def disagreements(
    collection: Collection,
    class_: str | None = None,
    who: Sequence[str] | None = None,
    *,
    settled: bool = False,
    run: str | None = None,
) -> Disagreements:
    """The windows on which people differ; see `Collection.disagreements`."""
    said = voices(_label_rows(collection, run), class_, who)
    items = queue(said, settled=settled)
    counts = said.counts[items]
    windows = collection.windows(said.rows[items], run)
    table = windows.drop(columns="recording_id").assign(
        **{"class": said.classes[items]},
        said=[", ".join(f"{name} {WORDS[one]}" for name, one in said.said(i)) for i in items],
        contested=measures.contested(counts),
        people=counts.sum(axis=1),
        settled=measures.settled(counts),
    )
    columns = ["recording", "start_s", "end_s", "class", "said", "contested", "people", "settled"]
    return cast(
        "Disagreements", Disagreements.of(table[[*columns, "started_at", "site"]], collection)
    )


def queue(said: Voices, *, settled: bool = False) -> NDArray[np.int64]:
    """Items on which people differ, the most contested first, then those that most people judged.

    ``settled`` takes those in, too, of which more than half already say the same.
    """
    counts = said.counts
    apart = measures.contested(counts)
    open_ = (apart > 0) & (settled | ~measures.settled(counts))
    items = np.flatnonzero(open_)
    order = np.lexsort((-said.latest[items], -counts[items].sum(axis=1), -apart[items]))
    return items[order]


def _row(class_: str | None, who: tuple[str, ...], found: Agreement) -> tuple[object, ...]:
    return (
        class_, ", ".join(who), len(who), found.windows, found.observed, found.kappa, found.low,
        found.high, found.in_a_word, found.standard_error,
    )  # fmt: skip


def _label_rows(collection: Collection, run: str | None) -> pd.DataFrame:
    return rows_of_labels(collection.labels(), collection.index(run))


def _known(name: str, there: pd.Series, words: str) -> None:
    if not (there == name).any():
        names = ", ".join(f"“{one}”" for one in dict.fromkeys(there)) or "none yet"
        raise ParameterError(f"{words} “{name}”; there are: {names}")
