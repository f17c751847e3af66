"""What a few examples give: every other occurrence, and nothing that a person has refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from explorer.classify import weights
from explorer.classify.background import Background
from explorer.classify.centroid import METHODS, NearestCentroid
from explorer.errors import FormatVersionError, ParameterError

KINDS = ("grunt", "pulse train", "boat")


class Reef:
    """Windows with a common hum, three kinds of sound, and windows with none of them."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        hum = rng.random(48) * 4
        tunes = rng.random((3, 48)) * 3 * (rng.random((3, 48)) < 0.3)
        self.kind = np.repeat([0, 1, 2, 3], [40, 40, 40, 380])
        loudness = rng.uniform(0.5, 1.5, (500, 1))
        rain = rng.exponential(1.0, (500, 1)) * rng.random(48)
        sounds = np.vstack([tunes, np.zeros(48)])[self.kind]
        rows = hum + rain + sounds * loudness + rng.exponential(0.5, (500, 48))
        self.windows = rows.astype(np.float16)

    def examples(self, count: int = 4) -> dict[str, np.ndarray]:
        return {name: self.windows[at * 40 : at * 40 + count] for at, name in enumerate(KINDS)}

    def auc(self, scores: np.ndarray, at: int = 0) -> float:
        unseen = np.ones(500, bool)
        unseen[at * 40 : at * 40 + 4] = False
        return float(roc_auc_score(self.kind[unseen] == at, scores[unseen]))


@pytest.fixture(scope="module")
def reef() -> Reef:
    return Reef()


@pytest.fixture(scope="module")
def background(reef) -> Background:
    return Background.fit(reef.windows)


def test_four_examples_find_the_others_of_their_kind(reef, background):
    scores = NearestCentroid.fit(reef.examples(), background=background).scores(reef.windows)
    assert scores.shape == (500, 3)
    assert scores.dtype == np.float32
    for at in range(3):
        assert reef.auc(scores[:, at], at) > 0.97


def test_one_class_alone_is_told_from_the_background(reef, background):
    """The faint one, which is lost in the rain when cosines are taken as they are."""
    only = {"pulse train": reef.examples()["pulse train"]}
    scores = NearestCentroid.fit(only, background=background).scores(reef.windows)[:, 0]
    plain = NearestCentroid.fit(only, method="birb").scores(reef.windows)[:, 0]
    assert reef.auc(scores, 1) > 0.95
    assert reef.auc(plain, 1) < 0.85


def test_a_half_is_a_sensible_first_threshold(reef, background):
    scores = NearestCentroid.fit(reef.examples(), background=background).scores(reef.windows)
    found, truth = scores >= 0.5, reef.kind[:, None] == np.arange(3)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert (found & truth).sum() > 0.5 * truth.sum()
    assert (found & truth).sum() > 0.9 * found.sum()


def test_scores_rank_as_the_similarities_do(reef, background):
    model = NearestCentroid.fit(reef.examples(), background=background)
    scores, raw = model.scores(reef.windows), model.similarities(reef.windows)
    for at in range(3):
        in_order = scores[np.argsort(raw[:, at]), at]
        assert (np.diff(in_order) >= 0).all()


def test_one_example_is_enough(reef, background):
    model = NearestCentroid.fit({"boat": reef.examples()["boat"][0]}, background=background)
    assert reef.auc(model.scores(reef.windows)[:, 0], 2) > 0.9


def test_a_refused_window_and_its_like_score_lower(reef, background):
    """The person wanted grunts, and the classifier also brought boats."""
    mixed = {"low sounds": np.concatenate([reef.windows[:3], reef.windows[80:82]])}
    before = NearestCentroid.fit(mixed, background=background).scores(reef.windows)[:, 0]
    refused = {"low sounds": reef.windows[85:87]}
    model = NearestCentroid.fit(mixed, background=background, negatives=refused)
    after = model.scores(reef.windows)[:, 0]
    assert (after[85:87] < 0.1).all()
    assert after[87:120].mean() < before[87:120].mean() / 2
    assert after[4:40].mean() > 0.8 * before[4:40].mean()
    assert reef.auc(after) > reef.auc(before)


