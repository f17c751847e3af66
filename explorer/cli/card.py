"""``explorer card``: a page to go with a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.arguments import CollectionPath, Run, open_old
from explorer.cli.learning import KindOf, Saved, classifier_of
from explorer.errors import ParameterError


def card(
    collection: CollectionPath,
    out: Annotated[Path, typer.Option("--out", help="FILE.html or FILE.json.", show_default=False)],
    classifier: Saved = None,
    kind: KindOf = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of every class.", show_default="the saved one, or 0.5"),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Sounds of each class on the page.")] = 4,
    run: Run = None,
) -> None:
    """Write a classifier's card: examples, curves, versions, hashes, and what it is not for."""
    if out.suffix.lower() not in (".html", ".htm", ".json"):
        raise ParameterError(f"{out}: a card is written as .html, or as .json")
    opened = open_old(collection)
    model = classifier_of(opened, classifier, kind, run)
    made = model.card(thresholds=model.cuts(threshold), examples=examples)
    if out.suffix.lower() == ".json":
        made.to_json(out)
    else:
        made.to_html(out)
    named = f"classifier {model.name}" if model.name else "the classifier of the labels"
    typer.echo(f"The card of {named} ({', '.join(model.classes)}) is in {out}.")
