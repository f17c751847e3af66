"""Small real recordings, and a small real encoder, for the tests of several floors."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from explorer.collection import embedding
from explorer.collection.catalogue import Catalogue, Run
from explorer.collection.vectors import ShardStore

RATE = 8000


class Listener:
    """A tiny real encoder: log energies in 16 bands of one second of sound; quick to load."""

    name = "listener"
    version = "1"
    sample_rate = RATE
    window_s = 1.0
    dimension = 16
    licence = "Apache-2.0"
    device = "cpu"

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        power = torch.fft.rfft(windows).abs().square()[:, 1:4001]
        return torch.log1p(power.reshape(len(windows), 16, 250).sum(dim=-1))


def write_recordings(folder: Path, count: int = 8, seconds: float = 4.0) -> Path:
    """Write tones in noise: two sites, a recording every hour; each has its own pitch."""
    generator = np.random.default_rng(7)
    for number in range(count):
        site = ("east", "west")[number % 2]
        path = folder / site / f"{site.upper()}_20260301_{number:02d}0000.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(int(RATE * (seconds + 0.4 * number))) / RATE
        pitch = 300 * (1 + number % 4)
        sound = 0.3 * np.sin(2 * np.pi * pitch * time) * (np.sin(2 * np.pi * time / 2) > 0)
        soundfile.write(path, sound + generator.normal(0, 0.01, time.size), RATE)
    return folder


RUN = Run("listener-1_1.0s", "listener", "1", RATE, 1.0, 1.0, 1.0, "mix", 16)
"""What a collection calls the run of `Listener`."""


class SlowListener(Listener):
    """Takes its time, so that a test can kill it in the middle."""

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        time.sleep(0.01)
        return super().encode(windows)


def embed_slowly(collection: Path) -> None:
    """What the killed process runs: many small flushes, so that a kill meets every step."""
    embedding.embed(
        Catalogue(f"sqlite:///{collection / 'catalogue.sqlite'}"),
        ShardStore(collection / "embeddings" / RUN.name),
        RUN,
        SlowListener(),
        batch_size=4,
        flush_seconds=0.03,
    )
