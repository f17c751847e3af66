"""The pictures of sound that SurfPerch, Perch 1.x and Perch 2 look at.

All of them start from a mel spectrogram of 128 bands and 100 frames a second, made of sound at
32 kHz. SurfPerch and Perch 1.x then apply per-channel energy normalisation (PCEN, Wang et al. 2017,
arXiv:1607.05666): each band is divided by its own recent past, so that a call stands out and the
steady noise of a place fades. Perch 2 takes a logarithm.

Time comes before frequency everywhere: `[batch, time, mel]`. Everything here is float32; in half
precision what is quiet would drown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.linalg import toeplitz
from torch import Tensor, nn
from torch.nn import functional

from explorer.errors import ParameterError

Framing = Literal["simple", "scipy"]
PcenName = Literal["new", "bio", "basic"]
Smoothing = Literal["legacy", "fixed"]

SAMPLE_RATE = 32_000
MELS = 128
FRAMES = 500
"""Frames of 5 s, the window of all these encoders."""

_FRAME, _HOP, _FFT = 640, 320, 1024  # 20 ms, 10 ms, the frame with zeros after it
_PCEN_EPSILON = 1e-6
_MEMORY = 256  # frames that PCEN's smoothing looks back


@dataclass(frozen=True)
class PcenConstants:
    """Settings of PCEN, with those of the mel spectrogram that they were used with.

    `smoothing` is the weight of the newest frame; `root` is the degree of the final root.
    """

    smoothing: float
    gain: float
    bias: float
    root: float
    low_hz: float = 50.0
    high_hz: float = 16_000.0
    power: float = 1.0


PCEN: dict[PcenName, PcenConstants] = {
    "new": PcenConstants(smoothing=0.01, gain=0.8, bias=0.01, root=4),
    "bio": PcenConstants(smoothing=0.145, gain=0.8, bias=10, root=4),
    "basic": PcenConstants(
        smoothing=0.1, gain=0.5, bias=2, root=2, low_hz=60.0, high_hz=10_000.0, power=2.0
    ),
}
"""The three sets of constants found in Perch's public configurations."""


