"""Your own encoder: a torch module, or an ONNX file with a description; and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_graphs
import pytest
import torch
from torch import nn

from explorer.encoders import registry, weights
from explorer.encoders.base import ClassifyingEncoder, Encoder
from explorer.encoders.descriptions import (
    DescribedOnnx,
    add_description,
    installed_descriptions,
    load_description,
    read,
)
from explorer.encoders.normalise import Normalisation
from explorer.encoders.own import TorchEncoder
from explorer.errors import EncoderError, ParameterError

# --- a torch module -----------------------------------------------------------------------------


class Levels(nn.Module):
    """Mean absolute value of each of eight parts of a window, with dropout as in training."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.dropout = nn.Dropout(0.5)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        return self.dropout(waves.unflatten(1, (8, -1)).abs().mean(2) * self.scale)


def encoder_of(module: nn.Module, **changes: object) -> TorchEncoder:
    settings: dict[str, object] = {
        "name": "levels",
        "version": "1",
        "sample_rate": 8_000,
        "window_s": 1.0,
        "dimension": 8,
        "licence": "CC0",
        "device": "cpu",
    }
    return TorchEncoder(module, **(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def windows() -> torch.Tensor:
    return torch.randn(37, 8_000, generator=torch.Generator().manual_seed(1)) * 0.2


def test_a_module_is_an_encoder_in_evaluation_mode(windows):
    encoder = encoder_of(Levels())
    assert isinstance(encoder, Encoder)
    expected = windows.unflatten(1, (8, -1)).abs().mean(2)
    torch.testing.assert_close(encoder.encode(windows), expected)
    assert encoder.encode(windows[:0]).shape == (0, 8)
    assert not encoder.encode(windows).requires_grad


def test_training_the_module_on_does_not_change_the_encoder(windows):
    module = Levels()
    encoder = encoder_of(module)
    before = encoder.encode(windows)
    assert module.training
    with torch.no_grad():
        module.scale.mul_(2)
    torch.testing.assert_close(encoder.encode(windows), before)


def test_windows_are_normalised_as_said(windows):
    encoder = encoder_of(Levels(), normalisation=Normalisation(remove_mean=True, peak=0.25))
    torch.testing.assert_close(encoder.encode(windows * 3 + 1), encoder.encode(windows))


def test_half_precision_is_used_only_when_asked_for(windows):
    seen = []

    class Watching(nn.Linear):
        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            found = super().forward(waves)
            seen.append(found.dtype)
            return found

    torch.manual_seed(0)
    module = Watching(8_000, 8)
    full = encoder_of(module).encode(windows)
    assert set(seen) == {torch.float32}
    seen.clear()
    half = encoder_of(module, precision="bfloat16").encode(windows)
    assert set(seen) == {torch.bfloat16}
    assert half.dtype == torch.float32
    assert torch.cosine_similarity(full, half).min() > 0.99


class Mixing(nn.Module):
    """Takes the mean of the batch out of each window."""

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        return (waves - waves.mean(0))[:, :8]


class Pair(nn.Module):
    """Gives two things."""

    def forward(self, waves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return waves[:, :8], waves[:, 8:]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Unflatten(1, (8, -1)), r"gave \[3, 8, 1000\], but \[3, 8\] is needed"),
        (nn.Linear(16_000, 8), r"was given float32 \[3, 8000\] and failed: mat1 and mat2"),
        (Pair(), "gave a tuple instead of a tensor"),
        (nn.Sequential(Levels(), nn.Threshold(9, torch.nan)), "numbers that are not finite"),
        (Mixing(), "another embedding than when it was alone"),
    ],
    ids=["frames", "other length", "two outputs", "not finite", "mixes the batch"],
)
def test_a_module_that_does_not_fit_is_refused_when_it_is_made(module, words):
    with pytest.raises(EncoderError, match=words):
        encoder_of(module)


def test_a_module_that_holds_a_piece_of_a_gradient_is_refused_with_the_cure():
    module = Levels()
    module.kept = module.scale * 2
    with pytest.raises(EncoderError, match="Load its state_dict"):
        encoder_of(module)


