"""The kinds of classifiers there are: which one a file holds, and what a model is called."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from explorer.classify import centroid, probe, weights
from explorer.classify.centroid import NearestCentroid
from explorer.classify.probe import Probe
from explorer.errors import ParameterError

Model: TypeAlias = NearestCentroid | Probe

_OF_FORMAT: dict[str, type[NearestCentroid] | type[Probe]] = {
    centroid.FORMAT: NearestCentroid,
    probe.FORMAT: Probe,
}


def load(path: str | Path) -> Model:
    """Read a classifier of any kind: its file says which it is.

    Raises
    ------
    FormatVersionError
        If a newer program wrote it.
    ParameterError
        If it is no classifier, or damaged.
    """
    found = weights.format_of(path)
    if found not in _OF_FORMAT:
        raise ParameterError(f"{path}: this is no classifier that is known here ({found})")
    return _OF_FORMAT[found].load(path)


def kind_of(model: object) -> str:
    """What a model is called in a sentence: "nearest centroid" or "probe".

    >>> kind_of(NearestCentroid.fit({"a": [[0.0, 1.0]]}))
    'nearest centroid'
    """
    return "nearest centroid" if isinstance(model, NearestCentroid) else "probe"
