"""What the labels of several people teach."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from small_recordings import Listener, write_recordings

import explorer
from explorer.dashboard.state.learning import LOOKED_AT, learn, rank, typical


def test_people_who_disagree_on_the_only_example_leave_nothing_to_learn(tmp_path):
    audio = write_recordings(tmp_path / "recordings", count=2)
    reef = explorer.open(tmp_path / "reef.collection", audio=audio)
    reef.embed(Listener(), progress=False)
    reef.label([2], "hum", "positive", who="ana")
    reef.label([2], "hum", "negative", who="ben")
    learned = learn(reef, None, "ana")
    assert learned.judgements == {"hum": {2: "positive"}}
    assert learned.classes == ()
    assert learned.scores is None


@pytest.mark.parametrize("scale", [1.0, 0.0, 1e-30])
def test_ranks_are_those_of_a_plain_sort_with_ties_by_row(scale):
    scores = (np.random.default_rng(0).integers(0, 50, 5000) / 49 * scale).astype(np.float32)
    assert np.array_equal(rank(scores), np.argsort(-scores, kind="stable"))


def test_a_window_without_a_score_comes_last():
    assert rank(np.array([0.2, np.nan, 0.9], dtype=np.float32)).tolist() == [2, 0, 1]


def test_of_very_many_windows_some_from_all_over_say_what_is_typical():
    read = []

    def take(rows):
        read.extend(rows)
        return np.stack([np.sin(rows), np.cos(rows)], axis=1)

    collection = SimpleNamespace(embeddings=lambda run: SimpleNamespace(take=take))
    rows = np.arange(0, 300_000, 3)
    chosen = typical(collection, rows, 60, None)
    assert len(read) == LOOKED_AT
    assert (read[0], read[-1]) == (rows[0], rows[-1])
    assert len(chosen) == 60
    assert np.isin(chosen, rows).all()
    assert (np.diff(chosen) > 0).all()
