"""Which way of adapting to a new place helps? The experiment behind the default of `adapt`.

    python tests/benchmarks/adaptation.py [--encoder birdnet] [--seeds 5] [--sweep]

Clips of ../shared/audio/labelled are split by recording. One half, as it is and beside the windows
of one site's soundscapes, trains a linear probe: the source. The other half becomes another place:
heard by another recorder, from a distance, in the noise of another site, or all of these at once,
and beside that site's windows, which hold no class. The probe is adapted to that place without its
labels, by every method, and ranks all windows of the place. Prints cmAP and ROC-AUC (means over
classes, questions and seeds; after +- the standard deviation over seeds) for each change of place,
how much better than the source that is (with the standard error over seeds), how many of the cases
got worse, in how many `advice` says to undo without having seen a label, and the order of the
methods as found. "far too fast" is what a wrong learning rate does.

Embeddings are kept in a cache folder. The sounds are real; the changes of place are made.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from explorer.audio.decoding import read_clip
from explorer.classify.adaptation import adapt
from explorer.classify.adaptation_evidence import advice, estimate
from explorer.classify.adaptation_settings import METHODS, Settings, settings_for
from explorer.classify.adaptation_student import LinearHead, Statistics
from explorer.classify.metrics import average_precision, macro_mean, roc_auc
from explorer.encoders.registry import load
from explorer.space.neighbours import NeighbourGraph, knn_graph

Array = NDArray[np.float32]
QUESTIONS = {"birds": "birds_na", "frogs": "frogs", "environment": "env_esc10"}
SOURCE_SITE = ("songmeter_day",)
TARGET_SITE = ("urban_audiomoth", "birds_dawn_ch", "birds_misc")
LEAST_CLIPS, LEAST_RECORDINGS = 8, 2
BATCH = 32

RECORDER_HZ = (0, 100, 400, 1000, 2500, 4000, 6000, 9000, 13000, 24000)
RECORDER_DB = (-40, -24, -9, -3, 6, 2, -5, -12, -26, -60)
"""A small microphone behind a membrane: little bass, a resonance, treble that is gone."""
DISTANCE_M = 60.0
LOSS_DB_PER_M_KHZ = 0.03
"""What air and leaves take, for each metre and kilohertz."""
NOISE_DB = 5.0
"""Power of the sound above the other site's noise."""
FLOOR = 1e-4
"""The recorder's own hiss, before a distant sound is turned up again."""


# The changes of place -----------------------------------------------------------------------------


def with_response(sound: Array, rate: int, hz: NDArray, decibels: NDArray) -> Array:
    spectrum = np.fft.rfft(sound)
    at = np.fft.rfftfreq(len(sound), 1 / rate)
    gain = 10 ** (np.interp(at, hz, decibels) / 20)
    return np.fft.irfft(spectrum * gain, len(sound)).astype(np.float32)


def recorder(sound: Array, rate: int) -> Array:
    return with_response(sound, rate, np.array(RECORDER_HZ), np.array(RECORDER_DB))


def distance(sound: Array, rate: int, rng: np.random.Generator) -> Array:
    """Treble lost on the way, echoes, and a sound that is weak against the recorder's hiss."""
    hz = np.array([0.0, rate / 2])
    far = with_response(sound, rate, hz, -LOSS_DB_PER_M_KHZ * DISTANCE_M * hz / 1000)
    tail = rng.standard_normal(round(0.3 * rate)) * np.exp(-np.linspace(0, 6, round(0.3 * rate)))
    n = len(far) + len(tail)
    echoes = np.fft.irfft(np.fft.rfft(far, n) * np.fft.rfft(tail, n), n)[: len(far)]
    far = far + 0.5 * echoes * rms(far) / max(rms(echoes), 1e-9)
    hiss = FLOOR * DISTANCE_M / 10 * rng.standard_normal(len(far))
    return (far + hiss).astype(np.float32)


def amid(sound: Array, noise: Array) -> Array:
    """Mixed with noise, the sound so many decibels above it."""
    level = rms(sound) / max(rms(noise), 1e-9) / 10 ** (NOISE_DB / 20)
    return (sound + level * noise).astype(np.float32)


def rms(sound: NDArray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


Change = Callable[[Array, int, np.random.Generator, Array], Array]
CHANGES: dict[str, Change] = {
    "none": lambda sound, rate, rng, noise: sound,
    "recorder": lambda sound, rate, rng, noise: recorder(sound, rate),
    "distance": lambda sound, rate, rng, noise: distance(sound, rate, rng),
    "noise": lambda sound, rate, rng, noise: amid(sound, noise),
    "all three": lambda sound, rate, rng, noise: recorder(
        amid(distance(sound, rate, rng), noise), rate
    ),
}


# Embeddings ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clips:
    """Embedded windows, and what each is of."""

    rows: Array
    sets: NDArray[np.str_]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]


