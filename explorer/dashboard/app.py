"""The screen: one factory that makes it, for a notebook's cell and for a served page alike.

Three places, one sentence. Left: what I am looking for. Middle: where it is, and below it how sure
and when. Right: what it sounds like.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import holoviews as hv
import panel as pn
import param

from explorer.dashboard.activity import WhenPanel
from explorer.dashboard.background import Desk
from explorer.dashboard.classify import ClassesPanel, ScorePanel
from explorer.dashboard.facts import WindowFacts, gather
from explorer.dashboard.gallery import Gallery
from explorer.dashboard.header import Header
from explorer.dashboard.map import MapView
from explorer.dashboard.palette import theme_css
from explorer.dashboard.pictures import Pictures
from explorer.dashboard.piece import Piece, asset
from explorer.dashboard.preview import Preview
from explorer.dashboard.projecting import ensure_map
from explorer.dashboard.state import State
from explorer.dashboard.trust import Watch

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

NOTEBOOK_HEIGHT_PX = 820

LEFT: dict[str, Any] = {"styles": {"flex": "0 0 17%"}, "min_width": 208, "max_width": 260}
RIGHT: dict[str, Any] = {"styles": {"flex": "0 0 35.5%"}, "min_width": 380, "max_width": 720}

desks: WeakKeyDictionary[Any, Desk] = WeakKeyDictionary()
"""The desk of each served document, for errors that no view caught."""


@dataclass(frozen=True)
class Shared:
    """What all sessions of a run have in common, read-only."""

    facts: WindowFacts
    pictures: Pictures


class Welcome(Piece):
    """In place of everything, where there is nothing to look at yet: what to do."""

    _esm = asset("dom.js", "welcome.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "welcome.css")]

    headline = param.String()
    text = param.String()
    command = param.String()


def make_app(
    collection: Collection,
    *,
    user: str | None = None,
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
    run
        Encoder run to look at; None is the collection's current one.
    theme
        ``auto`` follows the person's last choice, or else the notebook's or the system's theme.
    height
        Height in a notebook, in pixels; a served page fills the window.
    home, log_out
        Addresses for the header, where there are such pages.

    Returns
    -------
    panel.Column
        Show it as the last line of a cell, or serve it (`explorer.dashboard.serve`).

    Examples
    --------
    >>> make_app(reef, user="ada")                          # doctest: +SKIP
    """
    served = _is_served()
    if not served:
        _load_for_notebook()
    run = run or collection.run
    shared = _shared(collection, run) if run is not None else None
    state = State(
        collection,
        user=user or _login_name(),
        run=run,
        facts=shared.facts if shared else None,
        theme="dark" if theme == "dark" else "light",
    )
    desk = Desk(state)
    state.background = desk.run
    if pn.state.curdoc is not None:
        desks[pn.state.curdoc] = desk
    header = Header(
        state,
        desk,
        home=home,
        log_out=log_out,
        follow=theme == "auto",
        height=54,
        sizing_mode="stretch_width",
        margin=0,
    )
    body = _places(state, desk, shared) if shared else _welcome(state, desk)
    root = pn.Column(
        header,
        body,
        css_classes=["explorer-app", state.theme],
        stylesheets=[theme_css(), asset("app.css")],
        margin=0,
        sizing_mode="stretch_both" if served else "stretch_width",
        **({"styles": {"height": "100vh"}} if served else {"height": height}),
    )

    def retheme(*_: Any) -> None:
        root.css_classes = ["explorer-app", state.theme]

    state.param.watch(retheme, ["theme"])
    root.state = state  # type: ignore[attr-defined]  # for whoever holds the app in a notebook
    return root


def _places(state: State, desk: Desk, shared: Shared) -> Any:
    fill: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}
    where = MapView(state, desk)
    _make_map(state, desk, where)
    middle = pn.Column(
        where,
        pn.Row(
            ScorePanel(state, desk, css_classes=["place"], **fill),
            WhenPanel(state, desk, css_classes=["place"], **fill),
            css_classes=["below"],
            stylesheets=[asset("app.css")],
            styles={"flex": "none"},
            **fill,
        ),
        css_classes=["middle"],
        stylesheets=[asset("app.css")],
        **fill,
    )
    left = pn.Column(
        ClassesPanel(state, desk, **fill),
        Preview(state, desk, sizing_mode="stretch_width", margin=0),
        stylesheets=[asset("app.css")],
        **LEFT,
        **fill,
    )
    gallery = Gallery(
        state,
        desk,
        shared.pictures,
        **RIGHT,
        **fill,
    )
    _learn(state, desk)
    return pn.Row(
        left, middle, gallery, css_classes=["places"], stylesheets=[asset("app.css")], **fill
    )


def _make_map(state: State, desk: Desk, where: MapView) -> None:
    def start() -> None:
        where.chrome.stop = ensure_map(state, desk)

    where.chrome.start = start
    start()


def _learn(state: State, desk: Desk) -> None:
    """Read the labels that are there; warm up what the first judgement will need."""
    Watch(state, desk)
    prepare: Callable[[], Any] = lambda: state.collection.prepared(state.run)  # noqa: E731
    if desk.attached:
        state.refresh()
        desk.run(prepare, lambda _: None, "")
    else:
        state.refresh()


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
        command = f'explorer embed "{path}"'
    else:
        headline = "No recordings yet"
        text = "Point the collection at a folder of recordings. They stay where they are."
        command = f'explorer embed "{path}" --audio FOLDER'
    return Welcome(
        state,
        desk,
        headline=headline,
        text=text,
        command=command,
        sizing_mode="stretch_both",
        margin=0,
    )


def _shared(collection: Collection, run: str) -> Shared:
    key = f"explorer/{collection.path}/{run}/{collection.n_windows(run)}"
    made: Shared = pn.state.as_cached(
        key, lambda: Shared(gather(collection.index(run)), Pictures(collection, run))
    )
    return made


def _is_served() -> bool:
    document = pn.state.curdoc
    return bool(document is not None and document.session_context)


def _load_for_notebook() -> None:
    """Have the notebook carry all of JavaScript itself: field stations have no internet."""
    hv.extension("bokeh", inline=True, logo=False)
    pn.extension(inline=True)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"
