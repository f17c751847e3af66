"""``explorer adapt``: a classifier of another place, adapted to the recordings of this one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from explorer.cli.arguments import CollectionPath, open_old

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Method(StrEnum):
    """Ways of adapting without labels."""

    adabn = "adabn"
    notela = "notela"
    dropout_student = "dropout_student"
    tent = "tent"
    pseudo_label = "pseudo_label"
    shot = "shot"
    nrc = "nrc"
    dust = "dust"


def adapt(
    collection: CollectionPath,
    classifier: Annotated[
        str,
        typer.Option(
            help="A classifier's file, such as OTHER.collection/classifiers/NAME.safetensors; "
            "or the name of one that is saved here.",
            show_default=False,
        ),
    ],
    method: Annotated[
        Method | None,
        typer.Option(
            help="How: adabn gives each dimension the mean and spread that it had where the "
            "classifier was made; the others then learn from what it believes.",
            show_default="adabn",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    save: Annotated[
        str | None,
        typer.Option(help="Keep the adapted classifier under this name.", show_default=False),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Keep it although the advice is not to.")
    ] = False,
) -> None:
    """Adapt a classifier of another place to the recordings of this one, without labels.

    Says what changes, on labels of this place where there are any, and whether to keep it.
    """
    opened = open_old(collection)
    source = opened.load_classifier(classifier)
    try:
        adapted = source.adapt(None if method is None else method.value, device=device)
        found = adapted.comparison()
    except KeyboardInterrupt:
        typer.echo("\nStopped. Nothing was changed or saved.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{', '.join(adapted.classes)}: {adapted.adaptation}\n{found}")
    if save is None:
        typer.echo("Nothing was saved; --save NAME keeps the adapted classifier.")
    elif not found.advised and not anyway:
        typer.echo("Not saved, as advised; --anyway saves it all the same.", err=True)
        raise typer.Exit(1)
    else:
        typer.echo(f"Saved as {adapted.save(save)}; the classifier it comes from is as it was.")
