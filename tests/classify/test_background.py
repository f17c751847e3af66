"""The geometry of a run: learnt the same way every time, kept on disk, indifferent to blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer.classify import background as module
from explorer.classify import weights
from explorer.classify.background import Background, inverse_root
from explorer.classify.centroid import NearestCentroid
from explorer.errors import FormatVersionError, ParameterError


@pytest.fixture
def windows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random(32) * 3 + rng.exponential(1, (400, 1)) * rng.random(32)).astype(
        np.float16
    ) + rng.random((400, 32)).astype(np.float16)


class Blocks:
    def __init__(self, rows: np.ndarray, size: int) -> None:
        self.rows, self.size = rows, size

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(self.rows), self.size):
            yield start, self.rows[start : start + self.size]


def test_what_all_windows_share_is_taken_off(windows):
    background = Background.fit(windows)
    moved = background.transform(windows)
    raw = torch.nn.functional.normalize(torch.from_numpy(windows).float(), dim=1)
    assert float((raw @ raw.T).mean()) > 0.8
    assert abs(float((moved @ moved.T).mean())) < 0.05
    np.testing.assert_allclose(moved.norm(dim=1), 1, atol=1e-5)


def test_the_direction_of_the_rain_counts_for_less(windows):
    moved = Background.fit(windows).transform(windows)
    rooted = torch.from_numpy(windows).float().sqrt()
    centred = torch.nn.functional.normalize(rooted - rooted.mean(dim=0), dim=1)

    def share_of_first(rows: torch.Tensor) -> float:
        values = torch.linalg.eigvalsh(torch.cov(rows.T))
        return float(values[-1] / values.sum())

    assert share_of_first(moved) < share_of_first(centred) / 1.5


def test_blocks_and_arrays_give_the_same(windows):
    whole, cut = Background.fit(windows), Background.fit(Blocks(windows, 37))
    assert whole.digest == cut.digest
    one, other = whole.prepare(windows), whole.prepare(Blocks(windows, 150))
    np.testing.assert_allclose(one.vectors.float(), other.vectors.float(), atol=1e-3)
    np.testing.assert_allclose(one.density, other.density, atol=1e-5)


def test_a_loaded_background_is_the_same(tmp_path, windows):
    background = Background.fit(windows)
    background.save(tmp_path / "background.safetensors")
    loaded = Background.load(tmp_path / "background.safetensors")
    assert loaded.digest == background.digest
    assert loaded.n_rows == 400
    np.testing.assert_array_equal(loaded.transform(windows), background.transform(windows))


def test_a_newer_background_is_refused(tmp_path, windows):
    path = tmp_path / "background.safetensors"
    Background.fit(windows).save(path)
    about = {"format": module.FORMAT, "version": 2}
    save_file(load_file(path), path, metadata={weights.KEY: json.dumps(about)})
    with pytest.raises(FormatVersionError, match="version 2"):
        Background.load(path)


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_a_few_windows_are_a_background(windows, n_rows):
    prepared = Background.fit(windows[:n_rows]).prepare(windows)
    assert torch.isfinite(prepared.vectors).all()
    assert torch.isfinite(prepared.density).all()


def test_windows_that_are_all_the_same_are_a_background():
    prepared = Background.fit(np.ones((20, 4))).prepare(np.ones((3, 4)))
    assert not prepared.vectors.any()


def test_no_finite_window_is_no_background():
    with pytest.raises(ParameterError, match="2 windows hold none"):
        Background.fit(np.full((2, 4), np.nan))


def test_broken_windows_are_passed_over(windows):
    broken = windows.copy()
    broken[3] = np.inf
    prepared = Background.fit(broken).prepare(broken)
    assert prepared.finite.sum() == 399
    assert torch.isfinite(prepared.vectors).all()


def test_only_embeddings_that_are_never_negative_are_rooted(windows):
    assert Background.fit(windows).rooted
    signed = windows - np.float16(2)
    background = Background.fit(signed)
    assert not background.rooted
    # Without the root nothing but the mean sets the two apart, and the mean is taken off.
    shifted = Background.fit(signed - np.float16(1)).transform(signed - np.float16(1))
    np.testing.assert_allclose(background.transform(signed), shifted, atol=0.02)


def test_another_encoders_embeddings_are_refused(windows):
    with pytest.raises(ParameterError, match="dimension 32"):
        Background.fit(windows).transform(np.ones((2, 5)))


def test_a_window_is_no_neighbour_of_itself(windows):
    background = Background.fit(windows)
    lonely = Background.fit(np.delete(windows, 0, axis=0))
    with_itself = background.prepare(windows[:1]).density
    without = lonely.prepare(windows[:1]).density
    np.testing.assert_allclose(with_itself, without, atol=0.02)


def test_only_new_vectors_are_compared_after_a_click(windows, monkeypatch):
    prepared = Background.fit(windows).prepare(windows)
    compared = []
    products = module.Prepared._products
    monkeypatch.setattr(
        module.Prepared,
        "_products",
        lambda self, queries: compared.append(len(queries)) or products(self, queries),
    )
    vectors = prepared.vectors[:5].float()
    first = prepared.likeness(vectors)
    assert all(map(torch.equal, prepared.likeness(vectors), first))
    changed = torch.cat([vectors[:4], prepared.vectors[9:10].float()])
    assert [len(column) for column in prepared.likeness(changed)] == [400] * 5
    assert compared == [5, 1]


def test_memory_is_two_bytes_a_number(windows):
    assert Background.fit(windows).prepare(windows).nbytes == 400 * (2 * 32 + 5)


@pytest.mark.golden
def test_whitening_is_the_references(shared):
    golden = np.load(shared / "golden" / "centroid_background.npz", allow_pickle=False)
    corpus, mean = torch.from_numpy(golden["X"]), torch.from_numpy(golden["mu"])
    root = inverse_root(torch.from_numpy(golden["cov"]), float(golden["eps"]))
    query = corpus[torch.from_numpy(golden["pos"])].mean(dim=0) - mean
    np.testing.assert_allclose(
        (corpus - mean) @ root @ root @ query, golden["score_lda"], rtol=1e-8
    )
    cosine = torch.nn.functional.cosine_similarity((corpus - mean) @ root, (query @ root)[None])
    np.testing.assert_allclose(cosine, golden["score_whitened_cos"], rtol=1e-8)


def test_examples_that_come_again_are_not_moved_again_and_give_the_same_numbers(monkeypatch):
    rng = np.random.default_rng(0)
    background = Background.fit(rng.random((300, 16)))
    examples = {name: rng.random((5, 16)) for name in "abc"}
    moved = []
    right = Background.transform
    monkeypatch.setattr(
        Background, "transform", lambda self, rows: moved.append(len(rows)) or right(self, rows)
    )
    first = NearestCentroid.fit(examples, background=background)
    assert moved == [5, 5, 5]
    examples["b"] = np.vstack([examples["b"], rng.random((1, 16))])
    NearestCentroid.fit(examples, background=background)
    assert moved == [5, 5, 5, 6]  # the class that changed
    examples["b"] = examples["b"][:5]
    again = NearestCentroid.fit(examples, background=background)
    assert torch.equal(again.centroids, first.centroids)
    assert torch.equal(again.midpoint, first.midpoint)


def test_a_background_lets_go_of_examples_that_nobody_has_asked_for(monkeypatch):
    monkeypatch.setattr("explorer.classify.background.KEPT_MOVED", 10)
    background = Background.plain(4)
    rows = [torch.rand(6, 4) for _ in range(5)]
    for one in rows:
        background.moved(one)
    assert len(background._moved) == 1
    assert background.moved(rows[-1]) is background.moved(rows[-1])
