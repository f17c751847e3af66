"""On a tablet, or at 200 % zoom, the places of a screen become tabs: one at a time, whole.

With more room they lie beside each other, and there are no tabs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import panel as pn
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State


class Tabs(Piece):
    """The row of tabs; it is there only where the places have no room beside each other."""

    _esm = asset("dom.js", "tabs.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "tabs.css")]

    names = param.List(doc="Names of the places, left to right.")
    chosen = param.Integer()

    def do_choose(self, number: int) -> None:
        """Show another place."""
        if not 0 <= int(number) < len(self.names):
            self.chosen = 0
        else:
            self.chosen = int(number)


def places(state: State, desk: Desk, named: dict[str, Any], first: int = 0) -> Any:
    """Lay places out beside each other, or, without the room for that, as tabs.

    Parameters
    ----------
    named
        The places by their names, left to right.
    first
        Which one is shown first, as a tab.
    """
    row = pn.Row(
        *named.values(),
        css_classes=["places", f"shows-{first}"],
        stylesheets=[asset("app.css")],
        sizing_mode="stretch_both",
        margin=0,
    )
    for number, place in enumerate(named.values()):
        place.css_classes = [*place.css_classes, f"place-{number}"]
    tabs = Tabs(
        state,
        desk,
        names=list(named),
        chosen=first,
        css_classes=["tabs"],
        sizing_mode="stretch_width",
        margin=0,
    )

    def show(*_: Any) -> None:
        row.css_classes = ["places", f"shows-{tabs.chosen}"]

    tabs.param.watch(show, ["chosen"])
    # What is drawn around on the map is to be heard.
    if "Sounds" in named:
        sounds = list(named).index("Sounds")

        def follow(event: Any) -> None:
            if event.new in ("selection", "similar", "borderline", "study"):
                tabs.chosen = sounds

        state.param.watch(follow, ["place"])
    return pn.Column(
        tabs,
        row,
        css_classes=["tabbed"],
        stylesheets=[asset("app.css")],
        sizing_mode="stretch_both",
        margin=0,
    )
