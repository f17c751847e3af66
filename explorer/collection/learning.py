"""From labelled windows of a run to a classifier, of a kind that a person chose or left to us.

A nearest centroid is made at once and is best with a few examples of each class; a probe does
better with many. Which one, ``kind="auto"`` finds out on recordings left out
(`explorer.classify.choice`) and says in a sentence, which stays with the classifier. With hundreds
of labels ``kind="grown"`` tries hidden units beside a probe, and keeps them only where they help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from explorer.classify import centroid, training
from explorer.classify.centroid import NearestCentroid
from explorer.classify.choice import Choice, choose, fit, grow
from explorer.classify.kinds import Model
from explorer.classify.labelled import Labelled
from explorer.classify.probe import Probe
from explorer.classify.training import Method as TrainingMethod
from explorer.classify.training import Training
from explorer.classify.trial import Apart as ChoiceApart
from explorer.collection.archive import Rows
from explorer.collection.classifier import Classifier
from explorer.collection.labels import examples_of
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

Kind = Literal["auto", "centroid", "probe", "grown"]
Apart = Literal["recording", "site"]
KINDS: tuple[Kind, ...] = get_args(Kind)

WindowRows = NDArray[np.int64]
ByClass = Mapping[str, WindowRows]


@dataclass(frozen=True, eq=False)
class Judged:
    """Windows that a classifier learns from: their rows int64 ``[n]``, and as arrays."""

    rows: WindowRows
    labelled: Labelled

    @classmethod
    def of(
        cls,
        collection: Collection,
        run: str,
        examples: ByClass,
        negatives: ByClass,
        *,
        apart: Apart = "recording",
    ) -> Judged:
        """Gather the windows of every class, each once.

        Parameters
        ----------
        examples, negatives
            Rows of each class. A window that is both counts for neither.
        apart
            What the groups of the `Labelled` are: whole recordings, or whole sites.

        Raises
        ------
        ParameterError
            If a row is not there, or no example of a class is left, as embeddings are not finite or
            judgements differ.
        """
        given = [*examples.values(), *negatives.values()]
        rows = np.unique(np.concatenate(given)).astype(np.int64)
        collection.windows(rows[[0, -1]], run)  # refuses rows that are not there
        truth = np.full((len(rows), len(examples)), np.nan, np.float32)
        for column, name in enumerate(examples):
            yes = np.isin(rows, examples[name])
            no = np.isin(rows, negatives.get(name, ()))
            truth[yes | no, column] = np.where(yes, np.where(no, 0.5, 1.0), 0.0)[yes | no]
        vectors = np.asarray(collection.embeddings(run).take(rows), dtype=np.float32)
        finite = np.isfinite(vectors).all(axis=1)
        for name, judged in zip(examples, truth[finite].T, strict=True):
            if not (judged > 0.5).any():
                raise ParameterError(
                    f"no example of {name!r} can be learnt from: their embeddings are not finite, "
                    "or they are given as negatives as well; choose other windows"
                )
        groups = _groups(collection, run, rows, apart)
        labelled = Labelled(tuple(examples), vectors[finite], truth[finite], groups[finite])
        return cls(rows[finite], labelled)

    @classmethod
    def of_classifier(cls, classifier: Classifier, *, apart: Apart = "recording") -> Judged:
        """The windows that a classifier was made of.

        Raises
        ------
        ParameterError
            If it does not say, or was adapted since.
        """
        if classifier.adaptation is not None:
            raise ParameterError(
                f"{classifier!r} is no longer what its examples made it; ask the classifier before "
                "adapting, undone(), and see comparison() for what adapting changed"
            )
        examples, negatives = (
            _rows(classifier.made_of.get(side, {})) for side in ("examples", "negatives")
        )
        if list(examples) != classifier.classes:
            raise ParameterError(
                f"{classifier!r} does not say which windows of this collection it was made of; "
                "make it anew from labels or examples"
            )
        collection, run = classifier.collection, classifier.run
        return cls.of(collection, run, examples, negatives, apart=apart)


def _groups(
    collection: Collection, run: str, rows: WindowRows, apart: Apart
) -> NDArray[np.object_]:
    """The recording or the site of each window; a recording of no site is a site of its own."""
    index = collection.index(run)
    names = index.recordings["recording"].to_numpy(dtype=object)[index.position[rows]]
    if apart == "recording":
        return names
    sites = np.asarray(index.site[rows], dtype=object)
    return np.where(sites == "", names, sites)


def learn(
    collection: Collection,
    examples: Mapping[str, Rows] | None,
    *,
    negatives: Mapping[str, Rows] | None = None,
    run: str,
    kind: Kind | None = None,
    method: str | None = None,
    name: str | None = None,
) -> Classifier:
    """Make a classifier; see `Collection.classifier`."""
    _check(kind, method)
    if examples is None:
        kind = kind or ("auto" if method is None else None)
        examples, refused = examples_of(collection.label_rows(run))
        negatives = refused if negatives is None else negatives
    chosen = {class_: rows for class_, rows in _rows(examples).items() if rows.size}
    if not chosen:
        raise ParameterError(
            "a classifier needs at least one example: label a window, "
            "or give examples={'name': rows}"
        )
    refused = {
        class_: rows
        for class_, rows in _rows(negatives or {}).items()
        if class_ in chosen and rows.size
    }
    judged = Judged.of(collection, run, chosen, refused)
    model, choice = _fitted(
        kind or _kind_of_method(method), judged.labelled, collection, run, method
    )
    return Classifier(
        collection,
        model,
        run=run,
        name=name,
        made_of={
            "examples": {class_: rows.tolist() for class_, rows in chosen.items()},
            "negatives": {class_: rows.tolist() for class_, rows in refused.items()},
        },
        choice=choice,
    )


def _fitted(
    kind: Kind, labelled: Labelled, collection: Collection, run: str, method: str | None
) -> tuple[Model, Choice | None]:
    """A model in the geometry of a run, against its unlabelled windows; and why it is what it is.

    Where a person decided there is nothing to say.
    """
    background = collection.background(run)
    if kind == "auto":
        choice = choose(labelled, background)
        return fit(choice.kind, labelled, background), choice
    if kind == "grown":
        grown = grow(Probe.fit(labelled, background=background))
        auc = grown.auc_after if grown.kept else grown.auc_before
        apart: ChoiceApart = "recordings" if np.isfinite(auc) else "nothing"
        return grown.probe, Choice("probe", f"A probe. {grown.sentence}", {"probe": auc}, {}, apart)
    if kind == "probe":
        settings = Training(method=cast("TrainingMethod", method or "converged"))
        place = collection.embeddings(run) if method == "agile" else background
        return Probe.fit(labelled, background=place, training=settings), None
    options: dict[str, Any] = {} if method is None else {"method": method}
    examples, negatives = labelled.examples(), labelled.negatives()
    return NearestCentroid.fit(
        examples, negatives=negatives, background=background, **options
    ), None


def _rows(given: Mapping[str, Rows]) -> dict[str, WindowRows]:
    return {class_: np.asarray(rows, dtype=np.int64).ravel() for class_, rows in given.items()}


def _kind_of_method(method: str | None) -> Kind:
    return "probe" if method in training.METHODS else "centroid"


def _check(kind: Kind | None, method: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise ParameterError(f"there is no kind {kind!r} of classifier; use {', '.join(KINDS)}")
    methods = {"centroid": centroid.METHODS, "probe": training.METHODS}
    if method is not None and kind is not None and method not in methods.get(kind, ()):
        raise ParameterError(
            f"method {method!r} is not one of kind {kind!r}; "
            + "; ".join(f"{kind} has {', '.join(known)}" for kind, known in methods.items())
        )
