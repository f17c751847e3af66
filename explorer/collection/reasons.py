"""Why a window scores as it does, in labelled windows that play; and labels to look at again."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from explorer.classify import evidence as given
from explorer.classify.kinds import Model
from explorer.collection.learning import Judged
from explorer.collection.results import SoundTable

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier


class Evidence(SoundTable):
    """Labelled windows that speak for a detection, then those against it, weightiest first.

    The index holds window numbers. Columns: recording, start_s, end_s, started_at, site, label
    (what the window is labelled as), contribution (by how much the likeness, or a probe's logit,
    would fall without it: positive supports, negative contradicts) and reason. A sentence that
    sums up is in ``attrs["sentence"]``.
    """

    def _repr_html_(self) -> str:
        sentence = html.escape(str(self.attrs.get("sentence", "")))
        return f"<p>{sentence}</p>{super()._repr_html_()}"


class Suspects(SoundTable):
    """Labels that the other labels disagree with, the most doubtful first.

    The index holds window numbers. Columns: recording, start_s, end_s, started_at, site, class,
    judgement (positive or negative, as it is now), doubt (from 0 to 1) and reason.
    """


def evidence(classifier: Classifier, row: int, class_: str | None, *, most: int) -> Evidence:
    """The examples that most support and contradict a detection; see `Classifier.evidence`."""
    collection, run = classifier.collection, classifier.run
    window = collection.windows([row], run).iloc[0]
    if class_ is None:
        class_ = classifier.classes[int(classifier.scores()[row].argmax())]
    score = classifier.scores()[row, classifier.column(class_)]
    judged = Judged.of_classifier(classifier)
    vector = np.asarray(collection.embeddings(run).take([row]), dtype=np.float32)[0]
    found = given.explain(model_here(classifier), judged.labelled, vector, class_, most=most)
    told = [*found.supports, *found.contradicts]
    numbers = np.array([number for number, _ in told], dtype=np.int64)
    table = collection.windows(judged.rows[numbers], run).drop(columns="recording_id")
    amounts = np.array([amount for _, amount in told], dtype=np.float64)
    labels = [label_of(judged, number) for number in numbers]
    made = Evidence.of(
        table.assign(
            label=labels,
            contribution=amounts,
            reason=[_reason(*pair) for pair in zip(labels, amounts, strict=True)],
        ),
        collection,
    )
    made.attrs["sentence"] = (
        f"{window['recording']} at {window['start_s']:.1f} s scores {score:.2f} for {class_}. "
        f"{found.sentence}"
    )
    assert isinstance(made, Evidence)
    return made


def suspects(classifier: Classifier, *, more_than: float) -> Suspects:
    """Labels that look wrong; see `Classifier.suspects`."""
    collection, run = classifier.collection, classifier.run
    judged = Judged.of_classifier(classifier)
    found = given.suspects(model_here(classifier), judged.labelled, more_than=more_than)
    rows = judged.rows[np.array([suspect.row for suspect in found], dtype=np.int64)]
    table = collection.windows(rows, run).drop(columns="recording_id")
    table = table.assign(
        **{"class": [suspect.class_ for suspect in found]},
        judgement=["positive" if suspect.is_example else "negative" for suspect in found],
        doubt=[suspect.doubt for suspect in found],
        reason=[suspect.reason for suspect in found],
    )
    made = Suspects.of(table, collection)
    assert isinstance(made, Suspects)
    return made


def model_here(classifier: Classifier) -> Model:
    """The model in the geometry of the run as it is now, in which it scores."""
    return classifier.model.on(classifier.collection.background(classifier.run))


def label_of(judged: Judged, number: int) -> str:
    """What a labelled window is, or failing that what it is not."""
    labelled = judged.labelled
    names = np.asarray(labelled.classes, dtype=object)
    of, not_of = names[labelled.positive[number]], names[labelled.negative[number]]
    return ", ".join(of) if len(of) else ", ".join(f"not {name}" for name in not_of)


def _reason(label: str, amount: float) -> str:
    if np.isnan(amount):
        return f"the only example: labelled {label}"
    return f"{'supports' if amount > 0 else 'contradicts'} ({amount:+.3f}): labelled {label}"
