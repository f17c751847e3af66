"""Nearest-centroid classifiers: a handful of examples of each class, every window scored at once.

The example of a class is the mean of its examples (Hamer et al. 2023, BIRB). A plain cosine to it
is the published baseline. What `NearestCentroid` does unless told otherwise goes three steps
further, with no training: it compares in the geometry of the `Background`; it takes off what a
window shares with the background around it, with the best competing class and with the windows that
a person has refused; and it maps each class's result to a score in [0, 1] of which a half is a
sensible first threshold. On real recordings it ranks better than a logistic probe trained on the
same one or four examples of each class, and about as well with sixteen
(``tests/benchmarks/centroid.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.classify import weights
from explorer.classify.background import Background, Prepared
from explorer.errors import ParameterError
from explorer.space.blocks import Block, Corpus, as_float32, as_numpy, iterate_blocks, widened
from explorer.space.parallel import in_order

Method = Literal["relative", "birb", "birb_of_unit"]
METHODS: tuple[Method, ...] = ("relative", "birb", "birb_of_unit")

FORMAT = "explorer nearest-centroid classifier"
FORMAT_VERSION = 1

DENSITY_WEIGHT = 0.6
"""Share of the window's density that a class must exceed."""
COMPETITOR_WEIGHT = 0.8
"""Share of the best competing class's cosine that a class must exceed."""
REFUSED_WEIGHT = 1.0
"""Share of the cosine to the nearest refused window that a class must exceed."""
MOST_REFUSED = 64
"""Refused windows of a class that count: those most like the class."""
READ_ROWS = 4096
HIGHEST_MIDPOINT, HALF_AT = 0.27, 2.2
"""With k examples the score is a half where the class exceeds the rest by 0.27 k / (k + 2.2): a
centroid of more examples is nearer to all of its class. Over 32 classes of real recordings that is
a little above where F1 is best on average, as false positives cost more work than misses; single
classes scatter by 0.14 around it, so it is a first threshold, to be moved by ear."""
REACHED_SHARE = 0.65
"""But at most at this share of what the examples of a class reach themselves (the median, each
against the others): a common class, such as rain, crowds its own windows' neighbourhood and stays
below the usual mark. On the same recordings F1 at a half rises from .66 to .71 with 4 examples and
from .78 to .85 with 16."""
LEAST_SHARE = 0.5
"""And at least this share of the usual mark: few examples may say little about each other."""
SPREAD = 0.05
"""What the class must exceed the midpoint by for its score to go from 0.5 to 0.73."""

Arrays = Mapping[str, ArrayLike]


