"""Small imitations of what Kaggle publishes: SurfPerch and Perch as SavedModels, without sense.

The weights are random; programs hold the operations by which the switches are found, in the numbers
that a real export has (parity fixtures, graph_facts.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from savedmodel_files import exported, function, write_bundle, write_program

from explorer.encoders.efficientnet import flax_shapes
from explorer.errors import EncoderError

HEADS = {
    "label": 6, "genus": 5, "family": 4, "order": 3, "reef_label": 7, "fsd50k_label": 2
}  # fmt: skip
PERCH_HEADS = dict(list(HEADS.items())[:4])

# Of one copy of the network in a program, by the activation inside the blocks.
OPERATIONS = {
    "swish": {"Exp": 92, "Maximum": 5, "Conv2D": 47, "DepthwiseConv2dNative": 24, "Pow": 2},
    "relu": {"Exp": 25, "Maximum": 72, "Conv2D": 47, "DepthwiseConv2dNative": 24, "Pow": 2},
}
NEWEST = {"new": 0.01, "bio": 0.145, "basic": 0.1}
SCALARS = {
    "new": (0.01, 0.25, 0.31622776, 0.8, 1e-6),
    "bio": (10.0, 0.25, 1.77827942, 0.8, 1e-6),
    "basic": (2.0, 0.5, 1.41421356, 0.5, 1e-6),
}


def tree(heads: Mapping[str, int] = HEADS, seed: int = 0) -> dict[str, np.ndarray]:
    """Make random parameters by flax path, such that embeddings depend on what is heard."""
    rng = np.random.default_rng(seed)
    made = {}
    for path, shape in (flax_shapes("b1") | head_shapes(heads)).items():
        if path.endswith("var"):  # below one, so that sounds outlast 23 blocks
            array = rng.uniform(0.25, 0.6, shape)
        elif path.endswith("scale"):
            array = rng.uniform(0.5, 1.5, shape)
        elif path.endswith("kernel"):
            array = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        else:
            array = 0.1 * rng.standard_normal(shape)
        made[path] = array.astype("float32")
    return made


def head_shapes(heads: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, classes in enumerate(heads.values()):
        shapes[f"params/Dense_{i}/kernel"] = (1280, classes)
        shapes[f"params/Dense_{i}/bias"] = (classes,)
    return shapes


def taps(newest: float, smoothing: str) -> np.ndarray:
    """Write down the 256 taps of PCEN's smoothing, oldest first."""
    if smoothing == "legacy":
        return np.array([(1 - newest) ** i for i in range(255)] + [newest], "float32")
    fixed = [newest * (1 - newest) ** (255 - i) for i in range(1, 256)]
    return np.array([(1 - newest) ** 255, *fixed], "float32")


def network(
    activation: str = "swish", pcen: str = "new", smoothing: str = "legacy", **more: int
) -> bytes:
    """Write a function with the whole network in it, and constants that mean other things."""
    constants = [
        taps(NEWEST[pcen], smoothing).reshape(256, 1, 1, 1), *map(np.float32, SCALARS[pcen]),
        np.float32(1e-5), np.float32(160_000), np.hanning(640), np.zeros((3, 256)), np.arange(256),
    ]  # fmt: skip
    return function("__inference_<lambda>_1", OPERATIONS[activation] | more, constants)


def outputs(heads: Mapping[str, int]) -> dict[str, list[int]]:
    return {"embedding": [-1, 1280], "frontend": [-1, 500, 128]} | {
        name: [-1, classes] for name, classes in heads.items()
    }


def write_class_lists(folder: Path, heads: Mapping[str, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for head, classes in heads.items():
        lines = ["ebird2021", *(f"{head} of kind {i}" for i in range(classes))]
        (folder / f"{head}.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")


def write_model(
    folder: Path,
    parameters: Mapping[str, np.ndarray],
    heads: Mapping[str, int] = HEADS,
    *,
    names: bool = True,
    shards: int = 1,
) -> Path:
    """Write a whole SavedModel with class lists."""
    write_bundle(folder / "variables", exported(parameters, names=names), shards=shards)
    write_program(folder, [network(), network()], outputs(heads))
    write_class_lists(folder / "assets", heads)
    (folder / "fingerprint.pb").write_bytes(b"not read")
    return folder


def beside(
    published: Path,
    folder: Path,
    tree: Mapping[str, np.ndarray] | None = None,
    heads: Mapping[str, int] = HEADS,
    **options: Any,
) -> Path:
    """Write program and class lists beside the variables of a model, or those of another tree."""
    (folder / "assets").mkdir(parents=True)
    write_class_lists(folder / "assets", heads)
    write_program(folder, [network()], outputs(heads))
    if tree is None:
        (folder / "variables").symlink_to(published / "variables")
    else:
        write_bundle(folder / "variables", exported(tree, **options))
    return folder


def refusal(call: Callable[[], object]) -> str:
    """Return what the error says that a call must end in."""
    with pytest.raises(EncoderError) as caught:
        call()
    return str(caught.value)
