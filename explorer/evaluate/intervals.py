"""Means with Student's intervals, in a table and as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def with_intervals(
    rows: pd.DataFrame, key: Sequence[str], measures: Sequence[str] = ("auc", "ap")
) -> pd.DataFrame:
    """Mean of each measure over the rows of each key, with the 95 % interval of that mean.

    Measures lie from 0 to 1, and so do their intervals. One row alone has none: NaN.

    Returns
    -------
    A table with the columns of the key as its index: for each measure its mean, and ``_low`` and
    ``_high``.

    Examples
    --------
    >>> rows = pd.DataFrame({"encoder": ["ear", "ear"], "auc": [0.50, 0.52]})
    >>> with_intervals(rows, ["encoder"], ["auc"]).round(3).values.tolist()
    [[0.51, 0.383, 0.637]]
    """
    from scipy.stats import t  # noqa: PLC0415 - half a second to load

    groups = rows.groupby(list(key), sort=False)
    n = groups.size()
    found = pd.DataFrame(index=n.index)
    for measure in measures:
        mean, spread = groups[measure].mean(), groups[measure].std(ddof=1)
        half = spread / np.sqrt(n) * t.ppf(0.975, np.maximum(n - 1, 1))
        found[measure] = mean
        found[f"{measure}_low"] = (mean - half).clip(lower=0)
        found[f"{measure}_high"] = (mean + half).clip(upper=1)
    return found


def cell(row: pd.Series | None, measure: str) -> str:
    """The mean and half of its interval, as in ``0.934 ±.021``; a dash where there is no row.

    >>> cell(pd.Series({"auc": 0.51, "auc_low": 0.383, "auc_high": 0.637}), "auc")
    '0.510 ±.127'
    """
    if row is None:
        return "-"
    mean, low, high = (row[f"{measure}{end}"] for end in ("", "_low", "_high"))
    if np.isnan(high):
        return f"{mean:.3f}"
    return f"{mean:.3f} ±{max(high - mean, mean - low):.3f}".replace("±0.", "±.")
