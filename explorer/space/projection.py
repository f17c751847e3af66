"""The map's coordinates: principal components first, then UMAP, in a process of its own.

UMAP on the first 64 principal components of 20,000 x 1024 embeddings takes a third of the time that
it takes on the embeddings, and keeps neighbourhoods better. It runs in a second process, so that an
app stays alive meanwhile and can stop it; the two sides speak through two ``.npy`` files and lines
of JSON.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.errors import ExplorerError, ParameterError
from explorer.space import umap_worker
from explorer.space.blocks import READ_ROWS, Corpus, as_float32, evenly_spaced, iterate_blocks
from explorer.space.neighbours import OnProgress, knn_graph

ProjectionMetric = Literal["euclidean", "cosine"]

FIT_ROWS = 20_000
"""Rows that the principal components are fitted on: more of them do not turn the axes."""
UMAP_SEARCHES_ITSELF = 4096
"""Below this many rows UMAP compares all pairs by itself."""
EXACT_ROWS = 200_000
"""Up to here comparing all pairs (of 64 components: 3 s for 50,000 rows, 11 s for 100,000, on one
core) is quicker than UMAP's approximate search, which compiles for 20 s in every process."""
FEW_ROWS = 1000
"""Up to here a map takes seconds, and more rounds of the layout cost nothing."""
FEWEST_FOR_UMAP = 10
"""Below this many rows a neighbourhood graph says less than the principal components."""


class ProjectionCancelled(ExplorerError):
    """The projection was stopped on request; nothing was written."""


@dataclass(frozen=True)
class ProjectionSettings:
    """How embeddings become two coordinates; equal settings give equal coordinates.

    Parameters
    ----------
    n_components_pca
        Principal components that UMAP sees.
    n_neighbours
        Size of the neighbourhoods that UMAP keeps together: small for detail, large for the whole.
    min_dist
        How close two points may come on the map.
    metric
        Distance between the reduced vectors: "euclidean", or "cosine" (of the centred vectors).
    n_epochs
        Rounds of the layout; None lets the number of rows decide.
    seed
        Seed of every random choice.
    """

    n_components_pca: int = 64
    n_neighbours: int = 15
    min_dist: float = 0.1
    metric: ProjectionMetric = "euclidean"
    n_epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_components_pca < 2:
            raise ParameterError(f"n_components_pca is {self.n_components_pca}; use at least 2")
        if self.n_neighbours < 2:
            raise ParameterError(f"n_neighbours is {self.n_neighbours}; use at least 2")
        if not 0 <= self.min_dist <= 1:
            raise ParameterError(f"min_dist is {self.min_dist}; use a number from 0 to 1")
        if self.metric not in ("euclidean", "cosine"):
            raise ParameterError(f"metric {self.metric!r} is not known; use euclidean or cosine")

    def to_dict(self) -> dict[str, object]:
        """The settings as plain JSON values."""
        return asdict(self)


def project(
    embeddings: Corpus,
    *,
    settings: ProjectionSettings | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    worker: bool = True,
) -> NDArray[np.float32]:
    """Lay embeddings out in a plane so that similar windows lie together.

    Parameters
    ----------
    embeddings
        ``[n, dimension]``: an array, a tensor, or an object with ``blocks()``, which is read twice
        and never held whole.
    settings
        The defaults suit most collections.
    on_progress
        Called from the calling thread; an exception raised in it stops the work.
    cancel
        Set this event from another thread to stop within a fraction of a second.
    worker
        Run UMAP in a process of its own (the default), or in this one.

    Returns
    -------
    float32 ``[n, 2]``, finite. Fewer than 10 rows are laid out by their principal components; rows
    that are all the same share one point.

    Raises
    ------
    ProjectionCancelled
        ``cancel`` was set.
    ExplorerError
        The worker process failed; the message ends with its last words.

    Examples
    --------
    >>> project(np.eye(3)).shape
    (3, 2)
    """
    settings = settings or ProjectionSettings()
    report = on_progress or (lambda fraction, message: None)
    report(0.0, "Finding the principal components")
    reduced = principal_components(embeddings, settings.n_components_pca)
    _stop_if(cancel)
    if len(reduced) < FEWEST_FOR_UMAP or not reduced.any():
        coordinates = _flat(reduced)
    else:
        options = _umap_options(settings, len(reduced))
        known = _neighbours(reduced, options["n_neighbors"], settings.metric, report, cancel)
        report(0.05, "Starting UMAP")
        if worker:
            coordinates = _in_worker(reduced, options, known, report, cancel)
        else:
            coordinates = umap_worker.lay_out(reduced, options, report, known)
    _stop_if(cancel)
    report(1.0, "The map is ready")
    return coordinates


def warm_up() -> None:
    """Draw a small map in a worker, so that numba has compiled UMAP before a map is wanted.

    Takes some 10 s the first time after an installation and 3 s later; call it in a thread while
    other work goes on. Errors are left for the real map to report.
    """
    rows = np.random.default_rng(0).standard_normal((64, 64))
    with contextlib.suppress(ExplorerError):
        project(rows)


