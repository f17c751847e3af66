"""SurfPerch's and Perch's weights: added from what Kaggle gives, kept, described and found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import perch_models
import pytest
import torch
from perch_models import HEADS, refusal
from savedmodel_files import write_program

from explorer.encoders import perch_weights, registry, weights
from explorer.encoders.base import ClassifyingEncoder
from explorer.encoders.perch_weights import PERCH, SURFPERCH, Switches, find
from explorer.encoders.surfperch import SurfPerch
from explorer.errors import (
    FormatVersionError,
    MissingDependencyError,
    ParameterError,
)

pytestmark = pytest.mark.usefixtures("cache")


# --- what comes of a published model --------------------------------------------------------------


def test_a_converted_model_is_found_with_everything_it_had(
    published: Path, parameters: dict[str, np.ndarray], cache: Path
) -> None:
    said = SURFPERCH.add(published)
    found = find("surfperch")
    assert found.name == "surfperch"
    assert found.switches == Switches("legacy", "swish", "new")
    assert found.parameters.keys() == parameters.keys()
    for name, array in parameters.items():
        np.testing.assert_array_equal(found.parameters[name], array)
    assert {head: len(names) for head, names in found.class_names.items()} == HEADS
    assert list(found.class_names) == list(HEADS)
    assert found.class_names["reef_label"][3] == "reef_label of kind 3"
    assert "reef_label (7)" in said
    assert "smoothing legacy, activation swish, PCEN constants new" in said
    assert str(cache / "surfperch" / "surfperch.safetensors") in said
    assert [p.name for p in (cache / "surfperch").iterdir()] == ["surfperch.safetensors"]


def test_the_file_says_where_it_comes_from(published: Path, cache: Path) -> None:
    SURFPERCH.add(published)
    metadata = weights.describe(cache / "surfperch" / "surfperch.safetensors") or {}
    assert metadata["format"] == "1"
    assert metadata["licence"] == "Apache-2.0"
    assert metadata["self_check"] == "not run: tensorflow is not installed"
    assert metadata["version"] == find("surfperch").version
    command = "sha256sum saved_model.pb variables/variables.index variables/variables.data-*"
    if shutil.which("sha256sum"):
        said = subprocess.run(
            f"{command} | sha256sum", shell=True, cwd=published, capture_output=True, check=True
        )
        assert metadata["source_sha256"] == said.stdout.decode().split()[0]


def test_the_converted_model_is_an_encoder(
    published: Path, parameters: dict[str, np.ndarray]
) -> None:
    registry.add("surfperch", published)
    encoder = registry.load("surfperch", device="cpu")
    assert isinstance(encoder, ClassifyingEncoder)
    assert encoder.version == SURFPERCH.info().version
    assert encoder.class_names == [f"reef_label of kind {i}" for i in range(7)]
    windows = 0.1 * torch.randn(2, 160_000, generator=torch.Generator().manual_seed(0))
    embeddings, logits = encoder.encode_with_logits(windows)
    expected = embeddings.numpy() @ parameters["params/Dense_4/kernel"]
    expected += parameters["params/Dense_4/bias"]
    largest = np.abs(expected).max()
    np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-5 * largest)


def test_the_version_differs_wherever_embeddings_do(published: Path) -> None:
    first = perch_weights.find("surfperch", published).version
    SURFPERCH.add(published)
    assert find("surfperch").version == first
    SURFPERCH.add(published, smoothing="fixed")
    assert find("surfperch").version != first
    assert find("surfperch").switches.smoothing == "fixed"


def test_info_tells_whether_it_is_installed(published: Path) -> None:
    before = SURFPERCH.info()
    assert not before.available
    assert "explorer encoders add surfperch PATH" in before.how_to_get
    assert "https://www.kaggle.com/models/google/surfperch" in before.how_to_get
    SURFPERCH.add(published)
    after = SURFPERCH.info()
    assert after.available
    assert after.version == find("surfperch").version
    assert (after.sample_rate, after.window_s, after.dimension) == (32_000, 5.0, 1280)
    assert after.licence == "Apache-2.0"
    assert not PERCH.info().available


def test_info_needs_no_torch() -> None:
    code = (
        "import sys; from explorer.encoders.perch_weights import PERCH, SURFPERCH;"
        "PERCH.info(), SURFPERCH.info(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_absent_model_says_how_to_get_it() -> None:
    message = refusal(lambda: find("perch"))
    assert "explorer encoders add perch PATH" in message
    assert "kaggle.com/models/google/bird-vocalization-classifier" in message


# --- files that were converted --------------------------------------------------------------------


def test_a_converted_file_can_be_handed_on(published: Path, tmp_path: Path, cache: Path) -> None:
    SURFPERCH.add(published)
    version = find("surfperch").version
    shutil.move(
        cache / "surfperch" / "surfperch.safetensors", tmp_path / "from_a_friend.safetensors"
    )
    assert find("surfperch", tmp_path / "from_a_friend.safetensors").version == version
    SURFPERCH.add(tmp_path / "from_a_friend.safetensors")
    assert find("surfperch").version == version
    with pytest.raises(ParameterError, match="is converted already"):
        SURFPERCH.add(tmp_path / "from_a_friend.safetensors", pcen="bio")


def rewrite(path: Path, **metadata: str) -> None:
    kept = weights.read(path)
    assert kept is not None
    weights.write(path, kept[0], kept[1] | metadata)


def test_a_file_from_a_newer_program_is_refused(published: Path) -> None:
    SURFPERCH.add(published)
    rewrite(SURFPERCH.installed, format="2")
    with pytest.raises(FormatVersionError, match="newer version of this program"):
        find("surfperch")
    assert not SURFPERCH.info().available


def test_a_file_of_another_encoder_is_refused(published: Path) -> None:
    SURFPERCH.add(published)
    assert "holds surfperch, not perch" in refusal(lambda: find("perch", SURFPERCH.installed))


def test_a_damaged_file_says_how_to_get_another(published: Path) -> None:
    SURFPERCH.add(published)
    SURFPERCH.installed.write_bytes(SURFPERCH.installed.read_bytes()[:100_000])
    message = refusal(lambda: find("surfperch"))
    assert "surfperch.safetensors: is damaged. Convert it anew: explorer encoders add" in message
    assert not SURFPERCH.info().available


def test_a_folder_that_cannot_be_written_is_named(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "file"))
    assert "could not be written" in refusal(lambda: SURFPERCH.add(published))


# --- fetching from Kaggle -------------------------------------------------------------------------


def test_without_a_path_it_is_fetched_from_kaggle(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(handle: str) -> str:
        asked.append(handle)
        return str(published)

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(model_download=download))
    SURFPERCH.add()
    assert asked == ["google/surfperch/TensorFlow2/1"]
    assert find("surfperch").name == "surfperch"


def test_without_kagglehub_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MissingDependencyError, match=r"soundscape-explorer\[kaggle\]") as caught:
        SURFPERCH.add()
    assert "PATH" in str(caught.value)


def test_without_a_network_it_says_what_to_fetch_from_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(handle: str) -> str:
        raise ConnectionError("name resolution failed")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(model_download=download))
    message = refusal(PERCH.add)
    assert "name resolution failed" in message
    assert "https://www.kaggle.com/models/google/bird-vocalization-classifier" in message
    assert "explorer encoders add perch ARCHIVE" in message


# --- what TensorFlow made of an export ------------------------------------------------------------


@pytest.mark.golden
def test_converted_exports_embed_as_in_tensorflow(shared: Path, tmp_path: Path) -> None:
    folder = shared / "parity" / "savedmodel"
    manifest = json.loads((shared / "parity" / "manifest.json").read_text())
    limits = manifest["tolerances_float32"]["full_model"]
    heads = dict(manifest["heads"].values())
    waves = np.load(shared / "parity" / "frontend" / "waveforms_int16.npz", allow_pickle=False)
    cases = sorted(folder.glob("tf_infer_outputs_*.npz"))
    assert cases
    for case in cases:
        activation, _, pcen, *legacy = case.stem.removeprefix("tf_infer_outputs_").split("_")
        smoothing = "legacy" if legacy else "fixed"
        model = tmp_path / case.stem
        copies = [perch_models.network(activation, pcen, smoothing)] * 2
        write_program(model, copies, perch_models.outputs(heads))
        (model / "variables").symlink_to(folder / "variables")
        SURFPERCH.add(model)
        found = find("surfperch")
        assert found.switches == Switches(smoothing, activation, pcen)  # type: ignore[arg-type]
        assert {head: len(names) for head, names in found.class_names.items()} == heads

        network = SurfPerch.from_parameters(
            found.parameters, **vars(found.switches), heads=tuple(found.class_names)
        )
        expected = np.load(case, allow_pickle=False)
        names = [str(name) for name in expected["names"]]
        clips = np.stack([waves[name] for name in names]).astype(np.float32) / 32768
        with torch.no_grad():
            embeddings = network(torch.from_numpy(clips))
            ours = network.logits(embeddings) | {"embedding": embeddings}
        for output, values in ours.items():
            for name, row, truth in zip(names, values.numpy(), expected[output], strict=True):
                chirp = name == "chirp"
                atol = limits["atol_chirp"] if chirp else limits["atol"]
                np.testing.assert_allclose(
                    row, truth, rtol=0, atol=atol, err_msg=f"{output} {name}"
                )
                if chirp and output == "embedding":
                    cosine = row @ truth / np.linalg.norm(row) / np.linalg.norm(truth)
                    assert cosine > limits["cosine_chirp"]
