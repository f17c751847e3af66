"""How fast an encoder is on this machine."""

from __future__ import annotations

import time

import torch

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
    size = Batches(encoder).batch_size
    windows = 0.1 * torch.randn(size, window_samples(encoder))
    encoder.encode(windows).cpu()
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not done:
        encoder.encode(windows).cpu()
        done += size
    return done / max(elapsed, 1e-9)
