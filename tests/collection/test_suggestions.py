"""What to label next, with a reason for each window, and the way there and back in a file."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from tone_recordings import PITCHES, windows_of

from explorer.classify.sampling import Strategy
from explorer.collection.collection import Collection
from explorer.errors import ParameterError


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_what_is_labelled_already_is_never_proposed(tones: Collection, strategy: Strategy) -> None:
    """Neither what the classifier was made of, nor a label of any class and judgement."""
    events = tones.label([3, 4], "boat", "unsure", who="ana")
    try:
        examples = {"low": windows_of(tones, "low", 2)}
        made = tones.classifier(examples, negatives={"low": [1, 5]})
        found = made.next_to_label(tones.n_windows(), strategy=strategy)
    finally:
        tones.undo(events, who="ana")
    known = {*examples["low"], 1, 3, 4, 5}
    assert not known & set(found.index)
    assert found.index.is_unique
    if strategy != "explore":  # which draws from a pool of the best
        assert len(found) == tones.n_windows() - len(known)


def test_every_window_comes_with_its_place_its_class_and_a_reason(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 1) for name in PITCHES})
    found = made.next_to_label(12)
    assert len(found) == 12
    assert found["reason"].str.len().gt(3).all()
    assert set(found["class"]) <= set(PITCHES)
    scores = made.scores()[found.index]
    np.testing.assert_array_equal(found["score"], scores.max(axis=1))
    places = tones.windows(found.index)
    assert (places["recording"] == found["recording"]).all()
    assert (places["start_s"] == found["start_s"]).all()


def test_every_site_is_looked_at(tones: Collection) -> None:
    """The pitch sounds in the east alone; the west may hold it all the same."""
    made = tones.classifier({"low": windows_of(tones, "low", 2)})
    assert set(made.next_to_label(10)["site"]) == {"EAST", "WEST"}


def test_one_class_can_be_asked_about(tones: Collection) -> None:
    made = tones.classifier({name: windows_of(tones, name, 1) for name in PITCHES})
    found = made.next_to_label(5, strategy="top", class_="high")
    assert (found["class"] == "high").all()
    assert set(found.index) <= set(windows_of(tones, "high"))
    with pytest.raises(ParameterError, match="low, middle, high, highest"):
        made.next_to_label(class_="hihg")


def test_proposed_windows_play_with_their_reason(tones: Collection) -> None:
    found = tones.classifier({"low": windows_of(tones, "low", 1)}).next_to_label(3)
    shown = found._repr_html_()
    assert shown.count("<audio") == 3
    assert found["reason"].iloc[0] in shown


@pytest.mark.parametrize("name", ["todo.csv", "todo.txt", "todo"])
def test_a_filled_in_file_comes_back_as_labels(
    tones: Collection, tmp_path: Path, name: str
) -> None:
    made = tones.classifier({"low": windows_of(tones, "low", 2)})
    found = made.next_to_label(6)
    files = found.write(tmp_path / name)
    for file in files:
        separator = "," if file.suffix == ".csv" else "\t"
        table = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False)
        column = next(title for title in table if title.lower() == "judgement")
        table[column] = ["yes"] + [""] * (len(table) - 1)
        table.to_csv(file, sep=separator, index=False)
    report = tones.import_labels(tmp_path / name, who="ana")
    tones.undo(report.events, who="ana")
    assert report.labels == len(files)
    assert report.unjudged == 6 - len(files)


def test_a_file_of_another_kind_is_refused(tones: Collection, tmp_path: Path) -> None:
    found = tones.classifier({"low": windows_of(tones, "low", 1)}).next_to_label(3)
    with pytest.raises(ParameterError, match="csv"):
        found.write(tmp_path / "todo.xlsx")


def test_nothing_is_proposed_where_all_is_labelled(tones: Collection) -> None:
    events = tones.label(np.arange(tones.n_windows()), "low", who="ana")
    try:
        made = tones.classifier({"low": [0, 2]})
        assert made.next_to_label().empty
    finally:
        tones.undo(events, who="ana")
