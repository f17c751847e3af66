"""Labelled sounds as an evaluation needs them: a collection with labels, or a folder of clips.

A *data set* is what one encoder makes of labelled sounds of one place or one study: items with an
embedding, what each is of, and the group (recording or site) that it comes from. Where the labels
speak of whole recordings, as with a folder of clips, an item is a recording and its embedding the
mean over its windows: so every encoder is asked about the same items, whatever the length of its
window. Otherwise an item is a window.

An item that is of one class is taken as not of the others, unless somebody was unsure: that is the
custom of few-shot tests (SurfPerch) and of retrieval (BIRB).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.labelled import Labelled
from explorer.collection.labels import agreed
from explorer.errors import ParameterError
from explorer.evaluate.mfcc import MfccEncoder

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.vectors import Vectors
    from explorer.space.blocks import Block

Groups = Literal["recording", "site", "none"]
GROUPS: tuple[Groups, ...] = ("recording", "site", "none")

WHOLE = 0.9
"""Labels that each cover this share of their recording speak of recordings, not of windows."""

Names = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a run and where each was recorded; the embeddings stay on disk.

    ``rows`` are the windows' numbers in the run; ``recording``, ``site`` and ``recorder`` have one
    name for each, "" where it is not known. With a ``scale`` (mean, standard deviation) embeddings
    come standardised by it.
    """

    vectors: Vectors
    rows: NDArray[np.int64]
    recording: Names
    site: Names
    recorder: Names
    scale: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: NDArray[np.integer]) -> NDArray[np.float32]:
        """Embeddings of some of these windows, float32 ``[len(positions), dimension]``."""
        rows = self.vectors.take(self.rows[positions])
        return rows if self.scale is None else (rows - self.scale[0]) / self.scale[1]

    def blocks(self, rows_per_block: int = 4096) -> Iterator[Block]:
        """Yield ``(first, embeddings)`` from the first of these windows to the last."""
        for start in range(0, len(self), rows_per_block):
            yield start, self.take(np.arange(start, min(start + rows_per_block, len(self))))

    def standardised(self) -> Windows:
        """The same windows with every dimension less its mean, over its standard deviation."""
        rows = np.concatenate([block for _, block in self.blocks()]).astype(np.float64)
        rows = rows[np.isfinite(rows).all(axis=1)]
        sd = rows.std(axis=0)
        sd[sd == 0] = 1
        return replace(self, scale=(rows.mean(axis=0).astype("f4"), sd.astype("f4")))


@dataclass(frozen=True, eq=False)
class DataSet:
    """Sounds of one place or study, as one encoder hears them.

    Attributes
    ----------
    name, encoder
        What tables of results call them.
    labelled
        The items: embeddings, what they are of, and their groups. None where nothing is labelled.
    windows
        All windows of the place, labelled or not: what a background is learnt from.
    groups
        What is kept apart: ``"recording"``, ``"site"``, or ``"none"``, every item by itself.
    """

    name: str
    encoder: str
    labelled: Labelled | None
    windows: Windows
    groups: Groups

    def known(self) -> Labelled:
        """The labelled items.

        Raises
        ------
        ParameterError
            If there are none.
        """
        if self.labelled is None:
            raise ParameterError(
                f"{self.name} has no labels yet: label windows of two classes or more in the "
                "dashboard (explorer serve), or take annotations in (explorer import)"
            )
        return self.labelled


def of_collection(
    collection: Collection, runs: Sequence[str], *, groups: Groups = "recording"
) -> list[DataSet]:
    """One data set for each run of a collection, with the labels that count now."""
    return [_of_run(collection, run, groups) for run in runs]


def of_clips(
    collection: Collection, clips: pd.DataFrame, runs: Sequence[str], *, groups: Groups
) -> list[DataSet]:
    """Data sets for each set of labelled clips and each run.

    Parameters
    ----------
    clips
        One row for each file: path, set, class, group (the recording that it was cut from), site,
        recorder (`explorer.evaluate.clips.read_clips`).
    """
    ids = pd.Series(collection.recordings.index, index=collection.recordings["path"].map(str))
    known = clips[clips["path"].map(str).isin(ids.index)]
    known = known.assign(recording_id=ids.loc[known["path"].map(str)].to_numpy())
    sets = known.groupby("set", sort=True)
    return [
        _of_set(collection, str(name), part, run, groups) for name, part in sets for run in runs
    ]


