"""Labels made in other programs: CSV, Raven selection tables and Audacity label tracks.

Each reader gives a table of label ranges: ``recording, start_s, end_s, class, judgement``, then
``low_hz, high_hz`` where the file says them, then whatever else is known (``score, site, …``). Rows
stay in the file's order, and no reader relies on any order. A file that cannot be right is refused
as a whole, with its line and column: half an import is worse than none. A judgement is "positive"
where a file has no such column, and None where its cell is empty: that range is not judged yet.

``recording`` is what the file says, which may be a path on another computer; `match_recordings`
finds the collection's own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from explorer.exchange.cells import from_one_line, unguarded
from explorer.exchange.lines import AnnotationError, Cell, read_text, rows_of, separator_of
from explorer.exchange.tables import AUDACITY_SUFFIX, RAVEN_EXTRAS, RAVEN_SUFFIX

RAVEN_OTHERS = {
    name: title for name, title in RAVEN_EXTRAS.items() if name not in ("class", "recording")
} | {"low_hz": "Low Freq (Hz)", "high_hz": "High Freq (Hz)"}
RAVEN_FILES = ("Recording", "Begin Path", "Begin File")
RAVEN_IDENTITY = ("Selection", "Begin Time (s)", "End Time (s)", "Begin File", "Begin Path")

LABEL_COLUMNS = ["recording", "start_s", "end_s", "class", "judgement"]
JUDGEMENTS = ("positive", "negative", "unsure")
SHORT_JUDGEMENTS = {
    "yes": "positive", "y": "positive", "1": "positive", "no": "negative", "n": "negative",
    "0": "negative", "?": "unsure",
}  # fmt: skip
"""What people write into a spreadsheet."""
NUMBERS = ("start_s", "end_s", "low_hz", "high_hz", "score", "windows")

# What our columns are called elsewhere (lower case), the likeliest first.
RECORDING = (
    "recording", "file", "filename", "file_name", "audiofilename", "audio_file", "begin path",
    "begin file", "filepath", "path", "audio_path", "notated_path",
)  # fmt: skip
START = (
    "start_s", "start", "start (s)", "start_time", "begin time (s)", "begin", "begin_s", "onset_s",
    "onset",
)  # fmt: skip
END = (
    "end_s", "end", "end (s)", "end_time", "end time (s)", "stop", "stop_s", "offset_s", "offset",
)  # fmt: skip
CLASS = (
    "class", "label", "label:species", "annotation", "species", "common name", "common_name",
    "species code", "species_code", "scientific name", "scientific_name", "call type", "call_type",
    "tag", "tags", "type", "name",
)  # fmt: skip


def read_annotations(path: str | Path) -> pd.DataFrame:
    """Read a file of labels in whichever of the known formats it is."""
    path = Path(path)
    first = read_text(path).lstrip().split("\n", 1)[0]
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if "Begin Time (s)" in first.split("\t"):
        return read_raven(path)
    if re.match(r"[\d.]+\t[\d.]+", first):
        return read_audacity(path)
    return read_csv(path)


def read_csv(
    path: str | Path, *, class_column: str | None = None, class_: str | None = None
) -> pd.DataFrame:
    """Read labels from a CSV file with a header line.

    Takes our own files and those of other programs: columns are found by their usual names;
    separators may be commas, semicolons (then numbers may have decimal commas) or tabs; text may be
    UTF-8, UTF-16, or what Excel writes on a Western Windows.

    Parameters
    ----------
    class_column
        Which column holds the class, where the usual names do not find it.
    class_
        Class of rows that have none.

    Raises
    ------
    AnnotationError
        Names the line and column of the first thing that cannot be right.
    """
    path = Path(path)
    text = read_text(path)
    separator = separator_of(text)
    rows = rows_of(path, text, separator)
    _, titles = next(rows)
    titles = [unguarded(title.strip()) for title in titles]
    columns = _columns(path, titles, class_column, optional_class=class_ is not None)
    records = []
    for line, cells in rows:
        record: dict[str, object] = {"class": ""}
        for name, title in columns.items():
            place = titles.index(title)
            if place >= len(cells):
                raise AnnotationError(path, "the line ends before this column", line, title)
            cell = Cell(cells[place], path, line, title, comma=separator != ",")
            record[name] = _value(name, cell, unguarded)
        records.append(_checked(record, path, line, columns, class_))
    return _table(records)


def read_raven(
    path: str | Path, *, class_column: str | None = None, class_: str | None = None
) -> pd.DataFrame:
    """Read labels from a Raven selection table.

    A selection that is there once per view (waveform, spectrogram) counts once. Where the table
    says in which file a selection begins, its start is the ``File Offset (s)`` within that file;
    otherwise it is the ``Begin Time (s)``, and the recording is the one the table is named after.

    Parameters
    ----------
    class_column
        Which column holds the class, where the usual names do not find it.
    class_
        Class of selections that have none.

    Raises
    ------
    AnnotationError
        Names the line and column of the first thing that cannot be right.
    """
    path = Path(path)
    rows = rows_of(path, read_text(path), "\t")
    _, titles = next(rows)
    for needed in ("Begin Time (s)", "End Time (s)"):
        if needed not in titles:
            raise AnnotationError(path, f"no Raven selection table: no column {needed!r}", 1)
    class_title = _class_title(path, titles, class_column, optional=class_ is not None)
    text_of = from_one_line if "Recording" in titles else str

    records, seen = [], set()
    for line, cells in rows:
        texts = dict(zip(titles, [*cells, *[""] * len(titles)], strict=False))
        selection = tuple(texts.get(title) for title in RAVEN_IDENTITY)
        if "Selection" in texts and selection in seen:
            continue  # the same selection in another view
        seen.add(selection)
        row = {title: Cell(text, path, line, title) for title, text in texts.items()}
        start_s, end_s, file = _raven_range(row)
        record: dict[str, object] = {
            "recording": text_of(file) if file else _named_after(path, RAVEN_SUFFIX),
            "start_s": start_s,
            "end_s": end_s,
            "class": _value("class", row[class_title], text_of) if class_title else "",
        }
        for name, title in RAVEN_OTHERS.items():
            if title in row:
                record[name] = _value(name, row[title], text_of)
        columns = {"start_s": "Begin Time (s)", "end_s": "End Time (s)", "class": class_title}
        records.append(_checked(record, path, line, columns, class_))
    return _table(records)


def _raven_range(row: Mapping[str, Cell]) -> tuple[float, float, str]:
    """Start and end within the recording, and the recording ("" where the table does not say)."""
    begin = row["Begin Time (s)"].number("a number of seconds")
    end = row["End Time (s)"].number("a number of seconds")
    files = (row[title].text.strip() for title in RAVEN_FILES if title in row)
    file = next(filter(None, files), "")
    offset = row.get("File Offset (s)")
    if not file or offset is None or not offset.text.strip():
        return begin, end, file
    start = offset.number("a number of seconds")
    # Nanoseconds, so that the sum of three numbers does not end in 0.30000000000000004.
    return start, end if start == begin else round(start + (end - begin), 9), file


def read_audacity(
    path: str | Path, *, recording: str | None = None, point_s: float | None = None
) -> pd.DataFrame:
    r"""Read labels from an Audacity label track (Export Labels, either style).

    Parameters
    ----------
    recording
        Whose labels these are; by default what the file is named after.
    point_s
        Length given to labels at a point, around it; without it they are refused.

    Raises
    ------
    AnnotationError
        Names the line and column of the first thing that cannot be right.
    """
    path = Path(path)
    recording = recording or _named_after(path, AUDACITY_SUFFIX)
    records: list[dict[str, object]] = []
    for line, row in enumerate(read_text(path).splitlines(), start=1):
        cells = row.split("\t", 2)
        if not row.strip():
            continue
        if cells[0] == "\\":
            if not records or len(cells) < 3:
                raise AnnotationError(path, "a frequency line must follow a label", line)
            for number, name in ((1, "low_hz"), (2, "high_hz")):
                hz = Cell(cells[number], path, line, str(number + 1)).number("a frequency")
                records[-1][name] = hz if hz >= 0 else None  # -1: Audacity's "not set"
            continue
        if len(cells) < 2:
            raise AnnotationError(path, "no label: start, end and text, separated by tabs", line)
        start, end = (
            Cell(cells[number], path, line, str(number + 1), comma=True).number(
                "a number of seconds"
            )
            for number in (0, 1)
        )
        if start == end:
            if point_s is None:
                raise AnnotationError(
                    path,
                    f"the label at {start} s is a point, not a range; drag it out in Audacity, or "
                    "give points a length with point_s=",
                    line,
                )
            start, end = max(0.0, start - point_s / 2), end + point_s / 2
        record: dict[str, object] = {
            "recording": recording,
            "start_s": start,
            "end_s": end,
            "class": from_one_line(cells[2]) if len(cells) > 2 else "",
        }
        columns = {"start_s": "1", "end_s": "2", "class": "3"}
        records.append(_checked(record, path, line, columns, None))
    return _table(records)


def _columns(
    path: Path, titles: Sequence[str], class_column: str | None, *, optional_class: bool
) -> dict[str, str]:
    """Which title holds what: our name to the file's."""
    found: dict[str, str] = {}
    for name, usual in (("recording", RECORDING), ("start_s", START), ("end_s", END)):
        title = _first(titles, usual)
        if title is None:
            raise AnnotationError(
                path, f"no column looks like {name!r}: the header has {', '.join(titles)}", 1
            )
        found[name] = title
    class_title = _class_title(path, titles, class_column, optional=optional_class)
    if class_title is not None:
        found["class"] = class_title
    taken = set(found.values())
    return found | {title: title for title in titles if title and title not in taken}


