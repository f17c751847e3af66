"""Two encoders side by side: which windows of two runs are of the same sound.

Windows of two encoders may differ in length and hop. The window of the other run that holds the
middle of a window is its twin; what is selected or coloured in one map is so in the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.dashboard.explore.colouring import OUT, Colouring

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.windows import WindowIndex

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Twins:
    """The other run's map, and the window of this run for each of its windows.

    ``twin`` is int64 [n of the other run], -1 where this run has no such sound.
    """

    xy: NDArray[np.float32]
    twin: Rows

    def here(self, rows: NDArray[np.integer]) -> Rows:
        """Windows of this run for windows of the other."""
        found = self.twin[rows]
        return np.unique(found[found >= 0])

    def there(self, rows: Rows) -> tuple[Rows, Rows]:
        """Windows of the other run for windows of this, and which of these each one is of."""
        wanted = np.zeros(int(self.twin.max(initial=-1)) + 2, dtype=bool)
        wanted[rows[rows < len(wanted) - 1]] = True  # the last one stands for no twin
        found = np.flatnonzero(wanted[self.twin])
        return found, self.twin[found]

    def one(self, row: int | None) -> int | None:
        """A window of the other run for one of this."""
        if row is None:
            return None
        found = np.flatnonzero(self.twin == row)
        return int(found[0]) if len(found) else None

    def colours(self, of_this: Colouring) -> Colouring:
        """The colours of one run's windows, on the other run's."""
        code = np.append(of_this.code, np.uint8(OUT))[self.twin]
        return replace(of_this, code=code)


def twins(collection: Collection, run: str | None, other: str) -> Twins:
    """Find them; the other map is made if it is not there. May run in a thread."""
    xy = collection.projection(run=other)
    if xy is None:
        xy = collection.project(run=other, progress=False)
    return Twins(xy, match(collection.index(run), collection.index(other)))


def match(index: WindowIndex, other: WindowIndex) -> Rows:
    """The window of ``index`` that holds the middle of each window of ``other``; -1 for none."""
    order = np.lexsort((index.start_s, index.recording_id))
    starts = index.start_s[order]
    recordings = index.recording_id[order]
    middle = (other.start_s + other.end_s) / 2
    # One number that grows with recording, then time: a recording is shorter than the step.
    step = float(max(index.end_s.max(initial=0), other.end_s.max(initial=0))) + 1.0
    at = np.searchsorted(recordings * step + starts, other.recording_id * step + middle, "right")
    found = order[np.maximum(at - 1, 0)]
    fits = (
        (at > 0)
        & (index.recording_id[found] == other.recording_id)
        & (middle < index.end_s[found] + 1e-6)
    )
    return np.where(fits, found, -1).astype(np.int64)
