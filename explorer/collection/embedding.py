"""From recordings to embeddings on disk, overlapped and resumable.

Three threads, joined by short queues, so memory does not depend on how much there is to do::

    decode (one block of windows at a time) -> encode (this thread) -> write (shard, commit)

What is atomic: a *flush*. It writes the rows encoded since the last one as a shard (temporary file,
fsync, rename) and then commits the shard with its segments in one transaction. A flush happens at
least every 30 s of work or 8,192 windows, always at the end of a batch. Killed between two
flushes, a run goes on from the last one: what was not committed is encoded again, in batches of the
same composition, and gives the same bytes. One process embeds a run at a time (a lock file that
the operating system frees when the process dies).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from explorer.audio.decoding import stream_windows
from explorer.audio.windows import WindowGrid
from explorer.collection.catalogue import Catalogue, Run, Segment
from explorer.collection.progress import EmbedProgress, EmbedReport
from explorer.collection.vectors import SHARD_ROWS, ShardStore
from explorer.encoders.base import Encoder
from explorer.errors import AudioError, CollectionError, EncoderError

FLUSH_SECONDS = 30.0
"""Work is safe on disk at least this often (DESIGN.md)."""

_QUEUED_BLOCKS = 4
_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class _Task:
    """One recording, from the first window that is not yet embedded."""

    recording_id: int
    name: str
    path: Path
    duration_s: float
    sample_rate: int
    first_window: int
    windows: int


@dataclass
class _Block:
    """Decoded windows of one recording, or the reason why there are no more of them."""

    task: _Task
    first_window: int
    samples: NDArray[np.float32] | None
    cause: str | None = None


@dataclass
class _Batch:
    """Rows on their way to the disk."""

    rows: list[NDArray[np.float16]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)
    windows: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, segment: Segment) -> None:
        """Append a segment, joining it to the last one where they touch."""
        if self.segments:
            last = self.segments[-1]
            if (
                last.recording_id == segment.recording_id
                and last.first_window + last.windows == segment.first_window
            ):
                self.segments[-1] = Segment(
                    last.recording_id, last.first_window, last.windows + segment.windows
                )
                return
        self.segments.append(segment)


def pending(catalogue: Catalogue, run: Run) -> list[_Task]:
    """Recordings with windows that are not yet embedded, by name."""
    grid = WindowGrid(run.window_s, run.hop_s)
    done = catalogue.embedded(run.name)
    tasks = []
    for row in catalogue.recordings().itertuples():
        expected = int(grid.count(row.duration_s))
        first = done.get(row.Index, 0)
        if first < expected:
            tasks.append(
                _Task(
                    int(row.Index),
                    row.recording,
                    Path(row.path),
                    float(row.duration_s),
                    int(row.sample_rate),
                    first,
                    expected - first,
                )
            )
    return tasks


def embed(
    catalogue: Catalogue,
    store: ShardStore,
    run: Run,
    encoder: Encoder,
    *,
    batch_size: int = 32,
    on_progress: Callable[[EmbedProgress], None] | None = None,
    flush_seconds: float = FLUSH_SECONDS,
) -> EmbedReport:
    """Embed every window that is not yet embedded, and go on where a former call stopped.

    Parameters
    ----------
    store
        Where the run's shards lie.
    encoder
        Loaded, on its device.
    batch_size
        Windows per call of the encoder.
    on_progress
        Called in this thread after every batch.

    Raises
    ------
    CollectionError
        If another process is embedding this run.
    KeyboardInterrupt
        After Ctrl-C, once all that was encoded is on disk.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.folder / "embedding.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CollectionError(
            f"{store.folder}: another process is embedding this run; wait for it or stop it."
        ) from None
    try:
        catalogue.add_run(run)
        for orphan in store.orphans({file for file, _, _ in catalogue.shards(run.name)}):
            store.delete(orphan)
        report = _embed(catalogue, store, run, encoder, batch_size, on_progress, flush_seconds)
        compact(catalogue, store, run.name)
        return report
    finally:
        lock.release()


