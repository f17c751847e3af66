"""Months of recordings at several sites without any sound: a catalogue and embeddings, for tests of
when and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

import explorer
from explorer.audio.recordings import Recording, Scan
from explorer.collection.catalogue import Run, Segment
from explorer.collection.collection import Collection

WINDOW_S, PER_RECORDING, DIMENSION = 3.0, 20, 8
RUN = Run("listener-1_3.0s", "listener", "1", 8000, WINDOW_S, WINDOW_S, 1.0, "mix", DIMENSION)
Calls = Callable[[str, datetime], float]
"""Expected share of a recording's windows with a call, by site and start."""


def season(
    folder: Path,
    starts: Iterable[tuple[str, datetime]],
    calls: Calls,
    *,
    timezone: str | None = None,
    sound: Path | None = None,
    windows: int = PER_RECORDING,
    seed: int = 0,
) -> tuple[Collection, np.ndarray]:
    """A collection of short recordings, and which of its windows hold a call.

    Parameters
    ----------
    starts
        Site and start of each recording.
    windows
        How many a recording has, of three seconds each.
    sound
        A file that stands for all recordings; none of them can be heard without.
    """
    rng = np.random.default_rng(seed)
    collection = explorer.open(folder)
    if timezone is not None:
        collection.catalogue.remember("timezone", timezone)
    sound = sound or folder / "nowhere.wav"
    known = sorted(starts, key=lambda one: f"{one[0]}/{one[1].isoformat()}")
    recordings = [
        Recording(
            path=sound,
            name=f"{site}/{at:%Y%m%d_%H%M%S}{at:%z}.wav",
            duration_s=windows * WINDOW_S,
            frames=int(8000 * windows * WINDOW_S),
            sample_rate=8000,
            channels=1,
            format="WAV/PCM_16",
            size_bytes=1,
            modified_ns=1,
            started_at=at,
            zone_source="setting",
            site=site,
        )
        for site, at in known
    ]
    collection.catalogue.add(Scan(folder, tuple(recordings), ()))
    share = np.repeat([calls(site, at) for site, at in known], windows)
    holds = rng.random(len(share)) < share
    vectors = rng.normal(0, 0.3, (len(share), DIMENSION)) + np.where(holds[:, None], 2.0, -1.0)
    collection.catalogue.add_run(RUN)
    digest = collection.store(RUN.name).write("000000.npy", vectors.astype(np.float16))
    number = {row.recording: row.Index for row in collection.recordings.itertuples()}
    segments = [Segment(number[each.name], 0, windows) for each in recordings]
    collection.catalogue.commit_shard(RUN.name, "000000.npy", digest, segments, {})
    return collection, holds


def hourly(
    sites: Iterable[str], first: str, days: int, zone: str, hours: Iterable[int] = range(24)
) -> list[tuple[str, datetime]]:
    """A recording at the full hour, every day, by the clock of a zone."""
    begin = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone))
    return [
        (site, (begin + timedelta(days=day)).replace(hour=hour))
        for site in sites
        for day in range(days)
        for hour in hours
    ]
