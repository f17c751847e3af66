"""Thresholds of a wanted precision, scores as probabilities: with intervals that hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score

from explorer.classify.calibration import Calibration, reliability
from explorer.classify.labelling_plan import LabellingPlan, StratifiedLabels
from explorer.classify.thresholds import precision_recall, threshold_for_precision
from explorer.errors import FormatVersionError, ParameterError


def windows(n: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a rare class, three units too high, and which windows are calls."""
    rng = np.random.default_rng(seed)
    right = rng.normal(-4, 2, n)
    return right + 3, rng.random(n) < expit(right)


def drawn(plan: LabellingPlan, calls) -> StratifiedLabels:
    rows = plan.to_label()
    return plan.labels(rows, ["positive" if calls[row] else "negative" for row in rows])


# --- golden -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(shared: Path):
    folder = shared / "golden"
    text = json.loads((folder / "manifest.json").read_text())["files"]["calibration.npz"]["tol"]
    with np.load(folder / "calibration.npz", allow_pickle=False) as found:
        values = dict(found)
    general, temperature = map(float, re.findall(r"\d+(?:\.\d+)?e-?\d+", text))
    return values, StratifiedLabels.plain(values["logit"], values["y"]), general, temperature


@pytest.mark.golden
def test_platt_equals_the_independent_computation(golden):
    values, labels, tolerance, _ = golden
    for smoothed, name in ((False, "platt_ab"), (True, "platt_smoothed_ab")):
        found = Calibration.fit(labels, smoothed=smoothed)
        np.testing.assert_allclose([found.slope, found.offset], values[name], rtol=tolerance)


@pytest.mark.golden
def test_reliability_equals_the_independent_computation(golden):
    values, labels, tolerance, _ = golden
    raw = reliability(expit(labels.scores), labels)
    platt = reliability(
        Calibration.fit(labels, smoothed=False).probabilities(labels.scores), labels
    )
    for found, name in ((raw, "raw"), (platt, "platt")):
        assert found.ece == pytest.approx(float(values[f"ece10_{name}"]), rel=tolerance)
        assert found.brier == pytest.approx(float(values[f"brier_{name}"]), rel=tolerance)
        assert found.log_loss == pytest.approx(float(values[f"nll_{name}"]), rel=tolerance)
    assert platt.log_loss < raw.log_loss


@pytest.mark.golden
def test_even_the_best_temperature_is_worse_than_platt_so_it_is_refused(golden):
    values, labels, tolerance, rough = golden

    def loss(temperature: float) -> float:
        return reliability(expit(labels.scores / temperature), labels).log_loss

    best = float(values["temperature"])
    assert loss(best) == pytest.approx(float(values["nll_temperature"]), rel=tolerance)
    assert loss(best) <= min(loss(best * (1 - 1e-3)), loss(best * (1 + 1e-3)))
    slope = (loss(best * (1 + rough)) - loss(best * (1 - rough))) / (2 * rough)
    assert abs(slope) < 1e-5
    platt = Calibration.fit(labels, smoothed=False).probabilities(labels.scores)
    assert reliability(platt, labels).log_loss < loss(best)
    with pytest.raises(ParameterError, match="only stretches scores"):
        Calibration.fit(labels, kind="temperature")


# --- probabilities ----------------------------------------------------------------------------


