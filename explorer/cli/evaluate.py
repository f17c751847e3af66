"""`explorer evaluate`: how good is an encoder, or a classifier, on these recordings?"""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Measure encoders and classifiers on labelled recordings.", no_args_is_help=True
)


@app.callback()
def _evaluate() -> None:
    """A callback keeps the name of the command, also while there is one only."""
