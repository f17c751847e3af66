"""What the parity fixtures of Perch hold, by the names of their files and keys.

Comparisons return the faults they find, as lines of text, so that a test can also ask that there
are some. Nothing here names a file, a wave or a number of the fixtures: another folder of the same
layout is read in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.encoders.efficientnet import Activation, Variant, flax_shapes
from explorer.encoders.frontends import (
    MelSpectrogram,
    PcenName,
    Smoothing,
    perch2_front_end,
    perch_front_end,
)
from explorer.encoders.surfperch import SurfPerch


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Where others compute too, threads that wait for each other are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class FrontEnd:
    """A front end as the fixtures name it, such as pcen_new_scipy_legacyema."""

    kind: str
    pcen: PcenName = "new"
    smoothing: Smoothing = "fixed"
    framing: str = "simple"
    low_hz: float = 50.0
    high_hz: float = 16_000.0
    power: float = 1.0

    @classmethod
    def named(cls, name: str) -> FrontEnd:
        """Read a name; one that is not known is an error, never skipped."""
        if name == "log_perch2":
            return cls("log")
        if found := re.fullmatch(r"mel_(simple|scipy)_p(\d)_(\d+)_(\d+)", name):
            framing, power, low, high = found.groups()
            return cls(
                "mel", framing=framing, low_hz=float(low), high_hz=float(high), power=float(power)
            )
        if found := re.fullmatch(r"pcen_([a-z]+?)(_scipy)?(_legacyema)?", name):
            pcen, scipy, legacy = found.groups()
            return cls(
                "pcen",
                pcen=pcen,  # type: ignore[arg-type]
                smoothing="legacy" if legacy else "fixed",
                framing="scipy" if scipy else "simple",
            )
        raise ValueError(f"front end {name!r} of the fixtures is not known to the tests")

    def module(self) -> nn.Module:
        if self.kind == "log":
            return perch2_front_end()
        if self.kind == "pcen":
            return perch_front_end(self.pcen, self.smoothing, self.framing)  # type: ignore[arg-type]
        return MelSpectrogram(
            framing=self.framing,  # type: ignore[arg-type]
            low_hz=self.low_hz,
            high_hz=self.high_hz,
            power=self.power,
        )


@dataclass(frozen=True)
class Model:
    """A whole model as the fixtures name it, such as relu_pcen_new_legacyema."""

    activation: Activation
    front_end: FrontEnd

    @classmethod
    def named(cls, name: str) -> Model:
        activation, front_end = name.split("_", 1)
        return cls(activation, FrontEnd.named(front_end))  # type: ignore[arg-type]

    def module(self, parity: Path) -> SurfPerch:
        """Build it with the fixtures' weights."""
        model = SurfPerch.from_parameters(
            parameters(parity),
            smoothing=self.front_end.smoothing,
            activation=self.activation,
            pcen=self.front_end.pcen,
            heads=heads(parity),
        )
        model.front_end = self.front_end.module()
        return model.requires_grad_(False)


def tolerances(parity: Path) -> dict[str, dict[str, float]]:
    """The limits of the fixtures' manifest."""
    return _manifest(parity)["tolerances_float32"]


def heads(parity: Path) -> list[str]:
    """The names of the heads in the order of the parameters."""
    named = _manifest(parity)["heads"]
    return [named[f"Dense_{i}"][0] for i in range(len(named))]


@lru_cache(maxsize=1)
def parameters(parity: Path) -> dict[str, np.ndarray]:
    """The arrays of the fixtures' model by flax path."""
    return arrays(parity / "full_model" / "weights_f16.npz")


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def waves(parity: Path) -> dict[str, Tensor]:
    """The fixtures' sounds by name, float32 `[samples]`."""
    kept = arrays(parity / "frontend" / "waveforms_int16.npz")
    return {name: from_int16(wave) for name, wave in kept.items()}


def from_int16(wave: np.ndarray) -> Tensor:
    return torch.from_numpy(wave.astype(np.float32) / 32768)


def fault(what: str, ours: Tensor, theirs: np.ndarray, limit: float) -> list[str]:
    """Compare two arrays: no line, or one that says how they differ."""
    if tuple(ours.shape) != theirs.shape:
        return [f"{what}: shape {list(ours.shape)}, not {list(theirs.shape)}"]
    difference = float((ours.double() - torch.from_numpy(theirs).double()).abs().max())
    return (
        [] if difference <= limit else [f"{what}: differs by {difference:.2g}, limit {limit:.2g}"]
    )


Outputs = dict[str, dict[str, Tensor]]  # embedding, heads, …: wave: numbers


def model_outputs(parity: Path, model: SurfPerch) -> Outputs:
    """Run a model on the fixtures' sounds of 5 s."""
    sounds = {name: wave for name, wave in waves(parity).items() if len(wave) == 160_000}
    windows = torch.stack(list(sounds.values()))
    with torch.inference_mode():
        embeddings = model(windows)
        made = {"embedding": embeddings, **model.logits(embeddings)}
        made["frontend_mean_over_time"] = model.front_end(windows).mean(1)
    return {key: dict(zip(sounds, rows, strict=True)) for key, rows in made.items()}


def model_faults(parity: Path, path: Path, ours: Outputs) -> list[str]:
    """Compare outputs with a file of expected ones."""
    limits, expected = tolerances(parity)["full_model"], arrays(path)
    names = [str(name) for name in expected.pop("names")]
    faults = [f"{path.name}: nothing of ours for {key}" for key in expected.keys() - ours.keys()]
    for key in expected.keys() & ours.keys():
        for name, theirs in zip(names, expected[key], strict=True):
            what, chirp = f"{path.name}: {key} of {name}", "chirp" in name
            limit = limits["atol_chirp" if chirp else "atol"]
            # The limits were measured where the largest values are about 2; rounding grows alike.
            limit *= max(1.0, float(np.abs(theirs).max()) / 2)
            faults += fault(what, ours[key][name], theirs, limit)
            if key == "embedding" and chirp:
                cosine = torch.cosine_similarity(ours[key][name], torch.from_numpy(theirs), dim=0)
                if not cosine > limits["cosine_chirp"]:
                    faults.append(f"{what}: cosine {float(cosine):.5f}")
    return faults


def _manifest(parity: Path) -> Mapping[str, Any]:
    return json.loads((parity / "manifest.json").read_text(encoding="utf-8"))


def random_parameters(
    variant: Variant = "b1", classes: Sequence[int] = (), seed: int = 11
) -> dict[str, np.ndarray]:
    """Make arrays by flax path for an encoder, and for heads of so many classes."""
    rng = np.random.default_rng(seed)
    shapes = dict(flax_shapes(variant))
    for i, count in enumerate(classes):
        shapes |= {f"params/Dense_{i}/kernel": (1280, count), f"params/Dense_{i}/bias": (count,)}
    made = {}
    for path, shape in shapes.items():
        if path.endswith("/kernel"):  # as He et al. 2015 start a network
            array = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        else:
            array = rng.normal(0, 0.1, shape) + path.endswith(("/scale", "/var"))
        made[path] = np.abs(array) if path.endswith("/var") else array
    return made
