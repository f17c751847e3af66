"""Left: who labelled what, who is here, and how far they agree, in words and figures."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import param

from explorer.classify.agreement import Agreement
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.dashboard.together.round import Found, Round
from explorer.errors import ParameterError

WIDEST = 0.6
"""An interval wider than this leaves open whether people agree at all."""


class People(Piece):
    """The people, and their agreement."""

    _esm = asset("dom.js", "people.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "people.css")]

    people = param.List(doc="Who labelled, most first, and who is only here.")
    user = param.String()
    sentence = param.String(doc="How far all agree, and what that rests on.")
    classes = param.List(doc="A row of agreement for each class.")
    class_ = param.String(default=None, allow_None=True)
    pairs = param.List(doc="A row of agreement for each pair.")
    state_of_things = param.String(default="wait", doc="wait, alone, apart or known.")
    collection = param.String(doc="Name of the folder, for commands.")
    shown = param.String(doc="What the filter keeps, in words; empty for all.")

    def __init__(self, state: State, desk: Desk, round_: Round, **params: Any) -> None:
        super().__init__(
            state,
            desk,
            user=state.user,
            collection=state.collection.path.name,
            **params,
        )
        self._round = round_
        round_.param.watch(self._update, ["found", "pairs", "class_"])
        state.param.watch(self._update, ["here", "classes"])
        self._update()

    def do_class(self, name: str | None) -> None:
        """Look at one class, or at all."""
        found = self._round.found
        if name is not None and (found is None or name not in found.agreed):
            raise ParameterError(f"there is no class “{name}”")
        self._round.show(None if name == self._round.class_ else name, self._round.mode)

    def _update(self, *_: Any) -> None:
        found: Found | None = self._round.found
        if found is None:
            return
        class_ = self._round.class_
        known = found.agreed.get(class_)
        labelled = {person.name for person in found.people}
        styles = {c.name: c.style for c in self.state.classes}
        self.param.update(
            people=[
                {
                    "name": one.name,
                    "labels": one.labels,
                    "yes": one.yes,
                    "no": one.no,
                    "unsure": one.unsure,
                    "classes": [list(pair) for pair in one.classes],
                    "last": one.last,
                    "here": one.name in self.state.here,
                }
                for one in found.people
            ]
            + [
                {
                    "name": name,
                    "labels": 0,
                    "yes": 0,
                    "no": 0,
                    "unsure": 0,
                    "classes": [],
                    "last": "",
                    "here": True,
                }
                for name in self.state.here
                if name not in labelled
            ],
            shown=self.state.filter.words(),
            class_=class_,
            classes=[
                {
                    "name": name,
                    "style": styles.get(name, 0),
                    "shape": class_shape(styles.get(name, 0)),
                    **figures(one),
                }
                for name, one in found.agreed.items()
                if name is not None
            ],
            pairs=[{"who": list(who), **figures(one)} for who, one in self._round.pairs],
            sentence=in_words(known, [who for who, _ in self._round.pairs]) if known else "",
            state_of_things=_state_of_things(found, known),
        )


def figures(found: Agreement) -> dict[str, Any]:
    """An agreement as plain values; None where something is not known."""

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 3)

    return {
        "windows": found.windows,
        "people": found.people,
        "agreed": plain(found.observed),
        "kappa": plain(found.kappa),
        "low": plain(found.low),
        "high": plain(found.high),
        "word": word(found),
    }


def word(found: Agreement) -> str:
    """Landis and Koch's name for an agreement, where enough is known for one."""
    if not found.windows:
        return ""
    if math.isnan(found.kappa):
        return "not known"
    return found.in_a_word if found.high - found.low <= WIDEST else "too few to say"


def in_words(found: Agreement, pairs: list[tuple[str, ...]]) -> str:
    """How far people agree, and what it rests on, in a sentence."""
    if not found.windows:
        return ""
    n = f"{found.windows:,} window{'s' * (found.windows != 1)}"
    if len(pairs) == 1:
        who = f"{pairs[0][0]} and {pairs[0][1]} judged {n} both, and say the same of"
    else:
        who = f"At least two people judged each of {n}. Of all pairs of judgements, alike are"
    alike = f"{found.observed:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
    if math.isnan(found.kappa):
        return f"{who} {alike}. All say the same of every window, so chance alone agrees too."
    return (
        f"{who} {alike}. Beyond chance that is a kappa of {short(found.kappa)}, between "
        f"{short(found.low)} and {short(found.high)} (90\N{NO-BREAK SPACE}%): {word(found)}."
    )


def short(value: float) -> str:
    """A figure the way papers print it.

    Examples
    --------
    >>> short(0.714), short(-0.2), short(0.999)
    ('.71', '-.20', '1.0')
    """
    return "1.0" if value >= 0.995 else f"{value:.2f}".replace("0.", ".", 1)


def _state_of_things(found: Found, known: Agreement | None) -> str:
    if len(found.people) < 2:
        return "alone"
    return "known" if known is not None and known.windows else "apart"
