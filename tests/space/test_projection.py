"""The map: neighbours stay together, every time the same; it can be watched and stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from explorer.errors import ExplorerError, ParameterError
from explorer.space import projection, umap_worker
from explorer.space.projection import (
    ProjectionCancelled,
    ProjectionSettings,
    principal_components,
    project,
)


@pytest.fixture(scope="module")
def choruses() -> np.ndarray:
    """Six kinds of sound in 200 dimensions, 50 windows each."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((6, 200)) * 2
    return (np.repeat(centres, 50, axis=0) + rng.standard_normal((300, 200))).astype(np.float16)


@pytest.fixture(scope="module")
def steps() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def drawn(choruses, steps) -> np.ndarray:
    return project(choruses, on_progress=lambda fraction, words: steps.append((fraction, words)))


def test_neighbours_stay_neighbours(choruses, drawn):
    assert drawn.shape == (300, 2)
    assert drawn.dtype == np.float32
    assert trustworthiness(choruses, drawn, n_neighbors=10) > 0.9


def test_kinds_of_sound_lie_apart(drawn):
    middles = drawn.reshape(6, 50, 2).mean(axis=1)
    nearest = ((drawn[:, None] - middles) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == np.repeat(np.arange(6), 50)).mean() > 0.98


def test_progress_rises_from_nothing_to_done(drawn, steps):
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert "Laying out the map" in {words for _, words in steps}


def test_the_same_seed_draws_the_same_map_in_this_process_too(choruses, drawn):
    np.testing.assert_array_equal(project(choruses, worker=False), drawn)


def test_another_seed_draws_another_map(choruses, drawn):
    other = project(choruses, settings=ProjectionSettings(seed=1), worker=False)
    assert not np.allclose(other, drawn)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 9])
def test_few_windows_are_laid_out_without_umap(choruses, n_rows):
    coordinates = project(choruses[:n_rows])
    assert coordinates.shape == (n_rows, 2)
    assert len(np.unique(coordinates, axis=0)) == n_rows


@pytest.mark.parametrize("n_rows", [10, 11, 17])
def test_fewer_windows_than_a_neighbourhood_make_a_map(choruses, n_rows):
    coordinates = project(choruses[:n_rows], worker=False)
    assert coordinates.shape == (n_rows, 2)
    assert np.isfinite(coordinates).all()


def test_no_windows_make_an_empty_map():
    assert project(np.zeros((0, 5))).shape == (0, 2)


def test_windows_that_are_all_the_same_share_a_point():
    assert not project(np.ones((40, 6))).any()


def test_copies_lie_close_together(choruses):
    rows = np.concatenate([choruses[:60], np.repeat(choruses[60:61], 40, axis=0)])
    coordinates = project(rows, worker=False)
    assert np.isfinite(coordinates).all()
    assert np.ptp(coordinates[60:], axis=0).max() < np.ptp(coordinates, axis=0).max() / 2


def test_a_broken_embedding_gets_a_place_and_spoils_no_other(choruses):
    broken = choruses.copy()
    broken[7] = np.nan
    coordinates = project(broken, worker=False)
    assert np.isfinite(coordinates).all()
    assert trustworthiness(np.delete(choruses, 7, 0), np.delete(coordinates, 7, 0)) > 0.9


def test_a_map_can_be_cancelled_while_it_is_made(choruses):
    cancel = threading.Event()
    started = time.monotonic()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(ProjectionCancelled, match="stopped"):
        project(choruses, cancel=cancel)
    assert time.monotonic() - started < 3


def test_an_error_in_the_callback_ends_the_worker(choruses):
    def interrupted(fraction: float, words: str) -> None:
        if words == "Loading UMAP":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project(choruses, on_progress=interrupted)


def test_a_worker_that_fails_says_why(choruses, monkeypatch, tmp_path):
    broken = tmp_path / "worker.py"
    broken.write_text("raise MemoryError('no room for 300 windows')")
    monkeypatch.setattr(umap_worker, "__file__", str(broken))
    with pytest.raises(ExplorerError, match="no room for 300 windows"):
        project(choruses)


class Blocks:
    """Rows that are only handed out in blocks."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(self.rows), 128):
            yield start, self.rows[start : start + 128]


def test_components_come_from_blocks_as_from_an_array(choruses):
    np.testing.assert_allclose(
        principal_components(Blocks(choruses), 8), principal_components(choruses, 8), atol=1e-4
    )


def test_components_hold_the_most_variance(choruses, monkeypatch):
    exact = np.linalg.svd(choruses - choruses.astype(float).mean(axis=0), compute_uv=False)
    reduced = principal_components(choruses, 5)
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=0), exact[:5], rtol=1e-3)
    monkeypatch.setattr(projection, "FIT_ROWS", 150)
    half = principal_components(choruses, 5)
    assert (half**2).sum() > 0.97 * (reduced**2).sum()


def test_settings_that_cannot_be_are_refused():
    for wrong in (
        {"n_neighbours": 1},
        {"min_dist": 2.0},
        {"metric": "dot"},
        {"n_components_pca": 1},
    ):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            ProjectionSettings(**wrong)  # type: ignore[arg-type]


@pytest.fixture
def many(choruses, monkeypatch) -> np.ndarray:
    """Windows that are enough for their neighbours to be found before UMAP starts."""
    monkeypatch.setattr(projection, "UMAP_SEARCHES_ITSELF", len(choruses))
    return choruses


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_neighbours_of_many_windows_are_exact(many, monkeypatch, metric):
    given = []

    def lay_out(vectors, options, on_progress, neighbours):
        given.append(neighbours)
        return vectors[:, :2]

    monkeypatch.setattr(umap_worker, "lay_out", lay_out)
    project(many, settings=ProjectionSettings(metric=metric, n_neighbours=8), worker=False)
    indices, distances = given[0]
    reduced = principal_components(many, 64)
    found = NearestNeighbors(n_neighbors=8, algorithm="brute", metric=metric).fit(reduced)
    truth, expected = found.kneighbors(reduced)
    np.testing.assert_array_equal(indices, expected)
    assert (indices[:, 0] == np.arange(len(many))).all()
    np.testing.assert_allclose(distances[:, 1:], truth[:, 1:], rtol=1e-4)


def test_the_worker_is_given_the_neighbours(many):
    assert trustworthiness(many, project(many), n_neighbors=10) > 0.9


def test_finding_the_neighbours_can_be_stopped(many):
    stop = threading.Event()

    def listen(fraction: float, message: str) -> None:
        if "windows" in message:
            stop.set()

    with pytest.raises(ProjectionCancelled):
        project(many, on_progress=listen, cancel=stop)
