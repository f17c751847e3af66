"""A classifier at home in a collection: what it was made of, and its scores for every window."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify import kinds
from explorer.classify.calibration import Calibration
from explorer.classify.choice import Choice
from explorer.classify.detections import merge_windows
from explorer.classify.kinds import Model
from explorer.classify.labelling_plan import PER_BIN
from explorer.collection import calibrating
from explorer.collection.results import Detections
from explorer.collection.vectors import file_digest
from explorer.collection.windows import moments
from explorer.errors import CollectionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.collection.counts import GroupBy
    from explorer.collection.learning import Apart
    from explorer.collection.study import Study


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
    threshold
        The threshold it was saved with, if any.
    calibrations
        What turns scores into probabilities, by class; see `calibrate`. Saved with it.
    choice
        Why it is of its kind, with numbers and a sentence; None where a person decided.
    """

    def __init__(
        self,
        collection: Collection,
        model: Model,
        *,
        run: str,
        name: str | None = None,
        made_of: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        calibrations: Mapping[str, Calibration] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.collection = collection
        self.model = model
        self.run = run
        self.name = name
        self.made_of = dict(made_of or {})
        self.threshold = threshold
        self.calibrations = dict(calibrations or {})
        self.choice = choice
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
        return self.choice.sentence if self.choice else f"A {kinds.kind_of(self.model)}."

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the score columns."""
        return list(self.model.classes)

    def scores(self) -> NDArray[np.float32]:
        """Score of every window for every class, float32 [n_windows, n_classes] in [0, 1].

        Made once and kept; windows embedded since make it anew.
        """
        n_windows = self.collection.n_windows(self.run)
        if self._scores is None or len(self._scores) != n_windows:
            self._scores = self.model.scores(self.collection.prepared(self.run))
        return self._scores

    def detections(
        self,
        threshold: float = 0.5,
        *,
        merge: bool = True,
        gap_s: float = 0.0,
        class_: str | None = None,
    ) -> Detections:
        """Windows at or above the threshold, neighbouring ones merged into events.

        Parameters
        ----------
        threshold
            Least score that counts.
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
        scores = self.scores()
        rows, columns = np.nonzero(scores >= threshold)
        if class_ is not None:
            if class_ not in self.classes:
                raise ParameterError(
                    f"there is no class {class_!r}; there are {', '.join(self.classes)}"
                )
            keep = columns == self.classes.index(class_)
            rows, columns = rows[keep], columns[keep]
        index = self.collection.index(self.run)
        table = pd.DataFrame(
            {
                "recording_id": index.recording_id[rows],
                "start_s": index.start_s[rows],
                "end_s": index.end_s[rows],
                "class": np.asarray(self.classes, dtype=object)[columns],
                "score": scores[rows, columns],
            }
        )
        found = merge_windows(table, gap_s=gap_s) if merge else table.assign(windows=1)
        recordings = index.recordings.loc[found["recording_id"].to_numpy()]
        found = pd.DataFrame(
            {
                "recording": recordings["recording"].to_numpy(dtype=object),
                "start_s": found["start_s"].to_numpy(),
                "end_s": found["end_s"].to_numpy(),
                "class": found["class"].to_numpy(dtype=object),
                "score": found["score"].to_numpy(),
                "windows": found["windows"].to_numpy(),
                "site": recordings["site"].to_numpy(dtype=object),
                "started_at": moments(
                    recordings["started_at"].tolist(), found["start_s"].to_numpy()
                ),
            }
        )
        if self.calibrations:
            chances = calibrating.probabilities(self.calibrations, found["class"], found["score"])
            found.insert(found.columns.get_loc("score") + 1, "probability", chances)
        ordered = found.sort_values(["recording", "start_s", "class"], ignore_index=True)
        return Detections.of(ordered, self.collection)

    def counts(
        self,
        by: GroupBy | Sequence[GroupBy] = "site",
        *,
        threshold: float | None = None,
        gap_s: float = 0.0,
        class_: str | None = None,
    ) -> pd.DataFrame:
        """Detections of each site, day, hour or month (or several), per hour of recording.

        Groups in which nothing was recorded do not appear; those without a detection appear with 0.
        See :mod:`explorer.collection.counts` for what counts as recorded.

        Parameters
        ----------
        by
            "site", "day" (2026-03-01), "hour" (0 to 23), "month" (2026-03), or a list of them.
        threshold
            Least score that counts; None for the classifier's own, or 0.5.
        gap_s, class_
            As for `detections`.

        Returns
        -------
        DataFrame
            The groups' columns, class, detections, recorded_hours, per_hour.
        """
        from explorer.collection.counts import counts  # noqa: PLC0415

        return counts(self, by, threshold=threshold, gap_s=gap_s, class_=class_)

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
            labelled windows), and a note on what could not be estimated.
        """
        from explorer.collection.trust import quality  # noqa: PLC0415

        return quality(self, apart=apart)

    def save(self, name: str | None = None, *, threshold: float | None = None) -> Path:
        """Save weights and description under ``classifiers/NAME.safetensors``.

        The file says its classes, encoder and run, what it was made of, the threshold (the one
        given, or the classifier's own) and the calibrations.
        """
        name = name or self.name
        if not name:
            raise ParameterError("give the classifier a name: save('grunts')")
        if threshold is not None:
            self.threshold = threshold
        path = _save(self, name)
        self.name = name
        return path


def load_classifier(collection: Collection, name: str) -> Classifier:
    """Open a saved classifier by its name.

    Raises
    ------
    CollectionError
        If there is none of that name; the message lists those that there are.
    """
    known = collection.catalogue.classifiers().set_index("name")
    if name not in known.index:
        there = ", ".join(known.index) or "none yet: save one with classifier.save(name)"
        raise CollectionError(f"{collection.path}: no classifier {name!r}; there are: {there}")
    row = known.loc[name]
    path = _folder(collection) / str(row["file"])
    if not path.exists():
        raise CollectionError(f"{path}: the file of this classifier is gone; save it again")
    model = kinds.load(path)
    choice = model.metadata.get("choice")
    return Classifier(
        collection,
        model,
        run=str(row["run"]),
        name=name,
        made_of=model.metadata.get("made_of"),
        threshold=model.metadata.get("threshold"),
        calibrations=calibrating.from_json(model.metadata.get("calibration"), path),
        choice=None if choice is None else Choice.from_dict(choice),
    )


def _folder(collection: Collection) -> Path:
    return collection.path / "classifiers"


def _save(classifier: Classifier, name: str) -> Path:
    if not re.fullmatch(r"\w[\w .+-]{0,99}", name) or name.endswith((".", " ")):
        raise ParameterError(
            f"{name!r} cannot name a classifier: use letters, digits, spaces and . _ + -"
        )
    collection = classifier.collection
    run = collection.catalogue.runs()[classifier.run]
    path = _folder(collection) / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    classifier.model.save(
        path,
        metadata={
            "name": name,
            "run": run.name,
            "encoder": run.encoder,
            "encoder_version": run.version,
            "window_s": run.window_s,
            "threshold": classifier.threshold,
            "calibration": calibrating.to_json(classifier.calibrations),
            "made_of": classifier.made_of,
            "choice": None if classifier.choice is None else classifier.choice.to_dict(),
        },
    )
    collection.catalogue.add_classifier(
        name, run.name, path.name, classifier.classes, file_digest(path)
    )
    return path
