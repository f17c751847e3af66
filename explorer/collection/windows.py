"""Which window is in which row: derived from segments, never stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.windows import WindowGrid
from explorer.collection.catalogue import Run
from explorer.errors import ParameterError


@dataclass(frozen=True)
class WindowIndex:
    """Recording and times of every row of a run, as arrays.

    Attributes
    ----------
    run
        The run whose rows these are.
    recordings
        The recordings' table, by id.
    recording_id
        int32 [n_windows].
    window
        Number of the window within its recording, int32 [n_windows].
    """

    run: Run
    recordings: pd.DataFrame
    recording_id: NDArray[np.int32]
    window: NDArray[np.int32]

    @classmethod
    def from_segments(
        cls, run: Run, recordings: pd.DataFrame, segments: pd.DataFrame
    ) -> WindowIndex:
        """Spread the catalogue's segments out to one entry per row."""
        counts = segments["windows"].to_numpy()
        # Row number minus the segment's first row is the window's number within the segment.
        within = np.arange(counts.sum()) - np.repeat(segments["first_row"].to_numpy(), counts)
        return cls(
            run,
            recordings,
            np.repeat(segments["recording_id"].to_numpy(), counts).astype(np.int32),
            (np.repeat(segments["first_window"].to_numpy(), counts) + within).astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.recording_id)

    @property
    def grid(self) -> WindowGrid:
        """Length and hop of the windows, in seconds of the recording."""
        return WindowGrid(self.run.window_s, self.run.hop_s)

    @cached_property
    def position(self) -> NDArray[np.intp]:
        """Position of each row's recording in the recordings' table, [n_windows]."""
        return self.recordings.index.get_indexer(self.recording_id)

    @cached_property
    def start_s(self) -> NDArray[np.float64]:
        """Start of each window within its recording, seconds."""
        return np.asarray(self.grid.start_s(self.window), dtype=np.float64)

    @cached_property
    def end_s(self) -> NDArray[np.float64]:
        """End of each window within its recording, seconds; never past the recording's end."""
        duration_s = self.recordings["duration_s"].to_numpy()[self.position]
        return np.asarray(self.grid.end_s(self.window, duration_s), dtype=np.float64)

    @cached_property
    def hour(self) -> NDArray[np.float32]:
        """Hour of the day, 0 to 24, in the recorder's own zone; NaN where no time is known."""
        starts = [
            np.nan if at is None else _day_seconds(at) for at in self.recordings["started_at"]
        ]
        seconds = np.asarray(starts, dtype=np.float64)[self.position] + self.start_s
        return (seconds / 3600 % 24).astype(np.float32)

    @cached_property
    def site(self) -> pd.Categorical:
        """Site of each window ("" where unknown), [n_windows]."""
        sites = pd.Categorical(self.recordings["site"].fillna("").astype(str))
        return pd.Categorical.from_codes(sites.codes[self.position], dtype=sites.dtype)

    def table(self, rows: Sequence[int] | NDArray[np.integer] | None = None) -> pd.DataFrame:
        """recording, start_s, end_s, started_at, site and recording_id of some rows, or of all.

        ``started_at`` is the window's own start, ISO 8601 with zone, or None.
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows, dtype=np.int64).ravel()
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise ParameterError(
                f"window {rows.min() if rows.min() < 0 else rows.max()} is not there: "
                f"run {self.run.name} has windows 0 to {len(self) - 1}"
            )
        position, start_s = self.position[rows], self.start_s[rows]
        columns = {
            column: self.recordings[column].to_numpy(dtype=object)[position]
            for column in ("recording", "started_at", "site")
        }
        return pd.DataFrame(
            {
                "recording": columns["recording"],
                "start_s": start_s,
                "end_s": self.end_s[rows],
                "started_at": moments(columns["started_at"], start_s),
                "site": columns["site"],
                "recording_id": self.recording_id[rows],
            },
            index=pd.Index(rows, name="window"),
        )

    def rows_of(self, recording_id: int) -> NDArray[np.int64]:
        """Rows of one recording, by time."""
        order, starts = self._by_recording
        first, last = np.searchsorted(starts, [recording_id, recording_id + 1])
        return order[first:last]

    def spoken_of(self, recording_id: int, start_s: float, end_s: float) -> NDArray[np.int64]:
        """The same as `overlapping`, kept for the next time: labels are asked for again and again.

        The array is shared, and not to be changed.
        """
        key = (recording_id, start_s, end_s)
        known = self._known.get(key)
        if known is None:
            known = self.overlapping(recording_id, start_s, end_s)
            self._known[key] = known
        return known

    @cached_property
    def _known(self) -> dict[tuple[int, float, float], NDArray[np.int64]]:
        return {}

    @cached_property
    def _by_recording(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        order = np.lexsort((self.window, self.recording_id))
        return order, self.recording_id[order]

    def overlapping(self, recording_id: int, start_s: float, end_s: float) -> NDArray[np.int64]:
        """Rows of the windows that a time range speaks of.

        A window counts when more than half of the shorter of the two is common to both; a range
        that lies astride two windows so that neither has more than half counts for the one with
        the larger part. So a label made on one window names that window and not its neighbours.
        """
        rows = self.rows_of(recording_id)
        common = np.minimum(self.end_s[rows], end_s) - np.maximum(self.start_s[rows], start_s)
        shorter = np.minimum(self.end_s[rows] - self.start_s[rows], end_s - start_s)
        inside = common > 0.5 * shorter + 1e-6
        if not inside.any() and rows.size and common.max() > 0:
            return rows[[int(common.argmax())]]
        return rows[inside]


def moments(started_at: Iterable[str | None], offset_s: Iterable[float]) -> list[str | None]:
    """Add seconds to ISO 8601 times, keeping each zone; None stays None."""
    return [
        None
        if at is None
        else (datetime.fromisoformat(at) + timedelta(seconds=float(offset))).isoformat(
            timespec="milliseconds"
        )
        for at, offset in zip(started_at, offset_s, strict=True)
    ]


def _day_seconds(started_at: str) -> float:
    at = datetime.fromisoformat(started_at)
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