@pytest.mark.parametrize("change", [{"name": "my reef"}, {"version": "../1"}, {"name": ""}])
def test_names_that_could_not_name_a_folder_are_refused(change):
    with pytest.raises(ParameterError, match="cannot name an encoder"):
        encoder_of(Levels(), **change)


# --- an ONNX file with a description ------------------------------------------------------------

DESCRIPTION = """
name = "my_reef"
version = "1"
model = "reef.onnx"
sample_rate = 8000
window_s = 1.0
dimension = 32
licence = "CC BY 4.0, A. Author"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of encoders of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXPLORER_CACHE", str(folder))
    return folder


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A description with its ONNX file and class names beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    onnx_graphs.write(folder / "reef.onnx", samples="n", dimension=32, classes=3)
    (folder / "classes.txt").write_text("grunt\nwhoop\nknock\n")
    path = folder / "anything.toml"
    path.write_text(DESCRIPTION)
    return path


def test_a_description_of_seven_lines_is_enough(described, windows):
    encoder = load_description(described, device="cpu")
    assert (encoder.name, encoder.version, encoder.dimension) == ("my_reef", "1", 32)
    expected = onnx_graphs.embedding_of(windows.numpy(), 32)
    np.testing.assert_allclose(encoder.encode(windows).numpy(), expected, atol=1e-5)
    assert not isinstance(encoder, ClassifyingEncoder)


def test_classes_and_normalisation_are_described_too(described, windows):
    described.write_text(
        DESCRIPTION + 'input = "inputs"\nembedding = 0\nlogits = "label"\nlabels = "classes.txt"\n'
        "normalise = { remove_mean = true, peak = 0.25 }"
    )
    encoder = load_description(described, device="cpu")
    assert isinstance(encoder, ClassifyingEncoder)
    assert encoder.class_names == ["grunt", "whoop", "knock"]
    embeddings, logits = encoder.encode_with_logits(windows)
    scores = onnx_graphs.scores_of(embeddings.numpy(), 3)
    np.testing.assert_allclose(logits.numpy(), scores, atol=1e-5)
    torch.testing.assert_close(encoder.encode(windows * 2 + 1), embeddings)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('version = "1"', "version is missing; a word in quotes"),
        ('name = "my reef"', "name is 'my reef', but a word such as"),
        ("version = 1", "version is 1, but a word in quotes"),
        ('sample_rate = "8 kHz"', "sample_rate is '8 kHz', but a whole number of Hz"),
        ("window_s = -1", "window_s is -1, but a number of seconds"),
        ("dimension = true", "dimension is True, but how many numbers"),
        ('model = "../reef.onnx"', "model is '../reef.onnx', but the name of an ONNX file beside"),
        ('model = "gone.onnx"', "gone.onnx: no such file. Put it beside anything.toml"),
        ("normalise = { gain = 2 }", "normalise is {'gain': 2}, but { remove_mean = true"),
        ("embedding = -1", "embedding is -1, but a name in quotes, or a number from 0"),
        ('scores = "loud"', "scores is 'loud', but logits or probabilities is needed"),
        ("logits = 1", "logits and labels go together"),
        ('colour = "blue"', "colour is not known. A description may have: name, version"),
        ("name = my_reef", "is not a description in TOML"),
    ],
)
def test_what_is_wrong_in_a_description_is_said_by_its_field(described, line, words):
    field = line.split(" =")[0]
    lines = [old for old in DESCRIPTION.splitlines() if old and not old.startswith(f"{field} ")]
    described.write_text("\n".join([*lines, *([] if "missing" in words else [line])]))
    with pytest.raises(EncoderError) as refused:
        load_description(described)
    assert str(described) in str(refused.value) or str(described.parent) in str(refused.value)
    assert words in str(refused.value)


def test_an_added_description_is_known_by_its_name_and_works_without_the_original(
    described, windows
):
    before = load_description(described, device="cpu").encode(windows)
    said = add_description(described)
    assert "my_reef 1 is added in" in said
    assert "it ran" in said
    for file in described.parent.iterdir():
        file.unlink()
    (source,) = installed_descriptions()
    assert source.name == "my_reef"
    info = source.info()
    assert (info.available, info.dimension, info.licence) == (True, 32, "CC BY 4.0, A. Author")
    torch.testing.assert_close(source.load(device="cpu").encode(windows), before)
    assert source.load(device="cpu", window_s=2.0).encode(torch.zeros(1, 16_000)).shape == (1, 32)


def test_files_of_weights_beside_the_model_come_along(described, cache):
    (described.parent / "reef.onnx.data").write_bytes(b"weights")
    add_description(described)
    kept = {file.name for file in (cache / "encoders" / "my_reef").iterdir()}
    assert kept == {"my_reef.toml", "reef.onnx", "reef.onnx.data", "installed.json"}


@pytest.mark.parametrize("name", ["spectral", "birdnet", "auto"])
def test_names_of_other_encoders_are_refused(described, name):
    described.write_text(DESCRIPTION.replace("my_reef", name))
    with pytest.raises(EncoderError, match=f"{name} is another encoder here"):
        add_description(described)
    assert installed_descriptions() == []


def test_a_wrong_file_is_not_added(described):
    described.write_text(DESCRIPTION.replace("dimension = 32", "dimension = 64"))
    with pytest.raises(EncoderError, match="embedding is 32 long, but dimension is 64"):
        add_description(described)
    assert installed_descriptions() == []


def test_other_weights_need_another_version(described):
    add_description(described)
    add_description(described)  # the same again does no harm
    described.write_text(DESCRIPTION.replace("CC BY", "CC BY-SA"))
    add_description(described)  # nor do other words about it
    onnx_graphs.write(described.with_name("reef.onnx"), samples="n", dimension=32, classes=9)
    with pytest.raises(EncoderError, match="Give the description another version"):
        add_description(described)
    described.write_text(DESCRIPTION.replace('"1"', '"2"'))
    assert "my_reef 2 is added" in add_description(described)


def test_other_preparation_of_windows_needs_another_version(described):
    add_description(described)
    described.write_text(DESCRIPTION + "normalise = { peak = 0.25 }")
    with pytest.raises(EncoderError, match="Give the description another version"):
        add_description(described)


def test_files_that_changed_since_they_were_added_are_not_used(described, cache):
    add_description(described)
    model = cache / "encoders" / "my_reef" / "reef.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(EncoderError, match="has changed since my_reef was added"):
        DescribedOnnx("my_reef").load()


def test_a_description_that_lost_its_files_is_listed_as_not_installed(described, cache):
    add_description(described)
    (cache / "encoders" / "my_reef" / "reef.onnx").unlink()
    (source,) = installed_descriptions()
    assert not source.info().available
    with pytest.raises(EncoderError, match="explorer encoders add PATH/TO/DESC"):
        source.load()


def test_listing_added_encoders_imports_neither_torch_nor_onnxruntime(described):
    add_description(described)
    code = (
        "import sys; from explorer.encoders.descriptions import installed_descriptions as own;"
        "assert own()[0].info().available;"
        "sys.exit(not {'torch', 'onnxruntime'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_description_in_the_documentation_is_one(tmp_path):
    """What the module's docstring shows can be copied as it is."""
    from explorer.encoders import descriptions

    shown = (descriptions.__doc__ or "").split("::\n\n")[1:]
    lines = [line for part in shown for line in part.splitlines() if line.startswith("    ")]
    path = tmp_path / "shown.toml"
    path.write_text("\n".join(line[4:] for line in lines), encoding="utf-8")
    spec = read(path)
    assert (spec.name, spec.embedding, spec.scores) == ("my_reef", "features", "probabilities")
    assert spec.normalisation == Normalisation(remove_mean=True, peak=0.25)
    assert weights.folder_of(spec.name).parent.name == "encoders"
    assert registry.GROUP == "explorer.encoders"
