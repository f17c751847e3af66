"""Adapting a classifier to a new place: what it promises, whatever the method."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.classify import adaptation
from explorer.classify.adaptation import Adapted, adapt
from explorer.classify.adaptation_settings import METHODS, PUBLISHED, Settings, settings_for
from explorer.classify.adaptation_student import LinearHead, Statistics, centroid_scorer
from explorer.classify.adaptation_training import AdaptationCancelled, Draws
from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.classify.metrics import average_precision, macro_mean
from explorer.errors import EncoderError, FormatVersionError, ParameterError

WIDTH, CLASSES = 24, 5
TRAINED = [method for method in METHODS if method != "adabn"]


class Places:
    """A source with a good classifier, and a place where every dimension is heard otherwise."""

    def __init__(self, seed: int = 0, n: int = 400) -> None:
        rng = np.random.default_rng(seed)
        calls = 0.8 * rng.standard_normal((CLASSES, WIDTH))
        self.scale = np.exp(1.2 * rng.standard_normal(WIDTH))
        self.shift = 1.5 * rng.standard_normal(WIDTH)

        def windows(count: int) -> tuple[np.ndarray, np.ndarray]:
            truth = rng.random((count, CLASSES)) < 0.15
            return truth @ calls + rng.standard_normal((count, WIDTH)), truth

        self.here, truth = windows(n)
        there, self.truth = windows(n)
        self.there = (there * self.scale + self.shift).astype(np.float32)
        # Ridge regression on the labels, as good as any linear head.
        rows = np.c_[self.here, np.ones(n)]
        solved = np.linalg.solve(rows.T @ rows + 5 * np.eye(WIDTH + 1), rows.T @ (8 * truth - 4))
        self.head = LinearHead(solved[:-1], solved[-1])
        self.statistics = Statistics.of(self.here)

    def quality(self, adapted: Adapted) -> float:
        return macro_mean(average_precision(self.truth, adapted.logits(self.there)))


@pytest.fixture(scope="module")
def places() -> Places:
    return Places()


def test_standardising_repairs_another_recorder(places):
    adapted = adapt(places.head, places.there, source=places.statistics)
    assert adapted.settings.method == "adabn"
    assert places.quality(adapted.undone()) < 0.8
    assert places.quality(adapted) > 0.92
    moved = np.asarray(adapted.embeddings(places.there))
    apart = np.abs(moved.mean(axis=0) - places.here.mean(axis=0))
    assert np.median(apart) < 0.05 and apart.max() < 0.5  # of shifts of up to 20 spreads
    stretched = np.abs(np.log(moved.std(axis=0) / places.here.std(axis=0)))
    assert np.median(stretched) < 0.03
    np.testing.assert_array_equal(adapted.head.weight, places.head.weight)


def test_a_handful_of_windows_moves_little(places):
    """Three windows do not know the mean of a place."""
    few = adapt(places.head, places.there[:3], source=places.statistics)
    many = adapt(places.head, places.there, source=places.statistics)
    assert np.abs(few.gamma - 1).mean() < 0.5 * np.abs(many.gamma - 1).mean()


def test_a_dimension_that_is_constant_does_no_harm(places):
    here, there = places.here.copy(), places.there.copy()
    here[:, 0], there[:, 1], there[:, 2] = 0, 7, 0.001 * there[:, 2]
    adapted = adapt(places.head, there, source=Statistics.of(here))
    assert np.isfinite(adapted.logits(there)).all()
    assert adapted.gamma.max() <= 5 * (1 + 1e-6)
    assert adapted.gamma.min() >= 0.2 * (1 - 1e-6)


@pytest.mark.parametrize("multi_label", [True, False])
@pytest.mark.parametrize("method", TRAINED)
def test_every_method_after_standardising_stays_near_its_quality(places, method, multi_label):
    settings = settings_for(method, multi_label=multi_label)
    adapted = adapt(places.head, places.there, settings=settings, source=places.statistics)
    assert len(adapted.history) == settings.epochs
    assert np.isfinite(adapted.history).all()
    assert places.quality(adapted) > 0.92
    assert not np.array_equal(adapted.gamma, np.ones(WIDTH))


@pytest.mark.parametrize("online", [False, True])
def test_notela_helps_where_the_source_is_not_known(places, online):
    settings = Settings(standardise=False, online=online, learning_rate=1e-2, epochs=30)
    adapted = adapt(places.head, places.there, settings=settings)
    assert places.quality(adapted) > places.quality(adapted.undone()) + 0.05


def test_methods_that_grow_surer_do_not_go_astray_with_many_windows():
    many = Places(n=6000)
    astray = replace(settings_for("tent"), learning_rate=1e-2)
    adapted, lost = (
        adapt(many.head, many.there, settings=one, source=many.statistics)
        for one in (settings_for("tent"), astray)
    )
    assert many.quality(adapted) > 0.94
    assert many.quality(lost) < 0.8


def test_the_head_changes_only_when_asked(places):
    affine = adapt(places.head, places.there, settings="notela", source=places.statistics)
    assert affine.head is places.head
    settings = replace(settings_for("notela"), train="all")
    whole = adapt(places.head, places.there, settings=settings, source=places.statistics)
    assert not np.array_equal(whole.head.weight, places.head.weight)
    assert whole.source is places.head
    assert places.quality(whole) > 0.92


def test_classes_that_cannot_occur_teach_nothing(places):
    settings = replace(settings_for("notela"), train="all")
    here = np.array([True, True, False, True, False])
    adapted = adapt(
        places.head, places.there, settings=settings, source=places.statistics, can_occur=here
    )
    changed = np.abs(adapted.head.weight - places.head.weight).max(axis=0) > 1e-5
    np.testing.assert_array_equal(changed, here)
    other = LinearHead(places.head.weight * (1 + 9 * ~here), places.head.bias)
    again = adapt(other, places.there, settings=settings, source=places.statistics, can_occur=here)
    np.testing.assert_array_equal(again.gamma, adapted.gamma)


@pytest.mark.parametrize("method", TRAINED)
def test_the_same_seed_gives_the_same_result(places, method):
    settings = replace(settings_for(method), epochs=2)
    first, second, other = (
        adapt(places.head, places.there, settings=one, source=places.statistics)
        for one in (settings, settings, replace(settings, seed=1))
    )
    np.testing.assert_array_equal(first.gamma, second.gamma)
    assert first.history == second.history
    assert not np.array_equal(first.gamma, other.gamma)


class Shards:
    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[int, np.ndarray]]:
        for first in range(0, len(self.rows), min(150, rows_per_block)):
            yield first, self.rows[first : first + min(150, rows_per_block)]


def test_a_collection_gives_what_an_array_gives_and_damaged_windows_are_left_out(places):
    settings = replace(settings_for("notela"), epochs=2)
    damaged = np.insert(places.there, [0, 200, 400], np.nan, axis=0)
    plain = adapt(places.head, places.there, settings=settings, source=places.statistics)
    found = adapt(places.head, Shards(damaged), settings=settings, source=places.statistics)
    np.testing.assert_allclose(found.gamma, plain.gamma, rtol=1e-5)
    assert found.n_windows == plain.n_windows == 400
    logits = found.logits(Shards(damaged))
    assert np.isnan(logits[[0, 201, 402]]).all()
    assert np.isfinite(np.delete(logits, [0, 201, 402], axis=0)).all()


def test_only_so_many_windows_are_learnt_from(places, monkeypatch):
    seen = []
    made = adaptation.EmbeddingStudent
    monkeypatch.setattr(
        adaptation,
        "EmbeddingStudent",
        lambda rows, *more, **options: seen.append(len(rows)) or made(rows, *more, **options),
    )
    settings = replace(settings_for("tent"), most_windows=90)
    adapted = adapt(places.head, Shards(places.there), settings=settings, source=places.statistics)
    assert seen == [80]  # every fifth of 400
    assert adapted.n_windows == 400


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("multi_label", [True, False])
def test_two_windows_and_one_class_are_enough_to_stay_finite(method, multi_label):
    head = LinearHead(np.ones((3, 1)), np.zeros(1))
    rows = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, -2.0]])
    settings = settings_for(method, multi_label=multi_label)
    for windows in (rows, rows[:1], np.repeat(rows[:1], 9, axis=0)):
        adapted = adapt(head, windows, settings=settings, source=Statistics.of(rows))
        assert np.isfinite(adapted.logits(windows)).all()


@pytest.mark.parametrize("method", TRAINED)
def test_logits_without_bound_stay_finite(places, method):
    sure = LinearHead(1e4 * places.head.weight, places.head.bias)
    adapted = adapt(sure, places.there, settings=method, source=places.statistics)
    assert np.isfinite(adapted.gamma).all()
    assert np.isfinite(adapted.logits(places.there)).all()


def test_undo_gives_the_source_back(places):
    settings = replace(settings_for("notela"), train="all", epochs=2)
    adapted = adapt(places.head, places.there, settings=settings, source=places.statistics)
    source = places.there @ places.head.weight + places.head.bias
    np.testing.assert_allclose(adapted.undone().logits(places.there), source, rtol=1e-4, atol=1e-4)
    assert not np.allclose(adapted.logits(places.there), source, atol=0.1)


@pytest.mark.parametrize("train", ["affine", "all"])
def test_a_saved_adaptation_is_the_same_when_loaded(places, tmp_path, train):
    settings = replace(settings_for("notela"), train=train, epochs=2)
    adapted = adapt(places.head, places.there, settings=settings, source=places.statistics)
    adapted.save(tmp_path / "there.safetensors")
    loaded = Adapted.load(tmp_path / "there.safetensors")
    assert loaded.settings == adapted.settings
    assert loaded.history == adapted.history
    for one, other in ((loaded, adapted), (loaded.undone(), adapted.undone())):
        np.testing.assert_array_equal(one.logits(places.there), other.logits(places.there))


def test_a_file_of_a_newer_program_is_refused(places, tmp_path, monkeypatch):
    adapted = adapt(places.head, places.there, source=places.statistics)
    monkeypatch.setattr(adaptation, "FORMAT_VERSION", 9)
    adapted.save(tmp_path / "there.safetensors")
    monkeypatch.undo()
    with pytest.raises(FormatVersionError, match="pip install -U"):
        Adapted.load(tmp_path / "there.safetensors")


def test_says_how_far_it_is_and_stops_when_told(places):
    heard, stop = [], threading.Event()

    def listen(fraction: float, message: str) -> None:
        heard.append(fraction)
        if fraction > 0.4:
            stop.set()

    adapt(places.head, places.there, settings="tent", source=places.statistics, on_progress=listen)
    assert heard == sorted(heard)
    assert heard[0] == 0 and heard[-1] == 1 and len(heard) >= 11
    heard.clear()
    stop.clear()
    with pytest.raises(AdaptationCancelled, match="is what it was"):
        adapt(
            places.head,
            places.there,
            settings="tent",
            source=places.statistics,
            on_progress=listen,
            cancel=stop,
        )
    assert max(heard) < 0.6


# Centroid classifiers -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["rooted", "signed"])
def centroids(request) -> tuple[NearestCentroid, np.ndarray, np.ndarray, np.ndarray]:
    """A centroid classifier, its windows, the same windows at a new place, and their classes."""
    rng = np.random.default_rng(3)
    calls = np.abs(rng.standard_normal((4, 32))) * 3
    truth = rng.integers(4, size=300)
    rows = np.abs(calls[truth] + rng.standard_normal((300, 32)))
    if request.param == "signed":
        rows -= 2.0
    there = rows * np.exp(0.6 * rng.standard_normal(32))
    examples = {f"call {at}": rows[truth == at][:4] for at in range(4)}
    model = NearestCentroid.fit(
        examples, background=Background.fit(rows), negatives={"call 1": rows[truth == 2][5:7]}
    )
    return model, rows.astype(np.float32), there.astype(np.float32), truth


def test_a_scorer_gives_the_scores_of_its_classifier(centroids):
    model, rows, _, _ = centroids
    logits = centroid_scorer(model)(torch.from_numpy(rows))
    np.testing.assert_allclose(torch.sigmoid(logits).numpy(), model.scores(rows), atol=1e-3)


@pytest.mark.parametrize("method", ["adabn", "notela"])
def test_a_centroid_classifier_is_adapted_by_moving_the_embeddings(centroids, method):
    model, rows, there, truth = centroids
    adapted = adapt(centroid_scorer(model), there, settings=method, source=Statistics.of(rows))
    assert adapted.head is None

    def quality(windows: object) -> float:
        return macro_mean(average_precision(truth[:, None] == np.arange(4), model.scores(windows)))

    assert quality(adapted.embeddings(there)) > quality(there) - 0.005
    assert quality(adapted.embeddings(there)) > 0.9 * quality(rows)


def test_standardising_needs_no_classifier(places):
    adapted = adapt(None, places.there, source=places.statistics)
    with_head = adapt(places.head, places.there, source=places.statistics)
    np.testing.assert_array_equal(adapted.gamma, with_head.gamma)
    with pytest.raises(ParameterError, match="without a linear head"):
        adapted.logits(places.there)


def test_cosines_without_a_threshold_have_no_scorer(centroids):
    _, rows, _, truth = centroids
    plain = NearestCentroid.fit({"call": rows[truth == 0][:4]}, method="birb")
    with pytest.raises(ParameterError, match="adabn"):
        centroid_scorer(plain)


# Settings -----------------------------------------------------------------------------------------


def test_the_published_settings_are_there_for_every_method():
    assert set(PUBLISHED) == {(method, multi) for method in METHODS for multi in (True, False)}
    notela = PUBLISHED["notela", True]
    assert (notela.learning_rate, notela.decay, notela.train) == (1e-4, "none", "affine")
    assert (notela.n_neighbours, notela.lambda_, notela.alpha) == (5 - 1, 1.0, 1.0)
    assert notela.mutual and not notela.online and notela.dropout > 0
    single = PUBLISHED["notela", False]
    assert (single.learning_rate, single.decay, single.train) == (1e-4, "cosine", "all")
    assert (single.n_neighbours, single.lambda_, single.online) == (15 - 1, 2.0, True)
    assert PUBLISHED["dropout_student", False].alpha == 0.5
    assert PUBLISHED["shot", True].dropout == 0 and PUBLISHED["shot", False].beta == 0.6
    assert {s.batch_size for s in PUBLISHED.values()} == {64}
    assert {s.epochs for s in PUBLISHED.values()} == {10}


def test_embeddings_get_a_scale_and_a_shift_only():
    assert {settings_for(method, multi_label=False).train for method in METHODS} == {"affine"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "magic"}, "use adabn, notela"),
        ({"train": "bn"}, "use affine or all"),
        ({"decay": "linear"}, "use none or cosine"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"alpha": 0.01}, "use 0 for the best class"),
        ({"epochs": 0}, "epochs is 0"),
        ({"dropout": 1.0}, "dropout is 1"),
        ({"lambda_": float("nan")}, "lambda_ is nan"),
        ({"most_windows": 0}, "most_windows is 0"),
    ],
)
def test_wrong_settings_are_refused_in_words(wrong, says):
    with pytest.raises(ParameterError, match=says):
        Settings(**wrong)


def test_wrong_input_is_refused_in_words(places):
    good = {"source": places.statistics}
    narrow = LinearHead(places.head.weight[:3], places.head.bias)
    cases = [
        ((places.head, places.there), {}, "Statistics.of"),
        ((None, places.there), {**good, "settings": "tent"}, "give its head"),
        ((narrow, places.there), {**good, "settings": "tent"}, "same encoder"),
        ((places.head, places.there[:, :3]), good, "same encoder"),
        ((places.head, np.full((3, WIDTH), np.nan)), good, "no finite embedding"),
        (
            (places.head, places.there),
            {**good, "settings": "tent", "can_occur": [True]},
            "each of the 5 classes",
        ),
        (
            (places.head, places.there),
            {**good, "settings": "tent", "can_occur": [False] * 5},
            "at least one",
        ),
        (
            (lambda rows: rows[:, :2], places.there),
            {**good, "settings": Settings(train="all")},
            "needs a linear head",
        ),
    ]
    for given, options, says in cases:
        with pytest.raises(ParameterError, match=says):
            adapt(*given, **options)
    with pytest.raises(ParameterError, match="n_classes"):
        LinearHead(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ParameterError, match="NaN"):
        LinearHead(np.full((3, 2), np.nan), np.zeros(2))


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_a_device_that_is_not_there_is_not_replaced_in_silence(places):
    with pytest.raises(EncoderError, match="cuda"):
        adapt(places.head, places.there, settings="tent", source=places.statistics, device="cuda")


def test_random_choices_do_not_depend_on_the_device():
    on_cpu = Draws(5, 0.5).kept(torch.ones(3, 4))
    assert set(on_cpu.unique().tolist()) == {0.0, 2.0}
    elsewhere = Draws(5, 0.5).kept(torch.ones(3, 4, device="meta"))
    assert elsewhere.device.type == "meta"
    in_double = Draws(5, 0.5).kept(torch.ones(3, 4, dtype=torch.float64))
    assert torch.equal(in_double.float(), on_cpu)


def test_statistics_are_exact_far_from_zero_and_over_any_blocks():
    rng = np.random.default_rng(0)
    rows = 1e4 + rng.standard_normal((1000, 3))
    found = Statistics.of(Shards(rows))
    np.testing.assert_allclose(found.mean, rows.astype(np.float32).mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(found.spread, rows.std(axis=0), rtol=1e-3)
    assert found.n_windows == 1000
