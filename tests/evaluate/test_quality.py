"""Which encoder: RankMe, the probe's risk in its parts, what is told apart, and the advice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from labelled_sounds import InMemory, clusters, data_set

from explorer.classify.splits import SplitWarning
from explorer.errors import ParameterError
from explorer.evaluate import quality as measures
from explorer.evaluate.datasets import DataSet, Windows
from explorer.evaluate.quality import Risk, judge, quality, rankme, wins
from explorer.evaluate.telling import association, neighbours_apart, one_hot, told


@pytest.mark.golden
def test_rankme_is_the_references(shared):
    golden = np.load(shared / "golden" / "rankme.npz", allow_pickle=False)
    names = [name for name in golden.files if golden[name].ndim == 2]
    for name in names:
        assert rankme(golden[name]) == pytest.approx(float(golden[f"rankme_{name}"]), rel=1e-6)
        single = rankme(golden[name].astype(np.float32))
        assert single == pytest.approx(float(golden[f"rankme_{name}"]), rel=1e-3)
        if f"rankme_{name}_centered" in golden:
            found = rankme(golden[name], centred=True)
            assert found == pytest.approx(float(golden[f"rankme_{name}_centered"]), rel=1e-6)
        if f"singular_values_{name}" in golden:
            values = measures._singular_values(golden[name], np.zeros(golden[name].shape[1]))
            np.testing.assert_allclose(values, golden[f"singular_values_{name}"], rtol=1e-6)


@pytest.mark.golden
def test_the_risk_is_split_as_the_reference_splits_it(shared):
    golden = np.load(shared / "golden" / "risk_decomposition.npz", allow_pickle=False)
    measured = ("R_sup_train", "R_train_probe_train", "R_encA_heldout", "R_test")
    risk = Risk.of(*(float(golden[name]) for name in measured))
    parts = {
        "approximation": risk.approximation,
        "usability": risk.usability,
        "probe_generalization": risk.probe_generalisation,
        "encoder_generalization": risk.encoder_generalisation,
        "total": risk.total,
    }
    assert set(parts) | set(measured) == set(golden.files)
    for name, value in parts.items():
        assert value == pytest.approx(float(golden[name]), abs=1e-12)


def test_the_gram_matrix_gives_the_same_rankme(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(5000, 30)) * np.linspace(0.1, 3, 30) + 2
    exact = rankme(rows), rankme(rows, centred=True)
    monkeypatch.setattr(measures, "GRAM_CELLS", 0)
    assert (rankme(rows), rankme(rows, centred=True)) == pytest.approx(exact, rel=1e-6)


def test_a_large_common_part_hides_rank_unless_it_is_taken_off():
    rows = np.random.default_rng(0).normal(size=(400, 20)) + 100
    assert rankme(rows) < 4 < 19 < rankme(rows, centred=True)


def test_rankme_refuses_what_is_no_embedding():
    for rows in (np.zeros(3), np.zeros((0, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(ParameterError):
            rankme(rows)
    assert np.isnan(rankme(np.zeros((3, 3))))
    assert np.isnan(rankme(np.ones((3, 3)), centred=True))


def test_neighbours_are_of_other_recordings_and_nearest_first():
    rng = np.random.default_rng(1)
    rows, groups = rng.normal(size=(700, 6)).astype("f4"), rng.integers(20, size=700)
    found = neighbours_apart(rows, groups, k=5)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for at in (0, 511, 512, 699):  # on both sides of where a block ends
        others = np.flatnonzero(groups != groups[at])
        best = others[np.argsort(-(unit[others] @ unit[at]), kind="stable")[:5]]
        assert found[at].tolist() == best.tolist()


def test_few_others_leave_places_empty():
    rows = np.eye(4, dtype="f4")
    found = neighbours_apart(rows, ["a", "a", "a", "b"], k=3)
    assert found[0].tolist() == [3, -1, -1]
    assert sorted(found[3].tolist()) == [0, 1, 2]


def test_purity_and_its_chance():
    """Two kinds, every neighbour of the same kind, against one in three of the other recordings."""
    of = one_hot(np.array(["a", "a", "b", "b"], dtype=object))
    groups = ["1", "2", "3", "4"]
    pure = told(of, np.array([[1], [0], [3], [2]]), groups)
    assert (pure.auc, pure.purity, pure.kinds) == (1.0, 1.0, 2)
    assert pure.chance == pytest.approx(1 / 3)
    assert told(of, np.array([[2], [3], [0], [1]]), groups).purity == 0
    alone = told(of, np.array([[1], [0], [3], [2]]), ["1", "2", "3", "3"])
    assert np.isnan(alone.auc)  # b was recorded once: no other recording can tell it


def test_classes_with_sites_of_their_own_go_together():
    classes = np.array(["a", "a", "b", "b"] * 10, dtype=object)
    assert association(classes, np.array(["x", "x", "y", "y"] * 10, dtype=object)) == 1
    assert association(classes, np.array(["x", "y", "x", "y"] * 10, dtype=object)) == 0
    assert np.isnan(association(classes, np.array(["x"] * 40, dtype=object)))


def at_sites(
    *, site_strength: float, class_strength: float, encoder: str = "ear", seed: int = 0
) -> DataSet:
    """Two classes at four sites, each recorded three times at each."""
    rng = np.random.default_rng(seed)
    sites, classes = rng.normal(0, 1, (4, 16)), rng.normal(0, 1, (2, 16))
    rows, labels, groups, places = [], [], [], []
    for site in range(4):
        for of in range(2):
            for recording in range(3):
                here = site_strength * sites[site] + class_strength * classes[of]
                rows += list(here + rng.normal(0, 0.5, (4, 16)))
                labels += [f"class {of}"] * 4
                groups += [f"{site}/{of}/{recording}"] * 4
                places += [f"site {site}"] * 4
    return data_set(np.array(rows), labels, groups, sites=places, encoder=encoder)


def test_an_encoder_that_knows_the_site_better_than_the_sound_is_named():
    leaky = at_sites(site_strength=2.0, class_strength=0.2, encoder="leaky")
    sound = at_sites(site_strength=0.1, class_strength=1.0, encoder="sound")
    found = quality([sound, leaky])
    by_encoder = found.table.set_index("encoder")
    assert by_encoder.loc["leaky", "site_told"] > 0.95 > by_encoder.loc["leaky", "class_told"]
    assert by_encoder.loc["sound", "class_told"] > 0.95 > by_encoder.loc["sound", "site_told"]
    advice = found.advice["reef"]
    assert advice.startswith("Take sound: it ranks best in recordings it has not seen")
    assert "leaky tells the site" in advice and "sound tells the site" not in advice


def test_the_risk_of_held_out_recordings_is_usability_and_generalisation():
    row = quality([clusters(spread=1.2, recording_spread=1.0)]).table.iloc[0]
    assert row["usability"] + row["generalisation"] == pytest.approx(1 - row["class_auc"])
    assert row["generalisation"] > 0.01 > row["usability"] >= 0


def test_probes_are_judged_on_groups_that_they_have_not_seen():
    """Recordings sound like nothing but themselves: a split through them would look perfect."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(24, 64)), 5, axis=0) + rng.normal(0, 0.01, (120, 64))
    labels = np.repeat(["a", "b"], 60)
    apart = data_set(rows, labels, np.repeat([str(at) for at in range(24)], 5))
    mixed = data_set(rows, labels, [str(at) for at in range(120)])
    assert judge(apart.known(), apart.windows).auc() < 0.75
    assert judge(mixed.known(), mixed.windows).auc() > 0.99


