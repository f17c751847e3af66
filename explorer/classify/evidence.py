"""Why a window scores as it does, and which labels look wrong.

Everything is told in labelled windows, by their row in the `Labelled` that a classifier was made
of, so that they can be played. What an example contributes is what its absence would change; no
classifier is fitted anew for that.

- **Nearest centroid**: exact, to rounding, for the likeness that scores are a monotone map of. A
  centroid without one example is known in closed form, and the geometry of the `Background` is
  learnt without labels, so that it stays as it is. Of what stands in the way of a class, the
  example's part as a competing class or as a refused window is counted too. Two things are held
  fixed: the midpoint, where the score is a half; and which 64 refused windows count, where a class
  has more.
- **Probe**: one Newton step (`explorer.classify.influence.Curvature`), on the logit before classes
  compete. Correlation with refits is above .99 on the golden fixture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.classify.background import Background, Prepared
from explorer.classify.centroid import SPREAD, NearestCentroid
from explorer.classify.centroid_evidence import Examples
from explorer.classify.influence import Curvature, too_heavy
from explorer.classify.labelled import Labelled
from explorer.classify.probe import Probe, compete, together
from explorer.classify.training import Problem, threshold_shift
from explorer.errors import ParameterError
from explorer.space.blocks import Corpus, as_float32, iterate_blocks
from explorer.space.parallel import in_order

Model: TypeAlias = NearestCentroid | Probe
Contributions = NDArray[np.float32]

READ_ROWS = 4096

LIKE_NOTHING = 0.5
"""Doubt about an example that no class is like."""

Windows: TypeAlias = tuple[torch.Tensor, torch.Tensor | None]
"""Windows to be asked about: vectors and density in the background's geometry, or embeddings."""


def contributions(
    model: Model, labelled: Labelled, windows: Corpus | Prepared, class_: str
) -> Contributions:
    """What each labelled window contributes to each window's being of a class.

    Parameters
    ----------
    labelled
        What the model was made of.
    windows
        Embeddings ``[n, dimension]``, or what `Background.prepare` made of them.

    Returns
    -------
    float32 ``[n, n_labelled]``: by how much the likeness (of a probe: the logit) would fall without
    it. Positive supports, negative contradicts. NaN for the only example of the class, without
    which there is none.

    Raises
    ------
    ParameterError
        If the model has no such class, was not made of ``labelled``, or is of a kind that cannot be
        asked: "agile", or with hidden units.
    """
    column = _column(model, labelled, class_)
    geometry: Background | None
    if isinstance(model, Probe):
        ((bend, _),) = _curvatures(model, [column])
        moves = torch.from_numpy(bend.moves()).float()
        of_class = labelled.positive[:, column]
        if of_class.sum() == 1:
            moves[torch.from_numpy(of_class)] = torch.nan
        geometry = home = model.background or Background.plain(model.dimension)

        def one(block: Windows) -> torch.Tensor:
            vectors = block[0] if block[1] is not None else home.transform(block[0])
            return -(vectors @ moves[:, :-1].T + moves[:, -1])

    else:
        examples = Examples.of(model, labelled)
        geometry = examples.background

        def one(block: Windows) -> torch.Tensor:
            vectors, density = block
            if density is None:
                vectors, density = examples.place(vectors)
            return examples.contributions(vectors, density, column)

    parts = in_order(one, _blocks(windows, geometry))
    return cast(Contributions, torch.cat([torch.zeros(0, len(labelled)), *parts]).numpy())


def left_out(model: Model, labelled: Labelled) -> NDArray[np.float32]:
    """The score of each labelled window for each class, had it not been labelled.

    Returns
    -------
    float32 ``[n_labelled, n_classes]``, NaN where a class has no other example. For BIRB's methods
    the cosine.
    """
    _check(model, labelled)
    if isinstance(model, NearestCentroid):
        likeness = Examples.of(model, labelled).left_out()
        if model.method != "relative":
            return cast("NDArray[np.float32]", likeness.numpy())
        return cast(
            "NDArray[np.float32]", torch.sigmoid((likeness - model.midpoint) / SPREAD).numpy()
        )
    logits = [
        torch.from_numpy(bend.left_out_logits() + shift)
        for bend, shift in _curvatures(model, range(len(model.classes)))
    ]
    positive = torch.from_numpy(labelled.positive)
    scores = compete(torch.stack(logits, dim=1), together(labelled)).sigmoid()
    scores = torch.where(positive & (positive.sum(dim=0) == 1), torch.nan, scores)
    return cast("NDArray[np.float32]", scores.float().numpy())


