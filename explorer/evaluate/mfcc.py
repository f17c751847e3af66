"""The floor: mean and spread of twenty mel-frequency cepstral coefficients.

What any deep encoder must beat to be worth its weights. Offered to evaluations only; nobody should
search with it. Like the floor of published comparisons it is standardised over each data set
(every number less its mean, over its standard deviation), so a plain cosine to a centroid of it is
the classic nearest-centroid test on MFCCs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.encoders.base import check_windows, window_samples

if TYPE_CHECKING:
    from torch import Tensor

COEFFICIENTS, MELS = 20, 64
LONGEST_FRAME, SHORTEST = 2048, 512
"""Samples: librosa's frame, and less for sounds that are shorter than one."""


class MfccEncoder:
    """MFCC statistics as an encoder: mean and standard deviation over time of each coefficient.

    Zeros at both ends of a window are padding and left out, so that short sounds are not judged by
    the silence around them.

    >>> import torch
    >>> MfccEncoder().encode(torch.zeros(1, 110_250)).shape
    torch.Size([1, 40])
    """

    name = "mfcc"
    version = "1"
    sample_rate = 22_050
    window_s = 5.0
    dimension = 2 * COEFFICIENTS
    licence = "Apache-2.0 (part of this package; no weights)"
    device = "cpu"

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows ``[batch, samples]`` as float32 ``[batch, 40]``."""
        import torch  # noqa: PLC0415

        check_windows(windows, window_samples(self), self.name)
        rows = [_statistics(window, self.sample_rate) for window in windows.cpu().float().numpy()]
        return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, self.dimension), "f4"))


def _statistics(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    import librosa  # noqa: PLC0415 - a second to load

    heard = np.flatnonzero(sound)
    if len(heard):
        sound = sound[heard[0] : heard[-1] + 1]
    sound = np.pad(sound, (0, max(0, SHORTEST - len(sound))))
    frame = min(LONGEST_FRAME, len(sound))
    spectrum = librosa.feature.mfcc(
        y=sound, sr=rate, n_mfcc=COEFFICIENTS, n_fft=frame, hop_length=frame // 4, n_mels=MELS
    )
    return np.concatenate([spectrum.mean(axis=1), spectrum.std(axis=1)]).astype(np.float32)
