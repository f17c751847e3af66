"""No recording is ever both learnt from and tested on."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.classify.splits import (
    Split,
    SplitWarning,
    check_apart,
    hold_out,
    k_fold,
    leave_one_group_out,
    warn_untestable,
)
from explorer.errors import ParameterError


@pytest.fixture(scope="module")
def clips() -> tuple[np.ndarray, np.ndarray]:
    """Forty recordings with one to nine clips each, mostly of one class: groups and labels."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 10, 40)).astype(object)
    common = rng.choice(["wren", "robin", "owl"], 40, p=[0.6, 0.3, 0.1])
    return groups, common[groups.astype(int)]


@pytest.mark.parametrize("k", [2, 5, 40])
def test_parts_share_no_recording_and_are_everything_together(clips, k):
    groups, labels = clips
    splits = k_fold(groups, k, labels=labels, seed=1)
    assert len(splits) == k
    for split in splits:
        check_apart(split, groups)
        assert not np.intersect1d(split.train, split.test).size
        assert len(split.train) + len(split.test) == len(groups)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(groups)))


def test_each_part_gets_its_share_of_each_class(clips):
    groups, labels = clips
    for name in np.unique(labels):
        shares = [(labels[split.test] == name).sum() for split in k_fold(groups, 4, labels=labels)]
        expected = (labels == name).sum() / 4
        # Whole recordings of up to nine clips cannot be dealt out more evenly.
        assert max(abs(share - expected) for share in shares) <= 9


def test_several_labels_a_window_are_dealt_out_as_well():
    labels = np.zeros((40, 2), int)
    labels[:4, 0] = labels[2:8, 1] = 1
    splits = k_fold(np.arange(40), 2, labels=labels)
    assert [labels[split.test].sum(axis=0).tolist() for split in splits] == [[2, 3], [2, 3]]


def test_the_same_seed_gives_the_same_parts_and_another_one_others(clips):
    groups, labels = clips

    def parts(seed: int) -> list[list[int]]:
        return [split.test.tolist() for split in k_fold(groups, 3, labels=labels, seed=seed)]

    assert parts(1) == parts(1)
    assert parts(1) != parts(2)


def test_one_recording_is_left_out_after_the_other(clips):
    groups, _ = clips
    splits = leave_one_group_out(groups)
    assert [set(groups[split.test]) for split in splits] == [{number} for number in range(40)]


def test_a_part_is_held_out(clips):
    groups, labels = clips
    split = hold_out(groups, 0.25, labels=labels)
    check_apart(split, groups)
    assert 0.15 < len(split.test) / len(groups) < 0.35
    with pytest.raises(ParameterError, match="share"):
        hold_out(groups, 0.9)


def test_what_cannot_be_kept_apart_is_refused():
    with pytest.raises(ParameterError, match="there is 1; label"):
        leave_one_group_out(["night 1"] * 5)
    with pytest.raises(ParameterError, match="3 parts"):
        k_fold(["a", "b", "b"], 3)
    with pytest.raises(ParameterError, match=r"2 groups .* such as a, b"):
        check_apart(Split(np.array([0, 1]), np.array([2, 3])), ["a", "b", "a", "b"])


def test_a_class_of_one_recording_is_named():
    positive = np.array([[1, 0], [0, 1], [0, 1]], bool)
    with pytest.warns(SplitWarning, match="^grunt: all examples come from one recording"):
        testable = warn_untestable(positive, ["a", "a", "b"], ["grunt", "boat"])
    assert testable.tolist() == [False, True]


def test_any_hashable_name_can_be_a_recording():
    splits = leave_one_group_out([("site", 1), ("site", 2), ("site", 1)])
    assert splits[0].test.tolist() == [0, 2]
