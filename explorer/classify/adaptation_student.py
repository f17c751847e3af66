"""What is trained when a classifier is adapted: scale and shift of each dimension, and its head.

The embeddings themselves stay as they are. The classifier is a linear head, or anything that gives
embeddings logits and lets a gradient through, such as `centroid_scorer` makes of a
`NearestCentroid`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from explorer.classify.adaptation_settings import Settings
from explorer.classify.adaptation_training import Draws
from explorer.classify.background import Background
from explorer.classify.centroid import (
    REFUSED_WEIGHT,
    SPREAD,
    NearestCentroid,
    _less_the_rest,
)
from explorer.errors import ParameterError
from explorer.space.blocks import Corpus, as_float32, iterate_blocks

READ_ROWS = 4096
PRIOR_WINDOWS = 16.0
"""Statistics of the new place count as if so many windows of the source were among its own
(Schneider et al. 2020): a handful of windows says little about a mean."""
LARGEST_SCALE = 5.0
"""No dimension is stretched or squeezed by more: one that hardly ever answers at the new place
would otherwise be nothing but noise."""

Scorer = Callable[[Tensor], Tensor]
"""Gives embeddings ``[n, dimension]`` a logit for each class ``[n, n_classes]``, differentiably."""


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A linear classifier on embeddings: ``logits = embeddings @ weight + bias``.

    Attributes
    ----------
    weight
        ``[dimension, n_classes]``.
    bias
        ``[n_classes]``.
    """

    weight: NDArray[np.floating]
    bias: NDArray[np.floating]

    def __post_init__(self) -> None:
        weight, bias = np.asarray(self.weight), np.asarray(self.bias)
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise ParameterError(
                f"a head has a weight of shape {weight.shape} and a bias of shape {bias.shape}; "
                "give [dimension, n_classes] and [n_classes]"
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ParameterError("a head holds NaN or infinity; train the classifier again")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and spread of each dimension of some embeddings; make one with `Statistics.of`.

    Attributes
    ----------
    mean, spread
        float64 ``[dimension]``; the spread is the standard deviation.
    n_windows
        Windows that they are of.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    n_windows: int

    @classmethod
    def of(cls, embeddings: Corpus) -> Statistics:
        """Measure embeddings, ``[n, dimension]`` of any kind, in one pass.

        Rows that are not finite are left out.

        Raises
        ------
        ParameterError
            If there is no finite row.

        Examples
        --------
        >>> Statistics.of([[1.0, 0.0], [3.0, 0.0]]).spread.tolist()
        [1.0, 0.0]
        """
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for _, block in iterate_blocks(embeddings, READ_ROWS):
            rows = as_float32(block).double()
            rows = rows[torch.isfinite(rows).all(dim=1)]
            if len(rows):
                # Two groups put together, without the loss of one sum of squares.
                both, here = count + len(rows), rows.mean(dim=0)
                squares = squares + ((rows - here) ** 2).sum(dim=0)
                squares = squares + (here - mean) ** 2 * (count * len(rows) / both)
                mean, count = mean + (here - mean) * (len(rows) / both), both
        if not count:
            raise ParameterError("there is no finite embedding to measure; embed the windows again")
        return cls(mean.numpy(), (squares / count).sqrt().numpy(), count)

    def with_prior(self, prior: Statistics, n_windows: float) -> Statistics:
        """These statistics, drawn towards others as if those had so many windows of their own."""
        share = n_windows / (self.n_windows + n_windows)
        mean = (1 - share) * self.mean + share * prior.mean
        variance = (1 - share) * self.spread**2 + share * prior.spread**2
        return Statistics(mean, np.sqrt(variance), self.n_windows)


@dataclass(frozen=True, eq=False)
class Place:
    """The units that training happens in: each dimension around zero and of size one.

    An embedding less ``centre``, divided by ``spread``, is in these units; times ``scale`` plus
    ``mean`` it is as it was where the classifier was made. Float64 ``[dimension]`` each.
    """

    centre: Tensor
    spread: Tensor
    mean: Tensor
    scale: Tensor
    n_windows: int

    @classmethod
    def of(cls, embeddings: Corpus, source: Statistics | None, settings: Settings) -> Place:
        """Measure a new place, and lay its units beside those of the source."""
        here = Statistics.of(embeddings)
        if source is None:
            nothing = torch.zeros(len(here.mean), dtype=torch.float64)
            return cls(nothing, nothing + 1, nothing, nothing + 1, here.n_windows)
        if source.mean.shape != here.mean.shape:
            raise ParameterError(
                f"the source has {len(source.mean)} dimensions, but the new place has "
                f"{len(here.mean)}; use embeddings of the same encoder"
            )
        mean = torch.from_numpy(source.mean)
        scale = torch.from_numpy(source.spread)
        # A dimension that never changed where the classifier was made says nothing to it.
        scale = torch.where(scale > 0, scale, 1.0)
        if not settings.standardise:
            return cls(mean, scale, mean, scale, here.n_windows)
        seen = here.with_prior(source, PRIOR_WINDOWS)
        spread = torch.from_numpy(seen.spread).clamp(scale / LARGEST_SCALE, scale * LARGEST_SCALE)
        return cls(torch.from_numpy(seen.mean), spread, mean, scale, here.n_windows)

    def in_their_units(
        self, gamma: Tensor, beta: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What a scale and a shift in these units are to embeddings as they come."""
        gamma, beta = gamma.detach().cpu().double(), beta.detach().cpu().double()
        whole = gamma * self.scale / self.spread
        shift = beta * self.scale + self.mean - self.centre * whole
        return whole.float().numpy(), shift.float().numpy()


ROOT_FROM = 1e-3
"""What numbers get more for the slope of their root, which has no bound at zero."""


def root(rows: Tensor) -> Tensor:
    """The square root with its sign, whose slope near zero is that of numbers a little larger.

    >>> number = torch.zeros(1).requires_grad_()
    >>> root(number).sum().backward()
    >>> round(number.grad.item(), 1)
    15.8
    """
    sign = torch.where(rows < 0, -1.0, 1.0).to(rows)
    slope = rows * (0.5 / (rows.detach().abs() + ROOT_FROM).sqrt())
    return slope + (rows.abs().sqrt() * sign - slope).detach()


def centroid_scorer(model: NearestCentroid) -> Scorer:
    """A nearest-centroid classifier as a function that can be trained through.

    Its sigmoid is the classifier's score. What a window has in common with the background (its
    density) is taken as it is: no gradient comes from there.

    Raises
    ------
    ParameterError
        For the plain cosines of "birb", which have no threshold and so no probabilities;
        standardising ("adabn") suits them too, and needs no scorer.
    """
    if model.method != "relative":
        raise ParameterError(
            f"a centroid classifier of method {model.method!r} has no probabilities to learn from; "
            'use method "relative", or adapt with "adabn"'
        )
    background = model.background or Background.plain(model.dimension)
    refused = model._refused()

    def logits(rows: Tensor) -> Tensor:
        if background.rooted:
            rows = root(rows)
        moved = (rows - background.mean.to(rows)) @ background.whitening.to(rows)
        moved = torch.nn.functional.normalize(moved, dim=1)
        density = background.density(moved.detach().cpu()).to(rows)
        own = (moved @ model.centroids.to(rows).T).T
        result = list(_less_the_rest(own, [0] * len(own), density))
        for at, vectors in enumerate(refused):
            if len(vectors):
                nearest = (moved @ vectors.to(rows).T).amax(dim=1)
                result[at] = torch.minimum(result[at], own[at] - REFUSED_WEIGHT * nearest)
        return (torch.stack(result, dim=1) - model.midpoint.to(rows)) / SPREAD

    return logits


class EmbeddingStudent:
    """Embeddings with a scale and a shift to be trained, and a head: `Student` for `train`.

    The float type and the device are those of ``rows``.
    """

    def __init__(
        self,
        rows: Tensor,
        head: LinearHead | Scorer,
        place: Place,
        *,
        can_occur: ArrayLike | None = None,
        head_too: bool = False,
    ) -> None:
        self.rows, self._given = rows, head
        self.centre, self.spread, self.mean, self.scale = (
            values.to(rows.dtype).to(rows.device)
            for values in (place.centre, place.spread, place.mean, place.scale)
        )
        self.gamma = torch.ones_like(self.centre).requires_grad_()
        self.beta = torch.zeros_like(self.centre).requires_grad_()
        self._head_too = head_too
        if isinstance(head, LinearHead):
            if len(head.weight) != rows.shape[1]:
                raise ParameterError(
                    f"the head is of dimension {len(head.weight)}, but embeddings have "
                    f"{rows.shape[1]}; use embeddings of the same encoder"
                )
            weight = torch.from_numpy(head.weight).to(rows)
            # The same answers in the units of training.
            self.bias = (torch.from_numpy(head.bias).to(rows) + self.mean @ weight).detach()
            self.weight = (weight * self.scale[:, None]).detach()
            self.weight.requires_grad_(head_too)
            self.bias.requires_grad_(head_too)
        elif head_too:
            raise ParameterError('train="all" needs a linear head; use train="affine"')
        self._classes: Tensor | None = None
        with torch.no_grad():
            n_classes = self._logits(self._features(rows[:1])).shape[1]
        if can_occur is not None:
            mask = np.asarray(can_occur, bool)
            if mask.shape != (n_classes,) or not mask.any():
                raise ParameterError(
                    f"can_occur has shape {mask.shape} and {mask.sum()} classes in it; give a "
                    f"True or False for each of the {n_classes} classes, at least one of them True"
                )
            self._classes = torch.from_numpy(np.flatnonzero(mask)).to(rows.device)

    def __len__(self) -> int:
        return len(self.rows)

    def trained(self) -> list[tuple[Tensor, float]]:
        """The scale and the shift, and with ``head_too`` the head; each with its size."""
        affine = [(self.gamma, 1.0), (self.beta, 1.0)]
        if not self._head_too:
            return affine
        here = slice(None) if self._classes is None else self._classes
        size = float(self.weight.detach()[:, here].square().mean().sqrt()) or 1.0
        return [*affine, (self.weight, size), (self.bias, 1.0)]

    def look(self, rows: Tensor, draws: Draws | None) -> tuple[Tensor, Tensor]:
        """Features and logits of some rows; see `Student`."""
        features = self._features(self.rows[rows.to(self.rows.device)])
        logits = self._logits(features if draws is None else features * draws.kept(features))
        return features, logits if self._classes is None else logits[:, self._classes]

    def head(self) -> LinearHead | None:
        """The linear head as it is now, on embeddings as the classifier expects them."""
        if not isinstance(self._given, LinearHead) or not self._head_too:
            return self._given if isinstance(self._given, LinearHead) else None
        weight = (self.weight / self.scale[:, None]).detach()
        bias = (self.bias - self.mean @ weight).detach()
        return LinearHead(weight.cpu().numpy(), bias.cpu().numpy())

    def _features(self, rows: Tensor) -> Tensor:
        return (rows - self.centre) / self.spread * self.gamma + self.beta

    def _logits(self, features: Tensor) -> Tensor:
        if isinstance(self._given, LinearHead):
            return features @ self.weight + self.bias
        return self._given(features * self.scale + self.mean)
