"""Why a window scores as it does: closed formulas against refits, and what is said about them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.classify.background import Background
from explorer.classify.centroid import METHODS, SPREAD, NearestCentroid
from explorer.classify.evidence import (
    contributions,
    expected_gap,
    explain,
    left_out,
    suspects,
)
from explorer.classify.influence import (
    Curvature,
    centroid_left_out,
    ridge_left_out,
    takeuchi,
    trak,
)
from explorer.classify.labelled import Labelled
from explorer.classify.logistic import solve
from explorer.classify.probe import Probe
from explorer.classify.training import Problem, Training
from explorer.errors import ParameterError


def stored(shared: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / f"{name}.npz", allow_pickle=False) as opened:
        return dict(opened)


def tolerance(shared: Path, name: str) -> float:
    """The first relative tolerance that the manifest states."""
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    return float(re.findall(r"rtol (\d?e?-?\d+)", files[f"{name}.npz"]["tol"])[0])


# Closed formulas ----------------------------------------------------------------------------------


@pytest.mark.golden
@pytest.mark.parametrize("metric", ["euclid", "cosine", "dot"])
def test_each_example_left_out_of_its_centroid(shared, metric):
    golden, rtol = stored(shared, "loo_centroid_ridge"), tolerance(shared, "loo_centroid_ridge")
    rows, of = golden["X"], golden["y"]
    np.testing.assert_array_equal(np.bincount(of), golden["counts"])
    means = [rows[of == at].mean(axis=0) for at in range(len(golden["counts"]))]
    np.testing.assert_allclose(means, golden["centroids"], rtol=rtol)
    found = centroid_left_out(rows, of, metric)
    np.testing.assert_allclose(found.full, golden[f"full_{metric}"], rtol=rtol)
    np.testing.assert_allclose(found.left_out, golden[f"loo_{metric}"], rtol=rtol)
    alone = golden["counts"][of] == 1
    assert np.isnan(found.left_out[alone, of[alone]]).all()


@pytest.mark.golden
def test_each_row_left_out_of_a_ridge_regression(shared):
    golden, rtol = stored(shared, "loo_centroid_ridge"), tolerance(shared, "loo_centroid_ridge")
    found = ridge_left_out(golden["X"], golden["ridge_targets"], float(golden["ridge_lambda"]))
    np.testing.assert_allclose(found.fit, golden["ridge_fit"], rtol=rtol)
    np.testing.assert_allclose(found.leverage, golden["ridge_leverage"], rtol=rtol)
    np.testing.assert_allclose(found.left_out, golden["ridge_loo_pred"], rtol=rtol)


@pytest.mark.golden
def test_what_each_example_does_to_a_logistic_regression(shared):
    golden, rtol = stored(shared, "influence_logistic"), tolerance(shared, "influence_logistic")
    rows, targets, theta = golden["X"], golden["y"], golden["theta"]
    found = Curvature.of(rows, targets, theta, float(golden["lam_sum"]))
    np.testing.assert_allclose(found.reach, golden["leverage_a"], rtol=rtol)
    np.testing.assert_allclose(found.left_out_logits(), golden["alo_logit"], rtol=rtol)
    asked = golden["X_test"]
    first = found.change(asked, newton=False)
    np.testing.assert_allclose(first, golden["influence_first_order"], rtol=rtol, atol=1e-12)
    newton = found.change(asked)
    np.testing.assert_allclose(newton, golden["influence_newton"], rtol=rtol, atol=1e-12)
    helps = trak(rows, targets, theta, asked, golden["y_test"])
    np.testing.assert_allclose(helps, golden["trak"], rtol=rtol, atol=1e-12)


@pytest.mark.golden
def test_newton_steps_are_close_to_refits_and_closer_than_first_order(shared):
    golden = stored(shared, "influence_logistic")
    found = Curvature.of(golden["X"], golden["y"], golden["theta"], float(golden["lam_sum"]))

    def agreement(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    assert agreement(found.left_out_logits(), golden["exact_loo_logit"]) > 0.99
    newton = agreement(found.change(golden["X_test"]), golden["exact_change"])
    first = agreement(found.change(golden["X_test"], newton=False), golden["exact_change"])
    assert newton > 0.99
    assert newton > first


@pytest.mark.golden
def test_takeuchis_criterion_of_a_logistic_regression(shared):
    golden, rtol = stored(shared, "tic_logistic"), tolerance(shared, "tic_logistic")
    rows, targets = golden["X"], golden["y"]
    penalties = [name.removeprefix("theta_lam") for name in golden if name.startswith("theta_lam")]
    assert penalties
    for penalty in penalties:
        theta = golden[f"theta_lam{penalty}"]
        found = takeuchi(rows, targets, theta, float(penalty))
        centred = takeuchi(rows, targets, theta, float(penalty), centred=True)
        assert found.identifiable
        wanted = {
            "H": found.hessian,
            "C": found.covariance,
            "C_centered": centred.covariance,
            "tic_uncentered": found.gap,
            "tic_centered": centred.gap,
            "tic_ratio": found.ratio,
        }
        for name, value in wanted.items():
            stored_value = golden[f"{name}_lam{penalty}"]
            np.testing.assert_allclose(value, stored_value, rtol=rtol, atol=1e-12, err_msg=name)
        logits = rows @ theta
        loss = (np.logaddexp(0, logits) - targets * logits).mean()
        np.testing.assert_allclose(loss, golden[f"train_loss_lam{penalty}"], rtol=rtol)
        # The same number from the curvature, of the sum instead of the mean.
        bent = Curvature.of(rows, targets, theta, float(penalty) * len(rows))
        assert found.gap == pytest.approx((bent.residuals**2 * bent.reach).mean(), rel=rtol)
    for name in golden:
        if name.startswith("loo_gap_lam"):
            exact = float(golden[name])
            estimate = float(golden[f"tic_uncentered_lam{name.removeprefix('loo_gap_lam')}"])
            assert estimate == pytest.approx(exact, rel=0.3)


@pytest.mark.golden
def test_takeuchis_criterion_of_a_softmax_regression(shared):
    golden, rtol = stored(shared, "tic_softmax"), tolerance(shared, "tic_softmax")
    given = (golden["X"], golden["y"], golden["theta"], float(golden["lam"]))
    found, centred = takeuchi(*given), takeuchi(*given, centred=True)
    np.testing.assert_allclose(found.hessian, golden["H"], rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(found.covariance, golden["C"], rtol=rtol, atol=1e-12)
    assert found.gap == pytest.approx(float(golden["tic_uncentered"]), rel=rtol)
    assert centred.gap == pytest.approx(float(golden["tic_centered"]), rel=rtol)
    assert np.linalg.matrix_rank(found.hessian) == int(golden["rank_H"])
    # Without a penalty a softmax has a direction that nothing fixes.
    assert not takeuchi(*given[:3], 0.0).identifiable


def regression(n: int, dimension: int, penalty: float, apart: float) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, dimension))
    targets = (apart * rows[:, 0] + rng.normal(size=n) * (apart < 50) > 0).astype(float)
    given = (torch.from_numpy(rows), torch.from_numpy(targets)[None], torch.ones(1, n).double())
    solved = solve(*given, penalty=penalty, tolerance=1e-10)[0].numpy()
    return np.c_[rows, np.ones(n)], targets, solved


def test_the_gap_is_not_identifiable_where_classes_can_be_parted():
    rows, targets, theta = regression(40, 3, 1e-6, apart=100)
    found = takeuchi(rows, targets, theta, 1e-6 / 40)
    assert not found.identifiable
    assert np.isnan(found.gap)
    assert "one example alone" in found.reason


def test_the_gap_is_not_identifiable_with_few_examples_and_hardly_a_penalty():
    rows, targets, theta = regression(12, 30, 1e-4, apart=1)
    assert not takeuchi(rows, targets, theta, 1e-4 / 12).identifiable
    rows, targets, theta = regression(200, 3, 1e-4, apart=1)
    assert takeuchi(rows, targets, theta, 1e-4 / 200).identifiable


def test_without_a_single_optimum_there_is_no_curvature():
    with pytest.raises(ParameterError, match="no single optimum"):
        Curvature.of(np.ones((2, 3)), [0, 1], np.zeros(3), 0.0)


# Real classifiers ---------------------------------------------------------------------------------


class Place:
    """Windows of a place with two sounds in them, and labels of every kind there is."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.windows = rng.exponential(1, (400, 24)).astype(np.float32)
        self.windows[:40] += rng.random(24) * 4
        self.windows[40:80] += rng.random(24) * 4
        rows = [0, 1, 2, 3, 40, 41, 42, 90, 91, 92, 200]
        truth = np.full((len(rows), 3), np.nan, np.float32)
        truth[0:4, 0] = truth[4:7, 1] = 1
        truth[3, 1] = 1  # two classes in one window
        truth[7:10, 0] = truth[[2, 8], 1] = 0  # refused
        truth[10, 2] = 1  # the only example of its class
        self.labelled = Labelled(("grunt", "boat", "rain"), self.windows[rows], truth)
        self.background = Background.fit(self.windows)

    def centroid(self, labelled: Labelled | None = None, method: str = "relative"):
        labelled = labelled or self.labelled
        return NearestCentroid.fit(
            labelled.examples(),
            negatives=labelled.negatives(),
            background=self.background,
            method=method,  # type: ignore[arg-type]
        )

    def without(self, row: int) -> Labelled:
        rest = np.delete(np.arange(len(self.labelled)), row)
        return self.labelled.take(rest, np.flatnonzero(self.labelled.positive[rest].any(axis=0)))


