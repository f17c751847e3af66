"""Threads that keep to one core each.

Torch can share one operation among the cores, but then every one of many small operations waits for
the slowest core, which beside anything else that works (an embedding run, other people on a server)
costs more than it gains. So encoders and searches give each core work of its own instead.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch


@lru_cache(maxsize=4)
def workers(purpose: str, threads: int) -> ThreadPoolExecutor:
    """A pool of ``threads`` threads, in each of which torch uses one core.

    Made once for each purpose, so that a search does not queue behind an encoder.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, purpose, initializer=_use_one_core)
    all_there = threading.Barrier(threads)
    list(pool.map(lambda _: all_there.wait(), range(threads)))
    # The number is also torch's default for threads yet to come: set it back to what it was.
    torch.set_num_threads(before)
    return pool


def one_core() -> ThreadPoolExecutor:
    """A thread of its own core, for many small steps one after the other."""
    return workers("one core", 1)


def _use_one_core() -> None:
    torch.get_num_threads()  # a thread's first question sets its number to the default
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # a forked child has the pools, but none of their threads
    os.register_at_fork(after_in_child=workers.cache_clear)
