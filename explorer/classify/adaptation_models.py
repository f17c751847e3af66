"""Adapting centroids and probes: learning through them, and using them among other sounds.

`explorer.classify.adaptation` finds a scale and a shift for each dimension. For a centroid that is
not all: it compares a window with the background around it, and that is the new place's. So the
landmarks of the old place give way to windows of the new one, scaled and shifted like everything
that is scored. With four examples of birds, frogs and other sounds, and a made change of place
(another recorder, distance, noise, all three), mean cmAP of centroids was .76 as they are, .79 in
the new place's own background, .78 scaled and shifted, and .81 with landmarks of the new place as
well. Probes keep their weights: learnt anew against the new place they ranked no better.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.classify.adaptation import Adapted, Moved, adapt
from explorer.classify.adaptation_settings import Settings
from explorer.classify.adaptation_student import ROOT_FROM, Scorer, Statistics, centroid_scorer
from explorer.classify.adaptation_training import OnProgress
from explorer.classify.background import LANDMARKS, Background
from explorer.classify.centroid import NearestCentroid
from explorer.classify.kinds import Model
from explorer.classify.probe import Probe, compete, together
from explorer.errors import ParameterError
from explorer.space.blocks import Corpus, evenly_spaced

READ_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A classifier of one place at another: `scores` takes embeddings of the new place.

    Make one with `Elsewhere.of`.

    Attributes
    ----------
    model
        The classifier; a centroid with landmarks of the new place.
    gamma, beta
        What embeddings are multiplied with, and what is added to them, float32 ``[dimension]``.
    """

    model: Model
    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        model: Model,
        gamma: NDArray[np.float32],
        beta: NDArray[np.float32],
        embeddings: Corpus,
    ) -> Elsewhere:
        """Put a classifier among the sounds of a new place.

        Parameters
        ----------
        embeddings
            Of the new place, ``[n, dimension]``; some 2,000 of them are read.
        """
        return cls(_among(model, Moved(embeddings, gamma, beta)), gamma, beta)

    def scores(self, embeddings: Corpus) -> NDArray[np.float32]:
        """Score windows of the new place, float32 ``[n, n_classes]``; see the model's ``scores``.

        The embeddings are read block by block, and none is kept.
        """
        parts = [np.zeros((0, len(self.model.classes)), np.float32)]
        for _, rows in Moved(embeddings, self.gamma, self.beta).blocks(READ_ROWS):
            parts.append(self.model.scores(rows))
        return np.concatenate(parts)


def adapt_model(
    model: Model,
    embeddings: Corpus,
    *,
    settings: Settings,
    source: Statistics | None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Adapted:
    """Adapt a centroid or a probe to a new place; for arguments and errors see `adapt`.

    Methods that learn from what the classifier believes hear it among the sounds of the new place.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> here, there = rng.random((300, 4)), 2 * rng.random((300, 4))
    >>> model = NearestCentroid.fit({"a": here[:3], "b": here[3:6]}, background=here)
    >>> adapted = adapt_model(
    ...     model, there, settings=Settings("adabn"), source=Statistics.of(here)
    ... )
    >>> adapted.gamma.round(1).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if settings.method == "adabn":
        return adapt(None, embeddings, settings=settings, source=source, on_progress=on_progress)
    heard = embeddings
    if settings.standardise:
        first = adapt(None, embeddings, settings=replace(settings, method="adabn"), source=source)
        heard = first.embeddings(embeddings)
    return adapt(
        scorer_of(_among(model, heard)),
        embeddings,
        settings=settings,
        source=source,
        device=device,
        on_progress=on_progress,
        cancel=cancel,
    )


def scorer_of(model: Model) -> Scorer:
    """Any classifier as a function from embeddings to logits that can be trained through.

    Raises
    ------
    ParameterError
        For centroids that give plain cosines; see `centroid_scorer`.
    """
    return centroid_scorer(model) if isinstance(model, NearestCentroid) else _probe_scorer(model)


def _probe_scorer(probe: Probe) -> Scorer:
    home = probe.background or Background.plain(probe.dimension)
    allies = together(probe.labelled)

    def logits(rows: Tensor) -> Tensor:
        weight, bias = probe.weight.to(rows), probe.bias.to(rows)
        if probe.training.method != "converged":
            return rows @ weight.T + bias
        if home.rooted:
            # As in `centroid_scorer`: the slope of the root at zero is without bound.
            rows = ((rows.abs() + ROOT_FROM).sqrt() - ROOT_FROM**0.5) * rows.sign()
        moved = (rows - home.mean.to(rows)) @ home.whitening.to(rows)
        moved = torch.nn.functional.normalize(moved, dim=1)
        return compete(moved @ weight.T + bias, allies.to(rows.device))

    return logits


def _among(model: Model, embeddings: Corpus) -> Model:
    """The classifier with these embeddings for the sounds around, where it looks at those."""
    background = model.background
    if isinstance(model, Probe) or background is None or not len(background.landmarks):
        return model
    _, sample = evenly_spaced(embeddings, LANDMARKS)
    if not len(sample):
        raise ParameterError("no embedding of the new place is finite; embed its windows again")
    around = replace(background, landmarks=background.transform(sample))
    return model.on(around)
