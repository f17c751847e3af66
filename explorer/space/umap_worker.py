"""UMAP on vectors that are small already; also the program that the second process runs.

Started as ``python umap_worker.py FOLDER``: reads ``vectors.npy``, ``options.json`` and, where they
are, ``indices.npy`` and ``distances.npy`` there, writes ``coordinates.npy``, and prints a line of
JSON for each step, ``{"fraction", "message"}``. It imports nothing of this package, so that it
starts as fast as UMAP itself, and it ends when its standard input closes, which happens when the
program that started it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

OnProgress = Callable[[float, str], None]
Neighbours = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Rows of the nearest neighbours, each row's own first, and their distances: ``[n, k]`` each."""

LAYOUT_STARTS = 0.25
"""Share of the work that is done when the layout starts; before it, imports and compilation."""


def lay_out(
    vectors: NDArray[np.float32],
    options: dict[str, Any],
    on_progress: OnProgress,
    neighbours: Neighbours | None = None,
) -> NDArray[np.float32]:
    """Run UMAP on ``[n, dimension]`` vectors; gives finite float32 ``[n, 2]``.

    ``options`` are keyword arguments of ``umap.UMAP``. It searches for neighbours itself unless
    they are given.
    """
    on_progress(0.06, "Loading UMAP")
    # Seconds, and only paid when a map is made.
    import umap  # noqa: PLC0415

    _keep_compiled(umap)
    on_progress(0.12, "Finding neighbours")
    with warnings.catch_warnings():
        # UMAP says that a seed means one thread. That is the choice made here.
        warnings.filterwarnings("ignore", message="n_jobs value")
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        bar = {"disable": False, "file": _Bar(on_progress), "bar_format": "{n_fmt}/{total_fmt} "}
        warnings.filterwarnings("ignore", message="precomputed_knn")  # no index to search new rows
        known = (None, None) if neighbours is None else neighbours
        options = {**options, "precomputed_knn": (*known, None), "n_jobs": 1}
        model = umap.UMAP(**options, tqdm_kwds={**bar, "mininterval": 0.1})
        coordinates = model.fit_transform(vectors)
    return cast(NDArray[np.float32], np.nan_to_num(coordinates, copy=False).astype(np.float32))


def _keep_compiled(umap: ModuleType) -> None:
    """Let numba keep on disk what it compiles of UMAP: 8 s for the first map, none after it."""
    for module in (umap.umap_, umap.layouts, umap.utils, umap.distances):
        for function in vars(module).values():
            # Not the functions that are made inside others: those numba cannot keep.
            if hasattr(function, "enable_caching"):
                with contextlib.suppress(Exception):  # a folder that cannot be written, a new numba
                    function.enable_caching()


class _Bar:
    """The file that UMAP's progress bar writes to."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress

    def write(self, text: str) -> None:
        done, _, total = text.strip().partition("/")
        if done.isdigit() and total.isdigit() and int(total):
            fraction = LAYOUT_STARTS + (0.99 - LAYOUT_STARTS) * int(done) / int(total)
            self.on_progress(fraction, "Laying out the map")

    def flush(self) -> None:
        """Nothing is held back."""


def main(folder: Path) -> None:
    """Do the work of the second process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(fraction: float, message: str) -> None:
        print(json.dumps({"fraction": fraction, "message": message}), flush=True)

    vectors = np.load(folder / "vectors.npy", allow_pickle=False)
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    neighbours = None
    if (folder / "indices.npy").exists():
        indices = np.load(folder / "indices.npy", allow_pickle=False)
        neighbours = indices, np.load(folder / "distances.npy", allow_pickle=False)
    coordinates = lay_out(vectors, options, say, neighbours)
    np.save(folder / "coordinates.npy", coordinates, allow_pickle=False)


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that waits on its lock breaks the end of the interpreter.
    while os.read(0, 1):
        pass
    os._exit(3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
