"""The reference's numbers for NOTELA and the methods beside it (golden/README.md 2.2 to 2.5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.classify import adaptation_losses as losses
from explorer.classify.adaptation_settings import Settings
from explorer.classify.adaptation_student import EmbeddingStudent, LinearHead, Place
from explorer.classify.adaptation_training import LESSONS, Draws, nearest, train
from explorer.space.neighbours import knn_graph

pytestmark = pytest.mark.golden


def read(shared: Path, name: str) -> tuple[dict[str, torch.Tensor], dict]:
    """A fixture's arrays as tensors, and what the manifest says of it."""
    file = shared / "golden" / f"{name}.npz"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    with np.load(file, allow_pickle=False) as stored:
        arrays = {key: torch.from_numpy(np.asarray(stored[key])) for key in stored}
    manifest = json.loads((shared / "golden" / "manifest.json").read_text(encoding="utf-8"))
    return arrays, manifest["files"][file.name]


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Within what the manifest states: 1e-7 in float64, 1e-4 where the reference is float32."""
    rtol = 1e-4 if expected.dtype == torch.float32 else 1e-7
    torch.testing.assert_close(found.to(expected.dtype), expected, rtol=rtol, atol=1e-12)


def as_matrix(near: torch.Tensor, n: int) -> torch.Tensor:
    """Neighbours as a matrix of zeros and ones, ``[rows, n]``."""
    matrix = torch.zeros(len(near), n, dtype=torch.uint8)
    return matrix.scatter_(1, near.long(), 1)


def as_lists(matrix: torch.Tensor) -> torch.Tensor:
    """A matrix of zeros and ones as neighbours, filled up with -1."""
    most = int(matrix.sum(dim=1).max())
    lists = torch.full((len(matrix), most), -1)
    for row, line in enumerate(matrix):
        found = torch.nonzero(line)[:, 0]
        lists[row, : len(found)] = found
    return lists


# NOTELA's labels ----------------------------------------------------------------------------------


def test_neighbours_are_those_of_the_reference(shared):
    arrays, _ = read(shared, "notela_pseudo_labels")
    names = [name for name in arrays if name.startswith("nn_knn")]
    assert names
    for name in names:
        k = int(name.removeprefix("nn_knn")) - 1  # the reference counts the point itself
        graph = knn_graph(arrays["feature"].numpy(), k)
        found = as_matrix(torch.from_numpy(graph.indices), len(graph))
        assert torch.equal(found, arrays[name])


def test_probabilities_are_those_of_the_reference(shared):
    arrays, _ = read(shared, "notela_pseudo_labels")
    for kind, multi_label in (("single", False), ("multi", True)):
        found = losses.probabilities(arrays[f"logits_{kind}"], multi_label=multi_label)
        close(found, arrays[f"proba_{kind}"])


def test_labels_are_those_of_the_reference(shared):
    arrays, about = read(shared, "notela_pseudo_labels")
    assert about["cases"]
    for case in about["cases"]:
        p = arrays["proba_multi" if case["multi_label"] else "proba_single"]
        near = torch.from_numpy(knn_graph(arrays["feature"].numpy(), case["knn"] - 1).indices)
        near, rows = near.long(), torch.arange(len(p))
        mutual = case["use_mutual_nn"]
        counts = losses.reciprocal(near, rows, near) if mutual else near >= 0
        mean, linked = losses.neighbour_mean(p, near, counts)
        found = losses.notela_labels(
            p,
            mean,
            linked,
            multi_label=case["multi_label"],
            lambda_=case["lambda_"],
            alpha=case["alpha"],
            normalise=case["normalize"],
        )
        close(found, arrays[f"pl_{case['case']}"])


def test_labels_of_any_graph_are_those_of_the_reference(shared):
    """One row of this graph has no neighbour at all."""
    arrays, _ = read(shared, "notela_pseudo_labels")
    near = as_lists(arrays["affinity_random"])
    mean, linked = losses.neighbour_mean(arrays["proba_single"], near, near >= 0)
    assert not linked.all()
    names = [name for name in arrays if name.startswith("teacher_random_single")]
    assert names
    for name in names:
        lambda_, alpha = re.fullmatch(r".*_l(\d+)_a(\d+)", name).groups()
        alpha = float(alpha if alpha[0] != "0" else f"0.{alpha[1:]}")
        found = losses.notela_labels(
            arrays["proba_single"],
            mean,
            linked,
            multi_label=False,
            lambda_=float(lambda_),
            alpha=alpha,
        )
        close(found, arrays[name])


class Recorded:
    """A student that answers what was recorded."""

    def __init__(self, features: torch.Tensor, p: torch.Tensor) -> None:
        self.features, self.p = features, p

    def __len__(self) -> int:
        return len(self.features)

    def trained(self) -> list[tuple[torch.Tensor, float]]:
        return []

    def look(self, rows: torch.Tensor, draws: Draws | None) -> tuple[torch.Tensor, torch.Tensor]:
        return self.features[rows], torch.logit(self.p[rows])


def test_labels_of_a_batch_online_are_those_of_the_reference(shared):
    arrays, about = read(shared, "notela_pseudo_labels")
    near = int(arrays["online_nn"].sum(dim=1)[0])
    case = next(case for case in about["cases"] if case["multi_label"] and case["knn"] == near + 1)
    settings = Settings(
        online=True, n_neighbours=near, lambda_=case["lambda_"], alpha=case["alpha"]
    )
    student = Recorded(arrays["feature"].clone(), arrays["proba_multi"].clone())
    lesson = LESSONS["notela"](student, settings, Draws(0, 0))
    lesson.before_epoch(0)
    rows = arrays["online_batch_index"]
    found = nearest(arrays["online_batch_feature"], lesson.features, rows, near)
    assert torch.equal(as_matrix(found, len(student)), arrays["online_nn"])
    student.features[rows] = arrays["online_batch_feature"]
    student.p[rows] = arrays["online_batch_proba"]
    close(lesson.labels_online(rows), arrays["online_pl"])
    assert torch.equal(lesson.features[rows], arrays["online_batch_feature"])  # remembered
    close(lesson.bank[rows], arrays["online_batch_proba"])


# A whole run --------------------------------------------------------------------------------------


class RecordedDraws(Draws):
    """The order and the dropout of the reference's run."""

    def __init__(self, arrays: dict[str, torch.Tensor]) -> None:
        self.orders: Iterator[torch.Tensor] = iter(arrays["order"])
        self.masks: Iterator[torch.Tensor] = iter(arrays["masks"])

    def order(self, n_rows: int) -> torch.Tensor:
        return next(self.orders)

    def kept(self, like: torch.Tensor) -> torch.Tensor:
        return next(self.masks).to(like)


