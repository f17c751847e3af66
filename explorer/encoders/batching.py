"""Batches through an encoder: as large as the device likes, two under way, smaller when it is full.

On a GPU windows wait in page-locked memory and are copied while the batch before them is computed,
and embeddings come back while the next one is; on a CPU the same code runs one batch after another
(measured: two at once are no faster).
A batch that does not fit into the device's memory is halved, and batches stay that small.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.encoders.base import Encoder, window_samples
from explorer.errors import EncoderError

CPU_BATCH = 32
"""On a CPU every encoder was as fast with 16 windows as with more; the rest is memory."""

_LARGEST = 1024
_LARGEST_BYTES = 512 << 20  # of windows; there are three such buffers
_GAIN = 1.05  # a batch twice as large must be this much faster to be worth its memory
_IS_CUDA = re.compile(r"\(cuda(:\d+)?, ")  # as `devices.describe_device` has it
_log = logging.getLogger(__name__)

Tag = TypeVar("Tag")


@dataclass(frozen=True)
class Share(Generic[Tag]):
    """What a batch holds of a piece: its windows `start` to `start + count`."""

    tag: Tag
    start: int
    count: int


Wait = Callable[[], Tensor]


class Host:
    """How batches are run where the windows already are: one after the other."""

    ahead = 0
    """How many batches are under way while the next one is put together."""

    def buffer(self, *shape: int) -> Tensor:
        """Room for a batch."""
        return torch.empty(shape)

    def start(self, encode: Wait) -> Wait:
        """Start on a batch; the result waits for its embeddings."""
        embeddings = encode().to("cpu", torch.float32)
        return lambda: embeddings


class Cuda(Host):
    """Page-locked memory, which the GPU reads and writes while the CPU goes on."""

    ahead = 1

    def buffer(self, *shape: int) -> Tensor:
        """Room for a batch."""
        return torch.empty(shape, pin_memory=True)

    def start(self, encode: Wait) -> Wait:
        """Start on a batch; the result waits for its embeddings."""
        embeddings = encode()  # returns before the GPU has done it
        back = torch.empty(embeddings.shape, pin_memory=True)
        back.copy_(embeddings, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()

        def wait() -> Tensor:
            arrived.synchronize()
            return back

        return wait


class Batches:
    """An encoder fed in batches.

    Parameters
    ----------
    encoder:
        On its device.
    batch_size:
        Windows at a time; None for 32 on a CPU and what a short probe finds best on a GPU.
    runner:
        `Cuda` where the encoder runs there, else `Host`; None finds out.

    Attributes
    ----------
    batch_size:
        What is used now; less than at first where the device ran out of memory.

    Example
    -------
    >>> from explorer.encoders import load
    >>> batches = Batches(load("spectral", device="cpu"), batch_size=2)
    >>> windows = np.zeros((3, 96000), dtype=np.float32)
    >>> for shares, rows in batches.encode([("a", windows)]):
    ...     print(shares[0], rows.shape)
    Share(tag='a', start=0, count=2) (2, 312)
    Share(tag='a', start=2, count=1) (1, 312)
    """

    def __init__(
        self, encoder: Encoder, batch_size: int | None = None, *, runner: Host | None = None
    ) -> None:
        self._encoder = encoder
        self._samples = window_samples(encoder)
        self._on_cuda = _IS_CUDA.search(encoder.device) is not None
        self._runner = runner or (Cuda() if self._on_cuda else Host())
        self.batch_size = batch_size or (self._probed() if self._on_cuda else CPU_BATCH)

    def encode(
        self, pieces: Iterable[tuple[Tag, NDArray[np.float32] | None]]
    ) -> Iterator[tuple[list[Share[Tag]], NDArray[np.float32]]]:
        """Embed pieces `[n, samples]` of any length in full batches, in order.

        What a batch is made of depends on the sequence of windows alone, not on the pieces. A
        piece is copied at once: its memory is free when the next one is asked for.

        Parameters
        ----------
        pieces:
            With a tag each; None in place of windows is a word that passes through in its turn.

        Yields
        ------
        Shares of the batch, and float32 `[n, dimension]`.

        Raises
        ------
        EncoderError
            A single window does not fit into the device's memory.
        """
        ahead: deque[tuple[list[Share[Tag]], Wait]] = deque()

        def oldest() -> tuple[list[Share[Tag]], NDArray[np.float32]]:
            shares, wait = ahead.popleft()
            return shares, wait().numpy()

        for shares, windows in self._regrouped(pieces):
            ahead.append((shares, self._runner.start(partial(self._fitting, windows))))
            if len(ahead) > self._runner.ahead:
                yield oldest()
        while ahead:
            yield oldest()

    def _regrouped(
        self, pieces: Iterable[tuple[Tag, NDArray[np.float32] | None]]
    ) -> Iterator[tuple[list[Share[Tag]], Tensor]]:
        """Full batches of pieces of any length; the last one may be shorter."""
        # One buffer is filled; of those before it, one is fetched and one still computed on.
        shape = (self.batch_size, self._samples)
        buffers = cycle([self._runner.buffer(*shape) for _ in range(2 * self._runner.ahead + 1)])
        buffer, filled = next(buffers), 0
        shares: list[Share[Tag]] = []
        for tag, windows in pieces:
            if windows is None:
                shares.append(Share(tag, 0, 0))
                continue
            rest = torch.from_numpy(windows)
            while len(rest):
                part = rest[: len(buffer) - filled]
                buffer[filled : filled + len(part)].copy_(part)
                shares.append(Share(tag, len(windows) - len(rest), len(part)))
                filled, rest = filled + len(part), rest[len(part) :]
                if filled == len(buffer):
                    yield shares, buffer
                    buffer, filled, shares = next(buffers), 0, []
        if shares:
            yield shares, buffer[:filled]

    def _fitting(self, windows: Tensor) -> Tensor:
        """Embed windows, in smaller batches where the device's memory is too small for them."""
        if not len(windows):
            return torch.empty(0, self._encoder.dimension)
        parts: list[Tensor] = []
        at = 0
        while at < len(windows):
            part = windows[at : at + self.batch_size]
            try:
                parts.append(self._encoder.encode(part))
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                if len(part) == 1:
                    raise EncoderError(
                        f"{self._encoder.name}: the memory of {self._encoder.device} is too small "
                        "for one window. Close what else uses it, or use device='cpu'."
                    ) from error
            else:
                at += len(part)
                continue
            self._shrink(len(part))  # only here has Python let go of what the failed pass held
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).detach()

    def _shrink(self, failed: int) -> None:
        self.batch_size = failed // 2
        _log.warning(
            "%s: out of memory on %s with %d windows at a time; going on with %d",
            self._encoder.name,
            self._encoder.device,
            failed,
            self.batch_size,
        )
        _empty_cache()

    def _probed(self) -> int:
        """Double the batch while that makes a window cheaper; takes about a second on a GPU."""
        most = min(_LARGEST, max(1, _LARGEST_BYTES // (4 * self._samples)))
        best, best_s = 1, float("inf")
        size = min(CPU_BATCH, most)
        while size <= most:
            try:
                seconds = self._seconds(size) / size
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                _empty_cache()
                break
            if seconds * _GAIN > best_s:
                break
            best, best_s = size, seconds
            size *= 2
        return best

    def _seconds(self, size: int) -> float:
        """The faster of two passes, the first of which may compile."""
        windows = self._runner.buffer(size, self._samples).zero_()
        times = []
        for _ in range(2):
            started = time.perf_counter()
            self._encoder.encode(windows).cpu()
            times.append(time.perf_counter() - started)
        return min(times)


def _is_out_of_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    # MPS, onnxruntime and the CPU's allocator have no class of their own for it.
    said = str(error).lower()
    return any(words in said for words in ("out of memory", "not enough memory", "can't allocate"))


def _empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
