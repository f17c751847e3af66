"""Embeddings in the geometry of their background, ready for a click; large ones lie on disk.

A click scores every window, so what does not depend on the classes is done once. Up to
`MOST_IN_MEMORY` that is kept in memory. More is written beside the embeddings and mapped: a million
windows of 1024 entries are 2 GB, and take most of a minute. Opened again they are there at once,
all processes share them, and the system takes the memory back where it is short.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock

from explorer.classify.background import Background, Prepared

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.vectors import Vectors

log = logging.getLogger(__name__)

MOST_IN_MEMORY = 256 * 2**20
"""Bytes; 130,000 windows of 1024 entries, which take a few seconds."""

Report = Callable[[int, int], None]
"""Told how many windows are done, and of how many."""


def is_large(collection: Collection, run: str) -> bool:
    """Whether preparing takes so long that its result is kept on disk."""
    windows, dimension = collection.embeddings(run).shape
    return Prepared.bytes_for(windows, dimension) > MOST_IN_MEMORY


def prepared(collection: Collection, run: str, report: Report | None = None) -> Prepared:
    """All embeddings of a run, prepared; see `Collection.prepared`."""
    embeddings, background = collection.embeddings(run), collection.background(run)
    if not is_large(collection, run):
        return background.prepare(embeddings, report)
    folder = collection.path / "embeddings" / run / "prepared"
    made = folder / f"{background.digest}-{len(embeddings)}"
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / "making.lock"):  # whoever asks meanwhile waits for this one
            if not made.is_dir():
                _make(made, embeddings, background, report)
        return _open(made, embeddings, background)
    except OSError as error:
        log.warning("%s: kept in memory, as it cannot be kept on disk (%s)", made, error)
        return background.prepare(embeddings, report)


def _make(made: Path, embeddings: Vectors, background: Background, report: Report | None) -> None:
    begun = made.with_suffix(".part")
    shutil.rmtree(begun, ignore_errors=True)  # of a process that was killed
    begun.mkdir()
    try:
        # Filled, not gathered: small arrays between large ones keep freed memory from going back.
        density = np.zeros(len(embeddings), dtype=np.float32)
        finite = np.zeros(len(embeddings), dtype=bool)
        done = 0
        shape = {"descr": "<f2", "fortran_order": False, "shape": embeddings.shape}
        # Written in order, not mapped: a full disk is then an error, and not the process's end.
        with (begun / "vectors.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, shape)
            for vectors, near, whole in background.in_blocks(embeddings, report):
                file.write(vectors.contiguous().numpy().data)
                part = slice(done, done + len(vectors))
                density[part], finite[part] = near, whole
                done = part.stop
        np.save(begun / "density.npy", density)
        np.save(begun / "finite.npy", finite)
    except BaseException:
        shutil.rmtree(begun, ignore_errors=True)
        raise
    begun.rename(made)
    for other in made.parent.iterdir():  # of fewer windows, or of another geometry
        if other.is_dir() and other != made:
            shutil.rmtree(other, ignore_errors=True)


def _open(made: Path, embeddings: Vectors, background: Background) -> Prepared:
    # Copied on writing, which nobody does: torch warns of arrays that cannot be written to.
    arrays = (np.load(made / f"{n}.npy", mmap_mode="c") for n in ("vectors", "density", "finite"))
    vectors, density, finite = map(torch.from_numpy, arrays)
    return Prepared(background, vectors, density, finite, source=embeddings)
