"""Windows that a person has judged, as arrays: what they are of, what they are not, and where from.

Most windows are judged for one class only. What nobody has said is kept apart from a "no": the
classifiers decide what to make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ParameterError
from explorer.space.blocks import as_float32, as_numpy

Arrays = Mapping[str, ArrayLike]
Groups = Mapping[str, Sequence[object]]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Embeddings of judged windows. Make one from examples by class with `Labelled.of`.

    Attributes
    ----------
    classes
        Names, in the order of the columns of ``truth``.
    rows
        Embeddings, float32 ``[n, dimension]``, all finite.
    truth
        float32 ``[n, n_classes]``: 1 is of the class, 0 is not, NaN nobody has said; in between
        where judgements differ.
    groups
        The recording (or site) of each window ``[n]``; None where it is not known.

    Raises
    ------
    ParameterError
        Shapes that do not agree, embeddings that are not finite, or a class without a positive.

    Examples
    --------
    >>> labelled = Labelled.of({"grunt": [[1.0, 0.0]], "boat": [[0.0, 1.0], [1.0, 0.0]]})
    >>> labelled.truth.tolist()
    [[1.0, 1.0], [nan, 1.0]]
    """

    classes: tuple[str, ...]
    rows: NDArray[np.float32]
    truth: NDArray[np.float32]
    groups: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        if not self.classes:
            raise ParameterError("a classifier needs at least one class with an example")
        if self.rows.ndim != 2 or self.truth.shape != (len(self.rows), len(self.classes)):
            raise ParameterError(
                f"rows have shape {self.rows.shape} and truth {self.truth.shape} for "
                f"{len(self.classes)} classes; give [n, dimension] and [n, n_classes]"
            )
        if self.groups is not None and len(self.groups) != len(self.rows):
            raise ParameterError(f"{len(self.groups)} groups for {len(self.rows)} windows")
        if not np.isfinite(self.rows).all():
            raise ParameterError("some embeddings are NaN or infinite; leave those windows out")
        if ((self.truth < 0) | (self.truth > 1)).any():
            raise ParameterError("truth must be from 0 to 1, or NaN where nobody has said")
        none = [
            name
            for name, column in zip(self.classes, self.positive.T, strict=True)
            if not column.any()
        ]
        if none:
            raise ParameterError(f"no example of {', '.join(none)}; add one, or leave it out")

    @classmethod
    def of(
        cls,
        examples: Arrays,
        negatives: Arrays | None = None,
        *,
        groups: Groups | None = None,
        negative_groups: Groups | None = None,
    ) -> Labelled:
        """Gather examples and refused windows of each class.

        A window given for several classes (the same embedding, of the same group) becomes one row;
        one given as an example and as a negative of the same class counts half.

        Parameters
        ----------
        examples, negatives
            Embeddings ``[k, dimension]`` by class. Rows that are not finite are passed over.
        groups, negative_groups
            The recording (or site) of each of them, by class.
        """
        classes = tuple(examples)
        places: dict[tuple[bytes, object], int] = {}
        rows: list[NDArray[np.float32]] = []
        of_row: list[object] = []
        votes: list[tuple[int, int, float]] = []
        sides = ((examples, groups, 1.0), (negatives or {}, negative_groups, 0.0))
        for given, group_of, judgement in sides:
            for name, embeddings in given.items():
                if name not in classes:
                    raise ParameterError(f"negatives of {name}, but no examples: add one")
                array = _rows(embeddings, name)
                where = _groups(group_of, name, len(array)) if groups is not None else None
                for number, row in enumerate(array):
                    if not np.isfinite(row).all():
                        continue
                    group = None if where is None else where[number]
                    place = places.setdefault((row.tobytes(), group), len(rows))
                    if place == len(rows):
                        rows.append(row)
                        of_row.append(group)
                    votes.append((place, classes.index(name), judgement))
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise ParameterError(
                f"embeddings of different dimensions: {sorted(lengths)}; use the same encoder"
            )
        yes, said = (np.zeros((len(rows), len(classes)), np.float32) for _ in range(2))
        for place, column, judgement in votes:
            yes[place, column] += judgement
            said[place, column] += 1
        truth = np.where(said > 0, yes / np.maximum(said, 1), np.nan).astype(np.float32)
        together = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
        known = None if groups is None else _objects(of_row)
        return cls(classes, together, truth, known)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self.rows.shape[1]

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Where a window is an example of a class, ``[n, n_classes]``: more say yes than no."""
        return self.truth > 0.5

    @cached_property
    def negative(self) -> NDArray[np.bool_]:
        """Where a window is known not to be of a class, ``[n, n_classes]``."""
        return self.truth < 0.5

    def take(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Labelled:
        """Some of the windows and of the classes; each class needs an example among them."""
        groups = None if self.groups is None else self.groups[rows]
        classes = tuple(self.classes[at] for at in columns)
        return Labelled(classes, self.rows[rows], self.truth[np.ix_(rows, columns)], groups)

    def examples(self) -> dict[str, NDArray[np.float32]]:
        """The examples of each class, as `NearestCentroid.fit` takes them."""
        return {name: self.rows[self.positive[:, at]] for at, name in enumerate(self.classes)}

    def negatives(self) -> dict[str, NDArray[np.float32]]:
        """The refused windows of each class that has some."""
        return {
            name: self.rows[self.negative[:, at]]
            for at, name in enumerate(self.classes)
            if self.negative[:, at].any()
        }


def _rows(embeddings: ArrayLike, name: str) -> NDArray[np.float32]:
    array = np.atleast_2d(as_numpy(embeddings))
    if array.size == 0:
        return np.zeros((0, 0), np.float32)
    if array.ndim != 2:
        raise ParameterError(f"the windows of {name!r} have shape {array.shape}; give [k, d]")
    return as_float32(array).numpy()


def _groups(groups: Groups | None, name: str, count: int) -> Sequence[object]:
    found = list((groups or {}).get(name, ()))
    if len(found) != count:
        raise ParameterError(f"{count} windows of {name!r} and {len(found)} groups; give one each")
    return found


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    # Not np.array(values): tuples such as (recorder, night) are one group each.
    result = np.empty(len(values), dtype=object)
    result[:] = list(values)
    return result
