"""The methods of adapting to a new place, and the settings that each was published with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal

from explorer.errors import ParameterError

Method = Literal[
    "adabn", "notela", "dropout_student", "tent", "pseudo_label", "shot", "nrc", "dust"
]
METHODS: tuple[Method, ...] = (
    "adabn",
    "notela",
    "dropout_student",
    "tent",
    "pseudo_label",
    "shot",
    "nrc",
    "dust",
)
Trained = Literal["affine", "all"]
Decay = Literal["none", "cosine"]

REACH = 0.5
"""How far all steps together can move a scale, of size one at first, and a shift, in spreads.

With a fixed learning rate methods that only grow surer go astray where windows are many: in a
simulation TENT at 1e-3 went from a cmAP of .99 with 1,500 windows to .95 with 20,000.
"""
LARGEST_RATE = 1e-2
LEAST_ALPHA = 0.05
"""Sharper labels than this cannot be told from zero where the model is undecided."""


@dataclass(frozen=True)
class Settings:
    """How to adapt; equal settings on equal embeddings give equal results.

    Parameters
    ----------
    method
        "adabn": no training, only the statistics of the new place. "notela": the model's own
        labels, smoothed among neighbours (Boudiaf et al. 2023). "dropout_student": the same without
        neighbours. "tent": be decided. "pseudo_label": believe what is sure. "shot": be decided and
        varied. "nrc": agree with neighbours. "dust": believe what does not depend on noise.
    multi_label
        Whether any number of classes may sound in a window, or exactly one.
    standardise
        Whether each dimension is first given the mean and spread that it had where the classifier
        was trained ("adabn" is this step alone); needs the source's `Statistics`.
    train
        "affine": a scale and a shift for each dimension. "all": the linear head too; an expert's
        option, as it lowers rare classes more easily than it helps them.
    learning_rate, decay, epochs, batch_size, weight_decay
        Of Adam; "cosine" lets the learning rate go to zero over all steps. Without a learning rate
        it follows from the number of steps: all of them together can move a scale by `REACH`, and
        weights of a head by as large a share of their usual size.
    dropout
        Share of the dimensions that is hidden from the student in each step.
    n_neighbours
        For "notela" and "nrc", the window itself not counted (published numbers of NOTELA count
        it).
    lambda_, alpha, mutual, online
        Of "notela": weight of the neighbours, softness, whether neighbours must be each other's,
        and whether labels are made for each batch, or for all windows before each epoch.
    threshold
        Of "pseudo_label": above which a probability is sure.
    beta
        Of "shot": weight of its pseudo-labels.
    n_extended, base_affinity
        Of "nrc": neighbours of each neighbour, and the weight of what is not reciprocal.
    passes, least_divergence
        Of "dust": noisy passes, and the divergence that none may reach.
    most_windows
        Windows to learn from, evenly spaced; a scale and a shift need no more. None for all.
    seed
        Of every random choice.
    """

    method: Method = "notela"
    multi_label: bool = True
    standardise: bool = True
    train: Trained = "affine"
    learning_rate: float | None = None
    decay: Decay = "cosine"
    epochs: int = 10
    batch_size: int = 64
    weight_decay: float = 0.0
    dropout: float = 0.2
    n_neighbours: int = 4
    lambda_: float = 1.0
    alpha: float = 1.0
    mutual: bool = True
    online: bool = False
    threshold: float = 0.5
    beta: float = 0.0
    n_extended: int = 5
    base_affinity: float = 0.1
    passes: int = 4
    least_divergence: float = 0.9
    most_windows: int | None = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ParameterError(f"method {self.method!r} is not known; use {', '.join(METHODS)}")
        if self.train not in ("affine", "all"):
            raise ParameterError(f"train is {self.train!r}; use affine or all")
        if self.decay not in ("none", "cosine"):
            raise ParameterError(f"decay is {self.decay!r}; use none or cosine")
        least = {
            "weight_decay": 0.0,
            "lambda_": 0.0,
            "epochs": 1,
            "batch_size": 1,
            "n_neighbours": 1,
            "n_extended": 1,
            "passes": 1,
        }
        for name, value in least.items():
            given = getattr(self, name)
            if not value <= given < float("inf"):
                raise ParameterError(f"{name} is {given}; use a number from {value:g} upwards")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ParameterError(f"learning_rate is {self.learning_rate}; use one above 0, or None")
        if not (self.alpha == 0 or LEAST_ALPHA <= self.alpha < float("inf")):
            raise ParameterError(
                f"alpha is {self.alpha}; use 0 for the best class alone, or {LEAST_ALPHA} and more"
            )
        if not 0 <= self.dropout < 1:
            raise ParameterError(f"dropout is {self.dropout}; use a share from 0 to below 1")
        if self.most_windows is not None and self.most_windows < 1:
            raise ParameterError(f"most_windows is {self.most_windows}; use at least 1, or None")

    def rate(self, n_steps: int, size: float = 1.0) -> float:
        """The learning rate for so many steps, of what has numbers of this size."""
        return self.learning_rate or size * min(LARGEST_RATE, REACH / n_steps)

    def to_dict(self) -> dict[str, object]:
        """The settings as plain JSON values."""
        return asdict(self)


_BN = Settings(standardise=False, decay="none")
_ALL = Settings(standardise=False, multi_label=False, train="all")

PUBLISHED: Mapping[tuple[Method, bool], Settings] = MappingProxyType(
    {
        (settings.method, settings.multi_label): settings
        for settings in (
            replace(_BN, method="adabn", standardise=True),
            replace(_BN, method="notela", learning_rate=1e-4),
            replace(_BN, method="dropout_student", learning_rate=1e-4),
            replace(_BN, method="tent", learning_rate=1e-5, decay="cosine"),
            replace(_BN, method="pseudo_label", learning_rate=1e-5),
            replace(_BN, method="shot", learning_rate=1e-5, decay="cosine", dropout=0.0),
            replace(_BN, method="nrc", learning_rate=1e-5, decay="cosine", n_neighbours=5),
            replace(_BN, method="dust", learning_rate=1e-4, decay="cosine", train="all"),
            replace(_ALL, method="adabn", standardise=True),
            replace(
                _ALL,
                method="notela",
                learning_rate=1e-4,
                n_neighbours=14,
                lambda_=2.0,
                online=True,
            ),
            replace(_ALL, method="dropout_student", learning_rate=1e-3, alpha=0.5),
            replace(_ALL, method="tent", learning_rate=1e-3),
            replace(_ALL, method="pseudo_label", learning_rate=1e-3, decay="none", train="affine"),
            replace(_ALL, method="shot", learning_rate=1e-3, beta=0.6),
            replace(_ALL, method="nrc", learning_rate=1e-4, n_neighbours=15, n_extended=10),
            replace(_ALL, method="dust", learning_rate=1e-4, decay="none"),
        )
    }
)
"""Settings for audio by method and whether it is multi-label, as published (golden/README.md 2.5).

The learning rates belong to networks that are trained further; "affine" stands for the scale and
shift of BatchNorm. Published numbers of neighbours count the window itself for NOTELA (5 and 15).
"""


def settings_for(method: Method, *, multi_label: bool = True) -> Settings:
    """Settings of a method for embeddings that stay as they are; see `Settings`."""
    published = PUBLISHED[method, multi_label]
    return replace(published, standardise=True, train="affine", learning_rate=None, decay="cosine")