@dataclass(frozen=True)
class Explanation:
    """Which labelled windows speak for and against a window's being of a class.

    Attributes
    ----------
    supports, contradicts
        Row in the `Labelled` and contribution, the weightiest first; see `contributions`.
    sentence
        In words for a person.
    """

    supports: tuple[tuple[int, float], ...]
    contradicts: tuple[tuple[int, float], ...]
    sentence: str


def explain(
    model: Model, labelled: Labelled, window: ArrayLike, class_: str, *, most: int = 5
) -> Explanation:
    """Which labelled windows most support, and most contradict, a detection.

    Parameters
    ----------
    window
        The embedding of the window that was detected, ``[dimension]``.
    most
        How many of each.

    Examples
    --------
    >>> labelled = Labelled.of({"a": [[0, 1.0], [0.1, 1]], "b": [[1.0, 0]]})
    >>> model = NearestCentroid.fit(labelled.examples())
    >>> why = explain(model, labelled, [0.0, 2.0], "a")
    >>> why.supports[0][0], why.contradicts[0][0]
    (0, 1)
    """
    row = np.atleast_2d(np.asarray(window, dtype=np.float32))
    found = contributions(model, labelled, row, class_)[0]
    column = model.classes.index(class_)
    if np.isnan(found).any():
        only = int(np.argmax(np.isnan(found)))
        return Explanation(((only, np.nan),), (), f"There is a single example of {class_} so far.")
    order = np.argsort(-found, kind="stable")
    supports = tuple((int(at), float(found[at])) for at in order[:most] if found[at] > 0)
    against = tuple((int(at), float(found[at])) for at in order[::-1][:most] if found[at] < 0)
    of_class = labelled.positive[:, column]
    parts = [
        f"Of {of_class.sum()} examples of {class_}, {(found[of_class] > 0).sum()} speak for it",
        f"{(found[of_class] < 0).sum()} against it",
    ]
    others = int((found[~of_class] < 0).sum())
    if others:
        few = "1 window" if others == 1 else f"{others} windows"
        parts.append(f"and {few} labelled otherwise speak{'s' * (others == 1)} against it")
    return Explanation(supports, against, ", ".join(parts) + ".")


@dataclass(frozen=True)
class Suspect:
    """A label that the other labels disagree with.

    Attributes
    ----------
    row
        In the `Labelled`.
    class_
        The class that it was judged for.
    is_example
        Whether it is an example of the class; else it was refused.
    doubt
        From 0 to 1.
    reason
        In words for a person.
    """

    row: int
    class_: str
    is_example: bool
    doubt: float
    reason: str


def suspects(model: Model, labelled: Labelled, *, more_than: float = 0.5) -> tuple[Suspect, ...]:
    """Labels that look wrong, the most doubtful first.

    Each window is scored as if it had not been labelled (`left_out`). An example is doubted where
    its own class scores low and another one high; a refused window where it scores high. With one
    label in twelve swapped among birds, frogs and environmental sounds, 4 to 16 examples a class,
    four of five were found and three of four that were found had been swapped.

    Parameters
    ----------
    more_than
        Least doubt. An example that is like no class at all is never doubted by more than a half,
        as rare calls are like that too; a lower value lists those as well.
    """
    scores = left_out(model, labelled).astype(np.float64)
    found = []
    for column, name in enumerate(labelled.classes):
        rivals = np.nan_to_num(scores)
        rivals[labelled.positive | (np.arange(scores.shape[1]) == column)] = -1
        rival = rivals.argmax(axis=1)
        for row in np.flatnonzero(labelled.positive[:, column] & np.isfinite(scores[:, column])):
            own, other = scores[row, column], rivals[row, rival[row]]
            doubt = (1 - own) * max(other, LIKE_NOTHING)
            if other > LIKE_NOTHING:
                rest = f"it is like {labelled.classes[rival[row]]} ({other:.2f})"
            else:
                rest = "it is unlike its other examples"
            reason = (
                f"Labelled {name}, but {rest}; without its label it scores {own:.2f} for {name}."
            )
            found.append(Suspect(int(row), name, True, float(doubt), reason))
        for row in np.flatnonzero(labelled.negative[:, column] & np.isfinite(scores[:, column])):
            own = scores[row, column]
            reason = f"Refused as {name}, but like its examples: it scores {own:.2f} for {name}."
            found.append(Suspect(int(row), name, False, float(own), reason))
    doubted = [suspect for suspect in found if suspect.doubt > more_than]
    return tuple(sorted(doubted, key=lambda suspect: -suspect.doubt))