@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ["notela_trace_multi_bn", "notela_trace_single_all"])
def test_every_step_is_that_of_the_reference(shared, monkeypatch, name, precision):
    arrays, about = read(shared, name)
    config = about["config"]
    settings = Settings(
        multi_label=config["multi_label"],
        train="affine" if config["trainable"] == "bn" else "all",
        n_neighbours=config["knn"] - 1,
        lambda_=config["lambda_"],
        alpha=config["alpha"],
        learning_rate=config["lr"],
        decay=config["lr_decay"],
        epochs=config["epochs"],
        batch_size=config["batch"],
        dropout=1 - config["keep_prob"],
    )
    rows = arrays["X"].to(precision)
    zeros = torch.zeros(rows.shape[1], dtype=torch.float64)
    student = EmbeddingStudent(
        rows,
        LinearHead(arrays["W0"].numpy(), arrays["b0"].numpy()),
        Place(zeros, zeros + 1, zeros, zeros + 1, len(rows)),
        head_too=settings.train == "all",
    )
    lessons = []
    make = LESSONS["notela"]
    monkeypatch.setitem(
        LESSONS, "notela", lambda *given: lessons.append(make(*given)) or lessons[0]
    )
    last = len(arrays["loss"]) - 1
    near = (1e-6, 1e-6) if precision == torch.float64 else (1e-3, 1e-3)

    def same(found: torch.Tensor, expected: torch.Tensor, *, rtol: float = 0) -> None:
        torch.testing.assert_close(found.detach().double(), expected, rtol=rtol, atol=near[0])

    def compare(step: int, loss: float) -> None:
        assert loss == pytest.approx(float(arrays["loss"][step]), rel=near[1])
        for parameter in ("gamma", "beta"):
            same(getattr(student, parameter), arrays[parameter][step])
        head = student.head()
        same(torch.from_numpy(head.bias), arrays["b"][step])
        if step in (0, last):
            same(torch.from_numpy(head.weight), arrays["W"][0 if step == 0 else 1])
        same(lessons[0].labels, arrays["pl"][step * settings.batch_size // len(rows)])

    history = train(student, settings, draws=RecordedDraws(arrays), on_step=compare)
    assert len(history) == settings.epochs
    same(student.look(torch.arange(len(rows)), None)[1], arrays["final_logits"], rtol=near[0])


# The methods beside it ----------------------------------------------------------------------------


@pytest.fixture
def beside(shared) -> dict[str, torch.Tensor]:
    arrays, _ = read(shared, "sfda_baselines")
    for kind, multi_label in (("single", False), ("multi", True)):
        for start, at in (("logits", "p"), ("proba2", "noisy")):
            given = arrays[f"{start}_{kind}"]
            p = losses.probabilities(given, multi_label=multi_label) if at == "p" else given
            arrays[f"{at}_{kind}"] = p
    return arrays


def test_entropies_and_cross_entropies(beside):
    here = beside["label_mask"][0] > 0  # classes that can occur: others are left out
    for kind, multi_label, ent, xent in (
        ("single", False, "ent", "xent"),
        ("multi", True, "bent", "bxent"),
    ):
        p, soft = beside[f"p_{kind}"], beside[f"soft_{kind}"]
        close(losses.entropy(p, multi_label=multi_label), beside[ent])
        close(losses.cross_entropy(p, soft, multi_label=multi_label), beside[xent])
        masked = losses.entropy(p[:, here], multi_label=multi_label)
        close(masked, beside[f"{ent}_masked"])
    masked = losses.cross_entropy(
        beside["p_multi"][:, here], beside["soft_multi"][:, here], multi_label=True
    )
    close(masked, beside["bxent_masked"])


def test_probabilities_of_the_classes_that_can_occur(beside):
    here = beside["label_mask"][0] > 0
    found = torch.zeros_like(beside["masked_softmax"])
    found[:, here] = losses.probabilities(beside["logits_single"][:, here], multi_label=False)
    close(found, beside["masked_softmax"])


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_tent_has_the_gradient_of_the_reference(beside, kind):
    logits = beside[f"logits_{kind}"].clone().requires_grad_()
    p = losses.probabilities(logits, multi_label=kind == "multi")
    (gradient,) = torch.autograd.grad(losses.entropy(p, multi_label=kind == "multi").mean(), logits)
    torch.testing.assert_close(gradient, beside[f"tent_grad_{kind}"], rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_shot(beside, kind):
    multi_label, p = kind == "multi", beside[f"p_{kind}"]
    labels = losses.shot_labels(beside["feature"], p, multi_label=multi_label)
    assert torch.equal(labels, beside[f"shot_pl_{kind}"])
    names = [name for name in beside if name.startswith(f"shot_loss_{kind}_beta")]
    assert names
    for name in names:
        beta = int(name.split("_beta")[1]) / 10
        close(losses.shot_loss(p, labels, beta=beta, multi_label=multi_label), beside[name])


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_dropout_student_is_notela_without_neighbours(beside, kind):
    p = beside[f"p_{kind}"]
    lesson = LESSONS["dropout_student"](
        Recorded(beside["feature"], p),
        Settings(method="dropout_student", multi_label=kind == "multi", alpha=0.5),
        Draws(0, 0),
    )
    close(lesson.labels_of(torch.arange(len(p)), p), beside[f"dropout_student_pl_{kind}_a05"])


def test_nrc(beside):
    k = beside["nrc_nn"].shape[1]
    near = torch.from_numpy(knn_graph(beside["feature"].numpy(), k).indices)
    assert torch.equal(near, beside["nrc_nn"])
    near = near.long()
    far = near[near]
    assert torch.equal(far, beside["nrc_ext"].long())
    weights = losses.nrc_weights(torch.arange(len(near)), far, 0.1)
    torch.testing.assert_close(weights.double(), beside["nrc_weight"], rtol=1e-7, atol=1e-7)
    for kind in ("single", "multi"):
        p = beside[f"p_{kind}"]
        found = losses.nrc_loss(
            p, p[near], beside["nrc_weight"], p[far], 0.1, multi_label=kind == "multi"
        )
        close(found, beside[f"nrc_loss_{kind}"])


def test_pseudo_labels(beside):
    labels, counts = losses.confident(beside["p_multi"], 0.5, multi_label=True)
    assert torch.equal(counts.double(), beside["pl_multi_mask"])
    found = losses.masked_cross_entropy(beside["p_multi"], labels, counts)
    close(found, beside["pl_multi_loss"])
    labels, counts = losses.confident(beside["p_single"], 0.5, multi_label=False)
    assert torch.equal(counts.double(), beside["pl_single_sample_mask"])
    found = losses.masked_cross_entropy(beside["p_single"], labels, counts)
    close(found, beside["pl_single_loss"])


def test_the_divergence_of_the_reference_is_none_and_ours_is(beside):
    for kind, name in (("single", "kl"), ("multi", "bkl")):
        clean, noisy = beside[f"p_{kind}"], beside[f"noisy_{kind}"]
        theirs = losses.divergence_of_reference(clean, noisy, multi_label=kind == "multi")
        torch.testing.assert_close(theirs, beside[name], rtol=1e-7, atol=1e-11)
        assert (theirs < -1e-6).any()
        ours = losses.divergence(clean, noisy, multi_label=kind == "multi")
        assert (ours >= -1e-9).all()
        true = clean * torch.log(clean / noisy)
        if kind == "multi":
            true = true + (1 - clean) * torch.log((1 - clean) / (1 - noisy))
        else:
            true = true.sum(dim=1)
        torch.testing.assert_close(ours, true, rtol=1e-5, atol=1e-8)
