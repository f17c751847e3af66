"""Recordings of four pitches, and which windows hold each: for what a classifier says of itself."""

from __future__ import annotations

from pathlib import Path

from small_recordings import Listener, write_recordings

import explorer
from explorer.collection.collection import Collection

PITCHES = ["low", "middle", "high", "highest"]


def make_tones(folder: Path) -> Collection:
    """Sixteen recordings at two sites: four of each pitch, which sounds in every other second."""
    audio = write_recordings(folder / "recordings", count=16, seconds=6)
    collection = explorer.open(folder / "tones.collection", audio=audio)
    collection.embed(Listener(), progress=False)
    return collection


def windows_of(collection: Collection, pitch: str, recordings: int | None = None) -> list[int]:
    """Rows of the full windows in which a pitch sounds, from the first so many recordings."""
    windows = collection.windows()
    number = windows["recording"].str.extract(r"_(\d\d)0000")[0].astype(int)
    sounding = windows["start_s"] % 2 == 0
    whole = windows["end_s"] - windows["start_s"] > 0.99
    own = windows[(number % 4 == PITCHES.index(pitch)).to_numpy() & sounding & whole]
    names = own["recording"].unique()[:recordings]
    return own.index[own["recording"].isin(names)].tolist()
