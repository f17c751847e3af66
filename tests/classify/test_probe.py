"""Probes: the published one to the digit, and ours: exact, repeatable, honest about unknowns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression

from explorer.classify import agile, weights
from explorer.classify.background import Background
from explorer.classify.head import Hidden, grown, train
from explorer.classify.labelled import Labelled
from explorer.classify.logistic import solve
from explorer.classify.metrics import roc_auc
from explorer.classify.probe import Probe, compete, together
from explorer.classify.training import Problem, Training, balanced, threshold_shift
from explorer.errors import FormatVersionError, ParameterError

KINDS = ("grunt", "pulse train", "boat")


class Reef:
    """Windows with a common hum and three kinds of sound, and many with none of them."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        tunes = rng.random((3, 32)) * 3 * (rng.random((3, 32)) < 0.3)
        self.kind = np.repeat([0, 1, 2, 3], [60, 60, 60, 320])
        sounds = np.vstack([tunes, np.zeros(32)])[self.kind] * rng.uniform(0.3, 1, (500, 1))
        rows = rng.random(32) * 4 + sounds + rng.exponential(0.7, (500, 32))
        self.windows = rows.astype(np.float16)

    def examples(self, count: int = 8) -> dict[str, np.ndarray]:
        return {name: self.windows[at * 60 : at * 60 + count] for at, name in enumerate(KINDS)}

    def auc(self, scores: np.ndarray) -> np.ndarray:
        unseen = np.tile(np.arange(500) % 60 >= 30, (3, 1)).T | (self.kind == 3)[:, None]
        return roc_auc(self.kind[:, None] == np.arange(3), scores, mask=unseen)


@pytest.fixture(scope="module")
def reef() -> Reef:
    return Reef()


@pytest.fixture(scope="module")
def background(reef) -> Background:
    return Background.fit(reef.windows)


@pytest.fixture(scope="module")
def probe(reef, background) -> Probe:
    return Probe.fit(reef.examples(), background=background)


# The published probe ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, torch.Tensor]:
    with np.load(shared / "golden" / "linear_probe_weakneg.npz", allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored}


@pytest.fixture(scope="module")
def allowed(shared: Path) -> tuple[float, float, float]:
    """Relative error of the losses; error of the weights in float64, in float32."""
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    found = re.findall(r"\de-\d+", files["linear_probe_weakneg.npz"]["tol"])
    return tuple(map(float, found))  # type: ignore[return-value]


@pytest.mark.golden
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_the_agile_probe_is_the_published_one(golden, allowed, precision):
    exact = precision == torch.float64
    atol = allowed[1] if exact else allowed[2]
    rows, truth, start = (golden[name].to(precision) for name in ("X", "Y", "W0"))
    known, weak = golden["is_labeled"].bool(), float(golden["weak_neg_weight"])
    trained = agile.train(rows, truth, known, start=start, weak_weight=weak)
    losses = golden["losses"].to(precision)
    torch.testing.assert_close(trained.losses, losses, rtol=allowed[0] if exact else 1e-4, atol=0)
    torch.testing.assert_close(trained.weight, golden["W_final"].to(precision), rtol=0, atol=atol)
    torch.testing.assert_close(trained.bias, golden["b_final"].to(precision), rtol=0, atol=atol)


@pytest.mark.golden
def test_the_agile_objective_and_its_gradient_are_the_published_ones(golden, allowed):
    start = golden["W0"].clone().requires_grad_()
    known, weak = golden["is_labeled"].bool(), float(golden["weak_neg_weight"])
    agile.objective(golden["X"] @ start, golden["Y"], known, weak_weight=weak).backward()
    torch.testing.assert_close(start.grad, golden["grad_W_step0"], rtol=allowed[0], atol=1e-12)
    hinge = agile.objective(
        golden["X"] @ golden["W0"], golden["Y"], known, weak_weight=weak, loss="hinge"
    )
    assert float(hinge) == pytest.approx(float(golden["hinge_loss_step0"]), rel=allowed[0])