@pytest.fixture(scope="module")
def place() -> Place:
    return Place()


@pytest.mark.parametrize("method", METHODS)
def test_a_centroid_without_an_example_is_the_one_fitted_without_it(place, method):
    model = place.centroid(method=method)
    windows = place.background.prepare(place.windows)
    full, scores = model.similarities(windows), left_out(model, place.labelled)
    for column, name in enumerate(place.labelled.classes):
        found = contributions(model, place.labelled, windows, name)
        assert found.shape == (400, 11)
        for row in range(11):
            refitted = place.centroid(place.without(row), method)
            if name not in refitted.classes:
                assert np.isnan(found[:, row]).all()
                assert np.isnan(scores[row, column])
                continue
            at = refitted.classes.index(name)
            change = full[:, column] - refitted.similarities(windows)[:, at]
            np.testing.assert_allclose(found[:, row], change, atol=2e-5)
            own = refitted.similarities(place.labelled.rows[[row]])[0, at]
            if method == "relative":
                own = 1 / (1 + np.exp((float(model.midpoint[column]) - own) / SPREAD))
            assert scores[row, column] == pytest.approx(own, abs=2e-3)  # a float16 in between


def test_a_probe_without_an_example_is_close_to_the_one_solved_without_it(place):
    labelled, background = place.labelled.take(np.arange(10), np.arange(2)), place.background
    probe = Probe.fit(labelled, background=background, training=Training(penalty=1.0))
    problem = Problem.of(labelled, background, probe.training)
    found = contributions(probe, labelled, place.windows, "grunt")
    for row in range(10):
        counts = problem.weights.clone()
        counts[:, row] = 0
        given = (problem.features, problem.targets, counts)
        refit = solve(*given, penalty=1.0)[0]
        before = solve(*given[:2], problem.weights, penalty=1.0)[0]
        vectors = background.transform(place.windows).double()
        change = (vectors @ (before - refit)[:-1] + (before - refit)[-1]).numpy()
        assert np.corrcoef(found[:, row], change)[0, 1] > 0.99
        assert np.abs(found[:, row] - change).max() < 0.2 * np.abs(change).max() + 1e-3


