"""Linear probes: a weight for every dimension of the embedding, learnt from examples.

A nearest centroid knows where a class is; a probe also learns what tells it from the rest, which
takes more examples. Each class is a logistic regression of its own, so that a window may be of
several classes or of none. What is particular here:

- Windows are compared in the geometry of the `Background`, as in `NearestCentroid`, so that both
  share everything that is computed once for a run.
- Unlabelled windows of the place (the background's landmarks) are **weak negatives**: each counts
  little, as some are of the class after all, and together they count at most as much as the
  labelled windows. A window that is labelled for another class only counts half.
- The regression is **solved to convergence**, with a penalty on its weights: the answer depends on
  the examples alone, not on a learning rate or on chance.
- Classes **compete**, unless a person has found both in one window; see `COMPETITION`.
- The score of a half is moved to a sensible first threshold.

``Training(method="agile")`` is the published probe of agile modelling instead (golden/README.md
5.2). ``tests/benchmarks/probe.py`` compares them, the centroid, and scikit-learn's regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.classify import agile
from explorer.classify.background import Background, Prepared
from explorer.classify.head import Hidden, train
from explorer.classify.labelled import Arrays, Labelled
from explorer.classify.logistic import TOLERANCE, solve
from explorer.classify.training import Problem, Training, threshold_shift
from explorer.classify.weights import read, write
from explorer.encoders.devices import choose_device
from explorer.errors import ParameterError
from explorer.space.blocks import Block, Corpus, as_float32, evenly_spaced, iterate_blocks
from explorer.space.parallel import in_order

FORMAT = "explorer linear probe"
FORMAT_VERSION = 1

COMPETITION = 0.5
"""Share of the best competing class's logit that is taken off where that is above 0: a window that
is clearly of one class is less likely of another. AUC with four examples rises from .950 to .971 on
ten bird species, from .914 to .925 on environmental sounds, from .967 to .971 on frogs."""
READ_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier of each class. Make one with `Probe.fit`.

    Attributes
    ----------
    classes
        Names, in the order of the score columns.
    weight, bias
        float32 ``[n_classes, dimension]`` and ``[n_classes]``.
    labelled
        What it was made of.
    background
        The geometry that it works in; None for "agile", which takes embeddings as they are.
    training
        How it was made.
    hidden
        Hidden units beside the linear weights, where ``training`` asks for them.
    metadata
        What `save` was given, after `load`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> low, high = rng.random((50, 16)), rng.random((50, 16)) + np.linspace(0, 2, 16)
    >>> windows = np.concatenate([low, high])
    >>> probe = Probe.fit({"low": low[:9], "high": high[:9]}, background=windows)
    >>> probe.scores(windows).shape
    (100, 2)
    >>> probe.predict(windows[[0, 99]]).tolist()
    ['low', 'high']
    """

    classes: tuple[str, ...]
    weight: torch.Tensor
    bias: torch.Tensor
    labelled: Labelled
    background: Background | None
    training: Training
    hidden: Hidden | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        examples: Labelled | Arrays,
        *,
        background: Background | Corpus | None = None,
        negatives: Arrays | None = None,
        training: Training | None = None,
        device: str | torch.device = "cpu",
    ) -> Probe:
        """Learn a probe from labelled windows and the unlabelled ones around them.

        Parameters
        ----------
        examples
            Embeddings ``[k, dimension]`` of each class, or a `Labelled`.
        background
            Unlabelled embeddings of the place ``[n, dimension]``, or a fitted `Background` (which
            "agile" cannot use, as it needs the embeddings themselves). Without it a class needs
            negatives, or other classes, to be told from.
        negatives
            Embeddings of windows that are not of the class, by class.
        device
            Where to solve: "cpu", "cuda", "mps" or "auto". A hundred labels take a tenth of a
            second on a CPU.

        Raises
        ------
        ParameterError
            A class without an example or without anything to be told from; dimensions that do not
            agree.
        """
        labelled = examples if isinstance(examples, Labelled) else Labelled.of(examples, negatives)
        if isinstance(examples, Labelled) and negatives:
            raise ParameterError("a Labelled holds its negatives already; give them there")
        training = training or Training()
        if training.method == "agile":
            return _agile(labelled, background, training, choose_device(device))
        if background is not None and not isinstance(background, Background):
            background = Background.fit(background)
        home = background or Background.plain(labelled.dimension)
        problem = Problem.of(labelled, home, training)
        nothing = ((1 - problem.targets) * problem.weights).sum(dim=1) <= 0
        if nothing.any():
            names = [n for n, none in zip(labelled.classes, nothing.tolist(), strict=True) if none]
            raise ParameterError(
                f"there is nothing to tell {', '.join(names)} from: give background=, or windows "
                "that are not of the class"
            )
        on = choose_device(device)
        exact = torch.float32 if on.type == "mps" else torch.float64
        given = (problem.features, problem.targets, problem.weights)
        features, targets, counts = (part.to(on, exact) for part in given)
        solved, hidden = learn(features, targets, counts, training)
        bias = solved[:, -1].cpu() + threshold_shift(problem.targets, problem.weights)
        weight = solved[:, :-1].float().cpu().contiguous()
        if hidden is not None:
            hidden = Hidden(hidden.fan_in.float().cpu(), hidden.fan_out.float().cpu())
        return cls(labelled.classes, weight, bias.float(), labelled, background, training, hidden)

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self.weight.shape[1]

    def logits(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """How far each window is on the class's side, from minus to plus infinity.

        Returns
        -------
        float32 ``[n, n_classes]``, of which `scores` is the sigmoid; minus infinity where the
        embedding is not finite.
        """
        apart = self._apart(embeddings)
        if self.training.method != "converged":
            return apart
        competing = compete(torch.from_numpy(apart), together(self.labelled))
        return cast("NDArray[np.float32]", competing.numpy())

    def scores(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """Score every window for every class: the sigmoid of its logit.

        Parameters
        ----------
        embeddings
            ``[n, dimension]`` of any kind, or what `Background.prepare` made of them, which is
            quick. A `Prepared` of another background learns the probe there first (see `on`).

        Returns
        -------
        float32 ``[n, n_classes]`` in [0, 1], 0 where the embedding is not finite.
        """
        logits = torch.from_numpy(self.logits(embeddings))
        return cast("NDArray[np.float32]", logits.sigmoid().numpy())

    def predict(
        self, embeddings: Corpus | Prepared, *, threshold: float | None = None
    ) -> NDArray[np.object_]:
        """Name the best class of each window, ``[n]``; None where it is below ``threshold``."""
        scores = self.scores(embeddings)
        names = np.array(self.classes, dtype=object)[scores.argmax(axis=1)]
        if threshold is not None:
            names[scores.max(axis=1) < threshold] = None
        return cast("NDArray[np.object_]", names)

    def on(self, background: Background | None) -> Probe:
        """The same examples, learnt in the geometry of another place and against its windows."""
        if background is None or self.training.method != "converged":
            return self
        if self.background is not None and self.background.digest == background.digest:
            return self
        moved = Probe.fit(self.labelled, background=background, training=self.training)
        return replace(moved, metadata=self.metadata)

    def save(self, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Write the probe as safetensors, with its examples and background, in one step.

        Parameters
        ----------
        metadata
            Anything JSON can hold, such as the run it was made for; see `metadata`.
        """
        groups = self.labelled.groups
        tensors = {
            "weight": self.weight,
            "bias": self.bias,
            "rows": torch.from_numpy(self.labelled.rows),
            "truth": torch.from_numpy(self.labelled.truth),
        }
        about: dict[str, Any] = {
            "classes": list(self.classes),
            "training": asdict(self.training),
            "groups": None if groups is None else [str(group) for group in groups],
            "metadata": dict(metadata if metadata is not None else self.metadata),
            "background": None,
        }
        if self.hidden is not None:
            tensors |= {"fan_in": self.hidden.fan_in, "fan_out": self.hidden.fan_out}
        if self.background is not None:
            tensors |= {f"background.{key}": t for key, t in self.background.tensors().items()}
            about["background"] = self.background.about()
        write(path, tensors, about, FORMAT, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> Probe:
        """Read a probe.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no probe, or damaged.
        """
        tensors, about = read(path, FORMAT, FORMAT_VERSION)
        background = None
        if about["background"] is not None:
            start = "background."
            parts = {key[len(start) :]: t for key, t in tensors.items() if key.startswith(start)}
            background = Background.from_tensors(parts, about["background"])
        classes = tuple(about["classes"])
        groups = None if about["groups"] is None else np.array(about["groups"], dtype=object)
        rows, truth = tensors["rows"].numpy(), tensors["truth"].numpy()
        return cls(
            classes=classes,
            weight=tensors["weight"],
            bias=tensors["bias"],
            labelled=Labelled(classes, rows, truth, groups),
            background=background,
            training=Training(**about["training"]),
            hidden=Hidden(tensors["fan_in"], tensors["fan_out"]) if "fan_in" in tensors else None,
            metadata=about["metadata"],
        )

    def _apart(self, embeddings: Corpus | Prepared) -> NDArray[np.float32]:
        """Logits before classes compete, minus infinity where the embedding is not finite."""
        if isinstance(embeddings, Prepared):
            if self.training.method == "converged":
                return self.on(embeddings.background)._on_prepared(embeddings)
            if embeddings.source is None:
                raise ParameterError(
                    "the agile probe needs the embeddings themselves, and these were prepared from "
                    "an iterator; prepare an array, or score the embeddings"
                )
            embeddings = embeddings.source
        home = self.background or Background.plain(self.dimension)

        def one(block: Block) -> NDArray[np.float32]:
            rows = as_float32(block[1])
            finite = torch.isfinite(rows).all(dim=1, keepdim=True)
            if self.training.method == "converged":
                rows = home.transform(rows)
            result = self._on_vectors(torch.where(finite, rows, 0.0))
            return cast("NDArray[np.float32]", torch.where(finite, result, -torch.inf).numpy())

        empty = np.zeros((0, len(self.classes)), np.float32)
        return np.concatenate([empty, *in_order(one, iterate_blocks(embeddings, READ_ROWS))])

    def _on_vectors(self, vectors: torch.Tensor) -> torch.Tensor:
        """Logits of vectors that are where the weights are, ``[n, n_classes]``."""
        result = vectors @ self.weight.T + self.bias
        return result if self.hidden is None else result + self.hidden(vectors)

    def _on_prepared(self, prepared: Prepared) -> NDArray[np.float32]:
        if self.hidden is None:
            # Kept there for the classes that a click leaves as they are.
            result = torch.stack(prepared.likeness(self.weight), dim=1) + self.bias
        else:
            starts = range(0, len(prepared), READ_ROWS)
            blocks = (prepared.vectors[at : at + READ_ROWS].float() for at in starts)
            empty = torch.zeros(0, len(self.classes))
            result = torch.cat([empty, *in_order(self._on_vectors, blocks)])
        result = torch.where(prepared.finite[:, None], result, -torch.inf)
        return cast("NDArray[np.float32]", result.numpy())


def learn(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    training: Training,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[torch.Tensor, Hidden | None]:
    """Linear weights ``[n_classes, dimension + 1]`` and hidden units, from what `Problem` holds."""
    solved = solve(features, targets, weights, penalty=training.penalty, tolerance=tolerance)
    if not training.hidden_units:
        return solved, None
    units, penalty = training.hidden_units, training.penalty
    return train(features, targets, weights, solved, penalty=penalty, units=units)


def together(labelled: Labelled) -> torch.Tensor:
    """Which classes a person has found in one window, bool ``[n_classes, n_classes]``."""
    positive = torch.from_numpy(labelled.positive).float()
    return positive.T @ positive > 0


def compete(logits: torch.Tensor, allies: torch.Tensor) -> torch.Tensor:
    """Take from each logit ``[..., n_classes]`` a share of the best competing class's.

    ``allies`` ``[n_classes, n_classes]`` says who does not compete; a class is its own ally.

    >>> compete(torch.tensor([[4.0, 1.0, -1.0]]), torch.eye(3).bool()).tolist()
    [[3.5, -1.0, -3.0]]
    """
    rest = torch.zeros_like(logits)
    for column, ally in enumerate(allies):
        if not bool(ally.all()):
            rest[..., column] = logits[..., ~ally].amax(dim=-1).clamp(min=0)
    return logits - COMPETITION * rest


def _agile(
    labelled: Labelled,
    background: Background | Corpus | None,
    training: Training,
    device: torch.device,
) -> Probe:
    if isinstance(background, Background | Iterator):
        raise ParameterError(
            "the agile probe draws from unlabelled embeddings as they are: give background= an "
            "array or a collection's embeddings"
        )
    unlabelled = None
    if background is not None:
        unlabelled = evenly_spaced(background, agile.MOST_UNLABELLED)[1].to(device)
    truth = torch.from_numpy(labelled.truth)
    trained = agile.train(
        torch.from_numpy(labelled.rows).to(device),
        truth.nan_to_num(0.0).to(device),
        (~truth.isnan()).to(device),
        unlabelled=unlabelled,
        weak_weight=training.weak_weight,
        seed=training.seed,
    )
    weight, bias = trained.weight.T.cpu().contiguous(), trained.bias.cpu()
    return Probe(labelled.classes, weight, bias, labelled, None, training)
