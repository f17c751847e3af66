"""Encoders in ONNX files, run by onnxruntime: BirdNET 3.0, Perch 2 and anyone's own.

One class for all: what a file takes and gives is declared (`OnnxSpec`), and compared with the file
before it is run. onnxruntime works out all outputs of a file at every call, so for embeddings alone
it is given only the part that leads to them; the rest is loaded when logits are first asked for.
Windows and results stay in torch's memory, on the GPU where there is one. On a CPU each core runs
windows of its own: 33 ms a window of an EfficientNet-B1 on two busy cores, where onnxruntime's own
way, to share each operation among them, took 57 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from explorer.encoders.base import check_embeddings, check_windows
from explorer.encoders.formats.onnx import Port, between, leads_to, only
from explorer.encoders.onnx_session import reopen, start
from explorer.encoders.onnx_spec import OnnxSpec, class_names, fit
from explorer.encoders.parallel import in_pieces
from explorer.errors import EncoderError

_AT_ONCE = {"cpu": 4, "cuda": 128}  # on a CPU, larger ones leave the cache
_HEADS_AT_ONCE = 256
_NUMBERS = {
    "float16": (torch.float16, np.float16),
    "float32": (torch.float32, np.float32),
    "float64": (torch.float64, np.float64),
}
_CLOSEST = 1e-7  # probabilities nearer to 0 or 1 are not told apart
_FULL = ("out of memory", "failed to allocate memory", "available memory of")


class OnnxEncoder:
    """An encoder in an ONNX file.

    Parameters
    ----------
    spec:
        What is declared of it.
    model:
        The file.
    device:
        "auto", "cpu" or "cuda". A GPU needs the package onnxruntime-gpu: where that is missing,
        "cuda" is refused, and "auto" takes the CPU and says why in `device`.
    window_s:
        Another window than the declared one, for files that take any.

    Raises
    ------
    MissingDependencyError
        onnxruntime is not installed.
    EncoderError
        The file is not what is declared, or does not run.

    Example
    -------
    >>> spec = OnnxSpec("mine", "1", "mine.onnx", 32_000, 5.0, 512, "mine")      # doctest: +SKIP
    >>> OnnxEncoder(spec, Path("mine.onnx")).encode(windows).shape               # doctest: +SKIP
    torch.Size([8, 512])
    """

    def __init__(
        self,
        spec: OnnxSpec,
        model: Path,
        *,
        device: str | torch.device = "auto",
        window_s: float | None = None,
    ) -> None:
        self.name = spec.name
        self.version = spec.version
        self.sample_rate = spec.sample_rate
        self.dimension = spec.dimension
        self.licence = spec.licence
        self._spec = spec
        self._model = model
        self._fit = fit(spec, model, window_s)
        self.window_s = self._fit.window_s
        part = only(model, [self._fit.embedding.name])
        self._for_embeddings, self._device, self.device = start(part, model, device)
        self.encode(torch.zeros(1, self._samples))  # what does not run should say so now

    @property
    def _samples(self) -> int:
        return round(self.window_s * self.sample_rate)

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as float32 `[batch, dimension]` on this device."""
        return self._run(self._for_embeddings, windows, {self._fit.embedding: self.dimension})[0]

    def _run(self, session: Any, windows: Tensor, outputs: dict[Port, int]) -> list[Tensor]:
        """Run windows through the file; give each output, float32 `[batch, its width]`."""
        check_windows(windows, self._samples, self.name)
        if not len(windows):
            return [torch.empty(0, width, device=self._device) for width in outputs.values()]
        pieces = in_pieces(
            lambda piece: self._run_piece(session, piece, outputs),
            windows,
            at_once=self._fit.batch or _AT_ONCE[self._device.type],
            device=self._device,
        )
        return [torch.cat(rows) for rows in zip(*pieces, strict=True)]

    def _run_piece(self, session: Any, piece: Tensor, outputs: dict[Port, int]) -> list[Tensor]:
        return self._fill(session, self._fit.input, self._spec.normalisation(piece), outputs)

    def _fill(
        self, session: Any, entry: Port, piece: Tensor, outputs: dict[Port, int]
    ) -> list[Tensor]:
        """Run what goes into one input, at most a batch of it; give each output."""
        count = len(piece)
        if self._fit.batch:  # a file for batches of one size only: silence fills this one up
            piece = functional.pad(piece, (0, 0, 0, self._fit.batch - count))
        piece = piece.to(_NUMBERS[entry.kind][0]).contiguous()
        binding = session.io_binding()
        _bind(binding.bind_input, entry, piece)
        results = []
        for port, width in outputs.items():
            results.append(piece.new_empty(len(piece), width, dtype=_NUMBERS[port.kind][0]))
            _bind(binding.bind_output, port, results[-1])
        if piece.device.type == "cuda":  # onnxruntime has a queue of its own
            torch.cuda.current_stream(piece.device).synchronize()
        try:
            session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's errors have no root of their own
            if any(words in str(error).lower() for words in _FULL):
                raise torch.OutOfMemoryError(f"{self.name}: {error}") from error
            raise EncoderError(
                f"{self._model}: onnxruntime could not run windows of {self.window_s:g} s: {error}"
            ) from error
        return [rows[:count].float() for rows in results]