class MelSpectrogram(nn.Module):
    """Waveforms `[batch, samples]` at 32 kHz to `[batch, time, 128]`, 100 frames a second.

    Parameters
    ----------
    framing:
        "simple" (SurfPerch, Perch 1.x since 2023): frame t is centred at 320 t + 160 samples, under
        a symmetric Hann window. "scipy" (older, and Perch 2): at 320 t, periodic Hann, as
        `scipy.signal.stft` frames.
    low_hz, high_hz:
        Range of the bands.
    power:
        1 for magnitudes, 2 for their squares.

    Example
    -------
    >>> MelSpectrogram()(torch.zeros(2, 160_000)).shape
    torch.Size([2, 500, 128])
    """

    window: Tensor
    mel: Tensor

    def __init__(
        self,
        *,
        framing: Framing = "simple",
        low_hz: float = 50.0,
        high_hz: float = 16_000.0,
        power: float = 1.0,
    ) -> None:
        super().__init__()
        if framing not in {"simple", "scipy"}:
            raise ParameterError(f"framing {framing!r} is unknown. Use simple or scipy.")
        if power not in {1.0, 2.0}:
            raise ParameterError(f"power {power} is not possible. Use 1 or 2.")
        self.framing = framing
        self.power = power
        hann = np.hanning(_FRAME) if framing == "simple" else np.hanning(_FRAME + 1)[:-1]
        self.register_buffer("window", _buffer(hann / hann.sum()), persistent=False)
        self.register_buffer("mel", _buffer(mel_matrix(low_hz, high_hz)), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Give the bands of waveforms."""
        frames = functional.pad(waves, self._padding(waves.shape[1])).unfold(1, _FRAME, _HOP)
        if self.framing == "scipy" and waves.shape[1] % _HOP == 0:
            frames = frames[:, :-1]
        spectrum = torch.fft.rfft(frames * self.window, n=_FFT)
        energy = spectrum.real.square() + spectrum.imag.square()
        return (energy.sqrt() if self.power == 1.0 else energy) @ self.mel

    def _padding(self, samples: int) -> tuple[int, int]:
        """Return the zeros before and after; "simple" pads until every hop has a whole frame."""
        if self.framing == "scipy":
            return _FRAME // 2, _FRAME // 2
        missing = max(0, (-(-samples // _HOP) - 1) * _HOP + _FRAME - samples)
        return missing // 2, missing - missing // 2


class Pcen(nn.Module):
    """Per-channel energy normalisation of `[batch, time, mel]`.

    Parameters
    ----------
    constants:
        A key of `PCEN`.
    smoothing:
        How the past is weighed. "fixed" is an exponential moving average that starts at the first
        frame. "legacy" has the same weights reversed in time and not normalised, so that the oldest
        of 256 frames counts most: a mistake in Perch's code until April 2024, and what networks
        trained before saw.
    frames:
        Longest input.

    Example
    -------
    >>> steady = torch.ones(1, 500, 128)
    >>> bool(Pcen("bio", smoothing="fixed")(steady).std() < 1e-6)
    True
    """

    past: Tensor

    def __init__(self, constants: PcenName, *, smoothing: Smoothing, frames: int = FRAMES) -> None:
        super().__init__()
        self.constants = _constants(constants)
        taps = smoothing_taps(self.constants.smoothing, smoothing)
        self.register_buffer("past", _buffer(smoothing_matrix(taps, frames)), persistent=False)

    def forward(self, energy: Tensor) -> Tensor:
        """Normalise each band by its past."""
        frames = energy.shape[1]
        if frames > len(self.past):
            raise ParameterError(
                f"PCEN was made for at most {len(self.past)} frames, not {frames}. "
                "Make it with frames= as many as are needed."
            )
        use = self.constants
        smoothed = self.past[:frames, :frames] @ energy
        gained = energy / (smoothed + _PCEN_EPSILON) ** use.gain
        return (gained + use.bias) ** (1 / use.root) - use.bias ** (1 / use.root)


class LogScale(nn.Module):
    """Perch 2's scaling: 0.1 ln(max(energy, 0.01)) of `[batch, time, mel]`."""

    def forward(self, energy: Tensor) -> Tensor:
        """Scale each number by itself."""
        return 0.1 * energy.clamp(min=0.01).log()


def perch_front_end(
    pcen: PcenName, smoothing: Smoothing, framing: Framing = "simple"
) -> nn.Sequential:
    """Make the front end of SurfPerch and Perch 1.x: waveforms to `[batch, time, 128]`."""
    use = _constants(pcen)
    mel = MelSpectrogram(framing=framing, low_hz=use.low_hz, high_hz=use.high_hz, power=use.power)
    return nn.Sequential(mel, Pcen(pcen, smoothing=smoothing))


def perch2_front_end() -> nn.Sequential:
    """Make the front end of Perch 2: waveforms to `[batch, time, 128]`."""
    return nn.Sequential(MelSpectrogram(framing="scipy", low_hz=60.0), LogScale())


def mel_matrix(low_hz: float, high_hz: float) -> np.ndarray:
    """Return the triangles of 128 mel bands over the bins of an FFT of 1,024: `[513, 128]`.

    The triangles are linear in mel (not in Hz, as librosa's are), reach 1 at their peaks and are
    not normalised by area; the lowest bin, the mean, is left out.
    """
    if not 0 <= low_hz < high_hz <= SAMPLE_RATE / 2:
        raise ParameterError(
            f"mel bands from {low_hz} to {high_hz} Hz are not possible. "
            f"Choose a range within 0 to {SAMPLE_RATE // 2} Hz."
        )
    bins = _mel(np.linspace(0, SAMPLE_RATE / 2, _FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(low_hz), _mel(high_hz), MELS + 2)
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    matrix = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)).clip(min=0)
    matrix[0] = 0
    return matrix


def smoothing_taps(newest: float, smoothing: Smoothing) -> np.ndarray:
    """Return the weights of the last 256 frames, oldest first: `[256]`.

    Example
    -------
    >>> float(smoothing_taps(0.01, "fixed").sum().round(6))
    1.0
    >>> float(smoothing_taps(0.01, "legacy").sum().round(2))
    92.3
    """
    decay = (1 - newest) ** np.arange(_MEMORY)
    if smoothing == "legacy":
        return np.append(decay[:-1], newest)
    if smoothing == "fixed":
        return np.append(decay[-1], newest * decay[-2::-1])
    raise ParameterError(f"smoothing {smoothing!r} is unknown. Use legacy or fixed.")


def smoothing_matrix(taps: np.ndarray, frames: int) -> np.ndarray:
    """Return what the taps do to a whole picture, as one matrix over time: `[frames, frames]`.

    Before the first frame there is taken to be more of it. One product with this matrix is quicker
    than a convolution in every band, and its upper left corner does the same to a shorter picture.
    """
    column = np.zeros(frames)
    column[: len(taps)] = taps[::-1][:frames]
    matrix = toeplitz(column, np.zeros(frames))
    matrix[:, 0] += taps.sum() - matrix.sum(1)  # the weight of what came before the first frame
    return matrix


def _constants(name: PcenName) -> PcenConstants:
    if name not in PCEN:
        raise ParameterError(f"pcen {name!r} is unknown. Use {', '.join(PCEN)}.")
    return PCEN[name]


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def _buffer(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()
