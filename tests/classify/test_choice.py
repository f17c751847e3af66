"""Centroid or probe, told by recordings left out; hidden units only where they help."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.classify.background import Background
from explorer.classify.centroid import NearestCentroid
from explorer.classify.choice import LEAST_EXAMPLES, Choice, choose, fit, grow, held_out
from explorer.classify.labelled import Labelled
from explorer.classify.probe import Probe
from explorer.classify.splits import SplitWarning
from explorer.classify.training import Training
from explorer.classify.trial import Trial, centroid_scores, probe_scores, splits_of
from explorer.errors import ParameterError


class Nights:
    """Two birds that differ in a few dimensions, over recordings that differ in all of them."""

    def __init__(self, per_class: int, recordings: int, *, apart: float = 1.5) -> None:
        rng = np.random.default_rng(per_class)
        nights = rng.normal(size=(recordings, 16)) * 2
        night = np.tile(np.arange(recordings), 1 + 2 * per_class // recordings)[: 2 * per_class]
        bird = np.repeat([0, 1], per_class)
        rows = nights[night] + rng.normal(size=(2 * per_class, 16))
        rows[:, :2] = rng.normal(size=(2 * per_class, 2)) * 0.4
        rows[:, 0] += apart * (bird - 0.5)
        # The second dimension misleads a mean: it is large, and the same for both.
        rows[:, 1] *= 8
        quiet = nights[rng.integers(0, recordings, 300)] + rng.normal(size=(300, 16))
        self.rows = rows.astype(np.float32)
        self.background = Background.fit(np.concatenate([self.rows, quiet]).astype(np.float32))
        truth = np.where(bird[:, None] == [0, 1], 1, np.nan).astype(np.float32)
        self.groups = np.array([f"night {number}" for number in night], dtype=object)
        self.labelled = Labelled(("wren", "robin"), self.rows, truth, self.groups)


def test_with_many_examples_a_probe_is_proposed_and_the_numbers_are_said():
    nights = Nights(60, 12)
    choice = choose(nights.labelled, nights.background)
    assert choice.kind == "probe"
    assert choice.apart == "recordings"
    assert choice.auc["probe"] > choice.auc["centroid"] + 0.05
    assert choice.sentence == (
        f"A probe. On recordings left out its mean AUC is {choice.auc['probe']:.3f}, that of a "
        f"centroid {choice.auc['centroid']:.3f}."
    )
    assert choice.by_class["probe"].shape == (2,)


def test_what_is_tested_is_what_is_proposed():
    """The tests work out centroids and probes of many parts at once: they are the real ones."""
    nights = Nights(12, 6)
    labelled = nights.labelled
    labelled.truth[[3, 20], [1, 0]] = 0  # refused
    splits, _ = splits_of(labelled, seed=0)
    trial = Trial.of(labelled, nights.background)
    centroids = centroid_scores(trial, splits)
    outcome = held_out(["centroid"], labelled, nights.background)["centroid"].outcome
    probes = probe_scores(trial, splits, Training())
    for at, split in enumerate(splits):
        part = labelled.take(split.train, np.arange(2))
        model = NearestCentroid.fit(
            part.examples(), negatives=part.negatives(), background=trial.background
        )
        np.testing.assert_allclose(centroids[at], model.similarities(trial.windows), atol=1e-5)
        own = model.scores(trial.windows)[split.test]
        np.testing.assert_allclose(outcome.own_scores()[split.test], own, atol=1e-4)
        probe = Probe.fit(part, background=trial.background)
        # Landmarks that are held-out windows are weak negatives of the one and not of the other.
        agree = np.corrcoef(probes[at].ravel(), probe.logits(trial.windows).ravel())[0, 1]
        assert agree > 0.999


def test_a_proposal_is_the_same_each_time_and_survives_as_json():
    nights = Nights(12, 6)
    once, again = (choose(nights.labelled, nights.background) for _ in range(2))
    assert once.to_dict() == again.to_dict()
    assert Choice.from_dict(once.to_dict()).to_dict() == once.to_dict()


def test_with_few_examples_a_centroid_is_proposed_whatever_the_numbers():
    nights = Nights(LEAST_EXAMPLES - 1, 3)
    choice = choose(nights.labelled, nights.background)
    assert choice.kind == "centroid"
    one_each = nights.labelled.take(np.array([0, 3]), np.arange(2))
    choice = choose(one_each, nights.background)
    assert choice.kind == "centroid"
    assert choice.apart == "nothing"
    assert "too few" in choice.sentence
    assert np.isnan(choice.auc["probe"])


def test_windows_of_one_recording_are_left_out_with_a_warning():
    nights = Nights(20, 1)
    with pytest.warns(SplitWarning, match="one recording"):
        choice = choose(nights.labelled, nights.background)
    assert choice.apart == "windows"
    assert "the AUC flatters" in choice.sentence


def test_a_recording_that_gives_itself_away_does_not_flatter():
    """Each bird on nights of its own, with no difference but the night: nothing can be learnt."""
    rng = np.random.default_rng(0)
    night = np.repeat(np.arange(16), 6)
    rows = (rng.normal(size=(16, 16)) * 3)[night] + rng.normal(size=(96, 16)) * 0.3
    truth = np.where((night % 2)[:, None] == [0, 1], 1, np.nan).astype(np.float32)
    rows = rows.astype(np.float32)
    groups = night.astype(object)
    kept_apart = choose(Labelled(("a", "b"), rows, truth, groups), Background.fit(rows))
    with pytest.warns(SplitWarning):
        mixed = choose(Labelled(("a", "b"), rows, truth), Background.fit(rows))
    assert max(mixed.auc.values()) > 0.9
    assert max(kept_apart.auc.values()) < 0.75


def test_what_is_proposed_can_be_overridden():
    nights = Nights(8, 4)
    assert isinstance(fit("probe", nights.labelled, nights.background), Probe)
    assert isinstance(fit("centroid", nights.labelled, nights.background), NearestCentroid)
    with pytest.raises(ParameterError, match="'forest'"):
        fit("forest", nights.labelled)  # type: ignore[arg-type]


def test_hidden_units_stay_away_where_a_straight_cut_does():
    nights = Nights(30, 6, apart=4)
    probe = Probe.fit(nights.labelled, background=nights.background)
    grown = grow(probe, units=2)
    assert not grown.kept
    assert grown.probe is probe
    assert grown.sentence.startswith("Stays linear")


def test_hidden_units_are_kept_where_recordings_left_out_say_so():
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(6, 24))
    middles[3:] = -middles[:3]
    of = rng.integers(0, 6, 900)
    rows = (middles[of] + rng.normal(size=(900, 24)) * 0.7).astype(np.float32)
    truth = (of[:, None] % 3 == np.arange(2)).astype(np.float32)
    groups = rng.integers(0, 20, 900).astype(object)
    probe = Probe.fit(Labelled(("a", "b"), rows[:600], truth[:600], groups[:600]))
    grown = grow(probe, units=4)
    assert grown.kept
    assert grown.auc_after > grown.auc_before + 0.2
    assert grown.probe.training.hidden_units == 4
    found = (grown.probe.scores(rows[600:]) > 0.5) == (truth[600:] > 0.5)
    assert found.mean() > 0.9


def test_hidden_units_need_recordings_to_be_tested_on():
    nights = Nights(8, 4)
    labelled = Labelled(nights.labelled.classes, nights.rows, nights.labelled.truth)
    grown = grow(Probe.fit(labelled, background=nights.background))
    assert not grown.kept
    assert "do not come from several recordings" in grown.sentence
