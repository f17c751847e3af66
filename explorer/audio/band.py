"""Band limits: the sound outside a band is taken away before an encoder hears it.

A boat's rumble below 40 Hz or rain above 2 kHz can then no longer make two windows alike or unlike.
The limits are frequencies of the recording, whatever the speed it is played at into the encoder.

What lies in the band passes as it is (to 0.01 dB), at its place in time. Outside, the sound fades
over a *transition*: it is gone (to a thousandth, 60 dB) an octave below the lower limit and a tenth
above the upper one at the latest. A narrower transition would ring for longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError

LOWEST_HZ = 1.0
"""Limits begin here: a filter for less would need to hear many seconds around every sample."""

_LOW_TRANSITION = 0.5  # of the lower limit
_HIGH_TRANSITION = 0.1  # of the upper limit
_STOP_DB = 62.0  # asked of the filter, so that 60 dB hold beside rounding
# Half the length in seconds of such a filter times its transition in Hz: Kaiser's estimate
# (Oppenheim & Schafer, Discrete-Time Signal Processing, chapter 7).
_HALF_LENGTH = (_STOP_DB - 8.0) / (2.285 * 2 * math.pi) / 2


@dataclass(frozen=True)
class Band:
    """The frequencies of a recording that an encoder hears.

    Parameters
    ----------
    low_hz, high_hz
        Limits in Hz of the recording; None for no limit, so that ``Band()`` is all there is.

    Raises
    ------
    ParameterError
        When a limit is no frequency, or the lower one is not below the upper one.

    Examples
    --------
    >>> Band(40, 2000).label, Band(low_hz=40).label, Band().label
    ('40-2000Hz', 'from40Hz', '')
    """

    low_hz: float | None = None
    high_hz: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("low_hz", self.low_hz), ("high_hz", self.high_hz)):
            if value is not None and not LOWEST_HZ <= value < math.inf:
                raise ParameterError(
                    f"{name} is a frequency from {LOWEST_HZ:g} Hz, not {value!r}; "
                    "leave it out for no limit"
                )
        if self.low_hz is not None and self.high_hz is not None and self.low_hz >= self.high_hz:
            raise ParameterError(
                f"low_hz ({self.low_hz:g}) must be below high_hz ({self.high_hz:g})"
            )

    @property
    def label(self) -> str:
        """The band in the name of a run: ``40-2000Hz``; empty where there is no limit."""
        match self.low_hz, self.high_hz:
            case None, None:
                return ""
            case None, high:
                return f"to{high:.10g}Hz"
            case low, None:
                return f"from{low:.10g}Hz"
            case low, high:
                return f"{low:.10g}-{high:.10g}Hz"

    @property
    def transition_hz(self) -> float:
        """How far outside the band sound is gone, in Hz; infinite where there is no limit."""
        low = math.inf if self.low_hz is None else _LOW_TRANSITION * self.low_hz
        high = math.inf if self.high_hz is None else _HIGH_TRANSITION * self.high_hz
        return max(min(low, high), _LOW_TRANSITION * LOWEST_HZ)

    @property
    def reach_s(self) -> float:
        """Seconds of sound on both sides that decide what a sample becomes; 0 without limits."""
        return _HALF_LENGTH / self.transition_hz

    def filter(self, sample_rate: int) -> npt.NDArray[np.float32] | None:
        """The filter for recordings of this rate, [2 n + 1], or None where nothing is taken away.

        Symmetric, so no frequency is shifted in time. ``low_hz`` must lie below half the rate.
        """
        low, high = self.low_hz, self.high_hz
        edges = [] if low is None else [low - self.transition_hz / 2]
        if high is not None and high + self.transition_hz / 2 < sample_rate / 2:
            edges.append(high + self.transition_hz / 2)
        if not edges:
            return None
        from scipy import signal  # noqa: PLC0415

        taps = signal.firwin(
            2 * math.ceil(self.reach_s * sample_rate) + 1,
            edges,
            window=("kaiser", signal.kaiser_beta(_STOP_DB)),
            pass_zero=low is None,
            scale=False,
            fs=sample_rate,
        )
        return np.asarray(taps, dtype=np.float32)


NO_LIMITS = Band()
"""All that a recording holds."""


def filtered(
    samples: npt.NDArray[np.float32], taps: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Samples [n] through a symmetric filter, [n], at their places.

    Beyond its ends the sound is taken to go on mirrored: silence there would make a recorder's
    constant offset a bang.
    """
    from scipy import signal  # noqa: PLC0415

    if not len(samples):
        return samples
    mirrored = np.pad(samples, len(taps) // 2, mode="reflect")
    return np.asarray(signal.oaconvolve(mirrored, taps, mode="valid"), dtype=np.float32)
