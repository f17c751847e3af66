"""Against guessing passwords: whoever fails often has to wait, longer each time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

FREE = 5
"""Failures before one has to wait."""
LONGEST_S = 900.0
FORGOTTEN_S = 3600.0
MOST_KEPT = 10_000
PER_PLACE = 30
"""Failures of one address, whatever the names, before it has to wait: a classroom shares one."""


class Guessing:
    """Failures by address and name, and by address; kept in memory.

    A name alone never locks: else a stranger could lock its owner out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def wait_s(self, place: str, name: str) -> float:
        """Seconds until this address may try this name again; 0 for now."""
        return max(self._wait((place, name), FREE), self._wait(place, PER_PLACE))

    def failed(self, place: str, name: str) -> None:
        """Count a failure."""
        now = self._clock()
        for key in ((place, name), place):
            count = self._count(key, now)
            self._failed[key] = (count + 1, now)
            self._failed.move_to_end(key)
        while len(self._failed) > MOST_KEPT:
            self._failed.popitem(last=False)

    def succeeded(self, place: str, name: str) -> None:
        """Forget the failures of who has come in, and one of her address."""
        self._failed.pop((place, name), None)
        count, last = self._failed.get(place, (0, 0.0))
        if count:
            self._failed[place] = (count - 1, last)

    def _wait(self, key: Hashable, free: int) -> float:
        now = self._clock()
        count = self._count(key, now)
        if count < free:
            return 0.0
        _, last = self._failed[key]
        delay = min(LONGEST_S, 2.0 ** min(count - free + 1, 20))
        return max(0.0, last + delay - now)

    def _count(self, key: Hashable, now: float) -> int:
        count, last = self._failed.get(key, (0, now))
        return 0 if now - last > FORGOTTEN_S else count
