"""Together: a lab labels as one.

Left: who labelled what, who is here, and how far they agree. Right: windows on which they do not,
to listen to and decide.
"""

from __future__ import annotations

from typing import Any

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.shared import Shared
from explorer.dashboard.frame.tabs import places
from explorer.dashboard.state.state import State
from explorer.dashboard.together.people import People
from explorer.dashboard.together.queue import Queue
from explorer.dashboard.together.round import Round

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}
LEFT: dict[str, Any] = {"styles": {"flex": "0 0 38%"}, "min_width": 380}


def make(state: State, desk: Desk, shared: Shared) -> Any:
    """Lay the screen out."""
    round_ = Round(state, desk)
    people = People(state, desk, round_, **LEFT, **FILL)
    queue = Queue(state, desk, shared.pictures, round_, **FILL)
    return places(state, desk, {"People": people, "To decide": queue})
