"""Before and after a study: how many answers it will take, and what to write in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer import __version__
from explorer.classify.density import Estimate, expected_half_width
from explorer.classify.labelling_plan import QUANTILES, bins_of, score_bounds
from explorer.collection.counts import clock
from explorer.collection.study_files import scores_within, the_class

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.study import Study

PER_BIN = (10, 25, 50, 100, 200)
"""Windows of each level of score that are offered."""
LEAST_RATE = 0.02
"""Scores of 0 and 1 are no certainty: a bin is taken to be mixed by this much."""
REFERENCE = "Navine et al. 2024, doi:10.3389/fbirs.2024.1380636"


def sizes(
    classifier: Classifier,
    class_: str | None = None,
    *,
    sites: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> pd.DataFrame:
    """How many answers for which interval; see `Classifier.study_sizes`."""
    name = the_class(classifier, class_)
    scores, inside = scores_within(classifier, name, sites, since, until)
    values = scores[inside & np.isfinite(scores)]
    bounds = score_bounds(values, QUANTILES)
    bins = bins_of(values, bounds)
    n = np.bincount(bins, minlength=len(bounds) - 1)
    guess = np.bincount(bins, values, len(n)) / np.maximum(n, 1)
    guess = np.clip(guess, LEAST_RATE, 1 - LEAST_RATE)
    rows = []
    for per_bin in PER_BIN:
        labels = np.minimum(per_bin, n)
        half = expected_half_width(n / n.sum(), guess, labels)
        rows.append((per_bin, int(labels.sum()), half))
        if (n <= per_bin).all():
            break  # all windows are labelled then
    return pd.DataFrame(rows, columns=["per_bin", "answers", "plus_minus"])


def report(study: Study) -> pd.DataFrame:
    """The result as a table with a sentence; see `Study.report`."""
    found, progress = study.density(), study.progress
    by_site = study.by("site")
    whole = {
        "site": "",
        "windows": study.plan.n_windows,
        "recorded_hours": by_site["recorded_hours"].sum(),
        "density": found.value,
        "low": found.low,
        "high": found.high,
    }
    sites = by_site.assign(
        density=by_site["combined"], low=by_site["combined_low"], high=by_site["combined_high"]
    )[list(whole)]
    several = sites if len(sites) > 1 else sites.iloc[:0]
    table = pd.concat([pd.DataFrame([whole]), several], ignore_index=True)
    table["site"] = table["site"].fillna("").astype(str)
    table = table.assign(
        **{
            "level": found.level,
            "yes": progress.positive,
            "no": progress.negative,
            "unsure": progress.unsure,
            "class": study.class_,
            "study": study.name,
        }
    )
    table.attrs["sentence"] = _sentence(study, found, float(whole["recorded_hours"]))
    return table


def _sentence(study: Study, found: Estimate, hours: float) -> str:
    """One for a methods section."""
    collection, progress = study.collection, study.progress
    run = collection.catalogue.runs()[study.run]
    index = collection.index(study.run)
    inside = np.flatnonzero(study.bins >= 0)
    n_recordings = len(np.unique(index.recording_id[inside]))
    labels = collection.labels()
    own = labels[(labels["class"] == study.class_) & (labels["source"] == study.source)]
    listeners = max(1, own["who"].nunique())
    value = (
        f"{percent(found.value)} % of windows ({found.level:.0%} interval "
        f"{percent(found.low)}–{percent(found.high)} %)"
    )
    unsure = f", {progress.unsure} unsure" if progress.unsure else ""
    there = f"{n_recordings:,} recordings{_where(study, inside)}{_when(study, inside)}"
    return (
        f"The share of windows with {study.class_} was estimated without a threshold ({REFERENCE}):"
        f" {progress.answered:,} windows of {run.window_s:g} s, drawn at random within "
        f"{len(study.plan.sizes)} levels of classifier score out of {study.plan.n_windows:,} "
        f"({hours:,.3g} h in {there}), "
        f"were judged without sight of the score by {listeners} "
        f"listener{'s' * (listeners > 1)} ({progress.positive} yes, {progress.negative} no"
        f"{unsure}). It was in {value}. Scores came from few-shot classification of {run.encoder} "
        f"{run.version} embeddings in Soundscape Explorer {__version__}."
    )


def _where(study: Study, inside: np.ndarray) -> str:
    index = study.collection.index(study.run)
    sites = sorted({str(site) for site in index.site[inside]} - {""})
    if not sites:
        return ""
    return f" at {', '.join(sites)}" if len(sites) <= 4 else f" at {len(sites)} sites"


def _when(study: Study, inside: np.ndarray) -> str:
    days = clock(study.collection.index(study.run))[inside].astype("datetime64[D]")
    known = days[~np.isnat(days)]
    if not len(known):
        return ""
    first, last = (date.fromisoformat(str(day)) for day in (known.min(), known.max()))
    return f", {_day(first)}" if first == last else f", {_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def percent(share: float) -> str:
    """A share in percent, as precise as it is worth.

    >>> percent(0.0312), percent(0.0004), percent(0.41)
    ('3.1', '0.04', '41')
    """
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"
