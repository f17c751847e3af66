"""Studies: how much of a sound there is in a collection, from listening to some hundred windows.

A study asks one question of one class: in what share of the windows is it? It takes the scores that
a classifier gave on the day it was begun, draws windows at random from every level of score
(`explorer.classify.labelling_plan`), and people say yes, no or unsure for each. From those answers
come the density with its interval, for the whole and for every site, day or hour; how well the
classifier ranks; thresholds; probabilities; and how many more answers would narrow the interval.

On disk a study is one file, ``COLLECTION/studies/NAME.json``: the class, the run, the plan and the
bin of every window. It is written once, under a temporary name and then renamed, and never changed.
Answers are no part of it: they are ordinary labels of the collection, of the class and the time
range of a window that the study drew, whoever made them and wherever. So they can be undone, people
can disagree (what most say counts; where they are even it is unsure), and a program that stops
loses nothing.

**An answer counts once its window's turn has come.** Labels made while searching are of windows
that somebody chose, mostly because they hold the class, and would make the result lean. Each bin's
windows therefore stand in a queue in random order. A label counts when all before it in its queue
have a label, or a later one was labelled for the study (`Study.label`, or any label whose source is
``study:NAME``). The others wait: `Progress.early` says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify import density, site_density, thresholds
from explorer.classify.calibration import Calibration, Scale
from explorer.classify.density import LEVEL, PRIOR, Estimate, LabelsNeeded
from explorer.classify.labelling_plan import Judgement, LabellingPlan, StratifiedLabels
from explorer.classify.thresholds import Threshold
from explorer.collection.archive import Rows
from explorer.collection.counts import GroupBy, groups_of, recorded_s
from explorer.collection.labels import agreed
from explorer.collection.results import SoundTable
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.collection.answers import AnswersReport
    from explorer.collection.collection import Collection

NOT_IN_STUDY = -1


class WindowsToLabel(SoundTable):
    """Windows of a study to listen to, in random order; the index holds window numbers.

    Columns: recording, start_s, end_s, started_at, site. There is no score, and nothing else tells
    how the classifier likes a window: who knows hears what is expected.
    """


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes
    ----------
    positive, negative, unsure
        Answers that count.
    planned
        Windows that are to be labelled first: ``per_bin`` of each bin.
    to_label
        How many of those are not yet labelled.
    skipped
        Windows without an answer although later ones were answered for the study. `Study.to_label`
        gives them first. Where a window cannot be told, say "unsure" rather than nothing.
    early
        Labels of windows whose turn has not come; they count when it does.
    newer
        Windows that were embedded since; the study knows nothing of them.
    """

    positive: int
    negative: int
    unsure: int
    planned: int
    to_label: int
    skipped: int
    early: int
    newer: int

    @property
    def answered(self) -> int:
        """Answers that count, unsure ones too."""
        return self.positive + self.negative + self.unsure

    def __str__(self) -> str:
        text = (
            f"{self.answered} windows answered ({self.positive} yes, {self.negative} no, "
            f"{self.unsure} unsure); {self.to_label} of the first {self.planned} to go."
        )
        if self.skipped:
            text += f" {self.skipped} were skipped: they are asked next."
        if self.early:
            text += f" {self.early} more are labelled already and count when their turn comes."
        if self.newer:
            text += f" {self.newer:,} windows were embedded since and are not in this study."
        return text


