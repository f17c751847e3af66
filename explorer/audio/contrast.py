"""From power to a picture: what becomes the ground, what becomes the darkest.

A field recording's noise falls with frequency and its level differs from site to site, so a fixed
scale of decibels shows either nothing or a grey field. `over_noise` therefore takes each clip's own
noise floor, smooth over frequency, for the ground of the picture. `over_level` is the fixed scale,
for comparing levels. `pcen_image` follows the noise in time as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.signal

Array = npt.NDArray[np.float32]

FLOOR_PERCENTILE = 50.0
"""A band's noise floor is its median over the clip: calls rarely fill half of it."""

FLOOR_SMOOTH = 0.25
"""The floor is smoothed over this share of the bands shown: a steady call stays above it."""

MIN_CONTRAST_DB = 24.0
"""The picture spans at least this much, so that a clip of mere noise looks like mere noise."""

GAMMA = 0.75
"""Below 1: faint calls are lifted more than loud ones; chosen by eye on dawn choruses."""

QUIETEST_DB = -160.0
"""Below what 24 bits hold: digital silence."""

PCEN_GAIN, PCEN_BIAS, PCEN_POWER, PCEN_EPS = 0.98, 2.0, 0.5, 1e-6
"""Per-channel energy normalisation: Wang et al. 2017, *Trainable frontend for robust and far-field
keyword spotting* (ICASSP), with a time constant of 0.4 s. Those of Lostanlen et al. 2019
(*Per-channel energy normalization: why and how*, IEEE Signal Processing Letters 26:39-43) for
outdoors, 0.8, 10, 0.25 and 0.06 s, tell a detector more; to the eye they leave hums in."""

PCEN_GROUND_PERCENTILE = 75.0
"""What a normalised background fluctuates by stays in the ground of the picture."""

PCEN_FULL_SCALE = 2.0**31
"""Magnitudes are brought to this height first, as there and in librosa: the bias is small beside
them."""


def decibels(power: Array) -> Array:
    """Power as decibels, digital silence as ``QUIETEST_DB``."""
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10))), dtype=np.float32)


def over_noise(power: Array, range_db: float, gain_db: float = 0.0) -> Array:
    """Decibels over the clip's noise floor, from 0 at the floor to 1 at its loudest sounds.

    Parameters
    ----------
    power
        [freq, time].
    range_db
        The most that the picture spans.
    gain_db
        The picture is as it would be with this much more contrast to the floor.
    """
    quietest = float(power.max()) * 1e-12  # digital silence around a call is no noise floor
    level = 10 * np.log10(power + max(quietest, 1e-20))
    floor = np.percentile(level, FLOOR_PERCENTILE, axis=1)
    floor = np.maximum(floor, level.max() - 80)
    size = max(3, int(len(floor) * FLOOR_SMOOTH)) | 1
    floor = scipy.ndimage.median_filter(floor, min(size, len(floor) | 1), mode="nearest")
    floor = scipy.ndimage.gaussian_filter1d(floor, size / 6, mode="nearest")
    over = level - floor[:, None]
    top = max(float(np.percentile(over, 99.7)), MIN_CONTRAST_DB)
    ground = max(2.0, top - range_db)
    return _between(over + gain_db, ground, top)


def over_level(power: Array, floor_db: float, range_db: float, gain_db: float = 0.0) -> Array:
    """Decibels re full scale, from 0 at ``floor_db`` to 1 at ``floor_db + range_db``."""
    return _between(decibels(power) + gain_db, floor_db, floor_db + range_db)


def pcen(
    magnitude: Array, frame_s: float, time_s: float = 0.4, *, start: Array | None = None
) -> Array:
    """Per-channel energy normalisation of magnitudes [freq, time], ``frame_s`` seconds apart.

    Parameters
    ----------
    time_s
        Over how long the background is followed: longer than a call.
    start
        Level of each band before the first frame [freq, 1]; None is its median over the clip, as
        a filter that starts at nothing opens with a glare.
    """
    frames = time_s / frame_s
    # The coefficient whose filter falls to half its power over this many frames (librosa's rule).
    smooth = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    if start is None:
        start = np.median(magnitude, axis=1, keepdims=True)
    level, _ = scipy.signal.lfilter(
        [smooth], [1, smooth - 1], magnitude, axis=1, zi=(1 - smooth) * start
    )
    gained = magnitude / (PCEN_EPS + level) ** PCEN_GAIN
    return np.asarray((gained + PCEN_BIAS) ** PCEN_POWER - PCEN_BIAS**PCEN_POWER)


def pcen_image(power: Array, frame_s: float, time_s: float, gain_db: float = 0.0) -> Array:
    """PCEN as a picture: 0 at the usual, 1 at the loudest."""
    magnitude = np.sqrt(power)
    magnitude *= PCEN_FULL_SCALE / float(magnitude.max())
    normal = pcen(magnitude, frame_s, time_s)
    low, high = np.percentile(normal, (PCEN_GROUND_PERCENTILE, 99.8))
    high = low + (high - low) * 10 ** (-gain_db / 20)
    return np.asarray(np.clip((normal - low) / max(high - low, 1e-12), 0, 1), dtype=np.float32)


def _between(level: Array, ground: float, top: float) -> Array:
    share = np.clip((level - ground) / (top - ground), 0, 1)
    return np.asarray(share**GAMMA, dtype=np.float32)
