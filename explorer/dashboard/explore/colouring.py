"""What colour each window has on the map, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.dashboard.frame.palette import (
    CLASS_COLOURS,
    HOUR_RAMP,
    SCORE_RAMP,
    UNNAMED,
    Theme,
    class_colour,
)
from explorer.dashboard.state.state import State

SITES_SHOWN = 7
"""More sites than this share the last colour: nobody can tell twenty colours apart."""

THEME_NAMES: tuple[Theme, ...] = ("light", "dark")


def _all_colours() -> dict[str, str]:
    found: dict[str, str] = {}
    for theme in THEME_NAMES:
        colours = [UNNAMED[theme], *CLASS_COLOURS[theme], *SCORE_RAMP[theme], *HOUR_RAMP]
        found |= {colour: colour for colour in colours}
    return found


COLOUR_KEY = _all_colours()
"""Every colour that a window can have, by its own name: datashader's key of categories."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """One colour per window: ``colours[code]``; ``code`` is int [n_windows]."""

    by: str
    code: NDArray[np.int16]
    colours: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Colouring)
            and self.colours == other.colours
            and np.array_equal(self.code, other.code)
        )

    __hash__ = None  # type: ignore[assignment]

    def categories(self) -> pd.Categorical:
        """The same as categories named by their colour, for datashader."""
        unique = list(dict.fromkeys(self.colours))
        to_unique = np.array([unique.index(colour) for colour in self.colours], dtype=np.int16)
        return pd.Categorical.from_codes(to_unique[self.code], categories=unique)


def colouring(state: State) -> Colouring:
    """The colours of all windows as the state wants them."""
    theme: Theme = state.theme
    none = UNNAMED[theme]
    facts = state.facts
    if facts is None:
        return Colouring(state.colour_by, np.zeros(0, dtype=np.int16), (none,))
    if state.colour_by == "site":
        used = _site_order(state)
        place = np.full(len(facts.sites), min(len(used), SITES_SHOWN), dtype=np.int16)
        for rank, site in enumerate(used[:SITES_SHOWN]):
            place[site] = rank
        colours = [class_colour(i, theme) for i in range(min(len(used), SITES_SHOWN))]
        return Colouring("site", place[facts.site], (*colours, none))
    if state.colour_by == "hour":
        known = ~np.isnan(facts.hour)
        code = np.full(len(facts), 24, dtype=np.int16)
        code[known] = facts.hour[known].astype(np.int16)
        return Colouring("hour", code, (*HOUR_RAMP, none))
    if state.colour_by == "score":
        ramp = SCORE_RAMP[theme]
        scores = state.scores if state.visiting is None else state.visiting.scores
        if scores is None:
            return Colouring("score", np.zeros(len(facts), dtype=np.int16), (none,))
        steps = np.clip(scores * len(ramp), 0, len(ramp) - 1)
        return Colouring("score", steps.astype(np.int16), ramp)
    styles = state.assigned()
    colours = [class_colour(i, theme) for i in range(int(styles.max(initial=-1)) + 1)]
    return Colouring("class", (styles + 1).astype(np.int16), (none, *colours))


def legend(state: State) -> list[list[str]]:
    """Pairs of colour and words; empty where the classes panel says it already."""
    theme: Theme = state.theme
    if state.facts is None or state.colour_by == "class":
        return []
    if state.colour_by == "hour":
        return [[HOUR_RAMP[hour], f"{hour:02d} h"] for hour in (0, 3, 6, 9, 12, 15, 18, 21)]
    if state.colour_by == "score":
        visiting = state.visiting
        if state.scores is None and visiting is None:
            return [[UNNAMED[theme], "no class has a score yet"]]
        ramp: Sequence[str] = SCORE_RAMP[theme]
        return [
            [ramp[0], "0"],
            *([colour, ""] for colour in ramp[1:-1]),
            [ramp[-1], f"1  {visiting.title if visiting else state.active or ''}"],
        ]
    used = _site_order(state)
    shown = [
        [class_colour(rank, theme), state.facts.sites[site] or "no site"]
        for rank, site in enumerate(used[:SITES_SHOWN])
    ]
    rest = len(used) - SITES_SHOWN
    return shown + ([[UNNAMED[theme], f"{rest} more sites"]] if rest > 0 else [])


def _site_order(state: State) -> list[int]:
    """Sites by name where they all get a colour, else those with most windows first."""
    assert state.facts is not None
    counts = np.bincount(state.facts.site, minlength=len(state.facts.sites))
    used = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    return sorted(used) if len(used) <= SITES_SHOWN else used
