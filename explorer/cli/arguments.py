"""What several commands share: which collection, and where and how a table is written."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.errors import CollectionError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from explorer.collection.collection import Collection


class Format(StrEnum):
    """File formats that labels and detections are written in."""

    csv = "csv"
    raven = "raven"
    audacity = "audacity"
    parquet = "parquet"


CollectionPath = Annotated[
    Path, typer.Argument(metavar="COLLECTION", help="Folder of the collection.", show_default=False)
]
Out = Annotated[Path | None, typer.Option("--out", help="File or folder to write.")]
Run = Annotated[str | None, typer.Option(help="Run to use; the newest by default.")]


def open_old(path: Path) -> Collection:
    """Open a collection that must be there: a mistyped name must not make a new one."""
    from explorer.collection.collection import Collection  # noqa: PLC0415

    if not (path / "catalogue.sqlite").exists():
        raise CollectionError(
            f"{path}: there is no collection here. "
            f'Make one with: explorer embed "{path}" --audio FOLDER'
        )
    return Collection(path)


def write_table(
    table: pd.DataFrame,
    format: Format,
    out: Path | None,
    collection: Collection,
) -> None:
    """Write a table in a format; without ``--out`` it is printed."""
    from explorer.collection.handover import write  # noqa: PLC0415

    if out is None:
        if format is not Format.csv:
            raise ParameterError(f"--format {format.value} needs --out: a folder or a file")
        typer.echo(table.to_csv(index=False), nl=False)
        return
    files = write(table, out, format.value, collection)
    typer.echo(f"Written to {out}" + (f" ({len(files)} files)." if len(files) > 1 else "."))
