"""``explorer species`` and ``explorer clusters``: what the encoder calls it, what lies together."""

from __future__ import annotations

from typing import Annotated

import typer

from explorer.cli.arguments import CollectionPath, Format, Out, Run, open_old, write_table

SHOWN = 30
"""Species that are listed on the screen."""

At = Annotated[
    float, typer.Option(min=0, max=1, help="Count guesses from this score on (the encoder's own).")
]
Listen = Annotated[
    bool, typer.Option(help="Listen to clips and ask the encoder, where labels do not tell.")
]


def species(collection: CollectionPath, at: At = 0.5, run: Run = None, out: Out = None) -> None:
    """Say what the encoder itself would call each window, right or wrong."""
    opened = open_old(collection)
    found = opened.species(run)
    counts = found.counts(at)
    if out is not None:
        windows = opened.windows(run=found.run).drop(columns="recording_id")
        write_table(windows.join(found.table), Format.csv, out, opened)
    elif not counts.empty:
        typer.echo(counts.head(SHOWN).round(3).to_string(index=False))
    more = f", of which {SHOWN} are listed" if out is None and len(counts) > SHOWN else ""
    typer.echo(
        f"{counts['windows'].sum():,} of {len(found):,} windows have a guess of {at:g} or more: "
        f"{len(counts):,} names{more}. A guess is no detection: listen before you count."
    )


def clusters(
    collection: CollectionPath, listen: Listen = True, run: Run = None, out: Out = None
) -> None:
    """Name the groups of windows that lie together on the map, and say what each name rests on."""
    opened = open_old(collection)
    if opened.projection(run) is None:
        opened.project(run)
    found = opened.clusters(run, listen=listen)
    if out is not None:
        windows = opened.windows(run=run).drop(columns="recording_id")
        names = [found.names[code] if code >= 0 else "" for code in found.codes.tolist()]
        write_table(windows.assign(cluster=names), Format.csv, out, opened)
    else:
        table = found.table[["name", "windows", "reason"]]
        typer.echo(table.to_string(index=False, max_colwidth=90))
    none = int((found.codes < 0).sum())
    rest = f"; {none:,} windows are in none" if none else ""
    typer.echo(f"{len(found)} clusters{rest}.")
