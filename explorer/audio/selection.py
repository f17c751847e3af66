"""What can be measured of a sound within a range of time and frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from .contrast import QUIETEST_DB

MIDDLE = (0.05, 0.95)
"""The band of a call is told by where 90 % of its energy lies (as in Raven: frequency 5 % and
95 %)."""

WINDOW_S = 0.025


@dataclass(frozen=True)
class Measured:
    """A range of a recording in numbers.

    ``low_hz`` and ``high_hz`` hold 90 % of the energy within the range, ``peak_hz`` is the loudest
    frequency, ``level_db`` the level within the range in decibels re a sine of full scale.
    """

    seconds: float
    low_hz: float
    high_hz: float
    peak_hz: float
    level_db: float


def measure(
    samples: npt.NDArray[Any], rate: int, low_hz: float = 0.0, high_hz: float = math.inf
) -> Measured:
    """Measure a clip between two frequencies.

    Parameters
    ----------
    samples
        [n], at ``rate``.

    Raises
    ------
    ParameterError
        When the range holds nothing that could be measured.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(24_000) / 48_000)
    >>> found = measure(tone, 48_000, 1000, 8000)
    >>> found.seconds, round(found.peak_hz, -1), round(found.level_db)
    (0.5, 3000.0, -6)
    """
    from scipy import signal  # noqa: PLC0415

    samples = np.asarray(samples, dtype=np.float64)
    high_hz = min(high_hz, rate / 2)
    if samples.ndim != 1 or len(samples) < 16 or not 0 <= low_hz < high_hz:
        raise ParameterError("this range is too small to be measured: draw a larger one")
    window = min(len(samples), max(64, round(WINDOW_S * rate)))
    hertz, density = signal.welch(
        samples, rate, "hann", window, nfft=4 * window, detrend="constant", scaling="density"
    )
    inside = (hertz >= low_hz) & (hertz <= high_hz)
    if inside.sum() < 2:
        raise ParameterError("this range is too small to be measured: draw a larger one")
    hertz, density = hertz[inside], density[inside]
    whole = np.cumsum(density)
    power = float(whole[-1] * (hertz[1] - hertz[0]))
    if power <= 0:
        return Measured(len(samples) / rate, low_hz, high_hz, low_hz, QUIETEST_DB)
    low, high = np.interp(MIDDLE, whole / whole[-1], hertz)
    return Measured(
        seconds=len(samples) / rate,
        low_hz=float(low),
        high_hz=float(high),
        peak_hz=float(hertz[int(density.argmax())]),
        level_db=max(QUIETEST_DB, 10 * math.log10(2 * power)),
    )
