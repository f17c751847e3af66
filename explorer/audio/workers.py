"""Recordings decoded by processes of their own, in order, into memory shared with this one.

Work is cut into *pieces*: neighbouring windows of one recording. Several processes decode pieces at
the same time; the caller gets them in their order. What a process decodes, it leaves in a slot of a
ring in shared memory::

    piece n  ->  slot n % slots          started only once piece n - slots was taken over

so memory does not depend on how much there is to do, and nothing is sent but a line of text. A
decoder that a broken file brings down takes only that recording with it: it is named, and another
process goes on. Processes are started when the caller has to wait, up to the number of cores: a
slow encoder needs one, a fast GPU all of them.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.audio.band import NO_LIMITS, Band
from explorer.audio.containers import is_decoded_from_start
from explorer.audio.decoder_process import DecoderProcess, Ring
from explorer.audio.decoding import Channel, segment_seconds
from explorer.errors import ExplorerError

PIECE_WINDOWS = 32
PIECE_SECONDS = 60.0
"""A piece is at least this much of a recording, so that little is decoded twice at its edges."""

_SLOT_BYTES = 64 << 20
_PATIENCE_S = 0.02
_NOTHING = {"cause": ""}  # the reply for a piece of a recording that was already given up
_CRASHED = "the decoder crashed on it: the file is damaged; copy it again, or convert it to WAV"


@dataclass(frozen=True)
class Cut:
    """How windows are cut out of recordings: lengths in seconds of the recording, a rate in Hz."""

    window_s: float
    hop_s: float
    sample_rate: int
    channel: Channel = "mix"
    speed: float = 1.0
    band: Band = NO_LIMITS

    @property
    def samples(self) -> int:
        """Samples of one window as an encoder gets it."""
        return round(self.window_s / self.speed * self.sample_rate)

    @property
    def piece_windows(self) -> int:
        """Windows of a piece: its edges lie where the resampler's segments do, if possible."""
        segment_s = segment_seconds(self.sample_rate, self.speed)
        aligned = (Fraction(segment_s) / Fraction(self.hop_s).limit_denominator(1000)).numerator
        least = max(PIECE_WINDOWS, math.ceil(PIECE_SECONDS * self.speed / self.hop_s))
        most = max(1, _SLOT_BYTES // (4 * self.samples))
        wanted = aligned * -(-least // aligned)
        return min(wanted if wanted <= 3 * least else least, most)


@dataclass(frozen=True)
class Work:
    """Windows of one recording that are to be decoded; ``key`` is the caller's name for it."""

    key: int
    path: Path
    format: str
    duration_s: float
    first_window: int
    windows: int


@dataclass(frozen=True)
class Piece:
    """Neighbouring windows, decoded: ``samples`` [n_windows, samples], or why there are none.

    The samples lie in shared memory and hold until the next piece is asked for.
    """

    key: int
    first_window: int
    samples: npt.NDArray[np.float32] | None
    cause: str | None = None


def decode(
    work: Iterable[Work], cut: Cut, *, processes: int | None = None
) -> Generator[Piece, None, None]:
    """Give all windows in order, decoded by processes of their own.

    A recording that cannot be read gives one piece with the cause, and nothing after it.

    Parameters
    ----------
    work
        Read as far as there is room in the ring.
    processes
        At most this many; None for one a core.

    Raises
    ------
    ExplorerError
        A decoder failed in a way that is not the recording's fault, or none can be started.
    """
    most = max(1, processes or os.cpu_count() or 1)
    piece, slots = cut.piece_windows, most + 2
    schedule = _Schedule(_jobs(work, piece), slots)
    with Ring((slots, piece, cut.samples)) as ring, _Crew(schedule, ring, cut, most) as crew:
        while (job := schedule.next_done(crew.grow)) is not None:
            cause = job.reply.get("cause")
            if "fault" in job.reply:
                raise ExplorerError(f"decoding {job.path} failed:\n{job.reply['fault']}")
            if cause is None:
                samples = ring.array[job.number % slots, : job.windows]
                yield Piece(job.key, job.first_window, samples)
            elif cause:
                schedule.drop(job.key)
                yield Piece(job.key, job.first_window, None, cause)


@dataclass
class _Job:
    """A piece on its way: what is to be done, who does it, what was replied."""

    number: int
    key: int
    path: Path
    in_order: bool
    duration_s: float
    first_window: int
    windows: int
    reply: dict[str, Any]


def _jobs(work: Iterable[Work], piece: int) -> Iterator[_Job]:
    number = 0
    for task in work:
        # Pieces start at whole multiples, wherever a former run stopped: there the edges are good.
        first, end = task.first_window, task.first_window + task.windows
        while first < end:
            stop = min((first // piece + 1) * piece, end)
            in_order = is_decoded_from_start(task.format)
            yield _Job(
                number, task.key, task.path, in_order, task.duration_s, first, stop - first, {}
            )
            number, first = number + 1, stop


class _Schedule:
    """Which piece is next, for whom, and which are done; a ring's length apart at most."""

    def __init__(self, jobs: Iterator[_Job], slots: int) -> None:
        self._jobs = jobs
        self._slots = slots
        self._changed = threading.Condition()
        self._waiting: list[_Job] = []
        self._done: dict[int, _Job] = {}
        self._owner: dict[int, object] = {}
        self._dropped: set[int] = set()
        self._due = -1  # the number of the piece that the caller has in hand
        self._read = 0
        self._exhausted = False
        self._fault: Exception | None = None
        self._stopped = False

    def take(self, worker: object) -> _Job | None:
        """The next piece that this worker may do; None when there are no more."""
        with self._changed:
            while not self._stopped:
                for job in self._waiting:
                    # What can only be decoded from its start stays with the one who has begun it.
                    if job.in_order and self._owner.setdefault(job.key, worker) is not worker:
                        continue
                    self._waiting.remove(job)
                    return job
                if self._exhausted and not self._waiting:
                    return None
                self._changed.wait()
            return None

    def finish(self, job: _Job, reply: dict[str, Any]) -> None:
        """Hand in what came of a piece."""
        with self._changed:
            job.reply = reply
            self._done[job.number] = job
            self._changed.notify_all()

    def drop(self, key: int) -> None:
        """Do no more of a recording: its pieces count as done, with nothing to say."""
        with self._changed:
            self._dropped.add(key)
            for job in [job for job in self._waiting if job.key == key]:
                self._waiting.remove(job)
                self.finish(job, _NOTHING)

    def next_done(self, while_waiting: Callable[[float], None]) -> _Job | None:
        """The next piece in order, once it is done; None after the last.

        Asking for it gives back the slot of the one before.
        """
        with self._changed:
            self._due += 1
            self._read_on()
            self._changed.notify_all()
            since = time.monotonic()
            while self._due not in self._done:
                if self._due == self._read:
                    return None
                if self._fault is not None:
                    raise self._fault
                while_waiting(time.monotonic() - since)
                self._changed.wait(_PATIENCE_S)
            job = self._done.pop(self._due)
            if job.key in self._dropped:
                job.reply = _NOTHING
            return job

    def _read_on(self) -> None:
        while not self._exhausted and self._read < self._due + self._slots:
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
                return
            self._read += 1
            if job.key in self._dropped:
                self.finish(job, _NOTHING)
            else:
                self._waiting.append(job)

    def stop(self, fault: Exception | None = None) -> None:
        """No more pieces for anyone; the caller is told why."""
        with self._changed:
            self._stopped = True
            self._fault = fault
            self._changed.notify_all()


class _Crew:
    """Threads that each lead one process, as many as the caller's waiting shows to be needed."""

    def __init__(self, schedule: _Schedule, ring: Ring, cut: Cut, most: int) -> None:
        self._schedule = schedule
        self._ring = ring
        self._cut = asdict(cut)
        self._most = most
        self._threads: list[threading.Thread] = []
        self._processes: set[DecoderProcess] = set()
        self._starting = False
        self._leaving = threading.Lock()  # a process that is let go in peace is not killed as well

    def grow(self, waited_s: float) -> None:
        """Called while the caller waits: if that lasts and all are at work, there is one more."""
        patient = self._threads and waited_s < _PATIENCE_S
        if patient or self._starting or len(self._threads) == self._most:
            return
        self._starting = True
        name = f"decode-{len(self._threads)}"
        self._threads.append(threading.Thread(target=self._lead, name=name, daemon=True))
        self._threads[-1].start()

    def _lead(self) -> None:
        try:
            process = self._employ()
            while (job := self._schedule.take(threading.current_thread())) is not None:
                reply = process.ask(self._message(job))
                if reply is None:
                    with self._leaving:
                        self._processes.discard(process)
                    self._schedule.finish(job, {"cause": _CRASHED})
                    process = self._employ()
                else:
                    self._schedule.finish(job, reply)
            with self._leaving:
                self._processes.discard(process)
            process.retire()
        except Exception as error:  # the caller must not wait for a thread that is gone
            self._schedule.stop(error)

    def _employ(self) -> DecoderProcess:
        process = DecoderProcess.start(self._ring)
        with self._leaving:
            self._processes.add(process)
        self._starting = False
        return process

    def _message(self, job: _Job) -> dict[str, Any]:
        slots, piece, _ = self._ring.array.shape
        return {
            "path": str(job.path),
            "duration_s": job.duration_s,
            "first_window": job.first_window,
            "windows": job.windows,
            "block": job.windows if job.first_window % piece else piece,
            "cut": self._cut,
            "slot": job.number % slots,
        }

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self._schedule.stop()
        if kind is not None:  # Ctrl-C, or a fault: nobody waits for what is under way
            with self._leaving:
                for process in self._processes:
                    process.kill()
        for thread in self._threads:
            thread.join()
