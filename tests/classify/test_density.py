"""How many calls there are: what to label, density and its interval, sites, how much more."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from explorer.classify.density import (
    JEFFREYS,
    density,
    labels_needed,
    posterior_moments,
    posterior_rates,
    ranking_auc,
    yes_rates,
)
from explorer.classify.labelling_plan import (
    MOST_QUEUED,
    LabellingPlan,
    StratifiedLabels,
    bins_of,
    score_bounds,
)
from explorer.classify.site_density import fixed_density, mixture_density, site_densities
from explorer.errors import FormatVersionError, ParameterError

JUDGEMENTS = {1: "positive", -1: "negative", 0: "unsure"}


def truths(n: int = 8000, share: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a fair classifier, and which windows are calls."""
    rng = np.random.default_rng(seed)
    calls = rng.random(n) < share
    return rng.normal(np.where(calls, 1.8, 0.0), 1.0), calls


def answers(plan: LabellingPlan, rows, calls) -> StratifiedLabels:
    return plan.labels(rows, ["positive" if calls[row] else "negative" for row in rows])


def stored(shared: Path, name: str) -> tuple[dict[str, np.ndarray], str]:
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    with np.load(shared / "golden" / f"{name}.npz", allow_pickle=False) as found:
        return dict(found), files[f"{name}.npz"]["tol"]


def allowed(text: str, what: str) -> float:
    """The tolerance that the manifest states after some words."""
    return float(re.search(rf"{re.escape(what)}\D*?([0-9.]+(?:e-?\d+)?)", text)[1])


# --- golden -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(shared):
    return stored(shared, "call_density")


def cases(golden):
    """Each case of the fixture: its values under short names, and the labels made of them."""
    values, _ = golden
    for case in sorted({name.rsplit("_weights", 1)[0] for name in values if "_weights" in name}):
        mine = {
            k.removeprefix(f"{case}_"): v for k, v in values.items() if k.startswith(f"{case}_")
        }
        rows, label = mine["example_window"], mine["example_label"]
        decided = label != 0
        yield (
            mine,
            StratifiedLabels(
                scores=values["logits"][rows[decided]],
                positive=label[decided] == 1,
                bins=mine["example_bin"][decided] - 1,
                weights=mine["weights"],
            ),
        )


@pytest.mark.golden
def test_bins_weights_and_bounds_are_the_published_ones(golden):
    logits = golden[0]["logits"]
    for mine, _ in cases(golden):
        bounds = score_bounds(logits, mine["quantile_bounds"])
        np.testing.assert_allclose(bounds, mine["value_bounds"], rtol=1e-9)
        np.testing.assert_array_equal(bins_of(logits, bounds) + 1, mine["bin_of_every_window"])
        plan = LabellingPlan.draw(logits, quantiles=mine["quantile_bounds"])
        np.testing.assert_allclose(plan.weights, mine["weights"], rtol=1e-9)
        np.testing.assert_array_equal(
            bins_of(logits[mine["example_window"]], plan.bounds) + 1, mine["example_bin"]
        )


@pytest.mark.golden
def test_answers_given_under_a_plan_are_counted_in_their_bins(golden):
    logits = golden[0]["logits"]
    for mine, labels in cases(golden):
        # A plan whose queues hold the windows that the study asked about.
        drawn = LabellingPlan.draw(logits, quantiles=mine["quantile_bounds"])
        rows, bins = mine["example_window"], mine["example_bin"] - 1
        queues = tuple(tuple(rows[bins == at].tolist()) for at in range(labels.n_bins))
        scores = tuple(tuple(logits[list(queue)].tolist()) for queue in queues)
        plan = LabellingPlan(drawn.bounds, drawn.sizes, queues, scores)
        found = plan.labels(rows, [JUDGEMENTS[int(label)] for label in mine["example_label"]])
        np.testing.assert_array_equal(found.positives, mine["pos"])
        np.testing.assert_array_equal(found.negatives, mine["neg"])
        assert found.n_unsure == (mine["example_label"] == 0).sum()
        assert density(found).value == pytest.approx(density(labels).value, rel=1e-12)