@dataclass(frozen=True)
class Gap:
    """How much worse a probe is expected to be on new windows than on those it was made of.

    Attributes
    ----------
    loss
        Mean cross-entropy on its labelled windows.
    takeuchi
        Takeuchi's criterion for what is added to it on new windows; NaN where not identifiable.
    left_out
        The same from leaving out each labelled window, by a Newton step: good with few examples.
    reason
        Why Takeuchi's criterion is not identifiable, or empty.
    """

    loss: float
    takeuchi: float
    left_out: float
    reason: str


def expected_gap(probe: Probe) -> dict[str, Gap]:
    """The expected generalisation gap of each class of a probe.

    Takeuchi's criterion (Thomas et al. 2020) takes each example for one among many. With the few
    examples that a class usually has it is too low, and said to be not identifiable.
    """
    found = {}
    every = _curvatures(probe, range(len(probe.classes)))
    for name, (curvature, _) in zip(probe.classes, every, strict=True):
        targets = curvature.targets

        def loss(logits: NDArray[np.float64], targets: NDArray[np.float64] = targets) -> float:
            return float((np.logaddexp(0, logits) - targets * logits).mean())

        reason = too_heavy(float(curvature.leverage.max()))
        criterion = float((curvature.weights * curvature.residuals**2 * curvature.reach).mean())
        own = loss(curvature.logits)
        found[name] = Gap(
            own,
            np.nan if reason else criterion,
            loss(curvature.left_out_logits()) - own,
            reason,
        )
    return found


def _column(model: Model, labelled: Labelled, class_: str) -> int:
    _check(model, labelled)
    if class_ not in model.classes:
        raise ParameterError(f"there is no class {class_!r}; there are {', '.join(model.classes)}")
    return model.classes.index(class_)


def _check(model: Model, labelled: Labelled) -> None:
    """Refuse a model that was not made of these windows, or that cannot be asked."""
    if isinstance(model, Probe):
        if model.training.method != "converged" or model.hidden is not None:
            raise ParameterError(
                "only a converged, linear probe can say what its examples contribute; make one "
                "without hidden units"
            )
        same = model.labelled.truth.shape == labelled.truth.shape
    else:
        counts = [len(rows) for rows in model.examples.values()]
        same = counts == labelled.positive.sum(axis=0).tolist()
    if not same or model.classes != labelled.classes:
        raise ParameterError("the classifier was not made of these labelled windows; make it anew")


def _curvatures(probe: Probe, columns: Iterable[int]) -> Iterator[tuple[Curvature, float]]:
    """Classes of a probe at their optimum, and what was added to their intercepts since."""
    home = probe.background or Background.plain(probe.dimension)
    problem = Problem.of(probe.labelled, home, probe.training)
    shifts = threshold_shift(problem.targets, problem.weights)
    penalties = np.append(np.full(probe.dimension, probe.training.penalty), 0.0)
    features = torch.cat([problem.features, torch.ones(len(problem.features), 1)], dim=1).numpy()
    for column in columns:
        shift = float(shifts[column])
        coefficients = torch.cat([probe.weight[column], probe.bias[[column]] - shift])
        bend = Curvature.of(
            features,
            problem.targets[column].numpy(),
            coefficients.double().numpy(),
            penalties,
            problem.weights[column].numpy(),
            first=problem.n_labelled,
        )
        yield bend, shift


def _blocks(windows: Corpus | Prepared, background: Background | None) -> Iterator[Windows]:
    if isinstance(windows, Prepared) and background is not None:
        if windows.background.digest != background.digest:
            raise ParameterError(
                "these windows were prepared in another geometry; move the classifier there with "
                "on(...), or give the embeddings"
            )
        for start in range(0, len(windows), READ_ROWS):
            part = slice(start, start + READ_ROWS)
            yield windows.vectors[part].float(), windows.density[part]
        return
    if isinstance(windows, Prepared):
        if windows.source is None:
            raise ParameterError("give the embeddings: this classifier compares them as they are")
        windows = windows.source
    for _, block in iterate_blocks(windows, READ_ROWS):
        yield as_float32(block), None
