"""Handing labels, detections and embeddings on to other tools, and taking labels in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from explorer.collection.windows import moments
from explorer.errors import CollectionError, ExplorerError, ParameterError
from explorer.exchange import tables
from explorer.exchange.annotations import read_annotations
from explorer.exchange.matching import match_recordings

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Format = Literal["csv", "raven", "audacity", "parquet"]


def write(
    table: pd.DataFrame,
    path: str | Path,
    format: Format,
    collection: Collection,
) -> list[Path]:
    """Write detections or labels of a collection; give the files that were written.

    ``raven`` takes a folder (a table per recording) or a ``.txt`` file (one for all); ``audacity``
    takes a folder; ``csv`` and ``parquet`` take a file.
    """
    plain = pd.DataFrame(table)
    if format == "raven":
        return tables.write_raven(plain, path, recordings=collection.recordings)
    if format == "audacity":
        return tables.write_audacity(plain, path)
    if format == "parquet":
        return [tables.write_parquet(plain, path)]
    if format == "csv":
        return [tables.write_csv(plain, path)]
    raise ParameterError(f"{format!r} is no format: use csv, raven, audacity or parquet")


def labels_table(collection: Collection) -> pd.DataFrame:
    """The current labels with site and ISO 8601 start, as they are handed on."""
    labels = collection.labels()
    known = collection.recordings.set_index("recording").loc[labels["recording"]]
    return pd.DataFrame(
        {
            **{
                name: labels[name].to_numpy()
                for name in ("recording", "start_s", "end_s", "class", "judgement")
            },
            "site": known["site"].to_numpy(),
            "started_at": moments(known["started_at"].tolist(), labels["start_s"].to_numpy()),
            **{name: labels[name].to_numpy() for name in ("who", "when", "source")},
        }
    )


def embeddings_table(collection: Collection, run: str | None = None) -> pd.DataFrame:
    """Windows with their embeddings, a column ``e0``, ``e1`` … for each dimension (float32)."""
    windows = collection.windows(run=run).drop(columns="recording_id")
    vectors = np.asarray(collection.embeddings(run), dtype=np.float32)
    names = [f"e{number}" for number in range(vectors.shape[1])]
    return pd.concat([windows, pd.DataFrame(vectors, index=windows.index, columns=names)], axis=1)


@dataclass(frozen=True)
class ImportReport:
    """What an import took in, and what it had to leave.

    ``unknown`` counts labels by the name of a recording that is not in the collection; ``refused``
    holds files that could not be read, with the cause; ``unjudged`` counts ranges whose judgement
    was left empty.
    """

    labels: int
    files: int
    events: tuple[int, ...]
    unknown: Mapping[str, int]
    refused: Mapping[str, str]
    unjudged: int = 0

    def __str__(self) -> str:
        text = f"{self.labels:,} labels taken in from {self.files:,} files."
        if self.unknown:
            text += (
                f" {sum(self.unknown.values()):,} left out: they are of recordings that are not in "
                f"the collection ({_some(self.unknown)})."
            )
        if self.unjudged:
            text += f" {self.unjudged:,} left out: their judgement is empty."
        for name, cause in self.refused.items():
            text += f"\nLeft out {name}: {cause}"
        return text


def import_labels(collection: Collection, path: str | Path, *, who: str) -> ImportReport:
    """Take in labels from a Raven, Audacity or CSV file, or from every such file in a folder.

    One file that cannot be read does not stop the others; it is listed with its cause. A label that
    is already there from the same person is not taken in twice.

    Raises
    ------
    CollectionError
        If there is nothing to read at ``path``.
    """
    read: list[pd.DataFrame] = []
    refused: dict[str, str] = {}
    for file in label_files(path):
        try:
            read.append(read_annotations(file))
        except ExplorerError as error:
            refused[str(file)] = str(error)
    if not read:
        return ImportReport(0, 0, (), {}, refused)
    names = collection.recordings["recording"].tolist()
    found, unknown = match_recordings(pd.concat(read, ignore_index=True), names)
    unjudged = int(found["judgement"].isna().sum())
    found = found[found["judgement"].notna()]
    key = ["recording", "start_s", "end_s", "class", "judgement"]
    found = found[found["start_s"] < found["end_s"]].drop_duplicates(key)
    there = collection.labels(who=who)[key].assign(there=True)
    new = found.merge(there, on=key, how="left")
    new = new[new["there"].isna()]
    events = collection.label_ranges(new[key], who=who, source="import")
    return ImportReport(len(new), len(read), tuple(events), unknown, refused, unjudged)


def label_files(path: str | Path) -> list[Path]:
    """A file of labels, or all of them in a folder (.txt, .csv).

    Raises
    ------
    CollectionError
        If there is none.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.rglob("*.txt")) + sorted(path.rglob("*.csv"))
    if not files:
        raise CollectionError(f"{path}: there is no file of labels here (.txt or .csv)")
    return files


def _some(names: Mapping[str, int], shown: int = 3) -> str:
    listed = ", ".join(list(names)[:shown])
    return listed if len(names) <= shown else f"{listed} and {len(names) - shown} more"
