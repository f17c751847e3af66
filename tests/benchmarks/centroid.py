"""Which way of turning a few examples into a ranking is best? The experiment behind the default.

    python tests/benchmarks/centroid.py [--encoder birdnet spectral] [--draws 5] [--set birds ...]

Clips of ../shared/audio/labelled are embedded (and kept in a cache folder); a few of each class are
examples, and every clip of a recording that gave no example is ranked. The background is all the
labelled clips of the question, their labels unseen, and the soundscapes, as it is in a collection;
``--background soundscapes`` leaves the clips out of it. Prints mean AUC and average precision over
classes and draws, for classes that are told from each other ("together") and for each class alone
("alone"), and then how long a click takes on 100,000 windows.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from explorer.audio.decoding import read_clip
from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.encoders.registry import load
from explorer.errors import ExplorerError

Array = NDArray[np.float32]
SHOTS = (1, 4, 16)
LEAST_CLIPS, LEAST_RECORDINGS = 8, 3
FIELD_SETS = ("birds_na", "env_esc10", "frogs", "marine_cetaceans")
QUESTIONS = {
    "birds": ("ten bird species among themselves", ("birds_na",)),
    "frogs": ("frogs among themselves", ("frogs",)),
    "environment": ("environmental sounds among themselves", ("env_esc10",)),
    "whales": ("whales among themselves", ("marine_cetaceans",)),
    "field": ("all field classes against everything else", None),
}


@dataclass(frozen=True)
class Clips:
    """Embedded windows: ``rows`` float32 ``[n, dimension]`` and what each is of."""

    rows: Array
    sets: NDArray[np.str_]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]


def embed(shared: Path, part: str, encoder_name: str, cache: Path) -> Clips:
    """Embed ``labelled`` or ``soundscapes``, once."""
    kept = cache / f"{encoder_name}_{part}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as stored:
            return Clips(*(stored[name] for name in ("rows", "sets", "labels", "groups")))
    encoder = load(encoder_name)
    samples = round(encoder.window_s * encoder.sample_rate)
    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as stream:
        files = [row for row in csv.DictReader(stream) if row["set"].startswith(part)]
    rows, about = [], []
    for number, file in enumerate(files):
        if number % 200 == 0:
            print(f"  embedding {part} with {encoder_name}: {number} of {len(files)}", flush=True)
        try:
            sound, _ = read_clip(shared / "audio" / file["file"], sample_rate=encoder.sample_rate)
        except ExplorerError as error:
            print(f"  left out: {error}")
            continue
        windows = np.stack(list(cut(sound, samples)))
        rows.append(encoder.encode(torch.from_numpy(windows)).cpu().numpy().astype(np.float16))
        group = f"{file['set']}/{file['group']}"
        about += [(Path(file["set"]).name, file["label"], group)] * len(windows)
    sets, labels, groups = (np.array(column) for column in zip(*about, strict=True))
    clips = Clips(np.concatenate(rows).astype(np.float32), sets, labels, groups)
    np.savez(kept, rows=clips.rows, sets=sets, labels=labels, groups=groups)
    return clips


def cut(sound: Array, samples: int) -> Iterable[Array]:
    """Cut a clip into windows; a rest of a quarter window or more is centred and padded."""
    whole = len(sound) // samples
    for at in range(whole):
        yield sound[at * samples : (at + 1) * samples]
    rest = sound[whole * samples :]
    if len(rest) >= samples / 4 or not whole:
        left = (samples - len(rest)) // 2
        yield np.pad(rest, (left, samples - len(rest) - left))


@dataclass(frozen=True)
class Draw:
    """One question: examples of each class, and what there is to rank and to learn from."""

    examples: dict[str, Array]
    windows: Array
    labels: NDArray[np.str_]
    background: Array


def draw(clips: Clips, pool: NDArray[np.bool_], shots: int, seed: int, background: Array) -> Draw:
    """Pick examples from as many recordings as possible; no recording is on both sides."""
    rng = np.random.default_rng([seed, shots])
    examples: dict[str, Array] = {}
    used: set[str] = set()
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
            examples[name] = clips.rows[chosen]
            used |= set(clips.groups[chosen])
    ranked_rows = pool & ~np.isin(clips.groups, list(used))
    return Draw(examples, clips.rows[ranked_rows], clips.labels[ranked_rows], background)


def classes_of(clips: Clips, pool: NDArray[np.bool_]) -> list[str]:
    """Classes with enough clips from enough recordings."""
    field = pool & np.isin(clips.sets, FIELD_SETS)
    return [
        str(name)
        for name in np.unique(clips.labels[field])
        if (field & (clips.labels == name)).sum() >= LEAST_CLIPS
        and len(np.unique(clips.groups[field & (clips.labels == name)])) >= LEAST_RECORDINGS
    ]


Method = Callable[[dict[str, Array], Draw], Array]


def unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def signed_root(rows: Array) -> Array:
    return (np.sign(rows) * np.sqrt(np.abs(rows))).astype(np.float32)


class Geometry:
    """A change of coordinates learnt from the background, kept while the background is the same."""

    def __init__(self, *, root: bool, shrinkage: float | None = None) -> None:
        self.root, self.shrinkage = root, shrinkage
        self.fitted_on: Array | None = None

    def __call__(self, rows: Array, background: Array) -> Array:
        if self.fitted_on is not background:
            self.fit(background)
        moved = (signed_root(rows) if self.root else rows) - self.mean
        return unit(moved if self.whitening is None else moved @ self.whitening)

    def fit(self, background: Array) -> None:
        self.fitted_on = background
        rows = signed_root(background) if self.root else background
        self.mean = rows.mean(axis=0)
        self.whitening: Array | None = None
        if self.shrinkage is not None:
            covariance = np.cov(rows.T)
            size = np.trace(covariance) / len(covariance)
            mixed = (1 - self.shrinkage) * covariance
            values, axes = np.linalg.eigh(mixed + self.shrinkage * size * np.eye(len(covariance)))
            self.whitening = ((axes / np.sqrt(values)) @ axes.T).astype(np.float32)
        self.middles: Array | None = None

    def background_middles(self, background: Array) -> Array:
        """64 k-means centres of the background."""
        moved = self(background, background)
        if self.middles is None:
            means = KMeans(min(64, len(moved)), n_init=1, random_state=0).fit(moved)
            self.middles = unit(means.cluster_centers_)
        return self.middles


def plain_cosine(examples: dict[str, Array], task: Draw) -> Array:
    return NearestCentroid.fit(examples, method="birb").scores(task.windows)


def our_default(examples: dict[str, Array], task: Draw) -> Array:
    """What the package does: raw similarities, of which the scores are a monotone map."""
    if _fitted.get("on") is not task.background:
        _fitted.update(on=task.background, background=Background.fit(task.background), windows=None)
    background = _fitted["background"]
    if _fitted["windows"] is not task.windows:
        _fitted.update(windows=task.windows, prepared=background.prepare(task.windows))
    model = NearestCentroid.fit(examples, background=background)
    return model.similarities(_fitted["prepared"])


_fitted: dict = {}


def centroids(geometry: Geometry) -> Method:
    def score(examples: dict[str, Array], task: Draw) -> Array:
        middles = [geometry(rows, task.background).mean(axis=0) for rows in examples.values()]
        return geometry(task.windows, task.background) @ unit(np.stack(middles)).T

    return score


def less_best_competitor(geometry: Geometry) -> Method:
    def score(examples: dict[str, Array], task: Draw) -> Array:
        likeness = centroids(geometry)(examples, task)
        if likeness.shape[1] == 1:
            return likeness
        return np.stack(
            [
                likeness[:, at] - np.delete(likeness, at, axis=1).max(axis=1)
                for at in range(likeness.shape[1])
            ],
            axis=1,
        )

    return score


def less_half_best_background(geometry: Geometry) -> Method:
    """Half the best of 64 background centres is taken off, the class's nearest left out."""

    def score(examples: dict[str, Array], task: Draw) -> Array:
        likeness = centroids(geometry)(examples, task)
        middles = geometry.background_middles(task.background)
        theirs = geometry(task.windows, task.background) @ middles.T
        for at, rows in enumerate(examples.values()):
            own = geometry(rows, task.background).mean(axis=0) @ middles.T
            likeness[:, at] -= theirs[:, np.argsort(-own)[1:]].max(axis=1) / 2
        return likeness

    return score


