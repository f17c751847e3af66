"""Curves as HoloViews objects: to lay over each other, and beside a notebook's own plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import holoviews as hv

from explorer.dashboard.frame.palette import CLASS_COLOURS

if TYPE_CHECKING:
    from explorer.collection.curve import Curve

WIDTH_PX, HEIGHT_PX = 520, 300
DRAWN = (("precision", "solid"), ("recall", "dashed"))
"""Told apart by dashes, so that colour is left for telling classes and classifiers apart."""


def plot(of: Curve, style: int = 0) -> hv.Overlay:
    """Precision and recall against the threshold, each with its interval.

    Parameters
    ----------
    style
        Number of a class colour, 0 to 7: another one for each curve of an overlay.

    Examples
    --------
    >>> plot(old.curve("grunt"), 0) * plot(new.curve("grunt"), 1)         # doctest: +SKIP
    """
    if not hv.extension._loaded:
        hv.extension("bokeh", inline=True, logo=False)
    colour = CLASS_COLOURS["light"][style % len(CLASS_COLOURS["light"])]
    parts = []
    for name, dash in DRAWN:
        known = of.table.dropna(subset=[name])
        low, high = f"{name}_low", f"{name}_high"
        band = hv.Area(known, "threshold", [low, high], label=f"{of.class_}: {name}")
        line = hv.Curve(known, "threshold", name, label=f"{of.class_}: {name}")
        parts += [
            band.opts(color=colour, fill_alpha=0.12, line_alpha=0),
            line.opts(color=colour, line_dash=dash, line_width=2),
        ]
    return hv.Overlay(parts).opts(
        width=WIDTH_PX,
        height=HEIGHT_PX,
        ylim=(0, 1.02),
        xlim=(0, 1),
        ylabel="share",
        legend_position="right",
        title=of.class_,
    )
