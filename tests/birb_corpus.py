"""Makes BIRB-like corpora: labelled clips put into soundscapes at known times.

Clips of one original recording (`Clip.group`) all go into the same soundscape, so that keeping
recordings apart keeps those apart too. Written are::

    soundscapes/S1_20260301_0000.flac …   long recordings
    focal/CLASS/GROUP_0.flac …            clips as they were, for examples from focal recordings
    annotations.csv                       recording, start_s, end_s, class
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from explorer.audio.decoding import read_clip

Sound = NDArray[np.float32]

SITES = ("S1", "S2", "S3")
REAL_RATE = 32_000
REAL_BEDS = ("songmeter_day", "birds_dawn_ch", "urban_audiomoth")
"""Soundscapes of ../shared/audio that none of the labelled North American birds is known to be in;
those that carry names of such birds, or a program's detections of them, are left out."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A labelled sound, and the original recording that it was cut from."""

    sound: Sound
    label: str
    group: str


def write_corpus(
    folder: Path,
    clips: Sequence[Clip],
    beds: Sequence[Sound],
    rate: int,
    *,
    recordings: int = 12,
    repeats: int = 2,
    gap_s: tuple[float, float] = (-1.0, 4.0),
    over_bed_db: tuple[float, float] = (-3.0, 12.0),
    focal: Sequence[Clip] = (),
    seed: int = 0,
) -> Path:
    """Mix clips into beds and write recordings and annotations; give the table's path.

    Parameters
    ----------
    beds
        Soundscapes; a recording is made of as many as it takes.
    repeats
        How often each clip is heard, as an animal repeats itself.
    gap_s
        From the end of a call to the start of the next, least and most; below 0 they overlap.
    over_bed_db
        How much louder a call is than its bed, least and most.
    """
    rng = np.random.default_rng(seed)
    annotations: list[tuple[str, float, float, str]] = []
    for number, part in enumerate(_deal(clips, recordings, rng)):
        calls = [clip for clip in part for _ in range(repeats)]
        calls = [calls[at] for at in rng.permutation(len(calls))]
        name = f"soundscapes/{SITES[number % len(SITES)]}_20260301_{number:02d}0000.flac"
        sound, times = _mixed(calls, beds, rate, gap_s, over_bed_db, rng)
        _write(folder / name, sound, rate)
        annotations += [
            (name, start, start + len(clip.sound) / rate, clip.label)
            for start, clip in zip(times, calls, strict=True)
        ]
    for number, clip in enumerate(focal):
        name = f"focal/{clip.label}/{clip.group}_{number}.flac"
        _write(folder / name, clip.sound, rate)
        annotations.append((name, 0.0, len(clip.sound) / rate, clip.label))
    table = folder / "annotations.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("recording", "start_s", "end_s", "class"))
        writer.writerows(annotations)
    return table


def _deal(clips: Sequence[Clip], recordings: int, rng: np.random.Generator) -> list[list[Clip]]:
    """Deal the groups of each class to the recordings in turn."""
    of_class: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        of_class[clip.label][clip.group].append(clip)
    parts: list[list[Clip]] = [[] for _ in range(recordings)]
    for groups in of_class.values():
        order = rng.permutation(recordings)
        for at, group in enumerate(groups.values()):
            parts[order[at % recordings]] += group
    return [part for part in parts if part]


def _mixed(
    calls: Sequence[Clip],
    beds: Sequence[Sound],
    rate: int,
    gap_s: tuple[float, float],
    over_bed_db: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Sound, list[float]]:
    """A recording with the calls in it, and where each begins, in seconds."""
    starts, at = [], 2 * rate
    for clip in calls:
        at = max(0, at + round(rng.uniform(*gap_s) * rate))
        starts.append(at)
        at += len(clip.sound)
    sound = _bed(beds, at + 2 * rate, rng)
    loud = max(float(np.sqrt(np.mean(sound**2))), 1e-3)
    for start, clip in zip(starts, calls, strict=True):
        own = max(float(np.sqrt(np.mean(clip.sound**2))), 1e-6)
        gain = loud / own * 10 ** (rng.uniform(*over_bed_db) / 20)
        sound[start : start + len(clip.sound)] += gain * clip.sound
    sound *= 0.9 / max(float(np.abs(sound).max()), 0.9)
    return sound, [start / rate for start in starts]


def _bed(beds: Sequence[Sound], length: int, rng: np.random.Generator) -> Sound:
    parts: list[Sound] = []
    while sum(map(len, parts)) < length:
        parts += [beds[at] for at in rng.permutation(len(beds))]
    return np.concatenate(parts)[:length].copy()


def _write(path: Path, sound: Sound, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)


def synthetic_clips(
    rate: int, classes: int = 4, groups: int = 6, each: int = 2, seconds: float = 1.0
) -> list[Clip]:
    """Whistles: every class at a pitch of its own, every group a little off it."""
    rng = np.random.default_rng(1)
    time = np.arange(round(rate * seconds)) / rate
    found = []
    for number in range(classes):
        for group in range(groups):
            for _ in range(each):
                pitch = 500 + 600 * number + rng.uniform(-100, 100)
                envelope = np.sin(np.pi * time / seconds)
                sound = envelope * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6))
                name = f"whistle {number}"
                found.append(Clip(sound.astype(np.float32), name, f"{name} of {group}"))
    return found


def synthetic_beds(rate: int, count: int = 5, seconds: float = 7.0) -> list[Sound]:
    """Noise, each bed of a colour of its own."""
    rng = np.random.default_rng(2)
    beds = []
    for number in range(count):
        noise = rng.normal(size=round(rate * seconds))
        smooth = np.ones(1 + number) / (1 + number)
        beds.append((0.05 * np.convolve(noise, smooth, "same")).astype(np.float32))
    return beds


def real_clips(shared: Path, name: str = "birds_na", classes: int | None = None) -> list[Clip]:
    """The clips of a labelled set of ../shared/audio, of its first classes or of all."""
    rows = [row for row in _manifest(shared) if row["set"] == f"labelled/{name}"]
    wanted = sorted({row["label"] for row in rows})[:classes]
    return [
        Clip(_sound(shared / "audio" / row["file"]), row["label"], row["group"])
        for row in rows
        if row["label"] in wanted
    ]


def real_beds(shared: Path) -> list[Sound]:
    """Soundscapes of ../shared/audio to put the clips into."""
    names = {f"soundscapes/{name}" for name in REAL_BEDS}
    return [
        _sound(shared / "audio" / row["file"]) for row in _manifest(shared) if row["set"] in names
    ]


def _manifest(shared: Path) -> list[dict[str, str]]:
    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _sound(path: Path) -> Sound:
    return np.asarray(read_clip(path, sample_rate=REAL_RATE)[0], np.float32)
