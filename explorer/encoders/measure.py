"""How fast an encoder is on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.encoders.base import Encoder, window_samples
from explorer.encoders.batching import Batches


def windows_per_second(encoder: Encoder, *, seconds: float = 2.0) -> float:
    """Embed noise for about so many seconds, in the batches that embedding would use.

    The first batch, in which kernels are chosen and compiled, does not count.

    Example
    -------
    >>> from explorer.encoders import load
    >>> windows_per_second(load("spectral", device="cpu"), seconds=0.1) > 1
    True
    """
    batches = Batches(encoder)
    size = batches.batch_size
    windows = (0.1 * torch.randn(size, window_samples(encoder))).numpy()
    encoder.encode(torch.from_numpy(windows)).cpu()
    started = time.perf_counter()
    done = sum(len(rows) for _, rows in batches.encode(_until(started + seconds, windows)))
    return done / (time.perf_counter() - started)


def _until(end: float, windows: NDArray[np.float32]) -> Iterator[tuple[None, NDArray[np.float32]]]:
    """The same windows again and again; at least twice."""
    yield None, windows
    yield None, windows
    while time.perf_counter() < end:
        yield None, windows