def test_the_agile_probe_is_the_same_for_the_same_seed(reef):
    def fit(seed: int) -> Probe:
        training = Training(method="agile", seed=seed)
        return Probe.fit(reef.examples(60), background=reef.windows, training=training)

    assert torch.equal(fit(1).weight, fit(1).weight)
    assert not torch.equal(fit(1).weight, fit(2).weight)
    assert fit(1).background is None


def test_the_agile_probe_needs_the_embeddings_themselves(reef, background):
    training = Training(method="agile")
    with pytest.raises(ParameterError, match="as they are"):
        Probe.fit(reef.examples(), background=background, training=training)
    fitted = Probe.fit(reef.examples(), background=reef.windows, training=training)
    np.testing.assert_allclose(
        fitted.scores(background.prepare(reef.windows)), fitted.scores(reef.windows), rtol=1e-5
    )


# Ours ---------------------------------------------------------------------------------------------


def test_a_probe_finds_the_other_windows_of_its_classes(reef, probe):
    scores = probe.scores(reef.windows)
    assert scores.shape == (500, 3)
    assert scores.dtype == np.float32
    assert (reef.auc(scores) > 0.95).all()
    found = scores[:180] > 0.5
    assert found[reef.kind[:180, None] == np.arange(3)].mean() > 0.6
    assert (scores[180:] > 0.5).mean() < 0.05


def test_the_weights_are_those_of_a_converged_regression(reef, background, probe):
    problem = Problem.of(probe.labelled, background, probe.training)
    shift = threshold_shift(problem.targets, problem.weights)
    for at in range(3):
        theirs = LogisticRegression(C=1 / probe.training.penalty, tol=1e-10, max_iter=5000)
        theirs.fit(problem.features, problem.targets[at], sample_weight=problem.weights[at])
        np.testing.assert_allclose(probe.weight[at], theirs.coef_[0], atol=2e-4)
        assert float(probe.bias[at] - shift[at]) == pytest.approx(theirs.intercept_[0], abs=2e-4)


def test_no_class_depends_on_which_others_are_solved_along_with_it():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(80, 12, generator=generator, dtype=torch.float64)
    targets = (torch.rand(5, 80, generator=generator) < 0.3).double()
    counts = torch.rand(5, 80, generator=generator).double()
    together_ = solve(rows, targets, counts, penalty=0.1, tolerance=1e-9)
    for at in range(5):
        alone = solve(rows, targets[[at]], counts[[at]], penalty=0.1, tolerance=1e-9)
        torch.testing.assert_close(alone[0], together_[at], rtol=1e-6, atol=1e-7)


def test_float32_as_on_mps_comes_to_the_same_answer():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(80, 12, generator=generator, dtype=torch.float64)
    targets = (rows[:, :3].T > 0.5).double()
    exact = solve(rows, targets, torch.ones_like(targets), penalty=0.1)
    rough = solve(rows.float(), targets.float(), torch.ones(3, 80), penalty=0.1)
    torch.testing.assert_close(rough.double(), exact, rtol=1e-3, atol=1e-3)


def test_the_same_examples_give_the_same_probe_to_the_bit(reef, background, probe):
    again = Probe.fit(reef.examples(), background=background)
    assert torch.equal(again.weight, probe.weight)
    assert torch.equal(again.bias, probe.bias)


def test_what_nobody_has_said_counts_less_than_a_no(reef, background):
    rows = reef.windows[[0, 1, 60, 61]].astype(np.float32)
    said = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    unsaid = np.where(said == 1, 1, np.nan).astype(np.float32)
    window = reef.windows[[62]]

    def score(truth: np.ndarray, **training: float) -> float:
        labelled = Labelled(("grunt", "pulse train"), rows, truth)
        fitted = Probe.fit(labelled, background=background, training=Training(**training))
        return float(fitted.logits(window)[0, 0])

    problem = Problem.of(Labelled(("a", "b"), rows, unsaid), background, Training())
    assert problem.weights[0, :4].tolist() == [1, 1, 0.5, 0.5]
    assert score(unsaid, unknown_weight=1.0) == pytest.approx(score(said))
    assert score(unsaid, unknown_weight=0.1) > score(said)


