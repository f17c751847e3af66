"""ReefSet: fetched and checked, unpacked safely, and the numbers of its paper."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from explorer.cli import app
from explorer.errors import EncoderError, ParameterError
from explorer.evaluate import reefset
from explorer.evaluate.clips import read_clips
from explorer.evaluate.fewshot import PAPER_SHOTS

ANNOTATIONS = [
    {
        "id": number,
        "file_name": f"{number}.{of}.someone.{label}.wav",
        "label": label,
        "data_sharer": "someone",
        "dataset": of,
        "recorder": "hydromoth",
    }
    for number, (of, label, _) in enumerate(
        itertools.product(["kenya", "thailand"], ["ambient", "bioph"], range(3))
    )
]


def wav() -> bytes:
    """A clip as ReefSet has them: 1.88 s at 16 kHz."""
    out = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, 30_080)
    soundfile.write(out, noise, 16_000, format="WAV")
    return out.getvalue()


def archive(annotations: object = ANNOTATIONS, more: dict[str, bytes] | None = None) -> bytes:
    """ReefSet's archive in small: the same folders and annotations."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        zipped.writestr("ReefSet_v1.0/reefset_annotations.json", json.dumps(annotations))
        zipped.writestr("ReefSet_v1.0/reefset_labels_by_dataset.csv", "dataset,label,n\n")
        for clip in ANNOTATIONS:
            zipped.writestr(f"ReefSet_v1.0/full_dataset/{clip['file_name']}", wav())
        for name, content in (more or {}).items():
            zipped.writestr(name, content)
    return out.getvalue()


@dataclass
class Zenodo:
    """A server on this machine that answers as Zenodo does."""

    address: str = ""
    content: bytes = b""
    checksum: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def record(self) -> str:
        return f"{self.address}/api/records/11060189"

    def described(self) -> bytes:
        file = {
            "key": "ReefSet_v1.0.zip",
            "size": len(self.content),
            "checksum": self.checksum or "md5:" + hashlib.md5(self.content).hexdigest(),
            "links": {"self": f"{self.address}/files/ReefSet_v1.0.zip/content"},
        }
        readme = {"key": "README.md", "size": 1, "checksum": "md5:0", "links": {"self": "x"}}
        return json.dumps({"id": 11060189, "files": [readme, file]}).encode()


@pytest.fixture
def zenodo() -> Iterator[Zenodo]:
    state = Zenodo(content=archive())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            body = state.described() if "records" in self.path else state.content
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


def clips_of(table: Path) -> pd.DataFrame:
    with pytest.warns(UserWarning, match="each counts as one of its own"):
        return read_clips(table.parent.rglob("*.wav"), table.parent)


def test_a_fetched_reefset_is_a_folder_of_labelled_clips(zenodo, tmp_path):
    table = reefset.fetch(tmp_path / "ReefSet", record=zenodo.record)
    clips = clips_of(table)
    counts = clips.groupby(["set", "class"]).size()
    assert counts.index.tolist() == [
        ("kenya", "ambient"), ("kenya", "bioph"), ("thailand", "ambient"), ("thailand", "bioph"),
    ]  # fmt: skip
    assert (counts == 3).all() and clips["group"].nunique() == 12
    assert set(clips["recorder"]) == {"hydromoth"}
    left = sorted(path.name for path in table.parent.iterdir())
    assert left == ["clips.csv", "download.lock", "full_dataset", "reefset_annotations.json"]


def test_what_is_there_is_not_fetched_again(zenodo, tmp_path):
    reefset.fetch(tmp_path, record=zenodo.record)
    asked = list(zenodo.asked)
    (tmp_path / "clips.csv").unlink()
    assert reefset.fetch(tmp_path, record=zenodo.record).exists()
    assert zenodo.asked == asked


def test_an_archive_brought_by_hand_needs_no_internet(tmp_path):
    (tmp_path / "ReefSet_v1.0.zip").write_bytes(archive())
    table = reefset.fetch(tmp_path, record="http://127.0.0.1:9/nobody")
    assert len(pd.read_csv(table)) == 12
    assert (tmp_path / "ReefSet_v1.0.zip").exists()


