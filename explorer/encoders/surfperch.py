"""SurfPerch and Perch 1.x in torch: 5 s of sound at 32 kHz to 1,280 numbers.

SurfPerch (Williams et al. 2024, arXiv:2404.16436) was trained on birds, reefs and other sounds;
Perch 1.x (Ghani et al. 2023, doi:10.1038/s41598-023-49989-z) on birds. Both are the same network:
PCEN of a mel spectrogram, an EfficientNet B1, and a linear head for each list of classes.

Three things changed in Perch's public code while these networks were trained, and a network must be
run with what it was trained with: how PCEN weighs the past, the activation inside the blocks, and
PCEN's constants. They are settings of `SurfPerch.from_parameters`; a converted file says which.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from explorer.encoders import perch_weights
from explorer.encoders.base import check_embeddings, check_windows
from explorer.encoders.devices import (
    Precision,
    autocast,
    choose_device,
    choose_precision,
    describe_device,
)
from explorer.encoders.efficientnet import (
    Activation,
    EfficientNet,
    check_shapes,
    folded,
    from_flax,
    state_from_flax,
)
from explorer.encoders.frontends import PcenName, Smoothing, perch_front_end
from explorer.encoders.normalise import PERCH
from explorer.encoders.parallel import in_pieces
from explorer.encoders.perch_weights import DIMENSION, LICENCE, SAMPLE_RATE, WINDOW_S, Converted
from explorer.errors import EncoderError, ParameterError

_log = logging.getLogger(__name__)

HEADS = ("label", "genus", "family", "order", "reef_label", "fsd50k_label")
"""What the heads score, in the order of SurfPerch's parameters; Perch 1.x has the first four."""

_MAIN_HEAD = {"surfperch": "reef_label", "perch": "label"}
_SAMPLES = round(WINDOW_S * SAMPLE_RATE)
# Windows that run at once. On a CPU more leave the cache (measured: 8 are 15 % slower, 16 two
# thirds); on a GPU fewer would be done before the next operation is launched.
_AT_ONCE = {"cpu": 4, "cuda": 256, "mps": 32}
_SAME = 0.9999  # cosine of an embedding in half precision to that in float32
_ENCODER = ("params/encoder/", "batch_stats/encoder/")


