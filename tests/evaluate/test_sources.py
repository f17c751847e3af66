"""What is evaluated: collections with labels and folders of clips, and the commands that do it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from labelled_sounds import PITCHES, RATE, write_clips
from small_recordings import Listener, write_recordings
from typer.testing import CliRunner

import explorer
from explorer.classify.background import Background
from explorer.classify.splits import SplitWarning
from explorer.cli import app
from explorer.collection.collection import Collection
from explorer.errors import ParameterError
from explorer.evaluate.clips import cached_collection, read_clips
from explorer.evaluate.datasets import of_clips, of_collection
from explorer.evaluate.fewshot import fewshot
from explorer.evaluate.mfcc import MfccEncoder
from explorer.evaluate.sources import data_sets


class LongListener(Listener):
    """The same encoder with windows of two seconds."""

    name = "long"
    window_s = 2.0

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        return super().encode(windows[:, :RATE]) + super().encode(windows[:, RATE:])


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return write_clips(tmp_path / "clips")


@pytest.fixture
def reef(tmp_path: Path) -> Collection:
    """Eight recordings at two sites, embedded by two encoders."""
    audio = write_recordings(tmp_path / "recordings")
    collection = explorer.open(tmp_path / "reef.collection", audio=audio)
    for encoder in (Listener(), LongListener()):
        collection.embed(encoder, progress=False)
    return collection


def of_listener(reef: Collection, **settings: str):
    return of_collection(reef, ["listener-1_1.0s"], **settings)[0]


# --- folders of clips -------------------------------------------------------------------------


def test_a_table_says_what_clips_are_and_which_belong_together(clips):
    table = read_clips(clips.rglob("*.wav"), clips)
    assert table.groupby("class").size().to_dict() == dict.fromkeys(PITCHES, 4)
    assert set(table["set"]) == {"reef"}
    assert table["group"].value_counts().unique().tolist() == [2]


def test_the_table_may_lie_two_folders_above_the_clips(clips):
    growls = clips / "reef" / "growl"
    table = read_clips(growls.rglob("*.wav"), growls)
    assert table["class"].tolist() == ["growl"] * 4
    assert table["group"].nunique() == 2


def test_clips_that_the_table_leaves_out_are_left_out(clips):
    lines = (clips / "clips.csv").read_text().splitlines()
    (clips / "clips.csv").write_text("\n".join(lines[:6]))
    assert len(read_clips(clips.rglob("*.wav"), clips)) == 5


def test_without_a_table_folders_are_classes_and_every_clip_stands_alone(tmp_path):
    folder = write_clips(tmp_path / "plain", table=False)
    with pytest.warns(SplitWarning, match="12 of the 12 clips of plain"):
        table = read_clips(folder.rglob("*.wav"), folder)
    assert set(table["class"]) == set(PITCHES) and set(table["set"]) == {"reef"}
    assert table["group"].nunique() == 12
    with pytest.warns(SplitWarning):
        alone = read_clips((folder / "reef").rglob("*.wav"), folder / "reef")
    assert set(alone["set"]) == {"reef"} and set(alone["class"]) == set(PITCHES)


def test_tables_and_folders_that_cannot_be_used_are_refused(clips, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("file,label\nnowhere.wav,growl\n")
    with pytest.raises(ParameterError, match="none of its 1 clips"):
        read_clips(clips.rglob("*.wav"), clips, other)
    other.write_text("name,label\nnowhere.wav,growl\n")
    with pytest.raises(ParameterError, match="a column named file"):
        read_clips(clips.rglob("*.wav"), clips, other)
    with pytest.raises(ParameterError, match="no labelled clips"):
        read_clips([], clips)
    with pytest.raises(ParameterError, match="no CSV file that can be read"):
        read_clips(clips.rglob("*.wav"), clips, tmp_path / "absent.csv")


def test_a_folder_of_clips_is_embedded_once_and_goes_on_where_it_stopped(
    clips, tmp_path, monkeypatch
):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    before = sorted(clips.rglob("*"))
    said: list[str] = []
    first = data_sets([clips], encoders=["spectral", "mfcc"], progress=False, say=said.append)
    assert [(part.name, part.encoder) for part in first] == [("reef", "spectral"), ("reef", "mfcc")]
    assert [len(part.known()) for part in first] == [12, 12]
    assert sum("Embedded 12 windows" in text for text in said) == 2
    said.clear()
    again = data_sets([clips], encoders=["spectral", "mfcc"], progress=False, say=said.append)
    assert not any("Embedded" in text for text in said)
    np.testing.assert_array_equal(first[0].known().rows, again[0].known().rows)
    assert sorted(clips.rglob("*")) == before
    assert cached_collection(clips).is_relative_to(tmp_path / "cache")


def test_a_clip_is_one_item_whatever_the_window(tmp_path):
    """2.5 s are three windows of one second and two of two: the same items for both encoders."""
    folder = write_clips(tmp_path / "clips", seconds=2.5)
    collection = explorer.open(tmp_path / "c.collection", audio=folder)
    runs = [collection.embed(one, progress=False).run for one in (Listener(), LongListener())]
    table = read_clips(collection.recordings["path"], folder)
    short, long = of_clips(collection, table, runs, groups="recording")
    assert (len(short.windows), len(long.windows)) == (36, 24)
    assert len(short.known()) == len(long.known()) == 12
    np.testing.assert_array_equal(short.known().truth, long.known().truth)
    assert short.known().groups.tolist() == long.known().groups.tolist()
    windows = short.windows.take(np.arange(3))
    np.testing.assert_allclose(short.known().rows[0], windows.mean(axis=0), rtol=1e-5)


def test_data_sets_of_one_folder_share_what_is_around_them(tmp_path, monkeypatch):
    folder = write_clips(tmp_path / "clips", each=8)
    collection = explorer.open(tmp_path / "c.collection", audio=folder)
    runs = [collection.embed(one, progress=False).run for one in (Listener(), MfccEncoder())]
    table = read_clips(collection.recordings["path"], folder)
    table["set"] = np.where(table["path"].map(lambda path: path.stem[-1] in "0145"), "a", "b")
    parts = of_clips(collection, table, runs, groups="recording")
    assert [part.name for part in parts] == ["a", "a", "b", "b"]
    for part in parts:
        everything = np.concatenate([rows for _, rows in part.around.blocks()])
        own = np.concatenate([rows for _, rows in part.windows.blocks()])
        assert (len(everything), len(own)) == (24, 12)
        np.testing.assert_array_equal(everything[part.windows.rows].astype("f4"), own)
    fitted: list[object] = []
    fit = Background.fit
    monkeypatch.setattr(Background, "fit", lambda rows: fitted.append(rows) or fit(rows))
    fewshot(parts[::2], shots=[1], draws=1, methods=["centroid", "logistic"])
    assert len(fitted) == 1  # the two data sets of one run stand on one background


def test_mfcc_hears_the_sound_and_not_the_silence_around_it():
    encoder = MfccEncoder()
    samples = round(encoder.window_s * encoder.sample_rate)
    sound = torch.randn(4000, generator=torch.Generator().manual_seed(0)) * 0.1
    windows = torch.zeros(3, samples)
    windows[0, :4000], windows[1, 50_000:54_000] = sound, sound
    windows[2, :100] = sound[:100]  # shorter than one frame
    rows = encoder.encode(windows)
    torch.testing.assert_close(rows[0], rows[1])
    assert torch.isfinite(rows).all()


def test_mfcc_is_standardised_over_its_data_set(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    (part,) = data_sets([clips], encoders=["mfcc"], progress=False, say=lambda _: None)
    rows = part.known().rows
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-2)


# --- collections ------------------------------------------------------------------------------


def test_labelled_windows_become_items_with_what_was_said_and_no_more(reef):
    reef.label([0, 1], "growl", who="me", run="listener-1_1.0s")
    reef.label([1, 9], "click", who="me", run="listener-1_1.0s")
    reef.label([2], "growl", "negative", who="me", run="listener-1_1.0s")
    reef.label([9], "growl", "unsure", who="me", run="listener-1_1.0s")
    known = of_listener(reef).known()
    assert known.classes == ("click", "growl")
    expected = [[0, 1], [1, 1], [np.nan, 0], [1, np.nan]]
    np.testing.assert_array_equal(known.truth, expected)
    index = reef.windows([0, 1, 2, 9], "listener-1_1.0s")
    assert known.groups.tolist() == index["recording"].tolist()
    taken = reef.embeddings("listener-1_1.0s").take([0, 1, 2, 9])
    np.testing.assert_array_equal(known.rows, taken)


def test_labels_of_whole_recordings_make_recordings_the_items(reef):
    table = reef.recordings
    ranges = pd.DataFrame(
        {
            "recording": table["recording"],
            "start_s": 0.0,
            "end_s": table["duration_s"],
            "class": ["growl", "click"] * 4,
        }
    )
    reef.label_ranges(ranges, who="me")
    both = of_collection(reef, list(reef.catalogue.runs()))
    assert [len(part.known()) for part in both] == [8, 8]
    assert [part.encoder for part in both] == ["listener", "long"]
    assert both[0].known().groups.tolist() == both[1].known().groups.tolist()


def test_sites_are_kept_apart_where_asked_and_where_labels_allow(reef):
    reef.label(range(0, 30), "growl", who="me", run="listener-1_1.0s")
    assert set(of_listener(reef, groups="site").known().groups) == {"EAST", "WEST"}
    widest = of_listener(reef, groups="widest")  # two sites are too few to leave one out
    assert widest.groups == "recording"
    alone = of_listener(reef, groups="none").known()
    assert len(set(alone.groups)) == len(alone)


def test_items_without_a_site_are_refused_where_sites_are_to_be_kept_apart(clips, tmp_path):
    collection = explorer.open(tmp_path / "c.collection", audio=clips)
    run = collection.embed(Listener(), progress=False).run
    table = read_clips(collection.recordings["path"], clips)
    with pytest.raises(ParameterError, match="12 labelled items have no site"):
        of_clips(collection, table, [run], groups="site")
    placed = table.assign(site=["a", "b", "c", "d"] * 3)
    (part,) = of_clips(collection, placed, [run], groups="widest")
    assert part.groups == "site" and set(part.known().groups) == set("abcd")


def test_windows_whose_embedding_is_not_finite_are_no_items(reef, monkeypatch):
    reef.label([0, 1], "growl", who="me", run="listener-1_1.0s")
    part = of_listener(reef)
    broken = replace(part.windows, scale=(np.zeros(16, "f4"), np.ones(16, "f4")))
    assert np.isfinite(broken.take(np.arange(3))).all()
    monkeypatch.setattr(
        "explorer.evaluate.datasets.Windows.take",
        lambda self, rows: np.where(np.asarray(rows)[:, None] == 0, np.nan, np.ones((1, 16))),
    )
    assert len(of_listener(reef).known()) == 1


def test_a_collection_without_labels_says_what_to_do(reef):
    with pytest.raises(ParameterError, match="has no labels yet: label windows"):
        of_listener(reef).known()


# --- the commands -----------------------------------------------------------------------------


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None, result.output
    return result.output


def test_the_fewshot_command_prints_a_table_over_encoders_methods_and_shots(
    clips, tmp_path, monkeypatch
):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "all.csv"
    text = run(
        "evaluate", "fewshot", clips, "--encoder", "spectral", "--encoder", "mfcc", "--draws", 2,
        "--shots", "1,2", "--method", "centroid", "--method", "logistic", "--out", out,
    )  # fmt: skip
    lines = [line.split() for line in text.splitlines()]
    assert ["encoder", "method", "1", "2"] in lines
    rows = [line[:2] for line in lines if line[:1] in (["spectral"], ["mfcc"])]
    assert rows == [[e, m] for e in ("spectral", "mfcc") for m in ("centroid", "logistic")]
    assert "1 data set, 2 encoders, 2 draws" in text
    assert len(pd.read_csv(out)) == 2 * 2 * 2 * 2 * 3


def test_the_quality_command_advises_and_works_without_labels(reef):
    text = run("evaluate", "quality", reef.path)
    assert "reef (no labels)" in text and "Nothing is labelled" in text
    reef.label(range(0, 30), "growl", who="me", run="listener-1_1.0s")
    assert "every class needs examples" in run("evaluate", "quality", reef.path)
    reef.label(range(30, 39), "click", who="me", run="listener-1_1.0s")
    text = run("evaluate", "quality", reef.path, "--encoder", "listener")
    assert "class AUC" in text and "Only listener is here" in text


def test_the_commands_refuse_in_words(tmp_path):
    for arguments, cause in (
        (["fewshot", tmp_path / "nowhere"], "no collection and no folder of clips"),
        (["fewshot", tmp_path, "--shots", "few"], "--shots is a list such as"),
    ):
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
        assert isinstance(result.exception, ParameterError) and cause in str(result.exception)
