"""SurfPerch and Perch from what Kaggle gives to a converted file, and every way it can fail."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import perch_models
import pytest
import torch
from perch_models import HEADS, PERCH_HEADS
from savedmodel_files import exported, function, key, object_graph, write_bundle, write_program

from explorer.encoders import perch_weights, unpacking, weights
from explorer.encoders.perch_weights import PERCH, SURFPERCH, Switches, find
from explorer.encoders.surfperch import SurfPerch
from explorer.errors import (
    EncoderError,
    FormatVersionError,
    MissingDependencyError,
    ParameterError,
)


@pytest.fixture(scope="module")
def parameters() -> dict[str, np.ndarray]:
    return perch_models.tree()


@pytest.fixture(scope="module")
def published(parameters: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel's folder as Kaggle gives it."""
    return perch_models.write_model(tmp_path_factory.mktemp("kaggle") / "model", parameters)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no TensorFlow even where there is one."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    return tmp_path / "cache" / "encoders"


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(EncoderError) as caught:
        call()
    return str(caught.value)


def shallow(
    published: Path,
    folder: Path,
    tree: Mapping[str, np.ndarray] | None = None,
    heads: Mapping[str, int] = HEADS,
    **options: Any,
) -> Path:
    """Copy the model's program and class lists beside other variables."""
    (folder / "assets").mkdir(parents=True)
    perch_models.write_class_lists(folder / "assets", heads)
    write_program(folder, [perch_models.network()], perch_models.outputs(heads))
    if tree is None:
        (folder / "variables").symlink_to(published / "variables")
    else:
        write_bundle(folder / "variables", exported(tree, **options))
    return folder


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


def test_the_converted_model_embeds(published: Path, parameters: dict[str, np.ndarray]) -> None:
    SURFPERCH.add(published)
    found = find("surfperch")
    network = SurfPerch.from_parameters(
        found.parameters, **vars(found.switches), heads=tuple(found.class_names)
    )
    with torch.no_grad():
        embeddings = network(0.1 * torch.randn(1, 160_000, generator=torch.manual_seed(0)))
        logits = network.logits(embeddings)
    assert {head: len(row[0]) for head, row in logits.items()} == HEADS
    expected = embeddings.numpy() @ parameters["params/Dense_4/kernel"]
    expected += parameters["params/Dense_4/bias"]
    np.testing.assert_allclose(logits["reef_label"].numpy(), expected, atol=1e-4)


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


# --- where it may lie -----------------------------------------------------------------------------


def test_an_exporters_own_folder_is_taken(published: Path, tmp_path: Path) -> None:
    base = tmp_path / "export"
    shutil.copytree(published, base / "savedmodel")
    for path in (base / "savedmodel" / "assets").iterdir():
        path.rename(base / path.name)
    found = find("surfperch", base)
    assert found.class_names["order"] == [f"order of kind {i}" for i in range(3)]


def pack(folder: Path, archive: Path) -> Path:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in folder.rglob("*"):
                zipped.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(folder, ".")
    return archive


@pytest.mark.parametrize("ending", ["tar.gz", "tgz", "zip"])
def test_an_archive_gives_what_its_folder_gives(
    ending: str, published: Path, tmp_path: Path
) -> None:
    archive = pack(published, tmp_path / f"surfperch-tensorflow2-1.{ending}")
    from_folder, from_archive = find("surfperch", published), find("surfperch", archive)
    assert from_archive.source_sha256 == from_folder.source_sha256
    assert from_archive.version == from_folder.version
    assert from_archive.class_names == from_folder.class_names


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


def test_nothing_at_the_path_is_said(tmp_path: Path) -> None:
    assert "nowhere: no such file or folder" in refusal(lambda: SURFPERCH.add(tmp_path / "nowhere"))
    assert "nowhere.safetensors: no such file" in refusal(
        lambda: SURFPERCH.add(tmp_path / "nowhere.safetensors")
    )
    assert "holds no TensorFlow SavedModel" in refusal(lambda: SURFPERCH.add(tmp_path))
    (tmp_path / "notes.txt").write_text("no archive")
    assert "notes.txt: could not be unpacked" in refusal(
        lambda: SURFPERCH.add(tmp_path / "notes.txt")
    )


