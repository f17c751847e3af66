"""What a person can do, without a screen: select, name, judge, undo, search."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.dashboard.state.records import MOST_STEPS, clean_name
from explorer.dashboard.state.state import State
from explorer.errors import ParameterError


@pytest.fixture
def state(fake):
    return State(fake(recordings=12), user="ada")


def of_one_kind(state, kind=0, count=4):
    return np.flatnonzero(state.collection._kind == kind)[:count]


def test_a_selection_becomes_a_class_whose_ranking_starts_with_its_kind(state):
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    assert state.active == "grunt"
    assert state.place == "ranked"
    assert len(state.selection) == 0
    assert (state.collection._kind[state.listing()[:12]] == 0).all()


def test_saying_no_changes_the_ranking_and_saying_it_again_takes_it_back(state):
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    before = state.ranking.copy()
    state.judge([int(before[5])], "negative")
    assert state.judgement(int(before[5])) == "negative"
    assert not np.array_equal(before, state.ranking)
    state.judge([int(before[5])], "negative")
    assert state.judgement(int(before[5])) is None
    assert np.array_equal(before, state.ranking)


def test_undo_takes_back_one_step_after_another(state):
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    other = int(state.ranking[6])
    state.judge([other], "unsure")
    state.undo()
    assert state.judgement(other) is None
    assert [c.name for c in state.classes] == ["grunt"]
    state.undo()
    assert state.classes == []
    assert state.active is None
    assert np.array_equal(state.selection, of_one_kind(state))
    assert state.place == "selection"
    state.undo()
    assert (len(state.selection), state.place) == (0, "sample")
    with pytest.raises(ParameterError, match="nothing to undo"):
        state.undo()


def test_a_selection_that_was_lost_comes_back_with_undo(state):
    state.select([3, 5, 8])
    state.select([3, 5, 8])  # says nothing new
    state.select([])
    assert state.steps[-1].said == "let the selection go"
    state.undo()
    assert (state.selection.tolist(), state.place) == ([3, 5, 8], "selection")
    state.undo()
    assert len(state.selection) == 0
    assert state.steps == []


def test_what_is_undone_before_it_was_learnt_stays_undone(state):
    waiting = []
    state.background = lambda compute, apply, _doing: waiting.append((compute, apply))
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    state.undo()
    for compute, apply in waiting:
        apply(compute())
    assert state.classes == []
    assert np.array_equal(state.selection, of_one_kind(state))


def test_the_oldest_steps_are_forgotten(state):
    for turn in range(MOST_STEPS + 3):
        state.select([turn % 7])
    assert len(state.steps) == MOST_STEPS
    state.undo()
    assert state.selection.tolist() == [(MOST_STEPS + 1) % 7]


def test_undoing_a_change_of_mind_brings_back_the_first_judgement(state):
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    row = int(of_one_kind(state)[0])
    state.judge([row], "negative")
    state.undo()
    assert state.judgement(row) == "positive"


def test_a_removed_example_comes_back_with_undo(state):
    rows = of_one_kind(state)
    state.select(rows)
    state.new_class_from_selection("grunt")
    state.remove_example([int(rows[0])])
    assert int(rows[0]) not in state.active_class.positives
    state.undo()
    assert set(state.active_class.positives) == {int(r) for r in rows}


def test_renaming_keeps_examples_colour_and_threshold(state):
    rows = of_one_kind(state)
    state.select(rows)
    state.new_class_from_selection("grnt")
    state.judge([int(state.ranking[-1])], "negative")
    state.set_threshold(0.8)
    before = state.active_class
    state.rename("grnt", "grunt")
    after = state.active_class
    assert [c.name for c in state.classes] == ["grunt"]
    assert (after.style, after.threshold) == (before.style, before.threshold)
    assert set(after.positives) == set(before.positives)
    assert after.negatives == before.negatives
    state.undo()
    assert [c.name for c in state.classes] == ["grnt"]


def test_the_threshold_belongs_to_its_class_and_counts_windows_at_or_above_it(state):
    state.select(of_one_kind(state, 0))
    state.new_class_from_selection("grunt")
    state.select(of_one_kind(state, 1))
    state.new_class_from_selection("pulse")
    state.set_threshold(0.9)
    found = {c.name: c.found for c in state.classes}
    assert found["pulse"] == np.count_nonzero(state.scores >= 0.9)
    state.activate("grunt")
    assert state.threshold == 0.5


def test_each_window_has_the_style_of_the_class_it_clears_by_most(state):
    for kind, name in enumerate(["grunt", "pulse"]):
        state.select(of_one_kind(state, kind))
        state.new_class_from_selection(name)
    styles = state.assigned()
    assert set(styles[of_one_kind(state, 1)]) == {1}
    row = int(of_one_kind(state, 1)[0])
    state.judge([row], "negative", "pulse")
    assert state.assigned()[row] != 1
    assert state.assigned() is state.assigned()  # views that ask in one turn share it
    state.set_threshold(1.0)
    assert (state.assigned() == 1).sum() <= len(state.active_class.positives)


def test_of_a_large_selection_only_typical_windows_become_examples(state):
    rows = np.flatnonzero(state.collection._kind <= 2)
    state.select(rows)
    state.new_class_from_selection("many")
    assert len(state.active_class.positives) == 60


def test_more_like_this_shows_the_nearest_windows_with_the_asked_one_first(state):
    state.search_like(7)
    assert state.place == "similar"
    assert state.listing()[0] == 7
    assert "0:21" in state.similar.title


def test_what_to_label_next_stays_in_sight_while_it_is_judged(state):
    state.select(of_one_kind(state))
    state.new_class_from_selection("grunt")
    state.suggest()
    assert state.place == "borderline"
    rows = state.listing()
    assert set(state.suggested.reasons.values()) == {"unsure"}
    state.judge([int(rows[0])], "negative")
    assert np.array_equal(state.listing(), rows)
    state.select(of_one_kind(state, 1))
    state.new_class_from_selection("pulse")
    assert len(state.listing("borderline")) == 0


def test_two_sessions_share_labels_but_not_what_they_look_at(fake):
    collection = fake(recordings=6)
    ada, ben = State(collection, user="ada"), State(collection, user="ben")
    ada.select([1, 2, 3])
    ada.new_class_from_selection("grunt")
    ada.set_threshold(0.7)
    ada.select([4])
    assert len(ben.selection) == 0
    assert ben.active is None
    ben.refresh()
    assert [c.name for c in ben.classes] == ["grunt"]
    assert ben.threshold == 0.5
    ben.judge([1], "negative", "grunt")
    assert ada.judgement(1) == "positive"
    assert set(collection.label_rows()["who"]) == {"ada", "ben"}
    with pytest.raises(ParameterError, match=r"nothing to undo|no label"):
        ben.remove_example([2], "grunt")


def test_the_answer_to_an_earlier_gesture_does_not_overwrite_a_later_one(state):
    waiting = []
    state.select(of_one_kind(state))
    state.background = lambda compute, apply, doing: waiting.append((compute, apply))
    state.new_class_from_selection("grunt")
    state.judge([100], "negative", "grunt")
    answers = [(compute(), apply) for compute, apply in waiting]
    for answer, apply in reversed(answers):
        apply(answer)
    assert state.active == "grunt"
    assert state.active_class.negatives == (100,)


@pytest.mark.parametrize(
    "action", ["judge", "new_class", "threshold", "select", "suggest", "count"]
)
def test_what_cannot_be_done_says_why(state, action):
    with pytest.raises(
        ParameterError, match=r"class first|class an example first|nothing is selected|is not one"
    ):
        if action == "judge":
            state.judge([1], "positive")
        elif action == "new_class":
            state.new_class_from_selection("grunt")
        elif action == "threshold":
            state.set_threshold(0.3)
        elif action in ("suggest", "count"):
            getattr(state, action)()
        else:
            state.select([10**6])


def test_a_class_name_is_one_clean_line():
    assert clean_name(" <b>fish\x00\n grunt</b>  ") == "<b>fish grunt</b>"
    for bad in ("", " \n", "x" * 61):
        with pytest.raises(ParameterError):
            clean_name(bad)


def test_a_collection_without_embeddings_can_be_opened(fake):
    state = State(fake(embedded=False))
    assert state.n_windows == 0
    assert state.xy is None
