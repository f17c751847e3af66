"""Middle: precision and recall against the threshold, the ROC, and what is mixed up."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.curve import Curve

MOST_POINTS = 80
"""Of a ROC curve that is drawn."""
WANTED = (0.8, 0.9, 0.95)
"""Precisions that a threshold is offered for."""


class Chart(Piece):
    """The curve of the active class, with a threshold to take hold of."""

    _esm = asset("dom.js", "check-chart.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "check.css", "check-chart.css")]

    target = param.Dict(default=None, allow_None=True, doc="The active class: name, shape, style.")
    curve = param.Dict(default=None, allow_None=True, doc="What is drawn; see `drawn`.")
    threshold = param.Number(default=0.5)
    found = param.Integer(default=None, allow_None=True, doc="Windows at or above it, if scored.")
    mixed = param.Dict(default=None, allow_None=True, doc="What is missed, and mistaken for it.")
    outdated = param.Boolean(doc="Whether labels changed since.")
    empty = param.String(doc="What to do where there is nothing to draw.")
    wanted = param.List(default=list(WANTED))

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        state.param.watch(self._update, ["classes", "active", "trust", "learned"])
        self._update()

    def do_threshold(self, value: float) -> None:
        """Count windows from another score on."""
        self.state.set_threshold(float(value))

    def do_precision(self, wanted: float) -> None:
        """Move the threshold to where this share of detections is right."""
        curve = self.state.trust.curve(self.state.active)
        if curve is None:
            raise ParameterError("nothing is known of this class yet")
        found = curve.threshold_for(float(wanted))
        if found.message:
            raise ParameterError(found.message)
        self.state.set_threshold(found.value)
        self.state.say(
            f"From {found.value:.3g} on, {100 * found.precision.value:.0f} % of detections are "
            f"right, and {100 * found.recall.value:.0f} % of the calls are found"
        )

    def do_explore(self) -> None:
        """To where classes are made."""
        self.state.screen = "explore"

    def _update(self, *_: Any) -> None:
        state, active = self.state, self.state.active_class
        known = state.trust.by_class.get(state.active or "")
        curve = None if known is None else known.curve
        shown = None if curve is None or curve.basis == "nothing" else drawn(curve)
        self.param.update(
            target=None
            if active is None
            else {
                "name": active.name,
                "style": active.style,
                "shape": class_shape(active.style),
            },
            curve=shown,
            threshold=state.threshold,
            found=None if active is None else active.found,
            mixed=None if shown is None else self._mixed(),
            outdated=state.trust.learned is not state.learned,
            empty=self._empty(known),
        )

    def _empty(self, known: Any) -> str:
        active = self.state.active_class
        if active is None:
            return (
                "There is no class yet. Go to Explore, draw around sounds that are alike, and give "
                "them a name: then it is tested here by itself."
            )
        if not active.positives:
            return f"Say yes to a sound that is {active.name}: then it can be tested."
        if known is None:
            return "Recordings are being left out in turn, to see how well it is found in them."
        message = "" if known.curve is None else known.curve.message
        return " ".join(filter(None, [f"{known.text}.", message]))

    def _mixed(self) -> dict[str, Any] | None:
        """What is confused with the active class at the thresholds as they are now."""
        state, curves = self.state, self.state.trust.curves
        if not curves:
            return None
        thresholds = {c.name: c.threshold for c in state.classes}
        if not set(curves) <= set(thresholds):  # a class has gone since
            return None
        found = curves.mixed_up(thresholds)
        names = list(curves)
        at = names.index(state.active)
        signs = {c.name: {"style": c.style, "shape": class_shape(c.style)} for c in state.classes}

        def told(counts: np.ndarray) -> list[dict[str, Any]]:
            order = np.argsort(-counts, kind="stable")
            return [
                {"windows": int(counts[j]), "name": name, **signs.get(name, {})}
                for j in order
                if counts[j]
                for name in ["" if j == len(names) else names[j]]
            ]

        missed = told(found.missed[at])
        return {
            "found": int(found.found[at]),
            "examples": int(found.found[at]) + sum(part["windows"] for part in missed),
            "missed": missed,
            "mistaken": told(found.mistaken[at]),
        }


def drawn(curve: Curve) -> dict[str, Any]:
    """A curve as plain values that can be drawn; what is not known is None."""
    table, points = curve.table, curve.roc.to_numpy()
    places = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    bins = curve.bins[curve.bins["labels"] > 0]
    auc = curve.auc
    return {
        "thresholds": table["threshold"].round(5).tolist(),
        "precision": _bands(table, "precision"),
        "recall": _bands(table, "recall"),
        "labelled": table["detections"].tolist(),
        "roc": points[np.unique(places)].round(4).tolist(),
        "auc": None if isnan(auc.value) else {"value": auc.value, "low": auc.low, "high": auc.high},
        "bins": bins[["low", "high", "score", "share", "share_low", "share_high", "labels"]]
        .round(4)
        .to_numpy()
        .tolist(),
        "basis": curve.basis,
        "level": curve.level,
        "sentence": curve.sentence,
        "message": curve.message,
        "positives": curve.positives,
        "negatives": curve.negatives,
    }


def _bands(table: pd.DataFrame, name: str) -> list[list[float] | None]:
    rows = table[[name, f"{name}_low", f"{name}_high"]].round(4).to_numpy().tolist()
    return [None if isnan(row[0]) else row for row in rows]
