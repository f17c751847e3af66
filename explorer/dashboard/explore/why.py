"""Why a window scores as it does: the labelled windows that speak for it and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from explorer.dashboard.state.learning import Learned
from explorer.errors import ParameterError

MOST_FOR = 3
MOST_AGAINST = 2


@dataclass(frozen=True)
class Proof:
    """A labelled window, its label, and by how much the likeness would fall without it.

    ``weight`` is negative where it speaks against; None for the only example, without which there
    would be no score.
    """

    row: int
    label: str
    weight: float | None


@dataclass(frozen=True)
class Why:
    """Labelled windows that speak for a window's being of a class, then those against it."""

    row: int
    proofs: tuple[Proof, ...]
    sentence: str


def explain(learned: Learned, row: int, name: str) -> Why:
    """Which labels most support and most contradict a window's score; may run in a thread.

    Raises
    ------
    ParameterError
        If the class has no example yet, or its kind of classifier cannot be asked.
    """
    if learned.classifier is None or name not in learned.classes:
        raise ParameterError(f"nothing is learnt of {name or 'any class'} yet: say yes to a sound")
    found = learned.classifier.evidence(row, name, most=MOST_FOR)
    against = found["contribution"] < 0
    told = pd.concat([found[~against], found[against].head(MOST_AGAINST)])
    proofs = [
        Proof(int(window), str(label), None if math.isnan(weight) else float(weight))
        for window, label, weight in zip(
            told.index, told["label"], told["contribution"], strict=True
        )
    ]
    # Where and with what score it was found stands on the card already.
    sentence = str(found.attrs["sentence"]).split(f" for {name}. ", 1)[-1]
    return Why(row, tuple(proofs), sentence)
