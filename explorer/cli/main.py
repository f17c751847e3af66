"""The command line: thin. Every command opens a collection, calls one method, says what was done.

Nothing heavy is imported at the top: ``explorer --help`` must answer at once.
"""

from __future__ import annotations

import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer import __version__
from explorer.cli import (
    adapt,
    agreement,
    card,
    encoders,
    evaluate,
    health,
    learning,
    map_layers,
    places,
    serving,
    studies,
    users,
)
from explorer.cli.arguments import CollectionPath, Format, Out, Run, open_old, write_table
from explorer.cli.serving import Browser, Port
from explorer.errors import CollectionError, ExplorerError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from explorer.collection.collection import Collection

app = typer.Typer(
    help="Look at, listen to, search, label and count the sounds in your recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class What(StrEnum):
    """What ``export`` can hand over."""

    labels = "labels"
    windows = "windows"
    embeddings = "embeddings"


class Metric(StrEnum):
    """How vectors are compared."""

    cosine = "cosine"
    dot = "dot"
    euclidean = "euclidean"


app.add_typer(encoders.app, name="encoders")
app.command()(learning.classify)
app.command("next")(learning.next_)
app.command()(card.card)
app.command()(adapt.adapt)
app.command()(serving.serve)
app.add_typer(users.app, name="users")
app.command()(map_layers.clusters)
app.command()(map_layers.species)
app.command()(studies.study)
app.command()(studies.count)
app.command()(health.health)
app.command()(places.activity)
app.command()(places.sites)
app.command()(agreement.agreement)
app.add_typer(evaluate.app, name="evaluate")


def main() -> None:
    """Run the command line; errors made on purpose are told in words, without a traceback."""
    debug = "--debug" in sys.argv
    try:
        app(args=[argument for argument in sys.argv[1:] if argument != "--debug"])
    except (ExplorerError, OSError) as error:
        if debug:
            raise
        typer.echo(f"explorer: {error}", err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"explorer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    pass


@app.command()
def demo(
    path: Annotated[
        Path | None, typer.Option(help="Folder of the demo's collection.", show_default=False)
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Encoder; auto takes BirdNET if it is there.")
    ] = "auto",
    port: Port = 0,
    browser: Browser = True,
    serve: Annotated[bool, typer.Option(help="Open the dashboard; else only make it.")] = True,
) -> None:
    """Make a small reef-and-bird collection, embed it, and open the dashboard on it."""
    from explorer.collection.demo import open_demo  # noqa: PLC0415

    typer.echo("The sounds of this demo are synthetic: made by arithmetic, no animal was recorded.")
    from explorer.space.projection import warm_up  # noqa: PLC0415

    collection = open_demo(path)
    if collection.run is None:
        # The first map after an installation compiles for ten seconds: that may as well be now.
        threading.Thread(target=warm_up, daemon=True).start()
    _embed(collection, encoder=encoder)
    serving.project(collection)
    if serve:
        serving.open_dashboard([collection], port=port, browser=browser)
    else:
        typer.echo(f'The demo is ready: explorer serve "{collection.path}"')


@app.command()
def embed(
    collection: CollectionPath,
    audio: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of recordings; may be given again.", show_default=False),
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder: see `explorer encoders`.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds in a window, for encoders that leave a choice.",
            show_default="the encoder's",
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds between starts of windows.", show_default="no overlap"),
    ] = None,
    speed: Annotated[
        float, typer.Option(help="Play slower (0.1 for bats) or faster (4 for whales).")
    ] = 1.0,
    low_hz: Annotated[
        float | None,
        typer.Option(help="Take away the sound below, in Hz.", show_default="no limit"),
    ] = None,
    high_hz: Annotated[
        float | None,
        typer.Option(help="Take away the sound above, in Hz.", show_default="no limit"),
    ] = None,
    channel: Annotated[str, typer.Option(help="mix, or a channel's number from 0.")] = "mix",
    timezone: Annotated[
        str | None,
        typer.Option(help="Zone of start times that carry none, e.g. Australia/Brisbane."),
    ] = None,
    site_pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression with a group (?P<site>…) for recordings' names."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Windows per call of the encoder.", show_default="what suits the device"
        ),
    ] = None,
) -> None:
    """Embed recordings; stopped at any moment, it goes on where it was when run again."""
    from explorer.collection.collection import Collection  # noqa: PLC0415

    opened = Collection(collection)
    for folder in audio or []:
        found = opened.add(folder, timezone=timezone, site_pattern=site_pattern)
        typer.echo(found.summary())
    if opened.recordings.empty:
        raise CollectionError(
            f"{collection}: there are no recordings yet; say where they are with --audio FOLDER"
        )
    if channel != "mix" and not channel.isdigit():
        raise ParameterError(f"--channel is mix or a number from 0, not {channel!r}")
    _embed(
        opened,
        encoder=encoder,
        device=device,
        window_s=window,
        hop_s=hop,
        speed=speed,
        low_hz=low_hz,
        high_hz=high_hz,
        channel="mix" if channel == "mix" else int(channel),
        batch_size=batch_size,
    )
    left_out = opened.left_out
    if len(left_out):
        path = opened.path / "left_out.csv"
        left_out.to_csv(path, index=False)
        typer.echo(f"{_files(len(left_out))} left out; {path} names each with its cause.")
    else:
        typer.echo("No file was left out.")


