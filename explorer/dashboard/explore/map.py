"""Middle: where it is. The projection, coloured, with lasso, box and tap.

Up to `MOST_POINTS` windows are drawn as points. Above, datashader draws all of them as a picture
that is made anew for every zoom, and only the windows that matter now (found, labelled, selected)
are points on top: a hybrid that stays quick at a million windows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import datashader as ds
import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
import param
from bokeh.models import BoxSelectTool, LassoSelectTool, PanTool, WheelZoomTool
from holoviews.operation.datashader import datashade, dynspread
from numpy.typing import NDArray
from panel.viewable import Viewer
from scipy.spatial import cKDTree

from explorer.dashboard.explore.colouring import COLOUR_KEY, Colouring, colouring, legend
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import MAP, Status, board, ensure_map
from explorer.dashboard.frame.palette import THEMES, class_colour, class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.facts import describe_selection
from explorer.dashboard.state.state import COLOURS_BY, State

MOST_POINTS = 20_000
MOST_ON_TOP = 2_000
# Datashader looks for the least count of a view in which there is nothing to count.
warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning, "datashader")

FIGURE_NAME = "explorer-map"
TAP_REACH = 0.03
"""A tap picks the nearest window within this share of the map that is in view."""


class MapChrome(Piece):
    """What lies on the map: colours, tools, the selection's sentence, progress."""

    _esm = asset("dom.js", "map.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "map.css")]

    colour_by = param.String()
    colours = param.List(default=list(COLOURS_BY))
    legend = param.List(doc="[colour, text] of what the colours mean.")
    selected = param.Integer()
    emptied = param.Integer(doc="Counts gestures that held no window: their outline goes.")
    sentence = param.String()
    progress = param.Number(default=None, allow_None=True)
    doing = param.String()
    ready = param.Boolean()
    windows = param.Integer()
    figure = param.String(default=FIGURE_NAME)

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        state.param.watch(
            self._update, ["colour_by", "selection", "theme", "xy", "active", "visiting"]
        )
        state.param.watch(self._follow, ["jobs"])
        self._update()
        self._follow()

    def do_colour(self, by: str) -> None:
        """Colour by something else."""
        self.state.colour_by = by

    def do_clear(self) -> None:
        """Let go of the selection."""
        self.state.select([])

    def do_stop(self) -> None:
        """Stop making the map."""
        for job in self._jobs():
            board(self.state.collection).stop(job.kind)

    def do_start(self) -> None:
        """Make the map after all."""
        ensure_map(self.state, self.desk)

    def _jobs(self) -> list[Status]:
        return [job for job in self.state.jobs if job.kind == f"{MAP} {self.state.run}"]

    def _update(self, *_: Any) -> None:
        state = self.state
        sentence = "" if state.facts is None else describe_selection(state.facts, state.selection)
        self.param.update(
            colour_by=state.colour_by,
            legend=legend(state),
            selected=len(state.selection),
            sentence=sentence,
            ready=state.xy is not None,
            windows=state.n_windows,
        )

    def _follow(self, *_: Any) -> None:
        for job in self._jobs():
            self.param.update(progress=job.share, doing=job.words)
            return
        self.param.update(progress=None, doing="")


class MapView(Viewer):
    """The map of one session."""

    def __init__(self, state: State, desk: Desk) -> None:
        super().__init__()
        self.state, self.desk = state, desk
        self.chrome = MapChrome(state, desk, sizing_mode="stretch_both", styles=_OVER)
        self._pane = pn.pane.HoloViews(
            None, sizing_mode="stretch_both", linked_axes=False, margin=0, min_height=120
        )
        self._layout = pn.Column(
            self._pane,
            self.chrome,
            css_classes=["place"],
            stylesheets=[asset("place.css")],
            sizing_mode="stretch_both",
            margin=0,
            min_height=160,
        )
        self._tree: cKDTree | None = None
        self._behind = False
        self._drawn: Colouring | None = None
        self._view: tuple[float, float] = (1.0, 1.0)
        if state.xy is not None:
            self._draw()
        state.param.watch(self._draw, ["xy"])
        coloured_by = ["colour_by", "theme", "learned", "classes", "active", "visiting"]
        state.param.watch(self._recolour, coloured_by)
        state.param.watch(self._mark, ["selection", "focus", "theme"])

    def __panel__(self) -> Any:
        return self._layout

    # --- the picture ------------------------------------------------------------------------

    def _draw(self, *_: Any) -> None:
        xy = self.state.xy
        if xy is None:
            return
        self._tree = cKDTree(xy)
        low, high = map_limits(xy)
        limits = [(float(low[i]), float(high[i])) for i in (0, 1)]
        self._view = (limits[0][1] - limits[0][0], limits[1][1] - limits[1][0])
        # A point of no size in each layer: HoloViews maps no columns where there is none at all.
        self._unseen = (float(xy[0, 0]), float(xy[0, 1]))
        base_pipe, marks_pipe = hv.streams.Pipe(data=None), hv.streams.Pipe(data=None)
        # Each trigger redraws the overlay: points share a stream. The picture of many windows takes
        # longer, and follows in a turn of its own.
        many = len(xy) > MOST_POINTS
        found_pipe = hv.streams.Pipe(data=None) if many else base_pipe
        self._pipes = {"base": base_pipe, "found": found_pipe, "marks": marks_pipe}
        base = hv.DynamicMap(self._base, streams=[base_pipe])
        if many:
            shade = datashade(
                base, aggregator=ds.count_cat("kind"), color_key=COLOUR_KEY, min_alpha=90
            )
            # The classes panel and the chrome say what the colours mean; a legend here breaks.
            base = dynspread(shade, max_px=3, threshold=0.6).opts(hv.opts.RGB(show_legend=False))
        found = hv.DynamicMap(self._found, streams=[found_pipe])
        marks = hv.DynamicMap(self._marks, streams=[marks_pipe])
        hv.streams.Lasso(source=base).add_subscriber(self._on_lasso)
        hv.streams.BoundsXY(source=base).add_subscriber(self._on_box)
        hv.streams.Tap(source=base).add_subscriber(self._on_tap)
        hv.streams.RangeXY(source=base).add_subscriber(self._on_range)
        plot = (base * found * marks).opts(
            hv.opts.Overlay(
                responsive=True,
                xaxis=None,
                yaxis=None,
                toolbar="disable",  # else every redraw would set the active tool anew
                show_frame=False,
                show_legend=False,
                xlim=limits[0],
                ylim=limits[1],
                bgcolor="rgba(0,0,0,0)",
                hooks=[self._furnish],
                active_tools=[],
                default_tools=[],
            )
        )
        self._pane.object = plot

    def _furnish(self, plot: Any, _element: Any) -> None:
        """Give the figure its tools and its quiet looks, once."""
        figure = plot.state
        if figure.name == FIGURE_NAME:
            return
        figure.name = FIGURE_NAME
        figure.update(
            border_fill_color=None,
            background_fill_color=None,
            outline_line_color=None,
            min_border=0,
            toolbar_location=None,
            stylesheets=[":host, :host * { outline: none !important; }"],
        )
        accent = THEMES["light"]["accent"]
        lasso = LassoSelectTool(continuous=False, persistent=True)
        box = BoxSelectTool(continuous=False, persistent=True)
        for tool in (lasso, box):
            tool.overlay.update(
                fill_color=accent,
                fill_alpha=0.1,
                line_color=accent,
                line_dash=[5, 4],
                line_width=1.5,
            )
        wheel = WheelZoomTool(zoom_on_axis=False)
        pan = PanTool()
        figure.toolbar.tools = [lasso, box, pan, wheel]
        figure.toolbar.active_drag = lasso
        figure.toolbar.active_scroll = wheel

    def _base(self, data: Any) -> Any:
        """All windows: numbers for points, categories for datashader."""
        now = self._drawn = colouring(self.state)
        xy = self.state.xy
        if len(xy) > MOST_POINTS:
            frame = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "kind": now.categories()})
            return hv.Points(frame, ["x", "y"], ["kind"])
        size = float(np.clip(9.5 - 1.35 * np.log10(len(xy)), 3.2, 7.0))
        return hv.Points(
            (xy[:, 0], xy[:, 1], now.code.astype(np.float32)), ["x", "y"], ["kind"]
        ).opts(
            color="kind",
            cmap=list(now.colours),
            clim=(-0.5, len(now.colours) - 0.5),
            size=size,
            fill_alpha=0.75 if now.by != "class" else 0.65,
            line_alpha=0,
            nonselection_alpha=0.75,
            apply_ranges=False,
            default_tools=[],
        )

    def _found(self, data: Any) -> Any:
        """Windows of a class, in its colour and shape; examples larger, with an outline."""
        state = self.state
        unseen = (*self._unseen, "black", "circle", 0.0, "black")
        points: dict[str, list[Any]] = {key: [v] for key, v in zip(_FOUND, unseen, strict=True)}
        if state.colour_by == "class":
            theme = state.theme
            styles = state.assigned()
            rows = np.flatnonzero(styles >= 0)
            if len(rows) > MOST_ON_TOP:
                best = state.learned.scores.max(axis=1)[rows]
                rows = rows[np.argsort(-best, kind="stable")[:MOST_ON_TOP]]
            examples = {row for c in state.classes for row in c.positives}
            edge = THEMES[theme]["text"]
            for row in rows.tolist():
                style, example = int(styles[row]), row in examples
                colour = class_colour(style, theme)
                values = (
                    float(state.xy[row, 0]),
                    float(state.xy[row, 1]),
                    colour,
                    class_shape(style),
                    9.5 if example else 6.5,
                    edge if example else colour,
                )
                for key, value in zip(_FOUND, values, strict=True):
                    points[key].append(value)
        return hv.Points(pd.DataFrame(points, columns=_FOUND), ["x", "y"], _FOUND[2:]).opts(
            color="colour",
            marker=hv.dim("shape"),
            size="size",
            line_color="edge",
            line_width=1,
            fill_alpha=0.92,
            apply_ranges=False,
            default_tools=[],
        )

    def _marks(self, data: Any) -> Any:
        """Rings around the selected windows and the one in focus."""
        state = self.state
        rows = state.selection[:MOST_ON_TOP].tolist()
        sizes = [8.0] * len(rows)
        if state.focus is not None and state.focus < len(state.xy):
            rows.append(state.focus)
            sizes.append(17.0)
        xy = np.vstack([state.xy[np.asarray(rows, dtype=np.int64)], self._unseen])
        frame = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "size": [*sizes, 0.0]})
        return hv.Points(frame, ["x", "y"], ["size"]).opts(
            color="rgba(0,0,0,0)",
            line_color=THEMES[state.theme]["accent"],
            line_width=1.4,
            size="size",
            apply_ranges=False,
            default_tools=[],
        )

    def _recolour(self, *_: Any) -> None:
        if self._pane.object is None:
            return
        self._pipes["found"].send(None)
        if self._pipes["base"] is not self._pipes["found"] and not self._behind:
            self._behind = True
            self.desk.soon(self._catch_up)

    def _catch_up(self) -> None:
        """Make the picture of many windows anew, unless no window has another colour."""
        self._behind = False
        if colouring(self.state) != self._drawn:
            self._pipes["base"].send(None)

    def _mark(self, *events: Any) -> None:
        if self._pane.object is not None:
            self._pipes["marks"].send(None)

    # --- what the person does ---------------------------------------------------------------

    def _on_lasso(self, geometry: Any = None) -> None:
        if geometry is not None and len(geometry) > 2:
            self._guard(lambda: self._select_within(np.asarray(geometry)))

    def _on_box(self, bounds: Any = None) -> None:
        if bounds is not None:
            left, bottom, right, top = bounds
            corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
            self._guard(lambda: self._select_within(corners))

    def _select_within(self, polygon: NDArray[np.floating]) -> None:
        rows = inside(self.state.xy, polygon)
        self.state.select(rows)
        if not len(rows):
            self.chrome.emptied += 1

    def _on_tap(self, x: float | None = None, y: float | None = None) -> None:
        if x is None or y is None or self._tree is None:
            return
        _, row = self._tree.query([x, y])
        away = np.abs(self.state.xy[row] - [x, y]) / self._view
        rows = [int(row)] if away.max() < TAP_REACH else []
        self._guard(lambda: self.state.select(rows))

    def _on_range(self, x_range: Any = None, y_range: Any = None) -> None:
        if x_range and y_range:
            self._view = (abs(x_range[1] - x_range[0]) or 1.0, abs(y_range[1] - y_range[0]) or 1.0)

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self.desk.report(error)


_FOUND = ["x", "y", "colour", "shape", "size", "edge"]
_OVER = {"position": "absolute", "inset": "0", "pointer-events": "none", "z-index": "2"}


def map_limits(xy: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lower left and upper right corner of the map, with room for what lies on it.

    Below lies the selection's sentence, above the tools.
    """
    low, high = xy.min(axis=0).astype(float), xy.max(axis=0).astype(float)
    size = np.maximum(high - low, 1e-3)
    return low - size * (0.05, 0.10), high + size * (0.05, 0.13)


def inside(xy: NDArray[np.floating], polygon: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rows of the points within a polygon (even-odd rule), ascending.

    Parameters
    ----------
    xy
        Points [n, 2].
    polygon
        Corners [k, 2], in order; the last joins the first.

    Examples
    --------
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    >>> inside(np.array([[0.5, 0.5], [2, 2]]), square)
    array([0])
    """
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))
    x, y = xy[near, 0].astype(np.float64), xy[near, 1].astype(np.float64)
    odd = np.zeros(len(near), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return near[odd]


__all__ = ["Colouring", "MapChrome", "MapView", "inside", "map_limits"]
