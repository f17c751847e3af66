"""Methods of few-shot classification against golden numbers (golden/README.md 5.1)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.classify.background import Background, inverse_root
from explorer.classify.labelled import Labelled
from explorer.errors import ParameterError
from explorer.evaluate.methods import Place, scores


@pytest.mark.golden
def test_birb_is_the_plain_cosine_and_contrast_the_difference_of_two(shared):
    golden = np.load(shared / "golden" / "fewshot_search.npz", allow_pickle=False)
    rows = golden["E"].astype(np.float32)
    chosen = np.concatenate([golden["pos"], golden["neg"]])
    truth = np.zeros((len(chosen), 2), np.float32)
    truth[: len(golden["pos"]), 0] = truth[len(golden["pos"]) :, 1] = 1
    examples = Labelled(("call", "other"), rows[chosen], truth)
    found = scores("birb", examples, Place(rows, None))
    np.testing.assert_allclose(found[:, 0], golden["score_cos_mean"], atol=1e-6)
    contrast = found[:, 0] - found[:, 1]
    np.testing.assert_allclose(contrast, golden["score_cos_contrast"], atol=1e-6)


@pytest.mark.golden
def test_a_background_can_be_any_of_the_published_geometries(shared):
    """Centred and z-scored cosines are backgrounds with simple whitenings."""
    golden = np.load(shared / "golden" / "centroid_background.npz", allow_pickle=False)
    rows, mean, cov = golden["X"], golden["mu"], golden["cov"]
    np.testing.assert_allclose(rows.mean(axis=0), mean, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(np.cov(rows.T, bias=True), cov, rtol=1e-8, atol=1e-12)
    query = rows[golden["pos"]].mean(axis=0, keepdims=True)
    whitenings = {
        "score_centred_cos": np.eye(len(cov)),
        "score_zscored_cos": np.diag(1 / np.sqrt(np.diag(cov))),
    }
    for name, whitening in whitenings.items():
        place = Background(
            len(rows), False, *(torch.from_numpy(part).float() for part in (mean, whitening)),
            torch.zeros(0, len(cov)),
        )  # fmt: skip
        cosine = (place.transform(rows) @ place.transform(query).T)[:, 0]
        np.testing.assert_allclose(cosine, golden[name], rtol=1e-3, atol=1e-5)


@pytest.mark.golden
def test_background_lda_and_its_scores_with_an_example_left_out(shared):
    golden = np.load(shared / "golden" / "centroid_background.npz", allow_pickle=False)
    rows, mean, cov = golden["X"], golden["mu"], golden["cov"]
    ridge = float(golden["shrink"]) * np.trace(cov) / len(cov)
    assert ridge == pytest.approx(float(golden["eps"]), rel=1e-8)
    root = inverse_root(torch.from_numpy(cov), ridge).numpy()
    positives = rows[golden["pos"]]
    weight = root @ root @ (positives.mean(axis=0) - mean)
    np.testing.assert_allclose(weight, golden["w"], rtol=1e-8)
    np.testing.assert_allclose((rows - mean) @ weight, golden["score_lda"], rtol=1e-8)
    left_out = [
        (positives[at] - mean) @ root @ root @ (np.delete(positives, at, 0).mean(axis=0) - mean)
        for at in range(len(positives))
    ]
    np.testing.assert_allclose(left_out, golden["loo_positive_score"], rtol=1e-8)


def test_a_method_that_is_not_known_is_refused():
    examples = Labelled(("a",), np.ones((1, 2), "f4"), np.ones((1, 1), "f4"))
    with pytest.raises(ParameterError, match="use one of auto, centroid, birb, probe, agile"):
        scores("oracle", examples, Place(np.ones((1, 2), "f4"), None))


def test_logistic_needs_something_that_is_not_of_the_class():
    examples = Labelled(("a",), np.ones((1, 2), "f4"), np.ones((1, 1), "f4"))
    with pytest.raises(ParameterError, match="something that is not 'a'"):
        scores("logistic", examples, Place(np.ones((1, 2), "f4"), None))
