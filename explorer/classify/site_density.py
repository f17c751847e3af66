"""How much of a sound there is at each site, when only the study as a whole was labelled.

Labels for every site and hour would be endless. The answers of one `LabellingPlan` tell how often a
window of each bin of score holds the class, over the whole study; a site's own scores tell how many
of its windows are in each bin. Two ways of putting these together are wrong in opposite ways
(Navine et al. 2024; golden/README.md 3.4):

- **fixed**: a window of a bin holds the class as often as in the study. Simple, and drawn towards
  the density of the study: at a site without the sound the classifier's mistakes are counted.
- **mixture**: the site's scores are a mixture of those of calls and those of all else, and the
  share of calls is what fits best. Right when only the number of calls differs between sites, and
  misled where the background sounds different.

Their geometric mean, **combined**, lies between, and is 0 where either is. All three come with
intervals, which allow for the number of labels and of the site's windows, but not for a site at
which calls or background sound unlike those of the study: label some windows there to see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.classify.density import (
    LEVEL,
    PRIOR,
    check_interval,
    ends,
    posterior_rates,
    unanswered_bins,
    yes_rates,
)
from explorer.classify.labelling_plan import Floats, StratifiedLabels
from explorer.errors import ParameterError

DRAWS = 500
LEVELS = 500
"""Densities that the likelihood is computed for, evenly spaced as angles: see `_mixture_draws`."""
HALVINGS = 40
"""Steps of bisection: a share of windows to 1e-12."""


@dataclass(frozen=True, eq=False)
class SiteDensities:
    """Call density of each site, in three ways; see the module's text.

    Attributes
    ----------
    fixed, mixture, combined
        float64 ``[n_sites]``, NaN where not defined.
    fixed_interval, mixture_interval, combined_interval
        float64 ``[n_sites, 2]``: low and high.
    n_windows
        Windows of each site, ``[n_sites]``.
    level
        Probability of the intervals.
    message
        Why something is NaN; empty where nothing is.
    """

    fixed: Floats
    mixture: Floats
    combined: Floats
    fixed_interval: Floats
    mixture_interval: Floats
    combined_interval: Floats
    n_windows: NDArray[np.int64]
    level: float
    message: str = ""


def site_densities(
    labels: StratifiedLabels,
    counts: ArrayLike,
    *,
    prior: float = PRIOR,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> SiteDensities:
    """The share of windows that hold the class, for each site (or day, or hour).

    Parameters
    ----------
    labels
        Answers over the whole study.
    counts
        Windows of each site in each bin, ``[n_sites, n_bins]`` (`LabellingPlan.histograms`).

    Examples
    --------
    >>> labels = StratifiedLabels(
    ...     scores=np.arange(100.0), positive=np.isin(np.arange(100), [49, *range(60, 100)]),
    ...     bins=np.repeat([0, 1], 50), weights=np.array([0.8, 0.2]))
    >>> found = site_densities(labels, [[800, 200], [980, 20]])
    >>> found.fixed.round(2), found.mixture.round(2), found.combined.round(2)
    (array([0.18, 0.04]), array([0.18, 0.  ]), array([0.18, 0.  ]))
    """
    histograms = np.atleast_2d(np.asarray(counts))
    if histograms.shape[1] != labels.n_bins or (histograms < 0).any():
        raise ParameterError(
            f"counts have shape {histograms.shape}; give how many windows of each site are in each "
            f"of the {labels.n_bins} bins, [n_sites, {labels.n_bins}]"
        )
    check_interval(level, prior)
    n_windows = histograms.sum(axis=1).astype(np.int64)
    message = unanswered_bins(labels)
    rates = np.full(labels.n_bins, np.nan) if message else yes_rates(labels)
    with np.errstate(invalid="ignore"):
        shares = histograms / n_windows[:, None]
    fixed, mixture = _both(shares, labels.weights, rates)
    if not message and np.isnan(mixture[n_windows > 0]).any():
        message = "the answers do not tell calls from all else by score: mixture is not known"
    elif not message and not n_windows.all():
        message = f"{(n_windows == 0).sum()} of {len(n_windows)} sites have no window"

    intervals = np.full((3, len(histograms), 2), np.nan)
    rng = np.random.default_rng(seed)
    drawn_rates = posterior_rates(labels, prior=prior, draws=draws, seed=seed)
    log_mixtures = _log_mixtures(labels.weights, drawn_rates)
    for site in np.flatnonzero(n_windows):
        calls = rng.binomial(histograms[site].astype(np.int64), drawn_rates).sum(axis=1)
        drawn_fixed = calls / n_windows[site]
        drawn_mixture = _mixture_draws(log_mixtures, histograms[site], rng)
        drawn_combined = np.sqrt(drawn_fixed * drawn_mixture)
        for way, values in enumerate((drawn_fixed, drawn_mixture, drawn_combined)):
            intervals[way, site] = np.quantile(values, ends(level))
    combined = np.sqrt(fixed * mixture)
    of_fixed, of_mixture, of_combined = intervals
    return SiteDensities(
        fixed, mixture, combined, of_fixed, of_mixture, of_combined, n_windows, level, message
    )


def fixed_density(shares: Floats, rates: Floats) -> Floats:
    """Density if bins hold the class as often as in the study.

    Parameters
    ----------
    shares
        Share of the site's windows in each bin, ``[..., n_bins]``.
    rates
        Share of each bin's windows that hold the class in the study, ``[..., n_bins]``.

    >>> fixed_density(np.array([0.9, 0.1]), np.array([0.0, 0.5])).item()
    0.05
    """
    return (shares * rates).sum(axis=-1)


def mixture_density(shares: Floats, of_calls: Floats, of_others: Floats) -> Floats:
    """The share of calls q that fits best: of least KL(shares || q of_calls + (1-q) of_others).

    The likelihood of q is concave, so that its slope is halved down to the one place where it is
    zero; EM reaches the same place, slowly near 0 and 1.

    Parameters
    ----------
    shares
        Share of the site's windows in each bin, ``[..., n_bins]``.
    of_calls, of_others
        How the windows with and without the class fall into bins in the study, ``[..., n_bins]``.

    Returns
    -------
    float64 ``[...]``; NaN where calls and others fall into bins alike, or an input is NaN.

    >>> mixture_density(np.array([0.5, 0.5]), np.array([0.2, 0.8]), np.array([1.0, 0.0])).round(6)
    np.float64(0.625)
    """
    difference = of_calls - of_others
    shape = np.broadcast_shapes(shares.shape, difference.shape)[:-1]
    low, high = np.zeros(shape), np.ones(shape)
    for _ in range(HALVINGS):
        q = (low + high) / 2
        mixed = q[..., None] * of_calls + (1 - q[..., None]) * of_others
        slope = (shares * difference / np.where(mixed > 0, mixed, np.inf)).sum(axis=-1)
        low, high = np.where(slope > 0, q, low), np.where(slope > 0, high, q)
    known = np.abs(difference).max(axis=-1) > 1e-12
    known = known & ~np.isnan(shares).any(axis=-1)
    found = np.where(low == 0, 0.0, np.where(high == 1, 1.0, (low + high) / 2))
    return np.where(known, found, np.nan)


def _both(shares: Floats, weights: Floats, rates: Floats) -> tuple[Floats, Floats]:
    """Fixed and mixture density of ``[n_sites, n_bins]`` shares."""
    return fixed_density(shares, rates), mixture_density(shares, *_given(weights, rates))


def _given(weights: Floats, rates: Floats) -> tuple[Floats, Floats]:
    """How windows with and without the class fall into bins, ``[..., n_bins]`` each."""
    return _normalised(weights * rates), _normalised(weights * (1 - rates))


def _normalised(shares: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _angles() -> Floats:
    """`LEVELS` angles between 0 and a right angle; the densities are the squares of their sines."""
    return np.asarray((np.arange(LEVELS) + 0.5) * (np.pi / 2 / LEVELS), dtype=np.float64)


def _log_mixtures(weights: Floats, rates: Floats) -> Floats:
    """Log share of the windows of each bin at each density, ``[draws, LEVELS, n_bins]``."""
    of_calls, of_others = (part[:, None, :] for part in _given(weights, rates))
    q = (np.sin(_angles()) ** 2)[:, None]
    mixed = q * of_calls + (1 - q) * of_others
    return np.asarray(np.log(np.maximum(mixed, np.finfo(float).tiny)))


def _mixture_draws(log_mixtures: Floats, counts: Floats, rng: np.random.Generator) -> Floats:
    """A density for each draw of the labels, out of the posterior given the site's windows.

    Angles that are all as likely before mean Jeffreys' prior Beta(1/2, 1/2): a site of few windows
    keeps a wide interval even if its best fit is no calls at all.
    """
    likelihood = log_mixtures @ counts
    likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    total = np.cumsum(likelihood, axis=1)
    drawn = rng.random((2, len(total)))
    level = (total < drawn[0][:, None] * total[:, -1:]).sum(axis=1)
    angle = _angles()[level] + (drawn[1] - 0.5) * (np.pi / 2 / LEVELS)
    return np.asarray(np.sin(angle) ** 2)