def _class_title(
    path: Path, titles: Sequence[str], class_column: str | None, *, optional: bool
) -> str | None:
    there = f"the header has {', '.join(titles)}"
    if class_column is not None:
        if class_column not in titles:
            raise AnnotationError(path, f"no column {class_column!r}: {there}", 1)
        return class_column
    title = _first(titles, CLASS)
    if title is None and not optional:
        raise AnnotationError(
            path,
            f"no column looks like a class: {there}. Say which with class_column=, or give all "
            "rows a class with class_=",
            1,
        )
    return title


def _first(titles: Sequence[str], usual: Sequence[str]) -> str | None:
    lower = {title.casefold(): title for title in reversed(titles)}
    return next((lower[name] for name in usual if name in lower), None)


def _value(name: str, cell: Cell, text_of: Callable[[str], str]) -> object:
    if name in NUMBERS:
        required = name in ("start_s", "end_s")
        if not required and cell.text.strip().casefold() in ("", "nan", "na", "none"):
            return None
        return cell.number("a number of seconds" if required else "a number")
    text = text_of(cell.text)
    if name == "judgement":
        text = text.strip().casefold()
        text = SHORT_JUDGEMENTS.get(text, text)
        if text and text not in JUDGEMENTS:
            raise cell.error(f"{text!r} is no judgement: use one of {', '.join(JUDGEMENTS)}")
    return text or None


