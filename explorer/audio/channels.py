"""One channel out of several: which to take when the mix is asked for.

The mix is the mean of all channels. It is silent where channels cancel each other out (a plug wired
the wrong way round), so the whole file is then read from its strongest channel. That is decided
once per file, from short pieces at fixed places, so that every window of a file, and what is played
of it, follows the same rule.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .containers import Samples, Sound, open_sound

PROBES, PROBE_S = 12, 0.5
"""Pieces looked at, spread evenly over the file, and their length in seconds."""

CANCELLING = 0.2
"""The mix counts as cancelled below this share of the power that unrelated channels would leave."""

DEAD_DB = 50.0
"""A channel this much weaker than the strongest is called silent."""


@dataclass(frozen=True)
class Mixing:
    """How the mix of a file is made: from all channels, or from the ``strongest`` alone."""

    strongest: int | None = None
    notes: tuple[str, ...] = ()

    def apply(self, samples: Samples) -> Samples:
        """Samples [frames, channels] to [frames]."""
        if samples.shape[1] == 1:
            return samples[:, 0]
        if self.strongest is not None:
            return samples[:, self.strongest]
        # Summed in a fixed order: the same bits however many frames come at a time.
        total = samples[:, 0].copy()
        for channel in range(1, samples.shape[1]):
            total += samples[:, channel]
        total /= np.float32(samples.shape[1])
        return total


def mixing(sound: Sound) -> Mixing:
    """Decide how an open recording's channels are mixed."""
    if sound.channels == 1:
        return Mixing()
    status = sound.path.stat()
    return _mixing(sound.path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _mixing(path: Path, size: int, modified_ns: int) -> Mixing:
    del size, modified_ns  # they make a changed file another entry of the cache
    with open_sound(path) as sound:
        n = min(sound.frames, round(PROBE_S * sound.sample_rate))
        places = np.linspace(0, sound.frames - n, PROBES if sound.frames > n else 1)
        pieces = [sound.read(int(place), n).astype(np.float64) for place in places]
    centred = [piece - piece.mean(axis=0) for piece in pieces if len(piece)]
    if not centred:
        return Mixing()
    power = sum(np.mean(piece**2, axis=0) for piece in centred)
    mixed = float(sum(np.mean(piece.mean(axis=1) ** 2) for piece in centred))
    if not np.all(np.isfinite(power)) or power.max() == 0.0:
        return Mixing()
    strongest = int(np.argmax(power))
    if mixed < CANCELLING * float(power.mean()) / len(power):
        note = f"its channels cancel each other out: channel {strongest} is used, not the mix"
        return Mixing(strongest, (note,))
    dead = [str(c) for c in np.flatnonzero(power < power.max() * 10 ** (-DEAD_DB / 10))]
    if dead:
        noun = "channels" if len(dead) > 1 else "channel"
        return Mixing(None, (f"{noun} {', '.join(dead)} silent (counted from 0)",))
    return Mixing()
