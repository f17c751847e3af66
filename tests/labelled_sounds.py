"""Labelled embeddings in memory and labelled clips on disk, for tests of evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from explorer.classify.labelled import Labelled
from explorer.evaluate.datasets import DataSet, Windows

RATE = 8000
PITCHES = {"growl": 300, "whistle": 1200, "click": 2500}


@dataclass
class InMemory:
    """Stands for the embeddings of a run."""

    rows: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        return self.rows.shape[1]

    def blocks(self, rows_per_block: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        yield 0, self.rows

    def take(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        return self.rows[rows]


def data_set(
    rows: NDArray[np.floating],
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    name: str = "reef",
    encoder: str = "ear",
    sites: Sequence[str] | None = None,
) -> DataSet:
    """A data set of items that are of one class each; the items are its windows too."""
    classes = tuple(sorted({label for label in labels if label}))
    truth = (np.array(labels)[:, None] == np.array(classes)).astype(np.float32)
    site = np.array(sites if sites is not None else [""] * len(rows), dtype=object)
    windows = Windows(
        InMemory(rows.astype(np.float32)),
        np.arange(len(rows)),
        np.array(groups, dtype=object),
        site,
        np.array([""] * len(rows), dtype=object),
    )
    labelled = Labelled(classes, rows.astype(np.float32), truth, np.array(groups, dtype=object))
    return DataSet(name, encoder, labelled, windows, windows.vectors, "recording", site)


def clusters(
    n_classes: int = 3,
    recordings: int = 8,
    each: int = 3,
    *,
    spread: float = 0.6,
    recording_spread: float = 0.3,
    dimension: int = 24,
    seed: int = 0,
    encoder: str = "ear",
    name: str = "reef",
) -> DataSet:
    """Classes around centres of their own, each in recordings that sound a little alike."""
    rng = np.random.default_rng(seed)
    rows, labels, groups = [], [], []
    for number in range(n_classes):
        centre = rng.normal(0, 1, dimension)
        for recording in range(recordings):
            here = centre + rng.normal(0, recording_spread, dimension)
            rows += list(here + rng.normal(0, spread, (each, dimension)))
            labels += [f"class {number}"] * each
            groups += [f"{number}/{recording}"] * each
    return data_set(np.array(rows), labels, groups, encoder=encoder, name=name)


def write_clips(folder: Path, *, each: int = 4, seconds: float = 0.5, table: bool = True) -> Path:
    """Write clips as ``reef/CLASS/name.wav``: tones with noise, two of one recording each."""
    rng = np.random.default_rng(3)
    lines = ["file,label,set,group"]
    for name, pitch in PITCHES.items():
        for number in range(each):
            path = folder / "reef" / name / f"{name}_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            time = np.arange(int(RATE * seconds)) / RATE
            sound = 0.3 * np.sin(2 * np.pi * pitch * (1 + 0.02 * number) * time)
            soundfile.write(path, sound + rng.normal(0, 0.02, time.size), RATE)
            lines.append(f"reef/{name}/{path.name},{name},sets/reef,{name}-{number // 2}")
    if table:
        (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder
