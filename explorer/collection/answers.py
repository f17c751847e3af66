"""A study's windows for people who label in Raven or a spreadsheet, and their answers back.

`write` gives a file whose judgement column is empty; a person fills in yes, no or unsure (or
positive, negative) and leaves empty what she has not come to. `read` takes it in again as labels of
the study. What she adds of her own is not taken in: windows that the study did not draw would make
it lean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.collection.handover import label_files, write
from explorer.errors import ParameterError
from explorer.exchange.annotations import read_annotations
from explorer.exchange.matching import match_recordings

if TYPE_CHECKING:
    from explorer.collection.study import Study

TOLERANCE_S = 0.05
"""Programs round times; so far apart, two ranges are still the same window."""


@dataclass(frozen=True)
class AnswersReport:
    """What was taken in of a file of answers, and what was not.

    Attributes
    ----------
    answers
        Labels that were added.
    events
        Their ids, for `Collection.undo`.
    unchanged
        Answers that the same person had given already.
    empty
        Windows without an answer.
    elsewhere
        Ranges that are no window of the study, or are of another class; they are left out.
    """

    answers: int
    events: tuple[int, ...]
    unchanged: int
    empty: int
    elsewhere: int

    def __str__(self) -> str:
        text = f"{self.answers} answers taken in"
        if self.unchanged:
            text += f", {self.unchanged} were there already"
        if self.empty:
            text += f", {self.empty} windows without an answer"
        if self.elsewhere:
            text += f", {self.elsewhere} left out because they are not of this study"
        return f"{text}."


def write_windows(
    study: Study, path: str | Path, *, n: int | None = 25, plus_minus: float | None = None
) -> list[Path]:
    """Write the next windows to label; see `Study.write_windows`."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ("", ".csv", ".txt"):
        raise ParameterError(
            f"{path}: windows to label are written as .csv for a spreadsheet, or for Raven as .txt "
            "or into a folder"
        )
    windows = pd.DataFrame(study.to_label(n, plus_minus=plus_minus))
    if windows.empty:
        raise ParameterError(f"study {study.name!r} has no window to label: {study.progress}")
    columns = ["recording", "start_s", "end_s", "class", "judgement", "started_at", "site"]
    table = windows.assign(**{"class": study.class_, "judgement": ""})[columns]
    return write(table, path, "csv" if suffix == ".csv" else "raven", study.collection)


def read_answers(study: Study, path: str | Path, *, who: str) -> AnswersReport:
    """Take in answers from a file or a folder of files; see `Study.read_answers`."""
    read = pd.concat([read_annotations(file) for file in label_files(path)], ignore_index=True)
    known, _ = match_recordings(read, study.collection.recordings["recording"].tolist())
    of_class = known[known["class"].astype(str).str.strip() == study.class_]
    answers = _windows_of(study, of_class)
    given = answers.dropna(subset="judgement").drop_duplicates("window", keep="last")
    mine = study.judged(who)
    before = mine.loc[mine["ours"], "judgement"].reindex(given["window"]).to_numpy()
    new = given[given["judgement"].to_numpy() != before]
    events = study.label(new["window"].to_numpy(), new["judgement"].tolist(), who=who)
    return AnswersReport(
        answers=len(new),
        events=tuple(events),
        unchanged=len(given) - len(new),
        empty=int(answers["judgement"].isna().sum()),
        elsewhere=len(read) - len(answers),
    )


def _windows_of(study: Study, ranges: pd.DataFrame) -> pd.DataFrame:
    """Which window of the study each range is: window and judgement; others are left out."""
    planned = pd.DataFrame(study.collection.windows(np.concatenate(study.plan.queues), study.run))
    planned = planned[["recording", "start_s", "end_s"]].reset_index()
    pairs = ranges.reset_index(names="range").merge(planned, on="recording", suffixes=("", "_of"))
    apart = np.maximum(
        abs(pairs["start_s"] - pairs["start_s_of"]), abs(pairs["end_s"] - pairs["end_s_of"])
    )
    nearest = pairs.assign(apart=apart)[apart <= TOLERANCE_S].sort_values("apart", kind="stable")
    return nearest.drop_duplicates("range").sort_values("range")[["window", "judgement"]]
