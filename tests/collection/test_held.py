"""A run that is looked at keeps its windows while it is embedded further."""

from __future__ import annotations

import numpy as np
import pytest
from small_recordings import Listener

import explorer


class Enough(Exception):
    """Somebody pressed stop."""


@pytest.fixture
def reef(tmp_path, recordings):
    """A collection whose run is half done: eleven windows, in the middle of a recording."""

    def stop(progress):
        if progress.windows >= 11:
            raise Enough

    collection = explorer.open(tmp_path / "reef.collection", audio=recordings)
    with pytest.raises(Enough):
        collection.embed(Listener(), progress=stop, batch_size=11)
    assert collection.n_windows() == 11
    return collection


def test_it_keeps_its_windows_vectors_and_scores(reef):
    held = reef.held()
    before = np.asarray(held.embeddings()), held.windows()
    reef.embed(Listener(), progress=False)
    assert reef.n_windows() > 11
    assert held.n_windows() == len(held.index()) == len(held.prepared()) == 11
    assert np.array_equal(np.asarray(held.embeddings()), before[0])
    assert held.windows().equals(before[1])
    held.label([0], "a", who="ada")
    assert len(held.classifier().scores()) == 11
    assert len(reef.classifier().scores()) == reef.n_windows()
    assert held.search(0, k=100).index.max() <= 10


def test_labels_and_recordings_are_those_of_all(reef):
    held = reef.held()
    reef.embed(Listener(), progress=False)
    reef.label([2, reef.n_windows() - 1], "a", who="ben")
    assert len(held.labels()) == 2
    assert held.label_rows()["row"].tolist() == [2]
    assert len(held.recordings) == len(reef.recordings)
