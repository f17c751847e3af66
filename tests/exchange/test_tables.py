"""What we write, other programs take; what we read back is what was there."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from explorer.errors import ExplorerError, ParameterError
from explorer.exchange.annotations import read_annotations, read_audacity, read_csv, read_raven
from explorer.exchange.cells import guarded, unguarded
from explorer.exchange.filenames import file_names
from explorer.exchange.matching import match_recordings
from explorer.exchange.tables import (
    RAVEN_COLUMNS,
    write_audacity,
    write_csv,
    write_parquet,
    write_raven,
)

HOSTILE = [
    '=HYPERLINK("http://example.org","grunt")',
    "'=1+1",
    "''=1+1",
    "+1",
    "-grunt",
    "@SUM(A1)",
    "＝1+1",
    "\t=1+1",
    " =1+1",
    "'Apapane",
    'says "quack", loudly',
    "two\nlines",
    "two\r\nlines",
    "tab\tin the middle",
    "ends with a backslash \\",
    r"a\tb is no tab",
    "Überläufer; ぴよぴよ 🐟",
    "nan",
    "007",
    "1.50",
]


@pytest.fixture
def detections() -> pd.DataFrame:
    """Five events in three recordings, not sorted, with scores as a classifier gives them."""
    return pd.DataFrame(
        {
            "recording": ["b/R1.wav", "a/R1.wav", "b/R1.wav", "c.flac", "a/R1.wav"],
            "start_s": [3.0, 0.1 + 0.2, 0.0, 57.0, 1e-5],
            "end_s": [9.0, 3.3, 3.0, 58.75, 3.0],
            "class": ["grunt", "whoop", "grunt", "pulse train", "grunt"],
            "score": np.array([0.9, 0.1, 2 / 3, 1, 0.55], np.float32),
            "windows": [2, 1, 1, 1, 1],
            "site": ["B", "A", "B", None, "A"],
            "started_at": [
                "2026-03-14T05:00:03.000+09:00",
                "2026-03-14T06:00:00.300+09:00",
                "2026-03-14T05:00:00.000+09:00",
                None,
                "2026-03-14T06:00:00.000+09:00",
            ],
        }
    )


@pytest.fixture
def hostile() -> pd.DataFrame:
    n = len(HOSTILE)
    return pd.DataFrame(
        {"recording": "a.wav", "start_s": np.arange(n) * 3.0, "end_s": np.arange(n) * 3.0 + 3}
    ).assign(**{"class": HOSTILE})


# CSV --------------------------------------------------------------------------------------------


def test_csv_comes_back_exactly(tmp_path, detections):
    back = read_csv(write_csv(detections, tmp_path / "out.csv"))
    for name in detections.columns:
        expected = detections[name]
        got = back[name].astype(np.float32) if name == "score" else back[name]
        assert got.isna().tolist() == expected.isna().tolist(), name
        assert got.dropna().tolist() == expected.dropna().tolist(), name


def test_hostile_class_names_come_back_exactly_from_csv(tmp_path, hostile):
    back = read_csv(write_csv(hostile, tmp_path / "out.csv"))
    assert back["class"].tolist() == HOSTILE


def test_no_csv_cell_or_header_begins_like_a_formula(tmp_path, hostile):
    hostile["recording"] = "=cmd|' /C calc'!A0.wav"
    hostile["@column"] = "-1+1"
    path = write_csv(hostile, tmp_path / "out.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@\t\r＝＋－＠]", cell)]


def test_negative_numbers_stay_numbers(tmp_path):
    table = pd.DataFrame({"score": [-0.25], "class": ["-0.25"]})
    assert write_csv(table, tmp_path / "x.csv").read_text() == "score,class\n-0.25,'-0.25\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_the_guard_comes_off_again_and_only_the_guard(text):
    assert unguarded(guarded(text)) == text


def test_csv_has_a_mark_only_where_it_is_needed(tmp_path, detections):
    plain = write_csv(detections, tmp_path / "plain.csv").read_bytes()
    assert plain.startswith(b"recording,start_s,end_s,class,score")
    detections.loc[0, "class"] = "tūī"
    marked = write_csv(detections, tmp_path / "marked.csv").read_bytes()
    assert marked.startswith(b"\xef\xbb\xbfrecording,")


def test_a_name_that_is_no_utf8_comes_back_exactly(tmp_path, detections):
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    table = detections.assign(recording=pd.Series([name] * 5, dtype=object))
    assert set(read_csv(write_csv(table, tmp_path / "x.csv"))["recording"]) == {name}
    write_parquet(table, tmp_path / "x.parquet")
    assert set(pd.read_parquet(tmp_path / "x.parquet")["recording"]) == {r"caf\udce9.wav"}
    assert [path.name for path in write_raven(table, tmp_path)] == ["caf_.Table.1.selections.txt"]


def test_pandas_reads_our_csv_as_well(tmp_path, detections):
    back = pd.read_csv(write_csv(detections, tmp_path / "out.csv"))
    assert back["start_s"].tolist() == detections["start_s"].tolist()
    assert back["class"].tolist() == detections["class"].tolist()


# Raven ------------------------------------------------------------------------------------------


def read_rows(path: Path) -> list[dict[str, str]]:
    header, *lines = path.read_text("utf-8").split("\n")[:-1]
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_raven_folder_has_one_table_for_each_recording_in_order_of_time(tmp_path, detections):
    paths = write_raven(detections, tmp_path / "out")
    assert [path.name for path in paths] == [
        "a_R1.Table.1.selections.txt",
        "b_R1.Table.1.selections.txt",
        "c.Table.1.selections.txt",
    ]
    rows = read_rows(paths[1])
    assert tuple(rows[0])[:10] == RAVEN_COLUMNS
    assert rows[0] == {
        "Selection": "1",
        "View": "Spectrogram 1",
        "Channel": "1",
        "Begin Time (s)": "0.0",
        "End Time (s)": "3.0",
        "Low Freq (Hz)": "0.0",
        "High Freq (Hz)": "10000.0",
        "Begin File": "R1.wav",
        "Begin Path": "b/R1.wav",
        "File Offset (s)": "0.0",
        "Class": "grunt",
        "Score": "0.6666667",
        "Site": "B",
        "Begin Date Time": "2026-03-14T05:00:00.000+09:00",
        "Recording": "b/R1.wav",
    }
    assert [row["Selection"] for row in rows] == ["1", "2"]


def test_one_raven_table_counts_time_over_all_recordings_even_those_without_a_selection(
    tmp_path, detections
):
    recordings = pd.DataFrame(
        {
            "recording": ["a/R1.wav", "a/R2.wav", "b/R1.wav", "c.flac"],
            "duration_s": [60.0, 30.5, 60.0, 60.0],
            "path": ["/data/a/R1.wav", "/data/a/R2.wav", "/data/b/R1.wav", "/data/c.flac"],
            "sample_rate": [48000, 48000, 24000, 48000],
        }
    )
    (path,) = write_raven(detections, tmp_path / "all.txt", recordings=recordings)
    rows = read_rows(path)
    begins = [row["Begin Time (s)"] for row in rows]
    assert begins == ["0.00001", "0.30000000000000004", "90.5", "93.5", "207.5"]
    assert [row["File Offset (s)"] for row in rows][2:] == ["0.0", "3.0", "57.0"]
    assert [row["Begin Path"] for row in rows][2:] == ["/data/b/R1.wav"] * 2 + ["/data/c.flac"]
    assert [row["High Freq (Hz)"] for row in rows][2:] == ["12000.0", "12000.0", "24000.0"]
    assert [row["Selection"] for row in rows] == ["1", "2", "3", "4", "5"]


def test_one_raven_table_without_lengths_is_refused_with_the_cure(tmp_path, detections):
    with pytest.raises(ParameterError, match="how long each is: give recordings="):
        write_raven(detections, tmp_path / "all.txt")


@pytest.mark.parametrize("one_file", [False, True])
def test_raven_comes_back_exactly(tmp_path, detections, one_file):
    recordings = pd.DataFrame(
        {"recording": ["a/R1.wav", "b/R1.wav", "c.flac"], "duration_s": [60.0, 60.0, 60.0]}
    )
    place = tmp_path / ("all.txt" if one_file else "out")
    paths = write_raven(detections, place, recordings=recordings)
    back = pd.concat([read_raven(path) for path in paths], ignore_index=True)
    expected = detections.sort_values(["recording", "start_s"], ignore_index=True)
    for name in ("recording", "class"):
        assert back[name].tolist() == expected[name].tolist()
    assert back["start_s"].tolist() == expected["start_s"].tolist()
    np.testing.assert_allclose(back["end_s"], expected["end_s"], rtol=0, atol=1e-9)
    assert back["score"].astype(np.float32).tolist() == expected["score"].tolist()
    assert back["started_at"].dropna().tolist() == expected["started_at"].dropna().tolist()


def test_hostile_class_names_come_back_exactly_from_raven(tmp_path, hostile):
    (path,) = write_raven(hostile, tmp_path)
    assert len(path.read_text("utf-8").splitlines()) == len(HOSTILE) + 1
    assert read_raven(path)["class"].tolist() == HOSTILE


# Audacity ---------------------------------------------------------------------------------------


def test_audacity_comes_back_and_finds_its_recording(tmp_path, detections):
    known = ["a/R1.wav", "a/R2.wav", "b/R1.wav", "c.flac"]
    banded = detections.assign(low_hz=100.0, high_hz=[900, np.nan, 900, np.nan, 900])
    paths = write_audacity(banded, tmp_path)
    back = pd.concat([read_audacity(path) for path in paths])
    back, left_out = match_recordings(back, known)
    assert not left_out
    expected = detections.sort_values(["recording", "start_s"], ignore_index=True)
    for name in ("recording", "start_s", "end_s", "class"):
        assert back[name].tolist() == expected[name].tolist()
    assert back["high_hz"].isna().sum() == 2


def test_audacity_lines_are_what_audacity_exports(tmp_path):
    table = pd.DataFrame(
        {"recording": ["a.wav"], "start_s": [1.0], "end_s": [2.5], "class": ["SP"],
         "low_hz": [6441.0], "high_hz": [12296.5]}
    )  # fmt: skip
    (path,) = write_audacity(table, tmp_path)
    assert path.read_text() == "1.0\t2.5\tSP\n\\\t6441.0\t12296.5\n"


def test_hostile_class_names_come_back_exactly_from_audacity(tmp_path, hostile):
    (path,) = write_audacity(hostile, tmp_path)
    assert read_audacity(path)["class"].tolist() == HOSTILE


# Parquet ----------------------------------------------------------------------------------------


def test_parquet_comes_back_with_its_types(tmp_path, detections):
    back = pd.read_parquet(write_parquet(detections, tmp_path / "out.parquet"))
    assert back["score"].dtype == np.float32
    assert back["start_s"].tolist() == detections["start_s"].tolist()
    assert back["class"].tolist() == detections["class"].tolist()
    assert back["site"].isna().tolist() == detections["site"].isna().tolist()


# All --------------------------------------------------------------------------------------------


def test_labels_keep_their_judgement(tmp_path, detections):
    labels = detections.assign(judgement=["positive", "negative", "unsure", "positive", "negative"])
    back = read_csv(write_csv(labels, tmp_path / "x.csv"))
    assert back["judgement"].tolist() == labels["judgement"].tolist()
    raven = pd.concat([read_raven(path) for path in write_raven(labels, tmp_path / "raven")])
    assert sorted(raven["judgement"]) == sorted(labels["judgement"])


def test_each_format_is_told_by_its_content(tmp_path, detections):
    paths = [
        write_csv(detections, tmp_path / "a.csv"),
        write_raven(detections, tmp_path / "raven")[0],
        write_audacity(detections, tmp_path / "audacity")[0],
    ]
    assert [len(read_annotations(path)) for path in paths] == [5, 2, 2]


def test_nothing_found_is_written_and_said_by_an_empty_table(tmp_path, detections):
    nothing = detections.head(0)
    assert write_csv(nothing, tmp_path / "x.csv").read_text().startswith("recording,start_s")
    assert read_csv(tmp_path / "x.csv").empty
    assert write_raven(nothing, tmp_path / "raven") == []
    (path,) = write_raven(nothing, tmp_path / "none.txt")
    assert read_raven(path).empty


def test_file_names_are_taken_by_windows_and_do_not_collide():
    names = [
        "site 1/AUX.wav", "aux.wav", "AUX.flac", 'a<b>:"|?*.wav', "a_b______.wav", "trailing. .wav",
        "nul", "ぴよ" * 200 + ".wav", "ぴよ" * 200 + "x.wav", "\ud800.wav", "...", "x/y.wav",
        "x_y.wav",
    ]  # fmt: skip
    made = list(file_names(names, ".labels.txt").values())
    assert len({name.casefold() for name in made}) == len(names)
    for name in made:
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name)
        assert len(name.encode()) <= 255
        stem = name.removesuffix(".labels.txt")
        assert not stem.endswith((".", " "))
        assert stem.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1"}


def test_a_place_that_cannot_be_written_is_named_and_leaves_nothing_behind(tmp_path, detections):
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(ExplorerError, match=r"taken\.csv: cannot be written"):
        write_csv(detections, tmp_path / "taken.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.csv"]


def test_a_table_without_a_class_is_refused(tmp_path, detections):
    with pytest.raises(ParameterError, match="no column class; it has recording"):
        write_raven(detections.drop(columns="class"), tmp_path)