def test_weak_negatives_count_at_most_as_much_as_the_labelled_windows(reef, background):
    few = Problem.of(Labelled.of(reef.examples(1)), background, Training())
    many = Problem.of(Labelled.of(reef.examples(60)), background, Training())
    assert few.weights[:, 3:].sum(dim=1).tolist() == pytest.approx([3, 3, 3])
    assert many.weights[:, many.n_labelled :].unique().tolist() == pytest.approx([0.05])
    # The examples are among the windows of the place, and do not speak against themselves.
    assert len(few.features) == 3 + len(background.landmarks) - 3
    left_out = many.weights.clone()
    left_out[:, :180] = 0
    assert float(balanced(left_out, 180, 0.05).sum()) == 0


def test_refused_windows_score_lower(reef, background):
    wrong = reef.windows[180:184]
    plain = Probe.fit({"grunt": reef.windows[:4]}, background=background)
    told = Probe.fit({"grunt": reef.windows[:4]}, negatives={"grunt": wrong}, background=background)
    assert told.scores(wrong).mean() < plain.scores(wrong).mean()
    assert told.labelled.truth.ravel().tolist() == [1] * 4 + [0] * 4


def test_a_window_may_be_of_two_classes_that_then_do_not_compete(reef, background):
    both = (reef.windows[:8].astype(np.float32) + reef.windows[60:68]) / 2
    apart = {"grunt": reef.windows[:8], "pulse train": reef.windows[60:68]}
    shared_ = {name: np.concatenate([rows, both]) for name, rows in apart.items()}
    labelled = Labelled.of(shared_)
    assert len(labelled) == 24  # the windows of both classes are one row each
    assert together(labelled).all()
    logits = torch.tensor([[3.0, 2.0]])
    assert compete(logits, together(Labelled.of(apart))).tolist() == [[2.0, 0.5]]
    assert compete(logits, together(labelled)).tolist() == [[3.0, 2.0]]
    scores = Probe.fit(labelled, background=background).scores(both)
    assert (scores > 0.5).all()


def test_a_judgement_and_its_opposite_count_half():
    window = np.ones((1, 4))
    labelled = Labelled.of({"a": np.vstack([window, window * 2])}, {"a": window})
    assert labelled.truth.ravel().tolist() == [0.5, 1.0]


def test_prepared_windows_score_as_embeddings_do(reef, background, probe):
    prepared = background.prepare(reef.windows)
    np.testing.assert_allclose(probe.scores(prepared), probe.scores(reef.windows), atol=3e-3)
    elsewhere = Background.fit(reef.windows[200:])
    moved = probe.on(elsewhere)
    assert moved.background is elsewhere
    scores = probe.scores(elsewhere.prepare(reef.windows))
    np.testing.assert_allclose(scores, moved.scores(reef.windows), atol=3e-3)


def test_windows_that_are_not_finite_score_nothing(reef, background, probe):
    rows = reef.windows[:3].copy()
    rows[1, 0] = np.nan
    for given in (rows, background.prepare(rows)):
        assert (probe.scores(given)[1] == 0).all()
        assert (probe.scores(given)[[0, 2]] > 0).any()
    assert probe.predict(rows, threshold=0.1)[1] is None


def test_a_probe_that_nothing_speaks_against_is_refused():
    with pytest.raises(ParameterError, match="nothing to tell grunt from: give background"):
        Probe.fit({"grunt": np.ones((2, 4))})
    with pytest.raises(ParameterError, match="penalty"):
        Training(penalty=0)
    with pytest.raises(ParameterError, match="no example of boat"):
        Probe.fit({"grunt": np.ones((1, 4)), "boat": np.zeros((0, 4))})
    with pytest.raises(ParameterError, match="method 'magic'"):
        Training(method="magic")  # type: ignore[arg-type]


