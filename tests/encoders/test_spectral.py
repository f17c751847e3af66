"""The encoder without weights: finite, the same in any batch, at any rate."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from sklearn.metrics import roc_auc_score

from explorer.encoders.spectral import _SPACINGS, SpectralEncoder, mel_filters, smoothing_matrix
from explorer.encoders.spectral_info import BANDS, REGIONS
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


def test_silence_is_a_row_of_zeros() -> None:
    """Nothing stands out, nothing varies, nothing moves: not even at the edges of the window."""
    embedding = SpectralEncoder(device="cpu").encode(torch.zeros(1, 96_000))
    torch.testing.assert_close(embedding, torch.zeros(1, 312), rtol=0, atol=1e-4)


def test_a_rising_and_a_falling_chirp_differ_in_the_direction_of_their_ripples() -> None:
    seconds = torch.arange(96_000) / 32_000
    phase = 2 * math.pi * (1000 * seconds + 1000 * seconds**2)
    rising = 0.1 * phase.sin()
    encoder = SpectralEncoder(device="cpu")
    embeddings = encoder.encode(torch.stack([rising, rising.flip(0)]))
    ripples = embeddings[:, 3 * BANDS :].reshape(2, -1, len(_SPACINGS), REGIONS).mean((1, 3))
    up, down = _SPACINGS.index(-0.1), _SPACINGS.index(0.1)
    assert ripples[0, up] > 1.2 * ripples[0, down]
    assert ripples[1, down] > 1.2 * ripples[1, up]


def test_the_same_sound_farther_away_stays_close() -> None:
    encoder = SpectralEncoder(device="cpu")
    burst = noise(1, 96_000)[0] * torch.hann_window(96_000) ** 8
    near, far, hiss = encoder.encode(torch.stack([burst, 0.2 * burst, noise(1, 96_000, 1)[0]]))
    assert torch.cosine_similarity(near, far, dim=0) > torch.cosine_similarity(near, hiss, dim=0)
    assert torch.cosine_similarity(near, far, dim=0) > 0.9


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


# --- is it good? few-shot AUC, against the floor of MFCCs in shared/audio/README.md ---------------


def embed_set(shared: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return embeddings less their mean, labels and groups of one labelled set."""
    with (shared / "audio" / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == f"labelled/{name}"]
    windows = []
    for row in rows:
        samples, rate = soundfile.read(shared / "audio" / row["file"], always_2d=True)
        wave = soxr.resample(samples.mean(1), rate, 32_000)
        start = max(0, (len(wave) - 96_000) // 2)
        wave = wave[start : start + 96_000]
        before = (96_000 - len(wave)) // 2
        windows.append(np.pad(wave, (before, 96_000 - len(wave) - before)))
    embeddings = SpectralEncoder(device="cpu").encode(torch.from_numpy(np.stack(windows)).float())
    labels, groups = (np.array([row[column] for row in rows]) for column in ("label", "group"))
    return (embeddings - embeddings.mean(0)).numpy(), labels, groups


def few_shot_auc(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray, examples: int, seed: int
) -> float:
    """AUC of cosine to the mean example, all classes; examples and tests share no recording."""
    rng = np.random.default_rng(seed)
    chosen, taken = {}, set()
    for label in np.unique(labels):
        there = rng.permutation(np.unique(groups[labels == label]))
        half = set(there[: len(there) // 2])
        rows = [i for i in np.flatnonzero(labels == label) if groups[i] in half]
        if len(rows) >= examples:
            chosen[label] = rng.permutation(rows)[:examples]
            taken |= half
    test = np.isin(labels, list(chosen)) & ~np.isin(groups, list(taken))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return float(
        np.mean(
            [
                roc_auc_score(labels[test] == label, unit[test] @ unit[rows].mean(0))
                for label, rows in chosen.items()
                if (labels[test] == label).any()
            ]
        )
    )


@pytest.mark.golden
@pytest.mark.parametrize(
    "name, mfcc_auc",
    [("birds_na", 0.72), ("frogs", 0.76), ("env_esc10", 0.88), ("marine_cetaceans", 0.86)],
)
def test_four_examples_tell_more_than_with_mfccs(name: str, mfcc_auc: float, shared: Path) -> None:
    embeddings, labels, groups = embed_set(shared, name)
    auc = np.mean([few_shot_auc(embeddings, labels, groups, 4, seed) for seed in range(6)])
    assert auc > mfcc_auc + 0.03


@pytest.mark.golden
def test_padded_syllables_are_told_apart(shared: Path) -> None:
    embeddings, labels, groups = embed_set(shared, "finch_syllables")
    assert few_shot_auc(embeddings, labels, groups, 4, 0) > 0.97
