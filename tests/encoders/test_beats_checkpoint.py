"""Checkpoints of BEATs: converted once, kept whole, and refused where they are something else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from beats_checkpoints import TINY, noise, official

from explorer.encoders import beats, beats_checkpoint, beats_info, registry, weights
from explorer.encoders.beats import BeatsClassifier
from explorer.encoders.beats_network import BeatsConfig
from explorer.errors import EncoderError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders" / "beats"


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


def test_it_is_added_and_loaded_by_name(pretrained: Path) -> None:
    registry.add("beats", pretrained)
    encoder = registry.load("beats", device="cpu", window_s=2.0)
    assert encoder.encode(noise(1, 2.0)).shape == (1, 64)


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
