"""A view as a cell's output: a still picture at first, and alive once page and kernel have met.

What a kernel sends before the page has drawn a view is lost, and another cell may well change the
state that both look at in that moment. So a cell's output begins as a picture and an empty view,
and the view is filled when the page says that it is there. Where nobody answers (a page on GitHub,
a notebook opened without its kernel) the picture stays.
"""

from __future__ import annotations

import html
import logging
import uuid
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import ref

import panel as pn
import param

from explorer.collection.results import SoundTable
from explorer.dashboard.frame.desk import Desk, notebook_turn
from explorer.dashboard.frame.frontend import WIDGETS, Root, running_cell
from explorer.dashboard.frame.palette import theme_css
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.single.session import Session
from explorer.dashboard.state.state import State

log = logging.getLogger(__name__)

_shown: dict[Any, tuple[int, list[tuple[ref[View], set[str]]]]] = {}
"""By cell: the number of its last run, and which views it showed then, in which Bokeh roots."""

FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}


class Cell(Piece):
    """In a cell from the first: it hears that the page is there, and says what went wrong."""

    _esm = asset("dom.js", "cell.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "cell.css")]

    still = param.String(doc="Name of the still picture, which goes once the kernel answers.")
    awake = param.Boolean()
    follow = param.Boolean(doc="Whether the theme is the notebook's.")
    theme = param.String()
    busy = param.String()
    notice = param.Dict(default=None, allow_None=True)

    def __init__(self, state: State, desk: Desk, met: Callable[[], None], **params: Any) -> None:
        super().__init__(state, desk, theme=state.theme, **params)
        self._met = met
        state.param.watch(self._update, ["notice", "busy", "theme"])

    def do_alone(self) -> None:
        """Page and kernel have met, and the page lacks the view."""
        self.awake = False  # it may have been reloaded
        self._met()
        self._update(at_once=True)
        self.awake = True

    def do_theme(self, dark: bool) -> None:
        """The notebook is dark, or light."""
        self.state.theme = "dark" if dark else "light"

    def do_dismiss(self, number: int) -> None:
        """A notice was read."""
        self.state.dismiss(number)

    def _update(self, *_: Any, at_once: bool = False) -> None:
        if not (self.awake or at_once or self.desk.served) and self.desk.attached:
            return  # nobody would hear it
        state, notice = self.state, self.state.notice
        said = None if notice is None else vars(notice)
        self.param.update(notice=said, busy=state.busy, theme=state.theme)


class View(Root):
    """One view of a collection or a classifier, for a cell; any Panel layout takes it too.

    Parameters
    ----------
    session
        What it shares with the views in other cells.
    make
        Makes what is shown.
    still
        Makes the picture of it, as HTML.
    tall
        Height in pixels.
    follow
        Whether its theme is the notebook's.
    """

    def __init__(
        self,
        session: Session,
        make: Callable[[Session], Any],
        still: Callable[[Session], str],
        *,
        tall: int,
        follow: bool = True,
        **params: Any,
    ) -> None:
        self._session, self._make, self._picture, self._tall = session, make, still, tall
        self._watching: list[Any] = []
        self._filled = False
        state, desk = session.state, session.desk
        super().__init__(
            css_classes=["explorer-app", state.theme],
            stylesheets=[theme_css(), asset("single.css")],
            margin=0,
            sizing_mode="stretch_width",
            **params,
        )
        name = f"still-{uuid.uuid4().hex[:12]}"
        self._cell = Cell(
            state, desk, self._fill, still=name, follow=follow, margin=0, height=0,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.append(self._cell)
        self.is_heard = lambda: bool(self._cell.awake)
        state.param.watch(self._retheme, ["theme"])
        if desk.served or not desk.attached:
            self._fill()

    @property
    def state(self) -> State:
        """What this and all linked views are about."""
        return self._session.state

    @property
    def selected(self) -> SoundTable:
        """The windows that are selected now, as a table that plays; its index holds their numbers.

        Examples
        --------
        >>> m = reef.map()                                   # doctest: +SKIP
        >>> reef.classifier({"grunt": m.selected.index})     # doctest: +SKIP
        """
        collection, state = self._session.collection, self.state
        table = state.collection.windows(state.selection, state.run)
        return SoundTable.of(table.drop(columns="recording_id", errors="ignore"), collection)

    def __repr__(self, *_: Any) -> str:
        return f"<View of {self.state.collection.name} ({self.state.run})>"

    def _fill(self) -> None:
        if self._filled:  # the page was reloaded
            shown = self.objects
            self._lay([self._cell], None)
            self._lay(shown, self._tall)
            return
        self._filled = True
        before = {id(watcher) for watcher in _watchers(self.state)}
        shown = self._make(self._session)
        self._watching = [w for w in _watchers(self.state) if id(w) not in before]
        self._lay([shown, self._cell], self._tall)

    def _lay(self, objects: list[Any], height: int | None) -> None:
        now = {"objects": objects, "height": height, "css_classes": self._classes()}
        if pn.config.comms in WIDGETS:
            with self.at_once():
                self.param.update(**now)
        else:
            self.param.update(**now)

    def _classes(self) -> list[str]:
        return ["explorer-app", self.state.theme]

    def _retheme(self, *_: Any) -> None:
        if self._filled:
            self.css_classes = self._classes()

    def _cleanup(self, root: Any = None) -> None:
        """The cell was run again, or is gone: what stood there need not be kept up to date."""
        super()._cleanup(root)
        if self._models or not self._filled or self._session.desk.served:
            return
        for watcher in self._watching:
            self.state.param.unwatch(watcher)
        self._filled, self._watching = False, []
        self._cell.awake = False
        self.param.update(objects=[self._cell], height=None)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        with notebook_turn:
            before = set(self._models)
            bundle = super()._repr_mimebundle_(include, exclude)
            _take_place(self, set(self._models) - before)
        if not isinstance(bundle, tuple) or self._filled:
            return bundle
        data, metadata = bundle
        try:
            picture = self._picture(self._session)
        except Exception:  # a picture less is no reason to show nothing
            log.exception("drawing the still picture of a view")
            return bundle
        name = html.escape(self._cell.still)
        still = f'<div data-explorer-still="{name}">{picture}</div>'
        return {**data, "text/html": still + data.get("text/html", "")}, metadata


def _take_place(view: View, drawn: set[str]) -> None:
    """Let go of what the running cell showed when it ran before: nobody can see it any more.

    JupyterLab does not always tell that an output is gone.
    """
    cell, run = running_cell()
    if _shown.get(cell, (run,))[0] != run:
        for old, roots in _shown.pop(cell)[1]:
            if (there := old()) is not None:
                for root in roots & set(there._models):
                    pn.state._views.pop(root, None)
                    there._cleanup(there._models[root][0])
    _shown.setdefault(cell, (run, []))[1].append((ref(view), drawn))


def _watchers(state: State) -> list[Any]:
    """All that watch a state now, each once."""
    by_parameter = state.param.watchers.values()
    found = {id(w): w for kinds in by_parameter for watchers in kinds.values() for w in watchers}
    return list(found.values())