def test_a_reefset_that_was_unpacked_elsewhere_is_used_as_it_is(tmp_path):
    with zipfile.ZipFile(io.BytesIO(archive())) as zipped:
        zipped.extractall(tmp_path)
    table = reefset.fetch(tmp_path, record="http://127.0.0.1:9/nobody")
    assert table == tmp_path / "ReefSet_v1.0" / "clips.csv"
    assert len(clips_of(table)) == 12


def test_another_checksum_is_refused_and_nothing_is_unpacked(zenodo, tmp_path):
    zenodo.checksum = "md5:" + "0" * 32
    with pytest.raises(EncoderError, match="its size or MD5 differs") as raised:
        reefset.fetch(tmp_path, record=zenodo.record)
    assert "zenodo.org/records/11060189" in str(raised.value) and "copy it to" in str(raised.value)
    assert not list(tmp_path.glob("*.zip*")) and not (tmp_path / "full_dataset").exists()


@pytest.mark.parametrize("checksum", ["sha1:00", "md5:", "00"])
def test_a_file_that_cannot_be_checked_is_refused(zenodo, tmp_path, checksum):
    zenodo.checksum = checksum
    with pytest.raises(ParameterError, match="MD5"):
        reefset.fetch(tmp_path, record=zenodo.record)


def test_only_clips_and_annotations_are_taken_out_and_none_leaves_the_folder(tmp_path):
    hostile = {
        "../outside.wav": b"x",
        "ReefSet_v1.0/full_dataset/..\\..\\windows.wav": b"x",
        "/absolute.wav": b"x",
        "ReefSet_v1.0/program.exe": b"x",
        "__MACOSX/ReefSet_v1.0/full_dataset/._1.wav": b"x",
    }
    folder = tmp_path / "in" / "ReefSet"
    folder.mkdir(parents=True)
    (folder / "ReefSet_v1.0.zip").write_bytes(archive(more=hostile))
    table = reefset.fetch(folder)
    assert len(pd.read_csv(table)) == 12
    everything = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not {"program.exe", "._1.wav"} & everything
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("*.wav"))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reefset, "LARGEST", 1000)
    (tmp_path / "ReefSet.zip").write_bytes(archive())
    with pytest.raises(ParameterError, match="unpacks to more than"):
        reefset.fetch(tmp_path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"no archive", "could not be unpacked"),
        (archive({"not": "a list"}), "not ReefSet's annotations"),
        (archive([{"file_name": "1.wav"}]), "not ReefSet's annotations"),
        (archive([ANNOTATIONS[0] | {"file_name": "gone.wav"}]), "none of the clips"),
    ],
)
def test_what_is_not_reefset_is_refused(tmp_path, content, cause):
    (tmp_path / "ReefSet.zip").write_bytes(content)
    with pytest.raises(ParameterError, match=cause):
        reefset.fetch(tmp_path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "ReefSet.zip", "w") as zipped:
        zipped.writestr("other/1.wav", wav())
    with pytest.raises(ParameterError, match="holds no reefset_annotations"):
        reefset.fetch(tmp_path)


def test_no_connection_says_how_to_do_without(tmp_path):
    with pytest.raises(EncoderError, match="could not be read"):
        reefset.fetch(tmp_path, record="http://127.0.0.1:9/nobody")


