"""BEATs against the official code's numbers, and all that surrounds its checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from explorer.encoders import beats, beats_checkpoint, beats_info, weights
from explorer.encoders.base import ClassifyingEncoder, Encoder
from explorer.encoders.beats import BeatsClassifier
from explorer.encoders.beats_network import Beats, BeatsConfig, distance_buckets
from explorer.errors import EncoderError, ParameterError

RATE = 16_000
TINY = BeatsConfig(
    embed_dim=32,
    encoder_layers=3,
    encoder_embed_dim=64,
    encoder_ffn_embed_dim=96,
    encoder_attention_heads=4,
    deep_norm=True,
    max_distance=800,
    conv_pos=16,
    conv_pos_groups=4,
)
PUBLISHED = {
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "encoder_layerdrop": 0.05,  # for training only
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders" / "beats"


def official(config: BeatsConfig = TINY, seed: int = 1) -> dict[str, Any]:
    """Random weights in the form of an official checkpoint."""
    generator = torch.Generator().manual_seed(seed)
    model = {}
    for name, shape in sorted(beats_checkpoint.official_shapes(config).items()):
        spread = 1.0 if "relative_attention_bias" in name else 0.1
        tensor = torch.randn(shape, generator=generator) * spread
        norm = "norm.weight" in name or "weight_g" in name or "grep_a" in name
        model[name] = 1 + tensor if norm else tensor
    table = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    for layer in range(config.encoder_layers):
        model[table.format(layer)] = model[table.format(0)]
    content: dict[str, Any] = {"cfg": {**asdict(config), **PUBLISHED}, "model": model}
    if config.finetuned_model:
        content["label_dict"] = {n: f"/m/{n}" for n in range(config.predictor_class)}
    return content


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


def noise(count: int, seconds: float = 5.0, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * RATE), generator=generator)


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


# --- checkpoints ----------------------------------------------------------------------------------


def test_names_are_those_of_the_official_file() -> None:
    shapes = beats_checkpoint.official_shapes(BeatsConfig(finetuned_model=True))
    assert shapes["encoder.pos_conv.0.weight_g"] == (1, 1, 128)
    assert shapes["encoder.pos_conv.0.weight_v"] == (768, 48, 128)
    assert shapes["encoder.layers.11.self_attn.relative_attention_bias.weight"] == (320, 12)
    assert shapes["encoder.layers.0.self_attn.grep_linear.weight"] == (8, 64)
    assert shapes["post_extract_proj.weight"] == (768, 512)
    assert shapes["predictor.weight"] == (527, 768)
    assert len(shapes) == 2 + 1 + 2 + 3 + 2 + 12 * 20 + 2


@pytest.mark.parametrize(
    "change", [{"conv_bias": True}, {"embed_dim": 64}, {"deep_norm": False}], ids=str
)
def test_the_cfg_decides_the_network(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(official(replace(TINY, **change)), path)
    encoder = beats.load(device="cpu", path=path)
    assert encoder.encode(noise(1)).isfinite().all()
    assert asdict(beats_checkpoint.read(path).config) == asdict(replace(TINY, **change))


def test_where_a_cfg_is_silent_the_official_codes_defaults_hold(tmp_path: Path) -> None:
    """A checkpoint that was never fine-tuned need not say so."""
    content = official()
    silent = ("finetuned_model", "predictor_class", "conv_bias", "activation_fn", "num_buckets")
    for name in silent:
        del content["cfg"][name]
    path = tmp_path / "silent.pt"
    torch.save(content, path)
    assert beats_checkpoint.read(path).config == replace(TINY, predictor_class=527)


def test_adding_converts_once_and_keeps_everything(
    finetuned: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not beats_info.info().available
    expected = beats.load(device="cpu", path=finetuned)
    told = beats_info.add(finetuned)
    assert finetuned.name in told
    assert "64 numbers" in told
    assert "5 classes" in told
    (kept,) = cache.iterdir()
    description = weights.describe(kept)
    assert description is not None
    assert description["sha256"] == weights.sha256_of(finetuned)
    assert "MIT" in description["licence"]

    finetuned.unlink()
    monkeypatch.setattr(torch, "load", None)  # the .pt is not needed any more
    for encoder in (beats.load(device="cpu"), beats.load(device="cpu", path=kept)):
        assert isinstance(encoder, BeatsClassifier)
        assert isinstance(expected, BeatsClassifier)
        assert encoder.version == expected.version == beats_info.info().version
        assert encoder.class_names == expected.class_names
        assert torch.equal(encoder.encode(noise(1)), expected.encode(noise(1)))
    info = beats_info.info()
    assert info.available
    assert info.dimension == 64


def test_two_checkpoints_never_share_a_version(tmp_path: Path) -> None:
    """A collection names its runs by it."""
    versions = set()
    for seed in (1, 2):
        path = tmp_path / f"{seed}.pt"
        torch.save(official(seed=seed), path)
        versions.add(beats.load(device="cpu", path=path).version)
        beats_info.add(path)
        versions.add(beats_info.info().version)
    assert len(versions) == 2


def test_without_weights_it_is_said_how_to_get_them(tmp_path: Path) -> None:
    info = beats_info.info()
    assert not info.available
    said = [info.how_to_get]
    for attempt in (beats.load, beats_info.add, lambda: beats_info.add(tmp_path / "none.pt")):
        with pytest.raises(EncoderError) as raised:
            attempt()
        said.append(str(raised.value))
    for message in said:
        assert "BEATs_iter3_plus_AS2M.pt" in message
        assert "github.com/microsoft/unilm" in message
        assert "explorer encoders add beats PATH" in message


def test_describing_it_is_light() -> None:
    code = (
        "import sys; from explorer.encoders import beats_info; beats_info.info();"
        "sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- files that are refused -----------------------------------------------------------------------


def refusal(content: object, folder: Path) -> str:
    """Save something as a checkpoint and return what is said on adding it."""
    path = folder / "given.pt"
    torch.save(content, path)
    with pytest.raises(EncoderError, match=r"given\.pt: ") as raised:
        beats_info.add(path)
    assert not beats_info.installed().exists()
    return str(raised.value)


@pytest.mark.parametrize("kept", [-2000, 5000, 0])
def test_a_truncated_file_is_refused(kept: int, pretrained: Path) -> None:
    pretrained.write_bytes(pretrained.read_bytes()[:kept])
    with pytest.raises(EncoderError, match=r"AS2M\.pt: cannot be read.*incomplete"):
        beats_info.add(pretrained)


class Harmful:
    """Would run a command if it were unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (Path("harm"),)  # type: ignore[return-value]


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "more than tensors" in refusal({"cfg": Harmful(), "model": {}}, tmp_path)
    assert not (tmp_path / "harm").exists()


