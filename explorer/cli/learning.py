"""``explorer classify`` and ``explorer next``: detections, and what to label next."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.arguments import (
    CollectionPath,
    Format,
    Out,
    Run,
    open_old,
    write_table,
)
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection


class Kind(StrEnum):
    """Kinds of classifiers."""

    auto = "auto"
    centroid = "centroid"
    probe = "probe"
    grown = "grown"


class Strategy(StrEnum):
    """Ways of picking windows to label."""

    explore = "explore"
    margin = "margin"
    top = "top"
    target = "target"
    random = "random"


Saved = Annotated[
    str | None,
    typer.Option(
        "--classifier", help="Saved classifier; else one of the labels.", show_default=False
    ),
]
KindOf = Annotated[
    Kind | None,
    typer.Option(
        help="Kind of the classifier of the labels; auto tests both on recordings left out.",
        show_default="auto",
    ),
]


def classify(
    collection: CollectionPath,
    classifier: Saved = None,
    kind: KindOf = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="the saved one, or 0.5")
    ] = None,
    quality: Annotated[
        bool, typer.Option(help="Say how well each class is found in recordings left out.")
    ] = False,
    format: Annotated[Format, typer.Option(help="Format of the file.")] = Format.csv,
    out: Out = None,
    merge: Annotated[bool, typer.Option(help="Join neighbouring windows into events.")] = True,
    save: Annotated[
        str | None, typer.Option(help="Keep the classifier under this name.", show_default=False)
    ] = None,
    run: Run = None,
) -> None:
    """Score every window and write the detections at or above a threshold."""
    opened = open_old(collection)
    model = classifier_of(opened, classifier, kind, run)
    # Beside the table, which may go on to another program.
    if model.choice is not None:
        typer.echo(model.choice.sentence, err=True)
    if quality:
        table = model.quality()
        typer.echo(table.drop(columns="note").round(3).to_string(na_rep="-"), err=True)
        for name, note in table["note"].items():
            if note:
                typer.echo(f"{name}: {note}", err=True)
    if save is not None:
        typer.echo(
            f"The classifier is kept in {model.save(save, threshold=model.cuts(threshold))}.",
            err=True,
        )
    found = model.detections(threshold, merge=merge)
    write_table(found, format, out, opened)
    counts = ", ".join(f"{name} {count}" for name, count in found["class"].value_counts().items())
    typer.echo(
        f"{len(found)} detections {at_or_above(model, threshold)} in "
        f"{found['recording'].nunique()} of {len(opened.recordings)} recordings"
        f"{': ' + counts if counts else ''}."
    )


def next_(
    collection: CollectionPath,
    classifier: Saved = None,
    kind: KindOf = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many windows.")] = 20,
    strategy: Annotated[Strategy, typer.Option(help="How they are picked.")] = Strategy.explore,
    target: Annotated[
        float, typer.Option(min=0, max=1, help="The score that --strategy target looks for.")
    ] = 0.5,
    class_: Annotated[
        str | None,
        typer.Option("--class", help="For this class only.", show_default="all classes"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --strategy random.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write FILE.csv, or for Raven FILE.txt or a folder.", show_default=False),
    ] = None,
    run: Run = None,
) -> None:
    """List the windows whose labels would teach a classifier most, with the reason of each."""
    opened = open_old(collection)
    model = classifier_of(opened, classifier, kind, run)
    found = model.next_to_label(n, strategy=strategy.value, class_=class_, target=target, seed=seed)
    said = f"{len(found)} windows to label, the most worthwhile first"
    if (sites := found["site"].nunique()) > 1:
        said += f", from {sites} sites"
    if found.empty:
        typer.echo("Every window is labelled already.")
    elif out is None:
        columns = ["recording", "start_s", "class", "reason"]
        typer.echo(found[columns].to_string(max_colwidth=60))
        typer.echo(f"{said}; add --out FILE.csv to label them in a spreadsheet.")
    else:
        found.write(out)
        typer.echo(
            f"{said}, written to {out}: fill in the column judgement with yes, no or unsure, and "
            f'take them in with: explorer import "{collection}" "{out}" --who NAME'
        )


def at_or_above(model: Classifier, threshold: float | None, class_: str | None = None) -> str:
    """From which score on was counted, in words: of all classes, or of each."""
    cuts = model.cuts(threshold)
    if class_ is not None:
        cuts = {class_: cuts[class_]}
    if len(set(cuts.values())) == 1:
        return f"at or above {next(iter(cuts.values())):g}"
    return f"at or above {', '.join(f'{cut:g} ({name})' for name, cut in cuts.items())}"


def classifier_of(
    collection: Collection, saved: str | None, kind: Kind | None, run: str | None
) -> Classifier:
    """The saved classifier, or one of the labels."""
    if saved is not None:
        if kind is not None:
            raise ParameterError("a saved classifier has its kind; leave --kind or --classifier")
        return collection.load_classifier(saved)
    from explorer.classify.splits import SplitWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        # The sentence that is printed says the same.
        warnings.simplefilter("ignore", SplitWarning)
        return collection.classifier(kind=None if kind is None else kind.value, run=run)
