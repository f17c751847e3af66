"""What is said of an adapted classifier: a change with its interval, or without labels a guess."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.classify.adaptation_evidence import (
    FEWEST_POSITIVES,
    advice,
    change_on_labels,
    estimate,
)
from explorer.classify.metrics import average_precision, roc_auc
from explorer.errors import ParameterError
from explorer.space.neighbours import knn_graph


@pytest.fixture
def labelled() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of three classes, scores that say little, and scores that say more."""
    rng = np.random.default_rng(0)
    truth = rng.random((240, 3)) < 0.2
    poor = truth + 1.5 * rng.standard_normal(truth.shape)
    better = truth + 0.5 * rng.standard_normal(truth.shape)
    return truth, poor, better


def test_a_gain_on_labels_is_shown_for_each_class_with_its_interval(labelled):
    truth, poor, better = labelled
    change = change_on_labels(truth, poor, better, classes=["grunt", "knock", "purr"])
    assert change.classes == ("grunt", "knock", "purr")
    assert change.positives == tuple(truth.sum(axis=0))
    for measures, measure in (
        (change.roc_auc, roc_auc),
        (change.average_precision, average_precision),
    ):
        np.testing.assert_allclose([one.before for one in measures], measure(truth, poor))
        np.testing.assert_allclose([one.after for one in measures], measure(truth, better))
        assert all(0 < one.low < one.change < one.high for one in measures)
    mean = change.mean_roc_auc
    assert mean.after == pytest.approx(roc_auc(truth, better).mean())
    assert mean.high - mean.low < change.roc_auc[0].high - change.roc_auc[0].low
    kept = advice(change)
    assert kept.keep and kept.on_labels
    assert "chance" not in kept.why and str(change.mean_roc_auc) in kept.why


def test_a_loss_on_labels_is_not_kept(labelled):
    truth, poor, better = labelled
    lost = advice(change_on_labels(truth, better, poor))
    assert not lost.keep and lost.on_labels
    assert "chance" not in lost.why


def test_no_change_is_kept_and_said_to_be_chance(labelled):
    truth, poor, _ = labelled
    same = advice(change_on_labels(truth, poor, poor))
    assert same.keep and "It may be chance" in same.why


def test_windows_of_one_recording_are_one_witness(labelled):
    truth, poor, better = labelled
    each = change_on_labels(truth, poor, better).mean_average_precision
    copies = [np.repeat(values, 8, axis=0) for values in (truth, poor, better)]
    recordings = np.repeat(np.arange(len(truth)), 8)
    together = change_on_labels(*copies, recordings=recordings).mean_average_precision
    apart = change_on_labels(*copies).mean_average_precision
    width = each.high - each.low
    assert together.high - together.low == pytest.approx(width, rel=0.25)
    assert apart.high - apart.low < 0.6 * width


def test_only_what_somebody_has_judged_counts(labelled):
    truth, poor, better = labelled
    known = np.zeros(truth.shape, bool)
    known[:120] = True
    wrong = np.where(known, truth, True)
    found = change_on_labels(wrong, poor, better, known=known)
    half = change_on_labels(truth[:120], poor[:120], better[:120])
    assert [one.after for one in found.roc_auc] == [one.after for one in half.roc_auc]


def test_windows_without_a_score_are_left_out(labelled):
    truth, poor, better = labelled
    broken = better.copy()
    broken[:10] = np.nan
    found = change_on_labels(truth, poor, broken)
    assert found.roc_auc[0].before == pytest.approx(roc_auc(truth[10:], poor[10:])[0])


def test_classes_with_few_labels_are_not_measured(labelled):
    truth, poor, better = labelled
    truth = truth.copy()
    truth[np.flatnonzero(truth[:, 1])[FEWEST_POSITIVES - 1 :], 1] = False
    assert change_on_labels(truth, poor, better).classes == ("0", "2")
    with pytest.raises(ParameterError, match="label more windows"):
        change_on_labels(np.zeros_like(truth), poor, better)
    with pytest.raises(ParameterError, match="n_windows, n_classes"):
        change_on_labels(truth, poor[:5], better)


@pytest.fixture
def unlabelled() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes in windows that lie in two groups, and the windows."""
    rng = np.random.default_rng(1)
    group = rng.random(300) < 0.3
    rows = 6.0 * group[:, None] + rng.standard_normal((300, 4))
    p = np.stack([0.1 + 0.8 * group, 0.2 - 0.1 * group], axis=1)
    return np.clip(p + 0.05 * rng.standard_normal(p.shape), 0, 1), rows


def test_without_labels_what_has_changed_is_an_estimate(unlabelled):
    p, rows = unlabelled
    graph = knn_graph(rows, 5)
    found = estimate(p, np.clip(1.1 * p - 0.05, 0, 1), graph)
    np.testing.assert_allclose(found.prevalence_before, p.mean(axis=0))
    assert found.entropy_after < found.entropy_before
    assert 0.9 < found.agreement_before < 1
    said = advice(found)
    assert said.keep and not said.on_labels
    assert said.why.startswith("An estimate") and "Label some" in said.why


@pytest.mark.parametrize(
    "astray",
    [
        np.zeros_like,
        lambda p: np.stack([p[:, 0], np.ones(len(p))], axis=1),
        lambda p: np.random.default_rng(2).permutation(p),
        lambda p: 1 - p,
    ],
    ids=["all classes vanish", "a class takes over", "chance", "upside down"],
)
def test_a_classifier_that_goes_astray_is_noticed_without_labels(unlabelled, astray):
    p, rows = unlabelled
    said = advice(estimate(p, astray(p), knn_graph(rows, 5)))
    assert not said.keep
    assert "of 2 classes rank the windows in an order" in said.why


def test_surer_and_rarer_is_not_astray(unlabelled):
    p, rows = unlabelled
    found = estimate(p, p**8, knn_graph(rows, 5))
    assert advice(found).keep
    np.testing.assert_allclose(found.order, 1)
    never = np.c_[p, np.full(len(p), 0.004)]
    assert advice(estimate(never, np.c_[p, np.zeros(len(p))], knn_graph(rows, 5))).keep


def test_damaged_windows_do_not_spoil_the_estimate(unlabelled):
    p, rows = unlabelled
    whole = estimate(p, p, knn_graph(rows, 5))
    rows, p = np.insert(rows, 7, np.nan, axis=0), np.insert(p, 7, np.nan, axis=0)
    found = estimate(p, p, knn_graph(rows, 5))
    assert found.entropy_after == pytest.approx(whole.entropy_after)
    assert found.agreement_after == pytest.approx(whole.agreement_after)


def test_an_estimate_needs_the_same_windows(unlabelled):
    p, rows = unlabelled
    with pytest.raises(ParameterError, match="same windows"):
        estimate(p, p[:9], knn_graph(rows, 5))
