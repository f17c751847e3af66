"""How far people agree beyond chance: Cohen's kappa for two, Fleiss' for any number, on arrays.

Judgements are whole numbers from 0, one per category (no, yes, unsure), and ``NOT_JUDGED`` where a
person did not judge. Kappa is 1 where all agree, 0 where they agree as often as chance would have
it, and below 0 where less than that. It cannot be told where everybody says the same of every
window: then chance alone agrees too.

Intervals weigh the windows anew by Bayes' bootstrap (Rubin 1981), once as if one more window had
been judged alike and once as if it had been judged differently; of raw agreement this is Clopper
and Pearson's interval. So five windows of five are no certainty, as a plain bootstrap has it. They
take windows as independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.classify.density import LEVEL, check_interval
from explorer.errors import ParameterError

NOT_JUDGED = -1
DRAWS = 4_000

LANDIS_KOCH = (
    (0.0, "poor"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"),
)  # fmt: skip
"""Landis and Koch (1977): names by custom, not by law; "almost perfect" above the last."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """How far people agree, and what that rests on.

    Attributes
    ----------
    kappa
        Agreement beyond chance; NaN where it cannot be told.
    low, high
        Its interval.
    standard_error
        By Fleiss, Cohen & Everitt (1969) for two people, by the jackknife for more.
    observed, expected
        Share of pairs of judgements that agree, and the share that would by chance.
    observed_low, observed_high
        Interval of ``observed``.
    windows
        How many windows at least two people judged: what all this rests on.
    people
        How many people.
    """

    kappa: float
    low: float
    high: float
    standard_error: float
    observed: float
    observed_low: float
    observed_high: float
    expected: float
    windows: int
    people: int

    @property
    def in_a_word(self) -> str:
        """Landis and Koch's name for the kappa, such as ``moderate``; empty where not known."""
        if np.isnan(self.kappa):
            return ""
        names = (name for most, name in LANDIS_KOCH if round(self.kappa, 2) <= most)
        return next(names, "almost perfect")


_NAN = float("nan")
NOTHING = Agreement(_NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, windows=0, people=0)


def confusion(first: ArrayLike, second: ArrayLike, n_categories: int | None = None) -> Counts:
    """How often one said this and the other that [n_categories, n_categories].

    Windows that only one of them judged are left out.
    """
    one, other = _judgements(first), _judgements(second)
    if one.shape != other.shape or one.ndim != 1:
        raise ParameterError(
            f"two people's judgements are two lists of one length, not {one.shape}, {other.shape}"
        )
    both = (one >= 0) & (other >= 0)
    k = _n_categories([one, other], n_categories)
    return np.bincount(one[both] * k + other[both], minlength=k * k).reshape(k, k)


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    *,
    n_categories: int | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Agreement:
    """Cohen's kappa (1960) of two people, over the windows that both judged.

    Parameters
    ----------
    first, second
        Judgements ``[n_windows]``: categories from 0, `NOT_JUDGED` where there is none.
    n_categories
        How many there are; by default as many as were used.

    Examples
    --------
    >>> ada = [1, 1, 1, 0, 0, 0, 1, -1]
    >>> ben = [1, 1, 0, 0, 0, 0, 1, 1]
    >>> found = cohen_kappa(ada, ben)
    >>> found.windows, round(found.kappa, 2)
    (7, 0.72)
    """
    check_interval(level)
    counts = confusion(first, second, n_categories)
    n, k = int(counts.sum()), len(counts)
    if not n:
        return NOTHING
    alike, apart = np.eye(k) / k, (1 - np.eye(k)) / max(1, k * k - k)
    kappa, observed, expected = _of_tables(counts / n)
    drawn = [
        _of_tables(_weighed(counts.ravel(), extra.ravel(), draws, seed).reshape(draws, k, k))
        for extra in (apart, alike)
    ]
    low, high = _ends(drawn[0][0], drawn[1][0], float(kappa), level)
    worst, best = _ends(drawn[0][1], drawn[1][1], float(observed), level)
    error = _cohen_error(counts / n, n)
    return Agreement(
        float(kappa), low, high, error, float(observed), worst, best, float(expected), n, 2
    )


