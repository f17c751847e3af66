"""Long work that is begun from the screen: embedding, measuring health, adding a folder.

Each is one call of the collection in a job (`frame.jobs`): its bar is seen by everybody who has the
collection open, it goes on when they leave, and what it has done when it is stopped is kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.collection.embedding_process import embed_apart
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.frame.jobs import EMBED, Report, Stopped, board
from explorer.dashboard.recordings.survey import ADD, HEALTH
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.health import HealthProgress
    from explorer.collection.progress import EmbedProgress

KEPT = "Stopped. What is done is kept: press again to go on."


def embed(state: State, desk: Desk, encoder: str, hop_s: float | None) -> None:
    """Embed what is not embedded yet, with an encoder by name."""
    _must_own(state, "embedding")

    def work(report: Report, cancel: threading.Event) -> str:
        def tell(progress: EmbedProgress) -> None:
            per_s = progress.windows / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
            report(
                progress.windows / max(progress.total, 1),
                f"{progress.windows:,} of {progress.total:,} windows, {per_s:,.0f} a second",
            )

        report(0.0, f"loading {encoder}")
        # An encoder in this process would keep everybody's clicks waiting.
        done = embed_apart(state.collection, encoder, hop_s=hop_s, on_progress=tell, cancel=cancel)
        if done is None:
            raise Stopped
        remember_speed(state.collection, encoder, done.windows, done.elapsed_s)
        return str(done)

    _start(state, desk, EMBED, f"Embedding with {encoder}", work)


def measure(state: State, desk: Desk) -> None:
    """Measure the recordings that are not measured yet."""
    _must_own(state, "measuring recordings")

    def work(report: Report, cancel: threading.Event) -> str:
        def tell(progress: HealthProgress) -> None:
            report(
                progress.share,
                f"{progress.recordings:,} of {progress.total:,} recordings, "
                f"{progress.times_real_time:,.0f} × real time",
            )

        # One core stays for those who look on.
        processes = max(1, (os.cpu_count() or 2) - 1)
        return str(state.collection.measure_health(processes=processes, progress=tell))

    _start(state, desk, HEALTH, "Listening for faults", work)


def add(
    state: State, desk: Desk, folder: str, timezone: str | None, site_pattern: str | None
) -> None:
    """Enter the recordings of a folder on the machine that serves."""
    _must_own(state, "adding recordings")
    path = Path(folder.strip().strip("\"'")).expanduser()
    if not folder.strip() or not path.is_dir():
        raise ParameterError(
            f"there is no folder “{folder.strip()}” on this machine: type its whole path, such as "
            "/media/card/reef or D:\\reef"
        )

    def work(report: Report, cancel: threading.Event) -> str:
        def tell(done: int, total: int) -> None:
            report(done / max(total, 1), f"{done:,} of {total:,} files")

        report(0.0, f"looking through {path.name}")
        found = state.collection.add(
            path, timezone=timezone or None, site_pattern=site_pattern or None, progress=tell
        )
        return found.summary()

    _start(state, desk, ADD, f"Adding {path.name}", work)


def stop(state: State, kind: str) -> None:
    """Ask long work to stop."""
    if not state.may("annotator"):
        raise ParameterError("stopping long work takes annotator rights")
    board(state.collection).stop(kind)


def remember_speed(collection: Collection, encoder: str, windows: int, elapsed_s: float) -> None:
    """Keep how fast an encoder was here, for the next time somebody chooses one."""
    if windows >= 32 and elapsed_s > 1:
        collection.catalogue.remember(f"speed of {encoder}", f"{windows / elapsed_s:.3g}")


def speed(collection: Collection, encoder: str) -> float | None:
    """Windows per second of an encoder when it was last used here."""
    kept = collection.catalogue.setting(f"speed of {encoder}")
    return float(kept) if kept else None


def _start(
    state: State, desk: Desk, kind: str, title: str, work: Callable[[Report, Any], str]
) -> None:
    def finish(said: str | None, error: Exception | None) -> None:
        if error is None:
            state.say(said or "Done.")
        elif isinstance(error, Stopped):
            state.say(KEPT)
        else:
            raise error

    if not desk.attached:  # nobody to come back to: do it here and now
        finish(work(lambda share, words="": None, threading.Event()), None)  # type: ignore[misc]
        return
    job = board(state.collection).start(kind, title, work, long=True)
    job.at_end(lambda said, error: desk.soon(finish, said, error))


def _must_own(state: State, to_do: str) -> None:
    if not state.may("owner"):
        raise ParameterError(f"{to_do} takes owner rights: ask whoever runs this server")
