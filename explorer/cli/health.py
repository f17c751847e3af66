"""``explorer health``: how recorders fared, and what to look after before counting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.arguments import CollectionPath, Format, open_old, write_table

if TYPE_CHECKING:
    import pandas as pd

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

SHOWN_OF_A_KIND = 5


def health(
    collection: CollectionPath,
    measure: Annotated[
        bool, typer.Option(help="Listen to recordings that are not measured yet.")
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(help="Write all findings to FILE.csv.", show_default=False),
    ] = None,
    measures: Annotated[
        Path | None,
        typer.Option(help="Write what was measured of each recording to FILE.csv."),
    ] = None,
) -> None:
    """Find clipping, silence, dropouts, gaps and clocks that jump; stopped, it goes on later."""
    opened = open_old(collection)
    if measure:
        try:
            typer.echo(str(opened.measure_health()))
        except KeyboardInterrupt:
            typer.echo(
                f"\nStopped. {len(opened.health_measures):,} recordings are measured and kept; "
                "run the same command again to go on.",
                err=True,
            )
            raise typer.Exit(INTERRUPTED) from None
    found = opened.health()
    if measures is not None:
        write_table(opened.health_measures, Format.csv, measures, opened)
    if out is not None:
        write_table(found, Format.csv, out, opened)
    else:
        _show(found)
    n = len(opened.recordings)
    left_out = len(opened.left_out)
    counts = found["severity"].value_counts()
    said = ", ".join(
        f"{counts[name]:,} {name}" for name in ("severe", "warning", "note") if name in counts
    )
    typer.echo(
        (f"{_many(len(found), 'finding')} ({said})" if len(found) else "Nothing to look after")
        + f" in {_many(n, 'recording')}."
        + (f" {_many(left_out, 'file')} left out: explorer check names each." if left_out else "")
    )


def _show(found: pd.DataFrame) -> None:
    """Findings by kind, most severe first; of a kind the first few."""
    for (severity, kind), group in found.groupby(["severity", "kind"], sort=False):
        typer.echo(f"\n{severity}: {kind} ({len(group):,})")
        for row in group.head(SHOWN_OF_A_KIND).to_dict("records"):
            where = row["recording"] or " ".join(filter(None, (row["site"], row["device"])))
            when = "" if row["recording"] or row["from"] is None else f" {row['from'][:16]}"
            typer.echo(f"  {where or 'all'}{when}: {row['sentence']}")
        if len(group) > SHOWN_OF_A_KIND:
            typer.echo(f"  … and {len(group) - SHOWN_OF_A_KIND:,} more: --out FILE.csv lists all.")


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
