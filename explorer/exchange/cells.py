"""How any text survives in one cell of a file, and does no harm there.

Two rules, each with its way back:

*Spreadsheets* run what begins like a formula, so a class named ``=HYPERLINK(…)`` is an attack on
whoever opens the file. `guarded` puts an apostrophe before text that begins with ``= + - @``, a
tab, a carriage return or a line feed, or their full-width forms (spaces and apostrophes before them
do not count); a spreadsheet then takes it as text. `unguarded` takes exactly that apostrophe off.
Other text, such as ``'Apapane``, is left as it is both ways.

*One-line formats* (Raven, Audacity) know no quoting. `one_line` writes a control character as its
picture (a tab as ␉, a line feed as ␊), and `from_one_line` reads it back.
"""

from __future__ import annotations

import re

FORMULA = re.compile(r"['\s]*[=+\-@\t\r\n＝＋－＠]")
"""Text that a spreadsheet could run, apostrophes of a former guard included."""

PICTURES = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
CONTROLS = {picture: code for code, picture in PICTURES.items()}


def guarded(text: str) -> str:
    """Return text that a spreadsheet will not run.

    Examples
    --------
    >>> guarded("=1+1"), guarded("'=1+1"), guarded("grunt"), guarded("'Apapane")
    ("'=1+1", "''=1+1", 'grunt', "'Apapane")
    """
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Return the text that `guarded` was given.

    Examples
    --------
    >>> unguarded("'=1+1"), unguarded("''=1+1"), unguarded("grunt"), unguarded("'Apapane")
    ('=1+1', "'=1+1", 'grunt', "'Apapane")
    """
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def one_line(text: str) -> str:
    r"""Return text without control characters: ``a\tb`` becomes ``a␉b``."""
    return text.translate(PICTURES)


def from_one_line(text: str) -> str:
    """Return the text that `one_line` was given."""
    return text.translate(CONTROLS)
