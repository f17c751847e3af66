"""``explorer agreement``: how far the people who labelled agree, and where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.arguments import CollectionPath, Run, open_old

if TYPE_CHECKING:
    import pandas as pd


def agreement(
    collection: CollectionPath,
    class_: Annotated[
        str | None,
        typer.Option("--class", help="For this class only.", show_default="all classes"),
    ] = None,
    who: Annotated[
        list[str] | None,
        typer.Option(help="Only this person; give it for each.", show_default="everybody"),
    ] = None,
    to_judge: Annotated[
        Path | None,
        typer.Option(
            help="Write the windows on which they differ, for one more person to judge: FILE.csv, "
            "or for Raven FILE.txt or a folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the table as CSV.")] = None,
    run: Run = None,
) -> None:
    """Say how far the people who labelled agree beyond chance, and on how many windows not."""
    opened = open_old(collection)
    found = opened.agreement(class_, who=who, run=run)
    apart = opened.disagreements(class_, who=who, run=run)
    if found.empty:
        typer.echo("No window was judged by two people yet: there is no agreement to measure.")
        return
    if out is not None:
        found.to_csv(out, index=False)
        typer.echo(f"Written to {out}.")
    else:
        typer.echo(_words(found).to_string(index=False, max_colwidth=60))
    said = f"People differ about {len(apart)} windows"
    if to_judge is not None and len(apart):
        apart.write(to_judge)
        typer.echo(
            f"{said}, written to {to_judge}: fill in the column judgement with yes, no or unsure, "
            f'and take them in with: explorer import "{collection}" "{to_judge}" --who NAME'
        )
    elif len(apart):
        typer.echo(f"{said}; add --to-judge FILE.csv to have one more person decide.")
    else:
        typer.echo("There is no window on which they differ and no majority decides.")


def _words(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people to read."""
    import pandas as pd  # noqa: PLC0415

    number = "{:.2f}".format
    return pd.DataFrame(
        {
            "class": table["class"].fillna("(all)"),
            "who": table["who"],
            "windows": table["windows"],
            "agreed": table["agreed"].map("{:.0%}".format),
            "kappa": table["kappa"].map(lambda x: "unknown" if pd.isna(x) else number(x)),
            "90 % interval": [
                "" if pd.isna(low) else f"{low:.2f} to {high:.2f}"
                for low, high in zip(table["low"], table["high"], strict=True)
            ],
            "": table["word"],
        }
    )
