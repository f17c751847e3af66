"""`explorer evaluate`: how good an encoder or a classifier is on labelled recordings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.arguments import CollectionPath, open_old
from explorer.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="Measure encoders and classifiers on labelled recordings.", no_args_is_help=True
)


@app.callback()
def _evaluate() -> None:
    """A callback keeps the name of the command, also while there is one only."""


class Groups(StrEnum):
    """What is kept apart between examples and tests."""

    recording = "recording"
    site = "site"
    widest = "widest"
    none = "none"


class Unlabelled(StrEnum):
    """Where a background of unlabelled windows comes from."""

    collection = "collection"
    own = "own"
    others = "others"
    none = "none"


class Measure(StrEnum):
    """What is printed: the area under the ROC curve, or average precision."""

    auc = "auc"
    ap = "ap"


class Corpus(StrEnum):
    """What is ranked: soundscapes, or recordings of one animal each."""

    soundscapes = "soundscapes"
    xc_fg = "xc_fg"
    xc_bg = "xc_bg"


class Ranked(StrEnum):
    """Which windows of labelled recordings are ranked."""

    labelled = "labelled"
    all = "all"


class Apart(StrEnum):
    """What the examples have not in common with what is ranked."""

    recording = "recording"
    site = "site"
    time = "time"
    none = "none"


Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH…",
        help="Collections with labels, or folders of clips in folders of their class.",
        show_default=False,
    ),
]
Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        help="Encoder; may be given again. mfcc is the floor.",
        show_default="all runs of a collection; of clips auto and spectral",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        help="CSV with file, label, set, group, site, recorder of the clips.",
        show_default="one in the folder, or up to two above",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn at random.")]
Results = Annotated[
    Path | None, typer.Option("--out", help="CSV file for all results.", show_default=False)
]


@app.command()
def retrieval(
    collection: CollectionPath,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Run to measure; may be given again.", show_default="all"),
    ] = None,
    shots: Annotated[str, typer.Option(help="Examples of each class.")] = "1,2,4,8,16",
    draws: Annotated[int, typer.Option(min=1, help="Repetitions with other examples.")] = 5,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="birb, centroid, probe, agile or logistic; may be given again.",
            show_default="birb and centroid",
        ),
    ] = None,
    corpus: Annotated[
        Corpus, typer.Option(help="What is searched; xc_fg, xc_bg: recordings of one animal each.")
    ] = Corpus.soundscapes,
    background: Annotated[
        Path | None,
        typer.Option(
            help="CSV with recording and class: what is heard in the background.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Take examples from recordings of such names (focal/*), and search the others.",
            show_default="half of the recordings, others in each draw",
        ),
    ] = None,
    ranked: Annotated[
        Ranked, typer.Option(help="all: recordings were annotated from beginning to end.")
    ] = Ranked.labelled,
    groups: Annotated[
        Apart, typer.Option(help="What is kept apart; none: the examples alone, as BIRB does.")
    ] = Apart.recording,
    class_: Annotated[
        list[str] | None,
        typer.Option("--class", help="Class; may be given again.", show_default="all"),
    ] = None,
    least_overlap: Annotated[
        float | None,
        typer.Option(help="Seconds of a label that a window holds.", show_default="one sample"),
    ] = None,
    reference_order: Annotated[
        bool,
        typer.Option(
            "--reference-order", help="Equal scores rank by their order, as in BIRB's program."
        ),
    ] = False,
    seed: Seed = 1,
    out: Results = None,
) -> None:
    """How well do a few examples find the others of their class? BIRB's task, on any labels."""
    from explorer.evaluate.retrieval import retrieval as measure  # noqa: PLC0415
    from explorer.evaluate.task import METHODS, Task  # noqa: PLC0415

    task = Task(
        shots=_numbers(shots),
        draws=draws,
        methods=method or METHODS,
        corpus=corpus.value,
        ranked=ranked.value,
        groups=groups.value,
        examples=examples,
        classes=class_,
        least_overlap_s=least_overlap,
        reference_order=reference_order,
        seed=seed,
    )
    heard = None
    if background is not None:
        from explorer.evaluate.ranges import read_background  # noqa: PLC0415

        heard = read_background(background)
    opened = open_old(collection)
    with _notes(), _progress("Draws") as on_progress:
        found = measure(opened, run, task, background=heard, on_progress=on_progress)
    names = found.measured
    typer.echo(
        f"\n{found}\n\n{_counted(names['run'].nunique(), 'run')} of {opened.name}, "
        f"{names['class'].nunique()} of {_counted(found.n_classes, 'class', 'es')}, "
        f"{_counted(draws, 'draw')} of each number of examples."
    )
    _keep(found.table(), out)