def test_sure_only_where_resamples_agree(monkeypatch):
    monkeypatch.setattr(measures, "RESAMPLES", 40)
    good, bad = clusters(encoder="good"), clusters(encoder="bad", spread=4.0)
    judged = [judge(part.known(), part.windows) for part in (bad, good)]
    assert wins(judged) > 0.99
    assert quality([bad, good]).advice["reef"].startswith("Take good")
    same = [judge(part.known(), part.windows) for part in (good, replace(good, encoder="twin"))]
    assert wins(same) == 0.5
    unsure = quality([good, replace(good, encoder="twin")]).advice["reef"]
    assert unsure.startswith("No clear choice") and "Label more from recordings" in unsure


def test_few_recordings_are_never_sure():
    pair = [
        clusters(n_classes=2, recordings=2, each=6, spread=spread, encoder=encoder)
        for encoder, spread in (("good", 0.1), ("bad", 6.0))
    ]
    advice = quality(pair).advice["reef"]
    assert advice.startswith("No clear choice") and "only 4 recordings" in advice


def test_without_labels_there_is_less_to_say_and_it_says_so():
    parts = [
        replace(clusters(encoder=name, dimension=dimension), labelled=None, item_site=None)
        for name, dimension in (("wide", 24), ("narrow", 6))
    ]
    found = quality(parts)
    assert found.table[["class_auc", "usability", "class_told", "site_told"]].isna().all(axis=None)
    assert (found.table["rankme"] > 1).all()
    assert found.advice["reef"].startswith("Nothing is labelled")
    assert "wide uses the most directions" in found.advice["reef"]
    text = str(found)
    assert "(no labels)" in text and "RankMe" in text and "class AUC" not in text


def test_labels_of_one_recording_allow_no_test():
    rows = np.random.default_rng(0).normal(size=(12, 6))
    night = data_set(rows, ["a"] * 6 + ["b"] * 6, ["one night"] * 12)
    with pytest.warns(SplitWarning, match="one recording"):
        found = quality([night])
    assert "no test that keeps recordings apart" in found.advice["reef"]


def test_rankme_says_of_how_many_windows_it_is(monkeypatch):
    monkeypatch.setattr(measures, "RANKME_ROWS", 100)
    rows = np.random.default_rng(0).normal(size=(950, 8)).astype("f4")
    nothing = np.array([""] * 950, dtype=object)
    windows = Windows(InMemory(rows), np.arange(950), nothing, nothing, nothing)
    found = quality([DataSet("reef", "ear", None, windows, rows, "recording")]).table.iloc[0]
    assert found["windows"] == 95
    assert found["rankme"] == pytest.approx(rankme(rows[::10]))


def test_confounded_labels_are_pointed_out():
    one = clusters(n_classes=2)
    site = np.where(one.labelled.positive[:, 0], "east", "west").astype(object)
    together = replace(one, item_site=site, windows=replace(one.windows, site=site))
    assert "Classes and sites go together" in quality([together]).advice["reef"]


def test_the_table_can_be_written_as_json():
    found = quality([clusters()]).table
    assert json.loads(found.to_json(orient="records"))[0]["encoder"] == "ear"
