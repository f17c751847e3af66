"""Exercises: a class answers blind, and its answers stay apart from the collection's labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tone_recordings import make_tones, windows_of

from explorer.collection.collection import Collection
from explorer.collection.exercises import Exercise
from explorer.errors import CollectionError, ParameterError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tones = make_tones(tmp_path_factory.mktemp("tones"))
    low, high = windows_of(tones, "low"), windows_of(tones, "high")
    tones.label(low, "low", who="ana")
    tones.label(high, "low", "negative", who="ana")
    tones.label(high, "high", who="ana")
    tones.close()
    return tones.path


@pytest.fixture
def tones(made: Path, tmp_path: Path) -> Collection:
    return Collection(shutil.copytree(made, tmp_path / "tones.collection"))


@pytest.fixture
def exercise(tones: Collection) -> Exercise:
    """Six clips, three of them low, answered by nobody."""
    made = tones.new_exercise("low", n=6)
    made.start()
    return made


def answer(exercise: Exercise, who: str, answers: list[str]) -> None:
    exercise.answer_all([(who, clip, said) for clip, said in enumerate(answers)])


def opposite(right: str | None) -> str:
    return "no" if right == "yes" else "yes"


# --- which clips --------------------------------------------------------------------------------


def test_labelled_clips_are_half_and_half_from_many_recordings_and_shuffled(tones: Collection):
    exercise = tones.new_exercise("low", n=8)
    assert sorted(exercise.right) == ["no"] * 4 + ["yes"] * 4
    assert list(exercise.right) != sorted(exercise.right, reverse=True)
    assert len({clip.recording for clip in exercise.clips}) == 8
    assert exercise.question == "Do you hear low?"
    assert tones.new_exercise("low", n=8).clips == exercise.clips
    assert tones.new_exercise("low", n=8, seed=1).clips != exercise.clips


def test_several_classes_ask_which(tones: Collection):
    exercise = tones.new_exercise(["low", "high"], n=8)
    assert exercise.choices == ("low", "high", "none", "unsure")
    assert sorted(exercise.right) == ["high"] * 4 + ["low"] * 4


def test_ranked_clips_come_from_every_level_of_score(tones: Collection):
    exercise = tones.new_exercise("low", "ranked", n=10)
    classifier = tones.classifier(kind="centroid")
    scores = classifier.scores()[:, classifier.column("low")]
    windows = tones.windows()
    rank = pd.Series(scores).rank(pct=True)
    places = [
        rank[(windows["recording"] == c.recording) & (windows["start_s"] == c.start_s)].iloc[0]
        for c in exercise.clips
    ]
    assert np.histogram(places, [0, 0.5, 0.75, 0.875, 0.96, 1.001])[0].tolist() == [2] * 5
    unknown = [clip for clip in exercise.clips if clip.right is None]
    assert unknown and all(clip.by == "" for clip in unknown)


def test_a_selection_is_asked_about_as_it_is(tones: Collection):
    rows = [3, 9, 27, 30, 41, 50, 60]
    exercise = tones.new_exercise("click", rows, question="Is there a click?")
    wanted = tones.windows(rows)
    assert {(c.recording, c.start_s) for c in exercise.clips} == set(
        zip(wanted["recording"], wanted["start_s"], strict=True)
    )
    assert exercise.right == (None,) * 7


@pytest.mark.parametrize(
    ("classes", "clips", "options", "words"),
    [
        ("low", "labelled", {"n": 5}, "6 to 40"),
        ("low", [1, 2, 3], {}, "these are 3"),
        ("high", "labelled", {}, "not to hold 'high'"),
        ("snap", "labelled", {}, "no window is labelled"),
        ("yes", "labelled", {}, "cannot tell the class"),
        ([], "labelled", {}, "one to 8 classes"),
        ("low", "best", {}, '"labelled", "ranked"'),
    ],
)
def test_what_makes_no_exercise_is_said(tones: Collection, classes, clips, options, words):
    with pytest.raises(ParameterError, match=words):
        tones.new_exercise(classes, clips, **options)
    assert tones.exercises.empty


# --- who takes part -----------------------------------------------------------------------------


def test_a_name_that_is_taken_gets_a_number_and_a_secret_brings_it_back(exercise: Exercise):
    assert exercise.join("  ada ", "first") == "ada"
    assert exercise.join("Ada", "second") == "Ada 2"
    assert exercise.join("ada", "first") == "ada"
    assert exercise.join("ada", "second") == "Ada 2"
    assert exercise.join("ada 2", "third") == "ada 2 2"
    assert exercise.people()["who"].tolist() == ["ada", "Ada 2", "ada 2 2"]
    assert "first" not in exercise.events()["answer"].tolist()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a" * 50, "a" * 24),
        ("ada\u202e\n<b>", "ada <b>"),
        ("ａｄａ", "ada"),
        ("'); DROP TABLE", "'); DROP TABLE"),
    ],
)
def test_names_are_hostile_text(exercise: Exercise, typed: str, kept: str):
    assert exercise.join(typed, "s") == kept


def test_nobody_joins_without_a_name_or_a_secret(exercise: Exercise):
    for name, secret in ((" \u200b", "s"), ("ada", "")):
        with pytest.raises(ParameterError):
            exercise.join(name, secret)


# --- answering ----------------------------------------------------------------------------------


def test_the_latest_answer_before_the_reveal_counts(exercise: Exercise):
    exercise.answer("ada", 0, "no")
    exercise.answer("ada", 0, "yes")
    exercise.answer("ben", 0, "no")
    exercise.reveal()
    exercise.answer("ben", 0, "yes")
    assert exercise.sheet().counts[0].tolist() == [1, 1, 0]
    assert exercise.sheet(after=True).counts[0].tolist() == [2, 0, 0]
    assert exercise.tally().loc[0, "majority"] is None
    assert exercise.tally(after=True).loc[0, "majority"] == "yes"


def test_answers_are_refused_before_the_start_and_once_told(tones: Collection):
    exercise = tones.new_exercise("low", n=6)
    with pytest.raises(ParameterError, match="not started"):
        exercise.answer("ada", 0, "yes")
    exercise.start()
    with pytest.raises(ParameterError, match="reveal"):
        exercise.tell()
    exercise.reveal()
    exercise.tell([2])
    exercise.answer("ada", 1, "yes")
    with pytest.raises(ParameterError, match="no more answers"):
        exercise.answer("ada", 2, "yes")
    for clip, said in ((0, "perhaps"), (6, "yes"), (-1, "yes"), ("0", "yes")):
        with pytest.raises(ParameterError):
            exercise.answer("ada", clip, said)
    assert len(exercise.events()) == 1


def test_answers_and_the_reveal_outlive_the_program(exercise: Exercise):
    exercise.join("ada", "s")
    answer(exercise, "ada", ["yes"] * 6)
    exercise.reveal()
    exercise.tell([0, 3])
    exercise.answer("ada", 1, "no")
    again = Collection(exercise.collection.path).exercise("low")
    assert again.about == exercise.about
    assert again.sheet().given.tolist() == [[0] * 6]
    assert again.sheet(after=True).given.tolist() == [[0, 1, 0, 0, 0, 0]]
    assert again.join("ada", "s") == "ada"
    listed = exercise.collection.exercises.iloc[0]
    assert (listed["name"], listed["clips"], listed["people"], listed["answers"]) == (
        "low",
        6,
        1,
        7,
    )


def test_an_exercise_can_be_given_again_to_another_class(exercise: Exercise):
    answer(exercise, "ada", ["yes"] * 6)
    exercise.reveal()
    again = exercise.again()
    assert (again.name, again.phase, again.clips) == ("low 2", "lobby", exercise.clips)
    assert again.people().empty
    assert again.about.token != exercise.about.token
    with pytest.raises(CollectionError, match="no exercise 'snap'; there are: low, low 2"):
        exercise.collection.exercise("snap")


# --- what came of it ----------------------------------------------------------------------------


def test_each_person_is_measured_against_what_is_right(exercise: Exercise):
    right = list(exercise.right)
    answer(exercise, "ada", right)
    answer(exercise, "ben", [opposite(r) for r in right])
    exercise.answer("cleo", 0, "unsure")
    people = exercise.people().set_index("who")
    assert people["right"].to_dict() == {"ada": 6, "ben": 0, "cleo": 0}
    assert people["of"].to_dict() == {"ada": 6, "ben": 6, "cleo": 1}
    assert exercise.sheet().confusion().loc["yes"].sum() == 6 + (right[0] == "yes")


def test_the_teacher_can_say_what_is_right(tones: Collection):
    exercise = tones.new_exercise("click", list(range(6)))
    exercise.start()
    answer(exercise, "ada", ["yes"] * 6)
    assert exercise.people().loc[0, "of"] == 0
    exercise.settle(2, "no")
    exercise.settle(3, "yes")
    exercise.settle(3, None)
    assert exercise.people().loc[0, ["right", "of"]].tolist() == [0, 1]
    assert tones.exercise("click").clips[2].by == "teacher"
    for right in ("unsure", "perhaps"):
        with pytest.raises(ParameterError, match="cannot be the right answer"):
            exercise.settle(0, right)


def test_agreement_is_told_before_and_after_the_discussion(exercise: Exercise):
    right = list(exercise.right)
    answer(exercise, "ada", right)
    answer(exercise, "ben", [opposite(r) for r in right])
    answer(exercise, "cleo", right)
    exercise.reveal()
    answer(exercise, "ben", right)
    assert exercise.agreement().observed == pytest.approx(1 / 3)
    assert exercise.agreement(after=True).kappa == pytest.approx(1)
    assert exercise.tally()["disagreement"].tolist() == pytest.approx([2 / 3] * 6)


def test_answers_are_no_labels_until_the_majority_is_taken(exercise: Exercise):
    collection = exercise.collection
    before = len(collection.labels())
    for who in ("ada", "ben", "cleo"):
        answer(exercise, who, ["yes", "no", "unsure", "yes", "yes", "yes"])
    exercise.answer("ben", 3, "no")
    exercise.answer("cleo", 3, "unsure")
    assert len(collection.label_events()) == before
    with pytest.raises(ParameterError, match="reveal"):
        exercise.take_majority()
    exercise.reveal()
    events = exercise.take_majority()
    taken = collection.labels(who="workshop")
    assert len(events) == len(taken) == 5  # nobody agreed about clip 3
    assert set(taken["source"]) == {"exercise:low"}
    expected = ["positive", "negative", "unsure", "positive", "positive"]
    assert taken["judgement"].tolist() == expected
    assert taken["recording"].iloc[1] == exercise.clips[1].recording
    with pytest.raises(ParameterError, match="already"):
        exercise.take_majority()
    exercise.give_back()
    assert len(collection.labels()) == before
    assert len(exercise.take_majority()) == 5


def test_a_majority_of_which_becomes_labels_of_that_class_and_none_of_all(tones: Collection):
    exercise = tones.new_exercise(["low", "high"], n=6)
    exercise.start()
    for who in ("ada", "ben"):
        answer(exercise, who, ["low", "high", "none", "unsure", "low", "low"])
    exercise.reveal()
    exercise.take_majority()
    taken = tones.labels(who="workshop")
    said = list(zip(taken["class"], taken["judgement"], strict=True))
    assert said[:2] == [("low", "positive"), ("high", "positive")]
    assert said[2:4] == [("low", "negative"), ("high", "negative")]
    assert said[4:6] == [("low", "unsure"), ("high", "unsure")]


def test_a_table_to_take_along_has_both_answers(exercise: Exercise):
    exercise.answer("=1+1", 0, "yes")
    exercise.reveal()
    exercise.answer("=1+1", 0, "no")
    exercise.answer("late", 1, "no")
    table = exercise.answers()
    assert table[["who", "clip", "answer", "answer_after_discussion"]].values.tolist() == [
        ["=1+1", 1, "yes", "no"],
        ["late", 2, "", "no"],
    ]


def test_examples_are_the_labelled_sounds_most_like_a_clip_and_never_other_clips(tones: Collection):
    exercise = tones.new_exercise("low", n=6)
    asked = {(clip.recording, clip.start_s) for clip in exercise.clips}
    for number, right in enumerate(exercise.right):
        found = exercise.examples(number)
        assert set(found["label"]) == {"low" if right == "yes" else "not low"}
        assert found["likeness"].is_monotonic_decreasing
        assert not asked & set(zip(found["recording"], found["start_s"], strict=True))
    assert tones.new_exercise("click", list(range(6))).examples(0).empty
