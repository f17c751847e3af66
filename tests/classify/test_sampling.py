"""What to label next: not what is labelled, not copies, from every site, and with a reason."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.classify.diversity import (
    distance_from,
    distance_to,
    entropy,
    farthest_first,
    thinned,
    unit,
    utility,
)
from explorer.classify.sampling import STRATEGIES, next_to_label
from explorer.errors import ParameterError


def windows(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Background, and a rare class: 30 windows of three kinds, which the scores tell roughly."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 16)).astype(np.float32)
    for kind in range(3):
        rows[10 * kind : 10 * kind + 10] += 6 * np.eye(16)[kind]
    scores = np.clip(rng.normal(np.where(np.arange(n) < 30, 0.8, 0.2), 0.15), 0, 1)
    return rows, scores


# --- golden -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "batch_selection.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.mark.golden
def test_doubt_and_distance_equal_the_independent_computation(golden):
    np.testing.assert_allclose(entropy(golden["P"]), golden["binary_entropy_bits"], rtol=1e-12)
    np.testing.assert_allclose(distance_from(golden["P"]), golden["multilabel_margin"], rtol=1e-12)
    rows, labelled = golden["E"], golden["labelled"]
    distance = distance_to(rows, rows[labelled])
    np.testing.assert_allclose(distance, golden["min_sqdist_to_labelled"], rtol=1e-9, atol=1e-12)
    worth = utility(entropy(golden["P"]), distance, entropy_weight=float(golden["alpha"]))
    np.testing.assert_allclose(worth, golden["utility"], rtol=1e-12)


@pytest.mark.golden
def test_picks_equal_the_independent_computation(golden):
    rows, labelled = golden["E"], golden["labelled"]
    free = np.setdiff1d(np.arange(len(rows)), labelled)
    picked = thinned(
        rows[free],
        golden["utility"][free],
        len(golden["mmr_pick"]),
        weight=float(golden["mmr_lambda"]),
    )
    np.testing.assert_array_equal(free[picked], golden["mmr_pick"])
    picked = farthest_first(rows[free], rows[labelled], len(golden["coreset_pick"]))
    np.testing.assert_array_equal(free[picked], golden["coreset_pick"])
    found = next_to_label(
        rows, golden["P"], labelled, len(golden["margin_pick"]), strategy="margin"
    )
    np.testing.assert_array_equal(found.rows, golden["margin_pick"])


# --- every strategy ---------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_that_is_labelled_or_without_a_score_is_proposed(strategy):
    rows, scores = windows()
    scores[5:20] = np.nan
    labelled = list(range(0, 600, 2))
    sites = np.arange(600) % 7
    met: set[int] = set()
    while True:
        found = next_to_label(rows, scores, labelled, 40, strategy=strategy, sites=sites)
        assert len(found.rows) == len(found.reasons) == len(set(found.rows.tolist()))
        assert not set(found.rows) & set(labelled)
        met |= set(found.rows.tolist())
        labelled += found.rows.tolist()
        if not len(found.rows):
            break
    # In the end every window that can be labelled has been proposed.
    assert met == {row for row in range(600) if row % 2 and not 5 <= row < 20}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_input_gives_the_same_windows(strategy):
    rows, scores = windows()
    first, again = (
        next_to_label(rows, scores, [1, 2], 12, strategy=strategy, sites=np.arange(600) % 5, seed=3)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.reasons == again.reasons


def test_the_plain_strategies_are_what_their_names_say():
    rows, scores = windows()
    top = next_to_label(rows, scores, [], 5, strategy="top")
    np.testing.assert_array_equal(top.rows, np.argsort(-scores, kind="stable")[:5])
    assert top.reasons[0] == f"high score ({scores.max():.2f})"
    margin = next_to_label(rows, scores, [], 5, strategy="margin")
    np.testing.assert_array_equal(margin.rows, np.argsort(abs(scores - 0.5), kind="stable")[:5])
    assert margin.reasons[0].startswith("unsure (score 0.5")
    target = next_to_label(rows, scores, [], 5, strategy="target", target=0.3)
    np.testing.assert_array_equal(target.rows, np.argsort(abs(scores - 0.3), kind="stable")[:5])
    assert "near the score of 0.3" in target.reasons[0]
    one, other = (
        next_to_label(rows, scores, [], 5, strategy="random", seed=seed).rows for seed in (0, 1)
    )
    assert set(one) != set(other)


def test_windows_of_equal_score_come_in_their_own_order():
    flat = next_to_label(np.eye(50), np.full(50, 0.7), [0], 4, strategy="top")
    np.testing.assert_array_equal(flat.rows, [1, 2, 3, 4])


# --- the default ------------------------------------------------------------------------------


def test_a_batch_holds_likely_calls_and_something_else_and_says_which():
    rows, scores = windows()
    found = next_to_label(rows, scores, [0], 10)
    likely = [reason for reason in found.reasons if reason.startswith("likely a call")]
    assert len(likely) == 6
    assert all("new kind of sound" in reason or "unsure" in reason for reason in found.reasons[6:])
    assert (scores[found.rows[:6]] > 0.55).all()
    silent = next_to_label(rows, scores / 4, [0], 10)
    assert silent.reasons[0] == f"best guess (score {scores[silent.rows[0]] / 4:.2f})"
    # The likely ones are not all of the kind that is known.
    assert len(set(found.rows[:6] // 10)) >= 2


def test_shares_hold_for_batches_of_one_too():
    rows, scores = windows()
    labelled, reasons = [0], []
    for _ in range(20):
        found = next_to_label(rows, scores, labelled, 1)
        labelled += found.rows.tolist()
        reasons += found.reasons
    assert sum("likely" in reason for reason in reasons) == 12


def test_copies_of_one_sound_are_not_proposed_together():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 16))
    rows[:40] = rows[0] + 0.01 * rng.normal(size=(40, 16))  # one noise, forty times
    scores = np.where(np.arange(300) < 40, 0.9, rng.uniform(0.6, 0.85, 300))
    top = next_to_label(rows, scores, [], 10, strategy="top")
    ours = next_to_label(rows, scores, [], 10)
    assert (top.rows < 40).all()
    assert (ours.rows < 40).sum() <= 2


def test_doubt_counts_for_more_once_there_are_labels():
    rows, scores = windows(2000)
    scores[100:] = np.random.default_rng(1).uniform(0, 0.9, 1900)
    few = next_to_label(rows, scores, [0], 50)
    many = next_to_label(rows, scores, np.r_[0:60], 50)
    few_else, many_else = few.rows[30:], many.rows[30:]
    assert entropy(scores[many_else]).mean() > entropy(scores[few_else]).mean()


def test_every_site_is_looked_at():
    """One site is loud and scores high all over: the others are heard too."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, 16))
    sites = np.repeat(["loud", "a", "b", "c", "d"], 1000)
    scores = rng.uniform(0, 0.4, 5000) + 0.6 * (sites == "loud")
    alone = next_to_label(rows, scores, [0], 20)
    spread = next_to_label(rows, scores, [0], 20, sites=sites)
    assert set(sites[alone.rows]) == {"loud"}
    assert set(sites[spread.rows]) == set(sites)
    # The likely calls stay where they are.
    assert (sites[spread.rows[:12]] == "loud").all()


