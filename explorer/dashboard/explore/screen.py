"""Explore: three places, one sentence.

Left: what I am looking for. Middle: where it is, and below it how sure and when. Right: what it
sounds like.
"""

from __future__ import annotations

from typing import Any

import panel as pn

from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.explore.gallery import Gallery
from explorer.dashboard.explore.map import MapView
from explorer.dashboard.explore.score import ScorePanel
from explorer.dashboard.explore.when import WhenPanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import ensure_map
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.frame.shared import Shared
from explorer.dashboard.frame.tabs import places
from explorer.dashboard.state.state import State

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}
LEFT: dict[str, Any] = {"styles": {"flex": "0 0 17%"}, "min_width": 208, "max_width": 260}
RIGHT: dict[str, Any] = {"styles": {"flex": "0 0 35.5%"}, "min_width": 380, "max_width": 720}


def make(state: State, desk: Desk, shared: Shared) -> Any:
    """Lay the screen out."""
    where = MapView(state, desk)
    ensure_map(state, desk)
    style = asset("app.css")
    below = pn.Row(
        ScorePanel(state, desk, css_classes=["place"], **FILL),
        WhenPanel(state, desk, css_classes=["place"], **FILL),
        css_classes=["below"],
        stylesheets=[style],
        styles={"flex": "none"},
        **FILL,
    )
    left = ClassesPanel(state, desk, **LEFT, **FILL)
    middle = pn.Column(where, below, css_classes=["middle"], stylesheets=[style], **FILL)
    sounds = Gallery(state, desk, shared.pictures, **RIGHT, **FILL)
    return places(state, desk, {"Classes": left, "Map": middle, "Sounds": sounds}, first=1)