@pytest.mark.golden
def test_density_and_its_posterior_equal_the_reference(golden):
    text = golden[1]
    rtol, closed, atol = (allowed(text, what) for what in ("roc_auc", "closed form", "quantiles"))
    for mine, labels in cases(golden):
        found = density(labels)
        assert found.value == pytest.approx(float(mine["density_ev"]), rel=rtol)
        mean, sd = posterior_moments(labels)
        assert mean == pytest.approx(float(mine["post_mean"]), rel=closed)
        assert sd == pytest.approx(float(mine["post_sd"]), rel=closed)
        draws = posterior_rates(labels, draws=1_000_000) @ labels.weights
        quantiles = np.quantile(draws, [0.05, 0.5, 0.95])
        np.testing.assert_allclose(quantiles, mine["post_q05_q50_q95"], atol=atol)
        assert (found.low, found.high) == pytest.approx(quantiles[[0, 2]], abs=2 * atol)
        # The reference's own 10,000 draws: equal within what 10,000 draws can be equal to.
        many = [np.quantile(part, [0.05, 0.5, 0.95]) for part in np.split(draws, 100)]
        by_chance = np.std(many, axis=0, ddof=1)
        assert (abs(quantiles - mine["ref_samples_q05_q50_q95"]) < 5 * by_chance).all()
        assert 0 < mine["true_density"] < 1
        assert abs(found.value - mine["true_density"]) < 4 * sd


@pytest.mark.golden
def test_ranking_auc_keeps_the_top_bin_that_hoplite_loses(golden):
    """Hoplite numbers its bins from 1 and loops from 0: its value is far off, ours is perch's."""
    rtol = allowed(golden[1], "roc_auc")
    for mine, labels in cases(golden):
        found = ranking_auc(labels, ties=False)
        assert found.value == pytest.approx(float(mine["roc_auc"]), rel=rtol)
        assert abs(found.value - mine["hoplite_head_roc_auc_KNOWN_BAD"]) > 1e-4
        assert found.low <= found.value <= found.high


@pytest.mark.golden
def test_site_densities_equal_the_independent_computation(shared):
    values, text = stored(shared, "site_density")
    rates, of_calls, of_others = (
        values[name] for name in ("p_pos_given_b", "p_b_given_pos", "p_b_given_neg")
    )
    # The three belong together: Bayes' rule at the density of the study.
    prior = values["study_density"]
    bayes = prior * of_calls / (prior * of_calls + (1 - prior) * of_others)
    np.testing.assert_allclose(bayes, rates, rtol=1e-12)
    fixed = fixed_density(values["site_hist"], rates)
    np.testing.assert_allclose(
        fixed, values["q_fixed_ppos"], atol=allowed(text, "q_fixed_ppos"), rtol=0
    )
    mixture = mixture_density(values["site_hist"], of_calls, of_others)
    inside = (values["site_true_q"] > 0) & (values["site_true_q"] < 1)
    limit = np.where(inside, allowed(text, "q_kl atol"), allowed(text, "(interior),"))
    for name in ("q_kl", "q_em"):
        assert (abs(mixture - values[name]) < limit).all(), name
    # The mixture follows the sites' true densities; fixed rates are drawn to the study's.
    truth = values["site_true_q"]
    assert abs(mixture - truth).max() < abs(fixed - truth).max() / 5


# --- the plan ---------------------------------------------------------------------------------


