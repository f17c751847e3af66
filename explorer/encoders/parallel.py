"""Running windows through an encoder piece by piece; on a CPU several pieces side by side.

Each core gets windows of its own (see `explorer.cores`). Measured on two cores under load: 54 ms a
BirdNET window with torch sharing every operation among them, 14 ms with a thread for each piece,
34 ms for LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from explorer.cores import workers

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
    return list(workers("encoder", threads).map(one, windows.split(min(at_once, share))))
