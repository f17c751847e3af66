"""Small sound files for the tests, written in pieces (libsndfile's Vorbis encoder needs that)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile

SUBTYPES = {"ogg": "VORBIS", "opus": "OPUS", "mp3": "MPEG_LAYER_III"}


def write(path: Path, samples: np.ndarray, rate: int, subtype: str | None = None) -> Path:
    """Write samples [n] or [n, channels] in the format of the path's ending."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    ending = path.suffix[1:].lower()
    known = "OGG" if ending == "opus" else None
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(
        path, "w", rate, channels, subtype or SUBTYPES.get(ending), format=known
    ) as file:
        for start in range(0, len(samples), 4096):
            file.write(samples[start : start + 4096])
    return path


def noise(seconds: float, rate: int, seed: int = 0, level: float = 0.1) -> np.ndarray:
    """White noise, float32 [n]."""
    generator = np.random.default_rng(seed)
    return (level * generator.standard_normal(round(seconds * rate))).astype(np.float32)


def add_chunk(path: Path, name: bytes, content: bytes) -> None:
    """Append a chunk to a WAV file, as recorders do with their metadata."""
    data = path.read_bytes()
    content += b"\x00" * (len(content) % 2)
    data += name + struct.pack("<I", len(content)) + content
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