def test_several_models_in_one_folder_are_not_guessed_among(
    published: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "both" / name).mkdir(parents=True)
        (tmp_path / "both" / name / "variables").symlink_to(published / "variables")
    assert "holds several SavedModels (a, b)" in refusal(lambda: SURFPERCH.add(tmp_path / "both"))


# --- archives that mean harm, or met it -----------------------------------------------------------


def archive_of(path: Path, members: Mapping[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in members.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
@pytest.mark.parametrize(
    "name", ["../../saved_model.pb", "/tmp/saved_model.pb", "a/../../b/variables/variables.index"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(
    name: str, ending: str, tmp_path: Path
) -> None:
    archive = archive_of(tmp_path / f"evil.{ending}", {name: b"evil"})
    assert "unsafe name" in refusal(lambda: SURFPERCH.add(archive))
    assert list(tmp_path.rglob("saved_model.pb")) == []


def test_links_and_what_is_not_needed_stay_in_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "links.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo("saved_model.pb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name in ("../outside.py", "variables/variables.index"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with unpacking.saved_model(archive) as folder:
        assert [p.name for p in folder.rglob("*") if p.is_file()] == ["variables.index"]
    assert not folder.exists()


def test_an_archive_of_absurd_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "LARGEST", 1 << 20)
    for ending in ("zip", "tar.gz"):
        bomb = archive_of(tmp_path / f"bomb.{ending}", {"saved_model.pb": bytes(5 << 20)})
        assert "unpacks to more than" in refusal(lambda bomb=bomb: SURFPERCH.add(bomb))


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
def test_an_archive_that_is_cut_off_is_named(ending: str, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(100_000)
    archive = archive_of(tmp_path / f"half.{ending}", {"variables/variables.index": content})
    archive.write_bytes(archive.read_bytes()[:50_000])
    message = refusal(lambda: SURFPERCH.add(archive))
    assert f"half.{ending}: could not be unpacked" in message
    assert "Download it anew" in message


# --- which model it is ----------------------------------------------------------------------------


def test_older_exports_without_names_are_read_by_order(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    older = shallow(published, tmp_path / "older", parameters, names=False)
    found = find("surfperch", older)
    for name, array in parameters.items():
        np.testing.assert_array_equal(found.parameters[name], array)


def test_weights_in_shards_and_half_precision_are_read(
    parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    halves = {name: array.astype("float16") for name, array in parameters.items()}
    found = find("surfperch", perch_models.write_model(tmp_path / "model", halves, shards=4))
    for name, array in halves.items():
        assert found.parameters[name].dtype == np.float32
        np.testing.assert_array_equal(found.parameters[name], array)


class Hollow(np.ndarray):
    """An array that has a shape and is written without content: a refused tree is not read."""

    def tobytes(self, order: Any = "C") -> bytes:
        return b""


def hollow(shape: tuple[int, ...] = (3,)) -> np.ndarray:
    return np.broadcast_to(np.zeros(1, "float32"), shape).view(Hollow)


@pytest.fixture(scope="module")
def hollow_tree(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: hollow(array.shape) for name, array in parameters.items()}


@pytest.mark.parametrize("names", [True, False])
def test_a_missing_variable_is_named(
    names: bool, published: Path, hollow_tree: dict[str, np.ndarray], tmp_path: Path
) -> None:
    arrays = exported(hollow_tree, names=names)
    del arrays[key(100)]
    folder = shallow(published, tmp_path / "model", {})
    write_bundle(folder / "variables", arrays)  # type: ignore[arg-type]
    message = refusal(lambda: find("surfperch", folder))
    assert "variables.index" in message
    assert ("variable 100 is missing") in message


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"params/frontend/smoothing": (128,)}, "params/frontend/smoothing does not belong"),
        ({"params/encoder/MBConv_23/ProjectConv/kernel": (3, 3)}, "MBConv_23/ProjectConv/kernel"),
        ({"params/Dense_1/kernel": (1536, 5)}, "Dense_1/kernel is [1536, 5] and should be [1280"),
        ({"params/Dense_1/bias": (6,)}, "params/Dense_1/bias is [6] and should be [5]"),
        ({"params/Dense_8/kernel": (1280, 5)}, "params/Dense_6/kernel is missing"),
        (
            {"params/encoder/Stem_0/Conv_0/kernel": (3, 3, 1, 40)},
            "params/encoder/Stem_0/Conv_0/kernel is [3, 3, 1, 40] and should be [3, 3, 1, 32]",
        ),
        ({"batch_stats/encoder/Head_0/BatchNorm_0/mean": None}, "BatchNorm_0/mean is missing"),
    ],
)
def test_another_tree_is_refused_with_what_differs(
    change: dict[str, tuple[int, ...] | None],
    cause: str,
    published: Path,
    hollow_tree: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    tree = hollow_tree | {name: hollow(shape or ()) for name, shape in change.items()}
    tree = {name: array for name, array in tree.items() if change.get(name, ()) is not None}
    folder = shallow(published, tmp_path / "other", tree)
    message = refusal(lambda: find("surfperch", folder))
    assert str(folder) in message
    assert cause in message


def test_names_and_order_that_do_not_agree_are_refused(
    published: Path, hollow_tree: dict[str, np.ndarray], tmp_path: Path
) -> None:
    order = sorted(hollow_tree, key=lambda path: path.split("/"))
    keys = {path: key(number) for number, path in enumerate(order)}
    one, other = "params/Dense_0/bias", "params/Dense_1/bias"
    keys[one], keys[other] = keys[other], keys[one]
    arrays = exported(hollow_tree) | {"_CHECKPOINTABLE_OBJECT_GRAPH": [object_graph(keys)]}
    folder = shallow(published, tmp_path / "swapped", {})
    write_bundle(folder / "variables", arrays)  # type: ignore[arg-type]
    message = refusal(lambda: find("surfperch", folder))
    assert f"do not agree ({one} is {keys[one]} by name, {keys[other]} by order)" in message


def test_other_models_without_names_are_refused(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "other", {"a": hollow(), "b": hollow()}, names=False)
    assert "its 2 variables have no names, and are not the 437" in refusal(
        lambda: find("surfperch", folder)
    )


def test_perch_is_not_taken_for_surfperch_nor_the_reverse(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    message = refusal(lambda: PERCH.add(published))
    assert f"explorer encoders add surfperch {published}" in message
    of_perch = {n: a for n, a in parameters.items() if "Dense_4" not in n and "Dense_5" not in n}
    perch = shallow(published, tmp_path / "perch", of_perch, PERCH_HEADS)
    assert "is not SurfPerch" in refusal(lambda: SURFPERCH.add(perch))
    PERCH.add(perch)
    assert list(find("perch").class_names) == list(PERCH_HEADS)


def test_values_that_are_not_numbers_are_refused(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> None:
    broken = parameters | {"params/Dense_0/bias": np.full(6, np.nan, "float32")}
    folder = shallow(published, tmp_path / "broken", broken)
    assert "Dense_0/bias holds values that are not" in refusal(lambda: find("surfperch", folder))


# --- heads and their classes ----------------------------------------------------------------------


@pytest.fixture
def more_heads(
    published: Path, parameters: dict[str, np.ndarray], tmp_path: Path
) -> Callable[[dict[str, int]], Path]:
    """Add heads to the published model."""

    def write(more: dict[str, int]) -> Path:
        heads = HEADS | more
        extra = {
            name: np.zeros(s, "float32") for name, s in perch_models.head_shapes(heads).items()
        }
        return shallow(published, tmp_path / "more", extra | parameters, heads)

    return write


def test_a_further_head_is_a_head_with_its_name_from_the_program(
    more_heads: Callable[[dict[str, int]], Path],
) -> None:
    found = find("surfperch", more_heads({"whale_label": 9}))
    assert list(found.class_names) == [*HEADS, "whale_label"]
    assert found.class_names["whale_label"][8] == "whale_label of kind 8"
    assert found.parameters["params/Dense_6/kernel"].shape == (1280, 9)


def test_heads_that_could_be_one_another_are_not_guessed(
    more_heads: Callable[[dict[str, int]], Path],
) -> None:
    folder = more_heads({"whale_label": 9, "seal_label": 9})
    message = refusal(lambda: find("surfperch", folder))
    assert "which head Dense_6 with its 9 classes is, cannot be told" in message


def test_heads_in_another_order_are_told_by_their_sizes(published: Path, tmp_path: Path) -> None:
    order = ["reef_label", "label", "genus", "family", "order", "fsd50k_label"]
    tree = perch_models.tree({head: HEADS[head] for head in order})
    found = find("surfperch", shallow(published, tmp_path / "reordered", tree))
    assert list(found.class_names) == order
    assert {head: len(names) for head, names in found.class_names.items()} == HEADS


def test_without_outputs_the_class_lists_tell_the_heads(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "older")
    write_program(folder, [perch_models.network()], {"output_0": [-1, 6], "output_1": [-1, 1280]})
    assert list(find("surfperch", folder).class_names) == list(HEADS)


def test_a_head_without_a_class_list_has_numbered_classes(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "listless")
    (folder / "assets" / "order.csv").unlink()
    found = find("surfperch", folder)
    assert found.class_names["order"] == ["order 0", "order 1", "order 2"]
    assert "order" in SURFPERCH.add(folder)


def test_a_class_list_of_another_length_is_refused(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "other")
    with (folder / "assets" / "reef_label.csv").open("a") as file:
        file.write("one more\n")
    message = refusal(lambda: find("surfperch", folder))
    assert "reef_label.csv lists 8 classes, but the head has 7" in message


def test_class_lists_keep_letters_commas_and_quotes(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "letters")
    lines = ['"all_reefs"', '"grunt, long",x', "Früh", "", " spaced ", 'a "quote"', "é", "f", "g"]
    (folder / "assets" / "reef_label.csv").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    SURFPERCH.add(folder)
    expected = ["grunt, long", "Früh", "spaced", 'a "quote"', "é", "f", "g"]
    assert find("surfperch").class_names["reef_label"] == expected


# --- how it was trained ---------------------------------------------------------------------------


def test_what_the_program_does_not_show_is_asked_for(published: Path, tmp_path: Path) -> None:
    folder = shallow(published, tmp_path / "compiled")
    write_program(folder, [function("f", {"XlaCallModule": 1}, [])], perch_models.outputs(HEADS))
    message = refusal(lambda: SURFPERCH.add(folder))
    assert "smoothing and activation and pcen not found" in message
    assert not SURFPERCH.info().available
    SURFPERCH.add(folder, smoothing="legacy", activation="relu", pcen="bio")
    assert find("surfperch").switches == Switches("legacy", "relu", "bio")


# --- files that were converted --------------------------------------------------------------------


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


# --- comparing with the original ------------------------------------------------------------------


@pytest.fixture
def tensorflow(
    parameters: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimpleNamespace]:
    """A stand-in for TensorFlow that runs the model with the switches in `.truth`."""
    imitation = SimpleNamespace(truth=Switches("legacy", "swish", "new"), as_pair=False, fault=None)

    def load(folder: str) -> SimpleNamespace:
        if imitation.fault:
            raise imitation.fault
        assert (Path(folder) / "saved_model.pb").is_file()
        network = SurfPerch.from_parameters(parameters, **vars(imitation.truth))

        def infer_tf(waves: np.ndarray) -> object:
            assert waves.shape == (1, 160_000)
            assert waves.dtype == np.float32
            with torch.no_grad():
                embedding = network(torch.from_numpy(waves))
                pictures = network.front_end(torch.from_numpy(waves)).numpy()
                logits = network.logits(embedding)["label"].numpy()
            if imitation.as_pair:
                return logits, embedding.numpy()
            return {"embedding": embedding.numpy(), "frontend": pictures, "label": logits}

        return SimpleNamespace(infer_tf=infer_tf)

    imitation.saved_model = SimpleNamespace(load=load)
    monkeypatch.setitem(sys.modules, "tensorflow", imitation)
    yield imitation


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
        (Switches("fixed", "swish", "new"), True, "embeddings (cosine"),
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