def test_labelling_can_stop_anywhere_and_go_on_from_the_file():
    scores, calls = truths()
    plan = LabellingPlan.draw(scores, per_bin=10, seed=3)
    asked = plan.to_label()
    assert len(asked) == 40 == len(set(asked.tolist()))
    done = asked[:17]
    again = LabellingPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    np.testing.assert_array_equal(again.to_label(done), asked[17:])
    # Wherever it stops, every bin has had its part.
    counts = answers(plan, done, calls)
    per_bin = counts.positives + counts.negatives
    assert per_bin.max() - per_bin.min() <= 1
    # And the answers stay valid when the classifier has learnt: the plan keeps its own scores.
    assert set(counts.scores) == set(scores[done])


def test_a_larger_plan_begins_with_the_windows_of_a_smaller_one():
    scores, _ = truths()
    small, large = (LabellingPlan.draw(scores, per_bin=n, seed=5) for n in (5, 25))
    np.testing.assert_array_equal(small.to_label(), large.to_label()[:20])
    more = small.to_label(small.to_label(), more=[0, 1, 2, 3])
    np.testing.assert_array_equal(np.bincount(bins_of(scores[more], small.bounds)), [0, 1, 2, 3])
    assert not set(more) & set(small.to_label())
    assert (small.remaining(more) == np.minimum(small.sizes, MOST_QUEUED) - [0, 1, 2, 3]).all()


def test_the_order_of_asking_does_not_tell_the_bin():
    plan = LabellingPlan.draw(np.arange(8000.0), per_bin=25)
    rounds = bins_of(plan.to_label(), plan.bounds).reshape(25, 4)
    assert (np.sort(rounds, axis=1) == np.arange(4)).all()
    assert len({tuple(turn) for turn in rounds.tolist()}) > 10


def test_windows_that_the_plan_did_not_draw_do_not_count():
    scores, calls = truths()
    plan = LabellingPlan.draw(scores)
    asked = plan.to_label()
    planned = set().union(*plan.queues)
    best = [row for row in np.argsort(-scores)[:2000] if row not in planned][:50]
    with_best = answers(plan, [*asked, *best], calls)
    assert density(with_best) == density(answers(plan, asked, calls))


def test_scores_that_are_equal_or_missing_leave_no_empty_bin():
    scores = np.r_[np.zeros(600), np.ones(400), np.full(50, np.nan)]
    plan = LabellingPlan.draw(scores)
    assert plan.sizes == (600, 400)
    np.testing.assert_allclose(plan.weights, [0.6, 0.4])
    assert LabellingPlan.draw(np.ones(9)).sizes == (9,)
    names, counts = plan.histograms(scores, np.where(np.arange(1050) < 100, "a", "b"))
    assert names.tolist() == ["a", "b"]
    np.testing.assert_array_equal(counts, [[100, 0], [500, 400]])


def test_what_cannot_be_right_is_refused_with_a_cure():
    with pytest.raises(ParameterError, match="finite score"):
        LabellingPlan.draw(np.full(3, np.nan))
    with pytest.raises(ParameterError, match="ascend from 0 to 1"):
        LabellingPlan.draw(np.arange(9.0), quantiles=[0, 0.9, 0.5, 1])
    plan = LabellingPlan.draw(np.arange(9.0))
    with pytest.raises(ParameterError, match="use positive, negative or unsure"):
        plan.labels([1], ["yes"])
    with pytest.raises(ParameterError, match="given twice"):
        plan.labels([1, 1], ["positive", "negative"])
    with pytest.raises(ParameterError, match="leave unsure ones out"):
        StratifiedLabels.plain([0.1, 0.2], [1, -1])
    with pytest.raises(FormatVersionError):
        LabellingPlan.from_dict(plan.to_dict() | {"version": 99})
    with pytest.raises(ParameterError, match="prior must be above 0"):
        density(StratifiedLabels.plain([1.0], [True]), prior=0)


# --- density ----------------------------------------------------------------------------------


