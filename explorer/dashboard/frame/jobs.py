"""Long work of a collection, off the event loop: maps, embedding, health; with bars and a stop.

A `Job` belongs to the collection, not to the session that asked for it: everybody who has the
collection open sees the same bar, and the last one who leaves does not stop it, because what it
makes is kept on disk. One job runs at a time per server, as UMAP takes all cores; beside it one
that takes hours, such as embedding, in a process of lower priority.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from explorer.collection.preparing import is_large
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.state import layers
from explorer.dashboard.state.state import State
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

log = logging.getLogger(__name__)

Report = Callable[[float, str], None]
"""Told the share done (0 to 1) and, in words, what is being done; raises `Stopped` when asked to
stop."""

Work = Callable[[Report, threading.Event], Any]

MAP = "map"
EMBED = "embed"
READY = "ready"
GETTING_READY = "Getting ready to learn from labels"
WAITING = "waiting for other work to be finished"
STOPPING = "stopping"
EVERY_S = 0.25
"""Bars move this often: a screen that is told of each batch has time for nothing else."""

_worker = ThreadPoolExecutor(1, thread_name_prefix="explorer-job")
_long_worker = ThreadPoolExecutor(1, thread_name_prefix="explorer-long-job")
"""For what takes hours, in processes of its own: nobody who waits for a map waits behind it."""

_boards: dict[str, Board] = {}
_lock = threading.Lock()


class Stopped(Exception):
    """Somebody pressed stop."""


@dataclass(frozen=True)
class Status:
    """How far a job is, as the screens show it; ``left_s`` is None while it cannot be told."""

    kind: str
    title: str
    share: float
    words: str
    left_s: float | None = None


class Job:
    """One piece of long work, and those who wait for its end."""

    def __init__(self, board: Board, kind: str, title: str, work: Work, long: bool) -> None:
        self.kind, self.title = kind, title
        self.cancel = threading.Event()
        self.status = Status(kind, title, 0.0, WAITING)
        self._board, self._work = board, work
        self._outcome: tuple[Any, Exception | None] | None = None
        self._ended: list[Callable[[Any, Exception | None], None]] = []
        self._guard = threading.Lock()
        self._began = self._told = 0.0
        self._future = (_long_worker if long else _worker).submit(self._run)

    def at_end(self, ended: Callable[[Any, Exception | None], None]) -> None:
        """Call with the result and None, or with None and the error (`Stopped` among them)."""
        with self._guard:
            if self._outcome is None:
                self._ended.append(ended)
                return
        ended(*self._outcome)

    def _run(self) -> None:
        self._began = time.monotonic()
        result, error = None, None
        try:
            if self.cancel.is_set():
                raise Stopped
            self._report(0.0, "beginning")
            self._told = 0.0  # the next word is news at once
            result = self._work(self._report, self.cancel)
        except Exception as caught:
            error = Stopped() if self.cancel.is_set() else caught
            if not isinstance(error, Stopped | ExplorerError):
                log.exception("%s", self.title)
        self._finish(result, error)

    def stop(self) -> None:
        """Ask it to stop; one that waits for its turn is over at once."""
        self.cancel.set()
        if self._future.cancel():
            self._finish(None, Stopped())
        else:
            self.status = replace(self.status, words=STOPPING, left_s=None)

    def _finish(self, result: Any, error: Exception | None) -> None:
        self._board.end(self)
        with self._guard:
            self._outcome = (result, error)
        for ended in self._ended:
            ended(result, error)

    def _report(self, share: float, words: str = "") -> None:
        if self.cancel.is_set():
            raise Stopped
        now = time.monotonic()
        if now - self._told < EVERY_S and 0 < share < 1:
            return
        self._told = now
        spent = now - self._began
        left = spent * (1 - share) / share if share > 0.02 and spent > 2 else None
        self.status = Status(self.kind, self.title, share, words, left)
        self._board.tell()


class Board:
    """The jobs of one collection, seen by all of its sessions; see `board`."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._watchers: list[Callable[[list[Status]], None]] = []

    def start(self, kind: str, title: str, work: Work, *, long: bool = False) -> Job:
        """Begin a job; one of the same kind that is under way is given instead.

        With ``long`` it waits only for other long ones, and others do not wait for it.
        """
        with _lock:
            job = self._jobs.get(kind)
            if job is None:
                job = self._jobs[kind] = Job(self, kind, title, work, long)
        self.tell()
        return job

    def stop(self, kind: str) -> None:
        """Ask a job to stop; what it has done so far is kept."""
        job = self._jobs.get(kind)
        if job is not None:
            job.stop()
            self.tell()

    def watch(self, watcher: Callable[[list[Status]], None]) -> Callable[[], None]:
        """Be told, from any thread, how all jobs are; gives what ends that."""
        self._watchers.append(watcher)
        watcher(self.statuses)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    @property
    def statuses(self) -> list[Status]:
        """How all jobs are."""
        return [job.status for job in list(self._jobs.values())]

    def tell(self) -> None:
        """Tell everybody."""
        for watcher in list(self._watchers):
            watcher(self.statuses)

    def end(self, job: Job) -> None:
        """The job is over."""
        with _lock:
            self._jobs.pop(job.kind, None)
        self.tell()


