"""What a probe is learnt from: labelled windows, weak negatives, and what each of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from explorer.classify import agile
from explorer.classify.background import SAME_WINDOW, Background
from explorer.classify.labelled import Labelled
from explorer.errors import ParameterError

Method = Literal["converged", "agile"]
METHODS: tuple[Method, ...] = ("converged", "agile")

BALANCED_UNTIL = 20.0
"""A regression learns how rare its examples are, and with few of them all scores stay below a half.
The logarithm of negatives per positive is given back to the intercept, times 20 / (20 + examples):
the weights have grown to make up for it by then. On 32 classes of real recordings F1 at a half is
.69 with 4 examples and .77 with 16; the best threshold has .71 and .78 (without this: .06 and .61).
"""


@dataclass(frozen=True)
class Training:
    """How a probe is made of its examples.

    Attributes
    ----------
    method
        "converged" (the default), or "agile": 128 steps of Adam on the embeddings as they are.
    penalty
        On the squared weights, in the sum of all windows' losses; scikit-learn's C is 1 / penalty.
        From .03 to .3 rankings hardly differ.
    weak_weight
        What an unlabelled window counts as a negative, at most.
    unknown_weight
        What a labelled window counts as a negative of the classes that nobody has judged it for.
        ("agile" takes ``weak_weight``.) With 0.05 in its place four examples give AUC .942 instead
        of .951 on ten bird species; 1 is right where every window is of one class only.
    hidden_units
        That are grown beside the linear weights; see `explorer.classify.choice.grow`.
    seed
        Of the random numbers that "agile" draws.
    """

    method: Method = "converged"
    penalty: float = 0.1
    weak_weight: float = agile.WEAK_WEIGHT
    unknown_weight: float = 0.5
    hidden_units: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ParameterError(
                f"method {self.method!r} is not known; use one of {', '.join(METHODS)}"
            )
        if not self.penalty > 0:
            raise ParameterError(f"penalty must be above 0, not {self.penalty}")
        if self.hidden_units < 0 or (self.hidden_units and self.method != "converged"):
            raise ParameterError(
                f"{self.hidden_units} hidden units beside method {self.method!r}: give 0 or more, "
                "beside a converged probe"
            )
        for name in ("weak_weight", "unknown_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} must be from 0 to 1, not {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Problem:
    """What a converged probe is solved from: labelled windows first, then weak negatives.

    ``features`` is ``[n, dimension]`` in the background's geometry, ``targets`` and ``weights``
    are ``[n_classes, n]``; all are float64.
    """

    features: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    n_labelled: int

    @classmethod
    def of(cls, labelled: Labelled, background: Background, training: Training) -> Problem:
        """Gather the rows; landmarks that are labelled windows themselves are left out."""
        own = background.transform(labelled.rows)
        weak = background.landmarks
        if len(weak):
            weak = weak[(weak @ own.T).amax(dim=1) < SAME_WINDOW]
        truth = torch.from_numpy(labelled.truth).double().T
        targets = torch.cat([truth.nan_to_num(0.0), truth.new_zeros(len(truth), len(weak))], dim=1)
        of_own = torch.where(truth.isnan(), training.unknown_weight, 1.0)
        weights = torch.cat([of_own, targets[:, len(own) :] + 1], dim=1)
        weights = balanced(weights, len(own), training.weak_weight)
        return cls(torch.cat([own, weak]).double(), targets, weights, len(own))


def balanced(weights: torch.Tensor, n_labelled: int, weak_weight: float) -> torch.Tensor:
    """Set the weights of the weak negatives, which come after the ``n_labelled`` labelled windows.

    ``weights`` is ``[problems, n]``; a labelled window that does not count for a problem has 0.
    """
    own, weak = weights[:, :n_labelled], weights[:, n_labelled:]
    counting = (own > 0).sum(dim=1, keepdim=True) / max(1, weak.shape[1])
    return torch.cat([own, counting.clamp(max=weak_weight).to(own).expand_as(weak)], dim=1)


def threshold_shift(targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What is added to each intercept ``[problems]``; see `BALANCED_UNTIL`."""
    positives = (targets * weights).sum(dim=1)
    negatives = ((1 - targets) * weights).sum(dim=1)
    share = BALANCED_UNTIL / (BALANCED_UNTIL + positives)
    return share * (negatives.clamp(min=1e-12) / positives.clamp(min=1e-12)).log()
