"""The EfficientNets of Perch: B1 for SurfPerch and Perch 1.x, B3 for Perch 2.

An EfficientNet (Tan and Le 2019, arXiv:1905.11946) is a stem, a row of inverted residual blocks
with squeeze and excitation, and a head. Perch's own differs from others in its padding, in which
blocks add what came in, and in having swish or relu inside the blocks; all that is here as Perch
has it.

Batch normalisation stays a layer of its own in the network, because adapting an encoder to a place
trains it; `folded` gives a quicker copy for embedding, in which it is part of the convolutions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.errors import EncoderError, ParameterError

Variant = Literal["b1", "b3"]
Activation = Literal["swish", "relu"]
Module = TypeVar("Module", bound=nn.Module)

_BN_EPSILON = 1e-5  # flax's default
_BN_MOMENTUM = 0.01  # torch's way of writing 0.99


@dataclass(frozen=True)
class Stage:
    """A row of blocks of one width; the first of them has the stride."""

    blocks: int
    width: int
    kernel: int
    stride: int
    expand: int


@dataclass(frozen=True)
class Shape:
    """The widths and depths of a variant; `head` is the dimension of its embedding."""

    stem: int
    stages: tuple[Stage, ...]
    head: int


VARIANTS: dict[Variant, Shape] = {
    "b1": Shape(
        stem=32,
        stages=(
            Stage(2, 16, 3, 1, 1),
            Stage(3, 24, 3, 2, 6),
            Stage(3, 40, 5, 2, 6),
            Stage(4, 80, 3, 2, 6),
            Stage(4, 112, 5, 1, 6),
            Stage(5, 192, 5, 2, 6),
            Stage(2, 320, 3, 1, 6),
        ),
        head=1280,
    ),
    "b3": Shape(
        stem=40,
        stages=(
            Stage(2, 24, 3, 1, 1),
            Stage(3, 32, 3, 2, 6),
            Stage(3, 48, 5, 2, 6),
            Stage(5, 96, 3, 2, 6),
            Stage(5, 136, 5, 1, 6),
            Stage(6, 232, 5, 2, 6),
            Stage(2, 384, 3, 1, 6),
        ),
        head=1536,
    ),
}


class EfficientNet(nn.Module):
    """Pictures `[batch, 1, time, mel]` to embeddings `[batch, 1280]` (B1) or `[batch, 1536]` (B3).

    Parameters
    ----------
    variant:
        "b1" or "b3".
    activation:
        Inside the blocks; stem and head always have swish.

    Example
    -------
    >>> with torch.device("meta"):
    ...     EfficientNet("b1", "relu")(torch.empty(2, 1, 500, 128)).shape
    torch.Size([2, 1280])
    """

    def __init__(self, variant: Variant, activation: Activation) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ParameterError(f"EfficientNet {variant!r} is unknown. Use b1 or b3.")
        if activation not in {"swish", "relu"}:
            raise ParameterError(f"activation {activation!r} is unknown. Use swish or relu.")
        shape = VARIANTS[variant]
        self.stem = ConvNorm(1, shape.stem, 3, stride=2, pad=False)
        blocks, width = [], shape.stem
        for stage in shape.stages:
            for number in range(stage.blocks):
                blocks.append(Block(width, stage, activation, first=number == 0))
                width = stage.width
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(width, shape.head)

    def forward(self, pictures: Tensor) -> Tensor:
        """Give the mean of the spatial map."""
        return self.spatial(pictures).float().mean((2, 3))

    def spatial(self, pictures: Tensor) -> Tensor:
        """Give what is seen in each place: `[batch, 1280 or 1536, time, mel]`, 16 x 4 for 5 s."""
        x = _activate(self.stem(pictures), "swish")
        for block in self.blocks:
            x = block(x)
        return _activate(self.head(x), "swish")


class Block(nn.Module):
    """An inverted residual block: widen, look around, attend to channels, narrow.

    What came in is added unless the block is the first of its stage, even where it would fit.
    """

    def __init__(self, width: int, stage: Stage, activation: Activation, *, first: bool) -> None:
        super().__init__()
        inside = width * stage.expand
        attention = inside // (4 * stage.expand)
        self.activation = activation
        self.adds = not first
        self.expand = ConvNorm(width, inside) if stage.expand > 1 else None
        self.depthwise = ConvNorm(
            inside, inside, stage.kernel, stride=stage.stride if first else 1, groups=inside
        )
        self.squeeze = nn.Linear(inside, attention)
        self.excite = nn.Linear(attention, inside)
        self.project = ConvNorm(inside, stage.width)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on `[batch, channel, time, mel]`."""
        return self.branch(x) + x if self.adds else self.branch(x)

    def branch(self, x: Tensor) -> Tensor:
        """Run it without adding what came in."""
        if self.expand is not None:
            x = _activate(self.expand(x), self.activation)
        x = _activate(self.depthwise(x), self.activation)
        weight = _activate(self.squeeze(x.mean((2, 3))), self.activation)
        return self.project(x * self.excite(weight).sigmoid()[:, :, None, None])


