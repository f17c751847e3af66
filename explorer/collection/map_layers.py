"""What a map is coloured and read by beside labels: clusters, and where it is to be believed.

Beside the map ``projections/RUN.HASH.npz`` lie, once they were asked for,
``projections/layers/RUN.HASH.faithfulness.npz`` (``share`` float32 [n_windows], ``anchors`` int64
[n_anchors], ``neighbours`` int32 [n_anchors, k] and ``about``, a JSON text with format version,
run, rows, the map's digest and what counts as near) and ``RUN.HASH.clusters.json`` (see
`explorer.collection.cluster_names`). Clusters themselves are found anew in a second. A layer of
another map than there is now is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection import projections
from explorer.errors import CollectionError, FormatVersionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.space.clusters import MapClusters
    from explorer.space.faithfulness import Faithfulness

Report = Callable[[float, str], None]

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Map:
    """The newest map of a run: its coordinates, where its layers lie, and a digest of it."""

    run: str
    coordinates: NDArray[np.float32]
    layers: Path
    digest: str

    @classmethod
    def of(cls, collection: Collection, run: str) -> Map:
        """The map that is shown.

        Raises
        ------
        CollectionError
            If there is none yet.
        """
        folder = collection.path / "projections"
        found = projections.newest_map(folder, run, collection.n_windows(run))
        if found is None:
            raise CollectionError(
                f"{run}: there is no map of all windows yet. Call project(), or open the dashboard"
            )
        path, coordinates = found
        digest = hashlib.sha256(np.ascontiguousarray(coordinates).data).hexdigest()[:16]
        return cls(run, coordinates, folder / "layers" / path.stem, digest)

    def file(self, ending: str) -> Path:
        """Where a layer lies; its folder is made."""
        self.layers.parent.mkdir(parents=True, exist_ok=True)
        return self.layers.with_name(f"{self.layers.name}.{ending}")

    def about(self) -> dict[str, Any]:
        """What every layer says of its map."""
        return {
            "version": FORMAT_VERSION,
            "run": self.run,
            "rows": len(self.coordinates),
            "map": self.digest,
        }

    def is_mine(self, about: dict[str, Any], path: Path) -> bool:
        """Whether a layer is of this very map.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        """
        if about["version"] > FORMAT_VERSION:
            raise FormatVersionError(
                f"{path}: this layer has format {about['version']} and this program knows up to "
                f"{FORMAT_VERSION}. Update with: pip install -U soundscape-explorer"
            )
        return all(about[key] == value for key, value in self.about().items() if key != "version")


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of a map, the largest first, with names.

    Attributes
    ----------
    codes
        int32 [n_windows]: the cluster of each window; -1 for none.
    names
        A short name for each, no two the same.
    reasons
        What each name rests on, in a sentence.
    centres
        float32 [n_clusters, 2]: where on the map each is densest.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    reasons: tuple[str, ...]
    centres: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Windows in each cluster."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self))

    @property
    def table(self) -> pd.DataFrame:
        """One row for each cluster: name, windows, reason, x, y."""
        return pd.DataFrame(
            {
                "name": self.names,
                "windows": self.sizes,
                "reason": self.reasons,
                "x": self.centres[:, 0],
                "y": self.centres[:, 1],
            },
            index=pd.RangeIndex(len(self), name="cluster"),
        )

    def rows_of(self, cluster: int | str) -> NDArray[np.int64]:
        """Windows of a cluster, by its number or name."""
        if isinstance(cluster, str):
            if cluster not in self.names:
                raise ParameterError(f"no cluster is named {cluster!r}")
            cluster = self.names.index(cluster)
        return np.flatnonzero(self.codes == cluster)


def clusters(
    collection: Collection, run: str, report: Report | None = None, *, listen: bool = True
) -> Clusters:
    """The clusters of the newest map and their names; see `Collection.clusters`."""
    from explorer.collection.cluster_names import UNHEARD, name_clusters  # noqa: PLC0415

    tell = report or (lambda share, words: None)
    tell(0.0, "Finding clusters")
    shown = Map.of(collection, run)
    found = _found(collection, shown)

    def make() -> Clusters:
        names, reasons = name_clusters(collection, shown, found, tell, listen=listen)
        return Clusters(found.codes, names, reasons, found.centres)

    if not listen:
        return make()
    key, stamp = ("clusters", run), (shown.digest, collection.latest_event())
    named = collection._keep(key, stamp, make)
    if any(name.startswith(UNHEARD) for name in named.names):
        collection._kept.pop(key, None)  # a disk may be plugged in again
    return named


def _found(collection: Collection, shown: Map) -> MapClusters:
    from explorer.space.clusters import find_clusters  # noqa: PLC0415

    key = ("clusters of the map", shown.run)
    return collection._keep(key, shown.digest, lambda: find_clusters(shown.coordinates))


def faithfulness(collection: Collection, run: str, report: Report | None = None) -> Faithfulness:
    """How far each place of the newest map can be believed; see `Collection.faithfulness`."""
    from explorer.space.faithfulness import faithfulness as measure  # noqa: PLC0415

    shown = Map.of(collection, run)

    def make() -> Faithfulness:
        path = shown.file("faithfulness.npz")
        kept = _read(path, shown)
        if kept is None:
            vectors = collection.embeddings(run)
            kept = measure(vectors, shown.coordinates, on_progress=report)
            _write(path, shown, kept)
        return kept

    return collection._keep(("faithfulness", run), shown.digest, make)


def torn(collection: Collection, row: int, run: str) -> NDArray[np.int64]:
    """True neighbours of a window that lie far from it on the map; see `Collection.torn`."""
    from explorer.space.faithfulness import NEIGHBOURS, torn_pairs  # noqa: PLC0415
    from explorer.space.search import top_k  # noqa: PLC0415

    shown = Map.of(collection, run)
    if not 0 <= row < len(shown.coordinates):
        raise ParameterError(f"there is no window {row}; {run} has {len(shown.coordinates)}")
    known = collection._kept.get(("faithfulness", run))
    near = None
    if known is not None and known[0] == shown.digest:
        near = known[1].neighbours_of(row)
    if near is None:
        vectors = collection.embeddings(run)
        vector = vectors.take([row])
        if not np.isfinite(vector).all():
            return np.empty(0, np.int64)
        found, _ = top_k(vectors, vector, NEIGHBOURS + 1)
        near = found[0][found[0] != row][:NEIGHBOURS]
    return torn_pairs(shown.coordinates, [row], near[None])[:, 1]


def _read(path: Path, shown: Map) -> Faithfulness | None:
    from explorer.space.faithfulness import Faithfulness  # noqa: PLC0415

    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if not shown.is_mine(about, path):
                return None
            return Faithfulness(
                stored["share"], stored["anchors"], stored["neighbours"], int(about["near"])
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CollectionError(
            f"{path}: this layer of the map cannot be read ({error}). Delete the file; it is made "
            "again."
        ) from error


def _write(path: Path, shown: Map, made: Faithfulness) -> None:
    about = {**shown.about(), "near": made.near}
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as stream:
        np.savez(
            stream,
            share=made.share,
            anchors=made.anchors,
            neighbours=made.neighbours,
            about=np.array(json.dumps(about)),
        )
    temporary.replace(path)
