"""What a retrieval task asks: BIRB's numbers by default, with recordings kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from explorer.errors import ParameterError
from explorer.evaluate import methods as ways
from explorer.evaluate.corpora import CORPORA, Corpus

SHOTS = (1, 2, 4, 8, 16)
DRAWS = 5
METHODS = ("birb", "centroid")

Apart = Literal["recording", "site", "time", "none"]
APART: tuple[Apart, ...] = get_args(Apart)

Ranked = Literal["labelled", "all"]
RANKED: tuple[Ranked, ...] = get_args(Ranked)


@dataclass(frozen=True)
class Task:
    """What is asked: which examples are drawn, what is ranked, and how it is measured.

    Attributes
    ----------
    shots
        Numbers of examples of each class.
    draws
        Repetitions, each with other examples.
    methods
        Of `explorer.evaluate.methods`.
    corpus
        ``"soundscapes"``, or ``"xc_fg"`` and ``"xc_bg"`` for recordings of one animal each (see
        `explorer.evaluate.corpora`).
    ranked
        ``"labelled"``: windows in which somebody has said something, which is BIRB's rule;
        ``"all"``: every window of recordings that have a label, right where they were annotated
        from beginning to end.
    groups
        What is kept apart: ``"recording"``, ``"site"``; ``"time"``: only windows that share a
        moment with an example, for a single long recording; ``"none"``: only the examples of a
        class themselves, as BIRB does. Or the recording that each clip was cut from, by name.
    examples
        Examples come from recordings whose names match this pattern, such as ``"focal/*"``, and all
        others are ranked. None draws them from among the recordings that are ranked otherwise.
    classes
        Those that take part (a region's list); None for all that have a positive label.
    least_overlap_s
        Seconds of a label that a window must hold to be a positive; None for one sample (BIRB).
    reference_order
        Of equal scores the later window ranks higher, as in the reference (golden/README.md 1.4).
    seed
        The same seed gives the same draws.
    """

    shots: Sequence[int] = SHOTS
    draws: int = DRAWS
    methods: Sequence[str] = METHODS
    corpus: Corpus = "soundscapes"
    ranked: Ranked = "labelled"
    groups: Apart | Mapping[str, str] = "recording"
    examples: str | None = None
    classes: Sequence[str] | None = None
    least_overlap_s: float | None = None
    reference_order: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.shots or min(self.shots) < 1 or self.draws < 1:
            raise ParameterError("give shots of 1 or more, and 1 draw or more")
        if not self.methods:
            raise ParameterError("give a method, or several")
        for method in self.methods:
            ways.check(method)
        groups = self.groups if isinstance(self.groups, str) else "recording"
        _known("corpus", self.corpus, CORPORA)
        _known("ranked", self.ranked, RANKED)
        _known("groups", groups, APART)

    @property
    def keeps_groups_apart(self) -> bool:
        """Whether whole recordings, or sites, are on one side only."""
        return self.groups not in ("time", "none")


def _known(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ParameterError(f"{name} {value!r} is not known; use one of {', '.join(known)}")
