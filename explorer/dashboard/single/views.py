"""The views, each for a cell of its own: the map, the sounds, and when they are heard."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Literal

import panel as pn

from explorer.dashboard.activity.heard import Heard
from explorer.dashboard.activity.heat import HeatMap
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.explore.map import MapView
from explorer.dashboard.frame.frontend import load
from explorer.dashboard.frame.jobs import ensure_map, want_layer
from explorer.dashboard.frame.piece import asset
from explorer.dashboard.single.session import Session, session
from explorer.dashboard.single.sounds import Closer, Given, Sounds
from explorer.dashboard.single.stills import map_still, sounds_still, when_still
from explorer.dashboard.single.view import FILL, View
from explorer.dashboard.state.state import COLOURS_BY
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection

MAP_HEIGHT_PX = 520
SOUNDS_HEIGHT_PX = 560
WHEN_HEIGHT_PX = 460
CLASSES_WIDTH_PX = 220

Theme = Literal["auto", "light", "dark"]


def show_map(
    of: Collection | Classifier,
    *,
    colour_by: str | None = None,
    height: int = MAP_HEIGHT_PX,
    user: str | None = None,
    run: str | None = None,
    theme: Theme = "auto",
) -> View:
    """The map in a cell: draw around windows, and linked cells play them; see `Collection.map`.

    Raises
    ------
    ParameterError
        If nothing is embedded yet, or it cannot be coloured by that.
    """
    if colour_by is not None and colour_by not in COLOURS_BY:
        raise ParameterError(f"a map is coloured by one of {', '.join(COLOURS_BY)}")
    shared = _begin(of, user, run, theme)
    if colour_by is not None:

        def colour() -> None:
            shared.state.colour_by = colour_by
            want_layer(shared.state, shared.desk, colour_by)

        if shared.desk.attached and not shared.desk.served:
            shared.state.colour_by = colour_by
            shared.desk.soon(colour)
        else:
            colour()

    def make(shared: Session) -> Any:
        where = MapView(shared.state, shared.desk)
        ensure_map(shared.state, shared.desk)
        return where

    return View(shared, make, map_still, tall=height, follow=theme == "auto")


def show_sounds(
    of: Collection | Classifier,
    sounds: Any = None,
    *,
    title: str | None = None,
    classes: bool = True,
    height: int = SOUNDS_HEIGHT_PX,
    user: str | None = None,
    run: str | None = None,
    theme: Theme = "auto",
) -> View:
    """Sounds in a cell, to look at, play and judge; see `Collection.listen`.

    Raises
    ------
    ParameterError
        If nothing is embedded yet, or those are no sounds.
    """
    shared = _begin(of, user, run, theme)
    assert shared.state.facts is not None
    given = None if sounds is None else Given.of(shared.state.facts, sounds, title)

    def make(shared: Session) -> Any:
        gallery = Sounds(shared, given, min_width=320, **FILL)
        beside = ClassesPanel(
            shared.state,
            shared.desk,
            css_classes=["beside"],
            width=CLASSES_WIDTH_PX,
            visible=classes,
            sizing_mode="stretch_height",
            margin=0,
        )
        style = asset("single.css")
        row = pn.Row(beside, gallery, css_classes=["sounds"], stylesheets=[style], **FILL)
        closer = Closer(shared, gallery, height=0, sizing_mode="stretch_width", margin=0)
        return pn.Column(row, closer, css_classes=["single"], stylesheets=[style], **FILL)

    def still(shared: Session) -> str:
        return sounds_still(shared, shared.state.listing() if given is None else given.rows)

    return View(shared, make, still, tall=height, follow=theme == "auto")


def show_when(
    of: Collection | Classifier,
    *,
    class_: str | None = None,
    height: int = WHEN_HEIGHT_PX,
    user: str | None = None,
    run: str | None = None,
    theme: Theme = "auto",
) -> View:
    """Days and hours in a cell: brush them, and linked cells follow; see `Collection.when`.

    Raises
    ------
    ParameterError
        If nothing is embedded yet, or there is no such class.
    """
    shared = _begin(of, user, run, theme)
    if class_ is not None:
        if class_ not in [one.name for one in shared.state.classes]:
            raise ParameterError(f"there is no class {class_!r}")
        shared.desk.soon(shared.state.activate, class_)

    def make(shared: Session) -> Any:
        return HeatMap(shared.state, shared.desk, _Counted(shared.state, shared.desk), **FILL)

    return View(shared, make, when_still, tall=height, follow=theme == "auto")


class _Counted(Heard):
    """Counts at all times: a cell is seen whichever screen is open."""

    def _seen(self) -> bool:
        return True


def _begin(of: Collection | Classifier, user: str | None, run: str | None, theme: Theme) -> Session:
    """The session that the cells share; the first of them has the notebook load what it needs."""
    shared = session(of, user=user or _login_name(), run=run)
    if not shared.desk.served:
        load()
    if theme != "auto":
        shared.state.theme = theme
    return shared


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"
