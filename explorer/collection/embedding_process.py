"""Embedding in a process of its own, for programs that have people to answer meanwhile.

An encoder keeps Python busy; beside it in one process a click would wait for a second. The process
works at a lower priority, ends with all that is encoded on disk when it is asked to stop or when
the program that started it is gone, and tells how far it is in lines of JSON::

    {"collection": …, "catalogue": …, "settings": {…}}        what it is to do, on its input
    {"progress": {…}}  …  {"report": {…}}                      what it says
    {"error": words}   or   {"fault": traceback}   or   {"stopped": true}
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from explorer.collection.progress import EmbedProgress, EmbedReport
from explorer.errors import CollectionError, ExplorerError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

NICE = 5
"""How much it stands back behind those who wait for an answer (Unix)."""

LOOK_S = 0.2
"""A stop is heard this soon, and progress is told this often."""

PATIENCE_S = 60.0
"""What is encoded gets so long to be written before the process is ended."""

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from explorer.collection.embedding_process import main; main()"
)


def embed_apart(
    collection: Collection,
    encoder: str,
    *,
    on_progress: Callable[[EmbedProgress], None] | None = None,
    cancel: threading.Event | None = None,
    **settings: Any,
) -> EmbedReport | None:
    """Embed as `Collection.embed` does, in another process; None where it was stopped.

    Parameters
    ----------
    encoder
        By name.
    cancel
        Set it from another thread to stop; what is encoded by then is kept.
    settings
        Of `Collection.embed`, such as ``hop_s``.

    Raises
    ------
    ExplorerError
        As `Collection.embed`, in the same words.
    """
    task = {
        "collection": str(collection.path),
        "catalogue": collection.catalogue.engine.url.render_as_string(hide_password=False),
        "settings": {"encoder": encoder, **settings},
    }
    process = _start()
    assert process.stdin is not None and process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    try:
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        return _listen(process, lines, on_progress, cancel)
    finally:
        _end(process)


def _listen(
    process: subprocess.Popen[str],
    lines: queue.Queue[str | None],
    on_progress: Callable[[EmbedProgress], None] | None,
    cancel: threading.Event | None,
) -> EmbedReport | None:
    while True:
        if cancel is not None and cancel.is_set():
            _close(process.stdin)  # it hears that, and brings its work to an end
        try:
            line = lines.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if line is None:
            raise CollectionError(
                f"the process that embeds ended early (status {process.wait(PATIENCE_S)}): memory "
                "may have run out. What is done is kept; go on with less else running."
            )
        said = json.loads(line)
        if "progress" in said and on_progress is not None:
            on_progress(EmbedProgress(**said["progress"]))
        if "report" in said:
            return EmbedReport(**said["report"])
        if "stopped" in said:
            return None
        if "error" in said:
            raise ExplorerError(said["error"])
        if "fault" in said:
            raise ExplorerError(f"embedding failed:\n{said['fault']}")


def _start() -> subprocess.Popen[str]:
    options: dict[str, Any] = (
        {
            "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        }
        if sys.platform == "win32"
        else {"process_group": 0}
    )
    return subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-c", _PROGRAM.format(path=sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        **options,
    )


def _read(replies: TextIO, lines: queue.Queue[str | None]) -> None:
    with suppress(ValueError, OSError):
        for line in replies:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    _close(process.stdin)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _close(process.stdout)


def _close(pipe: Any) -> None:
    with suppress(OSError):
        pipe.close()


# --- the process itself --------------------------------------------------------------------------


def main() -> None:
    """Do what the first line of the input says, until it is done or the input ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it
    # What a library prints must not be taken for a reply: the real output gets another number.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICE)

    def say(**message: Any) -> None:
        with suppress(BrokenPipeError):
            print(json.dumps(message), file=replies, flush=True)

    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_wait_for_end, daemon=True).start()
    try:
        say(report=_embed(task, say))
    except KeyboardInterrupt:
        say(stopped=True)
    except ExplorerError as error:
        say(error=str(error))
    except Exception:
        say(fault=traceback.format_exc())


def _wait_for_end() -> None:
    sys.stdin.read()
    _thread.interrupt_main()


def _embed(task: dict[str, Any], say: Callable[..., None]) -> dict[str, Any]:
    from explorer.collection.collection import Collection  # noqa: PLC0415

    told = 0.0

    def tell(progress: EmbedProgress) -> None:
        nonlocal told
        if time.monotonic() - told >= LOOK_S or progress.windows == progress.total:
            told = time.monotonic()
            say(progress=vars(progress))

    collection = Collection(task["collection"], catalogue=task["catalogue"])
    report = collection.embed(progress=tell, **task["settings"])
    return {**vars(report), "left_out": dict(report.left_out)}
