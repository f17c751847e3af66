"""Words for what `explorer.evaluate.quality` found: which encoder, how sure, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from explorer.classify.labelled import Labelled
from explorer.evaluate.datasets import Groups

SURE = 0.95
"""Share of resamples that the best encoder must win to be called better."""
CONFOUNDED = 0.8
"""Cramér's V from which on a class and its site are hardly two things."""
TOO_FEW_ROWS = 2.0
"""RankMe is bounded by the number of windows; below this many times the dimension it is too low."""
FEW_GROUPS = 6
"""Resamples of fewer recordings than this say nothing: they agree by chance."""

_COLUMNS = {
    "encoder": "encoder",
    "dimension": "dim",
    "rankme": "RankMe",
    "rankme_centred": "centred",
    "windows": "N",
    "class_auc": "class AUC",
    "usability": "usability",
    "generalisation": "generalis.",
    "class_purity": "purity",
    "class_chance": "(chance)",
    "class_told": "class told",
    "site_told": "site told",
    "recorder_told": "recorder told",
}
_DECIMALS = {"rankme": 1, "rankme_centred": 1}
_LEGEND = {
    ("rankme",): "RankMe: directions that N windows use; centred: less their mean. No accuracy.",
    ("class_auc",): "class AUC: a linear probe on what was left out; 1 - AUC is usability (what it "
    "misses\n  of what it learnt from) + generalis. (what is added on what was left out).",
    (
        "class_purity",
    ): "purity: share of the 10 nearest windows of other recordings that are of the class.",
    (
        "class_told",
        "site_told",
    ): "told: AUC of the nearest windows of other recordings as judges; 0.5 is chance.",
}


def as_text(table: pd.DataFrame, advice: Mapping[str, str]) -> str:
    """The table of each data set with the advice beneath it, and what the columns mean.

    What nothing is known of is left out.
    """
    blocks = []
    for name, part in table.groupby("data_set", sort=False):
        known = [column for column in _COLUMNS if part[column].notna().any()]
        shown = part[known].rename(columns=_COLUMNS)
        formats = {
            _COLUMNS[column]: f"{{:.{_DECIMALS.get(column, 3)}f}}".format
            for column in known
            if part[column].dtype == np.float64
        }
        text = shown.to_string(index=False, formatters=formats, na_rep="-")
        items = int(part["items"].iloc[0])
        what = f"{items} labelled, {int(part['classes'].iloc[0])} classes" if items else "no labels"
        blocks.append(f"{name} ({what})\n{text}\n\n{advice[str(name)]}")
    legend = [words for of, words in _LEGEND.items() if table[list(of)].notna().any(axis=None)]
    return "\n\n".join([*blocks, "\n".join(legend)])


def advise(table: pd.DataFrame, wins: float, labelled: Labelled | None, groups: Groups) -> str:
    """Say which encoder to take, how sure that is, and what would make it surer.

    Parameters
    ----------
    table
        The rows of one data set in the table of `quality`.
    wins
        Share of resamples in which the best encoder beats the next.
    """
    sentences = [
        _choice(table, wins, labelled, groups)
        if table["class_auc"].notna().any()
        else _without_labels(table, labelled)
    ]
    sentences += _leaks(table)
    return " ".join(sentences)


def _choice(table: pd.DataFrame, wins: float, labelled: Labelled | None, groups: Groups) -> str:
    ranked = table.dropna(subset="class_auc").sort_values("class_auc", ascending=False)
    best = ranked.iloc[0]
    apart = "sites" if groups == "site" else "recordings"
    said = f"{best.encoder}: it ranks best in {apart} it has not seen (AUC {best.class_auc:.3f}"
    if groups == "none":
        said = f"{best.encoder}: it ranks best (AUC {best.class_auc:.3f}, recordings not kept apart"
    if len(ranked) == 1:
        return (
            f"Only {best.encoder} is here (AUC {best.class_auc:.3f} in {apart} it has not seen). "
            "To compare, embed with another encoder (explorer encoders lists them) and ask again."
        )
    second = ranked.iloc[1]
    said += f"; {second.encoder} {second.class_auc:.3f})."
    share = f"{wins:.0%}" if wins < 0.995 else "over 99%"
    n_groups = 0 if labelled is None else len(set(np.asarray(labelled.groups).astype(str)))
    if wins >= SURE and n_groups >= FEW_GROUPS:
        return f"Take {said} It stays ahead in {share} of resamples of the {apart}."
    why = f"It stays ahead in only {share} of resamples of the {apart}."
    if n_groups < FEW_GROUPS or np.isnan(wins):
        why = f"The labels are of only {n_groups} {apart}, too few to be sure of anything."
    return (
        f"No clear choice; if you must, take {said} {why} {_label_more(labelled, apart)} "
        "Until then the faster or smaller encoder is as good a choice."
    )


def _label_more(labelled: Labelled | None, apart: str) -> str:
    if labelled is None or labelled.groups is None:
        return "Label more."
    names = np.asarray(labelled.groups).astype(str)
    counts = {
        name: len(set(names[column]))
        for name, column in zip(labelled.classes, labelled.positive.T, strict=True)
    }
    fewest = sorted(counts, key=lambda name: counts[name])[:3]
    listed = ", ".join(f"{name} ({counts[name]})" for name in fewest)
    return f"Label more from {apart} that have no labels yet; fewest have {listed}."


def _without_labels(table: pd.DataFrame, labelled: Labelled | None) -> str:
    why = (
        "Nothing is labelled, so nobody can say which encoder hears your sounds best."
        if labelled is None
        else "The labels allow no test that keeps recordings apart: every class needs examples "
        "from two recordings, and something that is not of it."
    )
    ranked = table.sort_values("rankme_centred", ascending=False)
    hint = ""
    if len(ranked) > 1:
        hint = (
            f" {ranked.iloc[0].encoder} uses the most directions (RankMe, centred, "
            f"{ranked.iloc[0].rankme_centred:.0f}; {ranked.iloc[1].encoder} "
            f"{ranked.iloc[1].rankme_centred:.0f}), which is a weak hint and no accuracy."
        )
        if (table["windows"] < TOO_FEW_ROWS * table["dimension"]).any():
            hint += " With so few windows it says even less."
    return (
        f"{why}{hint} Label some 10 windows of each of two or more sounds, from {FEW_GROUPS} "
        "recordings or more, and ask again."
    )


def _leaks(table: pd.DataFrame) -> list[str]:
    sentences = []
    if (table["class_by_site"] > CONFOUNDED).any():
        sentences.append(
            "Classes and sites go together in these labels, so telling a class may be telling its "
            "site: label each class at several sites."
        )
    for place, column in (("site", "site_told"), ("recorder", "recorder_told")):
        worse = table[table[column] > table["class_told"]]
        if len(worse):
            row = worse.loc[worse[column].idxmax()]
            sentences.append(
                f"{row.encoder} tells the {place} ({row[column]:.2f}) better than the class "
                f"({row.class_told:.2f}): take examples from several {place}s, and test at one "
                "that gave none."
            )
    return sentences
