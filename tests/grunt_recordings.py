"""Small recordings of which every second is known: grunts at three sites, and what sounds alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from small_recordings import RATE

from explorer.collection.collection import Collection

SITES = {"EAST": 0.25, "WEST": 0.08, "NORTH": 0.0}
"""Share of the seconds that hold a grunt."""
HOURS = (5, 6, 12, 22)
SECONDS = 60


def write_grunts(folder: Path) -> Path:
    """Write a minute per site and hour; a second holds a grunt, another fish, or noise alone."""
    generator = np.random.default_rng(3)
    time = np.arange(RATE) / RATE
    for site, share in SITES.items():
        for hour in HOURS:
            sound = generator.normal(0, 0.03, (SECONDS, RATE))
            grunts = generator.random(SECONDS) < share
            others = ~grunts & (generator.random(SECONDS) < 0.1)
            for second in np.flatnonzero(grunts | others):
                low, high = (450, 700) if grunts[second] else (600, 900)
                tone = np.sin(2 * np.pi * generator.uniform(low, high) * time)
                sound[second] += generator.uniform(0.01, 0.2) * np.hanning(RATE) * tone
            path = folder / f"{site}_20260301_{hour:02d}0000.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound.ravel(), RATE)
            np.save(path.with_suffix(".npy"), grunts)
    return folder


def truth_of(collection: Collection) -> np.ndarray:
    """Which windows of one second hold a grunt, bool [n_windows]."""
    windows = collection.windows()
    known = collection.recordings.set_index("recording")["path"]
    seconds = {
        name: np.load(Path(path).with_suffix(".npy"), allow_pickle=False)
        for name, path in known.items()
    }
    starts = windows["start_s"].astype(int)
    return np.array(
        [seconds[name][at] for name, at in zip(windows["recording"], starts, strict=True)]
    )


def judgements(truth: np.ndarray, rows: np.ndarray) -> list[str]:
    """What somebody answers who is always right."""
    return ["positive" if truth[row] else "negative" for row in rows]
