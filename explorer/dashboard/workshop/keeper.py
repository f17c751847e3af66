"""Writes answers down, off the event loop: many at once in one transaction, in their order.

A commit waits for the disk. Were each of thirty answers to wait for its own, on a slow laptop all
would wait for each other; so one thread takes whatever lies there and commits it together.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.collection.exercises import Exercise

log = logging.getLogger(__name__)

Kept = Callable[[Exception | None], None]
"""Called in the keeper's thread, when an answer is written or could not be: it must not wait."""


@dataclass(frozen=True)
class Waiting:
    """An answer on its way to the catalogue, and who wants to know when it is there."""

    exercise: Exercise
    who: str
    clip: int
    answer: str
    kept: Kept


class Keeper:
    """One thread and what lies before it; what was put in is written even if the program ends."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Waiting | threading.Event] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._work, name="explorer-workshop-keeper", daemon=True
        )
        self._thread.start()
        atexit.register(self.flush)

    def put(self, answer: Waiting) -> None:
        """Have an answer written down soon."""
        self._queue.put(answer)

    def flush(self, limit_s: float = 10.0) -> None:
        """Wait until all that was put in so far is written."""
        written = threading.Event()
        self._queue.put(written)
        written.wait(limit_s)

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            answers = [item for item in batch if isinstance(item, Waiting)]
            # Usually all of one exercise; at a change of exercise of two.
            outcome = {
                exercise: self._write([item for item in answers if item.exercise is exercise])
                for exercise in dict.fromkeys(item.exercise for item in answers)
            }
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
            # Last, as whoever waits for the writing may hold what these ask for.
            for item in answers:
                item.kept(outcome[item.exercise])

    def _write(self, answers: list[Waiting]) -> Exception | None:
        exercise = answers[0].exercise
        try:
            exercise.answer_all([(item.who, item.clip, item.answer) for item in answers])
        except Exception as error:
            log.exception("%d answers could not be kept", len(answers))
            return error
        return None