@app.command()
def search(
    collection: CollectionPath,
    audio: Annotated[str, typer.Argument(help="Audio file, or name of a recording in it.")],
    start: Annotated[
        float | None, typer.Option(help="Second where the sound starts; else the whole file.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits.")] = 50,
    metric: Annotated[Metric, typer.Option(help="How vectors are compared.")] = Metric.cosine,
    run: Run = None,
    out: Out = None,
) -> None:
    """List the windows that sound most like a file, or like a moment of a recording."""
    opened = open_old(collection)
    named = opened.recordings.set_index("recording")["path"]
    path = Path(audio) if Path(audio).exists() else Path(named.get(audio, audio))
    hits = opened.search(path, k, start_s=start, metric=metric.value, run=run)
    _show(hits, out, opened)
    typer.echo(f"{len(hits)} windows, most alike first ({metric.value}).")


@app.command()
def export(
    collection: CollectionPath,
    what: Annotated[What, typer.Option(help="What to hand over.")] = What.labels,
    format: Annotated[Format, typer.Option(help="Format of the file.")] = Format.csv,
    out: Out = None,
    run: Run = None,
) -> None:
    """Write labels, windows or embeddings to files that other tools read."""
    from explorer.collection.handover import embeddings_table, labels_table  # noqa: PLC0415

    opened = open_old(collection)
    if what is What.embeddings:
        if format is not Format.parquet:
            raise ParameterError("embeddings are written as Parquet: add --format parquet")
        table = embeddings_table(opened, run)
    elif what is What.windows:
        table = opened.windows(run=run).drop(columns="recording_id")
    else:
        table = labels_table(opened)
    write_table(table, format, out, opened)
    typer.echo(f"{len(table)} {what.value} handed over.")


@app.command("import")
def import_(
    collection: CollectionPath,
    annotations: Annotated[Path, typer.Argument(help="Raven, Audacity or CSV file, or a folder.")],
    who: Annotated[str, typer.Option(help="Who made these labels.")],
) -> None:
    """Read labels that were made in Raven, Audacity or a table."""
    from explorer.collection.handover import import_labels  # noqa: PLC0415

    opened = open_old(collection)
    report = import_labels(opened, annotations, who=who)
    typer.echo(str(report))
    if not report.labels and report.refused:
        raise typer.Exit(1)


@app.command()
def check(collection: CollectionPath) -> None:
    """Check that the disk holds what the catalogue says: hashes, rows, orphans, recordings."""
    opened = open_old(collection)
    found = opened.check()
    for row in found.itertuples():
        typer.echo(f"{row.kind}: {row.name}: {row.finding}")
    if found.empty:
        typer.echo(f"All is well: {opened!r}")
        return
    typer.echo(f"{len(found)} findings in {opened.path}.")
    raise typer.Exit(1)


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"


def _embed(collection: Collection, **options: Any) -> None:
    try:
        typer.echo(str(collection.embed(**options)))
    except KeyboardInterrupt:
        typer.echo(
            f"\nStopped. {collection.n_windows():,} windows are safe on disk; "
            "run the same command again to go on.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _show(table: pd.DataFrame, out: Path | None, collection: Collection) -> None:
    if out is None:
        typer.echo(table.to_string(max_colwidth=60))
    else:
        write_table(table, Format.csv, out, collection)
