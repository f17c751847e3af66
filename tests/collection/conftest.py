"""A small folder of recordings, and a collection of it, for every test of this floor."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_recordings import Listener, write_recordings
from tone_recordings import make_tones

import explorer
from explorer.collection.collection import Collection


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return write_recordings(tmp_path / "recordings")


@pytest.fixture
def reef(tmp_path: Path, recordings: Path) -> Collection:
    """An embedded collection of eight recordings."""
    collection = explorer.open(tmp_path / "reef.collection", audio=recordings)
    collection.embed(Listener(), progress=False)
    return collection


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """An embedded collection of sixteen recordings of four pitches."""
    return make_tones(tmp_path_factory.mktemp("tones"))
