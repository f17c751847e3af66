"""Finds which of a collection's recordings labels from elsewhere speak of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from explorer.errors import ParameterError
from explorer.exchange.filenames import file_stem

Candidates = defaultdict[str, list[tuple[list[str], str]]]


def match_recordings(
    table: pd.DataFrame, known: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, int]]:
    r"""Give labels the collection's own names of the recordings.

    A name matches when it is the same; else when it has the same file name, the one that shares
    most folders; else when it does so without its suffix; else when our exports of the recording
    are named so. Upper and lower case, and ``\`` or ``/``, make no difference.

    Parameters
    ----------
    table
        Label ranges, from one of the readers.
    known
        Names of the collection's recordings.

    Returns
    -------
    DataFrame
        The rows whose recording is known, under its own name.
    dict
        The names that are not known, and how many rows each had.

    Raises
    ------
    ParameterError
        If several recordings match a name equally well; better than to guess.

    Examples
    --------
    >>> table = pd.DataFrame({"recording": [r"C:\card 3\A1.WAV", "B7"]})
    >>> match_recordings(table, ["card 2/A1.wav", "card 3/A1.wav"])
    (       recording
    0  card 3/A1.wav, {'B7': 1})
    """
    exact = set(known)
    by_name: Candidates = defaultdict(list)
    by_stem: Candidates = defaultdict(list)
    by_export: Candidates = defaultdict(list)
    for name in known:
        parts = _parts(name)
        by_name[parts[-1]].append((parts, name))
        by_stem[_stem(parts[-1])].append((parts, name))
        by_export[file_stem(name).casefold()].append((parts, name))

    found: dict[str, str] = {}
    for name in pd.unique(table["recording"]):
        if name in exact:
            found[name] = name
            continue
        parts = _parts(name)
        candidates = (
            by_name.get(parts[-1])
            or by_stem.get(parts[-1])
            or by_stem.get(_stem(parts[-1]))
            or by_export.get(parts[-1])
        )
        if not candidates:
            continue
        shared = [(_shared_folders(parts, other), own) for other, own in candidates]
        best = max(count for count, _ in shared)
        names = [own for count, own in shared if count == best]
        if len(names) > 1:
            raise ParameterError(
                f"the labels of {name!r} could belong to {names[0]!r} or {names[1]!r}; "
                "write the folder into the labels' file names too"
            )
        found[name] = names[0]
    own = pd.Series([found.get(name) for name in table["recording"]], table.index, dtype=object)
    left_out = table.loc[own.isna(), "recording"].value_counts(sort=False)
    matched = table.assign(recording=own)[own.notna()].reset_index(drop=True)
    return matched, {str(name): int(count) for name, count in left_out.items()}


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[\\/]+", name.casefold()) if part] or [""]


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0] or name


def _shared_folders(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(reversed(one[:-1]), reversed(other[:-1]), strict=False):
        if a != b:
            break
        count += 1
    return count
