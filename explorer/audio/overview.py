"""A whole recording in one picture: hours of sound, seen from above.

A short recording is drawn as it is. Of a long one each column of the picture is a moment, taken
from the middle of its stretch of time: reading all of a day only to look at it would take a minute.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .channels import mixing
from .containers import Sound, open_sound
from .spectrogram import PRESETS, Spectrogram, SpectrogramSettings, spectrogram

WHOLE_S = 120.0
"""Up to this length all of a recording is read."""

MOMENT_S = 0.1
"""Length of a moment: long enough for a call's syllable and for the pitch of a grunt."""

COLUMN_PX = 2
"""Each moment is so wide: the half of a picture's columns is enough to see a day."""


@dataclass(frozen=True)
class Overview:
    """A picture of a recording, and how much of it was heard for that.

    ``every_s`` is the distance between the moments that are shown; None where all is shown.
    """

    picture: Spectrogram
    seconds: float
    every_s: float | None


def overview(
    path: str | os.PathLike[str],
    settings: SpectrogramSettings = PRESETS["full"],
    *,
    width_px: int,
    height_px: int,
) -> Overview:
    """Draw a recording from its beginning to its end.

    Raises
    ------
    AudioError
        When it cannot be read.
    """
    with open_sound(path) as sound:
        seconds = sound.frames / sound.sample_rate
        moments = max(1, width_px // COLUMN_PX)
        if seconds <= WHOLE_S:
            samples, every_s = _mixed(sound, 0, sound.frames), None
        else:
            samples, every_s = _moments(sound, moments), seconds / moments
        drawn = spectrogram(
            samples, sound.sample_rate, settings, width_px=width_px, height_px=height_px
        )
    return Overview(replace(drawn, seconds=seconds), seconds, every_s)


def _moments(sound: Sound, count: int) -> npt.NDArray[np.float32]:
    """Moments of a recording, evenly spread, one after the other."""
    n = round(MOMENT_S * sound.sample_rate)
    places = (np.arange(count) + 0.5) * (sound.frames / count) - n / 2
    # Faded at its ends, or the seams between moments would be seen as clicks.
    fade = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.1 * n))
    pieces = []
    for place in np.clip(np.rint(places).astype(int), 0, max(0, sound.frames - n)):
        piece = _mixed(sound, int(place), n)
        pieces.append(np.pad(piece, (0, n - len(piece))) * fade.astype(np.float32))
    return np.concatenate(pieces)


def _mixed(sound: Sound, start: int, frames: int) -> npt.NDArray[np.float32]:
    mixed = mixing(sound).apply(sound.read(start, frames))
    return np.nan_to_num(mixed, posinf=0.0, neginf=0.0)
