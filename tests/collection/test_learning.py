"""From labels to a classifier of the right kind, and what it says about itself."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from tone_recordings import PITCHES, windows_of

import explorer
from explorer.classify.splits import SplitWarning
from explorer.collection.collection import Collection
from explorer.collection.learning import Kind
from explorer.errors import ParameterError


def test_examples_given_by_hand_make_a_centroid_at_once(tones: Collection) -> None:
    made = tones.classifier({"low": windows_of(tones, "low")[:2]})
    assert made.choice is None
    assert "nearest centroid" in repr(made)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_finds_the_sounds_of_other_recordings(tones: Collection, kind: Kind) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES}, kind=kind)
    for column, name in enumerate(made.classes):
        own = np.isin(np.arange(tones.n_windows()), windows_of(tones, name))
        unseen = ~np.isin(np.arange(tones.n_windows()), windows_of(tones, name, 2))
        best = np.argsort(-made.scores()[unseen, column])[: own[unseen].sum()]
        assert own[unseen][best].mean() > 0.9


def test_auto_says_what_it_chose_and_why(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 3) for name in PITCHES}, kind="auto")
    assert made.choice is not None
    assert made.choice.apart == "recordings"
    assert set(made.choice.auc) >= {"centroid", "probe"}
    assert f"{made.choice.auc[made.choice.kind]:.3f}" in made.choice.sentence
    assert made.choice.sentence in repr(made)
    assert made.choice.sentence in made._repr_html_()


def test_hidden_units_are_kept_only_where_they_help(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 3) for name in PITCHES}, kind="grown")
    assert "Stays linear" in repr(made)
    one = tones.classifier({name: windows_of(tones, name, 1) for name in PITCHES}, kind="grown")
    assert "several recordings" in repr(one)


def test_labels_are_learnt_from_with_the_kind_that_suits_them(reef: Collection) -> None:
    reef.label([0, 2], "hum", who="ana")
    with pytest.warns(SplitWarning, match="one recording"):
        made = reef.classifier()
    assert made.choice is not None
    assert made.choice.kind == "centroid"


def test_names_of_classes_are_hostile_text(tones: Collection) -> None:
    shown = tones.classifier({"<script>": [0, 2]})._repr_html_()
    assert "<script>" not in shown


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_saved_classifier_comes_back_as_the_kind_it_was(tones: Collection, kind: Kind) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES}, kind=kind)
    made.save(f"kept {kind}", threshold=0.7)
    loaded = explorer.open(tones.path).load_classifier(f"kept {kind}")
    assert type(loaded.model) is type(made.model)
    np.testing.assert_array_equal(loaded.scores(), made.scores())
    assert repr(loaded) == repr(made)
    assert set(loaded.thresholds.values()) == {0.7}
    if made.choice is not None and loaded.choice is not None:
        assert loaded.choice.to_dict() == made.choice.to_dict()


def test_a_file_from_before_there_were_kinds_still_opens(tones: Collection) -> None:
    made = tones.classifier({"low": windows_of(tones, "low", 2)})
    path = made.save("old one", threshold=0.4)
    made.model.save(path, metadata={"run": made.run, "threshold": 0.4, "made_of": made.made_of})
    loaded = tones.load_classifier("old one")
    assert loaded.choice is None
    assert set(loaded.thresholds.values()) == {0.4}
    np.testing.assert_array_equal(loaded.scores(), made.scores())
    assert loaded.quality().index.tolist() == ["low"]


def test_a_file_that_holds_no_classifier_is_named(tones: Collection) -> None:
    made = tones.classifier({"low": windows_of(tones, "low")[:2]})
    path = made.save("not one")
    tones.background().save(path)
    with pytest.raises(ParameterError, match=r"not one.*no classifier"):
        tones.load_classifier("not one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "forest"}, "forest"),
        ({"kind": "probe", "method": "birb"}, "birb"),
        ({"kind": "auto", "method": "birb"}, "birb"),
    ],
)
def test_what_is_not_known_is_refused(
    tones: Collection, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        tones.classifier({"low": [0]}, **options)


@pytest.mark.parametrize("row", [-1, 10_000])
def test_a_window_that_is_not_there_is_refused(tones: Collection, row: int) -> None:
    with pytest.raises(ParameterError, match="not there"):
        tones.classifier({"low": [0, row]})


def test_an_example_that_is_refused_as_well_is_no_example(tones: Collection) -> None:
    with pytest.raises(ParameterError, match="negatives as well"):
        tones.classifier({"low": [0]}, negatives={"low": [0]})


def test_published_methods_can_be_asked_for(tones: Collection) -> None:
    examples = {name: windows_of(tones, name, 2) for name in PITCHES[:2]}
    for method in ("birb", "agile"):
        assert tones.classifier(examples, method=method).scores().shape == (tones.n_windows(), 2)


# --- quality --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_quality_is_told_from_recordings_left_out(tones: Collection, kind: Kind) -> None:
    table = tones.classifier(
        {name: windows_of(tones, name, 3) for name in PITCHES}, kind=kind
    ).quality()
    assert table.index.tolist() == PITCHES
    assert (table["recordings"] == 3).all()
    assert (table["auc"] > 0.95).all()
    assert (table["average_precision"] > 0.95).all()
    assert table["note"].str.contains("3 recordings only").all()


def test_what_one_recording_cannot_tell_is_not_told(tones: Collection) -> None:
    examples = {"low": windows_of(tones, "low", 1), "high": windows_of(tones, "high", 2)}
    table = tones.classifier(examples).quality()
    assert np.isnan(table.loc["low", "auc"])
    assert "one recording" in table.loc["low", "note"]
    assert table.loc["high", "auc"] > 0.9
    alone = tones.classifier({"low": windows_of(tones, "low", 1)}).quality()
    assert np.isnan(alone.loc["low", "auc"])
    single = tones.classifier({"low": windows_of(tones, "low", 1)[:1]}).quality()
    assert "One example" in single.loc["low", "note"]


def test_classes_that_cannot_be_told_apart_have_an_auc_of_a_half(tones: Collection) -> None:
    """The same sound under two names, dealt out at random: nothing to learn, nothing claimed."""
    rows = np.random.default_rng(0).permutation(windows_of(tones, "low"))
    table = tones.classifier({"one": rows[::2], "two": rows[1::2]}, kind="probe").quality()
    assert (table["average_precision"] < 0.85).all()
    assert (table["auc"] < 0.85).all()


def test_sites_can_be_kept_apart_instead(tones: Collection) -> None:
    """Each pitch sounds at one site only, so that no classifier can be tested on another."""
    made = tones.classifier({name: windows_of(tones, name) for name in PITCHES})
    table = made.quality(apart="site")
    assert (table["sites"] == 1).all()
    assert table["auc"].isna().all()
    assert table["note"].str.contains("one site").all()


def test_a_published_method_is_not_passed_off_as_ours(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES}, method="birb")
    with pytest.raises(ParameterError, match="birb"):
        made.quality()


def test_each_class_counts_from_its_own_threshold(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES})
    first, second = made.classes[:2]
    assert made.cuts() == dict.fromkeys(made.classes, 0.5)
    assert made.cuts(0.2) == dict.fromkeys(made.classes, 0.2)
    made.save("apart", threshold={first: 0.2})
    made.save("apart", threshold={second: 0.9})
    loaded = explorer.open(tones.path).load_classifier("apart")
    assert loaded.thresholds == {first: 0.2, second: 0.9}
    found = loaded.detections(merge=False)
    assert found[found["class"] == second]["score"].min() >= 0.9
    scores = loaded.scores()
    for at, class_ in enumerate(loaded.classes):
        cut = loaded.cuts()[class_]
        assert (found["class"] == class_).sum() == (scores[:, at] >= np.float32(cut)).sum()
    lower = loaded.detections({second: 0.4}, merge=False)
    assert (lower["class"] == first).sum() == (found["class"] == first).sum()
    assert lower[lower["class"] == second]["score"].min() < 0.9
    with pytest.raises(ParameterError, match="there is no class 'tuba'"):
        loaded.detections({"tuba": 0.5})
