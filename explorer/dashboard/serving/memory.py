"""A server that runs for weeks gives memory back.

glibc keeps what was freed in an arena for each thread, eight for each core; the arrays of twenty
threads, once each had scored a collection, were half a gigabyte that nobody used. Two arenas do,
and large arrays come from the system and go back to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""As in malloc.h."""
ARENAS = 2
LARGE_BYTES = 4 * 2**20


def give_back() -> None:
    """Have freed memory given back, where the C library is glibc; elsewhere nothing is done."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # musl has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