def test_the_commands_lead_from_the_archive_to_the_papers_table(tmp_path, monkeypatch):
    """What a user types, with the archive brought by hand and two data sets for sixteen."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(reefset, "SETS", ("kenya", "thailand"))
    folder = tmp_path / "ReefSet"
    folder.mkdir()
    (folder / "ReefSet_v1.0.zip").write_bytes(archive())
    made = CliRunner().invoke(app, ["evaluate", "reefset", str(folder)])
    assert "ReefSet is ready" in made.output and "explorer evaluate fewshot" in made.output
    asked = ["evaluate", "fewshot", str(folder), "--encoder", "mfcc", "--shots", "1,2"]
    found = CliRunner().invoke(app, [*asked, "--draws", "1", "--method", "birb"])
    assert found.exception is None, found.output
    blocks = [line for line in found.output.splitlines() if line.endswith("1 draw")]
    assert blocks == ["kenya: 2 classes, 1 draw", "thailand: 2 classes, 1 draw"]
    assert "mean over data sets: 2 data sets" in found.output
    assert "Williams et al. (2024)" in found.output and "SurfPerch" in found.output


def test_the_papers_table_is_shown_for_its_data_sets_alone():
    assert reefset.paper_table(["birds", "kenya"]) is None
    lines = reefset.paper_table(reefset.SETS).splitlines()
    assert lines[1].split() == ["encoder", *map(str, PAPER_SHOTS)]


@pytest.fixture
def facts(shared: Path) -> dict:
    return json.loads((shared / "golden" / "facts_surfperch.json").read_text())


NAMES = {
    "SurfPerch": "FSD50k_1M_128_newpcen",
    "reef and bird": "ReefPerch",
    "reef only": "Reef",
    "Perch": "perch",
    "BirdNET": "birdnet",
    "YAMNet": "yamnet",
    "VGGish": "vggish",
}


@pytest.mark.golden
def test_the_papers_numbers_are_those_of_its_notebook(facts):
    assert set(NAMES) == set(reefset.PAPER)
    assert facts["internal_names"][NAMES["SurfPerch"]].startswith("SurfPerch")
    for name, known in NAMES.items():
        means = facts["mean_auc_roc_over_16_datasets_by_k"][known]
        assert list(map(int, means)) == list(PAPER_SHOTS)
        np.testing.assert_allclose(reefset.PAPER[name], list(means.values()), atol=6e-4)


@pytest.mark.golden
def test_the_means_over_shots_and_over_data_sets_agree(facts):
    """The notebook's two outputs hold the same experiment."""
    of_sets = facts["per_dataset_auc_roc_mean_over_k_and_stdev"]
    assert len(of_sets) == len(reefset.SETS)
    models = set.intersection(*(set(of_set) for of_set in of_sets.values()))
    assert {"birdnet", "perch", "yamnet", "vggish"} <= models
    for model in models:
        over_sets = np.mean([of_set[model][0] for of_set in of_sets.values()])
        by_shots = facts["mean_auc_roc_over_16_datasets_by_k"][model].values()
        assert over_sets == pytest.approx(np.mean(list(by_shots)), abs=1e-4)


@pytest.mark.golden
def test_off_the_reef_the_best_encoder_is_another(facts):
    few, most = (
        next(value for name, value in facts.items() if name.startswith(start))
        for start in ("terrestrial_mean_auc_roc_k4", "terrestrial_mean_auc_roc_k_max")
    )
    every = facts["terrestrial_mean_auc_roc_all_k"]
    names = {"BirdNET": "birdnet2.3"}
    for name, (at_four, at_most) in reefset.ELSEWHERE.items():
        known = names.get(name, name.lower())
        assert (few[known], most[known]) == pytest.approx((at_four, at_most))
        assert at_four < np.mean([of_set[known] for of_set in every.values()]) < at_most
    assert reefset.ELSEWHERE["Perch"][0] > reefset.ELSEWHERE["SurfPerch"][0]


@pytest.mark.golden
def test_annotations_give_the_published_data_sets_and_classes(facts, tmp_path):
    """ReefSet's own counts, written as annotations and read again."""
    counts = facts["reefset_label_counts_by_dataset"]
    said = [
        {"file_name": f"{of}.{label}.{number}.wav", "label": label, "dataset": of}
        for of, labels in counts.items()
        for label, count in labels.items()
        for number in range(count)
    ]
    (tmp_path / "reefset_annotations.json").write_text(json.dumps(said))
    table = reefset.annotated(tmp_path / "reefset_annotations.json")
    assert len(table) == facts["reefset_total_in_table"]
    assert table.groupby("set")["label"].nunique().to_dict() == facts["classes_per_dataset"]
    assert sorted(table["set"].unique()) == sorted(reefset.SETS)
    # Every class can take part in the whole protocol: more clips than the most shots.
    assert table.groupby(["set", "label"]).size().min() > max(PAPER_SHOTS)
