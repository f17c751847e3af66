"""Shards: written whole or not at all, read as one matrix that stays on disk."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from explorer.collection.vectors import ShardStore, Vectors, open_shard
from explorer.errors import CollectionError
from explorer.space import half


@pytest.fixture
def matrix(tmp_path: Path) -> tuple[Vectors, np.ndarray]:
    rows = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float16)
    parts = np.split(rows, [30, 31, 70])
    store = ShardStore(tmp_path)
    files = [f"{number:06d}.npy" for number in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        store.write(file, part)
    return Vectors(store, files, [len(part) for part in parts], 8), rows


def test_rows_come_in_the_order_asked_for(matrix: tuple[Vectors, np.ndarray]) -> None:
    vectors, rows = matrix
    wanted = [99, 0, 30, 30, 69]
    np.testing.assert_array_equal(vectors.take(wanted), rows[wanted].astype(np.float32))


def test_blocks_cover_every_row_once_without_a_copy(matrix: tuple[Vectors, np.ndarray]) -> None:
    vectors, rows = matrix
    blocks = list(vectors.blocks(16))
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), rows)
    assert [first for first, _ in blocks] == [0, 16, 30, 31, 47, 63, 70, 86]
    assert not any(block.flags.owndata for _, block in blocks)


@pytest.mark.parametrize("row", [-1, 100])
def test_a_row_that_is_not_there_is_refused(matrix: tuple[Vectors, np.ndarray], row: int) -> None:
    with pytest.raises(IndexError, match="0 to 99"):
        matrix[0].take([row])


def test_lengths_are_measured_once_whoever_asks(
    matrix: tuple[Vectors, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, rows = matrix
    measured = []

    def slowly(corpus: Vectors) -> np.ndarray:
        measured.append(corpus)
        time.sleep(0.05)
        return row_lengths(corpus)

    row_lengths = half.row_lengths
    monkeypatch.setattr(half, "row_lengths", slowly)
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: vectors.lengths(), range(4)))
    assert len(measured) == 1
    assert all(answer is answers[0] for answer in answers)
    np.testing.assert_allclose(answers[0], np.linalg.norm(rows.astype(np.float64), axis=1), 1e-6)


def test_a_broken_row_has_no_finite_length(tmp_path: Path) -> None:
    rows = np.full((4, 3), 65504, np.float16)
    rows[1, 0], rows[2, 2] = np.nan, -np.inf
    ShardStore(tmp_path).write("000000.npy", rows)
    lengths = Vectors(ShardStore(tmp_path), ["000000.npy"], [4], 3).lengths()
    assert np.isfinite(lengths).tolist() == [True, False, False, True]


def test_an_empty_run_has_a_shape(tmp_path: Path) -> None:
    vectors = Vectors(ShardStore(tmp_path), [], [], 8)
    assert vectors.shape == (0, 8)
    assert vectors.take([]).shape == (0, 8)
    assert vectors.lengths().shape == (0,)
    assert np.asarray(vectors).shape == (0, 8)


def test_a_shard_cut_short_is_named_with_the_cure(tmp_path: Path) -> None:
    ShardStore(tmp_path).write("000000.npy", np.zeros((10, 4), dtype=np.float16))
    path = tmp_path / "000000.npy"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CollectionError, match=r"000000\.npy.*explorer check"):
        open_shard(path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.npy"
    np.save(path, np.array([{"evil": True}], dtype=object), allow_pickle=True)
    with pytest.raises(CollectionError):
        open_shard(path)


def test_a_failed_write_leaves_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_args: object, **_kwargs: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        ShardStore(tmp_path).write("000000.npy", np.zeros((2, 2), dtype=np.float16))
    assert not list(tmp_path.glob("*.npy"))
