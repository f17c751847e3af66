"""Labelled time ranges of a collection, and the windows of a run that hold them.

Labels are time ranges, so the same ranges serve every run: examples are drawn among ranges, and
each encoder gets its own windows of the same sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection.labels import agreed
from explorer.errors import ParameterError
from explorer.evaluate.corpora import Corpus, Flags, Samples, held_by_windows, overlapped, pairs
from explorer.evaluate.datasets import Windows
from explorer.evaluate.mfcc import MfccEncoder
from explorer.exchange.matching import match_recordings

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.windows import WindowIndex


@dataclass(frozen=True, eq=False)
class Ranges:
    """What is said of a collection's recordings, one judgement for each time range and class.

    Attributes
    ----------
    classes
        Names, in the order of columns.
    table
        Columns: position (of the recording, in the table of recordings), recording_id, start_s,
        end_s, column (of the class), and kind: positive, negative, unsure, or background for a
        class that is heard behind the one recorded.
    """

    classes: tuple[str, ...]
    table: pd.DataFrame

    def of(self, kind: str) -> pd.DataFrame:
        """The ranges of one kind."""
        return self.table[self.table["kind"] == kind]


def ranges_of(
    collection: Collection,
    *,
    classes: Sequence[str] | None = None,
    background: pd.DataFrame | None = None,
    corpus: Corpus = "soundscapes",
) -> Ranges:
    """Gather the labels that count now, settled by majority where people differ.

    Parameters
    ----------
    classes
        Those that take part; None for all that have a positive label.
    background
        Classes heard in the background: recording and class, and start_s and end_s where it is not
        the whole recording. Class names are compared as they are, never by a part of them.
    corpus
        In ``"xc_fg"`` and ``"xc_bg"`` what is said of a part of a recording holds for all of it.

    Raises
    ------
    ParameterError
        If there is no label, or a class has none.
    """
    labels = collection.labels()
    labels["row"] = labels.groupby(["recording_id", "start_s", "end_s"], sort=True).ngroup()
    place = labels.drop_duplicates("row").set_index("row")[["recording_id", "start_s", "end_s"]]
    said = agreed(labels).join(place, on="row").rename(columns={"judgement": "kind"})
    heard = _background(collection, background)
    said = pd.concat([part for part in (said, heard) if len(part)] or [said], ignore_index=True)
    known = sorted(said.loc[said["kind"].isin(["positive", "background"]), "class"].unique())
    names = known if classes is None else sorted(dict.fromkeys(classes))
    strange = [name for name in names if name not in known]
    if strange or not names:
        raise ParameterError(
            f"no window of {collection.name} is labelled {', '.join(strange)}"
            if strange
            else f"{collection.name} has no labels yet: take annotations in (explorer import), or "
            "label windows in the dashboard (explorer serve)"
        )
    said = said[said["class"].isin(names)].reset_index(drop=True)
    recordings = collection.recordings
    position = recordings.index.get_indexer(said["recording_id"])
    whole = recordings["duration_s"].to_numpy()[position]
    if corpus != "soundscapes":
        said = said.assign(start_s=0.0, end_s=whole)
    said["end_s"] = np.minimum(said["end_s"].to_numpy(dtype=float), whole)
    column = pd.Series(range(len(names)), index=names)
    table = said.assign(position=position, column=column.loc[said["class"]].to_numpy())
    columns = ["position", "recording_id", "start_s", "end_s", "column", "kind"]
    return Ranges(tuple(names), table[columns])


def read_background(path: str | Path) -> pd.DataFrame:
    """Read a CSV file with recording and class (and start_s, end_s): what is in the background.

    Raises
    ------
    ParameterError
        If it cannot be read.
    """
    try:
        return pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise ParameterError(f"{path}: no CSV file that can be read ({error})") from error


def _background(collection: Collection, background: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["recording_id", "start_s", "end_s", "class", "kind"]
    if background is None:
        return pd.DataFrame(columns=columns)
    lacking = sorted({"recording", "class"} - set(background))
    if lacking:
        raise ParameterError(f"a table of background classes has no column {', '.join(lacking)}")
    recordings = collection.recordings
    found, unknown = match_recordings(background, recordings["recording"].tolist())
    if found.empty:
        raise ParameterError(
            f"none of the {len(unknown)} recordings in the table of background classes is in "
            f"{collection.name}"
        )
    ids = pd.Series(recordings.index, index=recordings["recording"])
    found = found.assign(recording_id=found["recording"].map(ids), kind="background")
    for name, usual in (("start_s", 0.0), ("end_s", np.inf)):
        found[name] = found[name].fillna(usual).astype(float) if name in found else usual
    return found[columns]


@dataclass(frozen=True, eq=False)
class Held:
    """Windows of a run and the classes that each holds; recordings lie behind each other in time.

    Attributes
    ----------
    windows
        Embeddings, in order of time.
    position
        Recording of each window, as its place in the table of recordings, ``[n]``.
    start
        First sample of each window on a time line of all recordings, ascending, ``[n]``.
    length
        Of the windows, in samples.
    foreground, background, unsure
        ``[n, n_classes]``.
    judged
        Whether anybody has said anything certain of the window, ``[n]``.
    everything
        All windows of the run: what is known of the place without labels.
    """

    windows: Windows
    position: NDArray[np.intp]
    start: Samples
    length: int
    foreground: Flags
    background: Flags
    unsure: Flags
    judged: NDArray[np.bool_]
    everything: Windows

    def __len__(self) -> int:
        return len(self.start)

    def touching(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Windows that share a moment with some of them; those themselves among them."""
        begin = self.start[rows]
        return np.unique(pairs(*overlapped(self.start, self.length, begin, begin + self.length))[0])


