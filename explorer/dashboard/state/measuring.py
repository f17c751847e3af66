"""Long measurements of what the labels teach: one at a time, the newest, for all who wait.

In a lab the labels change every second, and a measurement takes longer. Whoever asks while one is
under way waits for the next, which is of the newest labels that anyone asked about; all of them
hear of it. Between two of them the server rests, so that measuring takes a share of its time only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from explorer.dashboard.state.learning import Learned

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

RESTS = 9.0
"""Times as long as a measurement took, before the next begins."""

Tell = Callable[[Learned, Any], None]

_known: WeakKeyDictionary[Any, dict[str | None, Measuring]] = WeakKeyDictionary()
_lock = threading.Lock()


class Measuring:
    """The measurements of one run, for all sessions."""

    def __init__(self, measure: Callable[[Learned], Any]) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._waiting: list[tuple[Learned, Tell]] = []
        self._thread: threading.Thread | None = None

    def ask(self, learned: Learned, tell: Tell) -> None:
        """Have it measured; ``tell`` hears what was measured, and what was found or went wrong."""
        with self._lock:
            self._waiting.append((learned, tell))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.name = "explorer-measuring"
                self._thread.start()

    def _work(self) -> None:
        rest_s = 0.0
        while True:
            time.sleep(rest_s)
            with self._lock:
                waiting, self._waiting = self._waiting, []
                if not waiting:
                    self._thread = None
                    return
            newest = max((learned for learned, _ in waiting), key=lambda learned: learned.upto)
            began = time.monotonic()
            try:
                found = self._measure(newest)
            except Exception as error:
                found = error
            rest_s = RESTS * (time.monotonic() - began)
            for _, tell in waiting:
                tell(newest, found)
            del waiting, newest, found


def measuring(
    collection: Collection, run: str | None, measure: Callable[[Learned], Any]
) -> Measuring:
    """The measurements of a run of a collection, the same for all sessions."""
    with _lock:
        return _known.setdefault(collection, {}).setdefault(run, Measuring(measure))
