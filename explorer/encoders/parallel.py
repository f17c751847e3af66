"""Running windows through an encoder piece by piece; on a CPU several pieces side by side.

Torch can share one operation among the cores, but then every one of hundreds of small operations
waits for the slowest core, which on a busy machine costs more than it gains (measured on two cores
under load: 54 ms per BirdNET window that way, 14 ms with a thread for each piece, 34 ms for
LiteRT). So each core gets windows of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def in_pieces(
    run: Callable[[Tensor], Result], windows: Tensor, *, at_once: int, device: torch.device
) -> list[Result]:
    """Apply `run` to pieces of `windows` `[batch, samples]` and return the results in order.

    Parameters
    ----------
    run:
        Called with `[at most at_once, samples]` on `device`, without gradients; on a CPU from
        several threads at a time.
    at_once:
        Largest piece; on a CPU, what fits the cache.

    Example
    -------
    >>> pieces = in_pieces(len, torch.zeros(5, 8), at_once=2, device=torch.device("cpu"))
    >>> sum(pieces)
    5
    """

    def one(piece: Tensor) -> Result:
        with torch.inference_mode():  # holds for one thread, so each enters it
            return run(piece.to(device, torch.float32, non_blocking=True))

    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1 or len(windows) < threads:
        return [one(piece) for piece in windows.split(at_once)]
    share = -(-len(windows) // threads)
    return list(_workers(threads).map(one, windows.split(min(at_once, share))))


@lru_cache(maxsize=1)
def _workers(threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads in each of which torch uses one core."""
    pool = ThreadPoolExecutor(threads, "encoder", initializer=_use_one_core)
    all_there = threading.Barrier(threads)
    list(pool.map(lambda _: all_there.wait(), range(threads)))
    # The number is also torch's default for threads yet to come: set it back to what it was.
    torch.set_num_threads(threads)
    return pool


def _use_one_core() -> None:
    torch.get_num_threads()  # a thread's first question sets its number to the default
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # a forked child has the pool, but none of its threads
    os.register_at_fork(after_in_child=_workers.cache_clear)
