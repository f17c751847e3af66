"""What colour each window has on the map, and what the colours mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.dashboard.frame.palette import (
    CLASS_COLOURS,
    HOUR_RAMP,
    SCORE_RAMP,
    UNNAMED,
    Theme,
    class_colour,
)
from explorer.dashboard.state.layers import Layer
from explorer.dashboard.state.state import State

SITES_SHOWN = 7
"""More sites than this share the last colour: nobody can tell twenty colours apart."""

OUT = 255
"""Code of a window that the filter leaves out; `assets/canvas.js` draws it as a faint trace."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """One colour per window: ``colours[code]``; ``code`` is uint8 [n_windows], `OUT` for none.

    ``ordered`` where a higher code is to lie on top of a lower one.
    """

    by: str
    code: NDArray[np.uint8]
    colours: tuple[str, ...]
    ordered: bool = False

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Colouring)
            and self.colours == other.colours
            and np.array_equal(self.code, other.code)
        )

    __hash__ = None  # type: ignore[assignment]


def colouring(state: State) -> Colouring:
    """The colours of all windows as the state wants them."""
    made = _colouring(state)
    if state.kept is None:
        return made
    code = np.where(state.kept, made.code, np.uint8(OUT))
    return Colouring(made.by, code, made.colours, made.ordered)


def _colouring(state: State) -> Colouring:  # noqa: PLR0911 - one for each way to colour
    theme: Theme = state.theme
    none = UNNAMED[theme]
    by, facts = state.colour_by, state.facts
    if facts is None:
        return Colouring(by, np.zeros(0, dtype=np.uint8), (none,))
    layer = state.layers.get(by)
    if layer is not None:
        return _of_layer(layer, theme)
    if by == "site":
        used = _site_order(state)
        place = np.full(len(facts.sites), min(len(used), SITES_SHOWN), dtype=np.uint8)
        for rank, site in enumerate(used[:SITES_SHOWN]):
            place[site] = rank
        colours = [class_colour(i, theme) for i in range(min(len(used), SITES_SHOWN))]
        return Colouring("site", place[facts.site], (*colours, none))
    if by == "hour":
        # A time that is not known has no hour.
        code = np.nan_to_num(facts.hour, nan=len(HOUR_RAMP)).astype(np.uint8)
        return Colouring("hour", code, (*HOUR_RAMP, none))
    if by == "score":
        scores = state.scores if state.visiting is None else state.visiting.scores
        return _ramp("score", scores, len(facts), theme)
    if by == "class":
        styles = state.assigned()
        colours = [class_colour(i, theme) for i in range(int(styles.max(initial=-1)) + 1)]
        return Colouring("class", (styles + 1).astype(np.uint8), (none, *colours), ordered=True)
    return Colouring(by, np.zeros(len(facts), dtype=np.uint8), (none,))


def _ramp(by: str, values: Any, n: int, theme: Theme) -> Colouring:
    ramp = SCORE_RAMP[theme]
    if values is None:
        return Colouring(by, np.zeros(n, dtype=np.uint8), (UNNAMED[theme],))
    steps = np.clip(np.nan_to_num(values) * len(ramp), 0, len(ramp) - 1)
    return Colouring(by, steps.astype(np.uint8), ramp, ordered=by == "score")


def _of_layer(layer: Layer, theme: Theme) -> Colouring:
    if layer.codes is None:
        assert layer.values is not None
        return _ramp(layer.name, layer.values, len(layer.values), theme)
    # Kinds beyond the palette begin it again: their names tell them apart.
    colours = CLASS_COLOURS[theme]
    code = np.where(layer.codes < 0, 0, layer.codes % len(colours) + 1)
    return Colouring(layer.name, code.astype(np.uint8), (UNNAMED[theme], *colours))


def legend(state: State) -> list[list[str]]:  # noqa: PLR0911 - one for each way to colour
    """Pairs of colour and words; empty where the screen says it already."""
    theme: Theme = state.theme
    by = state.colour_by
    if state.facts is None or by == "class":
        return []
    if by == "hour":
        return [[HOUR_RAMP[hour], f"{hour:02d} h"] for hour in (0, 3, 6, 9, 12, 15, 18, 21)]
    layer = state.layers.get(by)
    if layer is not None:
        return _legend_of(layer, theme)
    if by == "score":
        visiting = state.visiting
        if state.scores is None and visiting is None:
            return [[UNNAMED[theme], "no class has a score yet"]]
        return _ramp_legend("0", f"1  {visiting.title if visiting else state.active or ''}", theme)
    if by != "site":
        return []
    used = _site_order(state)
    shown = [
        [class_colour(rank, theme), state.facts.sites[site] or "no site"]
        for rank, site in enumerate(used[:SITES_SHOWN])
    ]
    rest = len(used) - SITES_SHOWN
    return shown + ([[UNNAMED[theme], f"{rest} more sites"]] if rest > 0 else [])


def _legend_of(layer: Layer, theme: Theme) -> list[list[str]]:
    if layer.codes is None:
        return _ramp_legend("none", "all", theme)
    if layer.places is not None:  # the names stand on the map
        return []
    colours = CLASS_COLOURS[theme]
    sizes = layer.sizes()
    shown = [
        [colours[i % len(colours)], f"{name} · {sizes[i]:,}"]
        for i, name in enumerate(layer.names[: len(colours)])
    ]
    rest = len(layer.names) - len(shown)
    return shown + ([[UNNAMED[theme], f"{rest} more, in the same colours"]] if rest > 0 else [])


def _ramp_legend(low: str, high: str, theme: Theme) -> list[list[str]]:
    ramp = SCORE_RAMP[theme]
    return [[ramp[0], low], *([colour, ""] for colour in ramp[1:-1]), [ramp[-1], high]]


def _site_order(state: State) -> list[int]:
    """Sites by name where they all get a colour, else those with most windows first."""
    assert state.facts is not None
    counts = np.bincount(state.facts.site, minlength=len(state.facts.sites))
    used = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    return sorted(used) if len(used) <= SITES_SHOWN else used
