"""A classifier at home in a collection: what it was made of, and its scores for every window."""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify import kinds
from explorer.classify.calibration import Calibration
from explorer.classify.choice import Choice
from explorer.classify.density import LEVEL
from explorer.classify.kinds import Model
from explorer.classify.labelling_plan import PER_BIN
from explorer.collection import calibrating
from explorer.collection.results import Detections
from explorer.errors import ParameterError

if TYPE_CHECKING:
    from explorer.classify.adaptation_settings import Method
    from explorer.classify.sampling import Strategy
    from explorer.collection.card import Card
    from explorer.collection.collection import Collection
    from explorer.collection.comparison import Comparison
    from explorer.collection.counts import GroupBy
    from explorer.collection.curve import Curve, Curves
    from explorer.collection.learning import Apart
    from explorer.collection.reasons import Evidence, Suspects
    from explorer.collection.study import Study
    from explorer.collection.suggestions import Suggestions
    from explorer.collection.transfer import Adaptation, Origin, Progress


Threshold = float | Mapping[str, float] | None
"""One for all classes, one for each by name, or None for the classifier's own."""

HALF = 0.5
"""The threshold of a class of which none is known."""


class Classifier:
    """A nearest centroid or a probe over all windows of one run.

    Made by `Collection.classifier`; gives every window a score per class, and detections.

    Attributes
    ----------
    model
        The `NearestCentroid` or `Probe` on plain arrays.
    run
        Whose embeddings it scores.
    made_of
        The windows it was built from: examples and negatives of each class. Saved with it.
    thresholds
        From which score on a class counts, for those of which it is known. Saved with it.
    calibrations
        What turns scores into probabilities, by class; see `calibrate`. Saved with it.
    choice
        Why it is of its kind, with numbers and a sentence; None where a person decided.
    origin
        Where it was made, as its file says; None for one made here and now.
    adaptation
        How it was adapted to this place; None for a classifier as it was made.
    """

    def __init__(
        self,
        collection: Collection,
        model: Model,
        *,
        run: str,
        name: str | None = None,
        made_of: Mapping[str, Any] | None = None,
        thresholds: Mapping[str, float] | None = None,
        calibrations: Mapping[str, Calibration] | None = None,
        choice: Choice | None = None,
        origin: Origin | None = None,
        adaptation: Adaptation | None = None,
    ) -> None:
        self.collection = collection
        self.model = model
        self.run = run
        self.name = name
        self.made_of = dict(made_of or {})
        self.thresholds = dict(thresholds or {})
        self.calibrations = dict(calibrations or {})
        self.choice = choice
        self.origin = origin
        self.adaptation = adaptation
        self.left_out: dict[str, Any] = {}  # see `explorer.collection.trust.left_out`
        self._scores: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        return f"<Classifier of {', '.join(self.classes)} on {self.run}. {self._why()}>"

    def _repr_html_(self) -> str:
        examples = self.made_of.get("examples", {})
        classes = ", ".join(
            f"{class_} ({len(examples[class_])})" if class_ in examples else class_
            for class_ in self.classes
        )
        heading = f"<b>{html.escape(classes)}</b> on {html.escape(self.run)}"
        return f"<p>{heading}</p><p>{html.escape(self._why())}</p>"

    def _why(self) -> str:
        """Which kind it is, in a sentence, and why."""
        why = self.choice.sentence if self.choice else f"A {kinds.kind_of(self.model)}."
        return why if self.adaptation is None else f"{why} {self.adaptation}"

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the score columns."""
        return list(self.model.classes)

    def column(self, class_: str) -> int:
        """Which column of the scores is a class's.

        Raises
        ------
        ParameterError
            If there is no such class; the message lists those that there are.
        """
        if class_ not in self.classes:
            raise ParameterError(
                f"there is no class {class_!r}; there are {', '.join(self.classes)}"
            )
        return self.classes.index(class_)

    def cuts(self, threshold: Threshold = None) -> dict[str, float]:
        """From which score on each class counts.

        Parameters
        ----------
        threshold
            One for all classes, or by class. Classes not named, or all for None, have the
            classifier's own, or 0.5.

        Raises
        ------
        ParameterError
            If a class is named that there is not.
        """
        if threshold is not None and not isinstance(threshold, Mapping):
            return dict.fromkeys(self.classes, float(threshold))
        given = dict(threshold or {})
        for class_ in given:
            self.column(class_)
        return {
            class_: float(given.get(class_, self.thresholds.get(class_, HALF)))
            for class_ in self.classes
        }

    def scores(self) -> NDArray[np.float32]:
        """Score of every window for every class, float32 [n_windows, n_classes] in [0, 1].

        Made once and kept; windows embedded since make it anew.
        """
        n_windows = self.collection.n_windows(self.run)
        if self._scores is None or len(self._scores) != n_windows:
            if self.adaptation is None:
                self._scores = self.model.scores(self.collection.prepared(self.run))
            else:
                vectors = self.collection.embeddings(self.run)
                self._scores = self.adaptation.at_work(self).scores(vectors)
        return self._scores

    def detections(
        self,
        threshold: Threshold = None,
        *,
        merge: bool = True,
        gap_s: float = 0.0,
        class_: str | None = None,
    ) -> Detections:
        """Windows at or above the threshold, neighbouring ones merged into events.

        Parameters
        ----------
        threshold
            Least score that counts, of all classes or by class; see `cuts`.
        merge
            Join windows of a class that touch or overlap (or lie at most ``gap_s`` apart) into one
            event with the highest of their scores.
        class_
            Only this class.

        Returns
        -------
        Detections
            Sorted by recording, start and class. A calibrated classifier adds ``probability``: that
            the best window of the detection holds the class.
        """
        from explorer.collection.detecting import detections  # noqa: PLC0415

        return detections(self, self.cuts(threshold), merge=merge, gap_s=gap_s, class_=class_)

    def counts(
        self,
        by: GroupBy | Sequence[GroupBy] = "site",
        *,
        threshold: Threshold = None,
        gap_s: float = 0.0,
        class_: str | None = None,
    ) -> pd.DataFrame:
        """Detections of each site, day, hour or month (or several), per hour of recording.

        Groups in which nothing was recorded do not appear; those without a detection appear with 0.
        See :mod:`explorer.collection.counts` for what counts as recorded.

        Parameters
        ----------
        by
            "site", "day" (2026-03-01), "week" (2026-W09), "month" (2026-03), "hour" (0 to 23), or
            a list of them.
        threshold
            Least score that counts, of all classes or by class; see `cuts`.
        gap_s, class_
            As for `detections`.

        Returns
        -------
        DataFrame
            The groups' columns, class, detections, recorded_hours, per_hour.
        """
        from explorer.collection.counts import counts  # noqa: PLC0415

        return counts(self, by, cuts=self.cuts(threshold), gap_s=gap_s, class_=class_)

    def study(
        self,
        class_: str | None = None,
        *,
        per_bin: int = PER_BIN,
        seed: int = 0,
        name: str | None = None,
        sites: Sequence[str] | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Study:
        """Begin a study of how much of a class there is: draw windows at random, to listen to.

        Parameters
        ----------
        class_
            Which class; may be left out where there is only one.
        per_bin
            Windows to label first, of each of four levels of score.
        seed
            Of the random draw.
        name
            What to keep it as; None for the name of the class.
        sites, since, until
            Only these sites, and only from this day to that (``"2026-03-31"``, by the recorder's
            clock).

        Raises
        ------
        ParameterError
            If the class is not one of the classifier's, the name is taken, or no window is left.
        """
        from explorer.collection.study_files import begin  # noqa: PLC0415

        return begin(
            self,
            class_,
            per_bin=per_bin,
            seed=seed,
            name=name,
            sites=sites,
            since=since,
            until=until,
        )

    def study_sizes(
        self,
        class_: str | None = None,
        *,
        sites: Sequence[str] | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> pd.DataFrame:
        """How many answers a study would take for which interval, before it is begun.

        Columns: per_bin, answers, plus_minus (half the width of the interval to be expected; a
        guess, as scores are taken for shares of calls). See `study` for the parameters.
        """
        from explorer.collection.study_report import sizes  # noqa: PLC0415

        return sizes(self, class_, sites=sites, since=since, until=until)

    def calibrate(self, study: Study, *, precision: float | None = None) -> Calibration:
        """Learn from a study's answers what the scores mean; kept when the classifier is saved.

        Parameters
        ----------
        study
            Of one of the classes, on windows of the same run.
        precision
            Also move the classifier's threshold to where this share of detections is right.

        Raises
        ------
        ParameterError
            If the study is of another run or class, has no yes or no no, or no threshold is known
            to be as precise as that.
        """
        return calibrating.calibrate(self, study, precision=precision)

    def quality(self, *, apart: Apart = "recording") -> pd.DataFrame:
        """How well each class is found in recordings that nothing was learnt from.

        Recordings (or sites) are left out in turn, in up to five parts, and a classifier of this
        kind is made of the others.

        Parameters
        ----------
        apart
            ``"recording"``, or ``"site"`` for how well the classifier travels.

        Returns
        -------
        DataFrame
            Indexed by class: examples, negatives, recordings (or sites), auc (mean of the ROC-AUC
            against labelled windows and against unlabelled ones), average_precision (among
            labelled windows), and a note on what could not be estimated. For a probe also gap, by
            which its cross-entropy is expected to be higher on new windows than on its own
            (Takeuchi's criterion; not a number where it is not identifiable), and gap_left_out,
            the same from leaving out each window.
        """
        from explorer.collection.trust import quality  # noqa: PLC0415

        return quality(self, apart=apart)

    def curve(
        self, class_: str | None = None, *, study: str | None = None, level: float = LEVEL
    ) -> Curve:
        """Precision and recall at every threshold, and the ROC, with intervals.

        On windows that nothing was learnt from: answers of a study, which stand for all windows,
        or else labels, which a person chose. Its ``sentence`` says which.

        Parameters
        ----------
        class_
            Which class; may be left out where there is only one.
        study
            Name of the study to use; None for the one with the most answers.
        level
            Probability of the intervals.

        Examples
        --------
        >>> curve = grunts.curve()                          # doctest: +SKIP
        >>> print(curve.at(0.8).precision, curve.sentence)  # doctest: +SKIP
        """
        from explorer.collection.curve import curve  # noqa: PLC0415

        return curve(self, class_, study=study, level=level)

    def curves(self, *, level: float = LEVEL) -> Curves:
        """The `curve` of every class, by name; ``mixed_up(thresholds)`` says what is confused."""
        from explorer.collection.curve import curves  # noqa: PLC0415

        return curves(self, level=level)

    def evidence(self, row: int, class_: str | None = None, *, most: int = 3) -> Evidence:
        """Which labelled windows most support, and most contradict, a detection.

        Parameters
        ----------
        row
            The window that was detected.
        class_
            As what; None for the class with the highest score.
        most
            How many of each.

        Returns
        -------
        Evidence
            A table that plays, with signed contributions. They are exact for a centroid, and one
            Newton step for a probe; see `explorer.classify.evidence`.

        Examples
        --------
        >>> grunts.evidence(found.index[0])                 # doctest: +SKIP
        """
        from explorer.collection.reasons import evidence  # noqa: PLC0415

        return evidence(self, row, class_, most=most)

    def suspects(self, *, more_than: float = 0.5) -> Suspects:
        """Labels that the others disagree with, the most doubtful first, with reasons; to play.

        Each window is scored as if it had not been labelled. Listen to it again before changing
        anything: a rare kind of call may be right, and alone.

        Parameters
        ----------
        more_than
            Least doubt, from 0 to 1. Examples that are like nothing else have at most 0.5.
        """
        from explorer.collection.reasons import suspects  # noqa: PLC0415

        return suspects(self, more_than=more_than)

    def next_to_label(
        self,
        n: int = 20,
        *,
        strategy: Strategy = "explore",
        class_: str | None = None,
        target: float = 0.5,
        seed: int = 0,
    ) -> Suggestions:
        """Windows from which this classifier would learn most, each with a reason.

        What is labelled already, as whatever, is never among them, and every site is looked at.

        Parameters
        ----------
        n
            How many.
        strategy
            ``"explore"``: likely calls and sounds that are unlike anything labelled, thinned so
            that none is there twice (see `explorer.classify.sampling`); ``"margin"``: scores
            nearest to a half; ``"top"``: highest scores; ``"target"``: scores nearest to
            ``target``; ``"random"``.
        class_
            For this class only; None for all.
        seed
            For "random".

        Examples
        --------
        >>> todo = grunts.next_to_label(20)              # doctest: +SKIP
        >>> reef.label(todo.index[:3], "grunt", who="ana")  # doctest: +SKIP
        """
        from explorer.collection.suggestions import next_to_label  # noqa: PLC0415

        return next_to_label(self, n, strategy=strategy, class_=class_, target=target, seed=seed)

    def adapt(
        self,
        method: Method | None = None,
        *,
        device: str = "auto",
        progress: Progress = True,
        cancel: threading.Event | None = None,
        **settings: Any,
    ) -> Classifier:
        """Adapt a classifier that was made elsewhere to this collection, without labels.

        Another recorder, distance or background moves embeddings; adapting finds a scale and a
        shift for each dimension that undo it. Ask the result's `comparison` whether it is better.

        Parameters
        ----------
        method
            None for the one that did best: "adabn", which gives every dimension the mean and spread
            that it had where the classifier was made. Or "notela" (Boudiaf et al. 2023), which then
            also learns from what the classifier believes of windows that sound alike; "tent",
            "pseudo_label", "shot", "nrc", "dust" and "dropout_student" are what it was compared
            with.
        device
            "auto", "cpu", "cuda" or "mps".
        progress
            A bar; or a function that is told the share done and what is being done; or False.
        cancel
            Set it from another thread to stop.
        settings
            Of `explorer.classify.adaptation_settings.Settings`.

        Returns
        -------
        Classifier
            A new one without a name. This one stays what it is, and is the result's `undone`.

        Raises
        ------
        ParameterError
            An unknown method or setting, or a classifier whose file is too old to say how
            embeddings were spread where it was made.
        """
        from explorer.collection.transfer import adapt  # noqa: PLC0415

        return adapt(self, method, device=device, progress=progress, cancel=cancel, **settings)

    @property
    def undone(self) -> Classifier:
        """The classifier as it was before it was adapted."""
        return Classifier(
            self.collection,
            self.model,
            run=self.run,
            made_of=self.made_of,
            thresholds=self.thresholds,
            choice=self.choice,
            origin=self.origin,
        )

    def comparison(self, *, seed: int = 0, progress: Progress = True) -> Comparison:
        """Whether an adapted classifier is better than it was, and whether to keep it.

        On the labels of this collection, if there are enough; else an estimate, named as such.

        Raises
        ------
        ParameterError
            If it is not adapted.
        """
        from explorer.collection.comparison import compare  # noqa: PLC0415

        return compare(self, seed=seed, progress=progress)

    def card(self, *, thresholds: Mapping[str, float] | None = None, examples: int = 4) -> Card:
        """A page to go with it: examples, curves, versions, hashes, what it is for and what not.

        Parameters
        ----------
        thresholds
            Of each class; see `cuts`.
        examples
            How many sounds of each class the page plays.

        Examples
        --------
        >>> grunts.card().to_html("grunts.html")            # doctest: +SKIP
        >>> grunts.card().to_json("grunts.json")            # doctest: +SKIP
        """
        from explorer.collection.card import card  # noqa: PLC0415

        return card(self, cuts=self.cuts(thresholds), examples=examples)

    def map(self, **options: Any) -> Any:
        """The map in a notebook's cell, coloured by this classifier's scores.

        For ``options`` see `Collection.map`. Its views are linked with each other, not with those
        of the collection.
        """
        return self._view("show_map", **options)

    def listen(self, **options: Any) -> Any:
        """What this classifier ranks highest, in a notebook's cell; see `Collection.listen`."""
        return self._view("show_sounds", **options)

    def when(self, **options: Any) -> Any:
        """When what it finds is heard, by day and hour, in a cell; see `Collection.when`."""
        return self._view("show_when", **options)

    def _view(self, name: str, **options: Any) -> Any:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module("explorer.dashboard.single.views"), name)(self, **options)

    def save(self, name: str | None = None, *, threshold: Threshold = None) -> Path:
        """Save weights and description under ``classifiers/NAME.safetensors``.

        The file says its classes, encoder and run, what it was made of, the calibrations, where it
        was made and how it was adapted, and the thresholds: its own, and instead of them what is
        given, for all classes or by class.
        """
        from explorer.collection.classifier_files import save  # noqa: PLC0415

        name = name or self.name
        if not name:
            raise ParameterError("give the classifier a name: save('grunts')")
        if threshold is not None:
            given = threshold if isinstance(threshold, Mapping) else self.classes
            cuts = self.cuts(threshold)
            self.thresholds |= {class_: cuts[class_] for class_ in given}
        path = save(self, name)
        self.name = name
        return path
