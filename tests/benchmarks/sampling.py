"""Which windows should a person label next? The experiment behind the default of `sampling`.

    python tests/benchmarks/sampling.py [--encoder birdnet] [--seeds 5] [--batch 10] [--classes 16]

Clips of ../shared/audio/labelled are mixed into windows of real soundscapes, louder by 0 to 12 dB,
each clip three times: rare calls among many windows that hold none, and among those of 15 other
classes. Half of the recordings and of the soundscapes are the collection, the other half the test.
From one labelled call on, each strategy proposes windows, the truth answers, the instant classifier
learns, until 100 are labelled. Prints learning curves, means over classes and seeds: average
precision and ROC-AUC on the test half, the calls that were found, and how far each strategy is from
margin and random, with standard errors. Embeddings are made anew where the cache folder has none.
About three minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from centroid import FIELD_SETS, LEAST_CLIPS, LEAST_RECORDINGS, cut
from numpy.typing import NDArray

from explorer.audio.decoding import read_clip
from explorer.classify.background import Background, Prepared
from explorer.classify.centroid import NearestCentroid
from explorer.classify.diversity import farthest_first
from explorer.classify.metrics import average_precision, roc_auc
from explorer.classify.sampling import next_to_label
from explorer.encoders.base import Encoder
from explorer.encoders.registry import load
from explorer.errors import ExplorerError

Array = NDArray[np.float32]
BUDGET = 100
CHECKED = (0, 10, 20, 30, 40, 50, 60, 80, 100)
COPIES = 3
CLIPS_OF_HALF = 5
LOUDER_DB = (0, 12)
KEPT_SHARE = 0.85
ENCODED_AT_ONCE = 64


# --- the recordings -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Windows:
    """Embedded windows: what is in each (or ""), where it is from, and which half it is in."""

    rows: Array
    labels: NDArray[np.str_]
    sites: NDArray[np.str_]
    test: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))


def mixed(shared: Path, encoder_name: str, n_classes: int, cache: Path) -> Windows:
    """Soundscapes with calls in them, embedded; once."""
    kept = cache / f"{encoder_name}_mixed_{n_classes}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as stored:
            return Windows(*(stored[field.name] for field in fields(Windows)))
    encoder = load(encoder_name)
    about: list[tuple[str, str, bool]] = []
    rows: list[Array] = []
    waiting: list[Array] = []
    for sound, *what in sounds(shared, encoder, n_classes):
        about.append((str(what[0]), str(what[1]), bool(what[2])))
        waiting.append(sound)
        if len(waiting) == ENCODED_AT_ONCE:
            rows.append(encoder.encode(torch.from_numpy(np.stack(waiting))).cpu().numpy())
            waiting.clear()
            if len(rows) % 8 == 0:
                print(f"  {len(about)} windows embedded with {encoder_name}", flush=True)
    if waiting:
        rows.append(encoder.encode(torch.from_numpy(np.stack(waiting))).cpu().numpy())
    columns = [np.array(column) for column in zip(*about, strict=True)]
    found = Windows(np.concatenate(rows).astype(np.float32), *columns)
    np.savez(kept, **{field.name: getattr(found, field.name) for field in fields(Windows)})
    return found


def sounds(
    shared: Path, encoder: Encoder, n_classes: int
) -> Iterator[tuple[Array, str, str, bool]]:
    """Windows of sound with (class or "", site, half): soundscapes, then calls in soundscapes."""
    rng = np.random.default_rng(1)
    samples = round(encoder.window_s * encoder.sample_rate)

    def read(file: dict[str, str]) -> Array:
        path = shared / "audio" / file["file"]
        return read_clip(path, sample_rate=encoder.sample_rate)[0].astype(np.float32)

    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as stream:
        files = list(csv.DictReader(stream))
    empty: list[tuple[Array, str, bool]] = []
    soundscapes = [file for file in files if file["set"].startswith("soundscapes")]
    for place, file in enumerate(soundscapes[at] for at in rng.permutation(len(soundscapes))):
        try:
            sound = read(file)
        except ExplorerError as error:
            print(f"  left out: {error}")
            continue
        # Whole windows and those between them: twice as many.
        pieces = [*cut(sound, samples)]
        if len(sound) > 1.5 * samples:
            pieces += cut(sound[samples // 2 :], samples)
        empty += [(piece, Path(file["set"]).name, place % 2 == 1) for piece in pieces]
    for piece, site, test in empty:
        yield piece, "", site, test
    for label, of_half in chosen_clips(files, n_classes, rng).items():
        for test, clips in enumerate(of_half):
            places = [at for at, part in enumerate(empty) if part[2] == bool(test)]
            for file in clips:
                sound = read(file)
                for _ in range(COPIES):
                    under, site, _ = empty[int(rng.choice(places))]
                    yield laid_over(under, sound, rng), label, site, bool(test)


def chosen_clips(
    files: list[dict[str, str]], n_classes: int, rng: np.random.Generator
) -> dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]]:
    """A few clips of each class from as many recordings as possible, for each half."""
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in files:
        if file["set"].startswith("labelled") and Path(file["set"]).name in FIELD_SETS:
            by_label[file["label"]].append(file)
    enough = [
        label
        for label, clips in sorted(by_label.items())
        if len(clips) >= LEAST_CLIPS and len({file["group"] for file in clips}) >= LEAST_RECORDINGS
    ]
    spread = np.linspace(0, len(enough) - 1, min(n_classes, len(enough))).round().astype(int)
    found = {}
    for label in (enough[at] for at in spread):
        groups = rng.permutation(sorted({file["group"] for file in by_label[label]})).tolist()
        halves: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
        for half in (0, 1):
            turns = []
            for group in groups[half::2]:
                mine = [file for file in by_label[label] if file["group"] == group]
                turns += list(enumerate(mine[at] for at in rng.permutation(len(mine))))
            turns.sort(key=lambda turn: turn[0])
            halves[half].extend(file for _, file in turns[:CLIPS_OF_HALF])
        found[label] = halves
    return found


def laid_over(under: Array, sound: Array, rng: np.random.Generator) -> Array:
    """A call somewhere in a window of a soundscape, louder than that by some decibels."""
    mixed = under.copy()
    if len(sound) > len(under):
        start = rng.integers(len(sound) - len(under) + 1)
        sound = sound[start : start + len(under)]
    at = rng.integers(len(under) - len(sound) + 1)
    ratio = (np.sqrt(np.mean(under**2)) + 1e-5) / (np.sqrt(np.mean(sound**2)) + 1e-9)
    mixed[at : at + len(sound)] += sound * ratio * 10 ** (rng.uniform(*LOUDER_DB) / 20)
    return mixed / max(1.0, float(np.abs(mixed).max()))


# --- the experiment -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """A collection and a test, prepared as one so that a round is one look at both."""

    pool: Windows
    test: Windows
    both: Prepared
    vectors: Array

    @classmethod
    def make(cls, windows: Windows, seed: int) -> Task:
        swapped = windows.test != bool(seed % 2)
        kept = np.random.default_rng(seed).random(len(swapped)) < KEPT_SHARE
        pool, test = windows.where(~swapped & kept), windows.where(swapped)
        background = Background.fit(pool.rows)
        both = background.prepare(np.concatenate([pool.rows, test.rows]))
        return cls(pool, test, both, both.vectors[: len(pool.rows)].float().numpy())


Propose = Callable[[Task, Array, list[int], int, int], NDArray[np.int64]]


def ours(strategy: str, *, sites: bool = False, target: float = 0.5) -> Propose:
    def propose(
        task: Task, scores: Array, labelled: list[int], n: int, seed: int
    ) -> NDArray[np.int64]:
        where = task.pool.sites if sites else None
        return next_to_label(
            task.vectors, scores, labelled, n, strategy=strategy, sites=where, target=target,
            seed=seed + len(labelled),
        ).rows  # fmt: skip

    return propose


def coreset(pool: int | None) -> Propose:
    """Farthest first, among all windows or the highest scores."""

    def propose(
        task: Task, scores: Array, labelled: list[int], n: int, seed: int
    ) -> NDArray[np.int64]:
        free = np.setdiff1d(np.arange(len(scores)), labelled)
        free = free[np.argsort(-scores[free], kind="stable")][:pool]
        return free[farthest_first(task.vectors[free], task.vectors[labelled], n)]

    return propose


STRATEGIES: dict[str, Propose] = {
    "random": ours("random"),
    "margin": ours("margin"),
    "top": ours("top"),
    "target .8": ours("target", target=0.8),
    "farthest first, all": coreset(None),
    "farthest first, top 100": coreset(100),
    "explore, no sites": ours("explore"),
    "explore (default)": ours("explore", sites=True),
}
DEFAULT = "explore (default)"


def curve(task: Task, label: str, propose: Propose, batch: int, seed: int) -> list[list[float]]:
    """(average precision, AUC, share found) at each of `CHECKED` labels."""
    truth, test_truth = task.pool.labels == label, task.test.labels == label
    n = len(truth)
    labelled = [int(np.random.default_rng(seed).choice(np.flatnonzero(truth)))]
    found = []
    while True:
        rows = np.array(labelled)
        calls, others = rows[truth[rows]], rows[~truth[rows]]
        model = NearestCentroid.fit(
            {label: task.pool.rows[calls]},
            background=task.both.background,
            negatives={label: task.pool.rows[others]},
        )
        scores = model.scores(task.both)[:, 0]
        if len(labelled) - 1 in CHECKED:
            test_scores = scores[n:]
            found.append(
                [
                    float(average_precision(test_truth, test_scores)),
                    float(roc_auc(test_truth, test_scores)),
                    float(truth[rows].sum() / truth.sum()),
                ]
            )
        if len(labelled) > BUDGET:
            return found
        left = min(batch, BUDGET + 1 - len(labelled))
        labelled += propose(task, scores[:n], labelled, left, seed).tolist()


def report(results: dict[str, NDArray[np.float64]], at: list[int]) -> None:
    """Print means over tasks, and differences from margin and random with standard errors."""
    for place, name in enumerate(("average precision", "ROC-AUC", "share of calls found")):
        print(f"\n{name:26}" + "".join(f"{count:>7}" for count in at) + "    mean")
        for strategy, values in results.items():
            means = values[:, :, place].mean(axis=0)
            cells = "".join(f"{mean:7.3f}" for mean in means)
            print(f"{strategy:26}{cells}   {means[1:].mean():.3f}")
    print("\ndifference of the means (standard error over classes and seeds)")
    print(f"{'':26}{'AP, margin':>18}{'AP, random':>18}{'AUC, margin':>18}{'AUC, random':>18}")
    areas = {strategy: values[:, 1:].mean(axis=1) for strategy, values in results.items()}
    for strategy, area in areas.items():
        cells = ""
        for place in (0, 1):
            for other in ("margin", "random"):
                difference = (area - areas[other])[:, place]
                error = difference.std() / np.sqrt(len(difference))
                cells += f"{difference.mean():>+10.3f} ({error:.3f})"
        print(f"{strategy:26}{cells}")
    mean = {strategy: area.mean(axis=0) for strategy, area in areas.items()}
    for other in ("random", "margin"):
        better = mean[DEFAULT][:2] > mean[other][:2]
        words = ["better" if yes else "NOT better" for yes in better]
        print(f"the default is {words[0]} in AP and {words[1]} in AUC than {other}")


def speed(n: int = 200_000, dimension: int = 1024) -> None:
    """Time one proposal on a large collection."""
    rng = np.random.default_rng(0)
    rows = np.empty((n, dimension), np.float16)
    for start in range(0, n, 10_000):
        rows[start : start + 10_000] = rng.normal(size=(min(10_000, n - start), dimension))
    scores, sites = rng.random(n, dtype=np.float32), rng.integers(0, 100, n)
    labelled = rng.choice(n, 500, replace=False)
    times = []
    for _ in range(7):
        started = time.perf_counter()
        next_to_label(rows, scores, labelled, 10, sites=sites)
        times.append(time.perf_counter() - started)
    print(
        f"\n{n:,} windows x {dimension}: median {np.median(times):.3f} s a proposal (limit 0.3 s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", nargs="+", default=["birdnet"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--classes", type=int, default=16)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "explorer-bench"
    )
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("EXPLORER_SHARED", here.parent / "shared"))
    options.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # arrays of a thousand rows: threads cost more than they bring
    at = [count for count in CHECKED if count % options.batch == 0 or count == BUDGET]
    for encoder in options.encoder:
        started = time.perf_counter()
        try:
            windows = mixed(shared, encoder, options.classes, options.cache)
        except ExplorerError as error:
            print(f"{encoder} is left out: {error}")
            continue
        labels = [label for label in np.unique(windows.labels) if label]
        share = (windows.labels != "").mean() / len(labels)
        print(
            f"\n=== {encoder}: {len(windows.rows)} windows, {len(labels)} classes, each in "
            f"{share:.1%} of them; batches of {options.batch}, {options.seeds} seeds; "
            f"embedded in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        results: dict[str, list[list[list[float]]]] = defaultdict(list)
        for seed in range(options.seeds):
            task = Task.make(windows, seed)
            for label in labels:
                for name, propose in STRATEGIES.items():
                    results[name].append(curve(task, label, propose, options.batch, seed))
            print(f"  seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
        report({name: np.array(values) for name, values in results.items()}, at)
    speed()


if __name__ == "__main__":
    main()
