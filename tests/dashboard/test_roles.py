"""What a role allows is decided on the server: a viewer cannot write, whatever a browser sends."""

from __future__ import annotations

import pytest

from explorer.dashboard.check.carrying import Carrying
from explorer.dashboard.explore.classes import ClassesPanel
from explorer.dashboard.frame.desk import Desk
from explorer.dashboard.serving.accounts import ROLES as ACCOUNT_ROLES
from explorer.dashboard.state.state import ROLES, State
from explorer.errors import ParameterError


@pytest.fixture
def labelled(fake):
    """A collection in which Ada has begun a class, and taken one label back."""
    collection = fake(recordings=6)
    ada = State(collection, user="ada")
    ada.select([1, 2, 3])
    ada.new_class_from_selection("grunt")
    ada.judge([5], "negative")
    return collection


WRITES = {
    "a label": lambda state: state.judge([7], "positive"),
    "a judgement of another class": lambda state: state.judge([7], "unsure", "grunt"),
    "a class": lambda state: state.new_class_from_selection("boat"),
    "another name": lambda state: state.rename("grunt", "boat"),
    "taking back": lambda state: state.remove_example([1], "grunt"),
    "a study": lambda state: state.count(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_viewer_cannot_write_and_is_told_why(labelled, write):
    # Under Ada's own name, so that only the role stands in the way.
    state = State(labelled, user="ada", role="viewer")
    state.refresh()
    state.select([1, 8])
    before = list(labelled._events)
    with pytest.raises(ParameterError, match=r"You are a viewer here: .* is for annotators"):
        write(state)
    assert labelled._events == before
    assert not [step for step in state.steps if step.events]
    assert [c.name for c in state.classes] == ["grunt"]


def test_a_viewer_can_still_look_narrow_set_a_threshold_and_undo_that(labelled):
    state = State(labelled, user="eve", role="viewer")
    state.refresh()
    state.activate("grunt")
    state.set_threshold(0.7)
    state.narrow(from_h=4, to_h=8)
    state.search_like(3)
    state.undo()
    state.undo()
    assert state.threshold == 0.5


def test_an_annotator_labels_but_does_not_save(labelled):
    state = State(labelled, user="ben", role="annotator")
    state.refresh()
    state.judge([7], "positive", "grunt")
    carrying = Carrying(state, Desk(state))
    with pytest.raises(ParameterError, match="saving a classifier is for owners"):
        carrying.do_keep("mine")
    with pytest.raises(ParameterError, match="saving is for owners"):
        carrying.do_save("mine")


def test_what_a_role_does_not_allow_is_greyed_out_with_the_reason(labelled):
    for role, refused in (("viewer", True), ("annotator", False)):
        state = State(labelled, role=role)
        panel = ClassesPanel(state, Desk(state))
        assert bool(panel.refusals["annotator"]) is refused
        assert "You are" in panel.refusals["owner"]


def test_a_message_that_a_browser_should_not_have_sent_is_refused_in_words(labelled):
    state = State(labelled, role="viewer")
    state.refresh()
    panel = ClassesPanel(state, Desk(state))
    panel._handle_msg({"action": "rename", "old": "grunt", "new": "boat"})
    assert "You are a viewer here" in state.notice.text


def test_accounts_know_the_same_roles():
    assert list(ACCOUNT_ROLES) == ROLES
