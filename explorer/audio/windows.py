"""Which windows a recording has: a rule, so that no window needs a row in a database.

Window *i* starts at ``i * hop_s``. It is kept when at least a quarter of it is sound, and the first
window of a recording is always kept: a recording shorter than a window has exactly one, and a
stray fiftieth of a second at the end of a long one does not make another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError

MIN_SOUND = 0.25
"""The share of a window that must be sound for the window to be kept."""

MIN_RECORDING_S = 0.01
"""Below this length a recording is called too short when a folder is scanned."""

_ROUNDING = 1e-9  # lengths arrive as float seconds; one part in 10^9 is never a quarter of a window


@dataclass(frozen=True)
class WindowGrid:
    """The windows of every recording, as start and end seconds.

    Parameters
    ----------
    window_s
        Length of a window in seconds of the recording (an encoder's window times the speed).
    hop_s
        Distance between the starts of neighbouring windows; ``window_s`` means no overlap.

    Raises
    ------
    ParameterError
        When either is not a positive, finite number.

    Examples
    --------
    >>> grid = WindowGrid(window_s=3.0, hop_s=3.0)
    >>> grid.count(10.0), grid.start_s(3), grid.end_s(3, 10.0)
    (4, 9.0, 10.0)
    """

    window_s: float
    hop_s: float

    def __post_init__(self) -> None:
        for name in ("window_s", "hop_s"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ParameterError(f"{name} must be a positive number of seconds, not {value!r}")

    @overload
    def count(self, duration_s: float) -> int: ...
    @overload
    def count(self, duration_s: npt.NDArray[Any]) -> npt.NDArray[np.int64]: ...
    def count(self, duration_s: float | npt.NDArray[Any]) -> int | npt.NDArray[np.int64]:
        """How many windows a recording of this length has (an array of lengths gives an array)."""
        room = np.asarray(duration_s, dtype=np.float64) - MIN_SOUND * self.window_s
        counts = np.floor(room / self.hop_s + _ROUNDING).astype(np.int64) + 1
        counts = np.maximum(counts, 1)
        return counts if np.ndim(duration_s) else int(counts)

    @overload
    def start_s(self, window: int) -> float: ...
    @overload
    def start_s(self, window: npt.NDArray[Any]) -> npt.NDArray[np.float64]: ...
    def start_s(self, window: int | npt.NDArray[Any]) -> float | npt.NDArray[np.float64]:
        """Where a window starts in its recording, in seconds."""
        starts = np.asarray(window, dtype=np.float64) * self.hop_s
        return starts if np.ndim(window) else float(starts)

    @overload
    def end_s(self, window: int, duration_s: float) -> float: ...
    @overload
    def end_s(
        self, window: npt.NDArray[Any], duration_s: float | npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]: ...
    def end_s(
        self, window: int | npt.NDArray[Any], duration_s: float | npt.NDArray[Any]
    ) -> float | npt.NDArray[np.float64]:
        """Where a window ends, never past its recording: a padded window plays as what it is."""
        ends = np.minimum(np.asarray(window) * self.hop_s + self.window_s, duration_s)
        return ends if np.ndim(ends) else float(ends)