def board(collection: Collection) -> Board:
    """The board of a collection, the same for all sessions of this server."""
    with _lock:
        return _boards.setdefault(str(collection.path), Board())


def follow(state: State, desk: Desk) -> None:
    """Keep ``state.jobs`` up to date for as long as the session lasts."""

    def hear(jobs: list[Status]) -> None:
        over = {job.kind for job in state.jobs} - {job.kind for job in jobs}
        state.jobs = jobs
        if EMBED in over:
            look_for_windows(state)

    if desk.attached:
        desk.at_end(board(state.collection).watch(lambda jobs: desk.soon(hear, jobs)))


def look_for_windows(state: State) -> None:
    """Say in ``state.fresh_run`` where there are more windows than this session looks at."""
    collection = state.collection
    newest = collection.run
    # The catalogue knows, also where the collection is held as it was.
    windows = 0 if newest is None else sum(collection.catalogue.embedded(newest).values())
    if windows:
        same = newest == state.run and windows == state.n_windows
        state.fresh_run = None if same else newest


def want_layer(state: State, desk: Desk, name: str) -> None:
    """Have a layer of the map made, unless it is there or is none.

    Clusters are asked for each time: labels may have changed their names since.
    """
    if name not in layers.NOTES or state.run is None or state.xy is None:
        return
    if name in state.layers and name != layers.CLUSTER:
        return
    collection, run = state.collection, state.run

    def finish(made: Any, error: Exception | None) -> None:
        if error is None:
            state.layers = {**state.layers, name: made}
            return
        if state.colour_by == name:
            state.colour_by = "class"
        if not isinstance(error, Stopped):
            raise error

    if not desk.attached:
        finish(layers.make(collection, run, name, lambda share, words: None), None)
        return
    if name == layers.CLUSTER:  # the colours at once; names follow

        def show(quick: Any) -> None:
            if name not in state.layers:
                state.layers = {**state.layers, name: quick}

        desk.run(lambda: layers.quick_clusters(collection, run), show, "")
    job = board(collection).start(
        f"{name} {run}",
        f"Colouring by {name}",
        lambda report, cancel: layers.make(collection, run, name, report),
    )
    job.at_end(lambda made, error: desk.soon(finish, made, error))


def ensure_map(state: State, desk: Desk) -> None:
    """Have the map made for this state, unless it is there."""
    if state.run is None or state.xy is not None:
        return
    collection, run = state.collection, state.run
    if not desk.attached:  # nobody to come back to: make it here and now
        state.xy = collection.project(run=run, progress=False)
        return

    def finish(xy: Any, error: Exception | None) -> None:
        if error is None:
            state.xy = xy
        elif not isinstance(error, Stopped):
            raise error

    job = board(collection).start(
        f"{MAP} {run}",
        f"Drawing the map of {state.n_windows:,} windows",
        lambda report, cancel: collection.project(run=run, progress=report, cancel=cancel),
    )
    job.at_end(lambda xy, error: desk.soon(finish, xy, error))


def get_ready(state: State, desk: Desk) -> None:
    """Have made what the first judgement will need; a job, where that takes longer."""
    collection, run = state.collection, state.run
    if not desk.attached or run is None:
        return
    if not is_large(collection, run):
        ready = partial(collection.prepared, run, progress=False)
        desk.run(ready, lambda _: None, GETTING_READY)
        return

    def finish(_: Any, error: Exception | None) -> None:
        if error is not None and not isinstance(error, Stopped):
            raise error

    def work(report: Report, _cancel: threading.Event) -> None:
        def tell(done: int, total: int) -> None:
            report(done / total, f"{done:,} of {total:,} windows")

        collection.prepared(run, progress=tell)

    job = board(collection).start(f"{READY} {run}", GETTING_READY, work)
    job.at_end(lambda made, error: desk.soon(finish, made, error))
