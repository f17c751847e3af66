"""What else the map can be coloured by: clusters, the encoder's own species names, and trust.

A layer takes a while to make the first time, so it is asked for when it is wanted, made off the
event loop, and kept by the collection. Functions here may run in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.map_layers import Clusters
    from explorer.collection.species import Species
    from explorer.space.faithfulness import Faithfulness

CLUSTER, SPECIES, TRUST = "cluster", "species", "trust"
NOTES = {
    CLUSTER: "found by density, named by themselves",
    SPECIES: "the encoder's own names",
    TRUST: "where the picture can be believed",
}
MOST_SPECIES = 24
"""So many of the most frequent species get a name; the rest are “other”."""

LEAST_SCORE = 0.2
"""Below, the encoder itself does not believe its best guess: most such guesses are noise."""

Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Layer:
    """One value for each window: a kind (``codes`` into ``names``), or a share (``values``).

    Attributes
    ----------
    codes
        int [n_windows], -1 for none; None where there are values.
    names
        Of the kinds.
    reasons
        What each name rests on, in a sentence; empty where that is plain.
    places
        Where on the map to write each name, [n_kinds, 2]; None for nowhere.
    values
        float32 [n_windows] from 0 to 1; None where there are kinds.
    meaning
        What the colours say, in a sentence.
    """

    name: str
    codes: NDArray[np.integer] | None = None
    names: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    places: NDArray[np.floating] | None = None
    values: NDArray[np.floating] | None = None
    meaning: str = ""

    def sizes(self) -> NDArray[np.int64]:
        """Windows of each kind."""
        assert self.codes is not None
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def rows_of(self, code: int) -> NDArray[np.int64]:
        """Windows of one kind."""
        assert self.codes is not None
        return np.flatnonzero(self.codes == code)


def make(collection: Collection, run: str, name: str, report: Report) -> Layer:
    """Make a layer, or read it where it was made before.

    Raises
    ------
    ExplorerError
        If it cannot be had, such as species names of an encoder that has none.
    """
    if name == CLUSTER:
        return _clusters(collection.clusters(run, progress=report))
    if name == SPECIES:
        return _species(collection.species(run, progress=report))
    return _trust(collection.faithfulness(run, progress=report))


def quick_clusters(collection: Collection, run: str) -> Layer:
    """The clusters without listening to any: named by labels, or by numbers."""
    return _clusters(collection.clusters(run, progress=False, listen=False))


def _clusters(found: Clusters) -> Layer:
    return Layer(
        CLUSTER,
        codes=found.codes,
        names=found.names,
        reasons=found.reasons,
        places=found.centres,
        meaning="Groups that lie close together on this map; a name says what is known of one.",
    )


def _species(found: Species) -> Layer:
    return Layer(  # the most frequent come first
        SPECIES,
        codes=np.where(
            (found.codes < MOST_SPECIES) & (found.scores >= LEAST_SCORE), found.codes, -1
        ),
        names=found.names[:MOST_SPECIES],
        meaning="The encoder's best guess where its score is .2 or more, right or wrong.",
    )


def _trust(found: Faithfulness) -> Layer:
    return Layer(
        TRUST,
        values=found.share,
        meaning=(
            f"Share of a window's true neighbours that lie near it: {found.mean:.0%} on average. "
            "Lines lead from the sound in focus to those that lie far away."
        ),
    )