def test_refusing_for_one_class_leaves_the_others_alone(reef, background):
    before = NearestCentroid.fit(reef.examples(), background=background)
    after = NearestCentroid.fit(
        reef.examples(), background=background, negatives={"boat": reef.windows[90:93]}
    )
    np.testing.assert_allclose(
        before.scores(reef.windows)[:, :2], after.scores(reef.windows)[:, :2], atol=1e-5
    )
    assert (after.scores(reef.windows[90:93])[:, 2] < 0.1).all()


def test_no_negatives_may_come_as_an_empty_array(reef, background):
    model = NearestCentroid.fit(
        reef.examples(), background=background, negatives={"boat": np.zeros((0, 48))}
    )
    assert model.negatives == {}


def test_competing_classes_sharpen_each_other(reef):
    """Without any background the other classes are all there is to tell a class from."""
    model = NearestCentroid.fit(reef.examples())
    named = model.predict(reef.windows[:120])
    assert (named == np.repeat(KINDS, 40)).mean() > 0.95
    assert (model.scores(reef.windows[:120]).max(axis=1) > 0.5).mean() > 0.8


def test_a_threshold_leaves_windows_unnamed(reef, background):
    named = NearestCentroid.fit(reef.examples(), background=background).predict(
        reef.windows, threshold=0.5
    )
    assert set(named[:120]) >= set(KINDS)
    assert np.mean([name is None for name in named[120:]]) > 0.8


def test_hundreds_of_classes_are_scored_at_once(reef, background):
    many = {f"class {at}": reef.windows[at] for at in range(300)}
    model = NearestCentroid.fit(many, background=background)
    assert model.scores(reef.windows).shape == (500, 300)
    assert (model.predict(reef.windows[:300]) == list(many)).mean() > 0.99


def test_two_classes_with_the_same_examples_score_the_same(reef, background):
    rows = reef.examples()["grunt"]
    scores = NearestCentroid.fit({"a": rows, "b": rows}, background=background).scores(reef.windows)
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], rtol=1e-6)


def test_an_example_given_twice_does_not_change_the_ranking(reef, background):
    rows = reef.examples()["grunt"]
    once = NearestCentroid.fit({"grunt": rows}, background=background)
    twice = NearestCentroid.fit({"grunt": np.tile(rows, (2, 1))}, background=background)
    np.testing.assert_allclose(
        once.similarities(reef.windows), twice.similarities(reef.windows), atol=1e-5
    )


@pytest.mark.parametrize("method", METHODS)
def test_silent_and_broken_windows_get_finite_scores(reef, background, method):
    odd = np.zeros((3, 48))
    odd[1], odd[2, 3] = np.nan, np.inf
    model = NearestCentroid.fit(reef.examples(), background=background, method=method)
    scores = model.scores(np.concatenate([reef.windows[:5], odd]))
    assert np.isfinite(scores).all()
    assert (scores[6:] <= scores[:5].min(axis=0)).all()
    np.testing.assert_allclose(scores[:5], model.scores(reef.windows[:5]), atol=1e-5)


def test_a_class_of_broken_examples_is_refused(reef):
    with pytest.raises(ParameterError, match="'boat' are all NaN"):
        NearestCentroid.fit({"boat": np.full((2, 48), np.nan)})


def test_a_broken_example_among_good_ones_is_passed_over(reef, background):
    rows = np.concatenate([reef.examples()["grunt"], np.full((1, 48), np.nan)])
    with_it = NearestCentroid.fit({"grunt": rows}, background=background)
    without = NearestCentroid.fit({"grunt": rows[:4]}, background=background)
    np.testing.assert_array_equal(with_it.scores(reef.windows), without.scores(reef.windows))


def test_a_class_of_silence_scores_low_everywhere_else(background, reef):
    scores = NearestCentroid.fit({"none": np.zeros((1, 48))}, background=background).scores(
        reef.windows
    )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ({}, {}, "at least one class"),
        ({"a": np.ones((2, 4))}, {"method": "svm"}, "relative, birb"),
        ({"a": np.ones((2, 4)), "b": np.ones((2, 5))}, {}, "different dimensions"),
        ({"a": np.ones((2, 4))}, {"background": np.ones((9, 5))}, "different dimensions"),
        ({"a": np.ones((2, 4))}, {"negatives": {"b": np.ones((1, 4))}}, "negatives of b"),
        ({"a": np.ones((0, 4))}, {}, "give \\[k, dimension\\]"),
    ],
)
def test_what_cannot_be_is_refused_in_words(examples, options, message):
    with pytest.raises(ParameterError, match=message):
        NearestCentroid.fit(examples, **options)