def _embed(
    catalogue: Catalogue,
    store: ShardStore,
    run: Run,
    encoder: Encoder,
    batch_size: int,
    on_progress: Callable[[EmbedProgress], None] | None,
    flush_seconds: float,
) -> EmbedReport:
    tasks = pending(catalogue, run)
    total = sum(task.windows for task in tasks)
    started = time.monotonic()
    names = {task.recording_id: task.name for task in tasks}
    left_out: dict[str, str] = {}
    windows = 0
    touched: set[int] = set()

    stop = threading.Event()
    blocks: queue.Queue[Any] = queue.Queue(maxsize=_QUEUED_BLOCKS)
    decoder = threading.Thread(
        target=_decode, args=(tasks, run, batch_size, blocks, stop), name="decode", daemon=True
    )
    writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write")
    writing: Future[None] | None = None
    batch = _Batch()

    def flush() -> None:
        nonlocal batch, writing
        if writing is not None:
            writing.result()
        if batch.segments or batch.failures:
            writing = writer.submit(_write, catalogue, store, run.name, batch)
        batch = _Batch()

    decoder.start()
    try:
        for samples, segments, failures in _batches(blocks, batch_size):
            if samples is not None:
                rows = _encode(encoder, samples, [names[s.recording_id] for s in segments])
                batch.rows.append(rows)
                batch.windows += len(rows)
                windows += len(rows)
                for segment in segments:
                    batch.add(segment)
                    touched.add(segment.recording_id)
            batch.failures.update(failures)
            left_out.update({names[key]: cause for key, cause in failures.items()})
            if batch.windows >= SHARD_ROWS or time.monotonic() - batch.since >= flush_seconds:
                flush()
            if on_progress is not None and segments:
                on_progress(
                    EmbedProgress(
                        windows,
                        total,
                        names[segments[-1].recording_id],
                        windows * run.hop_s,
                        time.monotonic() - started,
                    )
                )
    finally:
        # Also after Ctrl-C or an error in the encoder: what is encoded is kept.
        stop.set()
        flush()
        writer.shutdown(wait=True)
        decoder.join()
        if writing is not None:
            writing.result()
    return EmbedReport(
        run=run.name,
        windows=windows,
        recordings=len(touched),
        total_windows=sum(catalogue.embedded(run.name).values()),
        left_out=left_out,
        audio_s=windows * run.hop_s,
        elapsed_s=time.monotonic() - started,
        device=str(encoder.device),
        narrow=sum(task.sample_rate * run.speed < run.sample_rate / 2 for task in tasks),
    )


def _decode(
    tasks: list[_Task],
    run: Run,
    block_windows: int,
    blocks: queue.Queue[Any],
    stop: threading.Event,
) -> None:
    """Fill the queue with decoded blocks; one broken recording is told and passed over."""

    def put(item: _Block | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                blocks.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    grid = WindowGrid(run.window_s, run.hop_s)
    channel = run.channel if run.channel == "mix" else int(run.channel)
    try:
        for task in tasks:
            got = 0
            try:
                for block in stream_windows(
                    task.path,
                    grid,
                    sample_rate=run.sample_rate,
                    duration_s=task.duration_s,
                    channel=channel,  # type: ignore[arg-type]
                    speed=run.speed,
                    first_window=task.first_window,
                    block_windows=block_windows,
                ):
                    got += len(block.samples)
                    if not put(_Block(task, block.first_window, block.samples)):
                        return
                if got < task.windows:
                    raise AudioError(
                        task.path,
                        f"the sound ends early: {got} of {task.windows} windows are there",
                    )
            except (AudioError, OSError) as error:
                cause = error.cause if isinstance(error, AudioError) else str(error)
                if not put(_Block(task, 0, None, cause)):
                    return
        put(None)
    except BaseException as error:
        put(error)  # a fault of ours: the caller's thread raises it


def _batches(
    blocks: queue.Queue[Any], batch_size: int
) -> Iterator[tuple[NDArray[np.float32] | None, list[Segment], dict[int, str]]]:
    """Regroup blocks of single recordings into full batches, in order.

    Short recordings share a batch; the composition depends only on the sequence of windows, so a
    resumed run encodes the same batches as one that was never stopped.
    """
    waiting: list[_Block] = []
    failures: dict[int, str] = {}
    count = 0
    while True:
        item = blocks.get()
        if isinstance(item, BaseException):
            raise item
        if item is not None and item.samples is None:
            failures[item.task.recording_id] = item.cause
        elif item is not None:
            waiting.append(item)
            count += len(item.samples)
        while count >= batch_size or (item is None and count):
            take = min(batch_size, count)
            samples, segments = _cut(waiting, take)
            count -= take
            # A failure is told with the last windows of its recording, or with a later batch:
            # never before them.
            told = {} if waiting else failures
            yield samples, segments, told
            if not waiting:
                failures = {}
        if item is None:
            if failures:
                yield None, [], failures
            return


def _cut(waiting: list[_Block], take: int) -> tuple[NDArray[np.float32], list[Segment]]:
    """Take ``take`` windows from the front of ``waiting``."""
    parts: list[NDArray[np.float32]] = []
    segments: list[Segment] = []
    while take:
        block = waiting[0]
        assert block.samples is not None
        part = block.samples[:take]
        parts.append(part)
        segments.append(Segment(block.task.recording_id, block.first_window, len(part)))
        take -= len(part)
        if len(part) == len(block.samples):
            waiting.pop(0)
        else:
            waiting[0] = _Block(
                block.task, block.first_window + len(part), block.samples[len(part) :]
            )
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)), segments


