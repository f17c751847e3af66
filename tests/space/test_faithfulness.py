"""Where a map tells the truth: measured against maps of which that is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.errors import ParameterError
from explorer.space import anchors, faithfulness
from explorer.space.anchors import nearest_of
from explorer.space.faithfulness import Faithfulness, torn_pairs
from explorer.space.neighbours import knn_graph

measure = faithfulness.faithfulness


@pytest.fixture(scope="module")
def places() -> NDArray[np.float64]:
    """Sounds that do differ in two ways only."""
    return np.random.default_rng(0).uniform(-1, 1, (3000, 2))


@pytest.fixture(scope="module")
def embeddings(places: NDArray[np.float64]) -> NDArray[np.float16]:
    """The same, seen from far off in 40 dimensions: neighbours by cosine are those in the plane."""
    directions = np.linalg.qr(np.random.default_rng(1).normal(size=(40, 3)))[0].T
    return (np.c_[places, np.full(len(places), 4.0)] @ directions).astype(np.float16)


def test_a_true_map_is_believed_everywhere(embeddings, places) -> None:
    found = measure(embeddings, places)
    assert found.share.shape == (3000,)
    assert found.share.dtype == np.float32
    assert found.mean > 0.97
    assert found.exact


def test_a_map_by_chance_keeps_what_chance_keeps(embeddings, places) -> None:
    by_chance = np.random.default_rng(2).permutation(places)
    found = measure(embeddings, by_chance)
    assert found.near == 30
    assert found.mean == pytest.approx(0.01, abs=0.01)


def test_a_part_that_was_thrown_about_is_told_from_the_rest(embeddings, places) -> None:
    torn = places.copy()
    right = places[:, 0] > 0.4
    torn[right] = np.random.default_rng(3).permutation(places[right])
    found = measure(embeddings, torn)
    assert found.share[places[:, 0] < 0.3].mean() > 0.95
    assert found.share[right].mean() < 0.3


def test_measured_at_some_windows_it_is_nearly_the_same_at_all(
    embeddings, places, monkeypatch
) -> None:
    torn = places.copy()
    right = places[:, 0] > 0.4
    torn[right] += [30, 0]
    torn[right] = np.random.default_rng(3).permutation(torn[right])
    exact = measure(embeddings, torn)
    monkeypatch.setattr(faithfulness, "EVERY_ROW", 1000)
    monkeypatch.setattr(faithfulness, "MOST_ANCHORS", 600)
    some = measure(embeddings, torn)
    assert len(some.anchors) == 600
    assert not some.exact
    assert some.mean == pytest.approx(exact.mean, abs=0.03)
    assert np.isfinite(some.share).all()
    assert some.share[places[:, 0] < 0.3].mean() > 0.9
    assert some.share[right].mean() < 0.3
    np.testing.assert_array_equal(measure(embeddings, torn).share, some.share)


def test_the_neighbours_of_a_window_are_kept(embeddings, places, monkeypatch) -> None:
    monkeypatch.setattr(faithfulness, "EVERY_ROW", 1000)
    monkeypatch.setattr(faithfulness, "MOST_ANCHORS", 50)
    monkeypatch.setattr(faithfulness, "FEWEST_ANCHORS", 50)
    found = measure(embeddings, places, k=4)
    row = int(found.anchors[7])
    graph = knn_graph(embeddings, 4, metric="cosine")
    np.testing.assert_array_equal(found.neighbours_of(row), graph.indices[row])
    other = next(row for row in range(3000) if row not in set(found.anchors.tolist()))
    assert found.neighbours_of(other) is None


def test_a_broken_embedding_has_no_share_and_spoils_no_other(embeddings, places) -> None:
    broken = embeddings.copy()
    broken[5] = np.nan
    found = measure(broken, places)
    assert np.isnan(found.share[5])
    assert np.nanmin(found.share) >= 0
    assert found.mean > 0.97


def test_a_handful_of_windows_can_be_measured() -> None:
    found = measure(np.eye(4), np.eye(4)[:, :2])
    assert isinstance(found, Faithfulness)
    assert found.share.tolist() == [1, 1, 1, 1]
    assert len(measure(np.zeros((0, 3)), np.zeros((0, 2))).share) == 0


def test_an_error_in_the_callback_stops_the_work(embeddings, places) -> None:
    def stop(share: float, words: str) -> None:
        if "map" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(embeddings, places, on_progress=stop)


def test_a_map_of_other_windows_is_refused(embeddings, places) -> None:
    with pytest.raises(ParameterError, match="do not fit"):
        measure(embeddings[:-1], places)
    with pytest.raises(ParameterError, match=r"\[n, 2\]"):
        measure(embeddings, places[:, :1])


def test_torn_pairs_are_true_neighbours_that_lie_far_apart() -> None:
    places = np.zeros((100, 2))
    places[:, 0] = np.arange(100)
    pairs = torn_pairs(places, [0, 50], [[1, 90, -1], [20, 52, 49]])
    assert pairs.tolist() == [[0, 90], [50, 20]]
    assert torn_pairs(places, [], np.empty((0, 3))).shape == (0, 2)


# --- neighbours of some windows -------------------------------------------------------------------


def grouped(n: int, dimension: int) -> NDArray[np.float16]:
    rng = np.random.default_rng(4)
    middles = np.abs(rng.normal(size=(20, dimension)))
    rows = middles[rng.integers(20, size=n)] + 0.4 * rng.normal(size=(n, dimension))
    return np.maximum(rows, 0).astype(np.float16)


def test_neighbours_of_some_are_those_of_the_whole_graph(monkeypatch) -> None:
    monkeypatch.setattr(anchors, "LOOKED_AT", 128)
    rows = grouped(2000, 64)
    some = np.random.default_rng(5).permutation(2000)[:300]
    np.testing.assert_array_equal(
        nearest_of(rows, some, 15), knn_graph(rows, 15, metric="cosine").indices[some]
    )


def test_neighbours_come_from_blocks_as_from_an_array() -> None:
    rows = grouped(900, 32)
    blocks = [(0, rows[:400]), (400, rows[400:])]
    np.testing.assert_array_equal(nearest_of(blocks, [1, 700], 5), nearest_of(rows, [1, 700], 5))


def test_silence_and_broken_rows_are_nobodys_neighbours() -> None:
    rows = grouped(50, 8)
    rows[3], rows[4] = 0, np.inf
    found = nearest_of(rows, np.arange(50), 60)
    assert (found[[3, 4]] == -1).all()
    assert not np.isin(found, [3, 4]).any()
    assert (np.sort(found[0])[-47:] == np.setdiff1d(np.arange(50), [0, 3, 4])).all()


def test_copies_are_neighbours_and_no_row_is_its_own() -> None:
    rows = np.repeat(grouped(4, 16), 500, axis=0)
    found = nearest_of(rows, [0, 1999], 10)
    assert (found[0] < 500).all()
    assert (found[1] >= 1500).all()
    assert 0 not in found[0]
    assert 1999 not in found[1]


def test_rows_that_are_not_there_are_refused() -> None:
    with pytest.raises(ParameterError, match="0 to 3"):
        nearest_of(np.eye(4), [4], 1)
    with pytest.raises(ParameterError, match="k is 0"):
        nearest_of(np.eye(4), [0], 0)
