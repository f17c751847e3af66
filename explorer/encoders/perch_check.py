"""Comparing a converted SurfPerch or Perch with the original, where TensorFlow is installed.

Three sounds go through both: noise, a reef's clicks, and a bird before a distant chorus, each
scaled as windows are. First the pictures of the front end are compared, which shows wrong
smoothing or constants, then the embeddings, which also shows a wrong activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explorer.audio import imitations as sound
from explorer.audio.imitations import Voice
from explorer.encoders.formats.savedmodel import PROGRAM
from explorer.encoders.normalise import PERCH
from explorer.encoders.perch_weights import SAMPLE_RATE, WINDOW_S, Converted
from explorer.encoders.surfperch import SurfPerch
from explorer.errors import EncoderError

# Source: the parity fixtures' section on SavedModels.
LARGEST_DIFFERENCE = 1e-3
SMALLEST_COSINE = 0.9999

_SAMPLES = round(WINDOW_S * SAMPLE_RATE)


def clips() -> torch.Tensor:
    """Make the three sounds, float32 `[3, 160000]`; the same each time."""
    rng = np.random.default_rng(32)
    noise = rng.standard_normal(_SAMPLES)
    reef = sound.sea(rng, _SAMPLES, SAMPLE_RATE)
    reef += sound.crackle(rng, _SAMPLES, SAMPLE_RATE, snaps_per_s=40)
    forest = 0.02 * sound.far_chorus(rng, _SAMPLES, SAMPLE_RATE)
    forest += 0.005 * rng.standard_normal(_SAMPLES)
    bird = sound.whistle(rng, SAMPLE_RATE, Voice())
    forest[SAMPLE_RATE : SAMPLE_RATE + len(bird)] += 0.3 * bird
    return PERCH(torch.from_numpy(np.stack([noise, reef, forest])).float())


def checked(converted: Converted, folder: Path, source: Path) -> Converted:
    """Return what was converted with the result of the comparison in `self_check`.

    `folder` is the SavedModel's, `source` what the user gave.

    Raises
    ------
    EncoderError
        The two differ.
    """
    waves = clips()
    try:
        originals = _originals(folder, waves.numpy())
    except _CannotRunError as error:
        return replace(converted, self_check=f"not run: {error}")
    network = SurfPerch.from_parameters(
        converted.parameters, **vars(converted.switches), heads=tuple(converted.class_names)
    )
    found = []
    if all("frontend" in outputs for outputs in originals):  # exports from 2024 on
        pictures = network.front_end(waves)
        difference = np.abs(_stacked(originals, "frontend", pictures) - pictures.numpy()).max()
        if not difference < LARGEST_DIFFERENCE:
            raise _differs(converted, source, f"their front ends by {difference:.2g}")
        found.append(f"front ends differ by {difference:.1g} at most")
    with torch.no_grad():
        embeddings = network(waves)
    theirs = torch.from_numpy(_stacked(originals, "embedding", embeddings)).double()
    cosine = float(torch.cosine_similarity(embeddings.double(), theirs).min())
    if not cosine > SMALLEST_COSINE:
        raise _differs(converted, source, f"their embeddings (cosine {cosine:.5f})")
    found.append(f"cosine of embeddings {cosine:.6f} at least")
    return replace(converted, self_check=f"passed on {len(waves)} sounds ({', '.join(found)})")


class _CannotRunError(Exception):
    """Why the original cannot be run here."""


def _originals(folder: Path, waves: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Run the original in TensorFlow, sound by sound: older exports take one at a time."""
    if not (folder / PROGRAM).is_file():
        raise _CannotRunError(f"there is no {PROGRAM}")
    try:
        tensorflow: Any = import_module("tensorflow")
    except ImportError as error:
        raise _CannotRunError("tensorflow is not installed") from error
    try:
        model = tensorflow.saved_model.load(str(folder))
        return [_named(model.infer_tf(wave[None])) for wave in waves]
    except Exception as error:  # of TensorFlow's many kinds
        raise _CannotRunError(f"tensorflow cannot run the model ({error})") from error


def _named(outputs: Any) -> dict[str, np.ndarray]:
    if not isinstance(outputs, Mapping):  # before 2024: (logits, embedding)
        outputs = {"embedding": outputs[1]}
    return {name: np.asarray(value) for name, value in outputs.items()}


def _stacked(outputs: list[dict[str, np.ndarray]], name: str, like: torch.Tensor) -> np.ndarray:
    """Put one output of all sounds together in the shape of ours."""
    return np.stack([output[name] for output in outputs]).reshape(like.shape)


def _differs(converted: Converted, source: Path, how: str) -> EncoderError:
    use = converted.switches
    return EncoderError(
        f"{source}: what was converted and the original in TensorFlow differ: {how}. It was not "
        f"kept. smoothing={use.smoothing}, activation={use.activation} or pcen={use.pcen} may be "
        "wrong; give others if you know them from the publisher."
    )
