"""Many recordings measured by processes of their own: `explorer.audio.health`, side by side.

They are the processes that decode for encoders (`explorer.audio.decode_worker`). One that a broken
file brings down takes only that recording with it: it is named, and another process goes on.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from explorer.audio.decoder_process import DecoderProcess, Ring
from explorer.audio.health import SoundHealth
from explorer.errors import ExplorerError

_CRASHED = "the decoder crashed on it: the file is damaged; copy it again, or convert it to WAV"
_PATIENCE_S = 0.2  # how soon Ctrl-C is heard


def measure_all(
    work: Iterable[tuple[int, Path]], *, processes: int | None = None
) -> Generator[tuple[int, SoundHealth], None, None]:
    """Measure recordings and give (key, what was measured), each as soon as it is there.

    What cannot be read is said in `SoundHealth.cause`. Closing the generator stops at once.

    Parameters
    ----------
    work
        The caller's key for a recording, and its file.
    processes
        At most this many; None for one a core.

    Raises
    ------
    ExplorerError
        Measuring failed in a way that is not the recording's fault, or no process can be started.
    """
    waiting = list(work)
    crew = _Crew(iter(waiting))
    most = min(len(waiting), max(1, processes or os.cpu_count() or 1))
    with Ring((1, 1, 1)) as ring:  # nothing is decoded into it
        try:
            crew.start(ring, most)
            for _ in waiting:
                yield crew.next()
        finally:
            crew.stop()


class _Crew:
    """Threads that each lead one process."""

    def __init__(self, work: Iterator[tuple[int, Path]]) -> None:
        self._work = work
        self._done: queue.Queue[tuple[int, SoundHealth] | Exception] = queue.Queue()
        self._guard = threading.Lock()
        self._stopped = False
        self._processes: set[DecoderProcess] = set()
        self._threads: list[threading.Thread] = []

    def start(self, ring: Ring, count: int) -> None:
        for number in range(count):
            thread = threading.Thread(
                target=self._lead, args=(ring,), name=f"measure-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def next(self) -> tuple[int, SoundHealth]:
        """What was measured next, whichever it is."""
        while True:
            try:
                done = self._done.get(timeout=_PATIENCE_S)
            except queue.Empty:
                continue
            if isinstance(done, Exception):
                raise done
            return done

    def stop(self) -> None:
        with self._guard:
            self._stopped = True
            for process in self._processes:
                process.kill()
        for thread in self._threads:
            thread.join()

    def _lead(self, ring: Ring) -> None:
        try:
            process = self._employ(ring)
            while process is not None and (task := self._take()) is not None:
                key, path = task
                reply = process.ask({"measure": str(path)})
                if reply is None:
                    self._done.put((key, SoundHealth(cause=_CRASHED)))
                    self._dismiss(process)
                    process = self._employ(ring)
                elif "fault" in reply:
                    raise ExplorerError(f"measuring {path} failed:\n{reply['fault']}")
                else:
                    self._done.put((key, SoundHealth.from_dict(reply["health"])))
            if process is not None and self._dismiss(process):
                process.retire()
        except Exception as error:  # the caller must not wait for a thread that is gone
            self._done.put(error)

    def _take(self) -> tuple[int, Path] | None:
        with self._guard:
            return None if self._stopped else next(self._work, None)

    def _employ(self, ring: Ring) -> DecoderProcess | None:
        process = DecoderProcess.start(ring)
        with self._guard:
            if not self._stopped:
                self._processes.add(process)
                return process
        process.kill()
        return None

    def _dismiss(self, process: DecoderProcess) -> bool:
        """Whether it was still at work, and is now to be let go in peace."""
        with self._guard:
            there = process in self._processes and not self._stopped
            self._processes.discard(process)
            return there
