"""`explorer encoders`: what can be used here, how fast it is, and how to get the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.encoders.registry import EncoderInfo

app = typer.Typer(help="List the encoders, and add one.", invoke_without_command=True)

Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]

_ROW = "{:<14} {:<15} {:<15} {:>6} {:>7} {:>9}"


@app.callback()
def table(
    context: typer.Context,
    measure: Annotated[bool, typer.Option("--measure", help="Measure how fast they are.")] = False,
    device: Device = "auto",
) -> None:
    """List the encoders: which can be used here, how fast they are, how to get the others."""
    if context.invoked_subcommand is not None:
        return
    from explorer.encoders.registry import available  # noqa: PLC0415

    known = available()
    heads = ("encoder", "version", "", "window", "rate", "dimension")
    typer.echo(_ROW.format(*heads) + ("  speed" if measure else ""))
    for info in known:
        state = "ready" if info.available else "not installed"
        row = _ROW.format(
            info.name,
            info.version,
            state,
            f"{info.window_s:g} s",
            f"{info.sample_rate / 1000:g} kHz",
            info.dimension,
        )
        typer.echo(row + (f"  {_speed(info, device)}" if measure and info.available else ""))
    for info in known:
        typer.echo(f"\n{info.name}: {info.reference}\n  licence: {info.licence}")
        if not info.available:
            typer.echo(f"  to get it: {info.how_to_get}")


@app.command("add")
def add_encoder(
    name: Annotated[
        str, typer.Argument(help="Encoder, or the description of your own (a .toml file).")
    ],
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Its weights as published: file, folder or archive. Without it they are fetched.",
            show_default=False,
        ),
    ] = None,
    smoothing: Annotated[
        str | None, typer.Option(help="SurfPerch, Perch: legacy or fixed, if it is not found.")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="SurfPerch, Perch: swish or relu, if it is not found.")
    ] = None,
    pcen: Annotated[
        str | None, typer.Option(help="SurfPerch, Perch: new, bio or basic, if it is not found.")
    ] = None,
) -> None:
    """Install an encoder's weights, from a file or folder or, without one, from the internet."""
    from explorer.encoders.registry import add  # noqa: PLC0415

    typer.echo(add(name, path, smoothing=smoothing, activation=activation, pcen=pcen))


def _speed(info: EncoderInfo, device: str) -> str:
    """Windows per second and times real time; or why that could not be measured."""
    from explorer.encoders.measure import windows_per_second  # noqa: PLC0415
    from explorer.encoders.registry import load  # noqa: PLC0415

    try:
        encoder = load(info.name, device=device)
        speed = windows_per_second(encoder)
    except ExplorerError as error:
        return str(error)
    return (
        f"{speed:,.0f} windows/s, {speed * encoder.window_s:,.0f} x real time on {encoder.device}"
    )
