"""What some encoders do to each window before they look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what an encoder does can be listed without torch
    from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """How a window is scaled on its way into an encoder.

    `remove_mean` takes the mean out of each window; `peak` then scales it so that its largest
    absolute sample is this (None: left as it is). A silent window stays silent.

    Example
    -------
    >>> import torch
    >>> Normalisation(remove_mean=True, peak=0.25)(torch.tensor([[1.0, 3.0]])).tolist()
    [[-0.25, 0.25]]
    """

    remove_mean: bool = False
    peak: float | None = None

    def __call__(self, windows: Tensor) -> Tensor:
        """Scale windows `[batch, samples]`, each by itself."""
        if self.remove_mean:
            windows = windows - windows.mean(1, keepdim=True)
        if self.peak is not None:
            largest = windows.abs().amax(1, keepdim=True)
            windows = windows * (self.peak / largest.where(largest > 0, 1.0))
        return windows


NONE = Normalisation()
PERCH = Normalisation(remove_mean=True, peak=0.25)
"""What perch-hoplite does before SurfPerch, Perch 1.x and Perch 2 (parity: zoo wrapper)."""
