"""Reading a BEATs checkpoint: the authors' `.pt` file, or what was made of it.

A `.pt` file is read with torch's restricted reader, which builds tensors and plain values and runs
nothing. Every name and shape in it must be what its `cfg` asks for; a file that differs is refused
with the difference. The converted file is safetensors, see `explorer.encoders.beats_info`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from explorer.encoders import weights
from explorer.encoders.beats_info import FORMAT, HOW_TO_GET, LICENCE, NAME, is_converted
from explorer.encoders.beats_network import Beats, BeatsConfig
from explorer.errors import EncoderError

# Names that differ: the convolution's weight is kept as a direction and a length (weight norm), and
# each layer repeats the one table of distances.
_CONV = "encoder.pos_conv.0.weight"
_TABLE = "encoder.relative_attention_bias.weight"
_OFFICIAL_TABLE = "encoder.layers.{}.self_attn.relative_attention_bias.weight"


@dataclass(frozen=True)
class Checkpoint:
    """Weights of `Beats` with their sizes, class names and origin.

    `class_names` is empty unless the checkpoint was fine-tuned; `sha256` is the official file's.
    """

    config: BeatsConfig
    state: dict[str, Tensor]
    class_names: list[str]
    source: str
    sha256: str

    def network(self) -> Beats:
        """Build the network on the CPU, ready to embed."""
        with torch.device("meta"):  # no time is spent on initial values that are thrown away
            network = Beats(self.config)
        network.load_state_dict(self.state, strict=True, assign=True)
        return network.requires_grad_(False).eval()


def read(path: Path) -> Checkpoint:
    """Read an official checkpoint (`.pt`) or a converted one (`.safetensors`).

    Raises
    ------
    EncoderError
        There is no such file, it is damaged, or it is not BEATs; says what differs.
    """
    if not path.is_file():
        raise EncoderError(f"{path}: no such file. For BEATs, {HOW_TO_GET}.")
    return _read_converted(path) if path.suffix == ".safetensors" else _read_official(path)


def keep(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint as safetensors with its description.

    Raises
    ------
    EncoderError
        The folder cannot be written.
    """
    description = {
        "encoder": NAME,
        "format": FORMAT,
        "cfg": json.dumps(asdict(checkpoint.config)),
        "class_names": json.dumps(checkpoint.class_names),
        "source": checkpoint.source,
        "sha256": checkpoint.sha256,
        "licence": LICENCE,
    }
    arrays = {name: tensor.numpy() for name, tensor in checkpoint.state.items()}
    try:
        weights.write(path, arrays, description)
    except OSError as error:
        raise EncoderError(
            f"{path}: could not be written ({error}). Set EXPLORER_CACHE to another folder."
        ) from error


def _read_converted(path: Path) -> Checkpoint:
    arrays, kept = weights.read(path) or ({}, {})
    if not is_converted(kept):
        raise EncoderError(
            f"{path}: is damaged, or was not made by this version of `explorer encoders add "
            "beats PATH`. Run that again with the checkpoint."
        )
    config = BeatsConfig(**json.loads(kept["cfg"]))
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    _compare(path, _shapes(state), _own_shapes(config))
    return Checkpoint(
        config, state, json.loads(kept["class_names"]), kept["source"], kept["sha256"]
    )


def _read_official(path: Path) -> Checkpoint:
    content = _load(path)
    model, cfg = content["model"], content["cfg"]
    try:
        config = BeatsConfig.from_cfg(cfg)
    except EncoderError as error:
        raise EncoderError(f"{path}: is not a BEATs checkpoint ({error}).") from None
    _compare(path, _shapes(model), official_shapes(config))
    _check_numbers(path, model)
    return Checkpoint(
        config,
        from_official(model, config.encoder_layers),
        _class_names(path, content.get("label_dict"), config),
        path.name,
        weights.sha256_of(path),
    )


def _load(path: Path) -> dict[str, dict]:
    """Return the two or three dictionaries of a `.pt` file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is no checkpoint can fail in any way
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise EncoderError(
            f"{path}: cannot be read as a checkpoint ({cause}). It is incomplete, or holds more "
            f"than tensors and plain values: {HOW_TO_GET}."
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(part), dict) for part in ("cfg", "model")
    ):
        raise EncoderError(f"{path}: has no 'cfg' and 'model', so it is no BEATs: {HOW_TO_GET}.")
    odd = [
        str(name)
        for name, tensor in content["model"].items()
        if not (isinstance(name, str) and isinstance(tensor, Tensor) and tensor.is_floating_point())
    ]
    if odd:
        raise EncoderError(f"{path}: its 'model' holds what are no weights ({_few(odd)}).")
    return content


def official_shapes(config: BeatsConfig) -> dict[str, tuple[int, ...]]:
    """Return every name and shape that the official checkpoint of these sizes holds."""
    shapes = _own_shapes(config)
    kernel, table = shapes.pop(_CONV), shapes.pop(_TABLE)
    shapes |= {f"{_CONV}_g": (1, 1, kernel[2]), f"{_CONV}_v": kernel}
    return shapes | {_OFFICIAL_TABLE.format(i): table for i in range(config.encoder_layers)}


def from_official(model: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Turn an official state into that of `Beats`, float32."""
    state = {name: tensor.float().contiguous() for name, tensor in model.items()}
    direction, length = state.pop(f"{_CONV}_v"), state.pop(f"{_CONV}_g")
    norm = torch.linalg.vector_norm(direction, dim=(0, 1), keepdim=True)
    state[_CONV] = direction * (length / norm)
    tables = [state.pop(_OFFICIAL_TABLE.format(layer)) for layer in range(layers)]
    return state | {_TABLE: tables[0]}


def _class_names(path: Path, label_dict: object, config: BeatsConfig) -> list[str]:
    if not config.finetuned_model:
        return []
    count = config.predictor_class
    if not isinstance(label_dict, dict) or set(label_dict) != set(range(count)):
        raise EncoderError(
            f"{path}: has {count} classes, but its 'label_dict' does not name each of them, "
            f"0 to {count - 1}."
        )
    return [str(label_dict[number]) for number in range(count)]


def _check_numbers(path: Path, model: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in model.items() if not tensor.isfinite().all()]
    if broken:
        raise EncoderError(
            f"{path}: holds numbers that are not finite ({_few(broken)}). The file is damaged; "
            "download it again."
        )
    first = model[_OFFICIAL_TABLE.format(0)]
    for name, tensor in model.items():
        if name.endswith(_OFFICIAL_TABLE.rpartition("{}")[2]) and not torch.equal(tensor, first):
            raise EncoderError(
                f"{path}: {name} differs from layer 0, but all layers of BEATs share one table."
            )


def _own_shapes(config: BeatsConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _shapes(Beats(config).state_dict())


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _compare(
    path: Path, found: Mapping[str, tuple[int, ...]], needed: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a file whose names or shapes are not those that its cfg asks for."""
    said = []
    if lacking := needed.keys() - found.keys():
        said.append(f"lacks {len(lacking)} of {len(needed)} tensors: {_few(lacking)}")
    if unknown := found.keys() - needed.keys():
        said.append(f"has {len(unknown)} unknown: {_few(unknown)}")
    said += [
        f"{name} has shape {list(found[name])}, not {list(needed[name])}"
        for name in sorted(needed.keys() & found.keys())
        if found[name] != needed[name]
    ][:3]
    if said:
        raise EncoderError(
            f"{path}: is not the BEATs encoder that its cfg describes ({'; '.join(said)})."
        )


def _few(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:3]) + (", …" if len(first) > 3 else "")
