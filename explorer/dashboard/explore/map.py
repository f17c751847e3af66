"""Middle: where it is. Every window a point, its class a colour and a shape; drawn round to select.

The browser draws all windows itself (`assets/canvas.js`), from two bytes for each coordinate, sent
once, and one for the colour, sent when colours change: so the map moves and zooms at once, with a
million windows too, and Python is asked only which windows lie within what was drawn.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import panel as pn
import param
from numpy.typing import NDArray
from panel.viewable import Viewer

from explorer.dashboard.explore.beside import Twins, twins
from explorer.dashboard.explore.colouring import Colouring, colouring, legend
from explorer.dashboard.explore.within import inside, map_limits, places
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import MAP, Status, board, ensure_map, want_layer
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.facts import describe_selection
from explorer.dashboard.state.layers import NOTES, TRUST
from explorer.dashboard.state.state import COLOURS_BY, State
from explorer.errors import ParameterError

MOST_ON_TOP = 2_000
"""So many windows are drawn with a shape or a ring: more could not be told apart."""

MOST_CORNERS = 4_000
NOTHING_FOUND: dict[str, Any] = {
    "found": b"",
    "found_styles": b"",
    "found_examples": b"",
    "found_shapes": [],
}


class MapPiece(Piece):
    """One map with its tools; a second one may show another encoder's, linked to the first."""

    _esm = asset("dom.js", "canvas.js", "map.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "map.css")]

    points = param.Bytes(default=b"", doc="uint16 [n, 2], shares of the map's width and height.")
    codes = param.Bytes(default=b"", doc="uint8 [n]: index into colours; 255 is left out.")
    colours = param.List(default=["#888888"])
    ordered = param.Boolean()
    # Bytes, as of a list bokeh looks at every number, at each click.
    found = param.Bytes(default=b"", doc="uint32: rows of windows that are drawn with a shape.")
    found_styles = param.Bytes(default=b"", doc="uint8: the style of each of them.")
    found_examples = param.Bytes(default=b"", doc="uint8: whether each is an example.")
    found_shapes = param.List(doc="The shape of each style.")
    marks = param.Bytes(
        default=b"", doc="uint32: rows of selected windows, a sample where there are many."
    )
    focus = param.Integer(default=None, allow_None=True)
    torn = param.List(doc="[row, row] of true neighbours that lie apart on this map.")
    labels = param.List(doc="Names of places: name, x, y, n, code.")

    title = param.String(doc="Of a second map: whose it is.")
    closable = param.Boolean()
    colour_by = param.String()
    colours_by = param.List(default=[[by, NOTES.get(by, "")] for by in COLOURS_BY])
    legend = param.List(doc="[colour, text] of what the colours mean.")
    ramp = param.Boolean(doc="Whether the legend is of a scale.")
    meaning = param.String(doc="What the colours say, in a sentence.")
    selected = param.Integer()
    emptied = param.Integer(doc="Counts gestures that held no window: their outline goes.")
    sentence = param.String()
    progress = param.Number(default=None, allow_None=True)
    doing = param.String()
    making = param.String()
    ready = param.Boolean()
    windows = param.Integer()
    beside = param.List(doc="[run, words] of the other encoders' runs.")
    other = param.String(doc="Which of them is shown beside this map.")

    def __init__(
        self, state: State, desk: Desk, *, run: str | None = None, linked: Twins | None = None,
        **params: Any,
    ) -> None:  # fmt: skip
        super().__init__(state, desk, **params)
        self._run = run or state.run
        self._linked = linked
        self._xy: Any = None
        self._behind = False
        self.open_beside: Any = None
        runs = state.collection.runs
        if linked is None and "run" in runs:
            self.beside = [
                [str(row.run), f"{row.windows:,} windows"]
                for row in runs.itertuples()
                if row.run != state.run
            ]
        state.param.watch(self._draw, ["xy"])
        coloured_by = ["colour_by", "theme", "learned", "classes", "active", "visiting", "kept"]
        state.param.watch(self._recolour, [*coloured_by, "layers"])
        state.param.watch(self._mark, ["selection", "focus", "colour_by", "layers"])
        state.param.watch(self._follow, ["jobs"])
        self._draw()
        self._follow()
        if linked is None:  # a link may have opened the map in these colours
            want_layer(state, desk, state.colour_by)

    # --- what the person does ---------------------------------------------------------------

    def do_select(self, corners: list[list[float]], add: bool = False) -> None:
        """Select what lies within a shape drawn on the map."""
        drawn = np.asarray(corners[:MOST_CORNERS], dtype=np.float64)
        if self._xy is None or drawn.ndim != 2 or drawn.shape[1] != 2 or len(drawn) < 3:
            raise ParameterError("that is no shape on the map")
        low, high = map_limits(self._xy)
        self._choose(inside(self._xy, low + drawn * (high - low)), add)
        if not len(self.state.selection):
            self.emptied += 1

    def do_tap(self, row: int, add: bool = False) -> None:
        """Select one window."""
        if not isinstance(row, int) or not 0 <= row < self.windows:
            raise ParameterError(f"there is no window {row!r}")
        self._choose(np.array([row]), add)

    def do_label(self, code: int) -> None:
        """Select all windows of one named place."""
        layer = self.state.layers.get(self.state.colour_by)
        if layer is not None and layer.codes is not None:
            self.state.select(layer.rows_of(int(code)))

    def do_clear(self) -> None:
        """Let go of the selection."""
        self.state.select([])

    def do_colour(self, by: str) -> None:
        """Colour by something else; what is not there yet is made."""
        self.state.colour_by = by
        want_layer(self.state, self.desk, by)

    def do_beside(self, run: str) -> None:
        """Show another encoder's map beside this one, or no more."""
        if run and run not in [name for name, _ in self.beside]:
            raise ParameterError(f"there is no run {run!r} here")
        self.other = run
        self.open_beside(run)

    def do_close(self) -> None:
        """Close the second map."""
        self.open_beside("")

    def do_stop(self) -> None:
        """Stop making the map, or the layer."""
        for job in self._jobs():
            board(self.state.collection).stop(job.kind)

    def do_start(self) -> None:
        """Make the map after all."""
        ensure_map(self.state, self.desk)

    def _choose(self, rows: NDArray[np.integer], add: bool) -> None:
        if self._linked is not None:
            rows = self._linked.here(rows)
        self.state.select(np.union1d(self.state.selection, rows) if add else rows)

    # --- what is shown ----------------------------------------------------------------------

    def _draw(self, *_: Any) -> None:
        xy = self.state.xy if self._linked is None else self._linked.xy
        self._xy = xy
        self.param.update(
            points=b"" if xy is None else places(xy),
            ready=xy is not None,
            windows=self.state.n_windows if xy is None else len(xy),
        )
        if xy is not None:
            self._paint()
            self._mark()

    def _recolour(self, *_: Any) -> None:
        if self._xy is None:
            self._say()
        elif not self._behind:  # several things change in one turn: one picture for all
            self._behind = True
            self.desk.soon(self._paint)

    def _paint(self) -> None:
        self._behind = False
        now = colouring(self.state)
        if self._linked is not None:
            now = self._linked.colours(now)
        self.param.update(
            codes=now.code.tobytes(),
            colours=list(now.colours),
            ordered=now.ordered,
            **self._found(),
        )
        self._say()

    def _found(self) -> dict[str, Any]:
        """Windows of a class, in its colour and shape; examples are drawn larger."""
        state = self.state
        if state.colour_by != "class" or not state.classes:
            return NOTHING_FOUND
        styles = state.assigned()
        rows = state.kept_of(np.flatnonzero(styles >= 0))
        if len(rows) > MOST_ON_TOP:
            best = state.learned.scores[rows].max(axis=1)
            rows = rows[np.argpartition(-best, MOST_ON_TOP)[:MOST_ON_TOP]]
        origin = rows
        if self._linked is not None:
            rows, origin = self._linked.there(rows)
        kinds = styles[origin]
        examples = np.array([row for c in state.classes for row in c.positives], dtype=np.int64)
        return {
            "found": rows.astype(np.uint32).tobytes(),
            "found_styles": kinds.astype(np.uint8).tobytes(),
            "found_examples": np.isin(origin, examples).astype(np.uint8).tobytes(),
            "found_shapes": [class_shape(style) for style in range(int(kinds.max(initial=-1)) + 1)],
        }

    def _mark(self, *events: Any) -> None:
        """Rings around the selected windows and the one in focus; lines to its torn neighbours."""
        if self._xy is None:
            return
        state = self.state
        focus = state.focus if self._linked is None else self._linked.one(state.focus)
        shown: dict[str, Any] = {"focus": focus}
        # The focus goes from card to card with a key held down.
        if not events or any(event.name != "focus" for event in events):
            chosen: Any = state.selection
            if len(chosen) > MOST_ON_TOP:
                chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_ON_TOP).astype(np.int64)]
            if self._linked is not None:
                chosen = self._linked.there(chosen)[0]
            facts = state.facts
            shown |= {
                "marks": chosen.astype(np.uint32).tobytes(),
                "selected": len(state.selection),
                "sentence": "" if facts is None else describe_selection(facts, state.selection),
            }
        self.param.update(**shown)
        if self._linked is None:
            self._tear()

    def _tear(self) -> None:
        """Where trust is shown: the true neighbours of the window in focus that lie far away."""
        state, row = self.state, self.state.focus
        if state.colour_by != TRUST or TRUST not in state.layers or row is None:
            self.torn = []
            return
        collection, run = state.collection, state.run
        self.desk.run(
            lambda: collection.torn(row, run=run),
            lambda far: setattr(self, "torn", [[row, int(other)] for other in far]),
            "",
        )

    def _say(self) -> None:
        state = self.state
        layer = state.layers.get(state.colour_by)
        self.param.update(
            colour_by=state.colour_by,
            legend=legend(state),
            ramp=state.colour_by in ("score", TRUST),
            meaning="" if layer is None else layer.meaning,
            labels=self._places_named() if self._linked is None else [],
        )

    def _places_named(self) -> list[dict[str, Any]]:
        layer = self.state.layers.get(self.state.colour_by)
        if layer is None or layer.places is None or self._xy is None:
            return []
        low, high = map_limits(self._xy)
        at = (layer.places - low) / (high - low)
        sizes = layer.sizes()
        return [
            {
                "name": name,
                "reason": layer.reasons[code] if layer.reasons else "",
                "x": float(x),
                "y": float(y),
                "n": int(sizes[code]),
                "code": code,
            }
            for code, (name, (x, y)) in enumerate(zip(layer.names, at, strict=True))
        ]

    def _jobs(self) -> list[Status]:
        mine = (f"{MAP} {self._run}", *(f"{name} {self._run}" for name in NOTES))
        return [job for job in self.state.jobs if job.kind in mine]

    def _follow(self, *_: Any) -> None:
        for job in self._jobs():
            self.param.update(progress=job.share, doing=job.words, making=job.title)
            return
        self.param.update(progress=None, doing="", making="")


class MapView(Viewer):
    """The map of one session, and beside it, if wanted, another encoder's of the same sounds."""

    def __init__(self, state: State, desk: Desk) -> None:
        super().__init__()
        self.state, self.desk = state, desk
        self.map = MapPiece(state, desk, **_FILL)
        self.map.open_beside = self._beside
        self._layout = pn.Row(
            self.map,
            css_classes=["maps"],
            stylesheets=[asset("app.css")],
            min_height=160,
            **_FILL,
        )

    def __panel__(self) -> Any:
        return self._layout

    def _beside(self, run: str) -> None:
        self.map.other = run
        self._layout.objects = [self.map]
        if not run:
            return
        state, desk = self.state, self.desk

        def show(linked: Twins) -> None:
            if self.map.other != run:  # closed meanwhile
                return
            second = MapPiece(
                state, desk, run=run, linked=linked, title=run, closable=True, **_FILL
            )
            second.open_beside = self._beside
            self._layout.objects = [self.map, second]

        desk.run(lambda: twins(state.collection, state.run, run), show, "Reading the other map")


_FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "margin": 0}


__all__ = ["Colouring", "MapPiece", "MapView", "inside", "map_limits", "places"]