def test_labels_of_a_plan_are_weighed_by_the_windows_they_stand_for():
    """Where the curve does not fit everywhere, it must fit where the windows are."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1, 20_000)
    calls = rng.random(20_000) < 0.05 + 0.4 * (scores > 1.5)
    weighed, unweighed = [], []
    for seed in range(20):
        labels = drawn(LabellingPlan.draw(scores, per_bin=50, seed=seed), calls)
        plain = StratifiedLabels.plain(labels.scores, labels.positive)
        for results, given in ((weighed, labels), (unweighed, plain)):
            results.append(Calibration.fit(given).probabilities(scores).mean())
    truth = calls.mean()
    assert np.mean(weighed) == pytest.approx(truth, rel=0.1)
    assert abs(np.mean(weighed) - truth) < abs(np.mean(unweighed) - truth) / 2


def test_probabilities_are_near_the_truth_on_windows_that_were_not_labelled():
    scores, calls = windows()
    everything = StratifiedLabels.plain(scores, calls)
    found = Calibration.fit(drawn(LabellingPlan.draw(scores, per_bin=50), calls))
    assert found.message == ""
    before = reliability(expit(scores), everything)
    after = reliability(found.probabilities(scores), everything)
    assert before.ece > 0.2
    assert after.ece < 0.03
    assert after.log_loss < before.log_loss / 2


def test_the_interval_holds_the_true_probability():
    scores, calls = windows()
    at = np.array([-2.0, 1.0, 3.0, 5.0])
    truth = expit(at - 3)
    held = []
    for seed in range(150):
        found = Calibration.fit(drawn(LabellingPlan.draw(scores, seed=seed), calls))
        low, high = found.intervals(at)
        assert (low < found.probabilities(at)).all()
        held.append((low <= truth) & (truth <= high))
    assert (np.mean(held, axis=0) > 0.78).all()


def test_unweighted_platt_is_logistic_regression():
    scores, calls = windows(500)
    found = Calibration.fit(StratifiedLabels.plain(scores, calls), smoothed=False)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(scores[:, None], calls)
    assert found.slope == pytest.approx(peer.coef_[0, 0], rel=1e-4)
    assert found.offset == pytest.approx(peer.intercept_[0], rel=1e-4)


def test_scores_between_0_and_1_are_calibrated_by_their_logits():
    scores, calls = windows(2000)
    of_logits = Calibration.fit(StratifiedLabels.plain(scores, calls))
    of_scores = Calibration.fit(StratifiedLabels.plain(expit(scores), calls), scale="probability")
    assert of_scores.slope == pytest.approx(of_logits.slope, rel=1e-6)
    np.testing.assert_allclose(
        of_scores.probabilities(expit(scores)), of_logits.probabilities(scores), rtol=1e-5
    )
    ends = of_scores.probabilities([0.0, 1.0])
    assert np.isfinite(logit(ends)).all()


def test_labels_that_are_told_apart_fully_need_smoothing_and_get_wide_intervals():
    labels = StratifiedLabels.plain([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    with pytest.raises(ParameterError, match="leave smoothed=True"):
        Calibration.fit(labels, smoothed=False)
    found = Calibration.fit(labels)
    low, high = found.intervals([0.5])
    assert low < 0.3
    assert high > 0.9
    assert "50 or more are needed" in found.message


def test_a_calibration_says_when_it_should_not_be_trusted():
    with pytest.raises(ParameterError, match="0 yes and 3 no answers"):
        Calibration.fit(StratifiedLabels.plain([0.1, 0.2, 0.3], [False] * 3))
    with pytest.raises(ParameterError, match="use 'logit' or 'probability'"):
        Calibration.fit(StratifiedLabels.plain([0.1, 0.2], [0, 1]), scale="decibel")
    backwards = Calibration.fit(StratifiedLabels.plain(np.arange(60.0), np.arange(60) < 20))
    assert "does not work" in backwards.message


def test_a_calibration_is_kept_as_json_with_its_classifier():
    scores, calls = windows(600)
    found = Calibration.fit(StratifiedLabels.plain(scores, calls))
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    np.testing.assert_array_equal(again.probabilities(scores), found.probabilities(scores))
    assert (again.n_positive, again.n_negative) == (calls.sum(), (~calls).sum())
    with pytest.raises(FormatVersionError):
        Calibration.from_dict(found.to_dict() | {"version": 99})
    with pytest.raises(ParameterError, match="no explorer calibration"):
        Calibration.from_dict({"slope": 1})


# --- thresholds -------------------------------------------------------------------------------


def test_precision_and_recall_of_plain_labels_are_the_usual_ones():
    scores, calls = windows(800)
    curve = precision_recall(StratifiedLabels.plain(scores, calls), [-1.0, 1.0, 3.0])
    for at, threshold in enumerate(curve.thresholds):
        assert curve.precision[at] == pytest.approx(precision_score(calls, scores >= threshold))
        assert curve.recall[at] == pytest.approx(recall_score(calls, scores >= threshold))


def test_precision_of_a_plan_is_that_of_all_windows_and_its_interval_holds_it():
    scores, calls = windows()
    thresholds = np.quantile(scores, [0.8, 0.9, 0.97])
    above = scores >= thresholds[:, None]
    precision = (above & calls).sum(axis=1) / above.sum(axis=1)
    recall = (above & calls).sum(axis=1) / calls.sum()
    curves = [
        precision_recall(drawn(LabellingPlan.draw(scores, seed=seed), calls), thresholds, seed=seed)
        for seed in range(150)
    ]
    found = np.array([[curve.precision, curve.recall] for curve in curves])
    np.testing.assert_allclose(found.mean(axis=0), [precision, recall], atol=0.04)
    for name, truth in (("precision_interval", precision), ("recall_interval", recall)):
        low, high = np.moveaxis([getattr(curve, name) for curve in curves], -1, 0)
        assert (((low <= truth) & (truth <= high)).mean(axis=0) > 0.78).all(), name


def test_the_threshold_keeps_the_precision_that_was_wanted():
    scores, calls = windows()
    kept: dict[bool, list[float]] = {False: [], True: []}
    recalls: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(60):
        labels = drawn(LabellingPlan.draw(scores, per_bin=60, seed=seed), calls)
        for sure in (False, True):
            found = threshold_for_precision(labels, 0.6, sure=sure, draws=300, seed=seed)
            if not np.isnan(found.value):
                kept[sure].append(calls[scores >= found.value].mean())
                recalls[sure].append(calls[scores >= found.value].sum() / calls.sum())
                assert found.precision.low <= found.precision.value <= found.precision.high
                assert (found.precision.low if sure else found.precision.value) >= 0.6
    assert np.mean(kept[False]) == pytest.approx(0.6, abs=0.1)
    assert np.mean(np.array(kept[True]) >= 0.6) > 0.85
    assert np.mean(recalls[False]) > np.mean(recalls[True])


def test_a_precision_that_cannot_be_had_is_nan_with_the_best_there_is():
    labels = StratifiedLabels.plain(np.arange(40.0), np.arange(40) % 2 == 0)
    found = threshold_for_precision(labels, 0.95)
    assert np.isnan(found.value)
    assert "the best is" in found.message
    assert found.precision.value < 0.95
    silent = threshold_for_precision(StratifiedLabels.plain([0.1, 0.2], [0, 0]), 0.9)
    assert np.isnan(silent.value)
    assert "no calls among the 2 answers" in silent.message
    with pytest.raises(ParameterError, match="between 0 and 1"):
        threshold_for_precision(labels, 90)


def test_few_labels_that_are_all_right_are_not_certainty():
    labels = StratifiedLabels.plain([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    found = threshold_for_precision(labels, 0.9)
    assert found.value == 0.8
    assert found.precision.value == 1
    assert found.precision.low < 0.6
    assert np.isnan(threshold_for_precision(labels, 0.9, sure=True).value)


def test_windows_of_equal_score_lie_on_one_side_of_a_threshold():
    labels = StratifiedLabels.plain([0.5] * 10 + [0.9] * 10, [False] * 5 + [True] * 15)
    assert threshold_for_precision(labels, 0.7).value == 0.5
    assert threshold_for_precision(labels, 0.8).value == 0.9
    curve = precision_recall(labels, [0.95])
    assert np.isnan(curve.precision).all()
    assert curve.precision_interval.tolist() == [[0.0, 1.0]]
