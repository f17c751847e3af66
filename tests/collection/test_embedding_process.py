"""Embedding in a process of its own: the same embeddings, and a stop that keeps what is done."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from small_recordings import write_recordings

import explorer
from explorer.collection import embedding_process
from explorer.collection.embedding_process import embed_apart
from explorer.errors import ExplorerError


@pytest.fixture
def recordings(tmp_path):
    return write_recordings(tmp_path / "recordings", count=3, seconds=9)


@pytest.fixture
def reef(tmp_path, recordings):
    return explorer.open(tmp_path / "reef.collection", audio=recordings)


def test_it_gives_the_same_embeddings_and_tells_of_its_progress(reef, tmp_path, recordings):
    told = []
    report = embed_apart(reef, "spectral", hop_s=1.5, device="cpu", on_progress=told.append)
    assert report.windows == report.total_windows == reef.n_windows() > 10
    assert told[-1].windows == told[-1].total == report.windows
    here = explorer.open(tmp_path / "here.collection", audio=recordings)
    here.embed("spectral", hop_s=1.5, device="cpu", progress=False)
    assert np.array_equal(np.asarray(here.embeddings()), np.asarray(reef.embeddings()))


def test_what_is_done_when_it_is_stopped_is_kept_and_the_next_call_goes_on(reef):
    cancel = threading.Event()
    settings = {"hop_s": 0.25, "device": "cpu", "batch_size": 2}

    def stop_soon(progress):
        if progress.windows >= 6:
            cancel.set()

    stopped = embed_apart(reef, "spectral", on_progress=stop_soon, cancel=cancel, **settings)
    kept = reef.n_windows()
    assert stopped is None
    assert kept >= 6
    report = embed_apart(reef, "spectral", **settings)
    assert report.windows == report.total_windows - kept > 0


def test_what_goes_wrong_is_said_in_the_same_words(reef):
    with pytest.raises(ExplorerError, match="Known here"):
        embed_apart(reef, "no such encoder")


def test_a_process_that_is_killed_is_told_of(reef, monkeypatch):
    started = []
    start = embedding_process._start

    def noting():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(embedding_process, "_start", noting)
    with pytest.raises(ExplorerError, match="ended early"):
        embed_apart(reef, "spectral", hop_s=0.1, on_progress=lambda progress: started[0].kill())


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_it_ends_with_what_is_done_when_the_program_that_began_it_is_killed(reef):
    code = f"""
        import explorer
        from explorer.collection import embedding_process
        start = embedding_process._start
        def noting():
            process = start()
            print(process.pid, flush=True)
            return process
        embedding_process._start = noting
        embedding_process.embed_apart(
            explorer.open({str(reef.path)!r}), "spectral", hop_s=0.05, batch_size=4,
            on_progress=lambda progress: print(progress.windows, flush=True),
        )
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    done = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    while is_at_work(child):
        time.sleep(0.05)
    assert done <= reef.n_windows() < 300


def is_at_work(process: int) -> bool:
    """Whether a process has not ended; one that nobody waits for stays as a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