def counts_of(judgements: ArrayLike, n_categories: int | None = None) -> Counts:
    """How many people said what of each window [n_windows, n_categories].

    Parameters
    ----------
    judgements
        ``[n_windows, n_people]``: categories from 0, `NOT_JUDGED` where there is none.
    """
    table = _judgements(judgements)
    if table.ndim != 2:
        raise ParameterError(f"judgements are [n_windows, n_people], not {table.shape}")
    k = _n_categories([table], n_categories)
    return np.stack([(table == category).sum(axis=1) for category in range(k)], axis=1)


def fleiss_kappa(
    counts: ArrayLike,
    *,
    people: int | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Agreement:
    """Fleiss' kappa (1971) of any number of people, who need not all have judged every window.

    Windows that fewer than two people judged are left out. Each other window counts the same,
    however many judged it (Gwet 2014, 2.4); where all are judged by equally many this is Fleiss'
    own formula.

    Parameters
    ----------
    counts
        How many people said what, ``[n_windows, n_categories]`` (`counts_of`).
    people
        How many people there are; by default the most that judged one window.

    Examples
    --------
    >>> found = fleiss_kappa([[0, 3], [3, 0], [1, 2]])
    >>> round(found.kappa, 2), found.windows, found.people
    (0.55, 3, 3)
    """
    check_interval(level)
    table = np.asarray(counts, dtype=np.int64)
    if table.ndim != 2 or (table < 0).any():
        raise ParameterError("counts are [n_windows, n_categories], none below 0")
    table = table[table.sum(axis=1) >= 2]
    n, k = table.shape
    if not n:
        return NOTHING
    people = int(table.sum(axis=1).max()) if people is None else people
    # Windows that were judged alike are drawn together.
    kinds, times = np.unique(table, axis=0, return_counts=True)
    voices = kinds.sum(axis=1, keepdims=True)
    shares = kinds / voices
    agreeing = ((kinds**2).sum(axis=1) - voices[:, 0]) / (voices[:, 0] * (voices[:, 0] - 1))
    even = np.full(k, 1 / k)
    kappa, observed, expected = _of_windows(times / n, agreeing, shares)
    drawn = []
    for extra in (0.0, 1.0):
        weights = _weighed(np.append(times, 0), np.append(np.zeros(len(times)), 1.0), draws, seed)
        drawn.append(_of_windows(weights, np.append(agreeing, extra), np.vstack([shares, even])))
    low, high = _ends(drawn[0][0], drawn[1][0], float(kappa), level)
    worst, best = _ends(drawn[0][1], drawn[1][1], float(observed), level)
    error = _jackknife(times, agreeing, shares)
    return Agreement(
        float(kappa), low, high, error, float(observed), worst, best, float(expected), n, people
    )


def agreement(
    judgements: ArrayLike, *, n_categories: int | None = None, level: float = LEVEL, seed: int = 0
) -> Agreement:
    """Cohen's kappa where there are two people, Fleiss' where there are more.

    Parameters
    ----------
    judgements
        ``[n_windows, n_people]``: categories from 0, `NOT_JUDGED` where there is none.
    """
    table = _judgements(judgements)
    if table.ndim == 2 and table.shape[1] == 2:
        return cohen_kappa(
            table[:, 0], table[:, 1], n_categories=n_categories, level=level, seed=seed
        )
    counts = counts_of(table, n_categories)
    return fleiss_kappa(counts, people=table.shape[1], level=level, seed=seed)


def contested(counts: ArrayLike) -> NDArray[np.float64]:
    """How far people differ about each window [n_windows]: the share of their pairs that do.

    0 where all say the same or only one person judged; two who differ make 1.

    Examples
    --------
    >>> contested([[2, 0], [1, 1], [2, 1], [1, 0]])
    array([0.        , 1.        , 0.66666667, 0.        ])
    """
    table = np.asarray(counts, dtype=np.int64)
    voices = table.sum(axis=1)
    pairs = voices * (voices - 1)
    alike = (table * (table - 1)).sum(axis=1)
    return np.divide(pairs - alike, pairs, out=np.zeros(len(table)), where=pairs > 0)


def settled(counts: ArrayLike) -> NDArray[np.bool_]:
    """Whether more than half of those who judged a window say the same of it [n_windows]."""
    table = np.asarray(counts, dtype=np.int64)
    most = table.max(axis=1, initial=0)
    return 2 * most > table.sum(axis=1)


# --- within -------------------------------------------------------------------------------------


def _judgements(values: ArrayLike) -> Counts:
    table = np.asarray(values)
    if table.size and not np.issubdtype(table.dtype, np.integer):
        raise ParameterError("judgements are whole numbers: categories from 0, -1 for none")
    return table.astype(np.int64)


def _n_categories(tables: Sequence[Counts], given: int | None) -> int:
    used = max((int(table.max()) + 1 for table in tables if table.size), default=0)
    if given is not None and given < used:
        raise ParameterError(f"there are {given} categories, but category {used - 1} was used")
    return max(1, used) if given is None else given


def _weighed(
    counts: Counts, extra: NDArray[np.float64], draws: int, seed: int
) -> NDArray[np.float64]:
    """Shares of cells [draws, n_cells] under random weights of the windows and of one more."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_gamma(np.tile(np.asarray(counts, float), (draws, 1)))
    drawn += rng.standard_exponential((draws, 1)) * extra
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _of_tables(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Kappa, observed and expected agreement of tables [..., k, k] of shares."""
    observed = np.trace(shares, axis1=-2, axis2=-1)
    expected = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    return _beyond_chance(observed, expected), observed, expected


def _of_windows(
    weights: NDArray[np.float64], agreeing: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Kappa, observed and expected agreement of windows under weights [..., n_windows]."""
    observed = weights @ agreeing
    expected = ((weights @ shares) ** 2).sum(axis=-1)
    return _beyond_chance(observed, expected), observed, expected


def _beyond_chance(observed: ArrayLike, expected: ArrayLike) -> NDArray[np.float64]:
    left = 1 - np.asarray(expected)
    told = left > 1e-12
    beyond = np.asarray(observed) - np.asarray(expected)
    return np.divide(beyond, left, out=np.full(left.shape, np.nan), where=told)


def _ends(
    down: NDArray[np.float64], up: NDArray[np.float64], value: float, level: float
) -> tuple[float, float]:
    if np.isnan(value):
        return float("nan"), float("nan")
    rest = (1 - level) / 2
    low, high = np.nanquantile(down, rest), np.nanquantile(up, 1 - rest)
    return float(min(low, value)), float(max(high, value))


def _cohen_error(shares: NDArray[np.float64], n: int) -> float:
    """Standard error of Cohen's kappa by Fleiss, Cohen & Everitt (1969), their equation 13."""
    observed = float(np.trace(shares))
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    expected = float((rows * columns).sum())
    left = 1 - expected
    if left < 1e-12:
        return float("nan")
    on = np.diag(shares) * (left - (rows + columns) * (1 - observed)) ** 2
    off = shares * (columns[:, None] + rows[None, :]) ** 2
    off_diagonal = (off.sum() - np.trace(off)) * (1 - observed) ** 2
    rest = (observed * expected - 2 * expected + observed) ** 2
    variance = (on.sum() + off_diagonal - rest) / (n * left**4)
    return float(np.sqrt(max(0.0, variance)))


def _jackknife(times: Counts, agreeing: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Standard error of Fleiss' kappa: each window left out once; windows judged alike as one."""
    n = int(times.sum())
    if n < 2:
        return float("nan")
    left = (times[None, :] - np.eye(len(times))) / (n - 1)
    kappa, _, _ = _of_windows(left, agreeing, shares)
    if np.isnan(kappa).any():
        return float("nan")
    mean = (times * kappa).sum() / n
    return float(np.sqrt((n - 1) / n * (times * (kappa - mean) ** 2).sum()))
