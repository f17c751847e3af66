"""The demo's recordings: two reefs and two forests over one day, made by arithmetic from a seed.

`synthesise(folder)` writes 18 recordings of 30 s (16-bit FLAC, mono, 24 kHz) named as a Song
Meter names them, `SITE_YYYYMMDD_HHMMSS.flac`, and `truth.csv`, which says what sounds when.
Everything is synthetic: see `explorer.audio.imitations` for the sounds. Who calls depends on the
hour, as outdoors: crickets before dawn, birds after it, parrotfish by day, fish choruses at dusk,
a boat at noon, rain in the afternoon. Each site has its own few animals with their own pitch, pace
and distance; calls overlap now and then, and far ones are faint and blurred.

The same seed gives the same samples, run after run: every recording draws from a generator of its
own, seeded by the seed and the recording's name. From a shell:

    python -m explorer.audio.synthesis data/demo
"""

from __future__ import annotations

import argparse
import csv
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator

from explorer.audio import imitations as sound
from explorer.audio.imitations import Voice, Wave

DEFAULT_SEED = 2026
RECORDING_S = 30.0
SAMPLE_RATE = 24_000
TRUTH_COLUMNS = (
    "recording", "start_s", "end_s", "class", "site", "started_at",
    "kind", "low_hz", "high_hz", "distance_m",
)  # fmt: skip
NOTICE = "Synthetic: made by explorer.audio.synthesis of Soundscape Explorer, CC0-1.0"


@dataclass(frozen=True)
class Call:
    """A class of animal sound: who makes it, in which band, how loud, and how far it is heard."""

    make: Callable[[Generator, int, Voice], Wave]
    low_hz: float
    high_hz: float
    level: float  # peak at 10 m, where full scale is 1
    farthest_m: float


CALLS: Mapping[str, Call] = {
    "trill": Call(sound.trill, 3500, 7000, 0.09, 140),
    "whistle": Call(sound.whistle, 2200, 5200, 0.11, 160),
    "buzz": Call(sound.buzz, 3400, 7000, 0.08, 120),
    "two-note": Call(sound.two_note, 3200, 4300, 0.10, 160),
    "warble": Call(sound.warble, 1500, 4500, 0.11, 140),
    "grunt": Call(sound.grunt, 80, 1000, 0.15, 60),
    "pulse train": Call(sound.pulse_train, 350, 1300, 0.15, 60),
    "whoop": Call(sound.whoop, 150, 1100, 0.14, 60),
    "scrape": Call(sound.scrape, 1000, 6500, 0.08, 30),
}


@dataclass(frozen=True)
class Scene:
    """One recording: where, when, how many calls of each class to expect, and what lies behind."""

    site: str
    time: str  # local time of day, HHMM
    calls: Mapping[str, float]
    levels: Mapping[str, float] = field(default_factory=dict)  # loudness of the ambiences, dB
    boat_m: float | None = None  # how near a boat passes
    date: str = "20260314"

    @property
    def name(self) -> str:
        """File name of the recording."""
        return f"{self.site}_{self.date}_{self.time}00.flac"

    @property
    def started_at(self) -> datetime:
        """Local start of the recording."""
        return datetime.strptime(f"{self.date}{self.time}", "%Y%m%d%H%M")

    @property
    def on_reef(self) -> bool:
        """Whether the recorder hangs in the water."""
        return self.site in ("LAGOON", "DROPOFF")


DAWN = {"far_chorus": -74, "wind": -67}

# Who calls when: numbers are how many calls to expect in 30 s, levels are in dB of full scale.
SCENES: tuple[Scene, ...] = (
    Scene("LAGOON", "0015", {"grunt": 6, "whoop": 2}, {"crackle": -64}),
    Scene("LAGOON", "0600", {"grunt": 2, "pulse train": 4, "whoop": 3}, {"crackle": -65}),
    Scene("LAGOON", "1000", {"pulse train": 4, "scrape": 7}, {"crackle": -69}),
    Scene("LAGOON", "1230", {"scrape": 4, "pulse train": 2}, {"crackle": -69}, boat_m=25),
    Scene("LAGOON", "1845", {"grunt": 4, "whoop": 5, "pulse train": 2}, {"crackle": -64}),
    Scene("DROPOFF", "0545", {"grunt": 4, "whoop": 4}, {"crackle": -70}),
    Scene("DROPOFF", "1130", {"scrape": 6, "pulse train": 5}, {"crackle": -74}),
    Scene("DROPOFF", "1330", {"scrape": 3, "pulse train": 3}, {"crackle": -73}, boat_m=60),
    Scene("DROPOFF", "1900", {"grunt": 5, "whoop": 4, "pulse train": 1}, {"crackle": -68}),
    Scene("CREEK", "0430", {"warble": 3, "two-note": 1}, {"crickets": -64, "wind": -68}),
    Scene("CREEK", "0530", {"warble": 5, "whistle": 3, "two-note": 2}, DAWN),
    Scene("CREEK", "0615", {"warble": 2, "whistle": 3, "trill": 4, "buzz": 3}, DAWN),
    Scene("CREEK", "0900", {"trill": 4, "buzz": 4, "whistle": 1}, {"far_chorus": -82, "wind": -60}),
    Scene("RIDGE", "0500", {"warble": 4, "two-note": 4}, {**DAWN, "crickets": -70}),
    Scene("RIDGE", "0545", {"warble": 2, "two-note": 3, "trill": 2, "whistle": 4}, DAWN),
    Scene("RIDGE", "0730", {"trill": 4, "buzz": 4, "two-note": 2}, {**DAWN, "wind": -58}),
    Scene("RIDGE", "1500", {"trill": 3, "buzz": 3}, {"wind": -52}),
    Scene("RIDGE", "1630", {"two-note": 1}, {"rain": -62, "wind": -62}),
)

