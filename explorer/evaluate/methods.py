"""Ways of making a classifier from a few examples, side by side: what an evaluation compares.

Every method is given the same examples of the same draw and scores the same items:

- ``auto``: what `explorer` does unless told otherwise: a centroid or a probe, whichever does better
  on recordings left out (`explorer.classify.choice`);
- ``centroid``: the nearest centroid in the geometry of the place (`explorer.classify.centroid`);
- ``birb``: the plain cosine to the mean of the examples (Hamer et al. 2023);
- ``probe``: a linear probe with weak negatives from unlabelled windows (`explorer.classify.probe`);
- ``agile``: the probe of agile modelling as it is published (golden/README.md 5.2);
- ``logistic``: scikit-learn's logistic regression on embeddings of length one with C = 10, one
  class against the others, the baseline that the rest must beat.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.classify.background import Background, Prepared
from explorer.classify.centroid import Method as CentroidMethod
from explorer.classify.centroid import NearestCentroid
from explorer.classify.choice import choose
from explorer.classify.labelled import Labelled
from explorer.classify.probe import Probe, Training
from explorer.classify.splits import SplitWarning
from explorer.errors import ParameterError
from explorer.space.blocks import Corpus

LOGISTIC_C = 10.0

Scores = NDArray[np.float32]


class Place:
    """The items to score, and what is known of the place without labels.

    Parameters
    ----------
    rows
        Embeddings of the items, float32 ``[n, dimension]``.
    unlabelled
        Embeddings of the place's windows; None where nothing is known.
    background
        The geometry of these, where it is known already.
    """

    def __init__(
        self,
        rows: NDArray[np.float32],
        unlabelled: Corpus | None,
        background: Background | None = None,
    ) -> None:
        self.rows = rows
        self.unlabelled = unlabelled
        if background is not None:
            self.background = background

    @cached_property
    def prepared(self) -> Prepared | NDArray[np.float32]:
        """The items in the geometry of the background, made once for all draws."""
        if self.background is None:
            return self.rows
        return self.background.prepare(self.rows)

    @cached_property
    def background(self) -> Background | None:
        """The geometry of the place."""
        return None if self.unlabelled is None else Background.fit(self.unlabelled)


def scores(method: str, examples: Labelled, place: Place) -> Scores:
    """Score every item for every class, float32 ``[n, n_classes]``; higher is more likely.

    Raises
    ------
    ParameterError
        If the method is not known.

    Examples
    --------
    >>> examples = Labelled(("low", "high"), np.eye(2, dtype="f4"), np.eye(2, dtype="f4"))
    >>> place = Place(np.array([[0.9, 0.2]], np.float32), None)
    >>> [int(scores(name, examples, place)[0].argmax()) for name in ("centroid", "logistic")]
    [0, 0]
    """
    check(method)
    return METHODS[method](examples, place)


def check(method: str) -> None:
    """Refuse a method that is not known."""
    if method not in METHODS:
        raise ParameterError(f"method {method!r} is not known; use one of {', '.join(METHODS)}")


def _centroid(method: CentroidMethod) -> Callable[[Labelled, Place], Scores]:
    def score(examples: Labelled, place: Place) -> Scores:
        # Windows of another class compete already; only those of no class are refused ones.
        of_none = ~examples.positive.any(axis=1)
        model = NearestCentroid.fit(
            examples.examples(),
            background=place.background if method == "relative" else None,
            negatives={
                name: examples.rows[of_none & examples.negative[:, at]]
                for at, name in enumerate(examples.classes)
            },
            method=method,
        )
        return model.similarities(place.prepared if method == "relative" else place.rows)

    return score


def _auto(examples: Labelled, place: Place) -> Scores:
    with warnings.catch_warnings():
        # A draw of a single example each can be tested on nothing: then it is a centroid.
        warnings.simplefilter("ignore", SplitWarning)
        kind = choose(examples, place.background).kind
    return METHODS[kind](examples, place)


def _probe(examples: Labelled, place: Place) -> Scores:
    return Probe.fit(examples, background=place.background).logits(place.prepared)


def _agile(examples: Labelled, place: Place) -> Scores:
    training = Training(method="agile")
    return Probe.fit(examples, background=place.unlabelled, training=training).logits(place.rows)


def _logistic(examples: Labelled, place: Place) -> Scores:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second to load
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    # The penalty keeps the answer within the span of the examples, so it is sought there: exact,
    # and far fewer numbers than an embedding has.
    axes, _ = np.linalg.qr(unit(examples.rows).T)
    rows, items = unit(examples.rows) @ axes, unit(place.rows) @ axes
    columns = []
    with threadpool_limits(1):  # such small problems take longer when cores wait for each other
        for at, name in enumerate(examples.classes):
            judged = examples.positive[:, at] | examples.negative[:, at]
            truth = examples.positive[judged, at]
            if truth.all():
                raise ParameterError(
                    f"logistic regression needs something that is not {name!r}: label another "
                    "class, or windows that are not of it"
                )
            model = LogisticRegression(C=LOGISTIC_C, max_iter=1000).fit(rows[judged], truth)
            columns.append(items @ model.coef_[0])
    return np.stack(columns, axis=1).astype(np.float32)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring rows to length one; rows of zeros stay.

    >>> unit(np.array([[0.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


METHODS: dict[str, Callable[[Labelled, Place], Scores]] = {
    "auto": _auto,
    "centroid": _centroid("relative"),
    "birb": _centroid("birb"),
    "probe": _probe,
    "agile": _agile,
    "logistic": _logistic,
}
