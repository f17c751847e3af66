"""Which encoder suits these recordings? A table over a collection's runs, and advice in words.

What can be asked without labels:

- **RankMe** (Garrido et al. 2023, golden/README.md 4.1): how many directions the embeddings
  really use. It compares encoders of one kind on the same recordings and is no accuracy.
- **site_told, recorder_told**: how well neighbours in other recordings tell where or with what a
  window was recorded (`explorer.evaluate.telling`).

With labels:

- **class_auc**: ROC-AUC of a linear probe on recordings (or sites) that it has not seen.
- **usability** and **generalisation**: the two parts of the probe's risk, 1 - AUC, that can be
  known here (Dubois et al. 2023, golden/README.md 4.6): what remains on the very items it learnt
  from, and what is added on held-out ones. The encoder's own two parts cannot be told from a user's
  recordings, as it has seen none of them.
- **class_told, class_purity**: the neighbours' view of the classes, beside that of the sites.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from explorer.classify.labelled import Labelled
from explorer.classify.metrics import macro_mean, roc_auc
from explorer.classify.splits import k_fold, warn_untestable
from explorer.errors import ParameterError
from explorer.evaluate import methods
from explorer.evaluate.advice import advise, as_text
from explorer.evaluate.datasets import DataSet, Names, Windows
from explorer.evaluate.telling import NOTHING, Told, association, neighbours_apart, one_hot, told
from explorer.space.blocks import Corpus, evenly_spaced

RANKME_EPSILON = 1e-7
"""Added to every share, after the shares are formed (Garrido et al. 2023)."""
RANKME_ROWS = 25_600
"""Windows that RankMe is taken from, evenly spaced: the number in its paper."""
GRAM_CELLS = 4_000_000
"""Larger matrices go through their Gram matrix, in float64: small singular values lose digits."""
TOLD_ROWS = 4_000
"""Windows whose neighbours are looked for, evenly spaced."""
FOLDS = 5
RESAMPLES = 200


@dataclass(frozen=True)
class Risk:
    """The risk of a probe on an encoder, split as by Dubois et al. (2023, golden/README.md 4.6).

    Attributes
    ----------
    approximation
        What the best network of this architecture leaves, trained with labels.
    usability
        What a linear probe adds to that, on the items it learnt from.
    probe_generalisation
        What is added on items that the encoder has seen and the probe has not.
    encoder_generalisation
        What is added on items that neither has seen.
    """

    approximation: float
    usability: float
    probe_generalisation: float
    encoder_generalisation: float

    @property
    def total(self) -> float:
        """The risk on items that neither has seen."""
        return (
            self.approximation
            + self.usability
            + self.probe_generalisation
            + self.encoder_generalisation
        )

    @classmethod
    def of(
        cls, supervised_train: float, probe_train: float, probe_heldout: float, test: float
    ) -> Risk:
        """Split four measured risks, each the next harder one.

        >>> round(Risk.of(0.02, 0.05, 0.09, 0.12).encoder_generalisation, 6)
        0.03
        """
        return cls(
            supervised_train,
            probe_train - supervised_train,
            probe_heldout - probe_train,
            test - probe_heldout,
        )


def rankme(embeddings: ArrayLike, *, centred: bool = False) -> float:
    """Number of directions that embeddings use, from 1 to about the lesser of rows and dimension.

    NaN where nothing is left of them: they are zero, or all the same and centred.

    Parameters
    ----------
    embeddings
        ``[n, dimension]``; compare values of the same n only.
    centred
        Take off the mean first: a large common part hides the rest.

    Raises
    ------
    ParameterError
        If the embeddings are no matrix, or not finite.

    Examples
    --------
    >>> round(rankme(np.eye(5)), 3), round(rankme(np.ones((5, 3))), 3)
    (5.0, 1.0)
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ParameterError(f"RankMe needs finite embeddings [n, dimension], not {rows.shape}")
    mean = rows.mean(axis=0, dtype=np.float64) if centred else np.zeros(rows.shape[1])
    values = _singular_values(rows, mean)
    if not values.sum() > 0:
        return np.nan
    shares = values / values.sum() + RANKME_EPSILON
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _singular_values(rows: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    if rows.size <= GRAM_CELLS or len(rows) < rows.shape[1]:
        return np.asarray(np.linalg.svd(rows - mean, compute_uv=False))
    gram = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), 4096):
        block = rows[start : start + 4096] - mean
        gram += block.T @ block
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))