class OnnxClassifier(OnnxEncoder):
    """An encoder in an ONNX file that also gives scores of classes.

    Parameters
    ----------
    labels:
        The file of class names.
    """

    class_names: list[str]

    def __init__(
        self,
        spec: OnnxSpec,
        model: Path,
        labels: Path,
        *,
        device: str | torch.device = "auto",
        window_s: float | None = None,
    ) -> None:
        super().__init__(spec, model, device=device, window_s=window_s)
        assert self._fit.logits is not None
        self._logits: Port = self._fit.logits
        self.class_names = class_names(spec, labels, (self._logits.shape or (None, None))[1])

    @cached_property
    def _for_both(self) -> Any:
        part = only(self._model, [self._fit.embedding.name, self._logits.name])
        return reopen(part, self._model, self._device)

    def logits(self, windows: Tensor) -> Tensor:
        """Score windows `[batch, samples]`: float32 `[batch, n_classes]` before a sigmoid.

        Where the file gives probabilities p, the logits are log(p / (1 - p)), p kept 1e-7 away from
        0 and 1.
        """
        return self.encode_with_logits(windows)[1]

    def encode_with_logits(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Give embeddings `[batch, dimension]` and logits `[batch, n_classes]` in one pass."""
        widths = {self._fit.embedding: self.dimension, self._logits: len(self.class_names)}
        embeddings, scores = self._run(self._for_both, windows, widths)
        return embeddings, self._as_logits(scores)

    def _as_logits(self, scores: Tensor) -> Tensor:
        if self._spec.scores == "probabilities":
            scores = scores.clamp(_CLOSEST, 1 - _CLOSEST).logit()
        return scores * self._spec.slope + self._spec.offset


class OnnxHeaded(OnnxClassifier):
    """An encoder in an ONNX file whose scores follow from the embedding: so says its graph."""

    @cached_property
    def _for_head(self) -> Any:
        part = between(self._model, self._fit.embedding.name, self._logits.name)
        return reopen(part, self._model, self._device)

    def head(self, embeddings: Tensor) -> Tensor:
        """Score embeddings `[batch, dimension]`, stored ones too: float32 `[batch, n_classes]`."""
        check_embeddings(embeddings, self.dimension, self.name)
        if not len(embeddings):
            return torch.empty(0, len(self.class_names), device=self._device)
        session, outputs = self._for_head, {self._logits: len(self.class_names)}
        pieces = in_pieces(
            lambda piece: self._fill(session, self._fit.embedding, piece, outputs),
            embeddings,
            at_once=self._fit.batch or _HEADS_AT_ONCE,
            device=self._device,
        )
        return self._as_logits(torch.cat([rows for (rows,) in pieces]))


def open_encoder(
    spec: OnnxSpec,
    model: Path,
    labels: Path | None,
    *,
    device: str | torch.device = "auto",
    window_s: float | None = None,
) -> OnnxEncoder:
    """Make an encoder, with its classes where it has some."""
    if spec.logits is None or labels is None:
        return OnnxEncoder(spec, model, device=device, window_s=window_s)
    ports = fit(spec, model, window_s)
    assert ports.logits is not None
    headed = leads_to(model, ports.embedding.name, ports.logits.name)
    kind = OnnxHeaded if headed else OnnxClassifier
    return kind(spec, model, labels, device=device, window_s=window_s)


def _bind(bind: Callable[..., None], port: Port, tensor: Tensor) -> None:
    """Let onnxruntime read or write a tensor where it lies."""
    bind(
        name=port.name,
        device_type=tensor.device.type,
        device_id=tensor.device.index or 0,
        element_type=_NUMBERS[port.kind][1],
        shape=tuple(tensor.shape),
        buffer_ptr=tensor.data_ptr(),
    )
