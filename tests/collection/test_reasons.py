"""Why a window was detected, in labelled windows that play; and labels that look wrong."""

from __future__ import annotations

import numpy as np
import pytest
from tone_recordings import PITCHES, windows_of

import explorer
from explorer.collection.collection import Collection
from explorer.collection.learning import Kind
from explorer.errors import ParameterError

KINDS: tuple[Kind, ...] = ("centroid", "probe")


@pytest.mark.parametrize("kind", KINDS)
def test_examples_of_the_same_sound_support_and_others_contradict(
    tones: Collection, kind: Kind
) -> None:
    examples = {name: windows_of(tones, name, 2) for name in PITCHES}
    made = tones.classifier(examples, kind=kind)
    detected = windows_of(tones, "low")[-1]
    why = made.evidence(detected, "low")
    supports = why[why["contribution"] > 0]
    assert set(supports.index) <= set(examples["low"])
    assert len(supports) == 3
    against = why[why["contribution"] < 0]
    if kind == "probe":  # an example that is less like it than the others draws a centroid away
        assert not set(against["label"]) & {"low"}
    assert supports["contribution"].is_monotonic_decreasing
    assert against["contribution"].is_monotonic_increasing


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_window_contradicts_what_is_like_it(tones: Collection, kind: Kind) -> None:
    """A person has said that one of these tones is not the class: what sounds like it suffers."""
    refused = windows_of(tones, "high", 1)[0]
    made = tones.classifier(
        {"tone": [*windows_of(tones, "low", 2), *windows_of(tones, "high", 2)[4:]]},
        negatives={"tone": [refused]},
        kind=kind,
    )
    why = made.evidence(windows_of(tones, "high")[-1], "tone")
    against = why[why["contribution"] < 0]
    assert refused in against.index
    assert against.loc[refused, "label"] == "not tone"


def test_the_evidence_plays_and_sums_up_in_a_sentence(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES})
    row = windows_of(tones, "high")[-1]
    why = made.evidence(row)  # of the likeliest class
    assert "for high" in why.attrs["sentence"]
    assert f"scores {made.scores()[row].max():.2f}" in why.attrs["sentence"]
    shown = why._repr_html_()
    assert "for high" in shown
    assert shown.count("<audio") == len(why)
    assert "supports" in shown


def test_a_single_example_is_all_the_evidence_there_is(tones: Collection) -> None:
    row = windows_of(tones, "low")[0]
    why = tones.classifier({"low": [row]}).evidence(row)
    assert why.index.tolist() == [row]
    assert "single example" in why.attrs["sentence"]
    assert "only example" in why["reason"].iloc[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_classifier_gives_the_same_reasons(tones: Collection, kind: Kind) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES}, kind=kind)
    made.save(f"with reasons {kind}")
    loaded = explorer.open(tones.path).load_classifier(f"with reasons {kind}")
    row = windows_of(tones, "low")[-1]
    np.testing.assert_allclose(
        loaded.evidence(row)["contribution"], made.evidence(row)["contribution"], atol=1e-5
    )


def test_a_classifier_of_another_place_has_its_reasons_there(
    tones: Collection, reef: Collection
) -> None:
    path = tones.classifier({"low": windows_of(tones, "low", 2)}).save("travels")
    with pytest.raises(ParameterError, match="does not say which windows"):
        reef.load_classifier(path).evidence(0)


def test_a_class_or_a_window_that_is_not_there_is_refused(tones: Collection) -> None:
    made = tones.classifier({"low": windows_of(tones, "low", 2)})
    with pytest.raises(ParameterError, match="no class 'lwo'"):
        made.evidence(0, "lwo")
    with pytest.raises(ParameterError, match="not there"):
        made.evidence(tones.n_windows(), "low")


# --- labels that look wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_given_by_mistake_is_found(tones: Collection, kind: Kind) -> None:
    mistake, refused = windows_of(tones, "high", 3)[-1], windows_of(tones, "middle", 3)[-1]
    examples = {name: windows_of(tones, name, 2) for name in PITCHES}
    made = tones.classifier(
        {**examples, "low": [*examples["low"], mistake]},
        negatives={"middle": [refused]},
        kind=kind,
    )
    found = made.suspects()
    assert set(found.index) == {mistake, refused}
    assert found["doubt"].is_monotonic_decreasing
    assert found.loc[mistake, "class"] == "low"
    assert found.loc[mistake, "judgement"] == "positive"
    assert "like high" in found.loc[mistake, "reason"]
    assert found.loc[refused, "judgement"] == "negative"
    assert "like high" in found._repr_html_()


def test_labels_that_agree_are_not_doubted(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name) for name in PITCHES})
    assert made.suspects().empty


# --- how far a probe is expected to be off --------------------------------------------------------


@pytest.mark.parametrize("count", [1, 12])
def test_a_gap_that_is_not_identifiable_is_said_to_be_so(tones: Collection, count: int) -> None:
    examples = {name: windows_of(tones, name)[:count] for name in PITCHES}
    table = tones.classifier(examples, kind="probe").quality()
    not_known = table["note"].str.contains("not identifiable")
    assert (table["gap"].isna() == not_known).all()
    assert not_known.all() == (count == 1)
    assert (table["gap_left_out"] > 0).all()


def test_a_centroid_has_no_gap_to_speak_of(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 2) for name in PITCHES})
    assert "gap" not in made.quality()
