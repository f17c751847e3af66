"""What the labels teach is the same for everybody who looks on: it is learnt once for all sessions.

Thirty people who label would otherwise each fit the same classifier and score the same windows
after each label of anyone. Sessions that ask while it is being learnt wait, and then share what is
newest; what they get is never changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from explorer.collection.labels import examples_of
from explorer.cores import one_core

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

_known: WeakKeyDictionary[Any, dict[str | None, Lessons]] = WeakKeyDictionary()
_tried: WeakKeyDictionary[Any, Tried] = WeakKeyDictionary()
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Lesson:
    """The labels as windows up to an event, and the classifier and scores made of them."""

    upto: int
    labels: pd.DataFrame
    classifier: Any = None
    scores: Any = None


class Lessons:
    """The newest lesson of one run of a collection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Lesson | None = None

    def now(self, collection: Collection, run: str | None) -> Lesson:
        """What the labels teach now."""
        asked = collection.latest_event()
        with self._lock:
            if self._last is not None and asked <= self._last.upto:
                # While one waited, somebody else's lesson took in what one waited for.
                return self._last
            # What is newest by now, so that all who wait are served by it.
            upto = collection.latest_event()
            self._last = _learn(collection, run, upto)
            return self._last


class Tried:
    """Something about a classifier that takes long, found out once for all sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Any = None

    def get(self, find: Callable[[], Any]) -> Any:
        """What was found, or is found now."""
        with self._lock:
            if self._found is None:
                self._found = find()
            return self._found


def lesson(collection: Collection, run: str | None) -> Lesson:
    """What the labels of a collection teach now, the same object for all who ask."""
    with _lock:
        lessons = _known.setdefault(collection, {}).setdefault(run, Lessons())
    return lessons.now(collection, run)


def once(classifier: Any, find: Callable[[], Any]) -> Any:
    """Find something out about a classifier, unless another session did."""
    with _lock:
        tried = _tried.setdefault(classifier, Tried())
    return tried.get(find)


def _learn(collection: Collection, run: str | None, upto: int) -> Lesson:
    labels = collection.label_rows(run=run)
    examples, negatives = examples_of(labels)
    if not examples:
        return Lesson(upto, labels)
    # Of the many small steps of fitting each would wait for the slowest core: it keeps to one.
    fitting = one_core().submit(collection.classifier, examples, negatives=negatives, run=run)
    classifier = fitting.result()
    scores = np.asarray(classifier.scores(), dtype=np.float32)
    scores.flags.writeable = False
    return Lesson(upto, labels, classifier, scores)
