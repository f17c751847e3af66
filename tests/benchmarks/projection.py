"""How long the map takes and how well it keeps neighbours, beside UMAP on bare embeddings.

    python tests/benchmarks/projection.py [--rows 600 5000 20000] [--dimension 1024]

Clusters of very different sizes, noise in every dimension. Trustworthiness (10 neighbours, at
most 3,000 rows) is against the embeddings, 1 is perfect. Start-up of the worker is in our time; in
UMAP's own it is not, as it runs in this process after a first map that compiles it.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from explorer.space.projection import project, warm_up

Array = NDArray[np.float32]
PLAIN_ROWS = 5000
"""More rows than this take UMAP alone minutes."""


def sounds(n_rows: int, dimension: int) -> Array:
    rng = np.random.default_rng(0)
    centres = rng.exponential(1, (40, dimension))
    kinds = rng.choice(40, n_rows, p=(shares := 0.85 ** np.arange(40)) / shares.sum())
    loudness = rng.uniform(0.3, 1, (n_rows, 1))
    return (centres[kinds] * loudness + rng.exponential(0.7, (n_rows, dimension))).astype(
        np.float32
    )


def quality(rows: Array, coordinates: Array) -> float:
    chosen = np.random.default_rng(0).permutation(len(rows))[:3000]
    return float(trustworthiness(rows[chosen], coordinates[chosen], n_neighbors=10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[600, 5000, 20_000])
    parser.add_argument("--dimension", type=int, default=1024)
    options = parser.parse_args()
    started = time.perf_counter()
    warm_up()
    print(f"{os.cpu_count()} cores; warm-up {time.perf_counter() - started:.1f} s")
    warnings.filterwarnings("ignore", message="n_jobs value")
    for n_rows in options.rows:
        rows = sounds(n_rows, options.dimension)
        started = time.perf_counter()
        ours = project(rows)
        seconds = time.perf_counter() - started
        print(
            f"{n_rows:7,} rows: {seconds:6.1f} s, trustworthiness {quality(rows, ours):.3f}", end=""
        )
        if n_rows <= PLAIN_ROWS:
            from umap import UMAP

            UMAP(random_state=0).fit(rows[:100])
            started = time.perf_counter()
            plain = UMAP(random_state=0).fit_transform(rows)
            alone = time.perf_counter() - started
            print(f"   UMAP alone {alone:6.1f} s, {quality(rows, plain):.3f}", end="")
        print(flush=True)


if __name__ == "__main__":
    main()
