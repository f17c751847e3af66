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


def shared(collection: Collection, run: str) -> Shared:
    """Made by the first session that asks, and given to all others."""
    key = f"explorer/{collection.path}/{run}/{collection.n_windows(run)}"
    made: Shared = pn.state.as_cached(
        key, lambda: Shared(gather(collection.index(run)), Pictures(collection, run))
    )
    return made