class PerchEncoder:
    """SurfPerch or Perch 1.x as an encoder that is also a classifier.

    Each window is first freed of its mean and scaled to a peak of 0.25, as perch-hoplite does.

    Parameters
    ----------
    weights:
        What `perch_weights.find` returns.
    device:
        "auto", "cpu", "cuda" or "mps".
    precision:
        Of the network. "auto" is float32 on a CPU; on a GPU it is float16 if that hardly changes
        the embeddings (cosine 0.9999), which is measured on a few sounds at the start, and else
        float32. The pictures that the network looks at are never made in half precision.

    Attributes
    ----------
    class_names:
        The classes of the main head, which `logits` scores: SurfPerch's reef sounds
        ("reef_label"), Perch's species ("label").
    all_class_names:
        The classes of every head that `all_logits` scores.

    Raises
    ------
    EncoderError
        The weights do not make up the network, or the heads do not fit their lists of classes.

    Example
    -------
    >>> encoder = PerchEncoder(perch_weights.find("surfperch"))           # doctest: +SKIP
    >>> embeddings, logits = encoder.encode_with_logits(windows)          # doctest: +SKIP
    >>> encoder.all_logits(windows)["fsd50k_label"].shape                 # doctest: +SKIP
    """

    sample_rate = SAMPLE_RATE
    window_s = WINDOW_S
    dimension = DIMENSION
    licence = LICENCE

    def __init__(
        self,
        weights: Converted,
        *,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.name = weights.name
        self.version = weights.version
        self.all_class_names = {head: list(names) for head, names in weights.class_names.items()}
        self._main = _MAIN_HEAD[weights.name]
        if self._main not in self.all_class_names:
            raise EncoderError(
                f"{self.name}: its weights have no head {self._main}, only "
                f"{', '.join(self.all_class_names)}. Convert the published model again."
            )
        self.class_names = self.all_class_names[self._main]
        self._device = choose_device(device)
        self.device = describe_device(self._device)
        network = SurfPerch.from_parameters(
            weights.parameters, **vars(weights.switches), heads=tuple(self.all_class_names)
        )
        scored = {name: head.out_features for name, head in network.heads.items()}
        named = {name: len(classes) for name, classes in self.all_class_names.items()}
        if scored != named:
            raise EncoderError(
                f"{self.name}: its heads score {scored} classes, but their lists have {named} "
                "names. Convert the published model again."
            )
        self._network = folded(network, self._device)
        self._dtype = choose_precision(precision, self._device)
        if precision == "auto" and not _keeps_embeddings(self._network, self._dtype, self._device):
            _log.warning("%s: runs in float32, since %s would change it", self.name, self._dtype)
            self._dtype = torch.float32

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, 160000]` as float32 `[batch, 1280]` on this encoder's device."""
        check_windows(windows, _SAMPLES, self.name)
        if not len(windows):
            return torch.empty(0, self.dimension, device=self._device)
        return torch.cat(
            in_pieces(
                lambda piece: self._network(PERCH(piece), self._dtype),
                windows,
                at_once=_AT_ONCE[self._device.type],
                device=self._device,
            )
        )

    def logits(self, windows: Tensor) -> Tensor:
        """Score windows with the main head: float32 `[batch, len(class_names)]`, no sigmoid."""
        return self.encode_with_logits(windows)[1]

    def encode_with_logits(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Give embeddings `[batch, 1280]` and the main head's logits in one pass."""
        embeddings = self.encode(windows)
        return embeddings, self.head(embeddings)

    def head(self, embeddings: Tensor) -> Tensor:
        """Score embeddings `[batch, 1280]`, stored ones too, with the main head."""
        check_embeddings(embeddings, self.dimension, self.name)
        with torch.no_grad():
            scored: Tensor = self._network.heads[self._main](
                embeddings.to(self._device, torch.float32)
            )
        return scored

    def all_logits(self, windows: Tensor) -> dict[str, Tensor]:
        """Score windows with every head: float32 `[batch, classes]` by name, no sigmoid."""
        embeddings = self.encode(windows)
        with torch.no_grad():
            return self._network.logits(embeddings)


class SurfPerch(nn.Module):
    """The network: waveforms `[batch, 160000]` to embeddings `[batch, 1280]`.

    Waveforms are taken as they are; see `frame` for how perch-hoplite prepares them.

    Parameters
    ----------
    front_end:
        Waveforms to pictures `[batch, time, mel]`.
    network:
        Pictures `[batch, 1, time, mel]` to embeddings.
    heads:
        By name, in the order of the parameters: embeddings to logits.
    """

    def __init__(
        self, front_end: nn.Module, network: EfficientNet, heads: Mapping[str, nn.Linear]
    ) -> None:
        super().__init__()
        self.front_end = front_end
        self.network = network
        self.heads = nn.ModuleDict(heads)

    def forward(self, waves: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Embed waveforms; `dtype` is the precision of everything behind the front end."""
        pictures = self.front_end(waves)  # outside: half precision would drown what is quiet
        with autocast(waves.device, dtype):
            embeddings: Tensor = self.network(pictures[:, None])
        return embeddings

    def logits(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Score embeddings with each head: `[batch, classes]`, before any sigmoid."""
        return {name: head(embeddings) for name, head in self.heads.items()}

    @classmethod
    def from_parameters(
        cls,
        parameters: Mapping[str, np.ndarray],
        *,
        smoothing: Smoothing,
        activation: Activation,
        pcen: PcenName,
        heads: Sequence[str] = HEADS,
    ) -> SurfPerch:
        """Build the network from arrays named by flax path, such as params/Dense_0/kernel.

        Its batch normalisation is still a layer of its own; see `efficientnet.folded`.

        Parameters
        ----------
        parameters:
            Every array of the encoder and of its heads, and no other.
        smoothing, pcen:
            See `frontends.Pcen`.
        activation:
            See `efficientnet.EfficientNet`.
        heads:
            Names for Dense_0, Dense_1, …; there may be more names than heads.

        Raises
        ------
        EncoderError
            An array is missing, has another shape or does not belong here; it is named.

        Example
        -------
        >>> weights = perch_weights.find("surfperch")                     # doctest: +SKIP
        >>> SurfPerch.from_parameters(
        ...     weights.parameters, **vars(weights.switches)
        ... )                                                             # doctest: +SKIP
        """
        front_end = perch_front_end(pcen, smoothing)
        with torch.device("meta"):  # no time is spent on initial values that are thrown away
            network = EfficientNet("b1", activation)
        encoder = {path: a for path, a in parameters.items() if path.startswith(_ENCODER)}
        network.load_state_dict(state_from_flax(encoder, "b1"), assign=True)
        dense = {path: a for path, a in parameters.items() if path not in encoder}
        return cls(front_end, network, _linear_heads(dense, heads)).eval()


def _linear_heads(dense: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, nn.Linear]:
    count = len({path.split("/")[1] for path in dense if path.startswith("params/Dense_")})
    if count > len(names):
        raise EncoderError(
            f"there are {count} heads, but names for {len(names)} only ({', '.join(names)})."
        )
    paths = {name: f"params/Dense_{i}" for i, name in enumerate(names[:count])}
    expected: dict[str, tuple[int, ...]] = {}
    for path in paths.values():
        given = dense.get(f"{path}/bias", dense.get(f"{path}/kernel"))
        classes = () if given is None else given.shape[-1:]
        expected |= {f"{path}/kernel": (DIMENSION, *classes), f"{path}/bias": classes}
    check_shapes(dense, expected, "the heads of SurfPerch or Perch 1.x")
    heads = {}
    for name, path in paths.items():
        weight, bias = from_flax(dense[f"{path}/kernel"]), from_flax(dense[f"{path}/bias"])
        heads[name] = nn.Linear(DIMENSION, len(bias), device="meta")
        heads[name].load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return heads


def _keeps_embeddings(network: SurfPerch, dtype: torch.dtype, device: torch.device) -> bool:
    """Say whether a network gives the same in another precision: noise, a fading noise, clicks."""
    if dtype == torch.float32:
        return True
    noise = torch.randn(3, _SAMPLES, generator=torch.Generator().manual_seed(3))
    noise[1] *= torch.logspace(0, -4, _SAMPLES)
    noise[2] *= torch.arange(_SAMPLES) % (SAMPLE_RATE // 4) < 200
    sounds = PERCH(noise).to(device)
    with torch.inference_mode():
        exact, other = network(sounds), network(sounds, dtype)
    return bool((torch.cosine_similarity(exact, other) > _SAME).all())


def frame(audio: Tensor, hop_s: float = WINDOW_S) -> Tensor:
    """Cut sound `[samples]` at 32 kHz into windows `[frames, 160000]`, as perch-hoplite does.

    What is left at the end is dropped; sound shorter than a window is centred between zeros.
    `PERCH` normalisation follows, which `PerchEncoder` applies by itself.

    Raises
    ------
    ParameterError
        The hop is shorter than a sample.

    Example
    -------
    >>> frame(torch.zeros(400_000), hop_s=2.5).shape, frame(torch.zeros(96_000)).shape
    (torch.Size([4, 160000]), torch.Size([1, 160000]))
    """
    hop = round(hop_s * SAMPLE_RATE)
    if hop < 1:
        raise ParameterError(
            f"hop_s={hop_s} is not possible: windows must move on. Try {WINDOW_S}."
        )
    missing = max(0, _SAMPLES - len(audio))
    audio = nn.functional.pad(audio, (missing // 2, missing - missing // 2))
    return audio.unfold(0, _SAMPLES, hop)


def load(
    name: Literal["surfperch", "perch"],
    *,
    device: str = "auto",
    path: str | Path | None = None,
    window_s: float | None = None,
) -> PerchEncoder:
    """Make one of the two encoders; its window is 5 s and nothing else.

    `path` is a converted file, or the published model's folder or archive; None: what
    `explorer encoders add` kept.
    """
    if window_s is not None and window_s != WINDOW_S:
        raise ParameterError(
            f"{name}: window_s={window_s} is not possible, the model takes {WINDOW_S} s. "
            "Choose a hop instead."
        )
    weights = perch_weights.find(name, None if path is None else Path(path))
    return PerchEncoder(weights, device=device)