@dataclass(frozen=True, eq=False)
class Judged:
    """What a probe says of items of groups it has not seen.

    ``positive``, ``known`` and ``scores`` are ``[n, n_classes]``, ``fold`` and ``group`` (its name)
    ``[n]``; ``train_auc`` is the macro AUC of a probe on the items that it learnt from.
    """

    positive: NDArray[np.bool_]
    known: NDArray[np.bool_]
    scores: NDArray[np.float32]
    fold: NDArray[np.int64]
    group: NDArray[np.str_]
    train_auc: float

    def auc(self, items: NDArray[np.int64] | None = None) -> float:
        """Macro AUC over held-out groups: of each class within each fold, then their means.

        Scores of different folds come from different probes and are not compared.
        """
        chosen = np.arange(len(self.fold)) if items is None else items
        of_folds = []
        for fold in np.unique(self.fold):
            rows = chosen[self.fold[chosen] == fold]
            valid = self.known[rows] & np.isfinite(self.scores[rows])
            scores = np.where(valid, self.scores[rows], 0)
            of_folds.append(roc_auc(self.positive[rows], scores, mask=valid))
        by_class = np.array(of_folds).T
        return macro_mean([macro_mean(column) for column in by_class])


def judge(labelled: Labelled, unlabelled: Corpus, *, seed: int = 0) -> Judged | None:
    """Fit probes that leave out a fifth of the groups in turn; None where nothing can be tested.

    Classes whose examples are all of one group are left out, with a warning.

    Parameters
    ----------
    unlabelled
        Embeddings of all windows of the collection.
    """
    groups = np.asarray(labelled.groups).astype(str)
    testable = warn_untestable(labelled.positive, groups, labelled.classes)
    if not testable.any() or not (labelled.truth == 0)[:, testable].any():
        return None
    names = tuple(np.array(labelled.classes, dtype=object)[testable])
    known = Labelled(names, labelled.rows, labelled.truth[:, testable], labelled.groups)
    place = methods.Place(known.rows, unlabelled)
    scores = np.full(known.truth.shape, np.nan, np.float32)
    fold = np.zeros(len(known), np.int64)
    # Two groups or more in each part, so that there is something to tell a class from.
    parts = min(FOLDS, max(2, len(np.unique(groups)) // 2))
    splits = k_fold(groups, parts, labels=known.positive, seed=seed)
    for number, split in enumerate(splits):
        fold[split.test] = number
        learnt, columns = _part(known, split.train)
        if learnt is not None:
            found = methods.scores("probe", learnt, place)
            scores[np.ix_(split.test, columns)] = found[split.test]
    judged = ~np.isnan(known.truth)
    everything = methods.scores("probe", known, place)
    train = macro_mean(roc_auc(known.positive, everything, mask=judged))
    return Judged(known.positive, judged, scores, fold, groups, train)


def _part(labelled: Labelled, rows: NDArray[np.int64]) -> tuple[Labelled | None, NDArray[np.int64]]:
    """Some rows, with the classes that have an example among them, and their columns."""
    columns = np.flatnonzero(labelled.positive[rows].any(axis=0))
    if not len(columns):
        return None, columns
    names = tuple(labelled.classes[at] for at in columns)
    return Labelled(names, labelled.rows[rows], labelled.truth[np.ix_(rows, columns)]), columns


@dataclass(frozen=True, eq=False)
class Quality:
    """What was found of the encoders: a table, and for each data set advice in words."""

    table: pd.DataFrame
    advice: dict[str, str]

    def __str__(self) -> str:
        return as_text(self.table, self.advice)


def quality(
    data_sets: Sequence[DataSet],
    *,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Quality:
    """Compare the encoders of each data set.

    Parameters
    ----------
    data_sets
        One for each data set and encoder (`explorer.evaluate.datasets`).
    on_progress
        Told how many data sets are done, of how many, and which.

    Returns
    -------
    A table with one row for each data set and encoder, NaN where something cannot be known, and
    the advice. Columns: data_set, encoder, dimension, windows (that RankMe is of), rankme,
    rankme_centred, items, classes, class_auc, usability, generalisation, class_told, class_purity,
    class_chance, site_told, recorder_told, class_by_site (Cramér's V: at 1 each class has sites of
    its own and telling one is telling the other).
    """
    rows, judged = [], []
    for number, part in enumerate(data_sets):
        with warnings.catch_warnings():
            # Once for each data set, not for each of its encoders.
            if any(part.name == before.name for before in data_sets[:number]):
                warnings.simplefilter("ignore")
            judged.append(None if part.labelled is None else judge(part.labelled, part.around))
        rows.append(_row(part, judged[-1]))
        if on_progress is not None:
            on_progress(number + 1, len(data_sets), f"{part.name}, {part.encoder}")
    table = pd.DataFrame(rows)
    advice = {}
    for name in dict.fromkeys(part.name for part in data_sets):
        mine = [at for at, part in enumerate(data_sets) if part.name == name]
        share = wins([judged[at] for at in mine], seed=seed)
        labelled = data_sets[mine[0]].labelled
        advice[name] = advise(table.iloc[mine], share, labelled, data_sets[mine[0]].groups)
    return Quality(table, advice)


def _row(part: DataSet, judged: Judged | None) -> dict[str, object]:
    _, sample = evenly_spaced(part.windows, RANKME_ROWS)
    labelled, auc, train = part.labelled, np.nan, np.nan
    if judged is not None:
        auc, train = judged.auc(), judged.train_auc
    # What a network trained with labels would leave is not known and counts as usability; of items
    # that only the probe has not seen there are none.
    risk = Risk.of(0.0, 1 - train, 1 - auc, 1 - auc)
    of_class = NOTHING if labelled is None else _class_told(labelled)
    site, recorder = _places_told(part.windows)
    return {
        "data_set": part.name,
        "encoder": part.encoder,
        "dimension": part.windows.vectors.dimension,
        "windows": len(sample),
        "rankme": rankme(sample.numpy()),
        "rankme_centred": rankme(sample.numpy(), centred=True),
        "items": 0 if labelled is None else len(labelled),
        "classes": 0 if labelled is None else len(labelled.classes),
        "class_auc": auc,
        "usability": risk.usability,
        "generalisation": risk.probe_generalisation,
        "class_told": of_class.auc,
        "class_purity": of_class.purity,
        "class_chance": of_class.chance,
        "site_told": site.auc,
        "recorder_told": recorder.auc,
        "class_by_site": np.nan if part.item_site is None else _by_site(labelled, part.item_site),
    }


def _by_site(labelled: Labelled | None, site: Names) -> float:
    if labelled is None:
        return np.nan
    one = labelled.positive.sum(axis=1) == 1
    names = np.array(labelled.classes, dtype=object)[labelled.positive.argmax(axis=1)]
    return association(names[one], site[one])


def _class_told(labelled: Labelled) -> Told:
    rows = _spaced(len(labelled), TOLD_ROWS)
    groups = np.asarray(labelled.groups).astype(str)[rows]
    near = neighbours_apart(labelled.rows[rows], groups)
    return told(labelled.positive[rows], near, groups)


def _places_told(windows: Windows) -> tuple[Told, Told]:
    rows = _spaced(len(windows), TOLD_ROWS)
    vectors = windows.take(rows)
    rows = rows[np.isfinite(vectors).all(axis=1)]
    names = [one_hot(windows.site[rows]), one_hot(windows.recorder[rows])]
    if max(name.shape[1] for name in names) < 2:
        return NOTHING, NOTHING
    near = neighbours_apart(windows.take(rows), windows.recording[rows])
    site, recorder = (told(name, near, windows.recording[rows]) for name in names)
    return site, recorder


def _spaced(n: int, most: int) -> NDArray[np.int64]:
    return np.arange(0, n, max(1, -(-n // most)))


def wins(judged: Sequence[Judged | None], *, seed: int = 0) -> float:
    """How sure it is that the best encoder is better than the next: a share of resamples.

    Groups are drawn anew with replacement, the same ones for both (a paired bootstrap). NaN where
    there are not two encoders to compare.
    """
    there = sorted((one for one in judged if one is not None), key=lambda one: -one.auc())[:2]
    if len(there) < 2 or not np.isfinite(there[1].auc()):
        return np.nan
    rng = np.random.default_rng(seed)
    names = np.unique(np.concatenate([one.group for one in there]))
    rows = [[np.flatnonzero(one.group == name) for name in names] for one in there]
    better = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(names), size=len(names))
        best, second = (
            one.auc(np.concatenate([of_group[at] for at in drawn]))
            for one, of_group in zip(there, rows, strict=True)
        )
        if np.isfinite(best) and np.isfinite(second):
            better.append(1.0 if best > second else 0.5 if best == second else 0.0)
    return float(np.mean(better)) if better else np.nan
