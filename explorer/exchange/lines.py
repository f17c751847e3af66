"""Text files of labels, line by line, so that an error can say where it is."""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from explorer.errors import ExplorerError


class AnnotationError(ExplorerError):
    """An annotation file that cannot be right; says which line and column.

    Attributes
    ----------
    path
        The file.
    line
        Counted from 1, as an editor does; None where the whole file is meant.
    column
        Name (or number) of the column; None where the whole line is meant.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        cause: str,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        self.path = fspath(path)
        self.line = line
        self.column = column
        where = f", line {line}" if line else ""
        where += f", column {column!r}" if column else ""
        super().__init__(f"{self.path}{where}: {cause}")


@dataclass(frozen=True)
class Cell:
    """One cell's text and where it stands, so that an error can say so."""

    text: str
    path: Path
    line: int
    column: str
    comma: bool = False  # whether a comma may be the decimal sign

    def error(self, cause: str) -> AnnotationError:
        """Return an error that names this cell."""
        return AnnotationError(self.path, cause, self.line, self.column)

    def number(self, what: str) -> float:
        """Return the cell's number."""
        text = self.text.strip()
        try:
            value = float(text.replace(",", ".") if self.comma else text)
        except ValueError:
            raise self.error(f"{text!r} is not {what}") from None
        if not math.isfinite(value):
            raise self.error(f"{text!r} is not {what}")
        return value


def read_text(path: Path) -> str:
    """Return a file's text, whichever of the usual encodings it has.

    UTF-16 by its mark; UTF-8 with or without; else Windows-1252, in which Excel saves CSV on a
    Western Windows. Bytes that are no UTF-8 behind a UTF-8 mark (names from a Linux disk) are kept.

    Raises
    ------
    AnnotationError
        If the file cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror or error})") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    elif data.startswith(codecs.BOM_UTF8):
        text = data.decode("utf-8-sig", errors="surrogateescape")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if not text.strip():
        raise AnnotationError(path, "the file is empty")
    return text


def separator_of(text: str) -> str:
    """Return what separates the columns of a table's header line: comma, semicolon or tab."""
    header = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=header.count)


def rows_of(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the row begins, cells); blank lines are passed over.

    A tab-separated table has no quoting; the others do, and a cell may hold several lines.
    """
    lines = io.StringIO(text, newline="")
    if separator == "\t":
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=separator)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise AnnotationError(path, str(error), line) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