def _of_set(
    collection: Collection, name: str, clips: pd.DataFrame, run: str, groups: Groups
) -> DataSet:
    index = collection.index(run)
    about = clips.set_index("recording_id")
    rows = np.flatnonzero(np.isin(index.recording_id, about.index))
    ids = index.recording_id[rows]
    there = about.loc[ids]
    windows = Windows(
        collection.embeddings(run),
        rows,
        *(there[column].to_numpy(dtype=object) for column in ("group", "site", "recorder")),
    )
    if collection.catalogue.runs()[run].encoder == MfccEncoder.name:
        windows = windows.standardised()
    classes = tuple(sorted(there["class"].unique()))
    truth = (there["class"].to_numpy(dtype=object)[:, None] == np.array(classes, object)).astype(
        np.float32
    )
    labelled = _items(windows, np.arange(len(rows)), ids, truth, classes, groups)
    return DataSet(name, _title(collection, run), labelled, windows, groups)


def _of_run(collection: Collection, run: str, groups: Groups) -> DataSet:
    index = collection.index(run)
    recordings = index.recordings
    recorder = recordings["device"].fillna("").to_numpy(dtype=object)[index.position]
    windows = Windows(
        collection.embeddings(run),
        np.arange(len(index)),
        recordings["recording"].to_numpy(dtype=object)[index.position],
        np.asarray(index.site, dtype=object),
        recorder,
    )
    judged = agreed(collection.label_rows(run))
    rows, truth, classes = _truth(judged)
    labelled = None
    if classes:
        whole = _whole(collection.labels(), recordings["duration_s"])
        item = index.recording_id[rows] if whole else rows
        labelled = _items(windows, rows, item, truth, classes, groups)
    return DataSet(collection.name, _title(collection, run), labelled, windows, groups)


def _truth(
    judged: pd.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.float32], tuple[str, ...]]:
    """Windows that anybody judged, what they are of ``[n, n_classes]`` (see Labelled), classes."""
    rows, at = np.unique(judged["row"].to_numpy(dtype=np.int64), return_inverse=True)
    positive = judged["judgement"] == "positive"
    classes = tuple(sorted(judged.loc[positive, "class"].unique()))
    column = pd.Series(range(len(classes)), index=list(classes), dtype="int64")
    mine = judged["class"].isin(classes).to_numpy()
    is_positive = np.zeros(len(rows), bool)
    is_positive[at[positive.to_numpy()]] = True
    truth = np.where(is_positive[:, None], 0.0, np.nan) * np.ones((1, len(classes)))
    value = judged["judgement"].map({"positive": 1.0, "negative": 0.0, "unsure": np.nan})
    truth[at[mine], column.loc[judged.loc[mine, "class"]].to_numpy()] = value[mine]
    said = ~np.isnan(truth).all(axis=1)
    return rows[said], truth[said].astype(np.float32), classes


def _whole(labels: pd.DataFrame, duration_s: pd.Series) -> bool:
    length = (labels["end_s"] - labels["start_s"]).to_numpy()
    return bool((length >= WHOLE * duration_s.loc[labels["recording_id"]].to_numpy()).all())


def _items(
    windows: Windows,
    rows: NDArray[np.int64],
    item_of_row: NDArray[np.integer],
    truth: NDArray[np.float32],
    classes: tuple[str, ...],
    groups: Groups,
) -> Labelled | None:
    """Join the windows ``rows`` (positions in ``windows``) of each item to one: their mean."""
    vectors = windows.take(rows)
    finite = np.isfinite(vectors).all(axis=1)
    rows, item_of_row, truth = rows[finite], item_of_row[finite], truth[finite]
    _, first, item = np.unique(item_of_row, return_index=True, return_inverse=True)
    count = np.bincount(item)
    mean = np.zeros((len(first), vectors.shape[1]))
    np.add.at(mean, item, vectors[finite])
    joined = np.full((len(first), truth.shape[1]), -np.inf, np.float32)
    np.maximum.at(joined, item, np.where(np.isnan(truth), -1, truth))
    joined = np.where(joined < 0, np.nan, joined)
    there = (joined == 1).any(axis=0)
    if not there.any():
        return None
    kept = tuple(name for name, has in zip(classes, there, strict=True) if has)
    return Labelled(
        kept,
        (mean / count[:, None]).astype(np.float32),
        joined[:, there],
        _groups(windows, rows[first], groups),
    )


def _groups(windows: Windows, rows: NDArray[np.int64], groups: Groups) -> Names:
    if groups == "none":
        return np.arange(len(rows)).astype(object)
    if groups == "recording":
        return windows.recording[rows]
    site = windows.site[rows]
    unknown = site == ""
    if unknown.any():
        raise ParameterError(
            f"{int(unknown.sum())} labelled items have no site, such as one of "
            f"{windows.recording[rows][unknown][0]}; give --site-pattern when recordings are added "
            "(a column site in the table of clips), or keep recordings apart instead"
        )
    return site


def _title(collection: Collection, run: str) -> str:
    """The encoder's name; the whole run's where the collection has several of that encoder."""
    runs = collection.catalogue.runs()
    encoder = runs[run].encoder
    alone = sum(other.encoder == encoder for other in runs.values()) == 1
    return encoder if alone else run
