"""The quick look in half precision: bounded errors, and the same answers as without it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from explorer.space import search
from explorer.space.half import HalfQueries, row_lengths, sums_in_float32
from explorer.space.search import FLOAT32_ERROR, METRICS, top_k

N_ROWS, WIDTH = 3000, 96


class Measured:
    """Rows in uneven blocks that know their lengths, as a collection's vectors do."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        for first in range(0, len(self.rows), min(rows_per_block, 900)):
            yield first, self.rows[first : first + min(rows_per_block, 900)]

    def lengths(self) -> np.ndarray:
        return row_lengths(self)


def near_ties(rng: np.random.Generator) -> np.ndarray:
    """One vector over and over, with one digit more or less in a single place."""
    rows = np.repeat(rng.standard_normal((1, WIDTH)).astype(np.float16), N_ROWS, axis=0)
    places = np.arange(N_ROWS), rng.integers(WIDTH, size=N_ROWS)
    rows[places] = np.nextafter(rows[places], rng.choice(np.float16([-9, 9]), N_ROWS))
    return rows


def all_sizes(rng: np.random.Generator) -> np.ndarray:
    sizes = 10.0 ** rng.uniform(-7, 4, (N_ROWS, 1))
    return (rng.standard_normal((N_ROWS, WIDTH)) * sizes).astype(np.float16)


def hardly_there(rng: np.random.Generator) -> np.ndarray:
    """Below the normal numbers of float16."""
    return (rng.integers(-9, 9, (N_ROWS, WIDTH)) * 2.0**-24).astype(np.float16)


def near_overflow(rng: np.random.Generator) -> np.ndarray:
    """Products with these do not fit in float16."""
    rows = rng.uniform(60_000, 65_504, (N_ROWS, WIDTH))
    rows[::3] *= rng.choice([-1, 1], rows[::3].shape)
    return rows.astype(np.float16)


def one_direction(rng: np.random.Generator) -> np.ndarray:
    """As embeddings of much the same sound are: every cosine above 0.99."""
    return (1 + 0.05 * rng.standard_normal((N_ROWS, WIDTH))).astype(np.float16)


def copies_silence_and_damage(rng: np.random.Generator) -> np.ndarray:
    rows = rng.standard_normal((N_ROWS, WIDTH)).astype(np.float16)
    rows[rng.integers(N_ROWS, size=300)] = rows[7]
    rows[100:200], rows[899:901] = 0, 0
    rows[300:1900:100, 5] = np.nan
    rows[350:1950:100, 6], rows[351] = np.inf, -np.inf
    return rows


CORPORA = [
    near_ties,
    all_sizes,
    hardly_there,
    near_overflow,
    one_direction,
    copies_silence_and_damage,
]


def by_definition(rows: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """Similarity in float64, summed row by row; -inf where a row is not finite."""
    rows = rows.astype(np.float64)
    rows[~np.isfinite(rows).all(axis=1)] = np.nan
    if metric == "euclidean":
        score = -((rows - query) ** 2).sum(axis=1)
    elif metric == "dot":
        score = (rows * query).sum(axis=1)
    else:
        length = np.sqrt((rows * rows).sum(axis=1))
        unit = query / np.sqrt((query * query).sum())
        score = np.clip((rows * unit).sum(axis=1) / np.where(length > 0, length, 1), -1, 1)
    return np.nan_to_num(score, nan=-np.inf)


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e6])
def test_finds_what_float64_finds_and_what_float32_finds(corpus, metric, size):
    rng = np.random.default_rng(3)
    rows = corpus(rng)
    queries = size * np.stack([rows[7].astype(np.float64), rng.standard_normal(WIDTH)])
    for query in queries:
        found, scores = top_k(Measured(rows), query, 40, metric=metric)
        truth = by_definition(rows, query, metric)
        assert found[0].tolist() == np.argsort(-truth, kind="stable")[:40].tolist()
        plain = top_k(rows, query, 40, metric=metric)
        np.testing.assert_array_equal(found, plain[0])
        np.testing.assert_array_equal(scores, plain[1])
    both = top_k(Measured(rows), queries, 40, metric=metric)
    np.testing.assert_array_equal(both[0], top_k(rows, queries, 40, metric=metric)[0])