AMBIENCES: Mapping[str, tuple[str, Callable[[Generator, int, int], Wave]]] = {
    "crackle": ("shrimp crackle", lambda rng, n, rate: sound.crackle(rng, n, rate, snaps_per_s=90)),
    "crickets": ("crickets", sound.crickets),
    "far_chorus": ("distant chorus", sound.far_chorus),
    "wind": ("wind", sound.wind),
    "rain": ("rain", lambda rng, n, rate: sound.rain(rng, n, rate, drops_per_s=260)),
}
"""What lies behind the calls: the class in the truth table, and how it is made."""

FLOOR = 5e-5
"""Loudness of the recorder's own noise: 2 steps of 16 bits and falling with frequency, so that
FLAC packs it small."""


def synthesise(folder: str | Path, seed: int = DEFAULT_SEED) -> list[Path]:
    """Write the demo recordings and their `truth.csv` into `folder`, and return the files' paths.

    Parameters
    ----------
    folder
        Made if it is not there; files of the same names are replaced, others left alone.
    seed
        The same seed gives the same samples (the bytes of a FLAC file may differ between versions
        of libsndfile; what they decode to does not).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = synthesise(folder)
    >>> len(paths), paths[0].name
    (18, 'LAGOON_20260314_001500.flac')
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths, truth = [], []
    for scene in SCENES:
        samples, rate, rows = render(scene, seed)
        path = folder / scene.name
        with soundfile.SoundFile(
            path, "w", rate, 1, "PCM_16", format="FLAC", compression_level=1.0
        ) as file:
            file.comment = NOTICE
            file.write(samples)
        paths.append(path)
        truth += rows
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, TRUTH_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(truth)
    return paths


def render(scene: Scene, seed: int) -> tuple[np.ndarray, int, list[dict[str, object]]]:
    """Return one recording as int16 samples [n], its sample rate, and its rows of the truth."""
    rng = np.random.default_rng([seed, zlib.crc32(scene.name.encode())])
    rate = SAMPLE_RATE
    n = int(RECORDING_S * rate)
    rows: list[dict[str, object]] = []
    hiss = sound.filtered(rng.standard_normal(n), rate, lambda hz: 1 / (1 + hz / 3000))
    mix = FLOOR * sound.to_loudness(hiss)
    if scene.on_reef:
        mix += from_db(-70) * sound.sea(rng, n, rate)
    for key, level_db in scene.levels.items():
        name, make = AMBIENCES[key]
        mix += from_db(level_db) * make(rng, n, rate)
        rows.append(truth_row(scene, 0.0, RECORDING_S, name, "ambience"))
    if scene.boat_m is not None:
        mix += (
            0.28
            * (25 / scene.boat_m) ** 0.7
            * sound.boat(rng, rate, RECORDING_S, nearest_m=scene.boat_m)
        )
        rows.append(truth_row(scene, 4.0, RECORDING_S - 4.0, "boat", "passage", scene.boat_m))
    for name, start, wave, voice in placed_calls(rng, scene, rate, seed):
        first = round(start * rate)
        mix[first : first + len(wave)] += wave[: n - first]
        end = min(start + audible_s(wave, rate), RECORDING_S)
        rows.append(truth_row(scene, start, end, name, "call", voice.distance_m))
    rows.sort(key=lambda row: (row["start_s"], row["class"]))
    samples = np.clip(np.round(mix * 32767), -32767, 32767).astype(np.int16)
    return samples, rate, rows


def placed_calls(
    rng: Generator, scene: Scene, rate: int, seed: int
) -> list[tuple[str, float, Wave, Voice]]:
    """Return the calls of a scene as (class, start second, waveform at its level, who called)."""
    counts = [max(1, int(rng.poisson(expected))) for expected in scene.calls.values()]
    names = rng.permutation(np.repeat(list(scene.calls), counts))
    # Animals take turns, roughly: one call in each equal part of the recording, anywhere within
    # it, so that some neighbours overlap.
    turn_s = (RECORDING_S - 1.5) / len(names)
    starts = turn_s * (np.arange(len(names)) + rng.uniform(0, 0.85, len(names)))
    travelled = travelled_in_water if scene.on_reef else travelled_in_air
    placed = []
    for name, start in zip(names.tolist(), starts.round(3).tolist(), strict=True):
        call, singers = CALLS[name], voices(scene.site, name, seed)
        voice = singers[int(rng.integers(len(singers)))]
        level = call.level * 10 / voice.distance_m * from_db(rng.normal(0, 1.5))
        wave = travelled(rng, call.make(rng, rate, voice), rate, voice)
        placed.append((name, start, level * wave, voice))
    return placed


def voices(site: str, name: str, seed: int) -> list[Voice]:
    """Return the four animals of one class that live at one site, the same in every recording."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{site} {name}".encode())])
    nearest, farthest = 5.0, CALLS[name].farthest_m
    return [
        Voice(
            pitch=float(np.exp(rng.normal(0, 0.07))),
            pace=float(np.exp(rng.normal(0, 0.09))),
            distance_m=float(round(nearest * (farthest / nearest) ** rng.random(), 1)),
        )
        for _ in range(4)
    ]