def _encode(
    encoder: Encoder, samples: NDArray[np.float32], names: list[str]
) -> NDArray[np.float16]:
    import torch  # noqa: PLC0415 - torch takes a second to load, and listing a collection needs none

    embeddings = encoder.encode(torch.from_numpy(np.ascontiguousarray(samples)))
    rows = embeddings.detach().to("cpu", torch.float32).numpy()
    if rows.shape != (len(samples), encoder.dimension):
        raise EncoderError(
            f"{encoder.name}: gave {rows.shape} for {len(samples)} windows where "
            f"{(len(samples), encoder.dimension)} was due"
        )
    if not np.isfinite(rows).all() or np.abs(rows).max(initial=0.0) > _FLOAT16_MAX:
        raise EncoderError(
            f"{encoder.name}: gave numbers that are not finite in half precision for windows of "
            f"{', '.join(sorted(set(names)))}"
        )
    return rows.astype(np.float16)


def _write(catalogue: Catalogue, store: ShardStore, run: str, batch: _Batch) -> None:
    """Flush: first the shard, then the word that it counts."""
    if not batch.rows:
        catalogue.commit_shard(run, None, "", [], batch.failures)
        return
    file = _next_file(catalogue, run)
    digest = store.write(file, np.concatenate(batch.rows))
    catalogue.commit_shard(run, file, digest, batch.segments, batch.failures)


def _next_file(catalogue: Catalogue, run: str) -> str:
    known = [int(Path(file).stem) for file, _, _ in catalogue.shards(run)]
    return f"{max(known, default=-1) + 1:06d}.npy"


def compact(catalogue: Catalogue, store: ShardStore, run: str) -> int:
    """Join neighbouring small shards into shards of at most ``SHARD_ROWS``; give how many are gone.

    The rows keep their order and number. The new shard is on disk before the catalogue names it,
    and the old ones are deleted after, so a kill in between leaves only orphans.
    """
    groups: list[list[tuple[str, int]]] = []
    for file, rows, _ in catalogue.shards(run):
        if groups and sum(n for _, n in groups[-1]) + rows <= SHARD_ROWS:
            groups[-1].append((file, rows))
        else:
            groups.append([(file, rows)])
    gone = 0
    for group in groups:
        if len(group) < 2:
            continue
        files = [file for file, _ in group]
        joined = np.concatenate([store.open(file) for file in files])
        new = _next_file(catalogue, run)
        catalogue.replace_shards(run, files, new, store.write(new, joined))
        gone += len(files) - 1
        for file in files:
            store.delete(file)
    return gone
