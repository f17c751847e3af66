"""The command line, as a person types it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_recordings import write_recordings
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.collection.demo import open_demo


def run(*arguments: object, status: int = 0) -> str:
    """Run a command in this process; give what it says."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from explorer.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_recordings(tmp_path_factory.mktemp("cli") / "recordings", count=6, seconds=9)
    (folder / "east" / "broken.wav").write_bytes(b"not a sound")
    return folder


@pytest.fixture(scope="module")
def collection(audio: Path) -> Path:
    path = audio.parent / "reef.collection"
    run("embed", path, "--audio", audio, "--encoder", "spectral")
    return path


def test_embed_says_what_was_matched_done_and_left_out(audio: Path, tmp_path: Path) -> None:
    said = run("embed", tmp_path / "a.collection", "--audio", audio, "--encoder", "spectral")
    assert "6 recordings matched" in said
    assert "of 6 recordings with spectral" in said
    assert "1 file was left out" in said
    listed = pd.read_csv(tmp_path / "a.collection" / "left_out.csv")
    assert listed["recording"].tolist() == ["east/broken.wav"]


def test_search_lists_the_window_itself_first(collection: Path, audio: Path) -> None:
    said = run("search", collection, audio / "east" / "EAST_20260301_020000.wav", "--start", 3)
    first = said.splitlines()[2]
    assert "east/EAST_20260301_020000.wav" in first
    assert "3.0" in first


def test_classify_writes_every_format(collection: Path, tmp_path: Path) -> None:
    reef = explorer.open(collection)
    reef.classifier({"hum": [0, 1]}).save("hums", threshold=0.4)
    for form, out in (
        ("csv", "found.csv"),
        ("parquet", "found.parquet"),
        ("raven", "raven"),
        ("audacity", "audacity"),
    ):
        said = run(
            *("classify", collection, "--classifier", "hums"),
            *("--format", form, "--out", tmp_path / out),
        )
        assert "at or above 0.4" in said
    found = pd.read_csv(tmp_path / "found.csv")
    assert {"recording", "start_s", "end_s", "class", "score", "site"} <= set(found)
    assert found["started_at"].str.endswith("+00:00").all()
    assert len(pd.read_parquet(tmp_path / "found.parquet")) == len(found)
    tables = list((tmp_path / "raven").glob("*.txt"))
    assert sum(len(pd.read_csv(table, sep="\t")) for table in tables) == len(found)


def test_a_classifier_of_the_labels_can_be_kept(collection: Path) -> None:
    reef = explorer.open(collection)
    events = reef.label([0, 1], "hum", who="ana")
    try:
        said = run("classify", collection, "--threshold", 0.3, "--save", "from labels")
    finally:
        reef.undo(events, who="ana")
    assert "at or above 0.3" in said
    kept = explorer.open(collection).load_classifier("from labels")
    assert kept.classes == ["hum"]
    assert kept.thresholds == dict.fromkeys(kept.classes, 0.3)


def test_labels_go_out_and_come_back(collection: Path, audio: Path, tmp_path: Path) -> None:
    reef = explorer.open(collection)
    events = reef.label([0, 3], "hum, deep", who="ana")
    try:
        run("export", collection, "--what", "labels", "--out", tmp_path / "labels.csv")
    finally:
        reef.undo(events, who="ana")
    other = tmp_path / "other.collection"
    run("embed", other, "--audio", audio, "--encoder", "spectral")
    assert "2 labels taken in" in run("import", other, tmp_path / "labels.csv", "--who", "ben")
    assert "0 labels taken in" in run("import", other, tmp_path / "labels.csv", "--who", "ben")
    labels = explorer.open(other).labels()
    assert labels["class"].tolist() == ["hum, deep"] * 2
    assert labels["who"].tolist() == ["ben"] * 2