def travelled_in_air(rng: Generator, wave: Wave, rate: int, voice: Voice) -> Wave:
    """Return a call as it arrives through a forest: treble lost on the way, echoes from trunks."""
    treble_lost_hz = 9000 * (20 / voice.distance_m) ** 0.5
    tail_s, wet = 0.5, min(0.7, 0.1 + 0.009 * voice.distance_m)
    n = int(tail_s * rate)
    echoes = rng.standard_normal(n) * np.exp(-np.arange(n) / (0.08 * rate))
    echoes *= wet / np.sqrt(np.sum(echoes**2))
    echoes[0] += 1
    return heard_through(wave, echoes, rate, lambda hz: 1 / np.sqrt(1 + (hz / treble_lost_hz) ** 4))


def travelled_in_water(rng: Generator, wave: Wave, rate: int, voice: Voice) -> Wave:
    """Return a call as it arrives in shallow water: a few echoes off surface (inverted), sand and
    coral within some 20 ms, and no bass below the water's cut-off."""
    n = int(0.05 * rate)
    echoes = np.zeros(n)
    echoes[0] = 1
    for bounce in range(1, 6):
        at = int(rng.uniform(0.001, 0.006) * bounce * rate)
        echoes[at] += (-0.75) ** bounce * min(1.0, voice.distance_m / 20)
    return heard_through(
        wave, echoes, rate, lambda hz: 1 / np.sqrt(1 + (70 / np.maximum(hz, 1e-3)) ** 4)
    )


def heard_through(wave: Wave, echoes: Wave, rate: int, gain: sound.Gain) -> Wave:
    """Return `wave` with echoes (an impulse response) and a gain curve applied."""
    size = len(wave) + len(echoes)
    spectrum = np.fft.rfft(wave, size) * np.fft.rfft(echoes, size)
    spectrum *= gain(np.fft.rfftfreq(size, 1 / rate))
    return np.fft.irfft(spectrum, size).astype(np.float64)


def audible_s(wave: Wave, rate: int) -> float:
    """Return how long a call lasts until it stays 30 dB below its peak, in whole milliseconds."""
    loudness = np.abs(wave)
    last = int(np.flatnonzero(loudness > from_db(-30) * loudness.max())[-1])
    return math.ceil(1000 * (last + 1) / rate) / 1000


def truth_row(
    scene: Scene,
    start_s: float,
    end_s: float,
    name: str,
    kind: str,
    distance_m: float | None = None,
) -> dict[str, object]:
    """Return one row of truth.csv: a call, a boat's passage, or an ambience (whole recording)."""
    call = CALLS.get(name)
    return {
        "recording": scene.name,
        "start_s": round(start_s, 3),
        "end_s": round(end_s, 3),
        "class": name,
        "site": scene.site,
        "started_at": (scene.started_at + timedelta(seconds=start_s)).isoformat(
            timespec="milliseconds"
        ),
        "kind": kind,
        "low_hz": call.low_hz if call else "",
        "high_hz": call.high_hz if call else "",
        "distance_m": "" if distance_m is None else distance_m,
    }


def from_db(decibels: float) -> float:
    """Return the amplitude factor of a level in decibels."""
    return float(10 ** (decibels / 20))


def main(arguments: list[str] | None = None) -> None:
    """Write the demo recordings from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m explorer.audio.synthesis",
        description="Write the synthetic demo recordings and their truth.csv into a folder.",
    )
    parser.add_argument("folder", help="where to write, for instance data/demo")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = parser.parse_args(arguments)
    paths = synthesise(options.folder, options.seed)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(
        f"Wrote {len(paths)} synthetic recordings ({megabytes:.1f} MB) and truth.csv "
        f"to {options.folder}."
    )


if __name__ == "__main__":
    main()
