"""What all sessions that look at one run have in common, read-only."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from explorer.dashboard.frame.pictures import Pictures
from explorer.dashboard.state.facts import WindowFacts, gather

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

_shared: WeakKeyDictionary[Collection, dict[str, Shared]] = WeakKeyDictionary()
_making = threading.Lock()


@dataclass(frozen=True)
class Shared:
    """A run as it is now, facts about its windows, and their pictures and sounds."""

    collection: Collection
    facts: WindowFacts
    pictures: Pictures


def run_with_windows(collection: Collection, run: str | None) -> str | None:
    """The run asked for, or else the newest one, of those in which there is something to see."""
    runs = collection.runs
    seen = runs.loc[runs["windows"] > 0, "run"].tolist()
    return run if run in seen else next(reversed(seen), None)


def shared(collection: Collection, run: str) -> Shared:
    """Made by the first session that asks, and given to all others.

    A run that got more windows in the meantime is another one; sessions that look at the old one
    keep it.
    """
    with _making:
        of_runs = _shared.setdefault(collection, {})
        made = of_runs.get(run)
        if made is None or len(made.facts) != collection.n_windows(run):
            held = collection.held(run)
            made = of_runs[run] = Shared(held, gather(held.index(run)), Pictures(held, run))
    return made
