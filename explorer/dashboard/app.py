"""The dashboard: one factory that makes it, for a notebook's cell and for a served page alike.

Every screen has one purpose and is made when it is first opened; all of them look at one `State`,
and what it filters, selects and undoes holds for all.
"""

from __future__ import annotations

import getpass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import panel as pn
import param

from explorer.dashboard.explore.closer import CloserLook
from explorer.dashboard.frame import address
from explorer.dashboard.frame.address import Address
from explorer.dashboard.frame.connection import Connection, alive_at
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.filterbar import FilterBar
from explorer.dashboard.frame.frontend import Root, load
from explorer.dashboard.frame.header import Header
from explorer.dashboard.frame.jobchip import JobChip
from explorer.dashboard.frame.jobs import follow, get_ready
from explorer.dashboard.frame.palette import theme_css
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.frame.shared import Shared, run_with_windows, shared
from explorer.dashboard.serving.live import join
from explorer.dashboard.state.state import SCREENS, State
from explorer.dashboard.state.trust import Watch

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

NOTEBOOK_HEIGHT_PX = 820

WITHOUT_EMBEDDINGS = ("recordings",)
"""Screens that have something to show before anything is embedded."""

desks: WeakKeyDictionary[Any, Desk] = WeakKeyDictionary()
"""The desk of each served document, for errors that no view caught."""


class Welcome(Piece):
    """In place of a screen, where there is nothing to look at yet: what to do."""

    _esm = asset("dom.js", "welcome.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "welcome.css")]

    headline = param.String()
    text = param.String()
    begin = param.String(doc="What the button says; empty where somebody else has to begin.")
    command = param.String()

    def do_begin(self) -> None:
        """Go where recordings are added and embedded."""
        self.state.screen = "recordings"


def make_app(
    collection: Collection,
    *,
    user: str | None = None,
    role: str = "owner",
    run: str | None = None,
    theme: Literal["auto", "light", "dark"] = "auto",
    height: int = NOTEBOOK_HEIGHT_PX,
    home: str = "",
    log_out: str = "",
) -> Any:
    """Make the dashboard of a collection for one session.

    Parameters
    ----------
    collection
        An open collection. Embed it first; where the map is missing it is made in the background.
    user
        Under which name labels are written; by default the login name.
    role
        ``viewer`` looks, ``annotator`` labels, ``owner`` embeds and saves as well.
    run
        Encoder run to look at; None is what the page's address says, or the current one.
    theme
        ``auto`` follows the person's last choice, or else the notebook's or the system's theme.
    height
        Height in a notebook, in pixels; a served page fills the window.
    home, log_out
        Addresses for the header, where there are such pages.

    Returns
    -------
    panel.Column
        Show it as the last line of a cell, or serve it (`explorer.dashboard.serving.serve`).

    Examples
    --------
    >>> make_app(reef, user="ada")                          # doctest: +SKIP
    """
    served = _is_served()
    if not served:
        load()
    root = Root(
        css_classes=["explorer-app", "dark" if theme == "dark" else "light"],
        stylesheets=[theme_css(), asset("app.css")],
        margin=0,
        sizing_mode="stretch_both" if served else "stretch_width",
        **({"styles": {"height": "100vh"}} if served else {"height": height}),
    )
    asked = address.read()
    header = {"home": home, "log_out": log_out, "follow": theme == "auto"}

    def fill(run: str | None, view: dict[str, str]) -> None:
        """Make all for a run; also when the person goes over to another one."""
        run = run_with_windows(collection, run)
        known = shared(collection, run) if run is not None else None
        state = State(
            known.collection if known else collection,
            user=user or _login_name(),
            role=role,
            run=run,
            facts=known.facts if known else None,
            theme=root.css_classes[-1],
        )
        _fill(root, state, known, header, view, fill)

    fill(run or address.run_in(asked, collection), asked)
    return root


def _fill(
    root: Any,
    state: State,
    known: Shared | None,
    header: dict[str, Any],
    view: dict[str, str],
    again: Any,
) -> None:
    desk = Desk(state)
    state.background, state.later = desk.run, desk.later
    if pn.state.curdoc is not None:
        document = pn.state.curdoc
        desks[document] = desk
        # The desk knows its document, so that neither would ever be let go.
        desk.at_end(lambda: desks.pop(document, None))
    follow(state, desk)
    join(state, desk)
    root.state = state  # for whoever holds the app in a notebook
    root.is_heard = lambda: desk.is_open
    body = pn.Column(
        css_classes=["body"], stylesheets=[asset("app.css")], sizing_mode="stretch_both", margin=0
    )
    wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
    top: list[Any] = [
        pn.Row(
            Header(state, desk, switch=lambda run: again(run, {}), height=54, **header, **wide),
            JobChip(state, desk, margin=0),
            css_classes=["top"],
            stylesheets=[asset("app.css")],
            height=54,
            **wide,
        )
    ]
    if known is not None:
        top.append(FilterBar(state, desk, height=40, **wide))
        top.append(CloserLook(state, desk, known.pictures, height=0, **wide))
    screens: dict[str, Any] = {}

    def show(*_: Any) -> None:
        if state.screen not in screens:
            screens[state.screen] = _screen(state, desk, known)
            body.append(screens[state.screen])
        for name, screen in screens.items():
            screen.visible = name == state.screen

    def retheme(*_: Any) -> None:
        root.css_classes = ["explorer-app", state.theme]

    address.restore(state, view)
    show()
    if desk.served:
        top.append(Connection(state, desk, alive=alive_at(), margin=0))
        top.append(Address(state, desk, anew=not view, margin=0))
    root.objects = [*top, body]
    state.param.watch(show, ["screen"])
    state.param.watch(retheme, ["theme"])
    state.param.watch(lambda event: again(event.new, {}), ["open_run"])
    if known is not None:
        Watch(state, desk)
        state.refresh(**address.view_of(view))
        get_ready(state, desk)


def preload() -> None:
    """Import every screen, before the first page is sent.

    A page is told at its beginning what kinds of pieces there are. Panel tells of those that come
    later only the first session that uses one: the screens of all others would stay empty.
    """
    for name in SCREENS:
        if find_spec(f"explorer.dashboard.{name}") is not None:
            import_module(f"explorer.dashboard.{name}.screen")


def _screen(state: State, desk: Desk, known: Shared | None) -> Any:
    if known is None and state.screen not in WITHOUT_EMBEDDINGS:
        return _welcome(state, desk)
    return import_module(f"explorer.dashboard.{state.screen}.screen").make(state, desk, known)


def _welcome(state: State, desk: Desk) -> Any:
    recordings = len(state.collection.recordings)
    path = state.collection.path.name
    if recordings:
        headline = f"{recordings:,} recordings, and no embeddings yet"
        text = (
            "An encoder has to listen to them once: it turns every few seconds of sound into "
            "numbers that can be compared. Then there is a map here. It can be stopped and "
            "started again at any time."
        )
        begin, command = "Choose an encoder", f'explorer embed "{path}"'
    else:
        headline = "No recordings yet"
        text = "Point the collection at a folder of recordings. They stay where they are."
        begin, command = "Add recordings", f'explorer embed "{path}" --audio FOLDER'
    return Welcome(
        state,
        desk,
        headline=headline,
        text=text,
        begin=begin if state.may("owner") else "",
        command=command,
        sizing_mode="stretch_both",
        margin=0,
    )


def _is_served() -> bool:
    document = pn.state.curdoc
    return bool(document is not None and document.session_context)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"


__all__ = ["SCREENS", "make_app"]
