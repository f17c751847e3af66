"""What lies in a collection's folder, read-only: recordings, runs, embeddings, windows, sound."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection.catalogue import Catalogue
from explorer.collection.vectors import ShardStore, Vectors
from explorer.collection.windows import WindowIndex
from explorer.errors import CollectionError, ParameterError

Rows: TypeAlias = "Sequence[int] | NDArray[np.integer] | pd.Index"
"""Windows, by row."""


@dataclass(frozen=True)
class Clip:
    """A piece of a recording: float32 samples [n], their rate in Hz, and where they lie."""

    samples: NDArray[np.float32]
    rate: int
    start_s: float
    end_s: float


class Archive:
    """A collection's folder as it can be read; `Collection` adds what one does with it.

    Everything that is read is kept until the catalogue says that there is more.
    """

    def __init__(
        self, path: str | Path, *, catalogue: str | None = None, embeddings: str | None = None
    ) -> None:
        self.path = Path(path).expanduser().resolve()
        if self.path.exists() and not self.path.is_dir():
            raise CollectionError(f"{self.path}: a collection is a folder, and this is a file")
        if (
            self.path.is_dir()
            and catalogue is None
            and not (self.path / "catalogue.sqlite").exists()
            and any(self.path.iterdir())
        ):
            raise CollectionError(
                f"{self.path}: this folder is no collection, and it is not empty. "
                "Name a new folder for the collection; recordings are given with audio=…"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.catalogue = Catalogue(catalogue or f"sqlite:///{self.path / 'catalogue.sqlite'}")
        if embeddings is not None:
            self.catalogue.remember("embeddings", embeddings)
        self._remote = self.catalogue.setting("embeddings")
        self._upto: dict[str, int] = {}
        self._kept: dict[tuple[str, ...], tuple[Any, Any]] = {}
        self._locks: dict[tuple[str, ...], threading.RLock] = {}
        self._guard = threading.Lock()

    @property
    def name(self) -> str:
        """The folder's name without ``.collection``."""
        return self.path.name.removesuffix(".collection")

    def __repr__(self) -> str:
        recordings = self.recordings
        hours = recordings["duration_s"].sum() / 3600
        runs = ", ".join(
            f"{name} ({self.n_windows(name):,} windows)" for name in self.catalogue.runs()
        )
        return (
            f"<Collection {self.name}: {len(recordings):,} recordings, {hours:.2f} h; "
            f"{runs or 'not yet embedded'}>"
        )

    def close(self) -> None:
        """Let go of the files."""
        self._kept.clear()
        self.catalogue.close()

    # --- recordings -------------------------------------------------------------------------

    @property
    def recordings(self) -> pd.DataFrame:
        """Recordings by name, with their length, start, site and device."""
        return self._keep(("recordings",), self.catalogue.version(), self.catalogue.recordings)

    @property
    def left_out(self) -> pd.DataFrame:
        """Files that could not be used, with the cause of each: recording, cause."""
        return self.catalogue.left_out(self.run)

    # --- runs, embeddings, windows ----------------------------------------------------------

    @property
    def run(self) -> str | None:
        """The newest run, which methods use unless told otherwise; None before the first."""
        return next(reversed(self.catalogue.runs()), None)

    @property
    def runs(self) -> pd.DataFrame:
        """Runs, oldest first.

        Columns: run, encoder, version, window_s, hop_s, speed, low_hz, high_hz (not a number where
        there is no limit), dimension, windows.
        """
        rows = [
            vars(run) | {"windows": self.n_windows(name)}
            for name, run in self.catalogue.runs().items()
        ]
        columns = [
            "name",
            "encoder",
            "version",
            "window_s",
            "hop_s",
            "speed",
            "low_hz",
            "high_hz",
            "dimension",
            "windows",
        ]
        table = pd.DataFrame(rows, columns=columns).rename(columns={"name": "run"})
        return table.astype({"low_hz": "float64", "high_hz": "float64"})

    def store(self, run: str) -> ShardStore:
        """Where the shards of a run lie."""
        remote = None if self._remote is None else f"{self._remote.rstrip('/')}/{run}"
        return ShardStore(self.path / "embeddings" / run, remote)

    def embeddings(self, run: str | None = None) -> Vectors:
        """The embeddings as one matrix [n_windows, dimension] that stays on disk."""
        name = self._run(run)

        def load() -> Vectors:
            shards = self.catalogue.shards(name)
            return Vectors(
                self.store(name),
                [file for file, _, _ in shards],
                [rows for _, rows, _ in shards],
                self.catalogue.runs()[name].dimension,
                upto=self._upto.get(name),
            )

        return self._keep(("embeddings", name), self.catalogue.version(), load)

    def n_windows(self, run: str | None = None) -> int:
        """How many windows are embedded."""
        return len(self.embeddings(run))

    def index(self, run: str | None = None) -> WindowIndex:
        """Recording, times, site and hour of every window, as arrays."""
        name = self._run(run)
        return self._keep(
            ("index", name),
            self.catalogue.version(),
            lambda: WindowIndex.from_segments(
                self.catalogue.runs()[name], self.recordings, self._segments(name)
            ),
        )

    def held(self, run: str | None = None) -> Self:
        """The same collection, in which a run has the windows that it has now, and no more.

        Somebody who looks at a run while it is embedded further would else find that scores, map
        and windows are of different lengths.
        """
        name = self._run(run)
        other = copy.copy(self)
        other._kept, other._locks, other._guard = {}, {}, threading.Lock()
        other._upto = {**self._upto, name: self.n_windows(name)}
        return other

    def windows(self, rows: Rows | None = None, run: str | None = None) -> pd.DataFrame:
        """Windows as a table: recording, start_s, end_s, started_at, site, recording_id."""
        return self.index(run).table(None if rows is None else np.asarray(rows))

    # --- sound ------------------------------------------------------------------------------

    def clip(self, row: int, *, context_s: float = 0.0, run: str | None = None) -> Clip:
        """The sound of a window, as recorded, with some context on both sides if asked for."""
        window = self.index(run).table([int(row)]).iloc[0]
        return self.clip_of(
            window["recording"],
            max(0.0, window["start_s"] - context_s),
            window["end_s"] + context_s,
        )

    def clip_of(self, recording: str, start_s: float, end_s: float) -> Clip:
        """The sound between two seconds of a recording, at the recording's own rate, mixed down.

        Raises
        ------
        AudioError
            If the file is no longer where it was, or cannot be read.
        """
        from explorer.audio.decoding import read_clip  # noqa: PLC0415

        known = self.recordings
        found = known[known["recording"] == recording]
        if found.empty:
            raise ParameterError(f"{recording!r} is no recording of {self.name}")
        entry = found.iloc[0]
        start_s, end_s = max(0.0, start_s), min(end_s, float(entry["duration_s"]))
        samples, rate = read_clip(Path(entry["path"]), start_s, end_s)
        return Clip(samples, rate, start_s, start_s + len(samples) / rate)

    # --- inside -----------------------------------------------------------------------------

    def _segments(self, name: str) -> pd.DataFrame:
        segments = self.catalogue.segments(name)
        if name not in self._upto:
            return segments
        left = self._upto[name] - segments["first_row"]
        return segments.assign(windows=segments["windows"].clip(upper=left))[left > 0]

    def _run(self, run: str | None) -> str:
        runs = self.catalogue.runs()
        if run is None:
            if not runs:
                raise CollectionError(
                    f"{self.path}: nothing is embedded yet. Call embed(), or run: "
                    f'explorer embed "{self.path.name}"'
                )
            return next(reversed(runs))
        if run not in runs:
            raise ParameterError(f"there is no run {run!r}; there are: {', '.join(runs) or 'none'}")
        return run

    def _keep(self, key: tuple[str, ...], stamp: Any, make: Callable[[], Any]) -> Any:
        """Keep what was made until its stamp changes; sessions that ask at once wait for one."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            if key not in self._kept or self._kept[key][0] != stamp:
                self._kept[key] = (stamp, make())
            return self._kept[key][1]