def embed(shared: Path, encoder_name: str, cache: Path) -> dict[str, Clips]:
    """Every clip and every window of the two sites, after each change of place; once."""
    kept = {name: cache / f"{encoder_name}_{name.replace(' ', '-')}.npz" for name in CHANGES}
    if not all(path.exists() for path in kept.values()):
        _embed_all(shared, encoder_name, kept)
    clips = {}
    for name, path in kept.items():
        with np.load(path, allow_pickle=False) as stored:
            clips[name] = Clips(*(stored[key] for key in ("rows", "sets", "labels", "groups")))
    return clips


def _embed_all(shared: Path, encoder_name: str, kept: dict[str, Path]) -> None:
    encoder = load(encoder_name)
    rate = encoder.sample_rate
    samples = round(encoder.window_s * rate)
    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as stream:
        files = list(csv.DictReader(stream))
    wanted = {f"labelled/{name}" for name in QUESTIONS.values()}
    sites = {f"soundscapes/{name}" for name in (*SOURCE_SITE, *TARGET_SITE)}
    sounds, about = [], []
    for file in files:
        if file["set"] not in wanted | sites:
            continue
        sound, _ = read_clip(shared / "audio" / file["file"], sample_rate=rate)
        windows = list(cut(sound, samples))
        # Of a clip the loudest window, as its label is for the whole.
        if file["set"] in wanted:
            windows = [max(windows, key=rms)]
        sounds += windows
        group = f"{file['set']}/{file['group'] or file['file']}"
        about += [(Path(file["set"]).name, file["label"], group)] * len(windows)
    sets, labels, groups = (np.array(column) for column in zip(*about, strict=True))
    noises = [sound for sound, of in zip(sounds, sets, strict=True) if of == TARGET_SITE[0]]
    for name, path in kept.items():
        print(f"  embedding {len(sounds)} windows, change of place: {name}", flush=True)
        rng = np.random.default_rng(0)
        rows = []
        for start in range(0, len(sounds), BATCH):
            changed = [
                CHANGES[name](sound, rate, rng, noises[rng.integers(len(noises))])
                if of not in SOURCE_SITE
                else sound
                for sound, of in zip(
                    sounds[start : start + BATCH], sets[start : start + BATCH], strict=True
                )
            ]
            rows.append(encoder.encode(torch.from_numpy(np.stack(changed))).cpu().numpy())
        whole = np.concatenate(rows).astype(np.float32)
        np.savez(path, rows=whole, sets=sets, labels=labels, groups=groups)


def cut(sound: Array, samples: int) -> Iterator[Array]:
    """Cut a sound into windows; a rest of a quarter window or more is padded."""
    for at in range(0, max(1, len(sound)), samples):
        part = sound[at : at + samples]
        if len(part) >= samples / 4 or at == 0:
            yield np.pad(part, (0, samples - len(part))).astype(np.float32)


