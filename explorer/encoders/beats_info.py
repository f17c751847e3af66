"""What the `beats` encoder is and how its weights are installed, without importing torch.

The weights come from a checkpoint that the authors publish. `add` reads it once and keeps::

    <cache>/encoders/beats/beats.safetensors

with the checkpoint's sizes, class names, SHA-256 and licence written in. Another checkpoint takes
its place; a collection keeps them apart, since the encoder's version is the checkpoint's hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.encoders import weights
from explorer.encoders.registry import EncoderInfo
from explorer.errors import EncoderError

if TYPE_CHECKING:
    from explorer.encoders.beats import BeatsEncoder

NAME = "beats"
SAMPLE_RATE = 16_000
WINDOW_S = 5.0  # where nothing else is asked for; any is possible
DIMENSION = 768  # of every published checkpoint
LICENCE = "MIT (code and checkpoints of github.com/microsoft/unilm, folder beats)"
FORMAT = "1"
HOW_TO_GET = (
    "download BEATs_iter3_plus_AS2M.pt (or another checkpoint that is linked in "
    "https://github.com/microsoft/unilm/blob/master/beats/README.md), "
    "then `explorer encoders add beats PATH`"
)


def installed() -> Path:
    """Return where the converted weights lie, or would lie."""
    return weights.folder_of(NAME) / f"{NAME}.safetensors"


def version_of(sha256: str) -> str:
    """Name a checkpoint by its content: two different ones never share a run."""
    return sha256[:8]


def is_converted(description: Mapping[str, str]) -> bool:
    """Say whether a safetensors file with this description was made by `add`."""
    return description.get("encoder") == NAME and description.get("format") == FORMAT


def info() -> EncoderInfo:
    """Describe the encoder and say whether its weights are installed."""
    kept = weights.describe(installed()) or {}
    available = is_converted(kept)
    return EncoderInfo(
        name=NAME,
        version=version_of(kept["sha256"]) if available else "?",
        sample_rate=SAMPLE_RATE,
        window_s=WINDOW_S,
        dimension=json.loads(kept["cfg"])["encoder_embed_dim"] if available else DIMENSION,
        licence=LICENCE,
        available=available,
        how_to_get=HOW_TO_GET,
        reference="Chen et al. 2022, BEATs, arXiv:2212.09058",
    )


def add(path: Path | None = None) -> str:
    """Install the weights of an official checkpoint and say what was done.

    Raises
    ------
    EncoderError
        No path was given, or what lies there is not a BEATs checkpoint.
    """
    if path is None:
        raise EncoderError(f"{NAME} needs the path of a checkpoint: {HOW_TO_GET}.")
    from explorer.encoders import beats_checkpoint  # noqa: PLC0415 (imports torch)

    checkpoint = beats_checkpoint.read(path)
    beats_checkpoint.keep(checkpoint, installed())
    classes = len(checkpoint.class_names)
    return (
        f"{NAME} {version_of(checkpoint.sha256)}: {path.name} was converted to {installed()} "
        f"({checkpoint.config.encoder_embed_dim} numbers a window, "
        f"{f'{classes} classes' if classes else 'no classes'})."
    )


def load(
    *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
) -> BeatsEncoder:
    """Make the encoder ready to use."""
    from explorer.encoders import beats  # noqa: PLC0415 - torch takes a second to load

    return beats.load(device=device, path=path, window_s=window_s)
