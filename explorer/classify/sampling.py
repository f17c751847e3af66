"""What to label next: the windows from which a classifier learns most for a person's minute.

Windows that are labelled at random hardly ever hold a rare sound, and the most doubtful ones are
often one odd noise, many times over. What `next_to_label` does unless told otherwise ("explore")
draws a batch from the windows that score highest, in two parts:

1. **Likely calls**, six of ten: high scores, so that the calls there are become examples.
2. **Something else**, four of ten: far from everything labelled (farthest first) and, with more
   labels, also doubtful (entropy). They come from the highest scores of the whole and of every
   site, and no site gives more than its part.

Both parts are thinned: a window much like one already picked waits for another time (maximal
marginal relevance, MMR). The weights are those of the best entry of BioDCASE 2026, task 4
(golden/README.md 5.5); the first part was added as rare sounds are learnt faster with it in
``tests/benchmarks/sampling.py``, which prints learning curves of all strategies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from explorer.classify.diversity import (
    ENTROPY_WEIGHT,
    Floats,
    Rows,
    by_class,
    distance_from,
    distance_to,
    entropy,
    thinned,
    unit,
    utility,
)
from explorer.errors import ParameterError

Strategy = Literal["explore", "margin", "random", "top", "target"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

LIKELY_SHARE = 0.6
"""Share of a batch that are likely calls; .4 to .8 do as well."""
ENTROPY_LATER = 0.8
"""Weight of doubt against distance in the rest, from `LATER` labels on; before, it grows to that
from the published `ENTROPY_WEIGHT`."""
LATER = 50
LEAST_BEST = 0.25
"""A class is as likely at its own highest score as another at its own, from this score on."""
POOL = 100
"""High-scoring windows that a batch of up to ten is picked from; ten times larger batches more."""
SITES_SHARE = 0.25
"""Windows added to the pool so that each site is in it, as a share of the pool."""
SITE_PARTS = 2
"""A site gives at most this many times its even part of the second half of a batch."""
MOST_COMPARED = 2_000
"""Labelled windows that others are compared with: those that score highest."""


@runtime_checkable
class Takes(Protocol):
    """Anything that hands out some of its rows, such as a collection's vectors."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def take(self, rows: Rows) -> NDArray[np.floating]:
        """Rows by number, ``[n, dimension]``."""
        ...


Embeddings = ArrayLike | torch.Tensor | Takes


@dataclass(frozen=True, eq=False)
class Proposals:
    """Windows to label next, the most worthwhile first.

    Attributes
    ----------
    rows
        int64 ``[n]``; fewer than asked for where no more are left.
    reasons
        Why each was picked, in a few words for the person who labels.
    """

    rows: Rows
    reasons: tuple[str, ...]


def next_to_label(
    embeddings: Embeddings,
    scores: ArrayLike,
    labelled: ArrayLike,
    n: int = 10,
    *,
    strategy: Strategy = "explore",
    sites: ArrayLike | None = None,
    target: float = 0.5,
    seed: int = 0,
) -> Proposals:
    """Pick windows to label next; the same input gives the same windows.

    Parameters
    ----------
    embeddings
        ``[n_windows, dimension]`` of any kind, of which only a few hundred rows are read; the
        vectors of `Background.prepare` do best.
    scores
        The classifier's scores in [0, 1], ``[n_windows]`` or ``[n_windows, n_classes]``. A window
        whose score is NaN is never picked.
    labelled
        Rows that are labelled already, as whatever; they are never picked.
    n
        How many.
    strategy
        "explore" (see the module's text), "margin" (scores nearest to a half), "random", "top"
        (highest scores) or "target" (scores nearest to ``target``). With several classes the mean
        distance to a half or ``target``, and the highest score, count.
    sites
        Where each window was recorded, ``[n_windows]``, so that "explore" looks everywhere.
    seed
        For "random".

    Raises
    ------
    ParameterError
        A strategy that is not known, or arrays whose lengths do not agree.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows, scores = rng.normal(size=(500, 8)), rng.random(500)
    >>> found = next_to_label(windows, scores, labelled=[3, 14], n=3)
    >>> found.rows.shape, found.reasons[0]
    ((3,), 'likely a call (score 1.00)')
    """
    table, done = _checked(embeddings, scores, labelled, n, strategy)
    highest = table.max(axis=1)
    unscored = np.isnan(highest)
    highest[unscored] = -1
    unscored[done] = True
    free = np.flatnonzero(~unscored)
    if strategy == "explore":
        where = None if sites is None else _site_numbers(sites, len(table))
        return _explore(embeddings, table, highest, free, done, n, where)
    if strategy == "random":
        rows = np.random.default_rng(seed).permutation(free)[:n]
        return Proposals(rows, ("drawn at random",) * len(rows))
    if strategy == "top":
        rows = _smallest(-highest, free, n)
        return Proposals(rows, tuple(f"high score ({highest[row]:.2f})" for row in rows))
    wanted = 0.5 if strategy == "margin" else target
    rows = _smallest(distance_from(table, wanted), free, n)
    why = "unsure" if strategy == "margin" else f"near the score of {target:g}"
    return Proposals(rows, tuple(f"{why} (score {highest[row]:.2f})" for row in rows))


