"""How recorders fared: every recording measured once, and what follows for sites and schedules.

Measuring listens to all recordings, in processes of their own, and is as resumable as embedding:
what is measured is in the catalogue every few seconds, and the next call goes on from there.
`findings` is quick: it looks at what was measured so far and at the catalogue alone (start times,
lengths, rates), so gaps and clocks are told before anything is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from tqdm.auto import tqdm

from explorer.audio.health import SoundHealth
from explorer.audio.health_faults import faults
from explorer.audio.measuring import measure_all
from explorer.collection import health_store
from explorer.collection.catalogue import Catalogue
from explorer.collection.health_changes import (
    change_findings,
    device_findings,
    double_findings,
    level_findings,
)
from explorer.collection.health_clock import (
    backward_findings,
    clock_findings,
    kept,
    untimed_findings,
)
from explorer.collection.health_finding import Finding, deployments, table_of
from explorer.collection.health_schedule import schedule_findings

SAVE_SECONDS = 2.0
"""What is measured is in the catalogue at least this often."""

MEASURES = [
    "level_dbfs",
    "peak_dbfs",
    "clipped",
    "silent",
    "stuck",
    "quiet",
    "rumble",
    "offset",
    "dropouts",
    "dropped_s",
    "cause",
]


@dataclass(frozen=True)
class HealthProgress:
    """How far measuring is; handed to the progress callback after every recording."""

    recordings: int
    total: int
    recording: str
    audio_s: float
    total_audio_s: float
    elapsed_s: float

    @property
    def times_real_time(self) -> float:
        """Seconds of sound measured per second."""
        return self.audio_s / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def share(self) -> float:
        """Share of the sound that is measured, 0 to 1."""
        if self.recordings == self.total or self.total_audio_s <= 0:
            return 1.0
        return min(1.0, self.audio_s / self.total_audio_s)


@dataclass(frozen=True)
class HealthReport:
    """What a call of ``measure_health`` did: recordings measured, and those not whole."""

    recordings: int
    unreadable: int
    audio_s: float
    elapsed_s: float

    def __str__(self) -> str:
        if not self.recordings:
            return "Nothing to do: all recordings are measured."
        speed = self.audio_s / self.elapsed_s if self.elapsed_s else 0.0
        text = (
            f"Measured {self.recordings:,} recording{'s' * (self.recordings != 1)} in "
            f"{self.elapsed_s:.1f} s ({speed:,.0f} x real time)."
        )
        if self.unreadable:
            text += f" {self.unreadable:,} of them cannot be read to the end."
        return text


def measure(
    catalogue: Catalogue,
    *,
    processes: int | None = None,
    on_progress: Callable[[HealthProgress], None] | None = None,
) -> HealthReport:
    """Measure every recording that is not measured yet; what is measured when it stops is kept.

    Parameters
    ----------
    processes
        At most so many decode at the same time; None for one a core.
    on_progress
        Called in this thread after every recording; an exception from it stops the work.
    """
    todo = health_store.pending(catalogue)
    names = {key: path.name for key, path, _ in todo}
    length = {key: seconds for key, _, seconds in todo}
    total_s = sum(length.values())
    started = saved = time.monotonic()
    unsaved: dict[int, SoundHealth] = {}
    done, unreadable, audio_s = 0, 0, 0.0
    work = ((key, path) for key, path, _ in todo)
    with closing(measure_all(work, processes=processes)) as measured:
        try:
            for key, found in measured:
                unsaved[key] = found
                done, audio_s = done + 1, audio_s + length[key]
                unreadable += bool(found.cause)
                if time.monotonic() - saved >= SAVE_SECONDS:
                    health_store.save(catalogue, unsaved)
                    unsaved, saved = {}, time.monotonic()
                if on_progress is not None:
                    elapsed_s = time.monotonic() - started
                    on_progress(
                        HealthProgress(done, len(todo), names[key], audio_s, total_s, elapsed_s)
                    )
        finally:
            health_store.save(catalogue, unsaved)
    return HealthReport(done, unreadable, audio_s, time.monotonic() - started)


@contextmanager
def bar() -> Iterator[Callable[[HealthProgress], None]]:
    """A progress bar: minutes of sound, minutes a second, time left, x real time, recording."""
    with tqdm(desc="Health", unit=" min", unit_scale=True, dynamic_ncols=True) as shown:

        def advance(progress: HealthProgress) -> None:
            shown.total = progress.total_audio_s / 60
            shown.set_postfix_str(
                f"{progress.recordings:,} of {progress.total:,} recordings, "
                f"{progress.times_real_time:,.0f} x real time, {progress.recording[-32:]}",
                refresh=False,
            )
            shown.update(progress.audio_s / 60 - shown.n)

        yield advance


def findings(recordings: pd.DataFrame, measured: Mapping[int, SoundHealth]) -> pd.DataFrame:
    """Everything to look after, most severe first; see `Collection.health`.

    Parameters
    ----------
    recordings
        As `Collection.recordings`.
    measured
        What was measured so far, by the recording's id.
    """
    parts = deployments(recordings)
    timed = kept(parts)
    found: list[Finding] = [
        *_fault_findings(recordings, measured),
        *untimed_findings(recordings),
        *backward_findings(recordings),
        *(finding for part in parts for finding in clock_findings(part)),
        *(finding for part in timed for finding in schedule_findings(part)),
        *(finding for part in timed for finding in change_findings(part)),
        *(finding for part in timed for finding in level_findings(part, measured)),
        *device_findings(timed),
        *double_findings(recordings, measured),
    ]
    return table_of(found)


def _fault_findings(
    recordings: pd.DataFrame, measured: Mapping[int, SoundHealth]
) -> Iterator[Finding]:
    wrong = {key: found for key, health in measured.items() if (found := faults(health))}
    for row in recordings.loc[recordings.index.intersection(list(wrong))].itertuples():
        since = None if row.started_at is None else datetime.fromisoformat(row.started_at)
        for fault in wrong[row.Index]:
            yield Finding(
                fault.severity,
                fault.kind,
                fault.sentence,
                site=row.site or "",
                device=row.device or "",
                recording=str(row.recording),
                since=since,
                until=since and since + timedelta(seconds=float(row.duration_s)),
            )


def measures(recordings: pd.DataFrame, measured: Mapping[int, SoundHealth]) -> pd.DataFrame:
    """What was measured, a row for each recording; see `Collection.health_measures`."""
    known = recordings.loc[recordings.index.intersection(list(measured))]
    values = [{name: getattr(measured[key], name) for name in MEASURES} for key in known.index]
    table = pd.DataFrame(values, columns=MEASURES, index=known.index)
    return pd.concat([known[["recording", "site", "started_at"]], table], axis=1)
