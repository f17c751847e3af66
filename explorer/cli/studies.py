"""``explorer study`` and ``explorer count``: how much of a sound there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.arguments import CollectionPath, Format, Out, Run, open_old, write_table
from explorer.cli.learning import Saved, at_or_above, classifier_of
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.classify.density import Estimate
    from explorer.collection.collection import Collection
    from explorer.collection.study import Study

Class = Annotated[str | None, typer.Option("--class", help="Which class.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option(help="site, day, week, month, hour, or several: site,hour.", show_default=False),
]


def study(
    collection: CollectionPath,
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the study; without it all are listed.", show_default=False),
    ] = None,
    classifier: Saved = None,
    class_: Class = None,
    per_bin: Annotated[
        int | None,
        typer.Option(min=1, help="Windows to label of each level of score.", show_default="25"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the draw.", show_default="0")] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="Only this site; may be given again.", show_default=False),
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day, as 2026-03-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day.")] = None,
    to_label: Annotated[
        Path | None,
        typer.Option(
            help="Write the next windows: FILE.csv, or for Raven FILE.txt or a folder.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many windows to write.")] = 25,
    answers: Annotated[
        Path | None,
        typer.Option(help="Take in such a file (or folder) with its answers.", show_default=False),
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="Who answered, with --answers.", show_default=False)
    ] = None,
    by: By = None,
    plus_minus: Annotated[
        float | None,
        typer.Option(
            help="Say what it takes to know the density to ± this share; --to-label gives those.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(help="Say which threshold makes this share right.", show_default=False),
    ] = None,
    methods: Annotated[
        bool, typer.Option("--methods", help="Print a sentence for the methods section.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Keep probabilities, and with --precision the threshold, in the classifier.",
        ),
    ] = False,
    out: Out = None,
    run: Run = None,
) -> None:
    """Say how much of a sound there is, from listening to windows drawn at random."""
    opened = open_old(collection)
    if name is None:
        found = opened.studies
        if len(found):
            typer.echo(found.to_string(index=False, max_colwidth=60))
        typer.echo("1 study." if len(found) == 1 else f"{len(found)} studies.")
        return
    if answers is not None and who is None:
        raise ParameterError("--answers needs the name of the person who judged: --who ana")
    wanted = {
        "class": class_,
        "classifier": classifier,
        "per-bin": per_bin,
        "seed": seed,
        "site": site,
        "since": since,
        "until": until,
        "run": run,
    }
    given = {option: value for option, value in wanted.items() if value not in (None, [])}
    here = _reopened(opened, name, given, calibrate) or _begun(opened, name, given)
    if answers is not None and who is not None:
        typer.echo(str(here.read_answers(answers, who=who)))
    if by is not None:
        table = here.by(_groups(by))
        write_table(table.round(4), Format.csv, out, opened)
        if table.attrs["message"]:
            typer.echo(f"Beware: {table.attrs['message']}.")
    windows = f"{here.plan.n_windows:,} windows of {here.run}"
    typer.echo(f"Study {here.name}: {here.class_} in {windows}.")
    progress = here.progress
    typer.echo(str(progress))
    if progress.positive + progress.negative:
        _tell(here, plus_minus, precision)
        if methods:
            typer.echo(here.report().attrs["sentence"])
    if calibrate:
        _calibrate(here, classifier, precision)
    if to_label is not None:
        files = here.write_windows(to_label, n=n, plus_minus=plus_minus)
        typer.echo(
            f"Windows to label are in {to_label} ({_files(len(files))}): fill in the column "
            "judgement with yes, no or unsure, and hand it back with --answers."
        )
    elif progress.to_label:
        typer.echo("Add --to-label FILE.csv to get the next windows to listen to.")


def count(
    collection: CollectionPath,
    classifier: Saved = None,
    by: Annotated[str, typer.Option(help="site, day, week, month, hour, or several.")] = "site",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="the saved one, or 0.5")
    ] = None,
    class_: Class = None,
    gap: Annotated[
        float, typer.Option(min=0, help="Seconds of silence within one detection.")
    ] = 0.0,
    out: Out = None,
    run: Run = None,
) -> None:
    """Count detections per hour of recording, by site, day, hour or month."""
    opened = open_old(collection)
    model = classifier_of(opened, classifier, None, run)
    table = model.counts(_groups(by), threshold=threshold, gap_s=gap, class_=class_)
    write_table(table, Format.csv, out, opened)
    hours = table.drop_duplicates(_groups(by))["recorded_hours"].sum()
    typer.echo(
        f"{table['detections'].sum():,} detections {at_or_above(model, threshold, class_)} "
        f"in {hours:.4g} recorded hours, by {by}."
    )


def _reopened(
    collection: Collection, name: str, given: dict[str, Any], calibrate: bool
) -> Study | None:
    """The study of this name, if there is one and it is as the options say."""
    from explorer.collection.study_files import names_of_studies  # noqa: PLC0415

    if name not in names_of_studies(collection):
        return None
    study = collection.study(name)
    kept = {
        "class": study.class_,
        "classifier": study.classifier,
        "per-bin": study.plan.per_bin,
        "seed": study.plan.seed,
        "site": None if study.sites is None else list(study.sites),
        "since": study.since,
        "until": study.until,
        "run": study.run,
    }
    for option, value in given.items():
        if option == "classifier" and calibrate:
            continue  # another one may learn from the same answers what its scores mean
        if value != kept[option]:
            raise ParameterError(
                f"study {name!r} was begun with another {option} ({kept[option] or 'none named'}, "
                f"not {value}) and stays so: leave --{option} out, or name a new study"
            )
    return study


def _begun(collection: Collection, name: str, given: dict[str, Any]) -> Study:
    model = classifier_of(collection, given.get("classifier"), None, given.get("run"))
    drawn = {"per_bin": given.get("per-bin"), "seed": given.get("seed")}
    return model.study(
        given.get("class"),
        name=name,
        sites=given.get("site"),
        since=given.get("since"),
        until=given.get("until"),
        **{option: value for option, value in drawn.items() if value is not None},
    )


def _tell(study: Study, plus_minus: float | None, precision: float | None) -> None:
    found = study.density()
    typer.echo(f"Share of windows with {study.class_}: {_percent(found)}")
    typer.echo(f"How well the classifier ranks them (AUC): {study.auc()}")
    if precision is not None:
        threshold = study.threshold(precision)
        typer.echo(
            threshold.message
            or f"At a threshold of {threshold.value:.4g} the share of right detections is "
            f"{_percent(threshold.precision)}, and {_percent(threshold.recall)} are found."
        )
    half = (found.high - found.low) / 4 if plus_minus is None else plus_minus
    typer.echo(f"To know more: {study.labels_needed(half).message}.")


def _calibrate(study: Study, classifier: str | None, precision: float | None) -> None:
    name = classifier or study.classifier
    if name is None:
        raise ParameterError(
            "this study was begun with a classifier that was not saved: name one with --classifier"
        )
    model = study.collection.load_classifier(name)
    found = model.calibrate(study, precision=precision)
    model.save()
    doubt = f" Beware: {found.message}." if found.message else ""
    typer.echo(f"Classifier {name} now gives probabilities of {study.class_}.{doubt}")


def _percent(found: Estimate) -> str:
    if found.message:
        return found.message
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _groups(by: str) -> list[Any]:
    return [name.strip() for name in by.split(",")]


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
