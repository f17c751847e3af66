"""Curves from recordings left out: areas are the AUC, intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from explorer.classify.background import Background
from explorer.classify.choice import held_out
from explorer.classify.curves import (
    confusions,
    effective_number,
    precision_recall_of_labels,
    score_bins,
    share_interval,
)
from explorer.classify.labelled import Labelled
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.classify.roc import auc_interval, roc_of_matches, roc_of_scores
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def labelled():
    """Two sounds that overlap, over six nights."""
    rng = np.random.default_rng(4)
    truth = np.full((48, 2), np.nan, np.float32)
    truth[np.arange(48), np.arange(48) % 2] = 1
    rows = rng.normal(size=(48, 8)) + 1.2 * np.nan_to_num(truth) @ np.eye(2, 8)
    nights = np.array([f"night {number}" for number in np.arange(48) // 8], dtype=object)
    return Labelled(("wren", "robin"), rows.astype(np.float32), truth, nights)


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_the_area_under_the_curve_is_the_auc_that_is_told(labelled, kind):
    quiet = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float32)
    found = held_out([kind], labelled, Background.fit(quiet))[kind]
    outcome = found.outcome
    for column in range(2):
        matches = outcome.trial.matches(outcome.splits, outcome.scores, column)
        roc = roc_of_matches(matches, labelled.groups)
        assert roc.auc == pytest.approx(found.auc[column], abs=1e-9)
        assert np.trapezoid(roc.found, roc.false_alarms) == pytest.approx(roc.auc, abs=1e-9)
        assert (np.diff(roc.false_alarms) >= 0).all()
        assert (np.diff(roc.found) >= -1e-12).all()
        assert roc.low < roc.auc < roc.high
        assert (roc.n_examples, roc.n_others) == (24, 24 + len(outcome.trial.windows) - 48)


def test_the_curve_of_one_part_is_that_of_scikit_learn_ties_and_all():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 9, 200) / 8, rng.random(200) < 0.3
    roc = roc_of_scores(scores, positive, np.arange(200) % 20)
    x, y, _ = roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc.false_alarms, x)
    np.testing.assert_allclose(roc.found, y)
    assert roc.auc == pytest.approx(roc_auc_score(positive, scores))


def test_without_an_example_or_anything_else_there_is_no_auc():
    for positive in ([True, True], [False, False]):
        roc = roc_of_scores([0.2, 0.4], positive, ["a", "b"])
        assert np.isnan(roc.auc)
        assert (roc.low, roc.high) == (0, 1)


def test_an_auc_of_one_from_few_windows_is_not_certain():
    low, high = auc_interval(1.0, 4, 8)
    assert high == 1
    assert low < 0.8 < auc_interval(1.0, 40, 80)[0]


def test_intervals_of_the_auc_hold_it_as_often_as_they_say():
    """Normal scores of distance one: the true AUC is .76."""
    rng = np.random.default_rng(2)
    held = []
    for _ in range(300):
        positive = np.arange(60) < 20
        scores = rng.normal(size=60) + positive
        roc = roc_of_scores(scores, positive, np.arange(60))
        held.append(roc.low <= 0.7602 <= roc.high)
    assert 0.85 < np.mean(held) <= 0.97


def test_recordings_that_differ_widen_the_interval_of_the_auc():
    rng = np.random.default_rng(5)
    night = np.repeat(np.arange(8), 10)
    positive = np.tile(np.arange(10) < 4, 8)
    scores = rng.normal(size=80) + positive
    alike = roc_of_scores(scores, positive, np.arange(80))
    # In half of the recordings the class sounds otherwise, and is ranked last.
    scores[(night % 2 == 0) & positive] -= 3
    differ = roc_of_scores(scores, positive, night)
    windows = roc_of_scores(scores, positive, np.arange(80))
    assert differ.high - differ.low > windows.high - windows.low > 0
    assert alike.low > differ.low


def test_precision_and_recall_are_counted_by_hand_and_equal_scores_are_one():
    found = precision_recall_of_labels(
        [0.9, 0.5, 0.5, 0.1], [True, False, True, True], list("abcd"), [0.0, 0.5, 0.51, 1.0]
    )
    assert found.precision[:3].tolist() == [0.75, 2 / 3, 1.0]
    assert np.isnan(found.precision[3])
    assert found.precision_interval[3].tolist() == [0, 1]
    np.testing.assert_allclose(found.recall, [1, 2 / 3, 1 / 3, 0])
    assert found.n_detections.tolist() == [4, 3, 1, 0]
    for value, interval in (
        (found.precision, found.precision_interval),
        (found.recall, found.recall_interval),
    ):
        known = ~np.isnan(value)
        assert (interval[known, 0] <= value[known]).all()
        assert (value[known] <= interval[known, 1]).all()


def test_wilsons_interval_is_the_published_one():
    """Newcombe 1998, table I: 81 of 263 and 1 of 29 at 95 %."""
    np.testing.assert_allclose(
        share_interval([81, 1], [263, 29], level=0.95),
        [[0.2553, 0.3662], [0.0061, 0.1718]],
        atol=5e-5,
    )


def test_ten_labels_of_one_recording_are_worth_one():
    assert effective_number([[5]], [[10]]).tolist() == [1.0]
    one = precision_recall_of_labels(np.ones(10), np.arange(10) < 9, ["a"] * 10, [0.5])
    many = precision_recall_of_labels(np.ones(10), np.arange(10) < 9, list("abcdefghij"), [0.5])
    assert one.precision == many.precision
    assert one.precision_interval[0, 0] < many.precision_interval[0, 0] - 0.2


def test_intervals_of_clustered_labels_hold_the_truth_as_often_as_they_say():
    """Ten recordings of eight detections; what share is right differs between recordings."""
    rng = np.random.default_rng(3)
    nights = np.repeat(np.arange(10), 8)
    held, plainly = [], []
    for _ in range(400):
        right = rng.random(80) < rng.beta(4, 2, 10)[nights]
        clustered = precision_recall_of_labels(np.ones(80), right, nights, [0.5])
        low, high = clustered.precision_interval[0]
        held.append(low <= 2 / 3 <= high)
        low, high = share_interval(right.sum(), 80)
        plainly.append(low <= 2 / 3 <= high)
    assert np.mean(held) > 0.85
    assert np.mean(plainly) < 0.8


def test_arrays_that_do_not_agree_are_refused():
    with pytest.raises(ParameterError, match="for each labelled window"):
        precision_recall_of_labels([0.5], [True, False], ["a"], [0.5])


def test_answers_of_a_study_count_in_score_bins_for_the_windows_they_stand_for():
    labels = StratifiedLabels(
        scores=np.array([0.41, 0.42, 0.48, 0.49]),
        positive=np.array([False, False, True, True]),
        bins=np.array([0, 0, 1, 1]),
        weights=np.array([0.9, 0.1]),
    )
    found = score_bins(labels, n_bins=2)
    assert found.share[0] == pytest.approx(0.1)
    assert np.isnan(found.share[1])
    assert found.n_labels.tolist() == [4, 0]
    # Unequal weights are worth fewer than four answers.
    assert found.interval[0, 1] > share_interval(0.4, 4)[1]


def test_a_window_of_two_classes_is_no_confusion_when_its_own_is_found():
    nan = np.nan
    truth = [[1, 1, nan], [1, nan, nan], [0, nan, nan], [nan, nan, 1]]
    scores = [[0.9, 0.8, 0.1], [0.2, 0.6, 0.9], [0.7, 0.1, 0.1], [0.6, 0.1, 0.2]]
    found = confusions(truth, scores, [0.5, 0.5, 0.5])
    assert found.found.tolist() == [1, 1, 0]
    assert found.missed.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    # Refused, and of none of the classes; of the third; the second class is mixed up once.
    assert found.mistaken.tolist() == [[0, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