@app.command()
def fewshot(
    paths: Paths,
    encoder: Encoders = None,
    shots: Annotated[str, typer.Option(help="Examples of each class.")] = "1,4,8,16,32",
    draws: Annotated[int, typer.Option(min=1, help="Repetitions with other examples.")] = 10,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="auto, centroid, birb, probe, agile or logistic; may be given again.",
            show_default="all but agile",
        ),
    ] = None,
    groups: Annotated[
        Groups, typer.Option(help="What is kept apart; widest: sites if labels allow.")
    ] = Groups.recording,
    unlabelled: Annotated[
        Unlabelled, typer.Option(help="Whose windows may be used without labels.")
    ] = Unlabelled.collection,
    measure: Annotated[Measure, typer.Option(help="What is printed.")] = Measure.auc,
    table: Table = None,
    device: Device = "auto",
    seed: Seed = 0,
    out: Results = None,
) -> None:
    """How well do a few examples find the rest? SurfPerch's protocol, recordings kept apart."""
    from explorer.evaluate import fewshot as protocol  # noqa: PLC0415
    from explorer.evaluate.reefset import paper_table  # noqa: PLC0415
    from explorer.evaluate.sources import data_sets  # noqa: PLC0415

    wanted = _numbers(shots)
    with _notes():
        found = data_sets(
            paths, encoders=encoder or (), groups=groups.value, table=table, device=device,
            say=typer.echo,
        )  # fmt: skip
        labelled = [part for part in found if part.labelled is not None]
        with _progress("Draws") as on_progress:
            results = protocol.fewshot(
                labelled or found,
                shots=wanted,
                draws=draws,
                methods=method or protocol.METHODS,
                background=unlabelled.value,
                seed=seed,
                on_progress=on_progress,
            )
    typer.echo("\n" + protocol.table(results, measure.value))
    paper = paper_table(results["data_set"])
    if paper is not None and measure is Measure.auc:
        typer.echo("\n" + paper)
    n_sets, n_encoders = results["data_set"].nunique(), results["encoder"].nunique()
    left = len({part.name for part in found}) - n_sets
    said = f"{_counted(n_sets, 'data set')}, {_counted(n_encoders, 'encoder')}, "
    said += f"{_counted(draws, 'draw')} of each number of examples."
    if left:
        said += f" {_counted(left, 'data set')} left out: too few labels, or of one recording."
    typer.echo(f"\n{said}")
    _keep(results, out)


@app.command()
def quality(
    paths: Paths,
    encoder: Encoders = None,
    groups: Annotated[
        Groups, typer.Option(help="What is kept apart; widest: sites if labels allow.")
    ] = Groups.widest,
    table: Table = None,
    device: Device = "auto",
    seed: Seed = 0,
    out: Results = None,
) -> None:
    """Which encoder suits these recordings? With labels, or, with less to say, without."""
    from explorer.evaluate.quality import quality as judge  # noqa: PLC0415
    from explorer.evaluate.sources import data_sets  # noqa: PLC0415

    with _notes():
        found = data_sets(
            paths, encoders=encoder or (), groups=groups.value, table=table, device=device,
            say=typer.echo,
        )  # fmt: skip
        with _progress("Encoders") as on_progress:
            judged = judge(found, seed=seed, on_progress=on_progress)
    typer.echo(f"\n{judged}")
    _keep(judged.table, out)


@app.command()
def reefset(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where ReefSet is, or is to be put.")
    ],
) -> None:
    """Fetch ReefSet (1.6 GB, CC BY 4.0), the reef sounds that SurfPerch is measured on."""
    from explorer.evaluate.reefset import fetch  # noqa: PLC0415

    made = fetch(folder)
    typer.echo(
        f"ReefSet is ready: {made} lists its clips. The paper's table, with any encoder:\n"
        f'explorer evaluate fewshot "{made.parent}" --encoder birdnet --method probe '
        "--shots 4,8,16,32 --groups none"
    )


def _numbers(text: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise ParameterError(f"--shots is a list such as 1,4,16, not {text!r}") from None


def _counted(count: int, noun: str, ending: str = "s") -> str:
    return f"{count} {noun}" + ending * (count != 1)


def _keep(results: pd.DataFrame, out: Path | None) -> None:
    if out is not None:
        results.to_csv(out, index=False)
        typer.echo(f"All results are in {out}.")


@contextmanager
def _notes() -> Iterator[None]:
    """Tell warnings in words, without the line of the program that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: typer.echo(f"Note: {message}", err=True)
        yield


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar that appears with the first step."""
    from tqdm.auto import tqdm  # noqa: PLC0415

    with tqdm(desc=what, total=0, dynamic_ncols=True, delay=1) as bar:

        def advance(done: int, total: int, where: str) -> None:
            bar.total = total
            bar.set_postfix_str(where, refresh=False)
            bar.update(done - bar.n)

        yield advance