def test_another_kind_of_checkpoint_is_refused(tmp_path: Path) -> None:
    assert "no 'cfg' and 'model'" in refusal({"state_dict": {}}, tmp_path)
    assert "no 'cfg' and 'model'" in refusal([1, 2], tmp_path)


def test_a_tokenizer_is_refused_with_what_differs(tmp_path: Path) -> None:
    """Tokenizers are linked in the same table and have the same cfg and transformer."""
    content = official()
    content["model"]["quantize.embedding.weight"] = torch.zeros(1024, 256)
    del content["model"]["layer_norm.bias"]
    message = refusal(content, tmp_path)
    assert "has 1 unknown: quantize.embedding.weight" in message
    assert "lacks 1 of" in message
    assert "layer_norm.bias" in message


def test_a_shape_that_differs_from_the_cfg_is_refused(tmp_path: Path) -> None:
    content = official()
    content["cfg"]["encoder_ffn_embed_dim"] = 128
    message = refusal(content, tmp_path)
    assert "encoder.layers.0.fc1.bias has shape [96], not [128]" in message


def test_what_is_no_tensor_is_refused(tmp_path: Path) -> None:
    content = official()
    content["model"]["layer_norm.bias"] = "none"
    assert "layer_norm.bias" in refusal(content, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer_norm_first": True}, "layer_norm_first=True"),
        ({"gru_rel_pos": False}, "gru_rel_pos=False"),
        ({"encoder_layers": 0}, "encoder_layers=0"),
        ({"encoder_layers": 10**9}, "encoder_layers=1000000000"),
        ({"embed_dim": "512"}, "embed_dim='512'"),
        ({"encoder_attention_heads": 7}, "encoder_attention_heads=7 does not divide"),
        ({"max_distance": 80}, "no room"),
        ({"input_patch_size": 200}, "input_patch_size=200"),
    ],
    ids=str,
)
def test_a_cfg_that_cannot_be_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    content = official()
    content["cfg"].update(change)
    assert message in refusal(content, tmp_path)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    content = official()
    content["model"]["encoder.layers.1.fc1.weight"][0, 0] = torch.nan
    assert "encoder.layers.1.fc1.weight" in refusal(content, tmp_path)


def test_layers_that_do_not_share_their_table_are_refused(tmp_path: Path) -> None:
    content = official()
    name = "encoder.layers.2.self_attn.relative_attention_bias.weight"
    content["model"][name] = content["model"][name] + 1
    assert f"{name} differs" in refusal(content, tmp_path)


@pytest.mark.parametrize("labels", [None, {0: "/m/0"}, {n + 1: "one off" for n in range(5)}])
def test_classes_without_names_are_refused(labels: dict[int, str] | None, tmp_path: Path) -> None:
    content = official(replace(TINY, finetuned_model=True, predictor_class=5))
    content["label_dict"] = labels
    assert "has 5 classes, but its 'label_dict'" in refusal(content, tmp_path)


@pytest.mark.parametrize("damage", ["cut off", "another encoder's", "a tensor less"])
def test_a_damaged_converted_file_is_refused(damage: str, pretrained: Path) -> None:
    beats_info.add(pretrained)
    kept = beats_info.installed()
    arrays, description = weights.read(kept) or ({}, {})
    if damage == "cut off":
        kept.write_bytes(kept.read_bytes()[:-100])
    elif damage == "another encoder's":
        weights.write(kept, arrays, {"format": beats_info.FORMAT})
        assert not beats_info.info().available
    else:
        arrays.pop("layer_norm.bias")
        weights.write(kept, arrays, description)
    message = "layer_norm.bias" if damage == "a tensor less" else "encoders add beats PATH"
    with pytest.raises(EncoderError, match=rf"beats\.safetensors: .*{message}"):
        beats.load(device="cpu")


def test_a_folder_that_cannot_be_written_is_said(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("a file where a folder should be")
    monkeypatch.setenv("EXPLORER_CACHE", str(occupied))
    with pytest.raises(EncoderError, match="EXPLORER_CACHE"):
        beats_info.add(pretrained)
