"""Exact nearest neighbours: what may be relied on, and the faults of PEERS.md 7 and 8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.errors import ParameterError
from explorer.space.search import METRICS, top_k


@pytest.fixture
def corpus() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((2500, 24)).astype(np.float16)


def by_definition(corpus, query, metric):
    corpus, query = corpus.astype(np.float64), query.astype(np.float64)
    if metric == "dot":
        return corpus @ query
    if metric == "euclidean":
        return np.linalg.norm(corpus - query, axis=1)
    return corpus @ query / np.linalg.norm(corpus, axis=1) / np.linalg.norm(query)


class Shards:
    """Rows on disk in files of different lengths, as a collection keeps them."""

    def __init__(self, folder: Path, rows: np.ndarray, *lengths: int) -> None:
        self.files = []
        for number, part in enumerate(np.split(rows, np.cumsum(lengths))):
            np.save(folder / f"{number}.npy", part)
            self.files.append(folder / f"{number}.npy")

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        first_row = 0
        for file in self.files:
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
            for start in range(0, len(rows), rows_per_block):
                yield first_row + start, rows[start : start + rows_per_block]
            first_row += len(rows)


@pytest.mark.parametrize("metric", METRICS)
def test_finds_the_best_rows_best_first(corpus, metric):
    queries = corpus[[3, 700]] + np.float16(0.1)
    rows, scores = top_k(corpus, queries, 20, metric=metric)
    for query, found, score in zip(queries, rows, scores, strict=True):
        truth = by_definition(corpus, query, metric)
        order = np.argsort(truth if metric == "euclidean" else -truth, kind="stable")[:20]
        assert found.tolist() == order.tolist()
        np.testing.assert_allclose(score, truth[order], rtol=1e-6)


def test_euclidean_is_a_distance_in_the_units_of_the_embeddings():
    rows, distances = top_k(
        np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]), [0, 0], 3, metric="euclidean"
    )
    assert rows.tolist() == [[1, 0, 2]]
    assert distances.tolist() == [[0.0, 5.0, 10.0]]


def test_euclidean_tells_near_copies_of_long_vectors_apart():
    """|x|^2 + |y|^2 - 2xy in float32 loses these differences altogether."""
    far = np.full((3, 8), 1000.0)
    far[1] += 0.001
    far[2] += 0.002
    rows, distances = top_k(far, far[2], 3, metric="euclidean")
    assert rows.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(distances[0], [0, 0.001 * 8**0.5, 0.002 * 8**0.5], rtol=1e-3)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("cuts", [(1,), (2499,), (100, 1, 2048)])
def test_memory_mapped_shards_give_what_one_array_gives(tmp_path, corpus, metric, cuts):
    corpus[1200] = corpus[10]
    shards = Shards(tmp_path, corpus, *cuts)
    whole = top_k(corpus, corpus[:3], 2500, metric=metric)
    cut = top_k(shards, corpus[:3], 2500, metric=metric)
    np.testing.assert_array_equal(whole[0], cut[0])
    np.testing.assert_array_equal(whole[1], cut[1])


def test_an_iterator_of_blocks_will_do(corpus):
    blocks = ((start, corpus[start : start + 700]) for start in range(0, 2500, 700))
    np.testing.assert_array_equal(top_k(blocks, corpus[0], 5)[0], top_k(corpus, corpus[0], 5)[0])


def test_equal_windows_come_in_the_order_of_their_rows(corpus):
    copies = [2499, 4, 2100, 1023]
    corpus[copies] = corpus[77]
    rows, scores = top_k(corpus, corpus[77], 5)
    assert rows.tolist() == [sorted([*copies, 77])]
    assert len(set(scores[0].tolist())) == 1


def test_constant_embeddings_give_the_first_rows():
    rows, scores = top_k(np.ones((20_000, 4), np.float16), np.ones(4), 3)
    assert rows.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(scores, 1, rtol=1e-6)


def test_more_neighbours_than_rows_gives_all_rows(corpus):
    rows, scores = top_k(corpus[:7], corpus[:2], 50)
    assert rows.shape == scores.shape == (2, 7)
    assert (np.diff(scores) <= 0).all()


def test_no_rows_gives_no_neighbours():
    assert top_k(np.zeros((0, 4)), np.ones((2, 4)), 3)[0].shape == (2, 0)


def test_silence_has_a_cosine_of_zero():
    corpus = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    assert top_k(corpus, [1, 0], 3)[0].tolist() == [[2, 1, 0]]
    assert top_k(corpus, [1, 0], 3)[1].tolist() == [[1, 0, -1]]
    assert top_k(corpus, [0, 0], 3)[1].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("metric", METRICS)
def test_broken_embeddings_are_never_found(corpus, metric):
    corpus[5, 0], corpus[6, 1] = np.nan, np.inf
    rows, scores = top_k(corpus, corpus[0], 2500, metric=metric)
    assert rows.shape == (1, 2498)
    assert not {5, 6} & set(rows[0].tolist())
    assert np.isfinite(scores).all()


def test_a_broken_query_is_refused(corpus):
    with pytest.raises(ParameterError, match="NaN"):
        top_k(corpus, np.full(24, np.nan), 3)


def test_search_can_be_kept_to_some_rows(corpus):
    wanted = [2400, 30, 31, 1100]
    mask = np.zeros(2500, bool)
    mask[wanted] = True
    by_number, _ = top_k(corpus, corpus[30], 9, rows=wanted)
    by_mask, _ = top_k(corpus, corpus[30], 9, rows=mask)
    assert sorted(by_number[0].tolist()) == sorted(wanted)
    assert by_number[0][0] == 30
    np.testing.assert_array_equal(by_mask, by_number)


def test_a_mask_of_another_length_is_refused(corpus):
    with pytest.raises(ParameterError, match="mask"):
        top_k(corpus, corpus[0], 3, rows=np.ones(100, bool))


def test_another_encoders_query_is_refused_in_words(corpus):
    with pytest.raises(ParameterError, match=r"12 dimensions .* 24"):
        top_k(corpus, np.ones(12), 3)


def test_an_unknown_metric_is_refused(corpus):
    with pytest.raises(ParameterError, match="cosine, dot, euclidean"):
        top_k(corpus, corpus[0], 3, metric="manhattan")  # type: ignore[arg-type]


def test_tensors_in_half_precision_are_searched_as_they_are(corpus):
    tensor = torch.from_numpy(corpus)
    np.testing.assert_array_equal(top_k(tensor, tensor[9], 4)[0], top_k(corpus, corpus[9], 4)[0])
    assert top_k(tensor.bfloat16(), tensor[9], 1)[0].tolist() == [[9]]


@pytest.mark.golden
def test_ranks_as_the_golden_numbers_do(shared):
    golden = np.load(shared / "golden" / "fewshot_search.npz", allow_pickle=False)
    corpus, query = golden["E"], golden["E"][golden["pos"]].mean(axis=0)
    rows, scores = top_k(corpus, query, len(corpus))
    assert rows[0].tolist() == golden["order_cos_mean"].tolist()
    np.testing.assert_allclose(scores[0], golden["score_cos_mean"][rows[0]], atol=1e-6)
    rows, distances = top_k(corpus, query, len(corpus), metric="euclidean")
    np.testing.assert_allclose(
        -(distances[0] ** 2), golden["score_neg_sqeuclid"][rows[0]], rtol=1e-5
    )


@pytest.mark.golden
@pytest.mark.parametrize("k", [1, 4])
def test_birb_queries_score_as_the_reference_does(shared, k):
    golden = np.load(shared / "golden" / "birb_search.npz", allow_pickle=False)
    queries = golden["representatives"][:, :k].mean(axis=1)
    for metric in ("cosine", "dot"):
        rows, scores = top_k(golden["corpus"], queries, 335, metric=metric)
        reference = golden[f"scores_soundscapes_{metric}_k{k}"]
        np.testing.assert_allclose(scores, np.take_along_axis(reference, rows, 1), atol=2e-5)
