"""What was made once is kept for all sessions while there is room; the least used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by their keys, made when first asked for.

    Threads that ask for the same thing at once wait for one making of it.

    Examples
    --------
    >>> squares = Kept(1000, size=lambda made: 8)
    >>> squares.get(12, lambda: 12 * 12)
    144
    """

    def __init__(self, most_bytes: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most_bytes, size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, Future[T]] = {}
        self._lock = Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, or else is made now; an error in the making is raised."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            others = self._making.get(key)
            if others is None:
                mine: Future[T] = Future()
                self._making[key] = mine
        if others is not None:
            return others.result()
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._kept[key] = made
            self.bytes += self._size(made)
            while self.bytes > self._most and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self.bytes -= self._size(gone)
        mine.set_result(made)
        return made