@pytest.mark.parametrize("method", METHODS)
def test_prepared_windows_score_as_the_windows_themselves(reef, background, method):
    model = NearestCentroid.fit(reef.examples(), background=background, method=method)
    prepared = background.prepare(reef.windows)
    first = model.scores(prepared)
    np.testing.assert_allclose(first, model.scores(reef.windows), atol=1e-6)
    np.testing.assert_array_equal(first, model.scores(prepared))


def test_a_classifier_moves_to_the_place_that_is_searched(reef, background):
    """Windows prepared elsewhere are scored as if the classifier had been made there."""
    elsewhere = Background.fit(Reef(1).windows + np.float16(1))
    model = NearestCentroid.fit(reef.examples(), background=background)
    made_there = NearestCentroid.fit(reef.examples(), background=elsewhere)
    prepared = elsewhere.prepare(reef.windows)
    np.testing.assert_array_equal(model.scores(prepared), made_there.scores(prepared))
    assert not np.allclose(model.scores(prepared), model.scores(reef.windows))


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_classifier_scores_the_same(tmp_path, reef, background, method):
    model = NearestCentroid.fit(
        reef.examples(),
        background=background,
        negatives={"boat": reef.windows[200:202]},
        method=method,
    )
    model.save(tmp_path / "grunts.safetensors", metadata={"threshold": 0.8, "made_of": [1, 2]})
    loaded = NearestCentroid.load(tmp_path / "grunts.safetensors")
    assert loaded.classes == KINDS
    assert loaded.metadata == {"threshold": 0.8, "made_of": [1, 2]}
    np.testing.assert_array_equal(model.scores(reef.windows), loaded.scores(reef.windows))
    assert [path.name for path in tmp_path.iterdir()] == ["grunts.safetensors"]


def test_a_classifier_is_described_in_json(reef, background):
    model = NearestCentroid.fit(
        reef.examples(), background=background, negatives={"boat": reef.windows[200:202]}
    )
    described = json.loads(json.dumps(model.to_dict()))
    again = NearestCentroid.from_dict(described, background=background)
    np.testing.assert_array_equal(model.scores(reef.windows), again.scores(reef.windows))
    with pytest.raises(ParameterError, match="made on background"):
        NearestCentroid.from_dict(described)


def test_a_newer_file_is_refused_with_the_cure(tmp_path, reef):
    path = tmp_path / "new.safetensors"
    NearestCentroid.fit(reef.examples()).save(path)
    about = {"format": "explorer nearest-centroid classifier", "version": 99}
    save_file(load_file(path), path, metadata={weights.KEY: json.dumps(about)})
    with pytest.raises(FormatVersionError, match="pip install -U"):
        NearestCentroid.load(path)


def test_files_that_are_no_classifiers_are_refused(tmp_path, background):
    with pytest.raises(ParameterError, match="no such file"):
        NearestCentroid.load(tmp_path / "gone.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ParameterError, match="not a whole safetensors file"):
        NearestCentroid.load(tmp_path / "cut.safetensors")
    background.save(tmp_path / "background.safetensors")
    with pytest.raises(ParameterError, match="no explorer nearest-centroid"):
        NearestCentroid.load(tmp_path / "background.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ParameterError, match="no explorer nearest-centroid"):
        NearestCentroid.load(tmp_path / "other.safetensors")


@pytest.mark.golden
@pytest.mark.parametrize("k", [1, 4])
def test_birb_scores_are_the_references(shared, k):
    golden = np.load(shared / "golden" / "birb_search.npz", allow_pickle=False)
    examples = {str(at): rows[:k] for at, rows in enumerate(golden["representatives"])}
    scores = NearestCentroid.fit(examples, method="birb").scores(golden["corpus"])
    np.testing.assert_allclose(scores.T, golden[f"scores_soundscapes_cosine_k{k}"], atol=1e-6)


@pytest.mark.golden
def test_both_means_are_the_references(shared):
    golden = np.load(shared / "golden" / "fewshot_search.npz", allow_pickle=False)
    examples = {"call": golden["E"][golden["pos"]]}
    for method, name in (("birb", "score_cos_mean"), ("birb_of_unit", "score_cos_mean_of_unit")):
        scores = NearestCentroid.fit(examples, method=method).scores(golden["E"])[:, 0]
        np.testing.assert_allclose(scores, golden[name], atol=1e-6)
