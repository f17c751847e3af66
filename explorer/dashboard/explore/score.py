"""Below the map: how sure. Scores as a histogram, the threshold, and how far to trust them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import param

from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.piece import Piece, asset
from explorer.dashboard.state.state import State
from explorer.dashboard.state.trust import between, expected
from explorer.dashboard.state.visiting import leave

BINS = 48


class ScorePanel(Piece):
    """The scores of the active class (of windows that the filter keeps), with its threshold."""

    _esm = asset("dom.js", "score.js")
    _stylesheets: ClassVar[list[str]] = [asset("base.css", "score.css")]

    counts = param.List()
    threshold = param.Number(default=0.5)
    found = param.Integer()
    of = param.Integer(
        default=None, allow_None=True, doc="How many there are without the filter, if there is one."
    )
    yes = param.List(doc="Scores of the examples.")
    no = param.List(doc="Scores of what is not the class.")
    style = param.Integer()
    trust = param.Dict(
        default=None,
        allow_None=True,
        doc="How well it is found: text, note, and whether labels changed since.",
    )
    visiting = param.Boolean(doc="Whether the scores are those of a saved classifier.")

    def __init__(self, state: State, desk: Desk, **params: Any) -> None:
        super().__init__(state, desk, **params)
        state.param.watch(self._update, ["classes", "active", "learned", "visiting", "kept"])
        state.param.watch(self._tell_trust, ["active", "learned", "trust", "visiting", "classes"])
        self._update()
        self._tell_trust()

    def do_threshold(self, value: float) -> None:
        """Count windows from another score on."""
        visiting = self.state.visiting
        if visiting is None:
            self.state.set_threshold(float(value))
        else:
            threshold = float(np.clip(value, 0.0, 1.0))
            self.state.visiting = visiting.counted_from(threshold)

    def do_check(self) -> None:
        """How far can it be trusted, and what next? There is a screen for that."""
        self.state.screen = "check"

    def do_leave(self) -> None:
        """From a saved classifier back to one's own classes."""
        leave(self.state)

    def _tell_trust(self, *_: Any) -> None:
        visiting = self.state.visiting
        if visiting is not None:  # its own labels are elsewhere
            self.trust = {"text": visiting.title, "note": visiting.sentence, "outdated": False}
            return
        trust = self.state.trust
        known = trust.by_class.get(self.state.active or "")
        if known is None:
            self.trust = None
            return
        text, note = known.text, known.note
        told = expected(known.curve, self.state.threshold)
        if told is not None and told["precision"] is not None:
            # The line is short: what the figures rest on stands in the note, and in "Check".
            text = f"{text.split(' in ')[0]} · precision {between(told['precision'])}"
            note = f"{known.text}. {note} Precision at the threshold: {known.curve.sentence}"
        outdated = trust.learned is not self.state.learned
        self.trust = {"text": text, "note": note, "outdated": outdated}

    def _update(self, *_: Any) -> None:
        state, active, visiting = self.state, self.state.active_class, self.state.visiting
        scores = state.scores if visiting is None else visiting.scores
        if scores is None:
            self.param.update(counts=[], yes=[], no=[], found=0, of=None, visiting=False)
            return
        threshold = state.threshold if visiting is None else visiting.threshold
        kept = scores if state.kept is None else scores[state.kept]
        # Not np.histogram: a score of exactly 1 belongs to the last bin, and this is quicker.
        bins = np.clip((kept * BINS).astype(np.int64), 0, BINS - 1)
        examples: dict[str, tuple[int, ...]] = {"yes": (), "no": ()}
        if visiting is None and active is not None:
            examples = {"yes": active.positives, "no": active.negatives}
        self.param.update(
            counts=np.bincount(bins, minlength=BINS).tolist(),
            threshold=threshold,
            found=int(np.count_nonzero(kept >= threshold)),
            of=None if state.kept is None else int(np.count_nonzero(scores >= threshold)),
            style=0 if active is None else active.style,
            visiting=visiting is not None,
            **{
                side: [round(float(scores[row]), 4) for row in rows[:200]]
                for side, rows in examples.items()
            },
        )
