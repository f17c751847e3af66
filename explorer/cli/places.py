"""``explorer sites`` and ``explorer activity``: where recorders stood, when a sound is heard."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.arguments import CollectionPath, Format, Out, Run, open_old, write_table
from explorer.cli.learning import Saved, classifier_of
from explorer.errors import ParameterError


class Unit(StrEnum):
    """What is counted."""

    windows = "windows"
    detections = "detections"


def sites(
    collection: CollectionPath,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=LAT,LON",
            help="Where a site is, in degrees; may be given again. =LAT,LON for recordings "
            "without a site, NAME= to forget it.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Table with the columns site, latitude and longitude.", show_default=False
        ),
    ] = None,
    out: Out = None,
) -> None:
    """List sites with their coordinates and recorded hours, or say where they are."""
    from explorer.collection.places import read_position, spread_m  # noqa: PLC0415

    opened = open_old(collection)
    if file is not None:
        typer.echo(str(opened.import_sites(file)))
    for text in set_ or []:
        name, equals, position = text.rpartition("=")
        if not equals:
            raise ParameterError(f"--set takes NAME=LATITUDE,LONGITUDE, not {text!r}")
        if position.strip():
            opened.place(name.strip(), *read_position(position))
        else:
            opened.place(name.strip(), None, None)
    table = opened.sites
    write_table(table, Format.csv, out, opened)
    unknown = int(table["latitude"].isna().sum())
    for site, apart in spread_m(opened).items():
        typer.echo(f"Beware: recordings of {site or 'no named site'} lie {apart:,.0f} m apart.")
    cure = (
        f" {unknown} without: add --set NAME=LATITUDE,LONGITUDE, or --file SITES.csv."
        if unknown
        else ""
    )
    typer.echo(f"{len(table) - unknown} of {len(table)} sites have coordinates.{cure}")


def activity(
    collection: CollectionPath,
    classifier: Saved = None,
    by: Annotated[
        str,
        typer.Option(
            help="site, day, week, month, hour, after_sunrise, after_sunset, or several of them."
        ),
    ] = "site,day,hour",
    class_: Annotated[
        str | None, typer.Option("--class", help="Which class.", show_default=False)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="the saved one, or 0.5")
    ] = None,
    unit: Annotated[Unit, typer.Option(help="Count windows, or neighbours as one.")] = Unit.windows,
    effort: Annotated[
        bool, typer.Option("--effort", help="Only how long was recorded; needs no classifier.")
    ] = False,
    out: Out = None,
    run: Run = None,
) -> None:
    """When and where a sound is heard, per recorded hour, with intervals."""
    opened = open_old(collection)
    groups = [name.strip() for name in by.split(",")]
    model = None if effort else classifier_of(opened, classifier, None, run)
    table = opened.activity(
        groups,
        classifier=model,
        class_=class_,
        threshold=threshold,
        unit=unit.value,
        run=run,
    )
    write_table(table, Format.csv, out, opened)
    hours = table.drop_duplicates(groups)["recorded_hours"].sum()
    found = "" if model is None else f"{table[unit.value].sum():,} {unit.value} in "
    typer.echo(f"{found}{hours:.4g} recorded hours, by {', '.join(groups)}.")