@dataclass(frozen=True, eq=False)
class NearestCentroid:
    """A classifier made of the examples of each class. Make one with `NearestCentroid.fit`.

    Attributes
    ----------
    classes
        Names, in the order of the score columns.
    method
        "relative" (the default), or BIRB's plain cosine: "birb" (to the mean of the examples),
        "birb_of_unit" (to the mean of the examples brought to length one).
    examples, negatives
        The embeddings that it was made of: float32 ``[k, dimension]`` for each class.
    background
        The geometry that "relative" compares in.
    metadata
        What `save` was given, after `load`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> low, high = rng.random((50, 16)), rng.random((50, 16)) + np.linspace(0, 2, 16)
    >>> windows = np.concatenate([low, high])
    >>> model = NearestCentroid.fit({"low": low[:4], "high": high[:4]}, background=windows)
    >>> model.scores(windows).shape
    (100, 2)
    >>> model.predict(windows[[0, 99]]).tolist()
    ['low', 'high']
    """

    classes: tuple[str, ...]
    method: Method
    examples: dict[str, torch.Tensor]
    negatives: dict[str, torch.Tensor]
    background: Background | None
    centroids: torch.Tensor
    midpoint: torch.Tensor
    metadata: dict[str, Any]

    @classmethod
    def fit(
        cls,
        examples: Arrays,
        *,
        background: Background | Corpus | None = None,
        negatives: Arrays | None = None,
        method: Method = "relative",
    ) -> NearestCentroid:
        """Make a classifier from the examples of each class.

        Parameters
        ----------
        examples
            Embeddings ``[k, dimension]`` of each class, k at least 1 (or one vector).
        background
            Unlabelled embeddings of the place, ``[n, dimension]`` or a fitted `Background`. A
            single class needs it: without, there is nothing to tell it from.
        negatives
            Embeddings of windows that are not of the class, by class: what is like them scores
            lower for that class, and for that class only.
        method
            See the class.

        Raises
        ------
        ParameterError
            No class, a class without a finite example, or dimensions that do not agree.
        """
        if method not in METHODS:
            raise ParameterError(f"method {method!r} is not known; use one of {', '.join(METHODS)}")
        if not examples:
            raise ParameterError("a classifier needs at least one class with an example")
        given = {name: _rows(rows, f"examples of {name!r}") for name, rows in examples.items()}
        refused = {
            name: _rows(rows, f"negatives of {name!r}")
            for name, rows in (negatives or {}).items()
            if len(np.atleast_2d(as_numpy(rows))) and np.size(as_numpy(rows))
        }
        unknown = sorted(set(refused) - set(given))
        if unknown:
            raise ParameterError(f"negatives of {', '.join(unknown)}, but no examples: add one")
        if background is not None and not isinstance(background, Background):
            background = Background.fit(background)
        dimensions = {rows.shape[1] for rows in [*given.values(), *refused.values()]}
        if background is not None:
            dimensions.add(background.dimension)
        if len(dimensions) > 1:
            raise ParameterError(
                f"embeddings of different dimensions: {sorted(dimensions)}; "
                "use the same encoder for examples, negatives and background"
            )
        return _fitted(given, refused, background, method)

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self.centroids.shape[1]

    def similarities(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """How much each window is like each class, before the map to [0, 1].

        Returns
        -------
        float32 ``[n, n_classes]``; for "birb" the cosine. Windows that are not finite get the
        least value there is, -2.
        """
        if self.method != "relative":
            return self._cosines(embeddings)
        prepared = self._prepared(embeddings)
        return self.on(prepared.background)._relative(prepared).numpy()

    def scores(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """Score every window for every class.

        Parameters
        ----------
        embeddings
            ``[n, dimension]`` of any kind, or what `Background.prepare` made of them, which is
            quick. A `Prepared` of another background moves the classifier there first (see `on`).

        Returns
        -------
        float32 ``[n, n_classes]`` in [0, 1], 0 where the embedding is not finite. For "birb" the
        plain cosine, from -1 to 1.
        """
        if self.method != "relative":
            return self._cosines(embeddings)
        prepared = self._prepared(embeddings)
        model = self.on(prepared.background)
        return model._relative(prepared, as_scores=True).numpy()

    def predict(
        self, embeddings: Corpus | Prepared, *, threshold: float | None = None
    ) -> NDArray[np.object_]:
        """Name the best class of each window, ``[n]``; None where it is below ``threshold``."""
        scores = self.scores(embeddings)
        names = np.array(self.classes, dtype=object)[scores.argmax(axis=1)]
        if threshold is not None:
            names[scores.max(axis=1) < threshold] = None
        return cast("NDArray[np.object_]", names)

    def on(self, background: Background | None) -> NearestCentroid:
        """The same examples, compared in the geometry of another place."""
        if background is None or self.method != "relative":
            return self
        if self.background is not None and self.background.digest == background.digest:
            return self
        return _fitted(self.examples, self.negatives, background, self.method, self.metadata)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the background, as JSON values."""
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "method": self.method,
            "classes": list(self.classes),
            "dimension": self.dimension,
            "background": self.background.digest if self.background else None,
            "examples": {name: rows.tolist() for name, rows in self.examples.items()},
            "negatives": {name: rows.tolist() for name, rows in self.negatives.items()},
        }

    @classmethod
    def from_dict(
        cls, described: Mapping[str, Any], *, background: Background | None = None
    ) -> NearestCentroid:
        """Make the classifier that `to_dict` described, on the background it had.

        Raises
        ------
        ParameterError
            If it was made on a background and that is not the one given.
        """
        weights.check_version("this description", described, FORMAT, FORMAT_VERSION)
        digest = background.digest if background else None
        if described["background"] != digest:
            raise ParameterError(
                f"this classifier was made on background {described['background']}, not {digest}; "
                "give that one, then move the classifier with on(...)"
            )
        return cls.fit(
            {name: described["examples"][name] for name in described["classes"]},
            background=background,
            negatives=described["negatives"],
            method=described["method"],
        )

    def save(self, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Write the classifier, with its background, as safetensors.

        Parameters
        ----------
        metadata
            More to keep with it, as JSON values; `load` gives it back as ``model.metadata``.
        """
        tensors = {f"example.{at}": self.examples[name] for at, name in enumerate(self.classes)}
        for at, name in enumerate(self.classes):
            if name in self.negatives:
                tensors[f"negative.{at}"] = self.negatives[name]
        about: dict[str, Any] = {
            "method": self.method,
            "classes": list(self.classes),
            "metadata": dict(metadata if metadata is not None else self.metadata),
            "background": None,
        }
        if self.background is not None:
            tensors |= {f"background.{key}": t for key, t in self.background.tensors().items()}
            about["background"] = self.background.about()
        weights.write(path, tensors, about, FORMAT, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> NearestCentroid:
        """Read a classifier.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no classifier, or damaged.
        """
        tensors, about = weights.read(path, FORMAT, FORMAT_VERSION)
        background = None
        if about["background"] is not None:
            start = "background."
            parts = {key[len(start) :]: t for key, t in tensors.items() if key.startswith(start)}
            background = Background.from_tensors(parts, about["background"])
        names = enumerate(about["classes"])
        negatives = {
            name: tensors[f"negative.{at}"] for at, name in names if f"negative.{at}" in tensors
        }
        examples = {name: tensors[f"example.{at}"] for at, name in enumerate(about["classes"])}
        return _fitted(examples, negatives, background, about["method"], about["metadata"])

    def _prepared(self, embeddings: Corpus | Prepared) -> Prepared:
        if isinstance(embeddings, Prepared):
            return embeddings
        return _home(self.background, self.dimension).prepare(embeddings)

    def _cosines(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """Cosine to each centroid ``[n, n_classes]``; 0 for vectors of zeros (golden 1.3)."""
        if isinstance(embeddings, Prepared):
            if embeddings.source is None:
                raise ParameterError(
                    f"method {self.method!r} needs the embeddings themselves, and these were "
                    "prepared from an iterator; prepare an array, or score the embeddings"
                )
            embeddings = embeddings.source

        def one(block: Block) -> NDArray[np.float32]:
            out = torch.empty(len(block[1]), len(self.classes))
            for part, rows in widened(block[1]):
                cosine = rows @ self.centroids.T
                length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
                cosine = (cosine / torch.where(length > 0, length, 1.0)).clamp_(-1, 1)
                out[part] = torch.where(torch.isfinite(length), cosine, -2.0)
            return cast("NDArray[np.float32]", out.numpy())

        empty = np.zeros((0, len(self.classes)), np.float32)
        return np.concatenate([empty, *in_order(one, iterate_blocks(embeddings, READ_ROWS))])

    def _relative(self, prepared: Prepared, *, as_scores: bool = False) -> torch.Tensor:
        """Cosine to each class, less what the window has in common with everything else."""
        refused = self._refused()
        counts = [len(vectors) for vectors in refused]
        columns = prepared.likeness(torch.cat([self.centroids, *refused]))

        def one(start: int) -> torch.Tensor:
            part = slice(start, start + READ_ROWS)
            likeness = torch.stack([column[part] for column in columns])
            result = _less_the_rest(likeness, counts, prepared.density[part]).T
            if as_scores:
                result = torch.sigmoid((result - self.midpoint) / SPREAD)
            return torch.where(prepared.finite[part, None], result, 0.0 if as_scores else -2.0)

        parts = list(in_order(one, range(0, len(prepared), READ_ROWS)))
        return torch.cat(parts) if parts else torch.zeros(0, len(self.classes))

    def _refused(self) -> list[torch.Tensor]:
        """For each class its refused windows in the new geometry, those most like it."""
        found = []
        home = _home(self.background, self.dimension)
        for name, centroid in zip(self.classes, self.centroids, strict=True):
            vectors = torch.zeros(0, self.dimension)
            if name in self.negatives:
                vectors = home.moved(self.negatives[name]).vectors
                if len(vectors) > MOST_REFUSED:
                    vectors = vectors[(vectors @ centroid).topk(MOST_REFUSED).indices]
            found.append(vectors)
        return found


def _fitted(
    examples: dict[str, torch.Tensor],
    negatives: dict[str, torch.Tensor],
    background: Background | None,
    method: Method,
    metadata: dict[str, Any] | None = None,
) -> NearestCentroid:
    """Everything that follows from the examples; the same input gives the same classifier."""
    if method == "relative":
        home = _home(background, next(iter(examples.values())).shape[1])
        moved = {name: home.moved(rows).vectors for name, rows in examples.items()}
        centroids = _unit(torch.stack([rows.mean(dim=0) for rows in moved.values()]))
    elif method == "birb_of_unit":
        centroids = _unit(torch.stack([_unit(rows).mean(dim=0) for rows in examples.values()]))
    else:
        centroids = _unit(torch.stack([rows.mean(dim=0) for rows in examples.values()]))
    model = NearestCentroid(
        classes=tuple(examples),
        method=method,
        examples=examples,
        negatives=negatives,
        background=background,
        centroids=centroids,
        midpoint=torch.zeros(len(examples)),
        metadata=metadata or {},
    )
    if method != "relative":
        return model
    return replace(model, midpoint=_midpoint(model))


def _midpoint(model: NearestCentroid) -> torch.Tensor:
    """Where each class's score is a half, ``[n_classes]``."""
    counts = torch.tensor([len(rows) for rows in model.examples.values()], dtype=torch.float32)
    if model.background is not None and len(model.background.landmarks):
        usual = HIGHEST_MIDPOINT * counts / (counts + HALF_AT)
        reached = torch.minimum(usual, REACHED_SHARE * _reached(model))
        return torch.maximum(reached, LEAST_SHARE * usual)
    # Nothing is known but the examples: halfway between those of the class and the others.
    home = _home(model.background, model.dimension)
    reached = model._relative(Prepared.of(home, model.centroids))
    own = reached.diagonal()
    if len(counts) == 1:
        return own - 2 * SPREAD
    others = (reached.sum(dim=0) - own) / (len(counts) - 1)
    return (own + others) / 2


def _reached(model: NearestCentroid) -> torch.Tensor:
    """What the examples of each class exceed the rest by, each left out in turn: the median.

    ``[n_classes]``; infinite for a class of one example, which says nothing of the kind.
    """
    home = _home(model.background, model.dimension)
    examples = list(model.examples.values())
    found = torch.full((len(examples),), torch.inf)
    for column, own in enumerate(examples):
        moved = home.moved(own)
        rows, density = moved.vectors, moved.density
        if len(rows) < 2:
            continue
        likeness = rows @ model.centroids.T
        likeness[:, column] = (rows * _unit(rows.sum(dim=0) - rows)).sum(dim=1)
        result = _less_the_rest(likeness.T.contiguous(), [0] * len(examples), density)
        found[column] = result[column].median()
    return found


def _less_the_rest(
    likeness: torch.Tensor, refused: list[int], density: torch.Tensor
) -> torch.Tensor:
    """Take off the best of density, competing classes and refused windows: ``[n_classes, n]``.

    ``likeness`` is ``[n_classes + sum(refused), n]``: classes first, then each one's refused.
    """
    n_classes = len(refused)
    own = likeness[:n_classes]
    rest = (DENSITY_WEIGHT * density).repeat(n_classes, 1)
    if n_classes > 1:
        best = own.max(dim=0, keepdim=True)
        second = own.scatter(0, best.indices, -torch.inf).max(dim=0, keepdim=True).values
        is_best = torch.arange(n_classes)[:, None] == best.indices
        rest = torch.maximum(rest, COMPETITOR_WEIGHT * torch.where(is_best, second, best.values))
    at = n_classes
    for row, count in enumerate(refused):
        if count:
            nearest = likeness[at : at + count].max(dim=0).values
            rest[row] = torch.maximum(rest[row], REFUSED_WEIGHT * nearest)
        at += count
    return own - rest


def _home(background: Background | None, dimension: int) -> Background:
    """The background given, or one that changes nothing but length."""
    return background if background is not None else Background.plain(dimension)


def _rows(rows: ArrayLike | torch.Tensor, what: str) -> torch.Tensor:
    array = np.atleast_2d(as_numpy(rows))
    if array.ndim != 2 or not array.size:
        raise ParameterError(f"the {what} have shape {array.shape}; give [k, dimension]")
    tensor = as_float32(array)
    finite = torch.isfinite(tensor).all(dim=1)
    if not finite.any():
        raise ParameterError(f"the {what} are all NaN or infinite; choose other windows")
    return tensor[finite].clone()


def _unit(rows: torch.Tensor) -> torch.Tensor:
    """Rows brought to length one; rows of zeros stay."""
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)
