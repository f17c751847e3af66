"""The mel bands that BEATs looks at: log filter-bank energies as the Kaldi toolkit makes them.

Kaldi (Povey et al. 2011) takes frames of 25 ms every 10 ms, only whole ones; removes each frame's
mean; lifts high frequencies; and weights the frame with a window of its own shape before the
Fourier transform. Its scale is that of 16-bit samples: full scale is 32,768, not 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16_000
FULL_SCALE = 2.0**15
"""Kaldi's samples are whole numbers of 16 bits."""

_FRAME, _HOP, _FFT = 400, 160, 512  # 25 ms, 10 ms, the next power of two
_LOW_HZ = 20.0
_PRE_EMPHASIS = 0.97
_POVEY = 0.85  # exponent of the Hann window
_ROUNDED_UP = [70, 282]  # samples of the window that lie half-way between two numbers
_FLOOR = torch.finfo(torch.float32).eps  # energies below it are lifted to it


class KaldiFbank(nn.Module):
    """Waveforms `[batch, samples]` at 16 kHz to log energies `[batch, frames, bands]`.

    Samples are on Kaldi's scale (see `FULL_SCALE`). Silence gives log(1.2e-7), about -15.9; so do
    the lowest bands that are narrower than the Fourier transform resolves.

    Parameters
    ----------
    bands:
        Number of mel bands between 20 Hz and 8 kHz.

    Example
    -------
    >>> KaldiFbank()(torch.zeros(2, 80_000)).shape
    torch.Size([2, 498, 128])
    """

    window: Tensor
    mel: Tensor

    def __init__(self, bands: int = 128) -> None:
        super().__init__()
        # Both follow from the constants above and are no weights.
        self.register_buffer("window", povey_window(), persistent=False)
        self.register_buffer("mel", mel_filters(bands), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Give the log energy of each band in each whole frame."""
        frames = waves.unfold(1, _FRAME, _HOP)
        frames = frames - frames.mean(2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], 2)  # the first has itself before it
        frames = (frames - _PRE_EMPHASIS * before) * self.window
        power = torch.fft.rfft(frames, n=_FFT).abs().square()
        return (power @ self.mel).clamp_min(_FLOOR).log()


def frame_count(samples: int) -> int:
    """Return how many whole frames of 25 ms, one every 10 ms, fit a number of samples.

    Example
    -------
    >>> frame_count(80_000), frame_count(399)
    (498, 0)
    """
    return max(0, 1 + (samples - _FRAME) // _HOP)


def povey_window() -> Tensor:
    """Return Kaldi's own window, the Hann window to the power of 0.85: float32 `[400]`.

    It is that of torchaudio on AVX2, which made the reference values, to the last bit on every
    machine: where a band holds next to nothing beside loud neighbours, one bit of the window moves
    what BEATs sees of it by 3e-5. torch's float32 power rounds differently by instruction set.
    """
    hann = torch.hann_window(_FRAME, periodic=False, device="cpu")
    exact = hann.double() ** torch.tensor(_POVEY, device="cpu").double()
    window = exact.float()
    window[_ROUNDED_UP] = window[_ROUNDED_UP].nextafter(torch.ones((), device="cpu"))
    return window


def mel_filters(bands: int) -> Tensor:
    """Return triangles over the bins of the Fourier transform: float32 `[257, bands]`.

    They are linear on the mel scale, 1127 ln(1 + f / 700), have a height of 1, and each begins at
    the middle of the one before. The last bin (8 kHz) is the end of the last triangle: zero.
    """
    nyquist = SAMPLE_RATE / 2
    low, high = (1127 * math.log(1 + hz / 700) for hz in (_LOW_HZ, nyquist))
    edges = low + torch.arange(bands + 2, device="cpu") * ((high - low) / (bands + 1))
    hz = torch.arange(_FFT // 2 + 1, device="cpu") * (SAMPLE_RATE / _FFT)
    mel = (1127 * (1 + hz / 700).log())[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0)
    filters[-1] = 0  # rounding may leave a trace
    return filters
