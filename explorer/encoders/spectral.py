"""The encoder that needs no weights: statistics of mel spectrograms, in four blocks.

It is what works when nothing is installed, and the control: a deep encoder that does not beat it on
your sounds is not worth its time. Everything is plain torch, so it runs on any device, gives the
same vector whatever else is in the batch, and is finite for silence.

The blocks, chosen by few-shot AUC over five labelled sets of birds, frogs, weather and machines,
finch syllables and whales (recordings kept apart, 1, 4 and 16 examples, cosine to the centred class
mean; mean of all: 0.897, where mean and deviation of 20 MFCCs have 0.832 and those of a log-mel
spectrogram 0.843):

- *profile*: log of each band's mean power, less the mean over bands, so that distance to the
  microphone matters little;
- *spread*: how much each band's level varies in time;
- *events*: mean of a softened PCEN, which counts what stands out of a band's own background;
- *ripples*: strength of moving patterns (rising, falling, trilling, ticking) in eight regions of
  the spectrum, from complex Gabor filters over time and band, as in models of hearing (Chi, Ru and
  Shamma 2005).

Each block is divided by its typical length, so that all four weigh the same in a cosine.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.encoders import spectral_info
from explorer.encoders.base import check_windows
from explorer.encoders.devices import choose_device, describe_device
from explorer.encoders.parallel import in_pieces
from explorer.errors import ParameterError

_FRAME_S = 0.032
_HOP_S = 0.010
_MIN_HZ = 50.0
_FLOOR = 1e-8  # power of the quietest thing told apart, -80 dB
# PCEN (Wang et al. 2017, section 2): gain, bias, root, floor, and the weight of the newest frame.
# A gain of 0.6 instead of 0.98 leaves some of the level in, which told more sounds apart.
_GAIN, _BIAS, _ROOT, _PCEN_FLOOR, _NEWEST = 0.6, 2.0, 0.5, 1e-6, 0.025
# Ripples are looked for in a picture of half the bands and 20 ms steps.
_RATES_HZ = (2.0, 6.0, 16.0)
_SPACINGS = (0.0, 0.1, -0.1, 0.25, -0.25)  # cycles per band; the sign is the direction
_STEPS, _REACH = 12, 5  # half lengths of the filters, in 20 ms steps and in bands
# Root mean square length of each block around the mean of its set, over the five sets.
_LENGTHS = {"profile": 6.3, "spread": 2.8, "events": 0.056, "ripples": 4.6}
_AT_ONCE = {"cpu": 8, "cuda": 256, "mps": 64}


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
    _rates: Tensor
    _spacings: Tensor

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
        window = torch.hann_window(self._frame)
        rates, spacings = ripple_filters()
        mel = mel_filters(sample_rate, self._frame, spectral_info.BANDS, _MIN_HZ)
        self.register_buffer("_window", window / window.sum() * 2)  # a full-scale tone has power 1
        self.register_buffer("_mel", mel)
        self.register_buffer("_smoother", smoothing_matrix(self._samples // self._hop + 1, _NEWEST))
        self.register_buffer("_rates", rates)
        self.register_buffer("_spacings", spacings)
        self._device = choose_device(device)
        self.device = describe_device(self._device)
        self.to(self._device)

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as float32 `[batch, dimension]` on this device."""
        check_windows(windows, self._samples, self.name)
        if not len(windows):
            return torch.empty(0, self.dimension, device=self._device)
        at_once = _AT_ONCE[self._device.type]
        return torch.cat(in_pieces(self.forward, windows, at_once=at_once, device=self._device))

    def forward(self, waves: Tensor) -> Tensor:
        """Embed waveforms `[batch, samples]` that are on this device."""
        power = self._mel_power(waves)
        profile = torch.log10(power.mean(-1) + _FLOOR)
        blocks = {
            "profile": profile - profile.mean(1, keepdim=True),
            "spread": torch.log10(power + _FLOOR).std(-1),
            "events": self._pcen(power).mean(-1),
            "ripples": self._ripples(power),
        }
        return torch.cat([block / _LENGTHS[name] for name, block in blocks.items()], dim=1)

    def _mel_power(self, waves: Tensor) -> Tensor:
        """Power in each band: `[batch, bands, frames]`."""
        spectrum = torch.stft(
            waves,
            self._frame,
            self._hop,
            window=self._window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return self._mel @ (spectrum.real.square() + spectrum.imag.square())

    def _pcen(self, power: Tensor) -> Tensor:
        background = _PCEN_FLOOR + power @ self._smoother
        return (power * background**-_GAIN + _BIAS) ** _ROOT - _BIAS**_ROOT

    def _ripples(self, power: Tensor) -> Tensor:
        """Strength of each ripple in each region: `[batch, ripples * regions]`."""
        picture = torch.log10(functional.avg_pool2d(power[:, None], 2) + _FLOOR)
        # Repeated at its ends, where zeros would be a sudden step up from every quiet level.
        picture = functional.pad(picture, (_STEPS, _STEPS, 0, 0), mode="replicate")
        moving = functional.conv2d(picture, self._rates)
        both = functional.conv2d(moving, self._spacings, padding=(_REACH, 0), groups=len(_RATES_HZ))
        strength = both[:, 0::2].square() + both[:, 1::2].square()  # cosine and sine parts
        return (
            functional.adaptive_avg_pool2d(strength, (spectral_info.REGIONS, 1)).sqrt().flatten(1)
        )


def ripple_filters() -> tuple[Tensor, Tensor]:
    """Return complex Gabor filters, split into their parts over time and over bands.

    Returns
    -------
    rates, spacings
        Weights of two convolutions: `[2 * rates, 1, 1, steps]`, cosine and sine for each rate, and
        `[2 * rates * spacings, 2, bands, 1]`, which join the two to the complex product. The first
        have no mean, so that a steady spectrum gives nothing.
    """
    time_s = torch.arange(-_STEPS, _STEPS + 1) * 2 * _HOP_S
    over_time = []
    for rate in _RATES_HZ:
        envelope = torch.exp(-0.5 * (time_s / min(0.5 / rate, 0.12)) ** 2)
        wave = envelope * torch.exp(2j * math.pi * rate * time_s)
        wave = wave - envelope * (wave.sum() / envelope.sum())
        wave = wave / wave.abs().square().sum().sqrt()
        over_time += [wave.real, wave.imag]
    band = torch.arange(-_REACH, _REACH + 1)
    over_bands = []
    for spacing in _SPACINGS:
        width = min(0.5 / abs(spacing), 2.5) if spacing else 1.5
        envelope = torch.exp(-0.5 * (band / width) ** 2)
        wave = envelope / envelope.norm() * torch.exp(2j * math.pi * spacing * band)
        over_bands += [torch.stack([wave.real, -wave.imag]), torch.stack([wave.imag, wave.real])]
    rates = torch.stack(over_time)[:, None, None, :]
    spacings = torch.stack(over_bands).repeat(len(_RATES_HZ), 1, 1)[..., None]
    return rates.float(), spacings.float()


def mel_filters(sample_rate: int, frame: int, bands: int, min_hz: float) -> Tensor:
    """Return triangular filters `[bands, frame // 2 + 1]`, evenly spaced in mel (O'Shaughnessy).

    A band that is narrower than one bin of the spectrum takes its share of the nearest two, so no
    band is ever empty.
    """
    edges_mel = torch.linspace(
        _hz_to_mel(min_hz), _hz_to_mel(sample_rate / 2), bands + 2, dtype=torch.float64
    )
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
