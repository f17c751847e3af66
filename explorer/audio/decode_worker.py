"""The process that decodes: takes jobs on its input, leaves windows in shared memory, replies.

Started by `explorer.audio.workers`; every message is a line of JSON, and so is every reply::

    {"ring": file, "shape": [4, 40, 144000]}                        decode into this memory
    {"path": …, "first_window": 40, "windows": 40, …, "slot": 1}    decode these windows
    {"measure": path}                                               how the recorder fared
    {}                                                              rest: let go of all files

    {"windows": 40}   or   {"cause": "it is damaged …"}   or   {"fault": traceback}
    {"health": {"peak_dbfs": -3.1, …}}

The stream of the last job is kept open: the job that goes on where it stopped pays nothing for a
place in the middle of a file, which in an MP3 can only be reached by decoding all that is before.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.audio.band import Band
from explorer.audio.decoding import WindowBlock, stream_windows
from explorer.audio.health import measure
from explorer.audio.windows import WindowGrid
from explorer.errors import AudioError


class Decoder:
    """Does one job after another."""

    def __init__(self) -> None:
        self.rest()

    def rest(self) -> None:
        """Let go of files and memory."""
        self.ring: Path | None = None
        self._slots: npt.NDArray[np.float32] = np.empty((0, 0, 0), np.float32)
        self._stream: Iterator[WindowBlock] = iter(())
        self._stream_is: dict[str, Any] = {}
        self._next_window = -1

    def do(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what a message says; a recording's fault is an answer."""
        if "path" in message:
            return self._decode(message)
        if "measure" in message:
            return {"health": measure(message["measure"]).to_dict()}
        self.rest()
        if message:
            self.ring = Path(message["ring"])
            self._slots = np.memmap(self.ring, np.float32, "r+", shape=tuple(message["shape"]))
        return {}

    def _decode(self, job: dict[str, Any]) -> dict[str, Any]:
        """Decode the windows of a job into its slot."""
        try:
            block = self._block(job)
        except (AudioError, OSError) as error:
            self._next_window = -1
            return {"cause": error.cause if isinstance(error, AudioError) else str(error)}
        self._slots[job["slot"], : len(block.samples)] = block.samples
        return {"windows": len(block.samples)}

    def _block(self, job: dict[str, Any]) -> WindowBlock:
        wanted = {name: job[name] for name in ("path", "duration_s", "cut", "block")}
        if wanted != self._stream_is or job["first_window"] != self._next_window:
            cut = job["cut"]
            self._stream = stream_windows(
                Path(job["path"]),
                WindowGrid(cut["window_s"], cut["hop_s"]),
                sample_rate=cut["sample_rate"],
                duration_s=job["duration_s"],
                channel=cut["channel"],
                speed=cut["speed"],
                band=Band(**cut["band"]),
                first_window=job["first_window"],
                block_windows=job["block"],
            )
            self._stream_is = wanted
        block = next(self._stream, None)
        if block is None or len(block.samples) < job["windows"]:
            got = 0 if block is None else len(block.samples)
            raise AudioError(
                job["path"], f"the sound ends early: {got} of {job['windows']} windows are there"
            )
        self._next_window = job["first_window"] + job["windows"]
        return block


def main() -> None:
    """Answer jobs until the input ends, which it does when the parent process is gone."""
    # What a library prints must not be taken for a reply: the real output gets another number.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    decoder = Decoder()
    with suppress(BrokenPipeError):  # the parent is gone: as at the end of the input
        print("{}", file=replies, flush=True)  # ready
        for line in sys.stdin:
            try:
                reply = decoder.do(json.loads(line))
            except Exception:  # a fault of ours: the parent raises it
                reply = {"fault": traceback.format_exc()}
            print(json.dumps(reply), file=replies, flush=True)
    if decoder.ring is not None:  # the parent was killed in the middle: nobody else will sweep
        decoder.ring.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
