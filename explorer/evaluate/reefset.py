"""ReefSet: the labelled reef sounds that SurfPerch is measured on, and the numbers of its paper.

57,084 clips of 1.88 s from 16 data sets of 12 countries (Williams et al. 2024, CC BY 4.0). `fetch`
brings the archive from Zenodo, checks it against the MD5 that Zenodo publishes, unpacks it and
writes a table of clips, so that the folder is like any other folder of labelled clips::

    ReefSet/
      clips.csv                     file, label, set, recorder: `explorer.evaluate.clips`
      reefset_annotations.json      as published
      full_dataset/NAME.wav         as published

ReefSet does not say which clips were cut from one recording, so none can be kept apart, as in the
paper.
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pandas as pd

from explorer.encoders import downloads
from explorer.encoders.downloads import RemoteFile
from explorer.encoders.weights import written_whole
from explorer.errors import ParameterError

RECORD = "https://zenodo.org/api/records/11060189"
PAGE = "https://zenodo.org/records/11060189"
ANNOTATIONS = "reefset_annotations.json"
CLIPS = "full_dataset"
TABLE = "clips.csv"
LARGEST = 8 << 30
"""Bytes that are unpacked at most; ReefSet has about 3.5e9."""

SETS = (
    "belize", "bermuda", "florida_boats", "florida_cmi", "hawaii_himb", "hawaii_kaneohe",
    "indonesia_bombs", "kenya", "mozambique", "palmyra_hydromoth", "palmyra_other",
    "philippines_cmi", "tanzania", "thailand", "usvi_butler-bay", "usvi_stcroix",
)  # fmt: skip

PAPER: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "SurfPerch": (0.902, 0.929, 0.946, 0.955),
        "BirdNET": (0.878, 0.903, 0.920, 0.932),
        "reef and bird": (0.856, 0.891, 0.910, 0.925),
        "Perch": (0.837, 0.872, 0.897, 0.917),
        "YAMNet": (0.776, 0.821, 0.856, 0.882),
        "VGGish": (0.751, 0.798, 0.836, 0.867),
        "reef only": (0.669, 0.703, 0.741, 0.780),
    }
)
"""Macro ROC-AUC at 4, 8, 16 and 32 shots, mean over the 16 data sets: a linear probe on encoders
that were pretrained without the data set in question (golden/README.md 3.1)."""
ELSEWHERE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "Perch": (0.881, 0.972),
        "BirdNET": (0.886, 0.967),
        "SurfPerch": (0.814, 0.960),
        "YAMNet": (0.728, 0.851),
        "VGGish": (0.616, 0.770),
    }
)
"""The same at 4 and at the most shots on bats, birds, frogs and marine mammals: the best encoder
for a reef need not be the best elsewhere."""


def fetch(folder: str | Path, *, record: str = RECORD) -> Path:
    """Bring ReefSet into a folder, ready to be evaluated; what is there already stays.

    Parameters
    ----------
    folder
        New, or where ReefSet's archive or what it unpacks to lies already.
    record
        Address of Zenodo's description of the record.

    Returns
    -------
    The table of clips.

    Raises
    ------
    EncoderError
        If the archive cannot be had or is not what Zenodo publishes.
    ParameterError
        If the folder holds something that is not ReefSet.
    """
    root = Path(folder).expanduser()
    there = _annotations(root)
    if there is None:
        known = sorted(root.glob("ReefSet*.zip"))
        archive = known[0] if known else download(root, record=record)
        unpack(archive, root)
        if not known:
            archive.unlink()
        there = root / ANNOTATIONS
    return write_table(there)


def download(folder: Path, *, record: str = RECORD) -> Path:
    """Fetch the archive, going on where an earlier download stopped, and check it."""
    file = published(record)
    by_hand = (
        f"On a computer with internet get {file.name} ({file.size / 1e9:.1f} GB) from {PAGE}, copy "
        f"it to {folder} and run the command again"
    )
    return downloads.fetch("ReefSet", [file], folder, otherwise=by_hand)[0]


def published(record: str = RECORD) -> RemoteFile:
    """Ask Zenodo for the archive's name, size, MD5 and address."""
    try:
        said = json.loads(downloads.read_page(record))
        archives = [one for one in said["files"] if one["key"].endswith(".zip")]
        file = archives[0]
        kind, _, digits = file["checksum"].partition(":")
        name = PurePosixPath(file["key"]).name
        found = RemoteFile(name, file["links"]["self"], PAGE, int(file["size"]), "", digits)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ParameterError(
            f"{record}: Zenodo describes its files in a way that is not known here ({error!r}); "
            f"get the archive from {PAGE} by hand and put it in the folder"
        ) from error
    if kind != "md5" or not digits:
        raise ParameterError(f"{record}: gives no MD5 for {name}, so it cannot be checked")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Take clips and annotations out of the archive; whatever else it holds is passed over."""
    left = LARGEST
    try:
        with zipfile.ZipFile(archive) as zipped:
            wanted = [
                (info, target) for info in zipped.infolist() if (target := _target(info.filename))
            ]
            if not any(target.name == ANNOTATIONS for _, target in wanted):
                raise ParameterError(f"{archive}: is not ReefSet: it holds no {ANNOTATIONS}")
            # The annotations come last: they say that everything else is there.
            for info, target in sorted(wanted, key=lambda item: item[1].name == ANNOTATIONS):
                left -= info.file_size
                if left < 0:
                    raise ParameterError(f"{archive}: unpacks to more than {LARGEST / 1e9:.0f} GB")
                with (
                    zipped.open(info) as content,
                    written_whole(folder / target) as path,
                    path.open("wb") as out,
                ):
                    shutil.copyfileobj(content, out)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ParameterError(
            f"{archive}: could not be unpacked ({error}); delete it and run the command again"
        ) from error


def _target(name: str) -> Path | None:
    """Where a file of the archive goes: by its last name alone, so never out of the folder."""
    last = PurePosixPath(name.replace("\\", "/")).name
    if last == ANNOTATIONS:
        return Path(ANNOTATIONS)
    hidden = last.startswith(".") or ":" in last
    return Path(CLIPS) / last if last.endswith(".wav") and not hidden else None


def _annotations(root: Path) -> Path | None:
    found = [*root.glob(ANNOTATIONS), *root.glob(f"*/{ANNOTATIONS}")]
    return found[0] if found else None


def write_table(annotations: Path) -> Path:
    """Write the table of clips beside the annotations; give its path.

    Raises
    ------
    ParameterError
        If the annotations are not ReefSet's, or none of their clips is there.
    """
    clips = annotated(annotations)
    root = annotations.parent
    there = {path.name: path for path in sorted(root.glob("**/*.wav"))}
    clips = clips[clips["file"].isin(list(there))]
    if clips.empty:
        raise ParameterError(f"{root}: none of the clips that {annotations.name} names is here")
    clips = clips.assign(file=[there[name].relative_to(root).as_posix() for name in clips["file"]])
    with written_whole(root / TABLE) as path:
        clips.to_csv(path, index=False)
    return root / TABLE


def annotated(annotations: Path) -> pd.DataFrame:
    """Read ReefSet's annotations: file, label, set, recorder."""
    try:
        said = json.loads(annotations.read_text(encoding="utf-8"))
        rows = [
            (one["file_name"], one["label"], one["dataset"], one.get("recorder", ""))
            for one in said
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParameterError(
            f"{annotations}: these are not ReefSet's annotations ({error!r}); get the archive from "
            f"{PAGE}"
        ) from error
    return pd.DataFrame(rows, columns=["file", "label", "set", "recorder"])


def paper_table(data_sets: Iterable[str]) -> str | None:
    """The paper's numbers, to be read beside one's own; None if these are not ReefSet's data sets.

    >>> print(paper_table(SETS).splitlines()[2])
    SurfPerch             0.902         0.929         0.946         0.955
    """
    known = set(data_sets) & set(SETS)
    if len(known) < len(SETS) / 2:
        return None
    lines = [
        "Williams et al. (2024), linear probes, mean over the 16 data sets of ReefSet:",
        f"{'encoder':<14}" + "".join(f"{shots:>14}" for shots in (4, 8, 16, 32)),
    ]
    lines += [
        f"{name:<13}" + "".join(f"{auc:>14.3f}" for auc in aucs) for name, aucs in PAPER.items()
    ]
    elsewhere = ", ".join(f"{name} {few:.3f}" for name, (few, _) in ELSEWHERE.items())
    lines.append(f"Off the reef (bats, birds, frogs, marine mammals) at 4 shots: {elsewhere}.")
    return "\n".join(lines)
