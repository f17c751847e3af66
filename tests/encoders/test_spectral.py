"""The encoder without weights: finite, the same in any batch, at any rate."""

from __future__ import annotations

import pytest
import torch

from explorer.encoders.spectral import SpectralEncoder, mel_filters, smoothing_matrix
from explorer.errors import ParameterError


def noise(batch: int, samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate, window_s", [(8_000, 1.0), (32_000, 3.0), (48_000, 5.0)])
def test_any_rate_and_window_gives_the_same_dimension(rate: int, window_s: float) -> None:
    encoder = SpectralEncoder(sample_rate=rate, window_s=window_s, device="cpu")
    embeddings = encoder.encode(noise(2, round(rate * window_s)))
    assert embeddings.shape == (2, encoder.dimension)
    assert embeddings.dtype == torch.float32


def test_silence_clipping_and_tiny_sounds_are_finite() -> None:
    encoder = SpectralEncoder(device="cpu")
    n = 96_000
    windows = torch.stack(
        [torch.zeros(n), torch.ones(n), noise(1, n)[0].sign(), 1e-20 * noise(1, n)[0]]
    )
    assert encoder.encode(windows).isfinite().all()


def test_an_embedding_does_not_depend_on_its_batch() -> None:
    encoder = SpectralEncoder(device="cpu")
    windows = noise(5, 96_000)
    together = encoder.encode(windows)
    alone = torch.cat([encoder.encode(window[None]) for window in windows])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_smoothing_matrix_is_the_recursion() -> None:
    x = noise(1, 50)[0]
    expected = [x[0]]
    for value in x[1:]:
        expected.append(0.9 * expected[-1] + 0.1 * value)
    torch.testing.assert_close(x @ smoothing_matrix(50, 0.1), torch.stack(expected))


@pytest.mark.parametrize("rate", [1_000, 8_000, 32_000, 384_000])
def test_no_mel_band_is_empty(rate: int) -> None:
    assert (mel_filters(rate, 1024, 64, 50.0).sum(1) > 0).all()


def test_windows_of_the_wrong_length_are_refused_with_the_right_one() -> None:
    with pytest.raises(ParameterError, match="96000"):
        SpectralEncoder(device="cpu").encode(torch.zeros(1, 144_000))
    with pytest.raises(ParameterError, match="floats"):
        SpectralEncoder(device="cpu").encode(torch.zeros(1, 96_000, dtype=torch.int16))
