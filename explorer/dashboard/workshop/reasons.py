"""Why a clip is what it is: labelled sounds that are most like it, to look at and listen to."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

from explorer.dashboard.workshop.clips import Clips, Place

if TYPE_CHECKING:
    from explorer.collection.exercises import Exercise

log = logging.getLogger(__name__)

MOST = 3


class Reasons:
    """The nearest labelled examples of an exercise's clips, where there are labels to learn from.

    ``found`` holds the examples of each clip that was explained as plain values; ``name`` is what
    the example's picture and sound are called in `Clips`.
    """

    def __init__(self, exercise: Exercise, clips: Clips) -> None:
        self.found: dict[int, list[dict[str, Any]]] = {}
        self._exercise, self._clips = exercise, clips
        self._lock = Lock()

    def explain(self, numbers: Iterable[int]) -> None:
        """Explain some clips, unless they are explained already."""
        with self._lock:
            for number in numbers:
                if number not in self.found:
                    self.found[number] = self._explain(number)

    def _explain(self, number: int) -> list[dict[str, Any]]:
        try:
            found = self._exercise.examples(number, most=MOST)
        except Exception:
            log.exception("clip %d could not be explained", number)
            return []
        examples, places = [], {}
        for row, example in zip(found.index, found.to_dict("records"), strict=True):
            name = f"w{int(row)}"
            places[name] = Place(example["recording"], example["start_s"], example["end_s"])
            where = example["site"] or example["recording"]
            examples.append({"name": name, "label": example["label"], "where": where})
        self._clips.put_up(places)  # before anybody is told of them
        return examples
