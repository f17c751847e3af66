"""Long work shows a bar, where it takes more than a moment; or tells a function; or keeps still."""

from __future__ import annotations

import time

import pytest

from explorer.collection import progress
from explorer.collection.progress import count_bar, share_bar


def test_what_is_done_at_once_shows_no_bar(capsys):
    with share_bar(True, "Map") as report:
        report(0.5, "drawing")
    with count_bar(True, "Reading headers", " files") as advance:
        advance(3, 3)
    assert capsys.readouterr().err == ""


def test_what_takes_longer_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(progress, "AFTER_S", 0.01)
    with share_bar(True, "Map") as report:
        time.sleep(0.15)  # tqdm draws ten times a second
        report(0.5, "drawing")
    assert "Map: drawing  50%" in capsys.readouterr().err


@pytest.mark.parametrize("call", ["project", "clusters", "species", "faithfulness"])
def test_every_long_call_of_a_collection_has_the_same_parameter(call):
    from inspect import signature

    from explorer.collection.collection import Collection

    assert signature(getattr(Collection, call)).parameters["progress"].default is True


def test_a_function_is_told_and_false_keeps_still(capsys):
    told = []
    with share_bar(lambda share, doing: told.append((share, doing)), "Map") as report:
        report(0.5, "drawing")
    with share_bar(False, "Map") as report:
        report(1.0, "drawing")
    assert told == [(0.5, "drawing")]
    assert capsys.readouterr().err == ""
