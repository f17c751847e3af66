"""The frequency axis of a spectrogram: where a frequency stands, and which marks it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError

AxisKind = Literal["linear", "log", "mel", "split"]
AXIS_KINDS: tuple[str, ...] = get_args(AxisKind)

SPLIT_HZ = 2000.0
SPLIT_SHARE = 0.4
"""A linear axis shows a reef's grunts in its lowest tenth or birds not at all. A split one gives
the lower part of the height to what lies below ``SPLIT_HZ`` and the upper part to what lies
above."""

SPLIT_NEEDS = 1.25
"""An axis is split where it reaches beyond ``SPLIT_HZ`` by this factor, on both sides."""

LOG_OCTAVES = 10.0
"""A logarithmic axis that should begin at 0 Hz begins this many octaves below its end."""

MEL_HZ, MEL_PER_DECADE = 700.0, 2595.0
"""O'Shaughnessy 1987, *Speech communication*, as in HTK."""

SCALE_POINTS = 65

EDGE, CLOSEST = 0.03, 0.7
"""Marks keep this share of the height from the lower edge, and from each other this share of what
there is for each."""


@dataclass(frozen=True)
class Axis:
    """Frequencies from ``min_hz`` to ``max_hz`` over a height of 1.

    Examples
    --------
    >>> axis = Axis("log", 100, 10_000)
    >>> round(float(axis.share(1000)), 6), round(float(axis.hz(0.25)), 6)
    (0.5, 316.227766)
    """

    kind: AxisKind
    min_hz: float
    max_hz: float

    def __post_init__(self) -> None:
        if self.kind not in AXIS_KINDS:
            raise ParameterError(f"a frequency axis is {', '.join(AXIS_KINDS)}, not {self.kind!r}")
        if not 0 <= self.min_hz < self.max_hz < math.inf:
            raise ParameterError(
                f"a frequency axis goes up from 0 Hz or more, not {self.min_hz:g}–{self.max_hz:g}"
            )

    @classmethod
    def fitting(cls, kind: AxisKind, min_hz: float, max_hz: float) -> Axis:
        """The axis of a kind as far as that kind makes sense for these limits.

        A logarithmic axis cannot begin at 0 Hz, and one that ends below the split is linear.
        """
        if kind == "log":
            min_hz = max(min_hz, max_hz / 2**LOG_OCTAVES)
        if kind == "split" and not (
            min_hz * SPLIT_NEEDS < SPLIT_HZ and max_hz > SPLIT_HZ * SPLIT_NEEDS
        ):
            kind = "linear"
        return cls(kind, min_hz, max_hz)

    def share(self, hz: Any) -> Any:
        """How high a frequency stands, from 0 at ``min_hz`` to 1 at ``max_hz``."""
        if self.kind == "split":
            return np.interp(hz, *self._corners)[()]
        low, high = self._bend(self.min_hz), self._bend(self.max_hz)
        return ((self._bend(hz) - low) / (high - low))[()]

    def hz(self, share: Any) -> Any:
        """The frequency at a height."""
        if self.kind == "split":
            hertz, shares = self._corners
            return np.interp(share, shares, hertz)[()]
        low, high = self._bend(self.min_hz), self._bend(self.max_hz)
        return self._unbend(low + np.asarray(share) * (high - low))[()]

    def edges(self, n: int) -> npt.NDArray[np.float64]:
        """Frequencies at the edges of ``n`` rows of pixels [n + 1], lowest first."""
        return np.asarray(self.hz(np.linspace(0, 1, n + 1)))

    def scale(self) -> list[float]:
        """Frequencies at even heights: enough of them to read the axis without its formula."""
        return [round(float(hz), 3) for hz in self.edges(SCALE_POINTS - 1)]

    def ticks(self, most: int = 4) -> list[tuple[float, float]]:
        """Round frequencies to write beside the picture, as (Hz, share of the height from below).

        Examples
        --------
        >>> Axis("linear", 0, 12_000).ticks()
        [(4000.0, 0.333...), (8000.0, 0.666...), (12000.0, 1.0)]
        >>> [hz for hz, _ in Axis("log", 10, 1000).ticks()]
        [20.0, 100.0, 1000.0]
        """
        if self.kind == "linear" or self.max_hz < 3 * self.min_hz:
            values = _even(self.min_hz, self.max_hz, most)
        elif self.kind == "split":
            values = [
                *_even(self.min_hz, SPLIT_HZ, max(1, round(most * SPLIT_SHARE))),
                *_even(SPLIT_HZ, self.max_hz, max(1, round(most * (1 - SPLIT_SHARE)))),
            ]
        else:
            values = self._spread(most)
        return [(float(hz), float(self.share(hz))) for hz in values]

    @property
    def _corners(self) -> tuple[list[float], list[float]]:
        return [self.min_hz, SPLIT_HZ, self.max_hz], [0.0, SPLIT_SHARE, 1.0]

    def _bend(self, hz: Any) -> Any:
        hertz = np.asarray(hz, dtype=np.float64)
        if self.kind == "log":
            return np.log(np.maximum(hertz, 1e-9))
        if self.kind == "mel":
            return MEL_PER_DECADE * np.log10(1 + hertz / MEL_HZ)
        return hertz

    def _unbend(self, value: Any) -> Any:
        if self.kind == "log":
            return np.exp(value)
        if self.kind == "mel":
            return MEL_HZ * (10 ** (value / MEL_PER_DECADE) - 1)
        return value

    def _spread(self, most: int) -> list[float]:
        """Powers of ten, then fives and twos of them, of which no two stand too close together."""
        first, last = math.floor(math.log10(max(self.min_hz, 1))), math.log10(self.max_hz)
        shown: list[float] = []
        for digit in (1, 5, 2):
            for hertz in (digit * 10.0**power for power in range(math.ceil(last), first - 1, -1)):
                apart = [abs(self.share(hertz) - self.share(other)) for other in shown]
                inside = self.share(hertz) > EDGE and hertz <= self.max_hz
                if inside and min(apart, default=1.0) >= CLOSEST / most:
                    shown.append(hertz)
        return sorted(shown)


def _even(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers above ``low`` up to ``high``, evenly apart."""
    span = high - low
    step = 10 ** math.floor(math.log10(span / most))
    step = next(step * m for m in (1, 2, 2.5, 4, 5, 10, 20) if span / (step * m) <= most)
    first = math.floor(low / step) + 1
    return [step * k for k in range(first, int(high / step + 1e-9) + 1)]
