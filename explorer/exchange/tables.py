"""Detections and labels as files for other programs: CSV, Raven, Audacity and Parquet.

All writers take a table (DataFrame) with ``recording, start_s, end_s, class`` and, where there
are, ``score, site, started_at, judgement, low_hz, high_hz`` and others. ``started_at`` is the
event's own start, ISO 8601 with zone. Every file appears whole or not at all: it is written beside
its place and then moved there. `explorer.exchange.annotations` reads each of them back.

Encoding is UTF-8. A CSV file begins with a byte order mark only when it holds something beyond
ASCII: Excel needs the mark to show *é* right, while base R puts it into the first column's name.
Raven and Audacity files never have one.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from explorer.errors import ExplorerError, ParameterError
from explorer.exchange.cells import guarded, one_line
from explorer.exchange.filenames import file_names

RAVEN_COLUMNS = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)",
    "High Freq (Hz)", "Begin File", "Begin Path", "File Offset (s)",
)  # fmt: skip
"""What Raven Pro itself reads; our own columns follow."""

RAVEN_EXTRAS = {
    "class": "Class",
    "score": "Score",
    "judgement": "Judgement",
    "site": "Site",
    "started_at": "Begin Date Time",
    "recording": "Recording",
}
"""Our columns and what they are called in a Raven table. ``Recording`` is the name within the
collection, by which `explorer.exchange.annotations.read_raven` finds its way back."""

RAVEN_SUFFIX = ".Table.1.selections.txt"
AUDACITY_SUFFIX = ".labels.txt"
UNKNOWN_HIGH_HZ = 10_000.0
"""Upper edge of a selection where neither table nor sample rate says one."""


def write_csv(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table as CSV that a spreadsheet opens safely, and return the path.

    All columns, one header line, commas, quotes where needed (RFC 4180). Text that a spreadsheet
    could run as a formula gets an apostrophe before it (`explorer.exchange.cells.guarded`). Numbers
    have the fewest digits that give the same number again; a missing value is an empty cell.
    """
    path = Path(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([guarded(str(name)) for name in table.columns])
    columns = [[guarded_cell(value) for value in table[name].to_numpy()] for name in table.columns]
    writer.writerows(zip(*columns, strict=True))
    content = text.getvalue()
    _write(path, content, "utf-8" if content.isascii() else "utf-8-sig")
    return path


def write_raven(
    table: pd.DataFrame,
    path: str | Path,
    *,
    recordings: pd.DataFrame | None = None,
    low_hz: float = 0.0,
    high_hz: float | None = None,
) -> list[Path]:
    r"""Write Raven selection tables, and return their paths.

    Parameters
    ----------
    table
        Detections or labels.
    path
        A folder (made if it is not there): one table per recording, to be opened with that
        recording. Or a file that ends in ``.txt``: one table for all of them.
    recordings
        What is known of the recordings: ``recording``, and ``duration_s``, ``path``,
        ``sample_rate`` where there are. Needed for one table over several recordings.
    low_hz, high_hz
        Edges of a selection where the table has no ``low_hz`` and ``high_hz``; the upper one is by
        default half the sample rate.

    Notes
    -----
    Raven opens such a table in two ways. As a *sound selection table* it goes by ``Begin Path`` and
    ``File Offset (s)``, and opens the sounds by itself. As a *selection table* on sounds that are
    open it goes by ``Begin Time (s)``, which counts from the start of the first of them: in one
    table over several recordings it therefore goes on from one to the next, over **all**
    ``recordings`` in their order, those without a selection too. Selections count from 1: Raven
    refuses a 0.

    Raven tables know no quoting: see `explorer.exchange.cells.one_line`.

    Raises
    ------
    ParameterError
        If a column is missing, or one table over several recordings is asked for and the length of
        one of them is not known.
    """
    path = Path(path)
    _require(table, ("recording", "start_s", "end_s", "class"))
    rows = _raven_rows(table, recordings, low_hz, high_hz)
    if path.suffix.lower() == ".txt":
        rows["Begin Time (s)"] += _begins(table, recordings)
        rows["End Time (s)"] += _begins(table, recordings)
        ordered = rows.sort_values("Begin Time (s)", kind="stable")
        _write(path, _raven_text(ordered), "utf-8")
        return [path]
    path.mkdir(parents=True, exist_ok=True)
    names = file_names(sorted(set(table["recording"])), RAVEN_SUFFIX)
    for recording, part in _by_recording(rows, "Recording"):
        ordered = part.sort_values("Begin Time (s)", kind="stable")
        _write(path / names[recording], _raven_text(ordered), "utf-8")
    return [path / name for name in names.values()]


def write_audacity(table: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write an Audacity label track for each recording into a folder, and return their paths.

    A label is the class; a second line holds the band where the table has ``low_hz`` and
    ``high_hz``. Open the recording, then File > Import > Labels.
    """
    folder = Path(folder)
    _require(table, ("recording", "start_s", "end_s", "class"))
    folder.mkdir(parents=True, exist_ok=True)
    names = file_names(sorted(set(table["recording"])), AUDACITY_SUFFIX)
    banded = {"low_hz", "high_hz"} <= set(table.columns)
    for recording, part in _by_recording(table, "recording"):
        lines = []
        for row in part.sort_values("start_s", kind="stable").to_dict("records"):
            times = f"{number(row['start_s'])}\t{number(row['end_s'])}"
            lines.append(f"{times}\t{one_line(str(row['class']))}\n")
            if banded and not pd.isna(row["low_hz"]) and not pd.isna(row["high_hz"]):
                lines.append(f"\\\t{number(row['low_hz'])}\t{number(row['high_hz'])}\n")
        _write(folder / names[recording], "".join(lines), "utf-8")
    return [folder / name for name in names.values()]


def write_parquet(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table as Parquet, and return the path.

    Numbers keep their types; everything else is text or missing.
    """
    path = Path(path)
    columns = {}
    for name in table.columns:
        values = table[name]
        if not pd.api.types.is_numeric_dtype(values):
            # Names that are not UTF-8 (possible on Linux) cannot be Parquet text.
            texts = [
                None if _missing(value) else str(value).encode(errors="backslashreplace").decode()
                for value in values
            ]
            values = pd.Series(texts, index=table.index, dtype="string")
        columns[name] = values
    made = pd.DataFrame(columns, index=table.index)
    _put(path, lambda place: made.to_parquet(place, index=False))
    return path


def number(value: float | np.floating) -> str:
    """Return a number with the fewest digits that give the same number again, never as 1e-05."""
    return np.format_float_positional(value, trim="0")


def guarded_cell(value: Any) -> str:
    """Return what a CSV cell holds for a value."""
    if _missing(value):
        return ""
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return number(value) if math.isfinite(value) else str(value)
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return guarded(str(value))


def _by_recording(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each recording's rows; pandas' groupby cannot hold a file name that is not UTF-8."""
    codes, names = pd.factorize(table[column].to_numpy(dtype=object))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for name, first, last in zip(names, bounds, bounds[1:], strict=False):
        yield str(name), table.iloc[order[first:last]]


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124


def _require(table: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ParameterError(
            f"the table has no column {', '.join(missing)}; it has {', '.join(map(str, table))}"
        )


def _raven_rows(
    table: pd.DataFrame, recordings: pd.DataFrame | None, low_hz: float, high_hz: float | None
) -> pd.DataFrame:
    """Raven's columns and ours for each row, times counted within each recording."""
    names = table["recording"].astype(object)

    def fact(column: str) -> pd.Series:
        known = {}
        if recordings is not None and column in recordings:
            known = dict(zip(recordings["recording"], recordings[column], strict=True))
        return pd.Series([known.get(name) for name in names], names.index, dtype=object)

    top_hz = pd.to_numeric(fact("sample_rate")) / 2
    low = table["low_hz"] if "low_hz" in table else pd.Series(np.nan, index=table.index)
    high = table["high_hz"] if "high_hz" in table else pd.Series(np.nan, index=table.index)
    start_s, end_s = table["start_s"].astype(float), table["end_s"].astype(float)
    columns = {
        "View": "Spectrogram 1",
        "Channel": 1,
        "Begin Time (s)": start_s,
        "End Time (s)": end_s,
        "Low Freq (Hz)": pd.to_numeric(low).fillna(low_hz),
        "High Freq (Hz)": pd.to_numeric(high).fillna(top_hz if high_hz is None else high_hz),
        "Begin File": pd.Series(
            [str(name).rsplit("/", 1)[-1] for name in names], names.index, dtype=object
        ),
        "Begin Path": fact("path").where(fact("path").notna(), names),
        "File Offset (s)": start_s,
    }
    columns["High Freq (Hz)"] = columns["High Freq (Hz)"].fillna(UNKNOWN_HIGH_HZ)
    extras = {title: table[name] for name, title in RAVEN_EXTRAS.items() if name in table}
    return pd.DataFrame({**columns, **extras}, index=table.index)


def _begins(table: pd.DataFrame, recordings: pd.DataFrame | None) -> pd.Series:
    """When each row's recording begins, had all recordings been joined end to end."""
    if table["recording"].nunique() < 2 and recordings is None:
        return pd.Series(0.0, index=table.index)
    if recordings is None:
        raise ParameterError(
            "one Raven table over several recordings needs to know how long each is: give "
            "recordings=collection.recordings, or a folder to get one table per recording"
        )
    _require(recordings, ("recording", "duration_s"))
    ends = recordings["duration_s"].cumsum()
    begin_of = dict(zip(recordings["recording"], ends - recordings["duration_s"], strict=True))
    unknown = [name for name in table["recording"] if name not in begin_of]
    if unknown:
        raise ParameterError(f"{unknown[0]!r} is not among the recordings given")
    return pd.Series([begin_of[name] for name in table["recording"]], table.index, dtype=float)


def _raven_text(rows: pd.DataFrame) -> str:
    rows = rows.assign(Selection=np.arange(1, len(rows) + 1))
    titles = [*RAVEN_COLUMNS, *(title for title in RAVEN_EXTRAS.values() if title in rows)]
    columns = [[_raven_cell(value) for value in rows[title].to_numpy()] for title in titles]
    lines = [titles, *zip(*columns, strict=True)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _raven_cell(value: Any) -> str:
    if _missing(value):
        return ""
    if isinstance(value, float | np.floating):
        return number(value)
    return one_line(str(value))


def _write(path: Path, content: str, encoding: str) -> None:
    # Names that are not UTF-8 (possible on Linux) are written as the bytes that they are.
    data = content.encode(encoding, errors="surrogateescape")
    _put(path, lambda place: place.write_bytes(data))


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        raise ExplorerError(
            f"{path}: cannot be written ({error.strerror or error}). "
            "Is it open in another program, or the disk full?"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