def probe(standardised: bool) -> Method:
    """Logistic regression; the other classes and 200 random windows are negatives."""

    def score(examples: dict[str, Array], task: Draw) -> Array:
        mean, sd = task.background.mean(axis=0), task.background.std(axis=0) + 1e-3

        def move(rows: Array) -> Array:
            return unit((rows - mean) / sd if standardised else rows)

        chosen = np.random.default_rng(0).permutation(len(task.background))[:200]
        random = move(task.background[chosen])
        moved = [move(rows) for rows in examples.values()]
        windows = move(task.windows)
        columns = []
        for at, own in enumerate(moved):
            rows = np.concatenate([own, random, *(moved[:at] + moved[at + 1 :])])
            truth = np.arange(len(rows)) < len(own)
            model = LogisticRegression(C=10, max_iter=200).fit(rows, truth)
            columns.append(windows @ model.coef_[0])
        return np.stack(columns, axis=1).astype(np.float32)

    return score


def methods() -> dict[str, Method]:
    raw, rooted = Geometry(root=False), Geometry(root=True)
    white = Geometry(root=False, shrinkage=0.9)
    rooted_white = Geometry(root=True, shrinkage=0.9)
    return {
        "plain cosine (BIRB)": plain_cosine,
        "centred": centroids(raw),
        "root, centred": centroids(rooted),
        "root, centred - best competitor": less_best_competitor(rooted),
        "root, centred - half best of 64": less_half_best_background(rooted),
        "centred, shrunk 0.9, whitened": centroids(white),
        "root, centred, shrunk 0.9, white": centroids(rooted_white),
        "logistic probe": probe(standardised=False),
        "logistic probe, standardised": probe(standardised=True),
        "the default": our_default,
    }


