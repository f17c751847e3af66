"""Finding a SavedModel in folders and archives, also in archives that mean harm."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from perch_models import refusal

from explorer.encoders.formats import unpacking
from explorer.encoders.perch_weights import SURFPERCH, find

pytestmark = pytest.mark.usefixtures("cache")


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


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
def test_an_archive_gives_what_its_folder_gives(
    ending: str, published: Path, tmp_path: Path
) -> None:
    archive = pack(published, tmp_path / f"surfperch-tensorflow2-1.{ending}")
    from_folder, from_archive = find("surfperch", published), find("surfperch", archive)
    assert from_archive.source_sha256 == from_folder.source_sha256
    assert from_archive.version == from_folder.version
    assert from_archive.class_names == from_folder.class_names


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


def test_damage_inside_an_archive_is_told_of_the_archive(tmp_path: Path) -> None:
    members = {"variables/variables.index": b"no table", "saved_model.pb": b""}
    archive = archive_of(tmp_path / "damaged.zip", members)
    message = refusal(lambda: SURFPERCH.add(archive))
    assert message.startswith(f"{archive}/variables/variables.index: is not the index")


def test_data_that_are_cut_off_are_named(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(published, folder)
    shard = folder / "variables" / "variables.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:10_000_000])
    assert f"{shard}: is cut off" in refusal(lambda: SURFPERCH.add(folder))
    assert not SURFPERCH.info().available
