"""The few-shot protocol: draws that keep recordings apart, the same for all, and honest means."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from labelled_sounds import clusters, data_set
from scipy.stats import t
from sklearn.linear_model import LogisticRegression

from explorer.classify.labelled import Labelled
from explorer.classify.splits import SplitWarning
from explorer.errors import ParameterError
from explorer.evaluate import fewshot as protocol
from explorer.evaluate.datasets import Windows
from explorer.evaluate.fewshot import MEAN, draw, fewshot, summary, table
from explorer.evaluate.methods import Place, scores, unit


def labelled_of(counts: dict[str, dict[str, int]]) -> Labelled:
    """Items by class and group, such as ``{"grunt": {"rec 1": 3}}``; the embeddings are noise."""
    labels, groups = [], []
    for name, of_groups in counts.items():
        for group, count in of_groups.items():
            labels += [name] * count
            groups += [group] * count
    rng = np.random.default_rng(0)
    return data_set(rng.normal(size=(len(labels), 8)), labels, groups).known()


def names(labelled: Labelled, rows: np.ndarray) -> list[str]:
    return [labelled.classes[at] for at in labelled.truth[rows].argmax(axis=1)]


SPEAKERS = {
    digit: {f"speaker {number}": 4 for number in range(6)} for digit in ("one", "two", "three")
}
BIRDS = {
    "robin": {f"robin {n}": 2 for n in range(10)},
    "wren": {f"wren {n}": 3 for n in range(5)},
    "rail": {"rail 0": 5, "rail 1": 1},
}


@pytest.mark.parametrize("counts", [SPEAKERS, BIRDS], ids=["groups of all classes", "of one"])
@pytest.mark.parametrize("shots", [1, 4])
def test_no_recording_gives_examples_and_is_tested(counts, shots):
    labelled = labelled_of(counts)
    for seed in range(20):
        one = draw(labelled, shots, (seed,))
        of_class = pd.Series(names(labelled, one.examples)).value_counts()
        assert (of_class == shots).all() and len(of_class) == 3
        assert not set(labelled.groups[one.examples]) & set(labelled.groups[one.test])
        assert set(names(labelled, one.test)) == set(counts)


def test_examples_come_from_as_many_recordings_as_there_are():
    labelled = labelled_of(BIRDS)
    for seed in range(10):
        one = draw(labelled, 4, (seed,))
        robins = one.examples[[name == "robin" for name in names(labelled, one.examples)]]
        assert len(set(labelled.groups[robins])) == 4


def test_everything_that_was_not_drawn_is_tested_where_items_stand_alone():
    labelled = labelled_of(
        {"a": {f"a{n}": 1 for n in range(9)}, "b": {f"b{n}": 1 for n in range(9)}}
    )
    one = draw(labelled, 8, (0,))
    assert len(one.examples) == 16
    assert sorted([*one.examples, *one.test]) == list(range(18))


def test_more_shots_keep_the_examples_of_fewer():
    labelled = labelled_of(BIRDS | {"rail": {f"rail {n}": 2 for n in range(8)}})
    few, more = (draw(labelled, shots, (3,)) for shots in (1, 4))
    assert set(few.examples) <= set(more.examples)


def test_a_class_with_too_few_examples_is_ranked_but_takes_no_part():
    labelled = labelled_of(BIRDS)
    one = draw(labelled, 6, (0,))
    assert [labelled.classes[at] for at in one.classes] == ["robin", "wren"]
    assert names(labelled, one.test).count("rail") == 6
    results = fewshot([clusters(recordings=8, each=1)], shots=[4, 7, 8], draws=1, methods=["birb"])
    assert sorted(results["shots"].unique()) == [4, 7]


def test_a_class_of_one_recording_is_warned_of():
    one = clusters(n_classes=2)
    groups = one.labelled.groups.copy()
    groups[one.labelled.positive[:, 0]] = "one night"
    single = replace(one, labelled=replace(one.labelled, groups=groups))
    with pytest.warns(SplitWarning, match="class 0: all examples come from one recording"):
        results = fewshot([single, clusters(name="other")], shots=[1], draws=1, methods=["birb"])
    assert set(results["data_set"]) == {"other"}


def test_what_cannot_keep_recordings_apart_is_refused():
    rows = np.eye(6)
    night = data_set(rows, ["a"] * 3 + ["b"] * 3, ["one night"] * 6)
    with pytest.warns(SplitWarning), pytest.raises(ParameterError, match="from more recordings"):
        fewshot([night], shots=[1])


def test_a_class_needs_something_to_be_told_from():
    alone = data_set(np.random.default_rng(0).random((6, 4)), ["a"] * 6, [str(n) for n in range(6)])
    with pytest.raises(ParameterError, match="to be told from"):
        fewshot([alone], shots=[1], draws=2)


def test_windows_that_were_refused_are_negatives_of_a_single_class():
    one = clusters(n_classes=2)
    truth = np.where(one.labelled.positive[:, :1], 1.0, 0.0).astype(np.float32)
    single = replace(one, labelled=replace(one.labelled, classes=("call",), truth=truth))
    results = fewshot([single], shots=[4], draws=2)
    assert set(results["class"]) == {"call"}
    assert (results["auc"] > 0.9).all()


def test_what_nobody_judged_is_not_counted():
    """Items that are unknown for a class are neither its positives nor its negatives."""
    one = clusters(n_classes=3, recordings=6, each=1, spread=0.1, recording_spread=0.1)
    truth = one.labelled.truth.copy()
    truth[one.labelled.positive[:, 1], 0] = np.nan
    rows = one.labelled.rows.copy()
    rows[one.labelled.positive[:, 1]] = rows[0]  # class 1 sounds like class 0
    open_ = replace(one, labelled=replace(one.labelled, truth=truth, rows=rows))
    results = fewshot([open_], shots=[2], draws=3, methods=["birb"])
    assert (results.loc[results["class"] == "class 0", "auc"] == 1).all()


def test_encoders_and_methods_are_given_the_same_draws():
    pair = [clusters(encoder="ear"), clusters(encoder="eye", seed=5)]
    settings = {"shots": [1, 4], "draws": 2, "methods": ["birb", "centroid"]}
    results = fewshot(pair, **settings)
    counts = results.pivot_table(
        index=["shots", "draw", "class"], columns=["encoder", "method"], values="positives"
    )
    assert counts.shape == (12, 4)
    assert (counts.nunique(axis=1) == 1).all()
    pd.testing.assert_frame_equal(fewshot(pair, **settings), results)
    other = fewshot(pair, **settings, seed=1)
    assert not np.allclose(other["auc"], results["auc"])


def test_every_method_finds_what_is_there_to_be_found():
    every = ["auto", "centroid", "birb", "probe", "logistic", "agile"]
    results = fewshot([clusters()], shots=[4], draws=2, methods=every)
    means = results.groupby("method")["auc"].mean()
    assert (means > 0.9).all(), means
    shuffled = clusters()
    rng = np.random.default_rng(0)
    noise = replace(
        shuffled, labelled=replace(shuffled.labelled, rows=rng.normal(size=(72, 24)).astype("f4"))
    )
    chance = fewshot([noise], shots=[4], draws=3).groupby("method")["auc"].mean()
    assert ((chance - 0.5).abs() < 0.15).all(), chance


def test_auto_is_the_kind_that_does_better_on_recordings_left_out(monkeypatch):
    seen: list[Labelled] = []

    def choose(examples: Labelled, background: object) -> SimpleNamespace:
        seen.append(examples)
        return SimpleNamespace(kind="probe")

    monkeypatch.setattr("explorer.evaluate.methods.choose", choose)
    results = fewshot([clusters()], shots=[4], draws=1, methods=["auto", "probe", "centroid"])
    auc = results.pivot(index="class", columns="method", values="auc")
    assert auc["auto"].tolist() == auc["probe"].tolist()
    assert len(set(seen[0].groups)) == 12  # what is left out are recordings of the examples


def test_logistic_is_scikit_learns_on_unit_vectors():
    one = clusters().known()
    examples = Labelled(one.classes, one.rows[::7], one.truth[::7])
    found = scores("logistic", examples, Place(one.rows, None))
    for at in range(3):
        model = LogisticRegression(C=10, max_iter=1000).fit(
            unit(one.rows[::7]), examples.truth[:, at]
        )
        np.testing.assert_allclose(found[:, at], unit(one.rows) @ model.coef_[0], atol=2e-3)


def test_unlabelled_windows_may_come_from_the_other_data_sets_alone():
    """Leave one data set out: nothing of it is known but its examples."""

    class Unreadable(Windows):
        def blocks(self, rows_per_block: int = 0):
            raise AssertionError("the windows of the tested data set were read")

    here, there = clusters(name="here"), clusters(name="there", seed=9)
    sealed = replace(here, windows=Unreadable(*vars(here.windows).values()), around=None)
    results = fewshot([sealed, there], shots=[1], draws=1, background="none")
    assert set(results["data_set"]) == {"here", "there"}
    place = protocol._unlabelled(sealed, [sealed, there], "others")
    assert sum(len(block) for _, block in place) == len(there.windows)
    with pytest.raises(ParameterError, match="no other data set"):
        fewshot([here], shots=[1], background="others")


def test_means_are_over_classes_then_draws_then_data_sets():
    def rows(data_set: str, draw: int, of_class: dict[str, float]) -> list[dict[str, object]]:
        return [
            {"data_set": data_set, "encoder": "e", "method": "m", "shots": 4, "draw": draw}
            | {"class": name, "positives": 1, "auc": auc, "ap": auc / 2}
            for name, auc in of_class.items()
        ]

    results = pd.DataFrame(
        rows("reef", 0, {"a": 0.5, "b": 0.7, "c": 0.9})
        + rows("reef", 1, {"a": 0.8, "b": 1.0})
        + rows("bay", 0, {"a": 0.4})
        + rows("bay", 1, {"a": 0.6})
    )
    means = summary(results).set_index("data_set")
    assert means.loc["reef", "auc"] == pytest.approx((0.7 + 0.9) / 2)
    assert means.loc["bay", "ap"] == pytest.approx(0.25)
    assert means.loc[MEAN, "auc"] == pytest.approx((0.8 + 0.5) / 2)
    half = t.ppf(0.975, 1) * np.std([0.4, 0.6], ddof=1) / np.sqrt(2)
    assert means.loc["bay", "auc_low"] == pytest.approx(max(0, 0.5 - half))
    assert means.loc[MEAN, "data_sets"] == 2


def test_the_mean_over_data_sets_says_of_how_many():
    small, large = clusters(recordings=3, each=1, name="small"), clusters(name="large")
    other = clusters(name="other", seed=4)
    results = fewshot([small, large, other], shots=[1, 4], draws=2, methods=["birb"])
    means = summary(results)
    over = means[means["data_set"] == MEAN].set_index("shots")
    assert over["data_sets"].tolist() == [3, 2]
    assert over.loc[1, "auc"] == pytest.approx(
        means.loc[means["shots"] == 1, "auc"].iloc[:3].mean()
    )
    assert "mean over data sets: 3, 2 data sets" in table(results)
    alone = summary(fewshot([large], shots=[1], draws=2, methods=["birb"]))
    assert MEAN not in set(alone["data_set"])


def test_what_is_not_kept_apart_is_said():
    loose = replace(clusters(), groups="none")
    with pytest.warns(SplitWarning, match="not kept apart"):
        fewshot([loose], shots=[1], draws=1, methods=["birb"])


def test_a_few_refused_windows_do_not_hinder_a_class():
    """Every recording has two calls and one refused window: one of these is enough for any k."""
    rows, truth, groups = [], [], []
    rng = np.random.default_rng(0)
    for recording in range(3):
        rows += list(rng.normal(size=(3, 4)))
        truth += [1.0, 1.0, 0.0]
        groups += [f"night {recording}"] * 3
    truth_column = np.array(truth, np.float32)[:, None]
    calls = Labelled(
        ("call",), np.array(rows, np.float32), truth_column, np.array(groups, dtype=object)
    )
    one = draw(calls, 4, (0,))
    assert (truth_column[one.examples] == 1).sum() == 4
    assert (truth_column[one.examples] == 0).sum() == 2


def test_the_table_has_shots_across():
    text = table(fewshot([clusters()], shots=[1, 4], draws=3, methods=["centroid", "birb"]))
    lines = text.splitlines()
    assert lines[2] == "reef: 3 classes, 3 draws"
    assert lines[3].split() == ["encoder", "method", "1", "4"]
    assert [line.split()[:2] for line in lines[4:]] == [["ear", "centroid"], ["ear", "birb"]]
    assert all("±" in line for line in lines[4:])


def test_settings_that_cannot_be_are_refused():
    for settings in ({"shots": []}, {"shots": [0]}, {"draws": 0}, {"methods": ["oracle"]}):
        with pytest.raises(ParameterError):
            fewshot([clusters()], **settings)
    with pytest.raises(ParameterError, match="has no labels yet"):
        fewshot([replace(clusters(), labelled=None)])


def test_progress_is_told():
    told: list[tuple[int, int, str]] = []
    settings = {"shots": [1, 2], "draws": 2, "methods": ["birb"]}
    fewshot([clusters()], **settings, on_progress=lambda *at: told.append(at))
    assert told == [(1, 4, "reef"), (2, 4, "reef"), (3, 4, "reef"), (4, 4, "reef")]
