"""What a click needs, made once: kept in memory where it is little, on disk where it is much."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_recordings import Listener, write_recordings

import explorer
from explorer.classify.background import Background, Prepared
from explorer.collection import preparing
from explorer.collection.collection import Collection


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is a large one."""
    monkeypatch.setattr(preparing, "MOST_IN_MEMORY", 0)


def folder(reef: Collection) -> Path:
    return reef.path / "embeddings" / reef._run(None) / "prepared"


def same(one: Prepared, other: Prepared) -> bool:
    return (
        torch.equal(one.vectors, other.vectors)
        and torch.equal(one.density, other.density)
        and torch.equal(one.finite, other.finite)
    )


def test_a_small_run_stays_in_memory(reef: Collection) -> None:
    assert len(reef.prepared()) == reef.n_windows()
    assert not folder(reef).exists()


@pytest.mark.usefixtures("on_disk")
def test_a_large_run_is_mapped_and_the_same(
    reef: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    mapped = reef.prepared(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (reef.n_windows(), reef.n_windows())
    assert same(mapped, reef.background().prepare(reef.embeddings()))
    assert mapped.source is not None
    scores = reef.classifier({"hum": [0, 1]}).scores()

    # Opened again, it is there; nothing is computed.
    monkeypatch.setattr(Background, "in_blocks", lambda *_: pytest.fail("made a second time"))
    again = explorer.open(reef.path)
    assert same(again.prepared(), mapped)
    assert np.array_equal(again.classifier({"hum": [0, 1]}).scores(), scores)


@pytest.mark.usefixtures("on_disk")
def test_more_windows_make_it_anew_and_the_old_one_goes(reef: Collection, tmp_path: Path) -> None:
    before = len(reef.prepared())
    reef.add(write_recordings(tmp_path / "more", count=2))
    reef.embed(Listener(), progress=False)
    assert len(reef.prepared()) == reef.n_windows() > before
    assert len([path for path in folder(reef).iterdir() if path.is_dir()]) == 1


@pytest.mark.usefixtures("on_disk")
def test_stopped_in_the_middle_it_leaves_nothing_behind(reef: Collection) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reef.prepared(progress=stop)
    assert not [path for path in folder(reef).iterdir() if path.is_dir()]
    name = f"{reef.background().digest}-{reef.n_windows()}"
    (folder(reef) / f"{name}.part").mkdir()  # as a killed process leaves it
    assert len(reef.prepared()) == reef.n_windows()
    assert [path.name for path in folder(reef).iterdir() if path.is_dir()] == [name]


@pytest.mark.usefixtures("on_disk")
def test_where_the_disk_takes_nothing_memory_does(
    reef: Collection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparing, "_make", full)
    with caplog.at_level(logging.WARNING):
        assert len(reef.prepared()) == reef.n_windows()
    assert "No space left on device" in caplog.text
