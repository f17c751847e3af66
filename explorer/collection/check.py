"""Integrity: the disk holds what the catalogue says, no less and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from explorer.collection.catalogue import Catalogue
from explorer.collection.study_files import names_of_studies, open_study
from explorer.collection.vectors import ShardStore, file_digest
from explorer.errors import CollectionError, ExplorerError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Finding = tuple[str, str, str]


def findings(collection: Collection) -> pd.DataFrame:
    """Everything that is not as it should be: kind, name, finding. Reads every shard once."""
    catalogue = collection.catalogue
    found = [
        *_recordings(catalogue),
        *(("recording", row.recording, row.cause) for row in catalogue.left_out().itertuples()),
        *(
            finding
            for run in catalogue.runs()
            for finding in _run(catalogue, collection.store(run), run)
        ),
        *_classifiers(catalogue, collection.path / "classifiers"),
        *_studies(collection),
    ]
    return pd.DataFrame(found, columns=["kind", "name", "finding"])


def _recordings(catalogue: Catalogue) -> Iterator[Finding]:
    for row in catalogue.recordings().itertuples():
        path = Path(row.path)
        if not path.is_file():
            yield (
                "recording",
                row.recording,
                f"no longer at {path}: open the collection with audio=… to say where it is now",
            )
        elif path.stat().st_size != row.size_bytes:
            yield "recording", row.recording, "the file has another size than when it was entered"


def _run(catalogue: Catalogue, store: ShardStore, run: str) -> Iterator[Finding]:
    shards = catalogue.shards(run)
    rows_on_disk = 0
    for file, rows, sha256 in shards:
        name = f"{run}/{file}"
        rows_on_disk += rows
        if not store.path(file).exists():
            yield "shard", name, f"missing: {rows} windows of embeddings are lost"
            continue
        try:
            found = store.open(file)
        except CollectionError as error:
            yield "shard", name, str(error)
            continue
        if len(found) != rows:
            yield "shard", name, f"holds {len(found)} rows where the catalogue says {rows}"
        elif file_digest(store.path(file)) != sha256:
            yield "shard", name, "its bytes have changed since it was written (SHA-256)"
    segments = catalogue.segments(run)
    expected = segments["windows"].cumsum().shift(fill_value=0)
    if not (segments["first_row"] == expected).all():
        yield "rows", run, "the segments of the catalogue do not follow each other without gaps"
    if int(segments["windows"].sum()) != rows_on_disk:
        yield (
            "rows",
            run,
            f"{segments['windows'].sum()} windows in segments and {rows_on_disk} in shards",
        )
    known = {file for file, _, _ in shards}
    for orphan in store.orphans(known):
        yield "orphan", f"{run}/{orphan}", "left by a stopped run; the next embed sweeps it"
    left_out = catalogue.left_out(run).merge(catalogue.left_out(), how="left", indicator="only")
    for row in left_out.itertuples():
        if row.only == "left_only":
            yield "recording", row.recording, f"not embedded with {run}: {row.cause}"


def _classifiers(catalogue: Catalogue, folder: Path) -> Iterator[Finding]:
    for row in catalogue.classifiers().itertuples():
        path = folder / row.file
        if not path.exists():
            yield "classifier", row.name, f"its file {row.file} is missing"
        elif file_digest(path) != row.sha256:
            yield "classifier", row.name, f"{row.file} has changed since it was saved (SHA-256)"


def _studies(collection: Collection) -> Iterator[Finding]:
    for name in names_of_studies(collection):
        try:
            open_study(collection, name)
        except ExplorerError as error:
            yield "study", name, str(error)
