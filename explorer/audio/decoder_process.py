"""The parent's side of processes that decode: shared memory to decode into, and pipes to talk."""

from __future__ import annotations

import atexit
import json
import math
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from explorer.errors import ExplorerError

_KEPT_IDLE = 2
# In memory where there is room for it (a container often has 64 MB), else on disk, where the system
# keeps in memory what it can.
_FOLDERS = ("/dev/shm", None)  # noqa: S108 - names are random and only ours
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from explorer.audio.decode_worker import main; main()"
)


class Ring:
    """Slots for decoded pieces in a file that several processes map: float32 of any shape."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        size = 4 * math.prod(shape)
        for folder in _FOLDERS:
            if folder is not None and not os.access(folder, os.W_OK):
                continue
            handle, name = tempfile.mkstemp(prefix="explorer-windows-", dir=folder)
            self.path = Path(name)
            try:
                _reserve(handle, size)
                break
            except OSError as error:
                self.path.unlink()
                if folder is None:
                    raise ExplorerError(
                        f"{self.path.parent}: there is no room for {size >> 20} MB of decoded "
                        f"sound ({error.strerror}). Free some, or point TMPDIR elsewhere."
                    ) from error
            finally:
                os.close(handle)
        self.array = np.memmap(self.path, np.float32, "r+", shape=shape)

    @property
    def message(self) -> dict[str, Any]:
        """What a process has to know to decode into it."""
        return {"ring": str(self.path), "shape": list(self.array.shape)}

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *error: object) -> None:
        del self.array
        with suppress(OSError):  # on Windows while a process still maps it: the system sweeps it
            self.path.unlink()


def _reserve(handle: int, size: int) -> None:
    """Make room in a file now: writing to a mapped file that has none would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)


class DecoderProcess:
    """One decoder process and the two pipes to it."""

    _idle: ClassVar[list[DecoderProcess]] = []
    """Kept for the next call: a process takes a quarter of a second to start."""

    def __init__(self, ring: Ring) -> None:
        own_group: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if sys.platform == "win32"
            else {"process_group": 0}
        )
        # A group of its own: Ctrl-C is for the parent, who then closes the pipes.
        self._popen = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, "-c", _PROGRAM.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            **own_group,
        )
        # It hears of the ring before it is ready: if this process dies now, it sweeps up.
        self._say(ring.message)
        if self._read() is None or self._read() is None:
            raise ExplorerError(
                "a process for decoding could not be started (it ended with status "
                f"{self._popen.wait()}). Run `{sys.executable} -m explorer.audio.decode_worker` "
                "to see why."
            )

    @classmethod
    def start(cls, ring: Ring) -> DecoderProcess:
        """An idle process, or a new one, that decodes into a ring."""
        with suppress(IndexError):
            while True:
                process = cls._idle.pop()
                if process.ask(ring.message) is not None:
                    return process
        return cls(ring)

    def ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Send a message and wait for the reply; None when the process is gone."""
        return self._read() if self._say(message) else None

    def _say(self, message: dict[str, Any]) -> bool:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(json.dumps(message) + "\n")
            self._popen.stdin.flush()
        except (OSError, ValueError):  # a ValueError where `kill` has closed the pipe
            return False
        return True

    def _read(self) -> dict[str, Any] | None:
        assert self._popen.stdout is not None
        try:
            line = self._popen.stdout.readline()
        except (OSError, ValueError):
            return None
        return json.loads(line) if line.endswith("\n") else None

    def retire(self) -> None:
        """Let go of files; wait for the next call, or end."""
        if self.ask({}) is not None and len(self._idle) < _KEPT_IDLE:
            self._idle.append(self)
        else:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _end_idle() -> None:
    while DecoderProcess._idle:
        DecoderProcess._idle.pop().kill()


atexit.register(_end_idle)
if hasattr(os, "register_at_fork"):  # a forked child must not speak into its parent's pipes
    os.register_at_fork(after_in_child=DecoderProcess._idle.clear)
