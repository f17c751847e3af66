"""A nearest centroid without one of its labelled windows, for every one of them at once.

A centroid is a direction of a sum, and the sum without one example is known at once. So is what
stands in the way of a class: the background, which knows no labels, the competing classes and the
refused windows, each with or without that window. Nothing is approximated; see
`explorer.classify.evidence` for what is held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from explorer.classify.background import Background
from explorer.classify.centroid import (
    COMPETITOR_WEIGHT,
    DENSITY_WEIGHT,
    MOST_REFUSED,
    REFUSED_WEIGHT,
    NearestCentroid,
)
from explorer.classify.labelled import Labelled


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled windows where a nearest centroid compares them.

    Attributes
    ----------
    vectors
        ``[n, dimension]``.
    sums
        Of each class's examples, ``[n_classes, dimension]``; centroids are their directions.
    positive, refused
        bool ``[n, n_classes]``: examples, and windows that count as refused.
    background
        None for BIRB's methods, where a cosine stands for itself.
    """

    vectors: torch.Tensor
    sums: torch.Tensor
    positive: torch.Tensor
    refused: torch.Tensor
    background: Background | None

    @classmethod
    def of(cls, model: NearestCentroid, labelled: Labelled) -> Examples:
        """The windows that a model was made of, where it compares them."""
        vectors = torch.from_numpy(labelled.rows)
        background = None
        if model.method == "relative":
            background = model.background or Background.plain(model.dimension)
            vectors = background.transform(vectors)
        elif model.method == "birb_of_unit":
            vectors = normalize(vectors, dim=1)
        negative = torch.from_numpy(labelled.negative) & (background is not None)
        return cls.among(vectors, torch.from_numpy(labelled.positive), negative, background)

    @classmethod
    def among(
        cls,
        vectors: torch.Tensor,
        positive: torch.Tensor,
        negative: torch.Tensor,
        background: Background | None,
    ) -> Examples:
        """The same from vectors that are there already, and who is an example or refused."""
        sums = positive.T.float() @ vectors
        refused = negative.clone()
        for column, sum_ in enumerate(sums):
            rows = refused[:, column].nonzero().ravel()
            if len(rows) > MOST_REFUSED:
                likest = (vectors[rows] @ sum_).topk(MOST_REFUSED).indices
                refused[:, column] = False
                refused[rows[likest], column] = True
        return cls(vectors, sums, positive, refused, background)

    def place(self, embeddings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors and density of windows where they are compared, from their embeddings."""
        if self.background is None:
            return normalize(embeddings, dim=1), torch.zeros(len(embeddings))
        vectors = self.background.transform(embeddings)
        return vectors, self.background.density(vectors)

    def likeness(self, windows: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
        """What `NearestCentroid.similarities` gives, ``[m, n_classes]``."""
        cosines = windows @ normalize(self.sums, dim=1).T
        if self.background is None:
            return cosines
        floor = DENSITY_WEIGHT * density[:, None]
        result = torch.empty_like(cosines)
        for column in range(len(self.sums)):
            refused = windows @ self.vectors[self.refused[:, column]].T
            rest = _largest(floor, _others(cosines, column), refused)
            result[:, column] = cosines[:, column] - rest[:, 0]
        return result

    def contributions(
        self, windows: torch.Tensor, density: torch.Tensor, column: int
    ) -> torch.Tensor:
        """Likeness of windows to a class, less that without each labelled window, ``[m, n]``.

        NaN for the only example of the class.
        """
        to_labelled = windows @ self.vectors.T
        cosines = windows @ normalize(self.sums, dim=1).T
        examples = self.positive[:, column].nonzero().ravel()
        own = cosines[:, [column]].repeat(1, len(self.vectors))
        own[:, examples] = self._without(windows, to_labelled, examples, column)
        if self.background is None:
            return cosines[:, [column]] - own
        floor = DENSITY_WEIGHT * density[:, None]
        refused = to_labelled[:, self.refused[:, column]]
        rest = _largest(floor, _others(cosines, column), refused)
        rest_without = torch.maximum(
            torch.maximum(
                floor, COMPETITOR_WEIGHT * self._others(windows, to_labelled, cosines, column)
            ),
            REFUSED_WEIGHT * self._refused(to_labelled, column),
        )
        return cosines[:, [column]] - rest - (own - rest_without)

    def left_out(self) -> torch.Tensor:
        """Likeness of each labelled window to each class had it not been labelled.

        ``[n, n_classes]``, NaN where a class has no other example.
        """
        windows = normalize(self.vectors, dim=1)
        cosines = windows @ normalize(self.sums, dim=1).T
        for column in range(len(self.sums)):
            rows = self.positive[:, column].nonzero().ravel()
            # Of the windows themselves only: the full table of `_without` would be wasted.
            remaining = self.sums[column] - self.vectors[rows]
            alone = len(rows) == 1
            cosines[rows, column] = (
                torch.nan if alone else (windows[rows] * normalize(remaining, dim=1)).sum(dim=1)
            )
        if self.background is None:
            return cosines
        known = cosines.nan_to_num(nan=-torch.inf)
        floor = DENSITY_WEIGHT * self.background.density(self.vectors)[:, None]
        result = torch.empty_like(cosines)
        for column in range(len(self.sums)):
            rows = self.refused[:, column].nonzero().ravel()
            refused = windows @ self.vectors[rows].T
            refused[rows, torch.arange(len(rows))] = -torch.inf
            rest = _largest(floor, _others(known, column), refused)
            result[:, column] = cosines[:, column] - rest[:, 0]
        return result

    def _without(
        self, windows: torch.Tensor, to_labelled: torch.Tensor, rows: torch.Tensor, column: int
    ) -> torch.Tensor:
        """Cosine of windows to a class without each of some of its examples, ``[m, rows]``."""
        remaining = self.sums[column] - self.vectors[rows]
        length = torch.linalg.vector_norm(remaining, dim=1)
        if int(self.positive[:, column].sum()) == 1:
            length = length * torch.nan
        return ((windows @ self.sums[column])[:, None] - to_labelled[:, rows]) / length

    def _others(
        self,
        windows: torch.Tensor,
        to_labelled: torch.Tensor,
        cosines: torch.Tensor,
        column: int,
    ) -> torch.Tensor:
        """Cosine to the best competing class without each labelled window, ``[m, n]``."""
        result = _others(cosines, column).repeat(1, len(self.vectors))
        others = self.positive.clone()
        others[:, column] = False
        # Windows that are examples of the same other classes are worked out together.
        kinds, kind_of = others.unique(dim=0, return_inverse=True)
        for number, kind in enumerate(kinds):
            if not bool(kind.any()):
                continue
            rows = (kind_of == number).nonzero().ravel()
            unchanged = cosines.masked_fill(kind, -torch.inf)
            best = _others(unchanged, column).repeat(1, len(rows))
            for other in kind.nonzero().ravel().tolist():
                without = self._without(windows, to_labelled, rows, other)
                # A class without examples competes no more.
                best = torch.maximum(best, without.nan_to_num(nan=-torch.inf))
            result[:, rows] = best
        return result

    def _refused(self, to_labelled: torch.Tensor, column: int) -> torch.Tensor:
        """Cosine to the nearest refused window without each labelled window, ``[m, n]``."""
        rows = self.refused[:, column].nonzero().ravel()
        result = torch.full_like(to_labelled, -torch.inf)
        if len(rows):
            best = to_labelled[:, rows].max(dim=1, keepdim=True)
            result = best.values.repeat(1, len(self.vectors))
            is_best = torch.zeros(len(to_labelled), len(rows), dtype=torch.bool)
            is_best.scatter_(1, best.indices, True)
            second = to_labelled[:, rows].masked_fill(is_best, -torch.inf).amax(dim=1, keepdim=True)
            result[:, rows] = torch.where(is_best, second, best.values)
        return result


def _others(cosines: torch.Tensor, column: int) -> torch.Tensor:
    """The best of the other columns, ``[m, 1]``; minus infinity where there is no other."""
    nothing = torch.full((len(cosines), 1), -torch.inf)
    others = torch.cat([cosines[:, :column], cosines[:, column + 1 :], nothing], dim=1)
    return others.amax(dim=1, keepdim=True)


def _largest(floor: torch.Tensor, other: torch.Tensor, refused: torch.Tensor) -> torch.Tensor:
    """What a class must exceed, ``[m, 1]``."""
    weighted = torch.cat([floor, COMPETITOR_WEIGHT * other, REFUSED_WEIGHT * refused], dim=1)
    return weighted.amax(dim=1, keepdim=True)
