"""Why a clip is what it is: labelled sounds that are most like it, to look at and listen to."""

from __future__ import annotations

import logging
from threading import Lock
from typing import Any

from explorer.collection.exercises import Exercise
from explorer.dashboard.workshop.clips import Clips, Place

log = logging.getLogger(__name__)

MOST = 3


class Reasons:
    """The nearest labelled examples of an exercise's clips, where there are labels to learn from.

    ``found`` holds the examples of each clip that was explained as plain values; ``name`` is what
    the example's picture and sound are called in `Clips`.
    """

    def __init__(self, exercise: Exercise, clips: Clips) -> None:
        self.found: dict[int, list[dict[str, Any]]] = {}
        # As it is now: a clip may be left out while this one is looked at.
        self._exercise = Exercise(exercise.collection, exercise.name, exercise.about)
        self._clips = clips
        self._lock = Lock()

    def explain(self) -> None:
        """Explain all clips; slow the first time, as embeddings are read."""
        with self._lock:
            for number in range(len(self._exercise.clips)):
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
        self._clips.put_up(places, at_once=False)  # before anybody is told of them
        return examples