def _explore(
    embeddings: Embeddings,
    scores: Floats,
    highest: Floats,
    free: Rows,
    done: Rows,
    n: int,
    sites: Rows | None,
) -> Proposals:
    # Each class by its own highest score, so that none crowds the others out.
    best = scores[free].max(axis=0, initial=LEAST_BEST)
    likely = highest if scores.shape[1] == 1 else (scores / best).max(axis=1)
    size = max(POOL, 10 * n)
    ranked = _smallest(-likely, free, size if sites is None else len(free))
    pool, vectors = _finite(embeddings, _with_every_site(ranked, sites, size))
    _, known = _finite(embeddings, _smallest(-highest, done, MOST_COMPARED))

    # Counted over all batches, so that the shares hold for batches of one, too.
    n_likely = int((len(done) + n) * LIKELY_SHARE) - int(len(done) * LIKELY_SHARE)
    first = thinned(vectors, likely[pool] / likely[pool].max(initial=1e-9), n_likely)
    rows = pool[first]
    reasons = [
        f"{'likely a call' if highest[row] >= 0.5 else 'best guess'} (score {highest[row]:.2f})"
        for row in rows
    ]

    known = np.concatenate([known, vectors[first]])
    pool, vectors = np.delete(pool, first), np.delete(vectors, first, axis=0)
    weight = ENTROPY_WEIGHT + (ENTROPY_LATER - ENTROPY_WEIGHT) * min(1.0, len(done) / LATER)
    doubt = entropy(scores[pool])
    worth = utility(doubt, distance_to(vectors, known), entropy_weight=weight)
    where = None if sites is None else sites[pool]
    n_sites = 1 if where is None else max(1, len(np.unique(where)))
    part = -(-SITE_PARTS * (n - n_likely) // n_sites)
    second = thinned(vectors, worth, n - len(first), groups=where, most_of_group=part)
    for at in second:
        why = "unsure" if weight * doubt[at] > worth[at] / 2 else "new kind of sound"
        reasons.append(f"{why} (score {highest[pool[at]]:.2f})")
    return Proposals(np.concatenate([rows, pool[second]]), tuple(reasons))


def _with_every_site(ranked: Rows, sites: Rows | None, n: int) -> Rows:
    """The first n of rows in order of score, and the first few of each site."""
    if sites is None or not len(ranked):
        return ranked[:n]
    # Places of each site's rows, in order of score: their rank within the site.
    site = sites[ranked]
    site = site.astype(np.uint16) if site.max() < 2**16 else site  # sorted ten times faster
    order = np.argsort(site, kind="stable")
    counts = np.bincount(site[order])
    rank = np.empty(len(ranked), np.int64)
    rank[order] = np.arange(len(ranked)) - np.repeat(np.cumsum(counts) - counts, counts)
    few = max(1, int(SITES_SHARE * n / np.count_nonzero(counts)))
    chosen = rank < few
    chosen[:n] = True
    return ranked[chosen]


def _checked(
    embeddings: Embeddings,
    scores: ArrayLike,
    labelled: ArrayLike,
    n: int,
    strategy: str,
) -> tuple[Floats, Rows]:
    """Scores ``[n_windows, n_classes]``, and the rows that are labelled, ascending."""
    if strategy not in STRATEGIES:
        raise ParameterError(
            f"strategy {strategy!r} is not known; use one of {', '.join(STRATEGIES)}"
        )
    if n < 0:
        raise ParameterError(f"n is a number of windows to label, not {n}")
    table = by_class(scores)
    n_windows = len(embeddings)  # type: ignore[arg-type]
    if len(table) != n_windows or not table.shape[1]:
        raise ParameterError(
            f"{n_windows} embeddings, but scores of shape {np.shape(scores)}; give one score a "
            "window, or one a window and class"
        )
    done = np.unique(np.asarray(labelled, dtype=np.int64))
    if len(done) and not 0 <= done[0] <= done[-1] < n_windows:
        raise ParameterError(f"labelled rows go from 0 to {n_windows - 1}; one lies outside")
    return table, done


def _site_numbers(sites: ArrayLike, n_windows: int) -> Rows:
    numbers, _ = pd.factorize(np.asarray(sites), use_na_sentinel=False)
    if len(numbers) != n_windows:
        raise ParameterError(f"{len(numbers)} sites, but {n_windows} windows: give one a window")
    return np.asarray(numbers, dtype=np.int64)


def _finite(embeddings: Embeddings, rows: Rows) -> tuple[Rows, Floats]:
    """Those of ``rows`` whose embedding is finite, and these brought to length one."""
    if not isinstance(embeddings, np.ndarray | torch.Tensor) and isinstance(embeddings, Takes):
        vectors = unit(embeddings.take(rows))
    elif isinstance(embeddings, torch.Tensor):
        vectors = unit(embeddings[torch.from_numpy(rows)])
    else:
        vectors = unit(np.asarray(embeddings)[rows])
    finite = np.isfinite(vectors).all(axis=1)
    return rows[finite], vectors[finite]


def _smallest(values: Floats, rows: Rows, n: int) -> Rows:
    """The n of ``rows`` with the smallest values, ascending; of equal ones the lower row first."""
    if n < len(rows) // 4:
        mine = values[rows]
        rows = rows[mine <= np.partition(mine, n)[n]] if n else rows[:0]
    return rows[np.argsort(values[rows], kind="stable")][:n]
