"""Check: how far a classifier can be trusted, and what comes next.

Left: the classes. Middle: how well the active one is found, what is mixed up, and labels that look
wrong. Right: three doors to what comes next.
"""

from __future__ import annotations

from typing import Any

import panel as pn

from explorer.dashboard.check.carrying import Carrying
from explorer.dashboard.check.chart import Chart
from explorer.dashboard.check.counting import Counting
from explorer.dashboard.check.doors import Doors
from explorer.dashboard.check.doubts import Doubts
from explorer.dashboard.check.standing import Standing
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.frame.shared import Shared
from explorer.dashboard.frame.tabs import places
from explorer.dashboard.state.state import State

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
LEFT: dict[str, Any] = {"styles": {"flex": "0 0 17%"}, "min_width": 208, "max_width": 260}
RIGHT: dict[str, Any] = {"styles": {"flex": "0 0 31%"}, "min_width": 340, "max_width": 520}


def make(state: State, desk: Desk, shared: Shared) -> Any:
    """Lay the screen out."""
    style = asset("check-screen.css")
    middle = pn.Column(
        Chart(state, desk, **WIDE),
        Doubts(state, desk, shared.pictures, **WIDE),
        css_classes=["pile"],
        stylesheets=[style],
        **FILL,
    )
    right = pn.Column(
        Doors(state, desk, **WIDE),
        Counting(state, desk, shared.pictures, **WIDE),
        Carrying(state, desk, **WIDE),
        css_classes=["pile"],
        stylesheets=[style],
        **RIGHT,
        **FILL,
    )
    left = Standing(state, desk, **LEFT, **FILL)
    return places(state, desk, {"Classes": left, "Trust": middle, "What next": right}, first=1)
