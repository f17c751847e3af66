"""A collection as large as asked for, on disk, made in a minute: for benchmarks of the screens.

The catalogue, the shards and the map are of the real formats, so that all that a screen does is
done for real. The embeddings are clusters of numbers that are never negative, as BirdNET's are, and
every recording is the same file of twenty minutes: what it sounds like does not matter here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile

import explorer as ex
from explorer.collection import schema
from explorer.collection.catalogue import Run, Segment
from explorer.collection.collection import Collection
from explorer.collection.vectors import SHARD_ROWS

RATE, WINDOW_S, PER_RECORDING = 16_000, 3.0, 400
SITES = [f"Reef-{i:02d}" for i in range(1, 13)]
CLUSTERS = 24
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def make(path: Path, windows: int, dimension: int = 1024, seed: int = 0) -> Collection:
    """Make the collection, or open it where it is already.

    Parameters
    ----------
    path
        Folder of the collection.
    windows
        How many, in recordings of 400.
    """
    if (path / "made").exists():
        return ex.open(path)
    rng = np.random.default_rng(seed)
    reef = ex.open(path)
    sound = path / "twenty-minutes.wav"
    soundfile.write(sound, _sound(rng), RATE, subtype="PCM_16")
    run = Run(
        Run.name_for("spectral", "1", WINDOW_S, WINDOW_S, 1.0, "mix"),
        "spectral", "1", RATE, WINDOW_S, WINDOW_S, 1.0, "mix", dimension,
    )  # fmt: skip
    reef.catalogue.add_run(run)
    recordings = -(-windows // PER_RECORDING)
    with reef.catalogue.engine.begin() as connection:
        connection.execute(
            schema.recordings.insert(), [_entry(i, sound) for i in range(recordings)]
        )
    kinds = _kinds(rng, windows)
    _embeddings(reef, run, rng, kinds)
    _map(reef, run.name, rng, kinds)
    (path / "made").touch()
    return reef


def _entry(i: int, sound: Path) -> dict[str, object]:
    site = SITES[i % len(SITES)]
    at = BEGAN + timedelta(hours=i // len(SITES) * 2)
    return {
        "name": f"{site}/{at:%Y%m%d_%H%M%S}.wav", "folder": str(sound.parent), "file": sound.name,
        "duration_s": PER_RECORDING * WINDOW_S, "sample_rate": RATE, "channels": 1, "format": "WAV",
        "size_bytes": sound.stat().st_size, "modified_ns": sound.stat().st_mtime_ns,
        "started_at": at.isoformat(), "zone_source": "name", "site": site, "device": None,
        "notes": "",
    }  # fmt: skip


def _sound(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(PER_RECORDING * WINDOW_S * RATE)) / RATE
    chirps = np.sin(2 * np.pi * (600 * t + 300 * (t % 1.7) ** 2)) * (t % 1.7 < 0.3)
    return (0.2 * chirps + 0.02 * rng.normal(size=t.size)).astype(np.float32)


def _kinds(rng: np.random.Generator, windows: int) -> np.ndarray:
    """Kind of sound of each window: half of all is background, the rest in ever smaller kinds."""
    share = np.r_[0.5, 0.5 / 1.3 ** np.arange(1, CLUSTERS)]
    return rng.choice(CLUSTERS, windows, p=share / share.sum())


def _embeddings(reef: Collection, run: Run, rng: np.random.Generator, kinds: np.ndarray) -> None:
    centres = rng.gamma(0.6, 1.0, (CLUSTERS, run.dimension)).astype(np.float32)
    store = reef.store(run.name)
    for number, first in enumerate(range(0, len(kinds), SHARD_ROWS)):
        mine = kinds[first : first + SHARD_ROWS]
        noise = rng.standard_normal((len(mine), run.dimension), dtype=np.float32)
        rows = np.maximum(centres[mine] + 0.8 * noise, 0).astype(np.float16)
        segments, row = [], first
        while row < first + len(mine):
            window = row % PER_RECORDING
            count = min(PER_RECORDING - window, first + len(mine) - row)
            segments.append(Segment(row // PER_RECORDING + 1, window, count))
            row += count
        file = f"{number:06d}.npy"
        reef.catalogue.commit_shard(run.name, file, store.write(file, rows), segments, {})


def _map(reef: Collection, run: str, rng: np.random.Generator, kinds: np.ndarray) -> None:
    """Coordinates as UMAP would give them; UMAP itself is not what is measured."""
    angle = rng.uniform(0, 2 * np.pi, CLUSTERS)
    middle = np.c_[np.cos(angle), np.sin(angle)] * rng.uniform(2, 9, (CLUSTERS, 1))
    xy = (middle[kinds] + rng.normal(0, 0.6, (len(kinds), 2))).astype(np.float32)
    about = {"version": 1, "run": run, "rows": len(kinds), "settings": {}}
    folder = reef.path / "projections"
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{run}.made.npz", coordinates=xy, about=np.array(json.dumps(about)))