def held_in(
    collection: Collection, run: str, ranges: Ranges, *, least_overlap_s: float | None = None
) -> Held:
    """Say what the windows of the labelled recordings hold, by BIRB's rule in whole samples.

    Parameters
    ----------
    least_overlap_s
        Seconds of a label that a window must hold; None for one sample.
    """
    index = collection.index(run)
    made = index.run
    rate = made.sample_rate / made.speed
    length = round(made.window_s * rate)
    least = 1 if least_overlap_s is None else int(rate * least_overlap_s)
    if least < 1:
        raise ParameterError(f"a window holds a label from some time above 0 on, not {least}")
    everything = _all_windows(collection, run, index)
    labelled = np.zeros(len(index.recordings), bool)
    labelled[ranges.table["position"].to_numpy()] = True
    readable = np.isfinite(collection.embeddings(run).lengths())
    rows = np.flatnonzero(labelled[index.position] & readable)
    # A window is padded by less than its own length, so with two of them between recordings no
    # window and no label reaches into the next one.
    room = _samples(index.recordings["duration_s"].to_numpy(), rate) + 2 * length
    offset = np.cumsum(room) - room
    start = offset[index.position[rows]] + _samples(index.start_s[rows], rate)
    order = np.argsort(start, kind="stable")
    rows, start = rows[order], start[order]

    def holding(kind: str) -> Flags:
        part = ranges.of(kind)
        at = offset[part["position"].to_numpy()]
        begins, ends = (at + _samples(part[name].to_numpy(), rate) for name in ("start_s", "end_s"))
        columns = part["column"].to_numpy()
        return held_by_windows(start, length, begins, ends, columns, len(ranges.classes), least)

    foreground, background = holding("positive"), holding("background")
    judged = np.asarray((foreground | background | holding("negative")).any(axis=1), dtype=bool)
    names = (everything.recording, everything.site, everything.recorder)
    recording, site, recorder = (name[rows] for name in names)
    return Held(
        replace(everything, rows=rows, recording=recording, site=site, recorder=recorder),
        index.position[rows],
        start,
        length,
        foreground,
        background,
        holding("unsure"),
        judged,
        everything,
    )


def _all_windows(collection: Collection, run: str, index: WindowIndex) -> Windows:
    recordings = index.recordings
    device = recordings["device"].fillna("").to_numpy(dtype=object)
    windows = Windows(
        collection.embeddings(run),
        np.arange(len(index)),
        recordings["recording"].to_numpy(dtype=object)[index.position],
        np.asarray(index.site, dtype=object),
        device[index.position],
    )
    return windows.standardised() if index.run.encoder == MfccEncoder.name else windows


def _samples(seconds: NDArray[np.floating], rate: float) -> Samples:
    return np.rint(np.asarray(seconds, np.float64) * rate).astype(np.int64)
