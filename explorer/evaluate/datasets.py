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
    from explorer.space.blocks import Block, Corpus

Groups = Literal["recording", "site", "widest", "none"]
GROUPS: tuple[Groups, ...] = ("recording", "site", "widest", "none")
"""What is kept apart; ``"widest"`` is sites where the labels allow it, and recordings otherwise."""
FEWEST_SITES = 3

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
        return self.scaled(self.vectors.take(self.rows[positions]))

    def scaled(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Embeddings of the run as these windows give theirs."""
        if self.scale is None:
            return np.asarray(rows, dtype=np.float32)
        return np.asarray((rows - self.scale[0]) / self.scale[1], dtype=np.float32)

    def blocks(self, rows_per_block: int = 4096) -> Iterator[Block]:
        """Yield ``(first, embeddings)`` from the first of these windows to the last."""
        if self.scale is None and len(self) == len(self.vectors):  # all of them, uncopied
            yield from self.vectors.blocks(rows_per_block)
            return
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
class Around:
    """All windows of the run of some windows, brought to their scale."""

    windows: Windows

    def blocks(self, rows_per_block: int = 4096) -> Iterator[Block]:
        """Yield ``(first, embeddings)`` from the first window of the run to the last."""
        for first, rows in self.windows.vectors.blocks(rows_per_block):
            yield first, self.windows.scaled(rows)


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
        Its windows, labelled or not.
    around
        Embeddings of all windows of the collection that holds it: what a background is learnt from.
    groups
        What is kept apart: ``"recording"``, ``"site"``, or ``"none"``: every item by itself.
    item_site
        Of each labelled item, "" where it is not known.
    """

    name: str
    encoder: str
    labelled: Labelled | None
    windows: Windows
    around: Corpus
    groups: Groups
    item_site: Names | None = None

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
    return [
        _of_set(collection, str(name), part, run, groups)
        for name, part in known.groupby("set", sort=True)
        for run in runs
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
    label = there["class"].to_numpy(dtype=object)
    classes = tuple(sorted(set(label)))
    truth = (label[:, None] == np.array(classes, dtype=object)).astype(np.float32)
    said = _Said(np.arange(len(rows)), ids, truth, classes)
    return _data_set(name, collection, run, windows, said, groups)


def _of_run(collection: Collection, run: str, groups: Groups) -> DataSet:
    index = collection.index(run)
    recordings = index.recordings
    windows = Windows(
        collection.embeddings(run),
        np.arange(len(index)),
        recordings["recording"].to_numpy(dtype=object)[index.position],
        np.asarray(index.site, dtype=object),
        recordings["device"].fillna("").to_numpy(dtype=object)[index.position],
    )
    rows, truth, classes = _truth(agreed(collection.label_rows(run)))
    whole = _whole(collection.labels(), recordings["duration_s"])
    said = _Said(rows, index.recording_id[rows] if whole else rows, truth, classes)
    return _data_set(collection.name, collection, run, windows, said, groups)


@dataclass(frozen=True, eq=False)
class _Said:
    """What is said of some windows: positions in `Windows`, the item of each, and what it is of."""

    rows: NDArray[np.int64]
    item: NDArray[np.integer]
    truth: NDArray[np.float32]
    classes: tuple[str, ...]


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


def _data_set(
    name: str, collection: Collection, run: str, windows: Windows, said: _Said, groups: Groups
) -> DataSet:
    around: Corpus = collection.embeddings(run)
    if len(windows) and collection.catalogue.runs()[run].encoder == MfccEncoder.name:
        windows = windows.standardised()
        around = Around(windows)
    title = _title(collection, run)
    vectors = windows.take(said.rows)
    finite = np.isfinite(vectors).all(axis=1)
    first, embeddings, truth = _joined(said.item[finite], vectors[finite], said.truth[finite])
    there = (truth == 1).any(axis=0)
    if not there.any():
        return DataSet(name, title, None, windows, around, groups)
    rows = said.rows[finite][first]
    kept, of_item = _groups(windows, rows, truth == 1, groups)
    classes = tuple(one for one, has in zip(said.classes, there, strict=True) if has)
    labelled = Labelled(classes, embeddings, truth[:, there], of_item)
    return DataSet(name, title, labelled, windows, around, kept, windows.site[rows])


def _joined(
    item: NDArray[np.integer], vectors: NDArray[np.float32], truth: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Windows of one item joined: the first of them, the mean embedding, and a yes before a no."""
    _, first, number = np.unique(item, return_index=True, return_inverse=True)
    mean = np.zeros((len(first), vectors.shape[1]))
    np.add.at(mean, number, vectors)
    mean /= np.bincount(number, minlength=len(first))[:, None]
    joined = np.full((len(first), truth.shape[1]), -1, np.float32)
    np.maximum.at(joined, number, np.where(np.isnan(truth), -1, truth))
    return first, mean.astype(np.float32), np.where(joined < 0, np.nan, joined)


def _groups(
    windows: Windows, rows: NDArray[np.int64], positive: NDArray[np.bool_], groups: Groups
) -> tuple[Groups, Names]:
    """What is kept apart, and the group of each item."""
    recording, site = windows.recording[rows], windows.site[rows]
    if groups == "widest":
        groups = "site" if _sites_suit(recording, site, positive) else "recording"
    if groups == "none":
        return groups, np.arange(len(rows)).astype(object)
    if groups == "recording":
        return groups, recording
    if (site == "").any():
        raise ParameterError(
            f"{int((site == '').sum())} labelled items have no site, such as one of "
            f"{recording[site == ''][0]}; give --site-pattern when recordings are added (or a "
            "column site in the table of clips), or keep recordings apart instead"
        )
    return groups, site


def _sites_suit(recording: Names, site: Names, positive: NDArray[np.bool_]) -> bool:
    """Whether sites can be kept apart: there are some, and no class is lost that need not be."""
    if (site == "").any() or len(set(site)) < FEWEST_SITES:
        return False
    return all(
        len(set(site[column])) > 1 for column in positive.T if len(set(recording[column])) > 1
    )


def _title(collection: Collection, run: str) -> str:
    """The encoder's name; the whole run's where the collection has several of that encoder."""
    runs = collection.catalogue.runs()
    encoder = runs[run].encoder
    alone = sum(other.encoder == encoder for other in runs.values()) == 1
    return encoder if alone else run
