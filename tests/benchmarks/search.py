"""Exact search and scoring beside perch-hoplite, both in one run (PEERS.md, "Lines to beat").

    python tests/benchmarks/search.py [--rows 100000] [--dimension 1280] [--rounds 7]

Needs perch-hoplite (``pip install perch-hoplite``, best in an environment of its own that also has
this package); without it only our side is timed. Both keep float16: we in memory-mapped shards of
8,192 rows, hoplite in its usearch index. Its graph is built with little effort, which makes filling
it bearable and changes nothing for an exact search. The rounds alternate, and the median counts.
The lengths of our rows are measured once, before the rounds, and that time is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.collection.vectors import SHARD_ROWS, ShardStore, Vectors
from explorer.space.search import METRICS, top_k

K, N_CLASSES = 50, 20
PAUSE_S = 0.1
"""Before each timing: BLAS threads go on spinning after their work, and whoever comes next pays."""


def write_shards(folder: Path, n_rows: int, dimension: int) -> Vectors:
    """Random float16 rows in memory-mapped files, as a collection keeps them."""
    store, rng = ShardStore(folder), np.random.default_rng(0)
    counts = [min(SHARD_ROWS, n_rows - start) for start in range(0, n_rows, SHARD_ROWS)]
    files = [f"{number:06d}.npy" for number in range(len(counts))]
    for file, count in zip(files, counts, strict=True):
        store.write(file, rng.standard_normal((count, dimension), np.float32).astype(np.float16))
    return Vectors(store, files, counts, dimension)


def hoplite_rivals(
    folder: Path, shards: Vectors, query: NDArray[np.float32], weights: NDArray[np.float32]
) -> dict[str, Callable[[], object]]:
    """Fill a hoplite database and give what is to be timed; empty where it is not installed."""
    try:
        from perch_hoplite.db import brutalism, sqlite_usearch_impl
    except ImportError as error:
        print(
            f"perch-hoplite is not here ({error}): only our side is timed. "
            "Install it with: pip install perch-hoplite"
        )
        return {}
    settings = sqlite_usearch_impl.get_default_usearch_config(len(query))
    settings.expansion_add = 4
    database = sqlite_usearch_impl.SQLiteUSearchDB.create(str(folder), usearch_cfg=settings)
    recording = database.insert_recording("recording.wav")
    started = time.perf_counter()
    for first_row, block in shards.blocks():
        windows = [
            {
                "recording_id": recording,
                "offsets": [5.0 * (first_row + at), 5.0 * (first_row + at + 1)],
            }
            for at in range(len(block))
        ]
        database.insert_windows_batch(windows, block.astype(np.float32), handle_duplicates="allow")
    database.commit()
    print(f"hoplite filled in {time.perf_counter() - started:.0f} s (little effort for its graph)")

    def score_all() -> None:
        ids = brutalism.get_brute_search_ids(database)
        for start in range(0, len(ids), 4096):
            database.get_embeddings_batch(ids[start : start + 4096]) @ weights.T

    return {
        "search: hoplite exact": lambda: database.search(query, K, approximate=False),
        "search: hoplite brute_search": lambda: brutalism.brute_search(database, query, K, np.dot),
        "score: hoplite, in batches": score_all,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="explorer-bench-") as name:
        shards = write_shards(Path(name) / "embeddings", options.rows, options.dimension)
        query = shards.take([5])[0]
        examples = {
            f"class {at}": shards.take(range(at * 4, at * 4 + 4)) for at in range(N_CLASSES)
        }
        plain = NearestCentroid.fit(examples, method="birb")
        background = Background.fit(shards)
        prepared = background.prepare(shards)
        ours = NearestCentroid.fit(examples, background=background)

        def score_prepared() -> None:
            prepared._columns.clear()  # as after a change of every class
            ours.scores(prepared)

        runs: dict[str, Callable[[], object]] = {
            f"search: ours, {metric}": (
                lambda metric=metric: top_k(shards, query, K, metric=metric)
            )
            for metric in METRICS
        }
        runs["score: ours, plain cosine"] = lambda: plain.scores(shards)
        runs["score: ours, the default"] = score_prepared
        runs |= hoplite_rivals(Path(name) / "hoplite", shards, query, plain.centroids.numpy())
        started = time.perf_counter()
        shards.lengths()
        print(f"lengths of our rows measured in {time.perf_counter() - started:.3f} s, once")
        times: dict[str, list[float]] = {label: [] for label in runs}
        for number in range(options.rounds):
            for label, run in runs.items():
                if "brute" in label and number > 1:
                    continue  # seconds each
                time.sleep(PAUSE_S)
                started = time.perf_counter()
                run()
                times[label].append(time.perf_counter() - started)
    print(f"{options.rows:,} x {options.dimension}, top {K}, {N_CLASSES} classes, ", end="")
    print(f"{os.cpu_count()} cores, torch {torch.__version__}; median of {options.rounds}")
    medians = {label: statistics.median(found) for label, found in times.items()}
    rivals = {"search": "search: hoplite exact", "score": "score: hoplite, in batches"}
    for label, median in medians.items():
        rival = medians.get(rivals[label.split(":")[0]])
        ratio = f"  x {rival / median:5.2f} as fast as hoplite" if rival and "ours" in label else ""
        print(f"{label:32} {median:8.4f} s{ratio}")


if __name__ == "__main__":
    main()
