"""The demo: a small collection of synthetic reef and forest sounds, ready to explore."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from explorer.collection.collection import Collection

DEMO_FILES = Path(__file__).resolve().parents[2] / "data" / "demo"
"""Where a checkout of the repository keeps the recordings of the demo."""


def demo_folder() -> Path:
    """Where the demo's collection lies unless told otherwise: among the user's own data."""
    return platformdirs.user_data_path("soundscape-explorer") / "demo.collection"


def demo_recordings() -> Path:
    """The demo's recordings: the repository's, or synthesised once where only the package is."""
    if DEMO_FILES.is_dir():
        return DEMO_FILES
    from explorer.audio.synthesis import synthesise  # noqa: PLC0415

    folder = platformdirs.user_data_path("soundscape-explorer") / "demo"
    if not (folder / "truth.csv").exists():
        synthesise(folder)
    return folder


def open_demo(path: str | Path | None = None) -> Collection:
    """Open the collection of the demo, made of synthetic recordings; nothing is embedded yet.

    Parameters
    ----------
    path
        Folder of the collection; None for one among the user's own data.

    Examples
    --------
    >>> demo = open_demo()          # doctest: +SKIP
    >>> demo.embed()                # doctest: +SKIP
    >>> demo.explore()              # doctest: +SKIP
    """
    collection = Collection(path or demo_folder())
    collection.add(demo_recordings())
    return collection
