"""What all sessions that look at one run have in common, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import panel as pn

from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.facts import WindowFacts, gather

if TYPE_CHECKING:
    from explorer.collection.collection import Collection


@dataclass(frozen=True)
class Shared:
    """Facts about the windows of a run, and their pictures and sounds."""

    facts: WindowFacts
    pictures: Pictures


def run_with_windows(collection: Collection, run: str | None) -> str | None:
    """The run asked for, or else the newest one, of those in which there is something to see."""
    runs = collection.runs
    seen = runs.loc[runs["windows"] > 0, "run"].tolist()
    return run if run in seen else next(reversed(seen), None)


def shared(collection: Collection, run: str) -> Shared:
    """Made by the first session that asks, and given to all others."""
    key = f"explorer/{collection.path}/{run}/{collection.n_windows(run)}"
    made: Shared = pn.state.as_cached(
        key, lambda: Shared(gather(collection.index(run)), Pictures(collection, run))
    )
    return made
