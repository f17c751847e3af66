"""BEATs against the official code's numbers, and as an encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from beats_checkpoints import RATE, TINY, noise, official
from torch import Tensor

from explorer.encoders import beats, beats_checkpoint
from explorer.encoders.base import ClassifyingEncoder, Encoder
from explorer.encoders.beats import BeatsClassifier
from explorer.encoders.beats_network import Beats, BeatsConfig, distance_buckets
from explorer.errors import ParameterError


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    path = tmp_path / "BEATs_iter3_plus_AS2M.pt"
    torch.save(official(), path)
    return path


@pytest.fixture
def finetuned(tmp_path: Path) -> Path:
    path = tmp_path / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt1.pt"
    torch.save(official(replace(TINY, finetuned_model=True, predictor_class=5)), path)
    return path


# --- parity ---------------------------------------------------------------------------------------


class Reference:
    """What the official code made of some waveforms with each checkpoint of a folder."""

    def __init__(self, shared: Path) -> None:
        folder = shared / "parity" / "beats"
        with np.load(folder / "outputs.npz") as file:
            self.arrays = {name: torch.from_numpy(file[name]) for name in file}
        manifest = json.loads((shared / "parity" / "manifest.json").read_text(encoding="utf-8"))
        self.atol: dict[str, float] = manifest["tolerances_float32"]["beats"]
        self.checkpoints = {path.stem.rsplit("_")[-1]: path for path in folder.glob("*.pt")}
        self.waves = {
            name.removeprefix("wave").removesuffix("_int16"): wave.float() / 2**15
            for name, wave in self.arrays.items()
            if name.startswith("wave")
        }

    def pairs(self) -> list[tuple[str, str]]:
        """Each checkpoint with each waveform that it was run on."""
        return [
            (kind, wave)
            for kind in self.checkpoints
            for wave in self.waves
            if f"{kind}_features_{wave}" in self.arrays
        ]


@pytest.fixture(scope="module")
def reference(shared: Path) -> Reference:
    found = Reference(shared)
    assert len(found.pairs()) >= len(found.checkpoints) > 0
    return found


@pytest.mark.golden
def test_the_filter_bank_equals_the_official_one(reference: Reference) -> None:
    network = beats_checkpoint.read(next(iter(reference.checkpoints.values()))).network()
    for name, wave in reference.waves.items():
        ours, theirs = network.picture(wave), reference.arrays[f"fbank_norm_{name}"]
        torch.testing.assert_close(ours, theirs, rtol=0, atol=reference.atol["fbank_atol"])


@pytest.mark.golden
def test_features_equal_the_official_ones(reference: Reference) -> None:
    for kind, name in reference.pairs():
        network = beats_checkpoint.read(reference.checkpoints[kind]).network()
        ours = network.tokens(network.picture(reference.waves[name]))
        theirs = reference.arrays[f"{kind}_features_{name}"]
        torch.testing.assert_close(ours, theirs, rtol=0, atol=reference.atol["features_atol"])


@pytest.mark.golden
def test_embeddings_and_classes_equal_the_official_ones(reference: Reference) -> None:
    atol = reference.atol["features_atol"]
    for kind, name in reference.pairs():
        wave = reference.waves[name]
        path = reference.checkpoints[kind]
        encoder = beats.load(device="cpu", path=path, window_s=wave.shape[1] / RATE)
        embeddings = encoder.encode(wave)
        expected = reference.arrays[f"{kind}_meanpool_{name}"]
        torch.testing.assert_close(embeddings, expected, rtol=0, atol=atol)
        probabilities = reference.arrays.get(f"{kind}_probs_{name}")
        assert isinstance(encoder, ClassifyingEncoder) == (probabilities is not None)
        if isinstance(encoder, BeatsClassifier):
            ours = encoder.logits(wave).sigmoid()
            torch.testing.assert_close(ours, probabilities, rtol=0, atol=atol)
            labels = torch.load(path, weights_only=True)["label_dict"]
            assert encoder.class_names == [labels[n] for n in range(len(labels))]


def _without_deep_norm(network: Beats) -> None:
    for layer in network.encoder.layers:
        layer.alpha = 1.0


def _time_fastest(network: Beats) -> None:
    embed = network.patch_embedding
    network.patch_embedding = torch.nn.Sequential(embed, _Swap())  # type: ignore[assignment]


class _Swap(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)


def _other_distances(network: Beats) -> None:
    network.encoder.max_distance = 1280  # the default of the official code's configuration


def _gate_shut(network: Beats) -> None:
    for layer in network.encoder.layers:
        layer.self_attn.grep_a.zero_()


def _past_for_future(network: Beats) -> None:
    table = network.encoder.relative_attention_bias.weight
    table.copy_(table.roll(len(table) // 2, 0))


def _weight_norm_of_each_channel(network: Beats) -> None:
    weight = network.encoder.pos_conv[0].weight
    weight.mul_(weight.norm(dim=(0, 1), keepdim=True) / weight.norm(dim=(1, 2), keepdim=True))


def _full_scale_of_one(network: Beats) -> None:
    fbank = network.fbank.forward
    network.fbank.forward = lambda waves: fbank(waves / 2**15)  # type: ignore[method-assign]


def _hann_window(network: Beats) -> None:
    network.fbank.window.copy_(torch.hann_window(400, periodic=False))


def _bands_upside_down(network: Beats) -> None:
    network.fbank.mel.copy_(network.fbank.mel.flip(1))


@pytest.mark.golden
@pytest.mark.parametrize(
    "mutation",
    [
        _without_deep_norm,
        _time_fastest,
        _other_distances,
        _gate_shut,
        _past_for_future,
        _weight_norm_of_each_channel,
        _full_scale_of_one,
        _hann_window,
        _bands_upside_down,
    ],
)
def test_the_comparison_sees_what_could_be_wrong(
    mutation: Callable[[Beats], None], reference: Reference
) -> None:
    kind, name = min(reference.pairs(), key=lambda pair: reference.waves[pair[1]].numel())
    network = beats_checkpoint.read(reference.checkpoints[kind]).network()
    mutation(network)
    ours = network.tokens(network.picture(reference.waves[name]))
    theirs = reference.arrays[f"{kind}_features_{name}"]
    assert (ours - theirs).abs().max() > 10 * reference.atol["features_atol"]


# --- an encoder -----------------------------------------------------------------------------------


def test_a_pretrained_checkpoint_is_an_encoder_and_no_classifier(pretrained: Path) -> None:
    encoder = beats.load(device="cpu", path=pretrained)
    assert isinstance(encoder, Encoder)
    assert not isinstance(encoder, ClassifyingEncoder)
    assert (encoder.sample_rate, encoder.window_s, encoder.dimension) == (16_000, 5.0, 64)
    assert "MIT" in encoder.licence
    assert encoder.device.startswith("CPU")


def test_a_finetuned_checkpoint_also_classifies(finetuned: Path) -> None:
    encoder = beats.load(device="cpu", path=finetuned)
    assert isinstance(encoder, ClassifyingEncoder)
    assert encoder.class_names == ["/m/0", "/m/1", "/m/2", "/m/3", "/m/4"]
    embeddings, logits = encoder.encode_with_logits(noise(2))
    assert logits.shape == (2, 5)
    torch.testing.assert_close(embeddings, encoder.encode(noise(2)))
    torch.testing.assert_close(logits, encoder.logits(noise(2)))


@pytest.mark.parametrize("window_s", [0.175, 1.0, 3.3, 12.0])
def test_a_window_has_any_length(window_s: float, pretrained: Path) -> None:
    encoder = beats.load(device="cpu", path=pretrained, window_s=window_s)
    embeddings = encoder.encode(noise(2, window_s))
    assert embeddings.shape == (2, 64)
    assert embeddings.dtype == torch.float32
    assert embeddings.isfinite().all()


@pytest.mark.parametrize("window_s", [0.17, 0.0, -1.0, float("inf"), float("nan")])
def test_a_window_without_a_row_of_patches_is_refused(window_s: float, pretrained: Path) -> None:
    with pytest.raises(ParameterError, match=r"at least 0\.175 s"):
        beats.load(device="cpu", path=pretrained, window_s=window_s)


def test_the_shortest_window_has_a_single_row_of_tokens() -> None:
    config = BeatsConfig()
    shortest = round(config.shortest_s * RATE)
    assert config.token_count(shortest) == 8
    assert config.token_count(shortest - 1) == 0


def test_another_number_of_samples_is_refused(pretrained: Path) -> None:
    with pytest.raises(ParameterError, match="80000"):
        beats.load(device="cpu", path=pretrained).encode(noise(1, 3.0))


def test_an_embedding_does_not_depend_on_its_batch(pretrained: Path) -> None:
    encoder = beats.load(device="cpu", path=pretrained)
    windows = noise(11)
    together = encoder.encode(windows)
    alone = torch.cat([encoder.encode(window[None]) for window in windows[:3]])
    torch.testing.assert_close(together[:3], alone, rtol=1e-4, atol=1e-5)


def test_no_windows_give_no_embeddings(finetuned: Path) -> None:
    encoder = beats.load(device="cpu", path=finetuned)
    assert isinstance(encoder, BeatsClassifier)
    embeddings, logits = encoder.encode_with_logits(torch.empty(0, 80_000))
    assert embeddings.shape == (0, 64)
    assert logits.shape == (0, 5)


def test_silence_clipping_and_padding_are_finite(pretrained: Path) -> None:
    padded = torch.where(torch.arange(80_000) < RATE, noise(1)[0], 0.0)
    windows = torch.stack(
        [torch.zeros(80_000), torch.ones(80_000), noise(1)[0].sign(), 1e-20 * noise(1)[0], padded]
    )
    assert beats.load(device="cpu", path=pretrained).encode(windows).isfinite().all()


def test_distances_are_numbered_once_for_a_length(pretrained: Path) -> None:
    distance_buckets.cache_clear()
    encoder = beats.load(device="cpu", path=pretrained)
    for _ in range(3):
        encoder.encode(noise(1))
    assert distance_buckets.cache_info().misses == 1


def test_far_distances_share_a_bucket_and_directions_do_not() -> None:
    places = distance_buckets(1000, 320, 800, torch.device("cpu"))
    assert places[0, :80].tolist() == [0, *range(161, 240)]  # one each, up to 79
    assert places[0, 80] == places[0, 81] == 240  # then several
    assert places[0, 999] == places[0, 800] == 319  # all beyond max_distance
    torch.testing.assert_close(places[:, 0][1:], places[0, 1:] - 160)


def test_a_network_that_has_embedded_can_still_be_trained(pretrained: Path) -> None:
    """What is kept between calls must not be bound to inference."""
    distance_buckets.cache_clear()
    network = beats_checkpoint.read(pretrained).network().requires_grad_(True)
    with torch.inference_mode():
        network(noise(1))
    network(noise(1)).square().sum().backward()
    table = network.encoder.relative_attention_bias.weight
    assert table.grad is not None and table.grad.abs().sum() > 0


# --- what a GPU will do, on a CPU -----------------------------------------------------------------


@pytest.mark.parametrize("precision, cosine", [("bfloat16", 0.9999), ("float16", 0.9999)])
def test_half_precision_stays_close(
    precision: beats.Precision, cosine: float, finetuned: Path
) -> None:
    """float16 is what a GPU takes by itself."""
    checkpoint = beats_checkpoint.read(finetuned)
    windows = torch.cat([noise(2), torch.zeros(1, 80_000)])
    exact, logits = BeatsClassifier(checkpoint, device="cpu").encode_with_logits(windows)
    half = BeatsClassifier(checkpoint, device="cpu", precision=precision)
    ours, our_logits = half.encode_with_logits(windows)
    assert ours.dtype == our_logits.dtype == torch.float32
    assert not torch.equal(ours, exact)
    assert torch.cosine_similarity(ours, exact).min() > cosine
    torch.testing.assert_close(our_logits, logits, rtol=0, atol=0.02 * float(logits.abs().max()))


def test_the_whole_network_moves_to_another_device(finetuned: Path) -> None:
    """A tensor left behind on the CPU would fail here, as it would on a GPU."""
    network = beats_checkpoint.read(finetuned).network().to("meta")
    embeddings = network(torch.empty(3, 80_000, device="meta"))
    assert embeddings.shape == (3, 64)
    assert network.classify(embeddings).device.type == "meta"


def test_the_published_sizes_give_768_numbers() -> None:
    with torch.device("meta"):
        network = Beats(BeatsConfig(finetuned_model=True)).to("meta")
        embeddings = network(torch.empty(2, 80_000))
        assert embeddings.shape == (2, 768)
        assert network.classify(embeddings).shape == (2, 527)
