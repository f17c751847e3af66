"""ROC-AUC and average precision: right with ties, masks and empty classes, and equal to BIRB's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from explorer.classify.metrics import (
    average_precision,
    cmap,
    geometric_mean,
    macro_mean,
    mean_roc_auc,
    roc_auc,
    roc_variance,
)
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "birb_metrics.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module", params=["float64", "float32"])
def close(shared: Path, request):
    """Compare as the manifest allows for this type of number."""
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    text = files["birb_metrics.npz"]["tol"]
    allowed = re.findall(r"(\S+) \(float64\), (\S+) \(float32\)", text.replace("rtol ", ""))[0]
    rtol = float(allowed[request.param == "float32"])

    def compare(found, wanted, message=""):
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-12, err_msg=message)

    compare.dtype = np.dtype(request.param)
    return compare


@pytest.mark.golden
def test_every_class_equals_the_reference_without_ties(golden, close):
    labels, scores = golden["labels"], golden["scores"].astype(close.dtype)
    for order in (True, False):
        auc = mean_roc_auc(labels, scores, reference_order=order)
        close(auc.individual, golden["roc_individual"])
        close(auc.macro, golden["roc_macro"])
        close(auc.geometric, golden["roc_geometric"])
        close(_where_positive(labels, golden["roc_var"]), roc_variance(labels, scores))
        precision = cmap(labels, scores, reference_order=order)
        close(precision.individual, golden["cmap_individual"])
        close(precision.macro, golden["cmap_macro"])


@pytest.mark.golden
def test_thresholds_on_positives_are_strict_for_cmap_and_not_for_auc(golden, close):
    labels, scores = golden["labels"], golden["scores"].astype(close.dtype)
    close(cmap(labels, scores, more_than=5).individual, golden["cmap_individual_gt5"])
    close(cmap(labels, scores, more_than=5).macro, golden["cmap_macro_gt5"])
    auc = mean_roc_auc(labels, scores, least_positives=5)
    close(auc.macro, golden["roc_macro_ge5"])
    close(auc.geometric, golden["roc_geometric_ge5"])


@pytest.mark.golden
def test_masked_windows_count_for_nothing(golden, close):
    labels, scores = golden["labels"], golden["scores"].astype(close.dtype)
    mask = golden["mask"].astype(bool)
    auc = mean_roc_auc(labels, scores, mask=mask, reference_order=True)
    close(auc.individual, golden["roc_masked_individual"])
    close(auc.macro, golden["roc_masked_macro"])
    close(auc.geometric, golden["roc_masked_geometric"])
    close(roc_variance(labels, scores, mask=mask), golden["roc_masked_var"])
    # The reference gives 0, and we NaN, for the precision of a class that is not there.
    found = average_precision(labels, scores, mask=mask)
    close(found, _where_positive(labels & mask, golden["ap_masked"]))


@pytest.mark.golden
def test_precision_of_examples_interpolated_and_from_distances(golden, close):
    labels, scores = golden["labels"], golden["scores"].astype(close.dtype)
    of_examples = average_precision(labels.T, scores.T)
    close(of_examples, _where_positive(labels.T, golden["ap_examplewise"]))
    interpolated = average_precision(labels, scores, interpolated=True)
    close(interpolated, _where_positive(labels, golden["ap_interpolated"]))
    # Distances, of which the smallest is best, are ranked by what they lack.
    distances = -scores
    close(roc_auc(labels, -distances), golden["roc_asc_individual"])
    close(mean_roc_auc(labels, -distances).macro, golden["roc_asc_macro"])
    close(average_precision(labels, -distances), _where_positive(labels, golden["ap_asc"]))


@pytest.mark.golden
def test_ties_are_midranks_and_in_the_reference_order_on_request(golden, close):
    labels, tied = golden["labels"], golden["tied_scores"].astype(close.dtype)
    close(roc_auc(labels, tied), golden["roc_tied_midrank"])
    as_reference = mean_roc_auc(labels, tied, reference_order=True)
    close(as_reference.individual, golden["roc_tied_individual"])
    close(as_reference.macro, golden["roc_tied_macro"])
    close(as_reference.geometric, golden["roc_tied_geometric"])
    found = average_precision(labels, tied, reference_order=True)
    close(found, _where_positive(labels, golden["ap_tied"]))
    constant = np.zeros_like(tied)
    close(roc_auc(labels, constant, reference_order=True), golden["roc_const_individual"])
    there = labels.any(axis=0)
    close(roc_auc(labels, constant)[there], 0.5)


@pytest.mark.golden
def test_a_class_of_every_window_is_nan_as_in_the_reference(golden, close):
    all_positive = np.ones((len(golden["scores"]), 1), int)
    scores = golden["scores"][:, :1].astype(close.dtype)
    with pytest.warns(UserWarning, match=r"column\) 0"):
        close(mean_roc_auc(all_positive, scores).individual, golden["roc_all_positive"])


@pytest.mark.golden
def test_every_key_of_the_fixture_is_used(golden):
    written = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in golden if f'golden["{name}"]' not in written} == set()


def _where_positive(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(labels.any(axis=0), values, np.nan)


@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_any_number_of_ties_gives_the_values_of_scikit_learn(levels):
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, (200, 4)) / levels
    labels = rng.random((200, 4)) < 0.3
    pairs = list(zip(labels.T, scores.T, strict=True))
    np.testing.assert_allclose(roc_auc(labels, scores), [roc_auc_score(*pair) for pair in pairs])
    np.testing.assert_allclose(
        average_precision(labels, scores), [average_precision_score(*pair) for pair in pairs]
    )


def test_a_class_without_negatives_does_not_spoil_the_mean():
    labels = np.array([[1, 1], [0, 1]])
    with pytest.warns(UserWarning, match="left out"):
        found = mean_roc_auc(labels, [[0.9, 0.1], [0.2, 0.3]])
    assert found.macro == 1.0
    assert np.isnan(found.individual[1])


def test_means_leave_out_what_is_not_known():
    assert macro_mean([np.nan, np.nan]) != macro_mean([np.nan, np.nan])
    assert geometric_mean([0.0, 1.0]) == 0.0
    assert np.isnan(geometric_mean([]))


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ParameterError, match="row 1 are NaN"):
        roc_auc([1, 0], [0.1, np.nan])
    with pytest.raises(ParameterError, match="shape"):
        roc_auc([1, 0, 1], [0.1, 0.2])
    with pytest.raises(ParameterError, match="0 or 1"):
        average_precision([0.5, 0], [0.1, 0.2])
    with pytest.raises(ParameterError, match="mask"):
        roc_auc([1, 0], [0.1, 0.2], mask=[True])


def test_a_hundred_classes_in_chunks_equal_each_alone(monkeypatch):
    rng = np.random.default_rng(0)
    labels, scores = rng.random((50, 100)) < 0.4, rng.integers(0, 9, (50, 100)) * 1.0
    alone = [roc_auc(labels[:, at], scores[:, at]) for at in range(100)]
    monkeypatch.setattr("explorer.classify.metrics.CELLS_AT_A_TIME", 170)
    np.testing.assert_array_equal(roc_auc(labels, scores), alone)