def test_a_saved_probe_is_the_same_probe(tmp_path, reef, background):
    groups = {name: [f"{name} {at}.wav" for at in range(8)] for name in KINDS}
    labelled = Labelled.of(reef.examples(), groups=groups)
    probe = Probe.fit(labelled, background=background, training=Training(hidden_units=2))
    assert probe.hidden is not None
    probe.save(tmp_path / "reef.safetensors", metadata={"run": "night"})
    loaded = Probe.load(tmp_path / "reef.safetensors")
    assert loaded.classes == probe.classes
    assert loaded.training == probe.training
    assert loaded.metadata == {"run": "night"}
    assert list(loaded.labelled.groups) == list(labelled.groups)
    np.testing.assert_array_equal(loaded.labelled.truth, labelled.truth)
    np.testing.assert_array_equal(loaded.scores(reef.windows), probe.scores(reef.windows))
    prepared = background.prepare(reef.windows)
    np.testing.assert_allclose(loaded.scores(prepared), probe.scores(reef.windows), atol=5e-3)


def test_files_of_newer_programs_and_other_kinds_are_refused(tmp_path, probe):
    path = tmp_path / "probe.safetensors"
    probe.save(path)
    newer = {"format": "explorer linear probe", "version": 99}
    save_file(load_file(path), path, metadata={weights.KEY: json.dumps(newer)})
    with pytest.raises(FormatVersionError, match="version 99"):
        Probe.load(path)
    save_file(load_file(path), path, metadata={weights.KEY: json.dumps({"format": "x"})})
    with pytest.raises(ParameterError, match="this is no explorer linear probe"):
        Probe.load(path)


# Hidden units -------------------------------------------------------------------------------------


def test_growing_hidden_units_does_not_change_the_probe(reef, background, probe):
    problem = Problem.of(probe.labelled, background, probe.training)
    given = (problem.features, problem.targets, problem.weights)
    linear = solve(*given, penalty=0.1)
    hidden = grown(*given, linear, units=16)
    assert hidden.fan_out.shape == (3, 3)  # one a class: there are no more directions
    assert hidden(problem.features).abs().max() == 0
    # But they do not stay silent: there is something to learn.
    start = Hidden(hidden.fan_in.clone().requires_grad_(), hidden.fan_out)
    logits = linear[:, :-1] @ problem.features.T + linear[:, -1:] + start(problem.features).T
    targets, counts = problem.targets, problem.weights
    (counts * (torch.nn.functional.softplus(logits) - targets * logits)).sum().backward()
    assert start.fan_in.grad is not None
    assert start.fan_in.grad.norm() > 0.1


def test_hidden_units_find_a_class_of_two_kinds_with_others_in_between():
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(6, 24))
    middles[3:] = -middles[:3]
    of = rng.integers(0, 6, 1500)
    rows = torch.from_numpy(middles[of] + rng.normal(size=(1500, 24)) * 0.7)
    rows = rows / rows.norm(dim=1, keepdim=True)
    truth = torch.from_numpy((of[None] % 3) == np.arange(2)[:, None]).double()
    seen = (rows[:800], truth[:, :800], torch.ones(2, 800, dtype=torch.float64))
    linear = solve(*seen, penalty=0.1)
    straight, hidden = train(*seen, linear, penalty=0.1, units=4)
    unseen, wanted = rows[800:], truth[:, 800:].T.numpy()
    before = roc_auc(wanted, (unseen @ linear[:, :-1].T).numpy()).mean()
    after = roc_auc(wanted, (unseen @ straight[:, :-1].T + hidden(unseen)).numpy()).mean()
    assert before < 0.7
    assert after > 0.95


def test_a_probe_is_learnt_on_the_device_that_is_named(reef, background):
    with pytest.raises(ParameterError, match="device"):
        Probe.fit(reef.examples(), background=background, device="abacus")
    if torch.cuda.is_available():
        there = Probe.fit(reef.examples(), background=background, device="cuda")
        here = Probe.fit(reef.examples(), background=background, device="cpu")
        torch.testing.assert_close(there.weight, here.weight, rtol=1e-3, atol=1e-3)
