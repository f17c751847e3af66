"""Why a window scores as it does: closed formulas against refits, and what is said about them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.classify.influence import (
    Curvature,
    centroid_left_out,
    ridge_left_out,
    takeuchi,
    trak,
)
from explorer.classify.logistic import solve
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
