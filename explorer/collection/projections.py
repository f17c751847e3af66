"""Maps on disk: coordinates, the settings that made them, and the rows they are of.

``projections/RUN.HASH.npz`` holds ``coordinates`` float32 [n_windows, 2] and ``about``, a JSON text
(format version, run, rows, settings). HASH is of the settings, so maps with other settings lie side
by side. A map of fewer windows than there are now is out of date and made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explorer.collection.vectors import Vectors
from explorer.errors import CollectionError, FormatVersionError

FORMAT_VERSION = 1


def newest(folder: Path, run: str, n_windows: int) -> NDArray[np.float32] | None:
    """Coordinates of the newest map that shows every window, or None."""
    found = newest_map(folder, run, n_windows)
    return None if found is None else found[1]


def newest_map(folder: Path, run: str, n_windows: int) -> tuple[Path, NDArray[np.float32]] | None:
    """File and coordinates of the newest map that shows every window, or None."""
    maps = sorted(folder.glob(f"{run}.*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in maps:
        about, coordinates = _read(path)
        if about["run"] == run and about["rows"] == n_windows:
            return path, coordinates
    return None


def make(
    folder: Path,
    run: str,
    vectors: Vectors,
    settings: dict[str, Any],
    on_progress: Callable[[float, str], None] | None,
    cancel: threading.Event | None,
) -> NDArray[np.float32]:
    """Give the map with these settings: from the disk, or made in a worker process and kept."""
    from explorer.space.projection import ProjectionSettings, project  # noqa: PLC0415

    chosen = ProjectionSettings(**settings)
    described = json.dumps(dataclasses.asdict(chosen), sort_keys=True)
    path = folder / f"{run}.{hashlib.sha256(described.encode()).hexdigest()[:8]}.npz"
    if path.exists():
        about, coordinates = _read(path)
        if about["rows"] == len(vectors):
            path.touch()  # the newest map is the one that is shown
            return coordinates
    if len(vectors) == 0:
        raise CollectionError(f"{run}: there are no windows to draw a map of")
    coordinates = project(vectors, settings=chosen, on_progress=on_progress, cancel=cancel)
    about = {
        "version": FORMAT_VERSION,
        "run": run,
        "rows": len(vectors),
        "settings": json.loads(described),
    }
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as stream:
        np.savez(stream, coordinates=coordinates, about=np.array(json.dumps(about)))
    temporary.replace(path)
    return coordinates


def _read(path: Path) -> tuple[dict[str, Any], NDArray[np.float32]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            coordinates = cast("NDArray[np.float32]", stored["coordinates"])
    except (OSError, ValueError, KeyError) as error:
        raise CollectionError(
            f"{path}: this map cannot be read ({error}). Delete the file; it is made again."
        ) from error
    if about["version"] > FORMAT_VERSION:
        raise FormatVersionError(
            f"{path}: the map has format {about['version']} and this program knows up to "
            f"{FORMAT_VERSION}. Update with: pip install -U soundscape-explorer"
        )
    return about, coordinates