@dataclass(frozen=True, eq=False)
class Study:
    """How much of a class there is; begun with `Classifier.study`, kept in the collection.

    The usual way::

        study = grunts.study("grunt")                  # drawn at random, kept as reef.studies
        study.to_label(20)                             # listen; no scores are shown
        study.label([17, 203], "positive", who="ana")
        print(study.progress)
        print(study.density())                         # share of windows, with a 90 % interval
        study.by("site")
        print(study.labels_needed(0.01).message)

    Numbers are made anew from the current labels each time that they are asked for. Before the
    first answer they raise `ParameterError`; where a number is not known yet it is NaN and its
    ``message`` says why.

    Attributes
    ----------
    name, class_, run
        What it is called, what is counted, and on which run's windows.
    plan
        Bins, and the windows to label.
    bins
        int8 ``[n_windows]``: the bin of each window when the study was drawn, -1 where the window
        takes no part.
    scale
        Of the classifier's scores: "probability" where they lie between 0 and 1.
    classifier
        Name of the classifier whose scores it was drawn from; None where that was not saved.
    sites, since, until
        What it was kept to: sites by name, first and last day by the recorder's clock.
    """

    collection: Collection
    name: str
    class_: str
    run: str
    plan: LabellingPlan
    bins: NDArray[np.int8]
    scale: Scale
    classifier: str | None
    created_at: str
    sites: tuple[str, ...] | None = None
    since: str | None = None
    until: str | None = None

    def __repr__(self) -> str:
        return f"<Study {self.name} of {self.class_} on {self.run}: {self.progress}>"

    @property
    def source(self) -> str:
        """What labels made for this study are marked with."""
        return f"study:{self.name}"

    # --- listening --------------------------------------------------------------------------

    def to_label(self, n: int | None = 25, *, plus_minus: float | None = None) -> WindowsToLabel:
        """The next windows to listen to, playable, in random order and without their scores.

        Scores are not shown, and bins take turns in an order that does not give them away, because
        people hear a faint call sooner where the computer has promised one.

        Parameters
        ----------
        n
            At most so many; None for all.
        plus_minus
            None for the first ``per_bin`` windows of each bin. Afterwards: the windows that are
            expected to bring the density to ± this (see `labels_needed`).
        """
        done = self.judged().index.to_numpy()
        more = None if plus_minus is None else self.labels_needed(plus_minus).per_bin
        rows = self.plan.to_label(done, more=more)[:n]
        table = self.collection.windows(rows, self.run).drop(columns="recording_id")
        return cast("WindowsToLabel", WindowsToLabel.of(table, self.collection))

    def label(
        self, rows: Rows, judgement: Judgement | Sequence[Judgement], *, who: str
    ) -> list[int]:
        """Answer: ordinary labels, marked as made for this study; give their ids, for `undo`.

        Parameters
        ----------
        rows
            Windows of the study, such as ``study.to_label().index``.
        judgement
            "positive", "negative" or "unsure": one for all, or one for each.

        Raises
        ------
        ParameterError
            If a window is not one that the study drew.
        """
        chosen = np.asarray(rows, dtype=np.int64).ravel()
        strange = chosen[~np.isin(chosen, np.concatenate(self.plan.queues))]
        if len(strange):
            raise ParameterError(
                f"window {strange[0]} is not one that study {self.name!r} drew: answers about "
                "windows chosen in another way would make it lean. Label it with collection.label"
            )
        given = [judgement] * len(chosen) if isinstance(judgement, str) else list(judgement)
        if len(given) != len(chosen):
            raise ParameterError(f"{len(chosen)} windows, but {len(given)} judgements")
        table = self.collection.windows(chosen, self.run)
        return self.collection.label_ranges(
            table.assign(**{"class": self.class_, "judgement": given}), who=who, source=self.source
        )

    @property
    def answers(self) -> pd.DataFrame:
        """Windows of the study that are labelled: judgement, bin, and whether it counts yet.

        The index holds window numbers; bins count from 0, the lowest scores.
        """
        labelled = self.judged()
        parts = []
        for number, queue in enumerate(self.plan.queues):
            rows = np.array(queue, dtype=np.int64)
            answered = np.isin(rows, labelled.index)
            ours = np.isin(rows, labelled.index[labelled["ours"]])
            # A label counts up to the first gap, or up to the last that was made for the study.
            gap = int(np.r_[answered, False].argmin())
            reached = max(gap, *(np.flatnonzero(ours) + 1), 0)
            turns = np.flatnonzero(answered)
            parts.append(
                pd.DataFrame(
                    {"bin": number, "turn": turns, "counts": turns < reached},
                    index=pd.Index(rows[turns], name="window"),
                )
            )
        return pd.concat(parts).join(labelled["judgement"])

    @property
    def progress(self) -> Progress:
        """How many answers there are, and how many are still to be made."""
        answers = self.answers
        counting = answers[answers["counts"]]
        judged = counting["judgement"].value_counts()
        reached = counting.groupby("bin")["turn"].max() + 1
        return Progress(
            positive=int(judged.get("positive", 0)),
            negative=int(judged.get("negative", 0)),
            unsure=int(judged.get("unsure", 0)),
            planned=sum(min(self.plan.per_bin, len(queue)) for queue in self.plan.queues),
            to_label=len(self.plan.to_label(answers.index)),
            skipped=int(reached.sum()) - len(counting),
            early=len(answers) - len(counting),
            newer=self.collection.n_windows(self.run) - len(self.bins),
        )

    def judged(self, who: str | None = None) -> pd.DataFrame:
        """Windows of the queues that have a label: what most say, and if one was for this study.

        Parameters
        ----------
        who
            Only this person's labels.

        Returns
        -------
        DataFrame
            judgement and ours (bool); the index holds window numbers.
        """
        planned = np.concatenate(self.plan.queues)
        windows = _ranges(self.collection.windows(planned, self.run)).assign(row=planned)
        labels = self.collection.labels(who=who)
        labels = labels[labels["class"] == self.class_]
        judged = labels[["class", "judgement", "source"]]
        found = _ranges(labels).join(judged).merge(windows, on=["recording_id", "from", "to"])
        ours = (found["source"] == self.source).groupby(found["row"]).any()
        return agreed(found).set_index("row")[["judgement"]].assign(ours=ours)

    def write_windows(
        self, path: str | Path, *, n: int | None = 25, plus_minus: float | None = None
    ) -> list[Path]:
        """Write the next windows (see `to_label`) for a spreadsheet or Raven, to be answered there.

        Parameters
        ----------
        path
            A ``.csv`` file; or for Raven a ``.txt`` file, or a folder for a table per recording.
        """
        from explorer.collection.answers import write_windows  # noqa: PLC0415

        return write_windows(self, path, n=n, plus_minus=plus_minus)

    def read_answers(self, path: str | Path, *, who: str) -> AnswersReport:
        """Take in what somebody answered in files of `write_windows`.

        The column judgement holds yes, no or unsure; a window without an answer is asked again.
        Ranges that are no window of this study, and other classes, are left out and counted.
        """
        from explorer.collection.answers import read_answers  # noqa: PLC0415

        return read_answers(self, path, who=who)

    # --- results ----------------------------------------------------------------------------

    def density(self, *, level: float = LEVEL, prior: float = PRIOR) -> Estimate:
        """The share of windows that hold the class; see `explorer.classify.density.density`."""
        return density.density(self.labels(), level=level, prior=prior)

    def auc(self, *, level: float = LEVEL) -> Estimate:
        """How well the classifier ranks all windows: ROC-AUC, from the same answers."""
        return density.ranking_auc(self.labels(), level=level)

    def labels_needed(self, plus_minus: float, *, level: float = LEVEL) -> LabelsNeeded:
        """How many more windows to label, of which bins, to know the density to ± so much."""
        left = self.plan.remaining(self.judged().index)
        return density.labels_needed(self.labels(), plus_minus, available=left, level=level)

    def threshold(self, precision: float, *, sure: bool = False, level: float = LEVEL) -> Threshold:
        """The lowest threshold at which the share of right detections is as wanted.

        Of single windows, with what share of the calls is found then; see
        `explorer.classify.thresholds.threshold_for_precision`.
        """
        return thresholds.threshold_for_precision(self.labels(), precision, sure=sure, level=level)

    def calibration(self) -> Calibration:
        """Turns the scores that the study was drawn from into probabilities.

        `Classifier.calibrate` makes one for a classifier and keeps it there.
        """
        return Calibration.fit(self.labels(), scale=self.scale)

    def by(
        self,
        by: GroupBy | Sequence[GroupBy] = "site",
        *,
        level: float = LEVEL,
        prior: float = PRIOR,
    ) -> pd.DataFrame:
        """Density of each site, day, hour or month (or several), from the answers of the whole.

        Columns: the group's; ``windows`` of the study and ``recorded_hours`` of sound in it; and
        for each of three estimates the share of windows and the ends of its interval: ``fixed``
        leans towards the whole study, ``mixture`` is right where only the number of calls differs,
        ``combined`` lies between (see `explorer.classify.site_density`). Groups without a window do
        not appear. ``attrs["message"]`` says why something is not known.
        """
        index = self.collection.index(self.run)
        n = len(self.bins)
        groups = groups_of(index, by)
        inside = np.flatnonzero(self.bins != NOT_IN_STUDY)
        group = groups.of_window[:n][inside]
        histograms = np.zeros((len(groups), len(self.plan.sizes)), np.int64)
        np.add.at(histograms, (group, self.bins[inside]), 1)
        hours = np.bincount(group, recorded_s(index)[:n][inside], len(groups)) / 3600
        there = histograms.sum(axis=1) > 0
        found = site_density.site_densities(
            self.labels(), histograms[there], level=level, prior=prior
        )
        table = groups.names[there].reset_index(drop=True)
        table = table.assign(windows=found.n_windows, recorded_hours=hours[there])
        for name in ("fixed", "mixture", "combined"):
            interval = getattr(found, f"{name}_interval")
            table[name] = getattr(found, name)
            table[f"{name}_low"], table[f"{name}_high"] = interval[:, 0], interval[:, 1]
        table.attrs["message"] = found.message
        return table

    def report(self) -> pd.DataFrame:
        """The result for a table of a paper: the whole, then each site.

        Columns: site (empty for the whole), windows, recorded_hours, density, low, high, level,
        yes, no, unsure, class, study. ``attrs["sentence"]`` is one for its methods section.
        """
        from explorer.collection.study_report import report  # noqa: PLC0415

        return report(self)

    def labels(self) -> StratifiedLabels:
        """The answers that count, as the functions of `explorer.classify` take them.

        Raises
        ------
        ParameterError
            If nothing is answered yes or no yet.
        """
        answers = self.answers
        counting = answers[answers["counts"]]
        found = self.plan.labels(counting.index, counting["judgement"].tolist())
        if not len(found):
            raise ParameterError(
                f"study {self.name!r} has no yes or no yet: listen to study.to_label(), or run "
                f'explorer study "{self.collection.path}" "{self.name}" --to-label FILE.csv'
            )
        return found


def _ranges(table: pd.DataFrame) -> pd.DataFrame:
    """Recording, and start and end in whole milliseconds, so that equal ranges are equal."""
    times = {
        name: np.rint(table[column].to_numpy(np.float64) * 1000).astype(np.int64)
        for name, column in (("from", "start_s"), ("to", "end_s"))
    }
    return pd.DataFrame(
        {"recording_id": table["recording_id"].astype("int64"), **times}, index=table.index
    )
