"""The graph of nearest neighbours is what a search over all pairs finds, however hard the rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from explorer.errors import ParameterError
from explorer.space import neighbours, tiles
from explorer.space.neighbours import knn_graph

N_ROWS, WIDTH = 1100, 40
METRICS = ("euclidean", "cosine")


def separate(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((N_ROWS, WIDTH)).astype(np.float32)


def far_from_zero(rng: np.random.Generator) -> np.ndarray:
    """As embeddings that are never negative: what they share is longer than what they differ in."""
    return (20 + rng.standard_normal((N_ROWS, WIDTH))).astype(np.float16)


def in_order_of_time(rng: np.random.Generator) -> np.ndarray:
    return (rng.standard_normal((N_ROWS, WIDTH)).cumsum(axis=0) / 9).astype(np.float16)


def near_copies(rng: np.random.Generator) -> np.ndarray:
    """One vector over and over, with one digit more or less in a single place."""
    rows = np.repeat(rng.standard_normal((1, WIDTH)).astype(np.float16), N_ROWS, axis=0)
    places = np.arange(N_ROWS), rng.integers(WIDTH, size=N_ROWS)
    rows[places] = np.nextafter(rows[places], rng.choice(np.float16([-9, 9]), N_ROWS))
    return rows


def all_sizes(rng: np.random.Generator) -> np.ndarray:
    sizes = 10.0 ** rng.uniform(-7, 4, (N_ROWS, 1))
    return rng.standard_normal((N_ROWS, WIDTH)) * sizes


def copies_silence_and_damage(rng: np.random.Generator) -> np.ndarray:
    rows = rng.standard_normal((N_ROWS, WIDTH)).astype(np.float16)
    rows[rng.integers(N_ROWS, size=300)] = rows[7]
    rows[100:200], rows[899:901] = 0, 0
    rows[200:210] = 2 * rows[7]
    rows[300:1000:100, 5] = np.nan
    rows[350:1050:100, 6], rows[351] = np.inf, -np.inf
    return rows


def some_far_too_loud(rng: np.random.Generator) -> np.ndarray:
    rows = rng.standard_normal((N_ROWS, WIDTH))
    rows[::90] *= 1e4
    return rows.astype(np.float32)


def whole_numbers(rng: np.random.Generator) -> np.ndarray:
    """Every distance is shared by many."""
    return rng.integers(0, 3, (N_ROWS, 4)).astype(np.float32)


CORPORA = [
    separate,
    far_from_zero,
    in_order_of_time,
    near_copies,
    all_sizes,
    copies_silence_and_damage,
    some_far_too_loud,
    whole_numbers,
]


def distances_by_definition(rows: np.ndarray, metric: str) -> np.ndarray:
    """All distances in float64 ``[n, n]``; infinite to itself and where a row is not finite."""
    rows = rows.astype(np.float64)
    bad = ~np.isfinite(rows).all(axis=1)
    rows[bad] = 0
    found = np.empty((len(rows), len(rows)))
    length = np.sqrt((rows * rows).sum(axis=1))
    for at, row in enumerate(rows):
        if metric == "euclidean":
            found[at] = np.sqrt(((rows - row) ** 2).sum(axis=1))
        else:
            product = length * length[at]
            cosine = (rows * row).sum(axis=1) / np.where(product > 0, product, 1)
            found[at] = np.clip(1 - cosine, 0, 2)
    found[bad], found[:, bad] = np.inf, np.inf
    np.fill_diagonal(found, np.inf)
    return found


@pytest.fixture
def small_tiles(monkeypatch):
    """So that a thousand rows make as many tiles as a hundred thousand do."""
    monkeypatch.setattr(neighbours, "TILE_ROWS", 100)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_is_what_a_search_over_all_pairs_finds(small_tiles, corpus, metric):
    rows = corpus(np.random.default_rng(1))
    graph = knn_graph(rows, 12, metric=metric)
    truth = distances_by_definition(rows, metric)
    nearest = np.sort(truth, axis=1)[:, :12]
    np.testing.assert_allclose(graph.distances, nearest, rtol=1e-5, atol=1e-7)
    damaged = ~np.isfinite(rows.astype(np.float32)).all(axis=1)
    assert (graph.indices[damaged] == -1).all()
    found = graph.indices[~damaged]
    assert (np.diff(np.sort(found, axis=1)) > 0).all()  # nobody twice
    assert (found != np.flatnonzero(~damaged)[:, None]).all()
    np.testing.assert_allclose(
        np.take_along_axis(truth[~damaged], found.astype(np.int64), axis=1),
        nearest[~damaged],
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("corpus", [separate, whole_numbers, copies_silence_and_damage])
def test_neighbours_at_the_same_distance_come_in_the_order_of_their_rows(small_tiles, corpus):
    rows = corpus(np.random.default_rng(2)).astype(np.float64)
    graph = knn_graph(rows, 15)
    truth = distances_by_definition(rows, "euclidean")
    fine = np.isfinite(rows).all(axis=1)
    expected = np.argsort(truth, axis=1, kind="stable")[:, :15]
    np.testing.assert_array_equal(graph.indices[fine], expected[fine])


class Shards:
    """Rows in files of different lengths, as a collection keeps them."""

    def __init__(self, rows: np.ndarray, *cuts: int) -> None:
        self.parts = np.split(rows, cuts)

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        first = 0
        for part in self.parts:
            for start in range(0, len(part), rows_per_block):
                yield first + start, part[start : start + rows_per_block]
            first += len(part)


@pytest.mark.parametrize("metric", METRICS)
def test_shards_tensors_and_iterators_give_what_one_array_gives(small_tiles, metric):
    rows = copies_silence_and_damage(np.random.default_rng(3))
    whole = knn_graph(rows, 9, metric=metric)
    shards = Shards(rows, 1, 700, 901)
    for kind in (shards, torch.from_numpy(rows), shards.blocks(100)):
        graph = knn_graph(kind, 9, metric=metric)
        np.testing.assert_array_equal(graph.indices, whole.indices)
        np.testing.assert_array_equal(graph.distances, whole.distances)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_processor_with_other_instructions_finds_the_same(small_tiles, monkeypatch, kind):
    rows = far_from_zero(np.random.default_rng(4))
    here = knn_graph(rows, 9)
    monkeypatch.setattr(tiles, "fastest_type", lambda: kind)
    there = knn_graph(rows, 9)
    np.testing.assert_array_equal(here.indices, there.indices)
    np.testing.assert_array_equal(here.distances, there.distances)


@pytest.mark.parametrize("metric", METRICS)
def test_windows_that_are_nearly_the_same_do_not_fill_the_memory(small_tiles, monkeypatch, metric):
    rows = near_copies(np.random.default_rng(5))
    plain = knn_graph(rows, 9, metric=metric)
    monkeypatch.setattr(neighbours, "HELD_PER_ROW", 2)
    held = []
    measured = neighbours._Search._measure_held
    monkeypatch.setattr(
        neighbours._Search,
        "_measure_held",
        lambda search, number: (measured(search, number), held.append(len(search.held[number][0]))),
    )
    graph = knn_graph(rows, 9, metric=metric)
    assert held and max(held) <= 100 * 9
    np.testing.assert_array_equal(graph.indices, plain.indices)


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_no_pair_is_further_off_than_the_first_look_says(monkeypatch, corpus, kind):
    monkeypatch.setattr(tiles, "fastest_type", lambda: kind)
    rows = corpus(np.random.default_rng(6)).astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)].astype(np.float32)[:400]
    block = torch.from_numpy(rows)
    panel = tiles.Panel.of(rows.shape[1], [lambda: (block, torch.zeros(len(block)))])
    bits = panel.bits(slice(0, 300), slice(100, 400))
    row, other = (at.ravel() for at in np.mgrid[0:300, 100:400])
    least, most = panel.between(bits.ravel(), row, other)
    truth = np.sqrt(((rows[row].astype(np.float64) - rows[other]) ** 2).sum(axis=1))
    assert (least <= truth * (1 + 1e-6)).all()
    assert (truth <= most * (1 + 1e-6)).all()
    if corpus is separate:
        assert (most - least < 0.03 * most).mean() > 0.98  # else every pair is measured again


def test_more_neighbours_than_rows_gives_all_other_rows():
    graph = knn_graph(np.arange(4.0)[:, None], 9)
    assert graph.indices.tolist() == [[1, 2, 3], [0, 2, 3], [1, 3, 0], [2, 1, 0]]
    assert knn_graph(np.zeros((1, 3)), 2).indices.shape == (1, 0)
    assert knn_graph(np.zeros((0, 3)), 2).indices.shape == (0, 0)


def test_damaged_windows_have_no_neighbours_and_are_nobodys():
    rows = np.array([[0.0], [np.nan], [1.0]])
    graph = knn_graph(rows, 2)
    assert graph.indices.tolist() == [[2, -1], [-1, -1], [0, -1]]
    assert graph.distances[1].tolist() == [np.inf, np.inf]
    assert (knn_graph(np.full((3, 2), np.nan), 2).indices == -1).all()


def test_silence_is_at_a_cosine_distance_of_one_from_anything():
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    graph = knn_graph(rows, 3, metric="cosine")
    assert graph.indices.tolist() == [[1, 3, 2], [0, 2, 3], [1, 3, 0], [0, 1, 2]]
    assert graph.distances.tolist() == [[1, 1, 2], [1, 1, 1], [1, 1, 2], [1, 1, 1]]


def test_says_how_far_it_is_and_stops_when_told(small_tiles):
    rows = separate(np.random.default_rng(7))
    heard: list[float] = []
    knn_graph(rows, 3, on_progress=lambda fraction, message: heard.append(fraction))
    assert heard == sorted(heard) and heard[0] == 0 and heard[-1] == 1 and len(heard) > 20

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        knn_graph(rows, 3, on_progress=stop)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"k": 0}, "at least one neighbour"),
        ({"k": 3, "metric": "manhattan"}, "use euclidean or cosine"),
    ],
)
def test_wrong_settings_are_refused_in_words(options, says):
    with pytest.raises(ParameterError, match=says):
        knn_graph(np.zeros((4, 2)), **options)


def test_blocks_of_two_encoders_are_refused():
    with pytest.raises(ParameterError, match="use one encoder"):
        knn_graph([(0, np.zeros((2, 3))), (2, np.zeros((2, 4)))], 1)
