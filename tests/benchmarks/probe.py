"""When a probe overtakes the nearest centroid, and whether the right one of them is proposed.

    python tests/benchmarks/probe.py [--encoder birdnet spectral] [--draws 5] [--set birds ...]

The draws are those of ``centroid.py``: a few clips of each class are examples, and every clip of a
recording that gave no example is ranked; unlabelled are all the clips of the question and the
soundscapes. Prints mean AUC and average precision over classes and draws, F1 at a score of a half,
how often a probe was proposed, and the seconds that a proposal and a fit take. In the table is
scikit-learn's logistic regression on embeddings of length one with C = 10, which the proposal must
reach at 1, 4 and 16 examples.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from centroid import QUESTIONS, Clips, classes_of, embed
from centroid import probe as logistic
from sklearn.exceptions import ConvergenceWarning

from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.classify.choice import choose
from explorer.classify.labelled import Labelled
from explorer.classify.metrics import cmap, mean_roc_auc
from explorer.classify.probe import Probe, Training

SHOTS = (1, 4, 16, 32)
"""Of a class; a question is left out where fewer than two classes have so many."""


def draw(clips: Clips, pool: np.ndarray, shots: int, seed: int) -> tuple[dict, np.ndarray]:
    """Rows of the examples by class, and where a clip is ranked; no recording is on both sides."""
    rng = np.random.default_rng([seed, shots])
    examples: dict[str, list[int]] = {}
    for name in classes_of(clips, pool):
        rows = rng.permutation(np.flatnonzero(pool & (clips.labels == name)))
        groups = rng.permutation(np.unique(clips.groups[rows]))
        giving = set(groups[: max(1, min(len(groups) - 1, int(len(groups) * 0.8)))])
        seen: dict[str, int] = defaultdict(int)
        ranked = []
        for row in rows:
            group = str(clips.groups[row])
            if group in giving:
                ranked.append((seen[group], int(row)))
                seen[group] += 1
        chosen = [row for _, row in sorted(ranked, key=lambda pair: pair[0])[:shots]]
        if len(chosen) == shots:
            examples[name] = chosen
    used = [clips.groups[rows] for rows in examples.values()]
    return examples, pool & ~np.isin(clips.groups, np.concatenate([[""], *used]))


def ask(clips: Clips, soundscapes: np.ndarray, question: str, draws: int) -> None:
    """Print the table of one question."""
    words, sets = QUESTIONS[question]
    pool = np.ones(len(clips.rows), bool) if sets is None else np.isin(clips.sets, sets)
    unlabelled = np.concatenate([soundscapes, clips.rows[pool]])
    background = Background.fit(unlabelled)
    found: dict[tuple[str, int], list[tuple[float, ...]]] = defaultdict(list)
    notes: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for shots in SHOTS:
        for seed in range(draws):
            rows, ranked = draw(clips, pool, shots, seed)
            if len(rows) < 2:
                continue
            labelled = Labelled.of(
                {name: clips.rows[each] for name, each in rows.items()},
                groups={name: clips.groups[each] for name, each in rows.items()},
            )
            windows = clips.rows[ranked]
            truth = np.stack([clips.labels[ranked] == name for name in rows], axis=1)
            started = time.perf_counter()
            choice = choose(labelled, background)
            chose = time.perf_counter()
            probe = Probe.fit(labelled, background=background)
            fitted = time.perf_counter()
            centroid = NearestCentroid.fit(labelled.examples(), background=background)
            agile = Probe.fit(labelled, background=unlabelled, training=Training(method="agile"))
            task = argparse.Namespace(windows=windows, background=unlabelled)
            scores = {
                "centroid": centroid.scores(windows),
                "probe": probe.scores(windows),
                "agile probe, as published": agile.scores(windows),
                "logistic regression, C=10": logistic(standardised=False)(
                    labelled.examples(),
                    task,  # type: ignore[arg-type]
                ),
            }
            scores["proposed"] = scores[choice.kind]
            for name, each in scores.items():
                half = 0.0 if name.startswith("logistic") else 0.5
                found[name, shots].append(
                    (
                        mean_roc_auc(truth, each).macro,
                        cmap(truth, each).macro,
                        f1(truth, each > half),
                    )
                )
            notes[shots].append(
                (choice.kind == "probe", chose - started, fitted - chose, len(rows))
            )
    print(f"\n{words} ({draws} draws)")
    print(f"{'AUC / average precision / F1':28}" + "".join(f"{shots:>18}" for shots in notes))
    for name in dict.fromkeys(name for name, _ in found):
        cells = (np.mean(found[name, shots], axis=0) for shots in notes)
        print(f"{name:28}" + "".join("{:>8.3f} {:.3f} {:.2f}".format(*each) for each in cells))
    for at, note in enumerate(
        ("a probe proposed", "seconds to propose", "seconds to fit", "classes")
    ):
        cells = (np.mean(notes[shots], axis=0)[at] for shots in notes)
        print(f"{note:28}" + "".join(f"{each:>18.2f}" for each in cells))


def f1(truth: np.ndarray, found: np.ndarray) -> float:
    """The mean over the classes that are there."""
    there = truth.any(axis=0)
    right = (truth & found).sum(axis=0)
    return float((2 * right / (truth.sum(axis=0) + found.sum(axis=0)))[there].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", nargs="+", default=["birdnet", "spectral"])
    parser.add_argument("--set", nargs="+", default=list(QUESTIONS), choices=list(QUESTIONS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "explorer-bench"
    )
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("EXPLORER_SHARED", here.parent / "shared"))
    options.cache.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ConvergenceWarning)
    for encoder in options.encoder:
        clips = embed(shared, "labelled", encoder, options.cache)
        soundscapes = embed(shared, "soundscapes", encoder, options.cache)
        print(f"\n=== {encoder}: {len(clips.rows)} clips, {len(soundscapes.rows)} of soundscapes")
        for question in options.set:
            ask(clips, soundscapes.rows, question, options.draws)


if __name__ == "__main__":
    main()