def test_intervals_hold_the_true_density_about_as_often_as_they_say():
    scores, calls = truths(share=0.05)
    held, wider = 0, 0
    for seed in range(200):
        plan = LabellingPlan.draw(scores, seed=seed)
        labels = answers(plan, plan.to_label(), calls)
        found = density(labels, draws=4000, seed=seed)
        held += found.low <= calls.mean() <= found.high
        jeffreys = density(labels, prior=JEFFREYS, draws=4000, seed=seed)
        wider += jeffreys.high > found.high
    assert 0.82 <= held / 200 <= 0.98
    assert wider > 190


def test_density_is_not_given_while_a_bin_has_no_answers():
    plan = LabellingPlan.draw(np.arange(80.0))
    top = plan.queues[-1]
    found = density(plan.labels(top, ["positive"] * len(top)))
    assert np.isnan(found.value)
    assert "bin 1, 2, 3 of 4 (88% of all windows)" in found.message
    assert found.high - found.low > 0.5
    nothing = density(plan.labels([], []))
    assert np.isnan(nothing.value)
    assert nothing.n_labels == 0


def test_auc_without_a_call_is_nan_with_a_message():
    plan = LabellingPlan.draw(np.arange(80.0), per_bin=5)
    asked = plan.to_label()
    silent = ranking_auc(plan.labels(asked, ["negative"] * 20))
    assert np.isnan(silent.value)
    assert "all no" in silent.message
    assert density(plan.labels(asked, ["negative"] * 20)).value == 0


def test_auc_counts_calls_of_the_top_bin():
    """All calls lie in the top bin: whoever loses that bin finds an AUC of about 0."""
    scores = np.arange(800.0)
    calls = scores >= 720
    plan = LabellingPlan.draw(scores)
    found = ranking_auc(answers(plan, plan.to_label(), calls))
    assert found.value > 0.97
    assert found.low > 0.9


def test_equal_scores_count_half_unless_the_reference_is_asked_for():
    labels = StratifiedLabels.plain([1.0, 1.0, 1.0, 0.0], [True, False, False, False])
    assert ranking_auc(labels).value == pytest.approx(2 / 3, rel=1e-5)
    assert ranking_auc(labels, ties=False).value == pytest.approx(1 / 3, rel=1e-5)


def test_auc_interval_holds_the_auc_of_all_windows():
    scores, calls = truths(share=0.05)
    rank = np.argsort(np.argsort(scores))
    n_calls = calls.sum()
    truth = (rank[calls].sum() - n_calls * (n_calls - 1) / 2) / n_calls / (len(calls) - n_calls)
    held = 0
    for seed in range(100):
        plan = LabellingPlan.draw(scores, seed=seed)
        found = ranking_auc(answers(plan, plan.to_label(), calls), draws=500, seed=seed)
        held += found.low <= truth <= found.high
    assert held >= 80


# --- how much more ----------------------------------------------------------------------------


def test_labelling_as_advised_reaches_the_width_that_was_promised():
    scores, calls = truths(n=20_000, share=0.05)
    widths, promised, equal = [], [], []
    for seed in range(12):
        plan = LabellingPlan.draw(scores, seed=seed)
        asked = plan.to_label()
        needed = labels_needed(answers(plan, asked, calls), 0.012, available=plan.remaining(asked))
        done = np.r_[asked, plan.to_label(asked, more=needed.per_bin)]
        assert len(done) == len(asked) + needed.total
        found = density(answers(plan, done, calls), draws=5000)
        widths.append((found.high - found.low) / 2)
        promised.append(needed.half_width)
        # As many labels spread evenly over the bins do worse.
        even = np.full(4, round(needed.total / 4))
        spread = np.r_[asked, plan.to_label(asked, more=even)]
        other = density(answers(plan, spread, calls), draws=5000)
        equal.append((other.high - other.low) / 2)
    assert max(promised) <= 0.012
    assert np.mean(widths) == pytest.approx(0.012, rel=0.2)
    assert np.mean(widths) < np.mean(equal)