def test_no_class_crowds_the_others_out():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 16))
    scores = np.c_[rng.uniform(0.8, 1, 400), rng.uniform(0, 0.1, 400)]
    scores[:10, 1] = 0.3  # a new class, not yet scored high
    scores[:10, 0] = 0.0
    found = next_to_label(rows, scores, [50], 10)
    assert (found.rows[:6] < 10).sum() >= 2


def test_embeddings_may_be_of_any_kind():
    rows, scores = windows()

    class Stored:
        """As a collection's vectors: rows are taken, never all read."""

        def __len__(self) -> int:
            return len(rows)

        def take(self, wanted) -> np.ndarray:
            assert len(wanted) < 300
            return rows[wanted]

    expected = next_to_label(rows, scores, [3], 8).rows
    for given in (rows.astype(np.float64), torch.from_numpy(rows), Stored(), rows.tolist()):
        np.testing.assert_array_equal(next_to_label(given, scores, [3], 8).rows, expected)


def test_windows_whose_embedding_is_not_finite_are_passed_over():
    rows, scores = windows()
    rows[np.argsort(-scores)[:5]] = np.nan
    found = next_to_label(rows, scores, [int(np.argmax(scores))], 10)
    assert len(found.rows) == 10
    assert np.isfinite(rows[found.rows]).all()


def test_what_cannot_be_right_is_refused_with_a_cure():
    rows, scores = windows()
    with pytest.raises(ParameterError, match="use one of explore, margin"):
        next_to_label(rows, scores, [], strategy="clever")
    with pytest.raises(ParameterError, match="600 embeddings, but scores of shape"):
        next_to_label(rows, scores[:5], [])
    with pytest.raises(ParameterError, match="0 to 599"):
        next_to_label(rows, scores, [600])
    with pytest.raises(ParameterError, match="give one a window"):
        next_to_label(rows, scores, [], sites=["a"])
    assert len(next_to_label(rows, scores, [], 0).rows) == 0


def test_a_rare_class_of_several_kinds_is_found_sooner_than_by_doubt_or_chance():
    """A classifier that knows one kind of call: who finds more of them soon."""
    rng = np.random.default_rng(0)
    found = dict.fromkeys(("explore", "margin", "random"), 0)
    for seed in range(5):
        rows, _ = windows(1500, seed)
        of_class = np.arange(1500) < 30
        for strategy in found:
            labelled = [int(rng.integers(10))]
            for _ in range(5):
                calls = [row for row in labelled if of_class[row]]
                cosine = unit(rows) @ unit(unit(rows)[calls].mean(axis=0))[0]
                scores = 1 / (1 + np.exp(-(cosine - 0.4) / 0.1))
                proposed = next_to_label(rows, scores, labelled, 8, strategy=strategy, seed=seed)
                labelled += proposed.rows.tolist()
            found[strategy] += of_class[labelled].sum()
    assert found["explore"] > 2 * max(found["margin"], found["random"])


def test_a_large_collection_is_answered_at_once():
    rng = np.random.default_rng(0)
    n = 200_000
    rows = np.zeros((n, 64), np.float16)
    rows[:, :8] = rng.normal(size=(n, 8))
    scores = rng.random((n, 3), dtype=np.float32)
    sites, labelled = rng.integers(0, 100, n), rng.choice(n, 1000, replace=False)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        next_to_label(rows, scores, labelled, 25, sites=sites)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1  # 0.1 s on two idle cores; this only tells a loop over all windows
