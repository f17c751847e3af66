"""Two threads for many people: everyone's work is taken in turn, one piece from each.

A page of sixty pictures that one person asked for then delays another person's sound by two
pictures and not by sixty.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)

WORKERS = 2


class Turns:
    """Work waiting for a thread, by the person who waits for it."""

    def __init__(self, workers: int = WORKERS, name: str = "explorer-turns") -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._waiting: OrderedDict[Hashable, deque[Callable[[], Any]]] = OrderedDict()
        self._lock = Lock()

    def ask(self, who: Hashable, work: Callable[[], Any], *, first: bool = False) -> None:
        """Have work done; ``first`` puts it before all else that this person waits for."""
        with self._lock:
            mine = self._waiting.setdefault(who, deque())
            if first:
                mine.appendleft(work)
            else:
                mine.append(work)
        self._pool.submit(self._next)

    def forget(self, who: Hashable) -> None:
        """Let go of what a person has not got yet and no longer wants."""
        with self._lock:
            self._waiting.pop(who, None)

    def _next(self) -> None:
        with self._lock:
            if not self._waiting:
                return  # it was forgotten
            who, mine = next(iter(self._waiting.items()))
            work = mine.popleft()
            if mine:
                self._waiting.move_to_end(who)
            else:
                del self._waiting[who]
        try:
            work()
        except Exception:
            log.exception("drawing or reading sound")
