"""How well a class is found at each threshold, and on what that rests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from grunt_recordings import judgements, truth_of, write_grunts
from places import CLASSES, place
from small_recordings import Listener
from tone_recordings import PITCHES, windows_of

import explorer
from explorer.collection.collection import Collection
from explorer.collection.curve import CHOSEN
from explorer.collection.trust import left_out
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grunts")
    reef = explorer.open(
        folder / "reef.collection", audio=write_grunts(folder / "audio"), timezone="+10:00"
    )
    reef.embed(Listener(), progress=False)
    reef.close()
    return reef.path


@pytest.fixture
def reef(made: Path, tmp_path: Path) -> Collection:
    """720 windows of one second, 11 in 100 with a grunt."""
    return Collection(shutil.copytree(made, tmp_path / "reef.collection"))


def test_labels_that_were_learnt_from_are_scored_by_what_is_made_of_other_recordings(
    tones: Collection,
) -> None:
    examples = {name: windows_of(tones, name, 3) for name in PITCHES}
    made = tones.classifier(examples, kind="centroid")
    curves = made.curves()
    quality = made.quality()
    assert list(curves) == PITCHES
    for name, curve in curves.items():
        assert curve.auc.value == pytest.approx(quality.loc[name, "auc"])
        assert curve.windows["learnt"].all()
        assert set(curve.windows.index) == {row for rows in examples.values() for row in rows}
        # Examples of the other classes count as not of this one.
        assert (curve.positives, curve.negatives) == (
            len(examples[name]),
            sum(len(rows) for other, rows in examples.items() if other != name),
        )
        assert curve.basis == "labels"
        assert CHOSEN in curve.sentence
        assert (curve.windows["score"] != made.scores()[curve.windows.index, 0]).any()
    assert made.left_out.keys() == {"recording"}


def test_recordings_are_left_out_once_for_tables_and_curves(
    tones: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tones.classifier({name: windows_of(tones, name, 3) for name in PITCHES})
    first = left_out(made)
    monkeypatch.setattr("explorer.collection.trust.held_out", None)
    made.quality()
    made.curves()
    assert left_out(made) is first


def test_the_table_is_what_one_asks_for_at_a_threshold(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 3) for name in PITCHES})
    curve = made.curve("low")
    assert set(np.linspace(0, 1, 101).round(4)) <= set(curve.table["threshold"])
    assert set(curve.windows["score"]) <= set(curve.table["threshold"])
    row = curve.table[curve.table["threshold"] == 0.5].iloc[0]
    point = curve.at(0.5)
    assert (row["precision"], row["recall"]) == (point.precision.value, point.recall.value)
    assert (row["precision_low"], row["precision_high"]) == (
        point.precision.low,
        point.precision.high,
    )
    assert row["detections"] == point.detections
    assert curve.table["recall"].is_monotonic_decreasing
    assert curve.bins["labels"].sum() == len(curve.windows)
    area = np.trapezoid(curve.roc["found"], curve.roc["false_alarms"])
    assert area == pytest.approx(curve.auc.value)


def test_answers_of_a_study_stand_for_all_windows_and_chosen_labels_do_not(
    reef: Collection,
) -> None:
    truth = truth_of(reef)
    made = reef.classifier({"grunt": np.flatnonzero(truth)[:6]})
    found = made.scores()[:, 0] >= 0.3
    exact = truth[found].mean(), found[truth].mean()
    # A person labels what looks likely.
    chosen = np.argsort(-made.scores()[:, 0])[:30]
    for judgement in ("positive", "negative"):
        rows = chosen[truth[chosen] == (judgement == "positive")]
        reef.label(rows, "grunt", judgement, who="ana")
    leaning = made.curve()
    assert leaning.basis == "labels"
    assert leaning.at(0.3).recall.low > exact[1]

    study = made.study(per_bin=40)
    rows = study.to_label(None).index
    study.label(rows, judgements(truth, rows), who="ana")
    curve = made.curve()
    assert (curve.basis, curve.study) == ("study", "grunt")
    assert "drawn at random" in curve.sentence
    assert "720 windows" in curve.sentence
    point = curve.at(0.3)
    assert point.precision.low <= exact[0] <= point.precision.high
    assert point.recall.low <= exact[1] <= point.recall.high
    wanted = curve.threshold_for(0.8)
    assert curve.at(wanted.value).precision.value >= 0.8
    # The live classifier learns from the answers; it is judged by what has not.
    live = reef.classifier(kind="centroid").curve("grunt")
    assert (live.basis, bool(live.windows["learnt"].all())) == ("study", True)


def test_a_study_that_tells_too_little_is_not_used_and_when_asked_for_refused(
    reef: Collection,
) -> None:
    truth = truth_of(reef)
    made = reef.classifier({"grunt": np.flatnonzero(truth)[::9]})
    study = made.study(name="begun")
    study.label(study.to_label(1).index, "negative", who="ana")
    assert made.curve().basis == "labels"
    with pytest.raises(ParameterError, match="does not tell enough"):
        made.curve(study="begun")
    other = reef.classifier({"click": [1, 2]})
    with pytest.raises(ParameterError, match="is of grunt"):
        other.curve(study="begun")


def test_what_cannot_be_known_is_said(tones: Collection) -> None:
    one = tones.classifier({"low": windows_of(tones, "low", 1)[:1]}).curve()
    assert np.isnan(one.auc.value)
    assert one.basis == "nothing"
    assert one.message == "The only example comes from one recording: label some from another."
    assert one.table["precision"].isna().all()
    several = tones.classifier({"low": windows_of(tones, "low", 3)}).curve()
    assert several.message == "Nothing is labelled that is not low: say no to a few."
    with pytest.raises(ParameterError, match="name one of low, high"):
        tones.classifier({"low": [0], "high": [2]}).curve()


def test_people_who_differ_count_for_neither_side(reef: Collection) -> None:
    truth = truth_of(reef)
    rows = np.flatnonzero(truth)[::9]  # of several recordings
    reef.label(rows, "grunt", who="ana")
    made = reef.classifier(kind="centroid")
    assert rows[0] in made.curve().windows.index
    reef.label(rows[:1], "grunt", "negative", who="ben")
    assert rows[0] not in made.curve().windows.index


def test_a_classifier_of_another_place_is_judged_by_all_labels_here(tmp_path: Path) -> None:
    there, truth = place(tmp_path / "reef", seed=1, count=4)
    file = there.classifier({name: np.flatnonzero(truth == name)[:4] for name in CLASSES}).save(
        "both"
    )
    here, truth = place(tmp_path / "lagoon", seed=101, another_recorder=True, count=4)
    for name in CLASSES:
        here.label(np.flatnonzero(truth == name)[:10], name, who="ana")
    brought = here.load_classifier(file)
    curve = brought.curve("grunt")
    assert not curve.windows["learnt"].any()
    assert len(curve.windows) == 20
    assert curve.auc.value == pytest.approx(
        np.mean(
            brought.scores()[curve.windows.index[curve.windows["positive"]], 0][:, None]
            > brought.scores()[curve.windows.index[~curve.windows["positive"]], 0]
        ),
        abs=0.02,
    )
    adapted = brought.adapt(progress=False)
    assert adapted.curve("grunt").positives == 10


def test_what_is_mixed_up_is_counted_among_what_nothing_was_learnt_from(
    tones: Collection,
) -> None:
    made = tones.classifier({name: windows_of(tones, name, 3) for name in PITCHES})
    curves = made.curves()
    found = curves.mixed_up(dict.fromkeys(PITCHES, 0.5))
    examples = [len(windows_of(tones, name, 3)) for name in PITCHES]
    assert (found.found + found.missed.sum(axis=1)).tolist() == examples
    assert found.missed.shape == found.mistaken.shape == (4, 5)
    everything = curves.mixed_up(dict.fromkeys(PITCHES, 0.0))
    assert everything.missed.sum() == 0
    assert everything.mistaken[0, 1] == examples[1]
