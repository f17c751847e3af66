"""A folder of labelled clips: the classes are folders, and a table may say more.

The layout is the usual one of published sets: ``SET/CLASS/clip.wav``, or ``CLASS/clip.wav`` for a
single set. A CSV file in the folder, or up to two folders above it, may have a row for each clip::

    file              path of the clip, from the folder of the CSV file on
    label             its class; else the name of its folder
    set               its data set; else the folders above its class
    group             the recording it was cut from: clips of one recording are kept together
    site, recorder    where and with what it was recorded

Only ``file`` is needed. Without groups every clip counts as a recording of its own, with a warning:
clips of one recording among both examples and tests make every method look better than it is.

The embeddings are kept in a collection in the user's cache folder (`EXPLORER_CACHE` names another),
so that a second evaluation begins at once; the clips are never written to.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import platformdirs

from explorer.classify.splits import SplitWarning
from explorer.errors import ParameterError

COLUMNS = ["path", "set", "class", "group", "site", "recorder"]
FOLDERS_UP = 2
"""A table of clips is looked for in their folder and in this many above it."""


def cached_collection(folder: Path) -> Path:
    """Where the collection of a folder of clips lies.

    >>> cached_collection(Path("/data/frogs")).name.startswith("frogs-")
    True
    """
    root = folder.expanduser().resolve()
    chosen = os.environ.get("EXPLORER_CACHE")
    cache = Path(chosen) if chosen else platformdirs.user_cache_path("soundscape-explorer")
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    return cache / "evaluate" / f"{root.name}-{mark}.collection"


def read_clips(
    files: Iterable[str | Path], folder: str | Path, table: str | Path | None = None
) -> pd.DataFrame:
    """Say what each clip under a folder is of.

    Parameters
    ----------
    files
        The clips.
    table
        The CSV file; None looks for one that names clips of the folder.

    Returns
    -------
    A table with path, set, class, group, site and recorder, "" where nothing is known. Clips that a
    table leaves out are left out.

    Raises
    ------
    ParameterError
        If there are no clips in folders, or the table lacks a column or names no clip here.
    """
    root = Path(folder).expanduser().resolve()
    paths = [Path(path).resolve() for path in files]
    described = _described(root, set(paths), None if table is None else Path(table))
    if described:
        paths = [path for path in paths if path in described]
    rows = [_by_folders(path, root) | described.get(path, {}) for path in sorted(paths)]
    clips = pd.DataFrame(rows, columns=COLUMNS)
    clips = clips[clips["class"] != ""].reset_index(drop=True)
    if clips.empty:
        raise ParameterError(
            f"{root}: there are no labelled clips here. Put the clips of each class in a folder of "
            "its name, or give a collection that has labels"
        )
    alone = clips["group"] == ""
    if alone.any():
        warnings.warn(
            f"nothing says which recording {int(alone.sum())} of the {len(clips)} clips of "
            f"{root.name} were cut from, so each counts as one of its own and scores may flatter; "
            "a CSV file with the columns file and group says it",
            SplitWarning,
            stacklevel=2,
        )
        clips.loc[alone, "group"] = clips.loc[alone, "path"].map(str)
    return clips


def _by_folders(path: Path, root: Path) -> dict[str, object]:
    parts = path.relative_to(root).parts[:-1]
    return {
        "path": path,
        "set": "/".join(parts[:-1]) or root.name,
        "class": parts[-1] if parts else "",
        "group": "",
        "site": "",
        "recorder": "",
    }


def _described(root: Path, files: set[Path], table: Path | None) -> dict[Path, dict[str, object]]:
    """What the table says of each clip; nothing where there is no table."""
    if table is not None:
        said = _rows(table)
        if said is None:
            raise ParameterError(f"{table}: a table of clips needs a column named file")
        found = {path: row for path, row in said.items() if path in files}
        if not found:
            raise ParameterError(
                f"{table}: none of its {len(said)} clips is in {root}; the paths in its column "
                f"file start from {table.resolve().parent}"
            )
        return found
    for place in [root, *root.parents][: FOLDERS_UP + 1]:
        for candidate in sorted(place.glob("*.csv")):
            said = _rows(candidate) or {}
            found = {path: row for path, row in said.items() if path in files}
            if found:
                return found
    return {}


def _rows(table: Path) -> dict[Path, dict[str, object]] | None:
    try:
        content = pd.read_csv(table, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise ParameterError(f"{table}: no CSV file that can be read ({error})") from error
    if "file" not in content:
        return None
    known = content.rename(columns={"label": "class"})
    if "set" in known:
        known["set"] = known["set"].map(lambda name: name.rsplit("/", 1)[-1])
    columns = [name for name in COLUMNS if name in known and name != "path"]
    folder = table.resolve().parent
    return {
        (folder / row.pop("file")).resolve(): {name: row[name] for name in columns if row[name]}
        for row in known[["file", *columns]].to_dict(orient="records")
    }
