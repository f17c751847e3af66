"""Left: the classes, and in a few words how well each is found."""

from __future__ import annotations

from math import isnan
from typing import Any, ClassVar

import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.records import SoundClass
from explorer.dashboard.state.state import State
from explorer.dashboard.state.trust import ClassTrust, between, expected

FEW = 4
"""Recordings with labels, below which figures are rough."""
GOOD, MANY_WRONG, MANY_MISSED, VAGUE = 0.8, 0.7, 0.6, 0.3
"""Of precision and recall: what is called good, and when one is told to move the threshold; and how
wide an interval says little."""


class Standing(Piece):
    """A compact list: AUC and precision of every class, and what is missing to know them."""

    _esm = asset("dom.js", "check-classes.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "check.css", "check-classes.css")]

    classes = param.List()
    active = param.String(default=None, allow_None=True)
    waiting = param.Boolean(doc="Whether the figures are being worked out.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        state.param.watch(self._update, ["classes", "active", "trust", "learned"])
        self._update()

    def do_activate(self, name: str) -> None:
        """Look at another class."""
        self.state.activate(name)

    def do_explore(self) -> None:
        """To where classes are made."""
        self.state.screen = "explore"

    def _update(self, *_: Any) -> None:
        state, trust = self.state, self.state.trust
        outdated = trust.learned is not state.learned
        self.param.update(
            classes=[
                _in_words(c, trust.by_class.get(c.name)) | {"outdated": outdated}
                for c in state.classes
            ],
            active=state.active,
            waiting=outdated and state.learned.classifier is not None,
        )


def _in_words(of: SoundClass, known: ClassTrust | None) -> dict[str, Any]:
    """What the list says of a class."""
    labels = [f"{len(of.positives)} yes", f"{len(of.negatives)} no"]
    if of.unsure:
        labels.append(f"{len(of.unsure)} unsure")
    told: dict[str, Any] = {
        "name": of.name,
        "style": of.style,
        "shape": class_shape(of.style),
        "labels": " · ".join(labels),
        "auc": "",
        "precision": "",
        "says": "",
        "note": "",
    }
    if not of.positives:
        return told | {"says": "Needs a yes before anything can be said."}
    if known is None:
        return told
    told["note"] = known.note
    curve = known.curve
    if curve is None or isnan(curve.auc.value) or curve.basis == "nothing":
        return told | {"says": known.text}
    auc = curve.auc
    told["auc"] = between({"value": auc.value, "low": auc.low, "high": auc.high})
    found = expected(curve, of.threshold)
    if found is not None and found["precision"] is not None:
        told["precision"] = between(found["precision"])
    told["says"] = verdict(found, auc.low, curve.recordings)
    return told


def verdict(found: dict[str, Any] | None, auc_low: float, recordings: int) -> str:
    """How far one may rely on a class, in a few words.

    Examples
    --------
    >>> precise = {"value": 0.95, "low": 0.9, "high": 1.0}
    >>> verdict({"precision": precise, "recall": precise}, 0.95, 12)
    'Found well'
    >>> vague = {"value": 0.95, "low": 0.5, "high": 1.0}
    >>> verdict({"precision": vague, "recall": precise}, 0.95, 12)
    'Found well as far as is known: few labels'
    """
    precision, recall = (None if found is None else found[name] for name in ("precision", "recall"))
    if recordings < FEW:
        said = f"Rough: labels of {recordings} recordings"
    elif precision is None:
        said = "Nothing labelled is at or above the threshold"
    elif precision["high"] < MANY_WRONG:
        said = "Many detections are wrong: raise the threshold, or say no to some"
    elif precision["low"] >= GOOD and recall is not None and recall["value"] < MANY_MISSED:
        said = "What is found is right, but many are missed: lower the threshold"
    elif precision["high"] - precision["low"] > VAGUE:
        told = "Found well" if precision["value"] >= GOOD else "Found in part"
        said = f"{told} as far as is known: few labels"
    else:
        said = "Found well" if min(precision["low"], auc_low) >= GOOD else "Found in part"
    return said
