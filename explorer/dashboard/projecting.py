"""A map that is missing is made in the background, once for all who look at it.

One projection runs at a time per server: UMAP takes all cores that it is given. Everybody who has
the collection open sees the same progress, and the last one who leaves does not stop it: the map is
kept on disk for the next visit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from explorer.dashboard.background import Desk
from explorer.dashboard.state import State
from explorer.space.projection import ProjectionCancelled

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

_worker = ThreadPoolExecutor(1, thread_name_prefix="explorer-map")
_lock = threading.Lock()
_jobs: dict[tuple[str, str], Job] = {}

WAITING = "waiting for another map to be finished"
STOPPED = "The map was not made. Press “make the map” when you want it."


class Job:
    """The making of one map, and those who wait for it."""

    def __init__(self, collection: Collection, run: str) -> None:
        self._collection, self._run = collection, run
        self._watchers: list[tuple[Callable[..., None], Callable[..., None]]] = []
        self._last: tuple[float, str] = (0.0, WAITING)
        self.cancel = threading.Event()
        self._future = _worker.submit(self._work)

    def watch(self, progress: Callable[..., None], done: Callable[..., None]) -> None:
        """Be told of progress (share, words) and of the end (coordinates, error)."""
        with _lock:
            self._watchers.append((progress, done))
        progress(*self._last)

    def _work(self) -> None:
        xy, error = None, None
        try:
            xy = self._collection.project(
                run=self._run, on_progress=self._progress, cancel=self.cancel
            )
        except Exception as caught:
            error = caught
        with _lock:
            _jobs.pop(_key(self._collection, self._run), None)
            watchers = list(self._watchers)
        for _, done in watchers:
            done(xy, error)

    def _progress(self, share: float, words: str = "") -> None:
        self._last = (share, words)
        for progress, _ in list(self._watchers):
            progress(share, words)


def ensure_map(state: State, desk: Desk) -> Callable[[], None]:
    """Have the map made for this state; gives what stops it."""
    if state.run is None or state.xy is not None:
        return lambda: None
    if not desk.attached:  # nobody to come back to: make it here and now
        state.xy = state.collection.project(run=state.run)
        return lambda: None
    key = _key(state.collection, state.run)
    with _lock:
        job = _jobs.get(key)
        if job is None:
            job = _jobs[key] = Job(state.collection, state.run)

    def progress(share: float, words: str = "") -> None:
        desk.soon(partial(state.param.update, progress=share, doing=words))

    def done(xy: Any, error: Exception | None) -> None:
        desk.soon(_finish, state, xy, error)

    job.watch(progress, done)
    return job.cancel.set


def _finish(state: State, xy: Any, error: Exception | None) -> None:
    if isinstance(error, ProjectionCancelled):
        state.param.update(progress=None, doing=STOPPED)
    elif error is not None:
        state.param.update(progress=None, doing=str(error))
        raise error
    else:
        state.param.update(progress=None, doing="", xy=xy)


def _key(collection: Collection, run: str) -> tuple[str, str]:
    return (str(collection.path), run)
