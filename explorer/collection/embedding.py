"""From recordings to embeddings on disk, overlapped and resumable.

Everything works at the same time, and memory does not depend on how much there is to do::

    decode (processes)  ->  encode (this thread, the device)  ->  write (a thread: shard, commit)

What is atomic: a *flush*. It writes the rows encoded since the last one as a shard (temporary file,
fsync, rename) and then commits the shard with its segments in one transaction. A flush happens at
least every 30 s of work or 8,192 windows, always at the end of a batch. Killed between two
flushes, a run goes on from the last one: what was not committed is encoded again, in batches of the
same composition, and gives the same bytes. One process embeds a run at a time (a lock file that
the operating system frees when the process dies).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from explorer.audio.windows import WindowGrid
from explorer.audio.workers import Cut, Work, decode
from explorer.collection.catalogue import Catalogue, Run, Segment
from explorer.collection.progress import EmbedProgress, EmbedReport
from explorer.collection.vectors import SHARD_ROWS, ShardStore
from explorer.encoders.base import Encoder
from explorer.errors import CollectionError, EncoderError

if TYPE_CHECKING:
    from explorer.audio.decoding import Channel
    from explorer.encoders.batching import Batches

FLUSH_SECONDS = 30.0
"""Work is safe on disk at least this often (DESIGN.md)."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass
class _Unwritten:
    """Rows that are not yet on the disk."""

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


def pending(catalogue: Catalogue, run: Run) -> list[Work]:
    """Recordings with windows that are not yet embedded, by name, from the first such window."""
    grid = WindowGrid(run.window_s, run.hop_s)
    done = catalogue.embedded(run.name)
    work = []
    for row in catalogue.recordings().itertuples():
        expected = int(grid.count(row.duration_s))
        first = done.get(row.Index, 0)
        if first < expected:
            work.append(
                Work(
                    int(row.Index),
                    Path(row.path),
                    row.format,
                    float(row.duration_s),
                    first,
                    expected - first,
                )
            )
    return work


def embed(
    catalogue: Catalogue,
    store: ShardStore,
    run: Run,
    encoder: Encoder,
    *,
    batch_size: int | None = None,
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
        Windows per call of the encoder; None for what suits the device. What was found for a run on
        a device is remembered, so that a run that goes on is made of the same batches.
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
    batch_size: int | None,
    on_progress: Callable[[EmbedProgress], None] | None,
    flush_seconds: float,
) -> EmbedReport:
    tasks = pending(catalogue, run)
    total = sum(task.windows for task in tasks)
    started = time.monotonic()
    known = catalogue.recordings()
    names = known["recording"].to_dict()
    left_out: dict[str, str] = {}
    windows = 0
    touched: set[int] = set()

    writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write")
    writing: Future[None] | None = None
    unwritten = _Unwritten()

    def flush() -> None:
        nonlocal unwritten, writing
        if writing is not None:
            writing.result()
        if unwritten.segments or unwritten.failures:
            writing = writer.submit(_write, catalogue, store, run.name, unwritten)
        unwritten = _Unwritten()

    with closing(decode(tasks, _cut(run))) as pieces:
        try:
            for shares, rows in _batches(catalogue, run, encoder, batch_size, tasks).encode(
                (piece, piece.samples) for piece in pieces
            ):
                for share in shares:
                    key = share.tag.key
                    if share.tag.cause is not None:
                        unwritten.failures[key] = left_out[names[key]] = share.tag.cause
                    else:
                        first = share.tag.first_window + share.start
                        unwritten.add(Segment(key, first, share.count))
                        touched.add(key)
                heard = [names[share.tag.key] for share in shares]
                unwritten.rows.append(_half(encoder, rows, heard))
                unwritten.windows += len(rows)
                windows += len(rows)
                overdue = time.monotonic() - unwritten.since >= flush_seconds
                if unwritten.windows >= SHARD_ROWS or overdue:
                    flush()
                if on_progress is not None:
                    elapsed_s = time.monotonic() - started
                    on_progress(
                        EmbedProgress(windows, total, heard[-1], windows * run.hop_s, elapsed_s)
                    )
        finally:
            # Also after Ctrl-C or an error in the encoder: what is encoded is kept.
            flush()
            writer.shutdown(wait=True)
            if writing is not None:
                writing.result()
    rates = known["sample_rate"].loc[[task.key for task in tasks]]
    return EmbedReport(
        run=run.name,
        windows=windows,
        recordings=len(touched),
        total_windows=sum(catalogue.embedded(run.name).values()),
        left_out=left_out,
        audio_s=windows * run.hop_s,
        elapsed_s=time.monotonic() - started,
        device=str(encoder.device),
        narrow=int((rates * run.speed < run.sample_rate / 2).sum()),
    )


def _cut(run: Run) -> Cut:
    """How the run's windows are cut out of recordings."""
    channel = run.channel if run.channel == "mix" else int(run.channel)
    return Cut(
        run.window_s,
        run.hop_s,
        run.sample_rate,
        cast("Channel", channel),
        run.speed,
        run.band,
    )


def _batches(
    catalogue: Catalogue, run: Run, encoder: Encoder, batch_size: int | None, tasks: list[Work]
) -> Batches:
    """The encoder in batches of the size asked for, or found for this run on this device before."""
    from explorer.encoders.batching import Batches  # noqa: PLC0415 - torch takes a second to load

    setting = f"batch_size of {run.name} on {encoder.device}"
    if batch_size is not None or not tasks:
        return Batches(encoder, batch_size or 1)
    kept = catalogue.setting(setting)
    batches = Batches(encoder, int(kept) if kept else None)
    if kept is None:
        catalogue.remember(setting, str(batches.batch_size))
    return batches


def _half(encoder: Encoder, rows: NDArray[np.float32], heard: list[str]) -> NDArray[np.float16]:
    """Embeddings as they are kept, after a look at them."""
    if rows.shape[1] != encoder.dimension:
        raise EncoderError(
            f"{encoder.name}: gave embeddings of {rows.shape[1]} numbers where "
            f"{encoder.dimension} were due"
        )
    if not np.isfinite(rows).all() or np.abs(rows).max(initial=0.0) > _FLOAT16_MAX:
        raise EncoderError(
            f"{encoder.name}: gave numbers that are not finite in half precision for windows of "
            f"{', '.join(sorted(set(heard)))}"
        )
    return rows.astype(np.float16)


def _write(catalogue: Catalogue, store: ShardStore, run: str, batch: _Unwritten) -> None:
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