class ConvNorm(nn.Module):
    """A convolution without bias, padded as Perch pads, and its batch normalisation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        pad: bool = True,
    ) -> None:
        super().__init__()
        self.pads_by_size = pad and stride == 2
        padding = kernel // 2 if pad and stride == 1 else 0
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=_BN_EPSILON, momentum=_BN_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalise `[batch, channel, time, mel]`."""
        if not self.pads_by_size:
            return self.norm(self.conv(x))
        conv = self.conv
        (top, bottom), (left, right) = (
            strided_padding(size, kernel)
            for size, kernel in zip(x.shape[2:], conv.kernel_size, strict=True)
        )
        if bottom > top or right > left:  # only what the convolution cannot pad by itself: a copy
            x = functional.pad(x, (0, right - left, 0, bottom - top))
        return self.norm(
            functional.conv2d(
                x, conv.weight, conv.bias, conv.stride, (top, left), groups=conv.groups
            )
        )


def strided_padding(size: int, kernel: int) -> tuple[int, int]:
    """Return the zeros before and after an axis where the stride is 2.

    Example
    -------
    >>> strided_padding(249, 3), strided_padding(32, 5)
    ((1, 1), (1, 2))
    """
    return kernel // 2 - (size % 2 == 0), kernel // 2


def folded(module: Module, device: torch.device) -> Module:
    """Return a copy for embedding on a device: normalisation inside the convolutions, frozen.

    Works on anything that has an `EfficientNet` inside; the original stays as it is.
    """
    quick = copy.deepcopy(module).eval().requires_grad_(False)
    for part in quick.modules():
        if isinstance(part, ConvNorm) and isinstance(part.norm, nn.BatchNorm2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity()
            if device.type == "cpu" and torch.backends.mkldnn.is_available():
                _prefer_onednn(part.conv)
    quick.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return quick.to(device)


def _prefer_onednn(conv: nn.Conv2d) -> None:
    """Have torch take the quicker of its two CPU libraries for a 1x1 convolution.

    With one thread and few windows it would take the one that needs 1.5 times as long, except where
    a convolution is dilated; and to dilate a single point is to do nothing.
    """
    if conv.kernel_size == (1, 1):
        conv.dilation = (2, 2)


# --- Perch's parameters: flax's names and layouts -------------------------------------------------


def flax_shapes(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Return the flax path and shape of every array of an encoder.

    Example
    -------
    >>> shapes = flax_shapes("b1")
    >>> len(shapes), shapes["params/encoder/Stem_0/Conv_0/kernel"]
    (437, (3, 3, 1, 32))
    """
    return {
        _flax_path(name): tuple(array.permute(_TO_FLAX[array.ndim]).shape)
        for name, array in _arrays(variant).items()
    }


def state_from_flax(parameters: Mapping[str, np.ndarray], variant: Variant) -> dict[str, Tensor]:
    """Return a `state_dict` for `EfficientNet(variant, …)` from arrays named by flax path.

    Raises
    ------
    EncoderError
        An array is missing, has another shape, or does not belong to the encoder; it is named.
    """
    check_shapes(parameters, flax_shapes(variant), f"an EfficientNet {variant.upper()} of Perch")
    return {name: from_flax(parameters[_flax_path(name)]) for name in _arrays(variant)}


def check_shapes(
    parameters: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]], whole: str
) -> None:
    """Refuse arrays that are not exactly the expected ones; `whole` says what they should make up.

    Raises
    ------
    EncoderError
        Names the arrays that are missing, wrongly shaped or too many.
    """
    missing = sorted(expected.keys() - parameters.keys())
    extra = sorted(parameters.keys() - expected.keys())
    wrong = [
        f"{path} is {list(parameters[path].shape)} and should be {list(shape)}"
        for path, shape in expected.items()
        if path in parameters and tuple(parameters[path].shape) != shape
    ]
    faults = [f"{path} is missing" for path in missing]
    faults += [f"{path} does not belong to it" for path in extra] + wrong
    if faults:
        more = f" and {len(faults) - 3} more faults" if len(faults) > 3 else ""
        raise EncoderError(
            f"these parameters are not those of {whole}: {'; '.join(faults[:3])}{more}. "
            "Convert the published model again, and make sure that it is this one."
        )


def from_flax(array: np.ndarray) -> Tensor:
    """Return an array in torch's layout, as float32: `[out, in, …]` in place of `[…, in, out]`.

    Example
    -------
    >>> from_flax(np.zeros((3, 5, 1, 32))).shape, from_flax(np.zeros((1280, 7))).shape
    (torch.Size([32, 1, 3, 5]), torch.Size([7, 1280]))
    """
    tensor = torch.from_numpy(np.asarray(array, dtype=np.float32))
    return tensor.permute(_TO_TORCH[tensor.ndim]).clone(memory_format=torch.contiguous_format)


# Order of the axes of convolutions' kernels, of dense layers' and of all else, by their number.
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
_TO_FLAX = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
_FLAX_PARTS = {
    "conv": "Conv_0",
    "norm": "BatchNorm_0",
    "expand.conv": "ExpandConv",
    "expand.norm": "ExpandBatchNorm",
    "depthwise.conv": "DepthwiseConv",
    "depthwise.norm": "DepthwiseBatchNorm",
    "squeeze": "SqueezeAndExcitation_0/Reduce",
    "excite": "SqueezeAndExcitation_0/Expand",
    "project.conv": "ProjectConv",
    "project.norm": "ProjectBatchNorm",
}
_FLAX_STATISTICS = {"running_mean": "mean", "running_var": "var"}


def _flax_path(name: str) -> str:
    """Return flax's path of what torch calls e.g. blocks.3.expand.norm.running_var."""
    owner, leaf = name.rsplit(".", 1)
    module, part = owner.removeprefix("blocks.").split(".", 1)
    module = {"stem": "Stem_0", "head": "Head_0"}.get(module, f"MBConv_{module}")
    if leaf == "weight":
        leaf = "scale" if part.endswith("norm") else "kernel"
    collection = "batch_stats" if leaf in _FLAX_STATISTICS else "params"
    leaf = _FLAX_STATISTICS.get(leaf, leaf)
    return f"{collection}/encoder/{module}/{_FLAX_PARTS[part]}/{leaf}"


def _arrays(variant: Variant) -> dict[str, Tensor]:
    """Return every array of an encoder by torch's name, without content."""
    with torch.device("meta"):
        state = EfficientNet(variant, "swish").state_dict()
    return {name: array for name, array in state.items() if array.ndim}  # no counters


def _activate(x: Tensor, activation: Activation) -> Tensor:
    """Apply swish or relu, in place where no gradient needs what was there."""
    in_place = not torch.is_grad_enabled()
    return functional.silu(x, in_place) if activation == "swish" else functional.relu(x, in_place)