def principal_components(embeddings: Corpus, n_components: int) -> NDArray[np.float32]:
    """Reduce embeddings to their first principal components, without loading them whole.

    The axes come from at most 20,000 evenly spaced rows. Rows that are not finite land in the
    middle. Axes point so that their largest entry is positive: the map is not mirrored from one
    computer to the next.

    Returns
    -------
    float32 ``[n, min(n_components, dimension)]``.

    >>> principal_components(np.array([[0.0, 1.0], [0.0, 3.0]]), 1).ravel().tolist()
    [-1.0, 1.0]
    """
    total, sample = evenly_spaced(embeddings, FIT_ROWS)
    if total == 0:
        return np.zeros((0, 2), np.float32)
    centre = sample.mean(dim=0) if len(sample) else torch.zeros(sample.shape[1])
    axes = _axes(sample - centre, n_components)
    del sample
    reduced = [
        ((_finite(as_float32(block), centre) - centre) @ axes).numpy()
        for _, block in iterate_blocks(embeddings, READ_ROWS)
    ]
    return np.concatenate(reduced)


def _axes(centred: torch.Tensor, n_components: int) -> torch.Tensor:
    """The first principal axes ``[dimension, n_components]`` of centred rows."""
    n_rows, dimension = centred.shape
    if n_rows == 0:
        return torch.zeros(dimension, min(n_components, dimension))
    if n_rows < dimension:
        axes = torch.linalg.svd(centred, full_matrices=False).Vh.T
    else:
        axes = torch.linalg.eigh(centred.T @ centred / n_rows).eigenvectors.flip(1)
    axes = axes[:, :n_components]
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    return axes * torch.where(largest < 0, -1.0, 1.0)


def _finite(rows: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    bad = ~torch.isfinite(rows).all(dim=1, keepdim=True)
    return torch.where(bad, centre, rows) if bad.any() else rows


def _flat(reduced: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two components as they are, with a second one of zeros where there is none."""
    coordinates = np.zeros((len(reduced), 2), np.float32)
    shown = reduced[:, :2]
    coordinates[:, : shown.shape[1]] = shown
    return coordinates


def _neighbours(
    vectors: NDArray[np.float32],
    n_neighbours: int,
    metric: ProjectionMetric,
    report: OnProgress,
    cancel: threading.Event | None,
) -> umap_worker.Neighbours | None:
    """What UMAP would search for, exact and sooner; each row's own comes first, as UMAP counts."""
    if not UMAP_SEARCHES_ITSELF <= len(vectors) <= EXACT_ROWS:
        return None

    def on_progress(fraction: float, message: str) -> None:
        _stop_if(cancel)
        report(0.01 + 0.04 * fraction, message)

    graph = knn_graph(vectors, n_neighbours - 1, metric=metric, on_progress=on_progress)
    own = np.arange(len(vectors), dtype=np.int32)[:, None]
    return (
        np.concatenate([own, graph.indices], axis=1),
        np.concatenate([np.zeros_like(own, np.float32), graph.distances], axis=1),
    )


def _umap_options(settings: ProjectionSettings, n_rows: int) -> dict[str, Any]:
    # UMAP's own default is 500 rounds up to 10,000 rows and 200 above, so that a map of 5,000 rows
    # takes as long as one of 20,000. Started from the principal components, 200 rounds do.
    epochs = 500 if n_rows <= FEW_ROWS else 200
    return {
        "n_neighbors": min(settings.n_neighbours, n_rows - 1),
        "min_dist": settings.min_dist,
        "metric": settings.metric,
        "n_epochs": settings.n_epochs or epochs,
        "random_state": settings.seed,
        # The spectral start takes longer and, on embeddings, ends in no better a map.
        "init": "pca",
    }


def _stop_if(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise ProjectionCancelled("the map was not made: it was stopped; start it again to make it")


def _in_worker(
    vectors: NDArray[np.float32],
    options: dict[str, Any],
    known: umap_worker.Neighbours | None,
    report: OnProgress,
    cancel: threading.Event | None,
) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory(prefix="explorer-map-") as name:
        folder = Path(name)
        np.save(folder / "vectors.npy", vectors, allow_pickle=False)
        if known is not None:
            np.save(folder / "indices.npy", known[0], allow_pickle=False)
            np.save(folder / "distances.npy", known[1], allow_pickle=False)
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
        with (folder / "errors.txt").open("wb") as errors:
            # -P: modules of this folder must not stand in for others of the same name.
            process = subprocess.Popen(  # noqa: S603  (our own program, our own folder)
                [sys.executable, "-P", str(Path(umap_worker.__file__)), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            lines, reader = _read_lines(process)
            try:
                _follow(lines, report, cancel)
                process.wait()
            finally:
                process.kill()
                process.wait()
                reader.join()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()
        if process.returncode != 0 or not (folder / "coordinates.npy").exists():
            said = (folder / "errors.txt").read_text(encoding="utf-8", errors="replace").strip()
            cause = said.splitlines()[-1] if said else f"it ended with status {process.returncode}"
            raise ExplorerError(f"the map of {len(vectors)} windows was not made: {cause}")
        coordinates: NDArray[np.float32] = np.load(folder / "coordinates.npy", allow_pickle=False)
        return coordinates


def _read_lines(
    process: subprocess.Popen[bytes],
) -> tuple[queue.Queue[bytes | None], threading.Thread]:
    """Read the worker's lines in a thread, so that waiting for one can be given up."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read() -> None:
        if process.stdout is not None:
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return lines, reader


def _follow(
    lines: queue.Queue[bytes | None], report: OnProgress, cancel: threading.Event | None
) -> None:
    """Pass the worker's progress on until it ends; look for ``cancel`` ten times a second."""
    while True:
        _stop_if(cancel)
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if line is None:
            return
        try:
            step = json.loads(line)
            fraction, message = float(step["fraction"]), str(step["message"])
        except (ValueError, KeyError, TypeError):
            continue  # a library printed something of its own
        report(fraction, message)
