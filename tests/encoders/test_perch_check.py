"""Comparing a converted model with the original, in a stand-in for TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from perch_models import refusal

from explorer.encoders.perch_weights import SURFPERCH, Switches, find
from explorer.encoders.surfperch import SurfPerch

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def originals() -> dict[tuple[Switches, bytes], tuple[np.ndarray, ...]]:
    """What the stand-in for TensorFlow gave before, so that each sound is embedded once."""
    return {}


@pytest.fixture
def tensorflow(
    parameters: dict[str, np.ndarray],
    originals: dict[tuple[Switches, bytes], tuple[np.ndarray, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> SimpleNamespace:
    """A stand-in for TensorFlow that runs the model with the switches in `.truth`."""
    imitation = SimpleNamespace(truth=Switches("legacy", "swish", "new"), as_pair=False, fault=None)

    def run(wave: torch.Tensor) -> tuple[np.ndarray, ...]:
        network = SurfPerch.from_parameters(parameters, **vars(imitation.truth))
        pictures = network.front_end(wave)
        with torch.no_grad():  # what differs in its pictures already needs no embedding
            right = imitation.truth.smoothing == "legacy" and imitation.truth.pcen == "new"
            embedding = network(wave) if right else torch.zeros(1, 1280)
            logits = network.logits(embedding)["label"]
        return embedding.numpy(), pictures.numpy(), logits.numpy()

    def infer_tf(waves: np.ndarray) -> object:
        assert waves.shape == (1, 160_000)
        assert waves.dtype == np.float32
        known = (imitation.truth, waves.tobytes())
        if known not in originals:
            originals[known] = run(torch.from_numpy(waves))
        embedding, pictures, logits = originals[known]
        if imitation.as_pair:
            return logits, embedding
        return {"embedding": embedding, "frontend": pictures, "label": logits}

    def load(folder: str) -> SimpleNamespace:
        if imitation.fault:
            raise imitation.fault
        assert (Path(folder) / "saved_model.pb").is_file()
        return SimpleNamespace(infer_tf=infer_tf)

    imitation.saved_model = SimpleNamespace(load=load)
    monkeypatch.setitem(sys.modules, "tensorflow", imitation)
    return imitation


def test_where_tensorflow_is_installed_the_original_is_compared(
    published: Path, tensorflow: SimpleNamespace
) -> None:
    said = SURFPERCH.add(published)
    assert "Self-check against the original: passed on 3 sounds (front ends differ by" in said
    assert find("surfperch").self_check.startswith("passed")
    tensorflow.as_pair = True  # as exports of before 2024 return it
    SURFPERCH.add(published)
    assert "front ends" not in find("surfperch").self_check
    assert find("surfperch").self_check.startswith("passed on 3 sounds (cosine of embeddings 1.0")


@pytest.mark.parametrize(
    ("truth", "as_pair", "cause"),
    [
        (Switches("fixed", "swish", "new"), False, "front ends by"),
        (Switches("legacy", "swish", "bio"), False, "front ends by"),
        (Switches("legacy", "relu", "new"), False, "embeddings (cosine"),
        (Switches("legacy", "relu", "new"), True, "embeddings (cosine"),
    ],
)
def test_a_model_that_differs_from_the_original_is_not_kept(
    truth: Switches, as_pair: bool, cause: str, published: Path, tensorflow: SimpleNamespace
) -> None:
    tensorflow.truth, tensorflow.as_pair = truth, as_pair
    message = refusal(lambda: SURFPERCH.add(published))
    assert cause in message
    assert "It was not kept" in message
    assert not SURFPERCH.info().available


def test_a_model_that_tensorflow_cannot_run_is_kept_and_that_is_said(
    published: Path, tensorflow: SimpleNamespace
) -> None:
    tensorflow.fault = ValueError("no XlaCallModule on this platform")
    assert "not run: tensorflow cannot run the model (no XlaCallModule" in SURFPERCH.add(published)
