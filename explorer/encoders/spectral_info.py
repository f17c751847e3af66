"""What the `spectral` encoder is, without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.encoders.registry import EncoderInfo

if TYPE_CHECKING:
    from explorer.encoders.spectral import SpectralEncoder

NAME = "spectral"
VERSION = "1"
SAMPLE_RATE = 32_000
WINDOW_S = 3.0
BANDS = 64
REGIONS = 8  # of the spectrum, in which ripples are counted
RIPPLES = 15  # three rates in time by five slopes and spacings across bands
DIMENSION = 3 * BANDS + REGIONS * RIPPLES
LICENCE = "Apache-2.0 (part of this package; no weights)"


def info() -> EncoderInfo:
    """Describe the encoder; it needs nothing and is always available."""
    return EncoderInfo(
        name=NAME,
        version=VERSION,
        sample_rate=SAMPLE_RATE,
        window_s=WINDOW_S,
        dimension=DIMENSION,
        licence=LICENCE,
        available=True,
        how_to_get="part of this package",
        reference="log-mel, PCEN (Wang et al. 2017) and modulation statistics",
    )


def load(
    *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
) -> SpectralEncoder:
    """Make the encoder ready to use."""
    from explorer.encoders import spectral  # noqa: PLC0415 - torch takes a second to load

    return spectral.load(device=device, path=path, window_s=window_s)
