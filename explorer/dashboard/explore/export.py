"""Out: labels and detections as files in memory, for a browser to keep."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from explorer.collection.handover import labels_table, write
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

CSV, TEXT, ZIP = "text/csv", "text/tab-separated-values", "application/zip"


@dataclass(frozen=True)
class Export:
    """A file's name, its bytes, and a sentence about it."""

    name: str
    data: bytes
    mime: str
    said: str


def export(state: State, what: str, format: str) -> Export:
    """Make a file of the current labels, or of the detections of every class.

    Parameters
    ----------
    what
        ``labels`` or ``detections``; each class at its own threshold.
    format
        ``csv``, or ``raven``: a selection table per recording, zipped if there are several.

    Raises
    ------
    ParameterError
        If there is nothing to write.
    """
    if what not in ("labels", "detections") or format not in ("csv", "raven"):
        raise ParameterError(f"there is no export of {what} as {format}")
    table = labels_table(state.collection) if what == "labels" else detections_table(state)
    if table.empty:
        raise ParameterError(
            "there are no labels yet"
            if what == "labels"
            else "no window is at or above its class's threshold: lower it and export again"
        )
    stem = f"{_file_name(state.collection.name)}-{what}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        place = path / f"{stem}.csv" if format == "csv" else path
        written = write(table, place, "csv" if format == "csv" else "raven", state.collection)
        name, data = _one_file(stem, written)
    mime = ZIP if name.endswith(".zip") else CSV if format == "csv" else TEXT
    noun = "label" if what == "labels" else "detection"
    return Export(name, data, mime, f"{len(table):,} {noun}{'s' * (len(table) != 1)} in {name}")


def detections_table(state: State) -> pd.DataFrame:
    """Detections of every class that can be scored, each at its own threshold."""
    classifier = state.learned.classifier
    if classifier is None:
        raise ParameterError("there are no detections yet: a class needs an example first")
    return pd.DataFrame(classifier.detections(state.thresholds))


def _one_file(stem: str, paths: list[Path]) -> tuple[str, bytes]:
    if len(paths) == 1:
        return f"{stem}{paths[0].suffix}", paths[0].read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(paths):
            archive.write(path, path.name)
    return f"{stem}.zip", buffer.getvalue()


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return kept.strip("-") or "soundscape"