def measure(task: Draw, scores: Array, names: list[str]) -> tuple[float, float]:
    """Mean AUC and average precision over the classes that are there to be found."""
    found = []
    for at, name in enumerate(names):
        truth = task.labels == name
        if truth.any():
            found.append(
                (
                    roc_auc_score(truth, scores[:, at]),
                    average_precision_score(truth, scores[:, at]),
                )
            )
    auc, precision = np.mean(found, axis=0)
    return float(auc), float(precision)


def ask(clips: Clips, soundscapes: Array, question: str, draws: int, background: str) -> None:
    """Print the table of one question."""
    words, sets = QUESTIONS[question]
    pool = np.ones(len(clips.rows), bool) if sets is None else np.isin(clips.sets, sets)
    unlabelled = soundscapes
    if background == "collection":
        unlabelled = np.concatenate([soundscapes, clips.rows[pool]])
    results: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    chosen = methods()
    for shots in SHOTS:
        for seed in range(draws):
            task = draw(clips, pool, shots, seed, unlabelled)
            names = list(task.examples)
            if not names:
                continue
            for label, method in chosen.items():
                together = method(task.examples, task)
                alone = np.concatenate(
                    [method({name: task.examples[name]}, task) for name in names], axis=1
                )
                results[label, "together", shots].append(measure(task, together, names))
                results[label, "alone", shots].append(measure(task, alone, names))
    print(
        f"\n{words} ({len(classes_of(clips, pool))} classes, {pool.sum()} windows, {draws} draws)"
    )
    head = "".join(f"{f'{mode} {shots}':>16}" for mode in ("together", "alone") for shots in SHOTS)
    print(f"{'AUC / average precision':34}{head}")
    for label in chosen:
        cells = [
            np.mean(results[label, mode, shots], axis=0)
            for mode in ("together", "alone")
            for shots in SHOTS
            if results[label, mode, shots]
        ]
        print(f"{label:34}" + "".join(f"{auc:>10.3f} {ap:.3f}" for auc, ap in cells))


def click(n_windows: int = 100_000, dimension: int = 1024) -> None:
    """Time refit and score after a click, with one class and with twenty."""
    rng = np.random.default_rng(0)
    rows = np.empty((n_windows, dimension), np.float16)
    for start in range(0, n_windows, 10_000):
        block = rng.exponential(1, (min(10_000, n_windows - start), dimension))
        rows[start : start + 10_000] = block
    started = time.perf_counter()
    background = Background.fit(rows)
    fitted = time.perf_counter()
    prepared = background.prepare(rows)
    ready = time.perf_counter()
    print(f"\n{n_windows:,} windows x {dimension}, {os.cpu_count()} cores")
    print(f"once for a run: background {fitted - started:.1f} s, prepare {ready - fitted:.1f} s")
    print(f"memory: {prepared.nbytes / n_windows:.0f} bytes a window")
    for n_classes in (1, 20):
        times = []
        for number in range(9):
            examples = {f"class {at}": rows[at * 50 : at * 50 + 4] for at in range(n_classes)}
            examples["class 0"] = rows[5000 : 5005 + number + n_classes * 20]
            before = time.perf_counter()
            NearestCentroid.fit(examples, background=background).scores(prepared)
            times.append(time.perf_counter() - before)
        print(
            f"refit and score {n_classes:2} classes, one changed: median "
            f"{np.median(times):.3f} s (limit 0.1 s; the first time {times[0]:.3f} s)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", nargs="+", default=["birdnet", "spectral"])
    parser.add_argument("--set", nargs="+", default=list(QUESTIONS), choices=list(QUESTIONS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--background", choices=["collection", "soundscapes"], default="collection")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "explorer-bench"
    )
    parser.add_argument("--no-click", action="store_true")
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("EXPLORER_SHARED", here.parent / "shared"))
    options.cache.mkdir(parents=True, exist_ok=True)
    for encoder in options.encoder:
        try:
            clips = embed(shared, "labelled", encoder, options.cache)
            soundscapes = embed(shared, "soundscapes", encoder, options.cache)
        except ExplorerError as error:
            print(f"{encoder} is left out: {error}")
            continue
        print(f"\n=== {encoder}: {len(clips.rows)} clips, {len(soundscapes.rows)} of soundscapes")
        for question in options.set:
            ask(clips, soundscapes.rows, question, options.draws, options.background)
    if not options.no_click:
        click()


if __name__ == "__main__":
    main()
