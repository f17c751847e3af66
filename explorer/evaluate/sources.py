"""From what a user names, a collection or a folder of clips, to data sets that can be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from explorer.collection.collection import Collection
from explorer.errors import ParameterError
from explorer.evaluate.clips import cached_collection, read_clips
from explorer.evaluate.datasets import DataSet, Groups, of_clips, of_collection
from explorer.evaluate.mfcc import MfccEncoder

FOLDER_ENCODERS = ("auto", "spectral")
"""What a folder of clips is embedded with where no encoder is named: the control beside one."""


def data_sets(
    paths: Sequence[str | Path],
    *,
    encoders: Sequence[str] = (),
    groups: Groups = "recording",
    table: str | Path | None = None,
    device: str = "auto",
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> list[DataSet]:
    """Data sets of collections and of folders of labelled clips, embedded where they are not yet.

    Parameters
    ----------
    paths
        Collections with labels, or folders of clips in folders of their class
        (`explorer.evaluate.clips`); what is embedded of those is kept in the user's cache.
    encoders
        Names, ``"mfcc"`` among them; none takes all runs of a collection, and for clips
        ``FOLDER_ENCODERS``. A collection's run may be named too.
    groups
        What is kept apart: ``"recording"``, ``"site"``, ``"widest"`` or ``"none"``.
    table
        CSV file that describes the clips; None looks for it.
    say
        Told in words what was found and done.

    Raises
    ------
    ParameterError
        If a path is neither, or there is nothing to evaluate.
    """
    found: list[DataSet] = []
    for path in map(Path, paths):
        is_collection = (path / "catalogue.sqlite").exists()
        if not is_collection and not path.is_dir():
            raise ParameterError(f"{path}: there is no collection and no folder of clips here")
        opened = Collection(path if is_collection else cached_collection(path))
        embed = partial(_embed, opened, device=device, progress=progress, say=say)
        if is_collection:
            found += of_collection(opened, _runs(opened, encoders, embed), groups=groups)
            continue
        say(opened.add(path).summary())
        clips = read_clips(opened.recordings["path"], path, table)
        # Clips may have come since: to embed again goes on from there, and costs nothing else.
        runs = list(dict.fromkeys(map(embed, encoders or FOLDER_ENCODERS)))
        found += of_clips(opened, clips, runs, groups=groups)
    return found


def _runs(
    collection: Collection, encoders: Sequence[str], embed: Callable[[str], str]
) -> list[str]:
    """The newest run of each encoder, embedded first where there is none; else all runs."""
    known = collection.catalogue.runs()
    if not encoders and not known:
        raise ParameterError(
            f"{collection.path}: nothing is embedded yet; name an encoder, or run: "
            f'explorer embed "{collection.path}"'
        )
    if not encoders:
        return list(known)
    found = []
    for name in encoders:
        newest = [run for run in known if name in (run, known[run].encoder)]
        found.append(newest[-1] if newest else embed(name))
    return list(dict.fromkeys(found))


def _embed(
    collection: Collection, name: str, *, device: str, progress: bool, say: Callable[[str], None]
) -> str:
    encoder = MfccEncoder() if name == MfccEncoder.name else name
    report = collection.embed(encoder, device=device, progress=progress)
    if report.windows:
        say(str(report))
    return report.run