def _checked(
    record: dict[str, object],
    path: Path,
    line: int,
    columns: Mapping[str, str | None],
    class_: str | None,
) -> dict[str, object]:
    """Return a whole label range, or say what is wrong with it."""
    record["class"] = record["class"] if str(record["class"] or "").strip() else class_
    record.setdefault("judgement", "positive")
    start_s, end_s = float(str(record["start_s"])), float(str(record["end_s"]))
    if not record["class"]:
        cause = "there is no class; give rows without one a class with class_="
        raise AnnotationError(path, cause, line, columns.get("class"))
    if not record["recording"]:
        raise AnnotationError(path, "there is no recording", line, columns.get("recording"))
    if start_s < 0:
        cause = f"{start_s} s is before the recording begins"
        raise AnnotationError(path, cause, line, columns["start_s"])
    if end_s <= start_s:
        cause = f"{end_s} s is no end of a range that starts at {start_s} s"
        raise AnnotationError(path, cause, line, columns["end_s"])
    return record


def _table(records: Sequence[dict[str, object]]) -> pd.DataFrame:
    # Objects, since pandas' own text cannot hold a file name that is not UTF-8.
    table = pd.DataFrame(records, dtype=object)
    columns = [*LABEL_COLUMNS, *(name for name in table if name not in LABEL_COLUMNS)]
    table = table.reindex(columns=columns).astype(object)
    for name in NUMBERS:
        if name in table:
            whole = name == "windows" and table[name].notna().all()
            table[name] = table[name].astype("int64" if whole else "float64")
    return table


def _named_after(path: Path, suffix: str) -> str:
    """The recording that a file of labels is named after."""
    name = path.name
    for ending in (suffix, ".selections.txt", ".txt", ".tsv"):
        if name.casefold().endswith(ending.casefold()):
            return name[: -len(ending)]
    return name
