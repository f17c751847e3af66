"""What a card says of a window, as plain values."""

from __future__ import annotations

from typing import Any

from explorer.dashboard.frame.palette import class_shape
from explorer.dashboard.state.facts import clock
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


def card(
    state: State, row: int, *, position: int = 0, score: float | None = None
) -> dict[str, Any]:
    """A window as a card shows it: where and when it is, and what has been said of it.

    Parameters
    ----------
    position
        Its place in the listing, from 0.
    score
        How well it answers what is looked for; None where that is not known or not told.
    """
    facts = state.facts
    assert facts is not None
    when = facts.when(row)
    return {
        "row": row,
        "n": position + 1,
        "site": facts.site_of(row),
        "recording": facts.recordings[facts.recording[row]],
        "at": clock(float(facts.start_s[row])),
        "seconds": round(float(facts.end_s[row] - facts.start_s[row]), 3),
        "day": f"{when.day} {when:%b}" if when else "",
        "time": f"{when:%H:%M:%S}" if when else "",
        "iso": when.isoformat(timespec="milliseconds") if when else "",
        "score": score,
        "judgement": state.judgement(row),
        "mine": (state.active or "", row) in state.learned.events,
        "reason": "",
    }


def told_score(state: State, row: int) -> float | None:
    """A window's score for the class at hand; in a study nobody is told what is expected."""
    if state.scores is None or state.place == "study":
        return None
    return float(state.scores[row])


def target(state: State) -> dict[str, Any] | None:
    """The class at hand: its name and its sign."""
    active = state.active_class
    if active is None:
        return None
    return {"name": active.name, "style": active.style, "shape": class_shape(active.style)}


def row_of(state: State, row: Any) -> int:
    """A row that a browser names, if there is such a window."""
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < state.n_windows:
        raise ParameterError(f"there is no window {row!r}")
    return row