def test_the_next_labels_go_where_most_doubt_about_most_windows_is():
    labels = StratifiedLabels(
        scores=np.zeros(60),
        positive=np.r_[np.zeros(20, bool), np.arange(20) < 10, np.arange(20) < 10],
        bins=np.repeat([0, 1, 2], 20),
        weights=np.array([0.5, 0.4, 0.1]),
    )
    per_bin = labels_needed(labels, 0.05).per_bin
    assert per_bin[1] > 3 * max(per_bin[0], 1)
    assert per_bin[1] > 3 * max(per_bin[2], 1)
    assert labels_needed(labels, 0.5).total == 0
    short = labels_needed(labels, 0.001, available=[5, 5, 5])
    assert short.per_bin.tolist() == [5, 5, 5]
    assert "too few for ±0.001" in short.message
    assert short.half_width > 0.001


# --- sites ------------------------------------------------------------------------------------


def test_sites_of_other_density_are_followed_with_intervals():
    wanted = np.array([0.0, 0.05, 0.3])
    scores, calls = truths(n=9000, share=0.1)
    parts = [truths(n=3000, share=share, seed=10 + at) for at, share in enumerate(wanted)]
    site_scores = np.concatenate([part[0] for part in parts])
    truth = np.array([part[1].mean() for part in parts])
    held, error_fixed, error_mixture = [], [], []
    for seed in range(30):
        plan = LabellingPlan.draw(scores, seed=seed)
        labels = answers(plan, plan.to_label(), calls)
        names, counts = plan.histograms(site_scores, np.repeat(["none", "some", "very"], 3000))
        assert names.tolist() == ["none", "some", "very"]
        found = site_densities(labels, counts)
        low, high = found.mixture_interval.T
        held.append((low <= truth + 0.001) & (truth <= high))
        error_fixed.append(abs(found.fixed - truth))
        error_mixture.append(abs(found.mixture - truth))
        np.testing.assert_allclose(found.combined, np.sqrt(found.fixed * found.mixture))
    assert (np.mean(held, axis=0) >= 0.75).all()
    assert (np.mean(error_mixture, axis=0) < 0.6 * np.mean(error_fixed, axis=0))[[0, 2]].all()


def test_a_site_of_few_windows_keeps_a_wide_interval_even_without_a_call():
    labels = StratifiedLabels(
        np.zeros(60), np.arange(60) >= 40, np.repeat([0, 1], 30), np.array([0.9, 0.1])
    )
    found = site_densities(labels, [[40, 0], [40_000, 0]])
    assert (found.mixture == 0).all()
    assert found.mixture_interval[0, 1] > 0.02
    assert found.mixture_interval[1, 1] < 0.005
    assert (np.ptp(found.combined_interval, axis=1) > 0).all()


def test_a_site_without_windows_or_a_study_without_answers_is_nan_with_a_message():
    scores, calls = truths()
    plan = LabellingPlan.draw(scores)
    labels = answers(plan, plan.to_label(), calls)
    found = site_densities(labels, [[0, 0, 0, 0], [50, 25, 13, 12]])
    assert np.isnan(found.fixed[0])
    assert np.isnan(found.mixture_interval[0]).all()
    assert found.fixed[1] > 0
    assert found.message == "1 of 2 sites have no window"
    silent = site_densities(plan.labels([], []), [[50, 25, 13, 12]])
    assert np.isnan([silent.fixed, silent.mixture, silent.combined]).all()
    assert "label some there" in silent.message
    with pytest.raises(ParameterError, match=r"\[n_sites, 4\]"):
        site_densities(labels, [[1, 2]])


def test_scores_that_do_not_tell_calls_apart_give_no_mixture():
    labels = StratifiedLabels(
        np.zeros(40), np.arange(40) % 2 == 0, np.repeat([0, 1], 20), np.array([0.5, 0.5])
    )
    found = site_densities(labels, [[10, 30]])
    assert found.fixed == pytest.approx(0.5)
    assert np.isnan(found.mixture)
    assert "mixture is not known" in found.message
    assert (yes_rates(labels) == yes_rates(labels)[0]).all()
