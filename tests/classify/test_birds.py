"""The promise of the instant classifier, on real recordings of ten bird species."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from explorer.audio.decoding import read_clip
from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.encoders.registry import load
from explorer.errors import ExplorerError

DRAWS = 10


@pytest.fixture(scope="module")
def birds(shared: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BirdNET embeddings of 198 clips of 3 s, the species, and the recording of each."""
    try:
        encoder = load("birdnet", device="cpu")
    except ExplorerError as error:
        pytest.skip(str(error))
    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as stream:
        clips = [row for row in csv.DictReader(stream) if row["set"] == "labelled/birds_na"]
    samples = round(encoder.window_s * encoder.sample_rate)
    windows = torch.zeros(len(clips), samples)
    for window, clip in zip(windows, clips, strict=True):
        sound, _ = read_clip(shared / "audio" / clip["file"], sample_rate=encoder.sample_rate)
        sound = sound[:samples]
        start = (samples - len(sound)) // 2
        window[start : start + len(sound)] = torch.from_numpy(sound)
    embeddings = encoder.encode(windows).numpy().astype(np.float16)
    species, recordings = (np.array([clip[key] for clip in clips]) for key in ("label", "group"))
    return embeddings, species, recordings


def mean_auc(birds, method: str, shots: int = 4) -> float:
    """AUC over species and draws; no recording gives both an example and a clip to be found."""
    embeddings, species, recordings = birds
    background = Background.fit(embeddings)
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        examples = {}
        for name in np.unique(species):
            chosen = rng.permutation(np.unique(recordings[species == name]))[:shots]
            examples[name] = [
                rng.choice(np.flatnonzero((species == name) & (recordings == recording)))
                for recording in chosen
            ]
        used = recordings[np.concatenate(list(examples.values()))]
        unseen = ~np.isin(recordings, used)
        model = NearestCentroid.fit(
            {name: embeddings[rows] for name, rows in examples.items()},
            background=background,
            method=method,  # type: ignore[arg-type]
        )
        scores = model.similarities(embeddings[unseen])
        found += [
            roc_auc_score(species[unseen] == name, scores[:, at])
            for at, name in enumerate(model.classes)
        ]
    return float(np.mean(found))


@pytest.mark.golden
def test_four_examples_find_ten_bird_species(birds):
    assert mean_auc(birds, "relative") >= 0.97


@pytest.mark.golden
def test_the_default_is_better_than_the_published_baseline(birds):
    assert mean_auc(birds, "relative") > mean_auc(birds, "birb") + 0.04
    assert mean_auc(birds, "relative", shots=1) > mean_auc(birds, "birb", shots=1) + 0.04