# One case -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A probe, what it was trained on, and which windows are the other place's."""

    head: LinearHead
    statistics: Statistics
    target: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def draw(clean: Clips, question: str, seed: int, *, amid_others: bool) -> Source:
    """Split the recordings of each class, and train a probe on one half."""
    rng = np.random.default_rng(seed)
    in_set = clean.sets == QUESTIONS[question]
    names, source, target = [], np.zeros(len(in_set), bool), np.zeros(len(in_set), bool)
    for name in np.unique(clean.labels[in_set]):
        mine = in_set & (clean.labels == name)
        groups = rng.permutation(np.unique(clean.groups[mine]))
        if mine.sum() < LEAST_CLIPS or len(groups) < LEAST_RECORDINGS:
            continue
        first = np.isin(clean.groups, groups[: len(groups) // 2])
        names.append(name)
        source |= mine & first
        target |= mine & ~first
    if amid_others:
        source |= np.isin(clean.sets, SOURCE_SITE)
        target |= np.isin(clean.sets, TARGET_SITE)
    is_of = clean.labels[:, None] == np.array(names)
    statistics = Statistics.of(clean.rows[source])
    head = probe(clean.rows[source], is_of[source], statistics)
    return Source(head, statistics, target, is_of[target])


def probe(rows: Array, is_of: NDArray[np.bool_], statistics: Statistics) -> LinearHead:
    """A logistic regression for each class."""
    spread = np.where(statistics.spread > 0, statistics.spread, 1)
    scaled = (rows - statistics.mean) / spread
    weights, biases = [], []
    for column in is_of.T:
        fitted = LogisticRegression(C=0.01, class_weight="balanced", max_iter=300)
        fitted.fit(scaled, column)
        weights.append(fitted.coef_[0] / spread)
        biases.append(fitted.intercept_[0] - statistics.mean @ weights[-1])
    return LinearHead(np.array(weights).T, np.array(biases))


def ways(sweep: bool) -> dict[str, Settings | None]:
    """The methods to compare by name; None is the source as it is."""
    found: dict[str, Settings | None] = {
        "source": None,
        "standardise (AdaBN)": settings_for("adabn"),
    }
    rates = (1e-4, 1e-3, 1e-2) if sweep else (None,)
    for method in METHODS[1:]:
        for rate in rates:
            after = replace(settings_for(method), learning_rate=rate)
            note = "" if rate is None else f", {rate:g}"
            found[f"{method}{note}"] = replace(after, standardise=False)
            found[f"standardise + {method}{note}"] = after
            if method == "notela":
                found[f"notela, head too{note}"] = replace(after, standardise=False, train="all")
                found[f"standardise + notela, head too{note}"] = replace(after, train="all")
    found["tent, far too fast"] = replace(settings_for("tent"), learning_rate=0.1)
    return found


def measure(
    source: Source, windows: Array, settings: Settings | None, graph: NeighbourGraph
) -> tuple[float, float, bool]:
    """Mean AP and ROC-AUC of the classes at the new place, and whether to undo, as is estimated."""
    before = windows @ source.head.weight + source.head.bias
    after, refused = before, False
    if settings is not None:
        adapted = adapt(source.head, windows, settings=settings, source=source.statistics)
        after = adapted.logits(windows)
        refused = not advice(estimate(expit(before), expit(after), graph)).keep
    return (
        macro_mean(average_precision(source.truth, after)),
        macro_mean(roc_auc(source.truth, after)),
        refused,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="birdnet")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sweep", action="store_true", help="three learning rates of each method")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "adaptation")
    options = parser.parse_args()
    shared = Path(os.environ.get("EXPLORER_SHARED", Path(__file__).parents[3] / "shared"))
    options.cache.mkdir(parents=True, exist_ok=True)
    clips = embed(shared, options.encoder, options.cache)
    torch.set_num_threads(1)  # products this small are not worth sharing
    places = [(name, True) for name in CHANGES] + [("all three", False)]
    compared = ways(options.sweep)
    found = np.full((len(compared), len(places), len(QUESTIONS), options.seeds, 3), np.nan)
    started = time.perf_counter()
    for seed in range(options.seeds):
        for question, name in enumerate(QUESTIONS):
            sources = {
                both: draw(clips["none"], name, seed, amid_others=both) for both in (True, False)
            }
            for place, (change, amid_others) in enumerate(places):
                source = sources[amid_others]
                windows = clips[change].rows[source.target]
                graph = knn_graph(windows, 5)
                for way, settings in enumerate(compared.values()):
                    case = measure(source, windows, settings, graph)
                    found[way, place, question, seed] = case
        print(f"  seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    show(list(compared), places, found)


def show(names: list[str], places: list[tuple[str, bool]], found: NDArray) -> None:
    heads = [change + ("" if amid_others else ", alone") for change, amid_others in places]
    undo = found[:, 1:, :, :, 2].mean(axis=(1, 2, 3))
    for at, measured in enumerate(("cmAP", "ROC-AUC")):
        values = found[..., at]
        print(f"\n{measured:32}" + "".join(f"{head:>17}" for head in heads), end="")
        print(f"{'all changes':>13}{'gain':>16}{'worse':>7}{'undo':>6}")
        changed = values[:, 1:]
        gain = (changed - changed[0]).mean(axis=(1, 2))
        for way in np.argsort(-changed.mean(axis=(1, 2, 3)), kind="stable"):
            print(f"{names[way]:32}", end="")
            for place in range(len(places)):
                by_seed = values[way, place].mean(axis=0)
                print(f"{by_seed.mean():>10.3f} +-{by_seed.std():.3f}", end="")
            error = gain[way].std(ddof=1) / len(gain[way]) ** 0.5 if gain.shape[1] > 1 else 0
            worse = (changed[way] < changed[0] - 0.005).mean()
            print(f"{changed[way].mean():>13.3f}{gain[way].mean():>+8.4f} +-{error:.4f}", end="")
            print(f"{worse:>7.0%}{undo[way]:>6.0%}")
    print('\n"alone": without the windows of the two sites. "all changes": without "none".')
    print(
        '"worse": cases more than .005 below the source. "undo": refused by advice without labels.'
    )


if __name__ == "__main__":
    main()
