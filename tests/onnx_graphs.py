"""Small ONNX files with the inputs and outputs of published encoders, and what they must give.

The arithmetic is plain enough to be done again with numpy: the embedding repeats the means of the
window's sixteenths, scaled; class scores are the embedding's first numbers stretched over as many
classes as the real file has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PARTS = 16


def embedding_of(windows: np.ndarray, dimension: int) -> np.ndarray:
    """Means of the sixteenths of each window `[batch, samples]`, repeated to `dimension`."""
    means = windows.reshape(len(windows), PARTS, -1).mean(2)
    return np.tile(means, -(-dimension // PARTS))[:, :dimension] * scale(dimension)


def scale(dimension: int) -> np.ndarray:
    """Factors that tell the dimensions apart."""
    return np.linspace(1, 2, dimension, dtype=np.float32)


def scores_of(embedding: np.ndarray, classes: int) -> np.ndarray:
    """The embedding's first number for each class, scaled."""
    return embedding[:, :1] * np.linspace(-40, 40, classes, dtype=np.float32)


def write(
    path: Path,
    *,
    samples: int | str,
    dimension: int,
    classes: int,
    names: Sequence[str] = ("inputs", "embedding", "label"),
    probabilities: bool = False,
    classes_first: bool = False,
    spectrogram: bool = False,
    batch: int | str = "batch",
) -> Path:
    """Write a file; `samples` and `batch` are numbers where they are fixed."""
    entry, embedding, label = names
    repeats = -(-dimension // PARTS)
    weights = {
        "parts": np.array([0, PARTS, -1]),
        "last": np.array([2]),
        "repeats": np.array([1, repeats]),
        "from": np.array([0]),
        "to": np.array([dimension]),
        "one": np.array([1]),
        "scale": scale(dimension),
        "classes": np.linspace(-40, 40, classes, dtype=np.float32),
        "frames": np.array([0, 500, -1]),
        "bands": np.zeros((1, 1, 128), np.float32),
    }
    nodes = [
        helper.make_node("Reshape", [entry, "parts"], ["cut"]),
        helper.make_node("ReduceMean", ["cut", "last"], ["means"], keepdims=0),
        helper.make_node("Tile", ["means", "repeats"], ["tiled"]),
        helper.make_node("Slice", ["tiled", "from", "to", "one"], ["sliced"]),
        helper.make_node("Mul", ["sliced", "scale"], [embedding]),
        helper.make_node("Slice", [embedding, "from", "one", "one"], ["first"]),
        helper.make_node("Mul", ["first", "classes"], ["scores"]),
        helper.make_node("Sigmoid" if probabilities else "Identity", ["scores"], [label]),
    ]
    outputs = [port(embedding, [batch, dimension]), port(label, [batch, classes])]
    if classes_first:
        outputs.reverse()
    if spectrogram:  # Perch 2's order: embedding, spatial embedding, spectrogram, label
        nodes += [
            helper.make_node("Reshape", [entry, "frames"], ["framed"]),
            helper.make_node("ReduceMean", ["framed", "last"], ["level"], keepdims=1),
            helper.make_node("Add", ["level", "bands"], ["spectrogram"]),
        ]
        outputs.insert(1, port("spectrogram", [batch, 500, 128]))
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "small", [port(entry, [batch, samples])], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def port(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """An input or output of floats."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def birdnet3(path: Path, **changes: object) -> Path:
    """BirdNET 3.0's: probabilities of 11,560 classes first, then the embedding; any length."""
    settings: dict[str, object] = {
        "samples": "samples",
        "dimension": 1280,
        "classes": 11_560,
        "names": ("input", "embeddings", "predictions"),
        "probabilities": True,
        "classes_first": True,
    }
    return write(path, **(settings | changes))  # type: ignore[arg-type]


def perch2(path: Path, **changes: object) -> Path:
    """Perch 2's: 160,000 samples to 1,536 numbers, a spectrogram and 14,795 logits."""
    settings: dict[str, object] = {
        "samples": 160_000,
        "dimension": 1536,
        "classes": 14_795,
        "spectrogram": True,
    }
    return write(path, **(settings | changes))  # type: ignore[arg-type]