def test_examples_speak_for_their_class_and_others_against_it(place):
    for model in (place.centroid(), Probe.fit(place.labelled, background=place.background)):
        why = explain(model, place.labelled, place.windows[5], "grunt", most=3)
        assert why.supports[0][0] in {0, 1, 2, 3}
        assert len(why.supports) == 3
        values = [value for _, value in why.supports]
        assert values == sorted(values, reverse=True)
        assert all(value < 0 for _, value in why.contradicts)
        assert "Of 4 examples of grunt" in why.sentence
        only = explain(model, place.labelled, place.windows[5], "rain")
        assert only.supports[0][0] == 10
        assert only.sentence == "There is a single example of rain so far."


def test_a_swapped_label_is_suspected_and_the_reason_given(place):
    rows = np.concatenate([place.windows[:8], place.windows[40:48]])
    truth = np.full((16, 2), np.nan, np.float32)
    truth[:8, 0] = truth[8:, 1] = 1
    truth[3] = [np.nan, 1]  # a grunt that was labelled a boat
    labelled = Labelled(("grunt", "boat"), rows, truth)
    for model in (place.centroid(labelled), Probe.fit(labelled, background=place.background)):
        found = suspects(model, labelled)
        assert found[0].row == 3
        assert found[0].class_ == "boat"
        assert found[0].doubt > 0.5
        assert re.match(r"Labelled boat, but it is like grunt \(0\.\d+\)", found[0].reason)
        assert len(found) <= 2


