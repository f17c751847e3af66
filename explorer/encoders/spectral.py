"""The encoder that needs no weights: statistics of a log-mel and a PCEN spectrogram.

It is what works when nothing is installed, and the control: a deep encoder that does not beat it on
your sounds is not worth its time. Everything is plain torch, so it runs on any device, gives the
same vector whatever else is in the batch, and is finite for silence.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from explorer.encoders import spectral_info
from explorer.encoders.base import check_windows
from explorer.encoders.devices import choose_device, describe_device
from explorer.errors import ParameterError

_FLOOR = 1e-10  # power of the quietest thing told apart, -100 dB
_FRAME_S = 0.032
_HOP_S = 0.010
_MIN_HZ = 50.0
# PCEN (Wang et al. 2017, section 2) with the slow smoother that suits field recordings
# (Lostanlen et al. 2019): gain, bias, root, and the weight of the newest frame.
_GAIN, _BIAS, _ROOT, _NEWEST = 0.98, 2.0, 0.5, 0.025
_PCEN_FLOOR = 1e-6


class SpectralEncoder(nn.Module):
    """Statistics of each mel band over the window, as one vector.

    Parameters
    ----------
    sample_rate:
        Rate of the windows, in Hz; the bands reach from 50 Hz to half of it.
    window_s:
        Length of a window, in seconds.
    device:
        "auto", "cpu", "cuda" or "mps".

    Example
    -------
    >>> encoder = SpectralEncoder(device="cpu")
    >>> encoder.encode(torch.zeros(1, 96_000)).isfinite().all().item()
    True
    """

    name = spectral_info.NAME
    version = spectral_info.VERSION
    licence = spectral_info.LICENCE
    dimension = spectral_info.DIMENSION
    _window: Tensor
    _mel: Tensor
    _smoother: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = spectral_info.SAMPLE_RATE,
        window_s: float = spectral_info.WINDOW_S,
        device: str | torch.device = "auto",
    ) -> None:
        super().__init__()
        if sample_rate < 1000 or window_s < 2 * _FRAME_S:
            raise ParameterError(
                f"spectral: sample_rate={sample_rate} Hz and window_s={window_s} s are too small; "
                f"at least 1000 Hz and {2 * _FRAME_S} s are needed."
            )
        self.sample_rate = sample_rate
        self.window_s = window_s
        self._samples = round(window_s * sample_rate)
        self._frame = 2 ** round(math.log2(_FRAME_S * sample_rate))
        self._hop = round(_HOP_S * sample_rate)
        frames = self._samples // self._hop + 1
        window = torch.hann_window(self._frame)
        self.register_buffer("_window", window / window.sum() * 2)  # a full-scale tone has power 1
        self.register_buffer(
            "_mel", mel_filters(sample_rate, self._frame, spectral_info.BANDS, _MIN_HZ)
        )
        self.register_buffer("_smoother", smoothing_matrix(frames, _NEWEST))
        self._device = choose_device(device)
        self.device = describe_device(self._device)
        self.to(self._device)

    @torch.inference_mode()
    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as float32 `[batch, dimension]` on this device."""
        check_windows(windows, self._samples, self.name)
        power = self._mel_power(windows.to(self._device, torch.float32))
        level = torch.log10(power + _FLOOR)
        smooth = power @ self._smoother
        pcen = (power / (_PCEN_FLOOR + smooth) ** _GAIN + _BIAS) ** _ROOT - _BIAS**_ROOT
        return torch.cat([level.mean(-1), level.std(-1), pcen.mean(-1), pcen.std(-1)], dim=1)

    def _mel_power(self, windows: Tensor) -> Tensor:
        spectrum = torch.stft(
            windows,
            self._frame,
            self._hop,
            window=self._window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return self._mel @ (spectrum.real.square() + spectrum.imag.square())


def mel_filters(sample_rate: int, frame: int, bands: int, min_hz: float) -> Tensor:
    """Return triangular filters `[bands, frame // 2 + 1]`, evenly spaced in mel (O'Shaughnessy).

    A band that is narrower than one bin of the spectrum takes its share of the nearest two, so no
    band is ever empty.
    """
    top = sample_rate / 2
    edges_mel = torch.linspace(_hz_to_mel(min_hz), _hz_to_mel(top), bands + 2, dtype=torch.float64)
    edges = 700.0 * (10 ** (edges_mel / 2595.0) - 1.0)
    bin_hz = sample_rate / frame
    hz = torch.arange(frame // 2 + 1, dtype=torch.float64) * bin_hz
    centre = edges[1:-1, None]
    rise = (centre - edges[:-2, None]).clamp_min(bin_hz)
    fall = (edges[2:, None] - centre).clamp_min(bin_hz)
    below = 1 - (centre - hz) / rise
    above = 1 - (hz - centre) / fall
    return torch.minimum(below, above).clamp(0, 1).float()


def smoothing_matrix(frames: int, newest: float) -> Tensor:
    """Return the matrix `[frames, frames]` by which a spectrogram is smoothed along time.

    `x @ matrix` is the recursion m[t] = (1 - newest) m[t-1] + newest x[t], m[0] = x[0], all frames
    at once.
    """
    t = torch.arange(frames, dtype=torch.float64)
    age = t[None, :] - t[:, None]
    weights = torch.where(age >= 0, (1 - newest) ** age.clamp_min(0), 0.0)
    weights[1:] *= newest  # the first frame keeps full weight: it is where the recursion starts
    return weights.float()


def load(
    *,
    device: str = "auto",
    path: str | Path | None = None,
    window_s: float | None = None,
) -> SpectralEncoder:
    """Make the encoder; there are no weights, so `path` is refused."""
    if path is not None:
        raise ParameterError("spectral: has no weights; leave out the path.")
    return SpectralEncoder(
        window_s=spectral_info.WINDOW_S if window_s is None else window_s, device=device
    )


def _hz_to_mel(hz: float) -> float:
    return 2595.0 * math.log10(1.0 + hz / 700.0)