@pytest.mark.parametrize("corpus", CORPORA)
def test_no_product_is_further_off_than_its_bound(corpus):
    rng = np.random.default_rng(4)
    rows = corpus(rng)
    rows = rows[np.isfinite(rows).all(axis=1)]
    lengths = torch.from_numpy(row_lengths(Measured(rows)))
    if corpus is near_overflow:
        rows, lengths = rows / np.float16(64), lengths / 64
    queries = np.stack([rows[7].astype(np.float64), rng.standard_normal(WIDTH)])
    products, bound = HalfQueries(queries).products(rows, lengths)
    scale = np.linalg.norm(queries, axis=1)[:, None] * lengths.numpy()
    error = np.abs(products.numpy() - queries @ rows.astype(np.float64).T)
    assert (error <= bound.numpy() + FLOAT32_ERROR * scale).all()
    if corpus is not hardly_there and corpus is not all_sizes:
        assert (bound.numpy() <= 2e-3 * scale + 1e-6).all()  # else every row is scored again


def test_products_beyond_the_range_of_half_precision_are_not_used():
    rows = near_overflow(np.random.default_rng(5))
    lengths = torch.from_numpy(row_lengths(Measured(rows)))
    assert HalfQueries(np.ones((1, WIDTH))).products(rows, lengths) is None
    assert HalfQueries(np.zeros((1, WIDTH))).products(rows, lengths) is not None


@pytest.mark.skipif(not sums_in_float32(), reason="torch sums float16 in float16 here")
def test_half_precision_is_for_few_queries_of_measured_rows(monkeypatch):
    asked = []
    products = HalfQueries.products
    monkeypatch.setattr(HalfQueries, "products", lambda *given: asked.append(1) or products(*given))
    rows = np.random.default_rng(6).standard_normal((N_ROWS, WIDTH)).astype(np.float16)
    top_k(rows, rows[0], 3)
    top_k(Measured(rows), rows[:3], 3)
    top_k(Measured(rows.astype(np.float32)), rows[0], 3)
    assert not asked
    top_k(Measured(rows), rows[0], 3)
    assert len(asked) == 4  # blocks


@pytest.mark.parametrize("metric", METRICS)
def test_rows_too_alike_for_half_precision_are_told_apart_in_float32(monkeypatch, metric):
    """Exact scores for all of them take ten times as long as float32 products do."""
    scored = []
    exact = search._Scorer._exact
    monkeypatch.setattr(
        search._Scorer,
        "_exact",
        lambda self, rows, query: scored.append(len(rows)) or exact(self, rows, query),
    )
    rows = one_direction(np.random.default_rng(10))
    top_k(Measured(rows), rows[0], 5, metric=metric)
    assert sum(scored) < N_ROWS / 10


def test_a_search_among_some_rows_measures_nothing(monkeypatch):
    rows = copies_silence_and_damage(np.random.default_rng(7))
    monkeypatch.setattr(Measured, "lengths", lambda self: pytest.fail("measured"))
    mask = np.arange(N_ROWS) % 2 == 1
    found, _ = top_k(Measured(rows), rows[7], 40, rows=mask)
    truth = np.where(mask, by_definition(rows, rows[7].astype(np.float64), "cosine"), -np.inf)
    assert found[0].tolist() == np.argsort(-truth, kind="stable")[:40].tolist()


def test_where_torch_sums_in_half_precision_it_is_not_asked(monkeypatch):
    monkeypatch.setattr(search, "sums_in_float32", lambda: False)
    monkeypatch.setattr(HalfQueries, "products", lambda *given: pytest.fail("asked"))
    rows = one_direction(np.random.default_rng(8))
    found, _ = top_k(Measured(rows), rows[9], 5)
    assert found[0].tolist() == top_k(rows, rows[9], 5)[0][0].tolist()
