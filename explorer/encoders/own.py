"""Your own encoder from a torch module: give it a name and it works like all others.

See notebooks/02_your_own_encoder.ipynb; for an ONNX file `explorer.encoders.descriptions`.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from explorer.encoders.base import check_windows
from explorer.encoders.descriptions import is_word
from explorer.encoders.devices import (
    Precision,
    autocast,
    choose_device,
    choose_precision,
    describe_device,
)
from explorer.encoders.normalise import NONE, Normalisation
from explorer.encoders.parallel import in_pieces
from explorer.errors import EncoderError, ParameterError

_AT_ONCE = {"cpu": 16, "cuda": 128, "mps": 64}
_SAME = 0.01  # of the largest number: what rounding may change with the size of a batch


class TorchEncoder:
    """A torch module as an encoder.

    A copy of the module is taken, in evaluation mode: training it on does not change the encoder.
    A few windows are run through it at once, so that a module that does not fit is refused here.

    Parameters
    ----------
    module:
        Maps float32 `[batch, samples]` to `[batch, dimension]`, each window by itself.
    name, version:
        Together they name what a collection keeps: change the version with the weights.
    sample_rate, window_s:
        What the module hears: `round(window_s * sample_rate)` samples between -1 and 1.
    dimension:
        How many numbers an embedding has.
    licence:
        Terms of the weights, for those who get your embeddings.
    normalisation:
        What is done to each window first.
    device:
        "auto", "cpu", "cuda" or "mps".
    precision:
        "float32", or "float16" and "bfloat16" for modules that were trained to bear it; "auto" is
        float32 on a CPU and float16 on a GPU.

    Raises
    ------
    ParameterError
        The name or version cannot be one.
    EncoderError
        The module fails, gives something else than `[batch, dimension]`, or gives a window another
        embedding when other windows are in the batch.

    Example
    -------
    >>> loudness = nn.Sequential(nn.Unflatten(1, (8, -1)), nn.LPPool1d(2, 4000), nn.Flatten())
    >>> encoder = TorchEncoder(
    ...     loudness, name="loudness", version="1", sample_rate=16_000, window_s=2.0,
    ...     dimension=8, licence="CC0", device="cpu",
    ... )
    >>> encoder.encode(torch.zeros(3, 32_000)).shape
    torch.Size([3, 8])
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        version: str,
        sample_rate: int,
        window_s: float,
        dimension: int,
        licence: str,
        normalisation: Normalisation = NONE,
        device: str | torch.device = "auto",
        precision: Precision = "float32",
    ) -> None:
        for word in (name, version):
            if not is_word(word):
                raise ParameterError(
                    f"{word!r} cannot name an encoder or a version. Use letters, digits, - _ and ."
                )
        self.name = name
        self.version = version
        self.sample_rate = sample_rate
        self.window_s = window_s
        self.dimension = dimension
        self.licence = licence
        self._normalisation = normalisation
        self._samples = round(window_s * sample_rate)
        self._device = choose_device(device)
        self._dtype = choose_precision(precision, self._device)
        self.device = describe_device(self._device)
        try:
            self._module = copy.deepcopy(module).eval().to(self._device)
        except RuntimeError as error:  # a part of it belongs to a gradient
            raise EncoderError(
                f"{name}: the module cannot be copied ({error}). Load its state_dict() into a "
                "module that was just made, and give that one."
            ) from error
        self._try_out()

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as float32 `[batch, dimension]` on this device."""
        check_windows(windows, self._samples, self.name)
        if not len(windows):
            return torch.empty(0, self.dimension, device=self._device)
        at_once = _AT_ONCE[self._device.type]
        return torch.cat(in_pieces(self._run, windows, at_once=at_once, device=self._device))

    def _run(self, piece: Tensor) -> Tensor:
        piece = self._normalisation(piece)
        with autocast(self._device, self._dtype):
            found = self._module(piece)
        return found.float() if isinstance(found, Tensor) else found

    def _try_out(self) -> None:
        noise = torch.randn(3, self._samples, generator=torch.Generator().manual_seed(0)) * 0.1
        noise = noise.to(self._device)
        given = f"{self.name}: the module was given float32 {list(noise.shape)}"
        try:
            with torch.inference_mode():
                together, alone = self._run(noise), self._run(noise[:1])
        except Exception as error:  # someone's module can fail in any way
            raise EncoderError(f"{given} and failed: {error}") from error
        if not isinstance(together, Tensor):
            raise EncoderError(
                f"{given} and gave a {type(together).__name__} instead of a tensor. Wrap it in a "
                "module whose forward returns the embedding alone."
            )
        if together.shape != (len(noise), self.dimension):
            raise EncoderError(
                f"{given} and gave {list(together.shape)}, but [{len(noise)}, {self.dimension}] is "
                "needed: one vector a window. Take the mean over time in its forward, or give the "
                "dimension that it has."
            )
        if not together.isfinite().all():
            raise EncoderError(f"{given} (soft noise) and gave numbers that are not finite.")
        if (together[0] - alone[0]).abs().max() > _SAME * together.abs().max():
            raise EncoderError(
                f"{given} and gave a window another embedding than when it was alone. Leave out "
                "what mixes windows of a batch or changes at random."
            )
