"""Perch's EfficientNet against the reference, activation by activation, and its parameters."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from perch_fixtures import (
    arrays,
    fault,
    one_thread,  # noqa: F401
    parameters,
    random_parameters,
    tolerances,
)
from torch import Tensor, nn

from explorer.encoders import efficientnet
from explorer.encoders.efficientnet import (
    VARIANTS,
    Activation,
    EfficientNet,
    Variant,
    flax_shapes,
    folded,
    state_from_flax,
)
from explorer.errors import EncoderError, ParameterError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "parity"


def network(flax: dict[str, np.ndarray], activation: Activation) -> EfficientNet:
    with torch.device("meta"):
        made = EfficientNet("b1", activation)
    made.load_state_dict(state_from_flax(flax, "b1"), assign=True)
    return made.eval()


def encoder_parameters(parity: Path) -> dict[str, np.ndarray]:
    return {path: a for path, a in parameters(parity).items() if "/encoder/" in path}


# --- against the reference ------------------------------------------------------------------------


def activations(ours: EfficientNet, pictures: Tensor) -> dict[str, Tensor]:
    """Give what each module makes, as the fixtures name it: NCHW."""
    x = nn.functional.silu(ours.stem(pictures))
    found = {"Stem_0__out": x}
    for i, block in enumerate(ours.blocks):
        found[f"MBConv_{i}__out"] = block.branch(x)  # type: ignore[operator]
        found[f"MBConv_{i}__post"] = x = block(x)
    found["Head_0__out"] = nn.functional.silu(ours.head(x))
    return found


def faults(parity: Path, made_as: Activation | None = None) -> dict[str, list[str]]:
    """Compare with each file of activations; `made_as` has ours run with another activation."""
    folder, limits = parity / "effnet_b1", tolerances(parity)["encoder_from_spectrogram"]
    (spectrogram,) = arrays(folder / "input_spectrogram.npz").values()
    pictures = torch.from_numpy(spectrogram).permute(0, 3, 1, 2)
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("activations_*.npz")):
        name = path.stem.removeprefix("activations_")
        layout = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        theirs = arrays(path)
        ours = network(encoder_parameters(parity), made_as or name)  # type: ignore[arg-type]
        with torch.inference_mode():
            made = activations(ours, pictures)
            lines = fault(
                "embedding", ours(pictures), theirs["embedding"], limits["embedding_atol"]
            )
            spatial = ours.spatial(pictures)[0].permute(1, 2, 0)
        assert {key.removesuffix("_chmean") for key in theirs if key.endswith("_chmean")} == set(
            made
        )
        for key, outputs in made.items():
            picture = outputs[0].permute(1, 2, 0)
            assert list(picture.shape) == layout[key]["full_shape_HWC"]
            step = layout[key]["spatial_step"]
            for suffix, numbers in {
                "": picture[::step, ::step],
                "_chmean": picture.mean((0, 1)),
                "_chstd": picture.std((0, 1), correction=0),
            }.items():
                expected = theirs[key + suffix]
                limit = limits["chmean_rel_to_max"] * float(np.abs(expected).max())
                lines += fault(key + suffix, numbers, expected, limit)
        limit = limits["chmean_rel_to_max"] * float(np.abs(theirs["head_spatial"]).max())
        lines += fault("head_spatial", spatial, theirs["head_spatial"], limit)
        found[name] = lines
    assert found
    return found


@pytest.mark.golden
def test_every_module_equals_the_references(parity: Path) -> None:
    found = faults(parity)
    assert not any(found.values()), found


@pytest.mark.golden
@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_a_wrong_activation_is_seen(activation: Activation, parity: Path) -> None:
    for name, lines in faults(parity, made_as=activation).items():
        assert bool(lines) == (name != activation)


@pytest.mark.golden
def test_a_wrong_epsilon_of_batch_normalisation_is_seen(
    parity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet, "_BN_EPSILON", 1e-3)
    assert all(any("embedding" in line for line in lines) for lines in faults(parity).values())


@pytest.mark.golden
def test_a_wrong_padding_is_seen(parity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    symmetric = lambda size, kernel: (kernel // 2, kernel // 2)  # noqa: E731
    monkeypatch.setattr(efficientnet, "strided_padding", symmetric)
    assert all(any("embedding" in line for line in lines) for lines in faults(parity).values())


@pytest.mark.golden
def test_the_tree_of_parameters_is_the_references(parity: Path) -> None:
    theirs = {path: array.shape for path, array in encoder_parameters(parity).items()}
    assert flax_shapes("b1") == theirs


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant, width, depth", [("b1", 1.0, 1.1), ("b3", 1.2, 1.4)])
def test_variants_are_scaled_from_b0_as_published(
    variant: Variant, width: float, depth: float
) -> None:
    """Tan and Le 2019: channels in eights, never down by more than a tenth; blocks rounded up."""

    def channels(base: int) -> int:
        eights = max(8, int(base * width + 4) // 8 * 8)
        return eights + 8 if eights < 0.9 * base * width else eights

    shape = VARIANTS[variant]
    b0 = zip((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), strict=True)
    assert shape.stem == channels(32)
    assert shape.head == channels(1280)
    assert [(stage.width, stage.blocks) for stage in shape.stages] == [
        (channels(base), math.ceil(depth * blocks)) for base, blocks in b0
    ]


@pytest.mark.parametrize(
    "variant, blocks, dimension, numbers",
    [("b1", 23, 1280, 6_512_608 + 62_048), ("b3", 26, 1536, None)],
)
def test_both_variants_see_5_s_as_16_by_4_places(
    variant: Variant, blocks: int, dimension: int, numbers: int | None
) -> None:
    with torch.device("meta"):
        made = EfficientNet(variant, "relu")
        pictures = torch.empty(2, 1, 500, 128)
    assert len(made.blocks) == blocks
    assert made.spatial(pictures).shape == (2, dimension, 16, 4)
    assert made(pictures).shape == (2, dimension)
    shapes = flax_shapes(variant)
    assert shapes["params/encoder/Head_0/Conv_0/kernel"][-1] == dimension
    assert len({path.split("/")[2] for path in shapes}) == blocks + 2
    if numbers:
        assert sum(math.prod(shape) for shape in shapes.values()) == numbers


def test_b3_takes_parameters_by_flax_path_and_runs() -> None:
    made = EfficientNet("b3", "swish")
    made.load_state_dict(state_from_flax(random_parameters("b3"), "b3"))
    with torch.inference_mode():
        embeddings = made.eval()(torch.rand(1, 1, 500, 128))
    assert embeddings.shape == (1, 1536)
    assert embeddings.isfinite().all()


# --- training and embedding -----------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_the_folded_copy_gives_the_same_and_leaves_the_original(activation: Activation) -> None:
    made = network(random_parameters("b1"), activation)
    before = {name: array.clone() for name, array in made.state_dict().items()}
    pictures = torch.rand(2, 1, 500, 128)
    quick = folded(made, CPU)
    with torch.inference_mode():
        torch.testing.assert_close(quick(pictures), made(pictures), rtol=1e-3, atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in quick.modules())
    assert not any(parameter.requires_grad for parameter in quick.parameters())
    assert all(torch.equal(array, before[name]) for name, array in made.state_dict().items())


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_batch_normalisation_can_be_trained(activation: Activation) -> None:
    made = network(random_parameters("b1"), activation).train()
    norms = [part for part in made.modules() if isinstance(part, nn.BatchNorm2d)]
    before = norms[0].running_mean.clone()  # type: ignore[union-attr]
    made(torch.rand(2, 1, 100, 64)).square().sum().backward()
    assert all(norm.weight.grad is not None for norm in norms)
    assert not torch.equal(norms[0].running_mean, before)  # type: ignore[arg-type]


# --- parameters that are not its own --------------------------------------------------------------


def test_parameters_that_do_not_fit_are_named() -> None:
    path = "batch_stats/encoder/MBConv_7/ExpandBatchNorm/var"
    flax = random_parameters("b1")
    with pytest.raises(EncoderError, match=f"{path} is missing"):
        state_from_flax({k: v for k, v in flax.items() if k != path}, "b1")
    with pytest.raises(EncoderError, match=rf"{path} is \[3\] and should be \[240\]"):
        state_from_flax({**flax, path: np.ones(3)}, "b1")
    with pytest.raises(EncoderError, match="params/encoder/Other_0/kernel does not belong"):
        state_from_flax({**flax, "params/encoder/Other_0/kernel": np.ones(3)}, "b1")
    with pytest.raises(EncoderError, match=r"EfficientNet B3.* and \d+ more faults"):
        state_from_flax(flax, "b3")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ParameterError, match="b2"):
        EfficientNet("b2", "relu")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="gelu"):
        EfficientNet("b1", "gelu")  # type: ignore[arg-type]
