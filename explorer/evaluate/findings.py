"""What a retrieval task found: every draw, means with intervals, and these as a text."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from explorer.classify.metrics import geometric_mean, macro_mean
from explorer.evaluate.intervals import cell, with_intervals
from explorer.evaluate.task import Task

MACRO, GEOMETRIC = "macro mean", "geometric mean"
MEANS: dict[str, Callable[[Sequence[float]], float]] = {
    MACRO: macro_mean,
    GEOMETRIC: geometric_mean,
}
KEY = ["run", "method", "shots"]
MEASURES = {"auc": "ROC-AUC", "ap": "average precision"}


@dataclass(frozen=True, eq=False)
class Retrieval:
    """What `explorer.evaluate.retrieval.retrieval` found.

    Attributes
    ----------
    task
        What was asked.
    measured
        One row for each run, method, shots, draw and class: windows that were ranked, positives
        among them, auc and ap (average precision).
    left_out
        Classes that a draw could not measure, with the reason and how many examples there were.
    """

    task: Task
    measured: pd.DataFrame
    left_out: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Means over draws with 95 % intervals, of each class and over the classes.

        Returns
        -------
        One row for each run, method, shots and class, then the means over classes (class "macro
        mean" and "geometric mean", each taken within a draw first): classes, draws, windows and
        positives (means over draws), auc, auc_low, auc_high, ap, ap_low and ap_high. The interval
        is Student's for the mean over draws: it says how much hangs on which examples are drawn,
        and nothing of other recordings.
        """
        measured = self.measured.assign(classes=1)
        parts = [measured]
        key = [*KEY, "draw"]
        for name, mean in MEANS.items():
            parts.append(
                measured.groupby(key, sort=False)
                .agg(
                    classes=("class", "size"),
                    windows=("windows", "max"),
                    positives=("positives", "sum"),
                    auc=("auc", mean),
                    ap=("ap", mean),
                )
                .reset_index()
                .assign(**{"class": name})
            )
        return _means(pd.concat(parts, ignore_index=True))

    @property
    def n_classes(self) -> int:
        """How many classes took part, measured or not."""
        left = set() if self.left_out.empty else set(self.left_out["class"])
        return len(set(self.measured["class"]) | left)

    def dropped(self) -> pd.DataFrame:
        """Classes that were not measured: run, shots, class, reason, draws, examples.

        ``draws`` counts those in which it was not; ``examples`` is the most there were to draw.
        """
        key = ["run", "shots", "class", "reason"]
        if self.left_out.empty:
            return pd.DataFrame(columns=[*key, "draws", "examples"])
        groups = self.left_out.groupby(key, sort=False)
        return groups.agg(draws=("draw", "size"), examples=("examples", "max")).reset_index()

    def __str__(self) -> str:
        parts = [self._text(measure) for measure in MEASURES]
        return "\n\n".join([*parts, *self._words_on_dropped(), self._words_on_apart()])

    def _text(self, measure: str) -> str:
        table = self.table()
        over = table[table["class"].isin(MEANS)]
        shots = sorted(table["shots"].unique())
        width = max(map(len, over["run"].unique()))
        head = f"{'run':<{width + 2}}{'method':<10}{'mean':<11}"
        lines = [
            f"{MEASURES[measure]}, ± half of a 95 % interval over {self.task.draws} draws; "
            "examples of each class from left to right",
            head + "".join(f"{k:>12}" for k in shots),
        ]
        for (run, method, mean), part in over.groupby(["run", "method", "class"], sort=False):
            cells = part.set_index("shots")
            row = f"{run:<{width + 2}}{method:<10}{str(mean).split()[0]:<11}"
            cut = [cell(cells.loc[k] if k in cells.index else None, measure) for k in shots]
            lines.append(row + "".join(f"{text:>12}" for text in cut))
        counts = over[over["class"] == MACRO].groupby("shots")["classes"].max()
        row = f"{'classes measured':<{width + 23}}"
        return "\n".join([*lines, row + "".join(f"{counts.get(k, 0):>12.0f}" for k in shots)])

    def _words_on_dropped(self) -> list[str]:
        dropped = self.dropped()
        if dropped.empty:
            return []
        lines = ["Left out:"]
        for (shots, reason), part in dropped.groupby(["shots", "reason"], sort=True):
            most = part.groupby("class")["examples"].max()
            few = "too few" in str(reason)
            names = (f"{name} ({count})" if few else str(name) for name, count in most.items())
            lines.append(f"  at {shots}, {reason}: {', '.join(names)}")
        return ["\n".join(lines)]

    def _words_on_apart(self) -> str:
        if self.task.keeps_groups_apart:
            kind = "site" if self.task.groups == "site" else "recording"
            return f"Examples never come from a {kind} that is ranked in the same draw."
        left = (
            "Only the moments of the examples are"
            if self.task.groups == "time"
            else "Only a class's own examples are"
        )
        return (
            f"{left} left out of what is ranked, so the rest of their recordings is found among "
            "it: these numbers flatter."
        )

    def by_class(self, measure: Literal["auc", "ap"] = "auc") -> pd.DataFrame:
        """One row for each class, then the means, one column for each run, method and shots."""
        table = self.table()
        order = list(dict.fromkeys(table["class"]))
        wide = table.pivot(index="class", columns=KEY, values=measure)
        return wide.reindex(index=order)

    def _repr_html_(self) -> str:
        parts = []
        for measure, words in MEASURES.items():
            wide = self.by_class(measure)  # type: ignore[arg-type]
            classes = wide[~wide.index.isin(MEANS)].to_html(border=0, float_format="%.3f")
            means = wide[wide.index.isin(MEANS)].to_html(border=0, float_format="%.3f")
            parts.append(
                f"<h4>{words}</h4>{means}<details><summary>each of {len(wide) - len(MEANS)} "
                f"classes</summary>{classes}</details>"
            )
        left = "".join(f"<pre>{html.escape(text)}</pre>" for text in self._words_on_dropped())
        return "".join(parts) + left + f"<p>{self._words_on_apart()}</p>"


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    key = [*KEY, "class"]
    groups = rows.groupby(key, sort=False)
    counts = groups[["classes", "windows", "positives"]].mean().assign(draws=groups.size())
    return counts.join(with_intervals(rows, key, list(MEASURES))).reset_index()
