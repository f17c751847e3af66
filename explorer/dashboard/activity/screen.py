"""Activity: when and where it is heard.

Left: days and hours, with the sun. Right: the season, and below it the sites. Cut a part out of one
picture, and the others, the map of sounds and the gallery speak of that part alone.
"""

from __future__ import annotations

from typing import Any

import panel as pn

from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.activity.heat import HeatMap
from explorer.dashboard.activity.season import Season
from explorer.dashboard.activity.sitemap import SiteMap
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.frame.shared import Shared
from explorer.dashboard.state.state import State

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}


def make(state: State, desk: Desk, shared: Shared | None) -> Any:
    """Lay the screen out."""
    heard = Heard(state, desk)
    style = [asset("app.css"), asset("activity-screen.css")]
    beside = pn.Column(
        Season(state, desk, heard, css_classes=["season"], **FILL),
        SiteMap(state, desk, heard, css_classes=["sites"], **FILL),
        css_classes=["beside"],
        stylesheets=style,
        **FILL,
    )
    return pn.Row(
        HeatMap(state, desk, heard, css_classes=["heat"], **FILL),
        beside,
        css_classes=["places", "activity"],
        stylesheets=style,
        **FILL,
    )
