"""BIRB's retrieval task on real soundscapes with real bird calls in them, or on many windows.

    export PYTHONPATH=tests
    python tests/benchmarks/retrieval.py [--encoder birdnet spectral] [--focal] [--keep FOLDER]
    python tests/benchmarks/retrieval.py --windows 200000

The first puts the clips of ../shared/audio/labelled/birds_na (ten species, 100 Xeno-Canto
recordings) three times each into the real soundscapes of ../shared/audio, 3 dB below to 12 dB
above them, and measures BIRB's plain cosine beside our default: windows overlap by half, recordings
are kept apart, and ``--focal`` takes half of the recordings out as focal ones, which then give the
examples. All of a Xeno-Canto recording is in one soundscape.

The second measures how long a task takes on as many random windows, and how much memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from birb_corpus import REAL_RATE, real_beds, real_clips, write_corpus

from explorer.collection.catalogue import Run
from explorer.collection.collection import Collection
from explorer.collection.vectors import SHARD_ROWS, ShardStore, Vectors
from explorer.collection.windows import WindowIndex
from explorer.encoders.registry import load
from explorer.evaluate.retrieval import retrieval
from explorer.evaluate.task import Task

RECORDINGS, REPEATS = 24, 3
PER_RECORDING, CLASSES, DIMENSION = 1000, 20, 1024


def real(encoders: list[str], folder: Path, focal: bool, shots: list[int], draws: int) -> None:
    """Make the corpus, embed it, and print what is found."""
    shared = Path(os.environ.get("EXPLORER_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    audio = folder / ("focal" if focal else "plain")
    table = audio / "annotations.csv"
    if not table.exists():
        clips = real_clips(shared)
        names = sorted({(clip.label, clip.group) for clip in clips})
        aside = {group for _, group in names[::2]} if focal else set()
        write_corpus(
            audio,
            [clip for clip in clips if clip.group not in aside],
            real_beds(shared),
            REAL_RATE,
            recordings=RECORDINGS,
            repeats=REPEATS,
            focal=[clip for clip in clips if clip.group in aside],
        )
    collection = Collection(audio / "birds.collection")
    collection.add(audio)
    for name in encoders:
        encoder = load(name)
        print(collection.embed(encoder, hop_s=encoder.window_s / 2, progress=False))
    print(collection.import_labels(table, who="maker"))
    start = time.perf_counter()
    task = Task(shots=shots, draws=draws, examples="focal/*" if focal else None)
    print(retrieval(collection, task=task), f"\n\n{time.perf_counter() - start:.0f} s")


def many(n_windows: int) -> None:
    """Time and memory of a task on random windows, one in ten of them labelled with a class."""
    rng = np.random.default_rng(0)
    run = Run("random", "random", "1", 32_000, 5.0, 2.5, 1.0, "mix", DIMENSION)
    count = -(-n_windows // PER_RECORDING)
    recordings = pd.DataFrame(
        {
            "recording": [f"{number}.wav" for number in range(count)],
            "duration_s": 2.5 * PER_RECORDING,
            "started_at": None,
            "site": "",
            "device": "",
        },
        index=range(1, count + 1),
    )
    segments = pd.DataFrame(
        {
            "recording_id": recordings.index,
            "first_row": np.arange(count) * PER_RECORDING,
            "windows": PER_RECORDING,
            "first_window": 0,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        store = ShardStore(Path(folder))
        total = count * PER_RECORDING
        rows = [min(SHARD_ROWS, total - start) for start in range(0, total, SHARD_ROWS)]
        files = [f"{number:06d}.npy" for number in range(len(rows))]
        for file, size in zip(files, rows, strict=True):
            store.write(file, rng.random((size, DIMENSION), np.float32).astype(np.float16))
        vectors = Vectors(store, files, rows, DIMENSION)
        index = WindowIndex.from_segments(run, recordings, segments)
        labelled = rng.permutation(total)[: total // 10]
        begins = labelled % PER_RECORDING * 2.5
        labels = pd.DataFrame(
            {
                "recording_id": labelled // PER_RECORDING + 1,
                "start_s": begins,
                "end_s": begins + 2.0,
                "class": rng.integers(CLASSES, size=len(labelled)).astype(str),
                "judgement": "positive",
            }
        )
        collection = SimpleNamespace(
            name="random",
            recordings=recordings,
            labels=labels.copy,
            catalogue=SimpleNamespace(runs=lambda: {run.name: run}),
            index=lambda _: index,
            embeddings=lambda _: vectors,
        )
        before, start = _peak_mb(), time.perf_counter()
        task = Task(shots=(1, 16), draws=1, ranked="all")
        found = retrieval(collection, task=task)
        print(
            f"{total:,} windows of {DIMENSION}, {CLASSES} classes, {len(found.measured)} rankings: "
            f"{time.perf_counter() - start:.0f} s; at most {_peak_mb():,.0f} MB, "
            f"{before:,.0f} of them before"
        )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", nargs="+", default=["birdnet", "spectral"])
    parser.add_argument("--focal", action="store_true", help="examples from focal recordings")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder to keep the corpus in")
    parser.add_argument("--windows", type=int, help="random windows, instead of real sounds")
    given = parser.parse_args()
    if given.windows:
        many(given.windows)
        return
    with tempfile.TemporaryDirectory() as folder:
        kept = given.keep or Path(folder)
        real(given.encoder, kept, given.focal, given.shots, given.draws)


if __name__ == "__main__":
    main()