def test_a_refused_window_of_the_class_is_suspected(place):
    rows = place.windows[:9]
    truth = np.array([[1]] * 8 + [[0]], np.float32)
    labelled = Labelled(("grunt",), rows, truth)
    found = suspects(place.centroid(labelled), labelled)
    assert [suspect.row for suspect in found] == [8]
    assert not any(suspect.is_example for suspect in found)
    assert "Refused as grunt" in found[0].reason


def test_the_gap_of_a_few_shot_probe_is_told_from_examples_left_out(place):
    labelled = place.labelled.take(np.arange(10), np.arange(2))
    probe = Probe.fit(labelled, background=place.background)
    gap = expected_gap(probe)["grunt"]
    assert np.isnan(gap.takeuchi)
    assert "one example alone" in gap.reason
    assert gap.left_out > 0
    # Against refits without each window in turn:
    problem = Problem.of(labelled, place.background, probe.training)
    counts = problem.weights[0].repeat(10, 1)
    counts[torch.arange(10), torch.arange(10)] = 0
    refits = solve(problem.features, problem.targets[0].repeat(10, 1), counts, penalty=0.1)
    logits = (problem.features[:10] * refits[:, :-1]).sum(dim=1) + refits[:, -1]
    targets = problem.targets[0, :10]
    loss = (torch.nn.functional.softplus(logits) - targets * logits).mean()
    assert gap.loss + gap.left_out == pytest.approx(float(loss), rel=0.2)


def test_a_classifier_of_other_windows_is_refused(place):
    model = place.centroid()
    with pytest.raises(ParameterError, match="not made of these"):
        left_out(model, place.without(0))
    with pytest.raises(ParameterError, match="no class 'whale'"):
        contributions(model, place.labelled, place.windows, "whale")
    bent = Probe.fit(place.labelled, background=place.background, training=Training(hidden_units=1))
    with pytest.raises(ParameterError, match="without hidden units"):
        explain(bent, place.labelled, place.windows[0], "grunt")
    elsewhere = Background.fit(place.windows[100:]).prepare(place.windows)
    with pytest.raises(ParameterError, match="another geometry"):
        contributions(model, place.labelled, elsewhere, "grunt")
