"""Recordings: what is there, and what to look after before counting.

Left: the timeline, and below it what to look after. Right: what can be done, and the recording at
hand. Before anything is embedded this is where one begins.
"""

from __future__ import annotations

from typing import Any

import panel as pn

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.frame.shared import Shared
from explorer.dashboard.recordings.details import Details
from explorer.dashboard.recordings.findings import Findings
from explorer.dashboard.recordings.survey import Survey
from explorer.dashboard.recordings.timeline import Timeline
from explorer.dashboard.recordings.work import Work
from explorer.dashboard.state.state import State

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}


def make(state: State, desk: Desk, shared: Shared | None) -> Any:
    """Lay the screen out."""
    survey = Survey(state, desk)
    style = [asset("app.css"), asset("survey-screen.css")]
    left = pn.Column(
        Timeline(state, desk, survey, css_classes=["timeline"], **FILL),
        Findings(state, desk, survey, css_classes=["findings"], **FILL),
        css_classes=["left"],
        stylesheets=style,
        **FILL,
    )
    right = pn.Column(
        Work(state, desk, survey, css_classes=["work"], sizing_mode="stretch_width", margin=0),
        Details(state, desk, survey, css_classes=["recording"], **FILL),
        css_classes=["right"],
        stylesheets=style,
        **FILL,
    )
    return pn.Row(left, right, css_classes=["places", "survey"], stylesheets=style, **FILL)
