"""Two places with the same animals and another recorder at the second, made by arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from small_recordings import RATE, Listener

import explorer
from explorer.collection.collection import Collection

CLASSES = ("grunt", "whistle")
SECONDS = 20
RESPONSE_HZ = (0, 250, 500, 900, 1400, 2000, 2800, 4000)
RESPONSE_DB = (-40, -30, -12, 6, 0, -16, -26, -34)
"""A cheap recorder: little bass, a resonance, treble that is gone."""


def place(
    folder: Path, *, seed: int, another_recorder: bool = False, count: int = 10
) -> tuple[Collection, NDArray[np.str_]]:
    """An embedded collection, and what sounds in each of its windows ("" for nothing of note)."""
    rng = np.random.default_rng(seed)
    truth = {}
    for number in range(count):
        sounds = rng.choice(["", "", "hum", "rattle", *CLASSES], size=SECONDS)
        sound = np.concatenate([_second(name, rng) for name in sounds])
        if another_recorder:
            sound = _recorded(sound, rng)
        name = f"recording{number:02d}.wav"
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "audio" / name, sound.astype(np.float32), RATE, subtype="FLOAT")
        truth[name] = sounds
    collection = explorer.open(folder / f"{folder.name}.collection", audio=folder / "audio")
    collection.embed(Listener(), progress=False)
    return collection, np.concatenate([truth[name] for name in collection.recordings["recording"]])


def _second(name: str, rng: np.random.Generator) -> NDArray[np.float64]:
    time = np.arange(RATE) / RATE
    loud = 10 ** rng.uniform(-2.4, -1.2)
    pitch = {"grunt": 280, "whistle": 1900, "hum": 620, "rattle": 1100}.get(name, 0)
    pitch *= rng.uniform(0.85, 1.15)
    phase = 2 * np.pi * (pitch * time + rng.uniform(-150, 150) * time**2 / 2)
    pulses = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(4, 12) * time)
    overtones = np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase)
    sound = loud * pulses * overtones if name else 0.0
    return sound + rng.normal(0, 10 ** rng.uniform(-2.6, -1.8), RATE)


def _recorded(sound: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(sound)
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    heard = np.fft.irfft(spectrum * 10 ** (np.interp(at, RESPONSE_HZ, RESPONSE_DB) / 20))
    return heard + rng.normal(0, 1e-3, len(heard))