def test_embeddings_are_handed_on_as_parquet(collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors.parquet"
    run("export", collection, "--what", "embeddings", "--format", "parquet", "--out", out)
    table = pd.read_parquet(out)
    vectors = explorer.open(collection).embeddings()
    np.testing.assert_array_equal(
        table[[f"e{number}" for number in range(vectors.dimension)]].to_numpy(),
        np.asarray(vectors, dtype=np.float32),
    )


def test_check_is_content_with_a_sound_collection_and_fails_on_a_damaged_one(
    audio: Path, tmp_path: Path
) -> None:
    path = tmp_path / "b.collection"
    (audio / "east" / "broken.wav").rename(tmp_path / "broken.wav")
    try:
        run("embed", path, "--audio", audio, "--encoder", "spectral")
    finally:
        (tmp_path / "broken.wav").rename(audio / "east" / "broken.wav")
    assert "All is well" in run("check", path)
    next(path.rglob("*.npy")).unlink()
    assert "missing" in run("check", path, status=1)


def test_encoders_are_listed_with_licence_reference_and_how_to_get_them() -> None:
    said = run("encoders")
    rows = {line.split()[0]: line for line in said.splitlines()[1:] if line and line[0] != " "}
    assert "ready" in rows["spectral"]
    for name in ("surfperch", "perch", "perch2", "birdnet3", "beats"):
        assert name in rows
    assert "32 kHz" in rows["surfperch"]
    assert "CC BY-NC-SA 4.0" in said
    assert "arXiv:2508.04665" in said
    assert "explorer encoders add surfperch PATH" in said


def test_encoders_that_are_ready_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.encoders import registry

    only = [info for info in registry.available() if info.name in ("spectral", "perch2")]
    monkeypatch.setattr(registry, "available", lambda: only)
    said = run("encoders", "--measure", "--device", "cpu")
    assert re.search(r"spectral .* \d[\d,]* windows/s, [\d,]+ x real time on CPU", said)
    assert "perch2         2               not installed" in said


def test_adding_an_encoder_that_cannot_be_added_says_why() -> None:
    for arguments, words in (
        (("spectral",), "part of this package"),
        (("parrot",), "not known"),
        (("beats", "missing.pt"), "missing.pt: no such file"),
        (("birdnet", "--pcen", "new"), "no settings such as pcen"),
    ):
        result = command("encoders", "add", *arguments)
        assert result.returncode == 1
        assert words in result.stderr
        assert "Traceback" not in result.stderr


def test_the_demo_is_made_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    path = tmp_path / "demo.collection"
    said = run("demo", "--path", path, "--encoder", "spectral", "--no-serve")
    assert "synthetic" in said
    demo = explorer.open(path)
    assert demo.projection() is not None
    assert len(demo.recordings) >= 10
    assert open_demo(path).n_windows() == demo.n_windows()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("search", "nowhere.collection", "x.wav"), "there is no collection here"),
        (("embed", "{new}"), "--audio"),
        (("embed", "{new}", "--audio", "{audio}", "--encoder", "nonsense"), "nonsense"),
        (("search", "{collection}", "missing.wav"), "missing.wav"),
        (("classify", "{collection}", "--classifier", "none"), "no classifier 'none'"),
        (("export", "{collection}", "--format", "raven"), "--out"),
    ],
)
def test_errors_are_words_without_a_traceback(
    arguments: tuple[str, ...], words: str, audio: Path, collection: Path, tmp_path: Path
) -> None:
    given = [
        part.format(new=tmp_path / "new.collection", audio=audio, collection=collection)
        for part in arguments
    ]
    result = command(*given)
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in command("--debug", "check", "nowhere.collection").stderr


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_ctrl_c_ends_in_words_and_the_next_call_goes_on(tmp_path: Path) -> None:
    audio = write_recordings(tmp_path / "recordings", count=30, seconds=60)
    path = tmp_path / "reef.collection"
    arguments = ["embed", path, "--audio", audio, "--encoder", "spectral", "--batch-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from explorer.cli import main; main()", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    so_far = ""
    while "x real time" not in so_far and process.poll() is None:  # the bar moves
        so_far += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == cli.INTERRUPTED, said
    assert "run the same command again" in said
    kept = explorer.open(path).n_windows()
    assert kept > 0
    run(*arguments)
    reef = explorer.open(path)
    assert reef.n_windows() == 30 * 20 + sum(int(0.4 * n / 3 + 0.75) for n in range(30)) > kept


def test_help_and_import_are_quick() -> None:
    """The limits are 0.5 s and 0.3 s on a quiet machine; what makes it slow is checked instead."""
    heavy = ("torch", "pandas", "numpy", "panel", "sqlalchemy", "umap", "librosa")
    code = (
        "import sys; from explorer import cli; "
        "from typer.testing import CliRunner; CliRunner().invoke(cli.app, ['--help']); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
