"""BirdNET 3.0 and Perch 2: pinned, added from a folder or the network, and loaded by name."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx_graphs
import pytest
import torch

from explorer.encoders import onnx_models, weights
from explorer.encoders.onnx import OnnxClassifier
from explorer.encoders.onnx_models import BIRDNET3, PERCH2, PublishedOnnx
from explorer.errors import EncoderError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of encoders of the test's own."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a person copies it: a file of Perch 2's signature and its class names."""
    folder = tmp_path / "from a stick"
    folder.mkdir()
    onnx_graphs.perch2(folder / PERCH2.model.name)
    names = "\n".join(f"Species {i}" for i in range(14_795))
    (folder / PERCH2.labels.name).write_text(f"inat2024_fsd50k\n{names}\n", encoding="utf-8")
    return folder


def as_published(source: PublishedOnnx, folder: Path, address: str = "") -> PublishedOnnx:
    """The source, had these files been published at an address."""

    def pinned(name: str) -> dict[str, object]:
        path = folder / name
        return {
            "url": f"{address}/{name}",
            "size": path.stat().st_size,
            "sha256": weights.sha256_of(path),
        }

    return replace(
        source,
        model=replace(source.model, **pinned(source.model.name)),  # type: ignore[arg-type]
        labels=replace(source.labels, **pinned(source.labels.name)),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("source", [BIRDNET3, PERCH2], ids=lambda source: source.spec.name)
def test_every_file_is_pinned(source):
    for file in (source.model, source.labels):
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 100_000
        assert re.match(
            r"https://(zenodo\.org/records/\d+/files|huggingface\.co/\w+/[\w-]+/resolve/[0-9a-f]{40})/",
            file.url,
        )
    assert source.spec.model == source.model.name
    assert source.spec.labels == source.labels.name


@pytest.mark.parametrize("source", [BIRDNET3, PERCH2], ids=lambda source: source.spec.name)
def test_what_is_not_installed_says_how_to_get_it(source):
    info = source.info()
    assert not info.available
    command = f"explorer encoders add {source.spec.name}"
    assert info.how_to_get.startswith(command)
    for words in (command, source.model.name, source.model.page, source.labels.page):
        with pytest.raises(EncoderError, match=re.escape(words)):
            source.load()


@pytest.mark.parametrize("given", ["folder", "file"])
def test_files_that_were_copied_here_are_added_and_loaded_by_name(folder, given):
    perch = as_published(PERCH2, folder)
    said = perch.add(folder if given == "folder" else folder / perch.model.name)
    assert "perch2 is added in" in said
    assert "it ran" in said
    for file in folder.iterdir():
        file.unlink()
    assert perch.info().available
    encoder = perch.load(device="cpu")
    assert isinstance(encoder, OnnxClassifier)
    assert (encoder.name, encoder.version) == ("perch2", "2")
    assert encoder.class_names[:2] == ["Species 0", "Species 1"]
    assert encoder.encode(torch.zeros(1, 160_000)).shape == (1, 1536)


def test_another_file_of_the_same_make_is_another_version(folder):
    said = PERCH2.add(folder)
    digest = weights.sha256_of(folder / PERCH2.model.name)
    assert f"kept apart as version 2-{digest[:8]}" in said
    assert PERCH2.info().version == f"2-{digest[:8]}"
    assert PERCH2.load(device="cpu").version == f"2-{digest[:8]}"
    assert PERCH2.load(device="cpu", path=folder).version == f"2-{digest[:8]}"


def test_either_published_file_of_perch2_is_the_same_version(folder):
    with_dft = (folder / PERCH2.model.name).rename(folder / "perch_v2.onnx")
    perch = replace(PERCH2, also=((with_dft.name, weights.sha256_of(with_dft)),))
    perch.add(folder)
    assert perch.load(device="cpu").version == "2"


def test_adding_again_leaves_nothing_of_the_former_file(folder, cache):
    PERCH2.add(folder)
    other = (folder / PERCH2.model.name).rename(folder / "perch_v2.onnx")
    PERCH2.add(other)
    kept = {file.name for file in (cache / "perch2").iterdir()}
    assert kept == {"perch_v2.onnx", "labels.csv", "installed.json"}


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """Where a server on this machine gives the folder's files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_without_a_path_the_published_files_are_fetched(folder, address):
    perch = as_published(PERCH2, folder, address)
    assert "perch2 is added" in perch.add()
    encoder = perch.load(device="cpu")
    assert encoder.version == "2"
    windows = np.random.default_rng(0).normal(size=(2, 160_000)).astype(np.float32)
    seen = windows - windows.mean(1, keepdims=True)
    seen *= 0.25 / np.abs(seen).max(1, keepdims=True)
    expected = onnx_graphs.embedding_of(seen, 1536)
    found = encoder.encode(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_offline_nothing_is_installed_and_the_way_by_hand_is_told(folder, cache):
    perch = as_published(PERCH2, folder, "http://127.0.0.1:9")
    with pytest.raises(EncoderError, match="copy them into one folder here, and run: explorer enc"):
        perch.add()
    assert not perch.info().available


def test_a_model_without_its_class_names_is_refused_with_where_they_are(folder):
    (folder / "labels.csv").unlink()
    with pytest.raises(EncoderError, match="cgeorgiaw/Perch/tree/main/assets and put it beside"):
        PERCH2.add(folder)


def test_a_file_of_another_encoder_is_refused_and_not_installed(folder):
    onnx_graphs.birdnet3(folder / PERCH2.model.name)
    with pytest.raises(EncoderError, match=r"(?s)no input called inputs.*predictions float32"):
        PERCH2.add(folder)
    assert not PERCH2.info().available


def test_an_empty_folder_is_refused_with_the_names_that_are_looked_for(tmp_path):
    with pytest.raises(EncoderError, match=r"perch_v2_no_dft.onnx or perch_v2.onnx"):
        PERCH2.add(tmp_path)
    with pytest.raises(EncoderError, match=r"mistyped.onnx: no such file or folder"):
        PERCH2.add(tmp_path / "mistyped.onnx")


def test_a_file_that_changed_since_it_was_added_is_not_used(folder, cache):
    PERCH2.add(folder)
    (cache / "perch2" / "labels.csv").write_text("inat2024_fsd50k\n")
    with pytest.raises(EncoderError, match=r"labels.csv: has changed since perch2 was added"):
        PERCH2.load()


def test_without_onnxruntime_files_are_checked_but_not_run(folder, monkeypatch):
    monkeypatch.setattr(
        onnx_models, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    assert "It was not run: onnxruntime is not installed" in PERCH2.add(folder)
    info = PERCH2.info()
    assert not info.available
    assert info.how_to_get == 'pip install "soundscape-explorer[onnx]"'
    onnx_graphs.birdnet3(folder / PERCH2.model.name)
    with pytest.raises(EncoderError, match="no input called inputs"):
        PERCH2.add(folder)


def test_describing_them_imports_neither_torch_nor_onnxruntime():
    code = (
        "import sys; from explorer.encoders.onnx_models import BIRDNET3, PERCH2;"
        "BIRDNET3.info(), PERCH2.info();"
        "sys.exit(not {'torch', 'onnxruntime'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
