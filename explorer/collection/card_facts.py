"""What a classifier's card says, part by part, as JSON values; what is not known is None."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from explorer.classify import kinds
from explorer.classify.density import Estimate
from explorer.collection.curve import Curve
from explorer.collection.vectors import file_digest
from explorer.encoders.provenance import provenance
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection

Facts = dict[str, Any]

DIGITS = 4
MOST_POINTS = 60
"""Of a ROC curve."""
FEW_RECORDINGS = 4
"""Of examples, below which a figure is rough."""


def classifier(made: Classifier, thresholds: Mapping[str, float]) -> Facts:
    """The classifier itself: name, kind, thresholds, its file and that file's hash."""
    file, saved_at = None, None
    if made.name is not None:
        known = made.collection.catalogue.classifiers().set_index("name")
        if made.name in known.index:
            row = known.loc[made.name]
            path = made.collection.path / "classifiers" / str(row["file"])
            file = path if path.is_file() else None
            saved_at = str(row["created_at"])
    return {
        "name": made.name,
        "kind": kinds.kind_of(made.model),
        "why": made.choice.sentence if made.choice else None,
        "classes": list(made.classes),
        "thresholds": dict(thresholds),
        "file": None if file is None else file.name,
        "sha256": None if file is None else file_digest(file),
        "saved_at": saved_at,
        "made_in": made.collection.name if made.origin is None else made.origin.collection,
    }


def encoder(made: Classifier) -> Facts:
    """What made the embeddings, with licence and hashes of its weights."""
    run = made.collection.catalogue.runs()[made.run]
    return asdict(provenance(run.encoder, run.version))


def run(made: Classifier) -> Facts:
    """How windows were cut, and what the encoder heard of them."""
    run = made.collection.catalogue.runs()[made.run]
    names = ("name", "window_s", "hop_s", "speed", "low_hz", "high_hz", "channel", "sample_rate")
    return {name: getattr(run, name) for name in (*names, "dimension")}


def recordings(made: Classifier) -> Facts:
    """The recordings of the collection: how many, how long, where, when, with what."""
    collection = made.collection
    known = collection.recordings
    sites = sorted(str(site) for site in known["site"].dropna().unique())
    starts = sorted(str(start)[:10] for start in known["started_at"].dropna())
    devices = sorted(
        {str(device) for device in known["device"].dropna()} if "device" in known else ()
    )
    return {
        "collection": collection.name,
        "recordings": len(known),
        "hours": _round(known["duration_s"].sum() / 3600),
        "windows": collection.n_windows(made.run),
        "sites": sites,
        "first_day": starts[0] if starts else None,
        "last_day": starts[-1] if starts else None,
        "devices": devices,
    }


def labels(made: Classifier) -> Facts:
    """Which label events it was made of, and a hash of them.

    The hash is the SHA-256 of a line for each label, sorted: event, recording, start and end in
    seconds, class, judgement, who and when, with tabs between.
    """
    learnt = _learnt_labels(made)
    lines = sorted(
        f"{row.event}\t{row.recording}\t{row.start_s:.3f}\t{row.end_s:.3f}\t{row.class_}\t"
        f"{row.judgement}\t{row.who}\t{row.when}\n"
        for row in learnt.itertuples()
    )
    windows = sum(
        len(rows)
        for side in ("examples", "negatives")
        for rows in made.made_of.get(side, {}).values()
    )
    told = learnt.drop_duplicates(["row", "class_"])
    return {
        "windows": windows,
        "events": sorted({int(event) for event in learnt["event"]}),
        "people": sorted(set(learnt["who"])),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None,
        # Examples that were given in a notebook have no label.
        "without_label": max(0, windows - len(told)),
    }


def _learnt_labels(made: Classifier) -> pd.DataFrame:
    """The labels that count now of the windows and classes that it was made of."""
    collection = made.collection
    pairs = {
        (int(row), name)
        for side in ("examples", "negatives")
        for name, rows in made.made_of.get(side, {}).items()
        for row in rows
    }
    rows = collection.label_rows(made.run)
    learnt = [pair in pairs for pair in zip(rows["row"], rows["class"], strict=True)]
    about = collection.labels().set_index("event")[["recording", "start_s", "end_s", "when"]]
    return rows[learnt].join(about, on="event").rename(columns={"class": "class_"})


def classes(made: Classifier, thresholds: Mapping[str, float], examples: int) -> list[Facts]:
    """Of each class: labels, examples, how well it is found, how much there is of it."""
    curves = made.curves()
    mixed = curves.mixed_up(thresholds)
    said = made.collection.labels()
    others = [*made.classes, None]
    found = []
    for column, name in enumerate(made.classes):
        curve = curves[name]
        point = curve.at(thresholds[name])
        own = said[said["class"] == name]
        found.append(
            {
                "name": name,
                "labels": _counts(own),
                "by_person": {str(who): _counts(part) for who, part in own.groupby("who")},
                "made_of": {
                    side: len(made.made_of.get(side, {}).get(name, ()))
                    for side in ("examples", "negatives")
                },
                "example_recordings": _recordings_of(made, name),
                "examples": _examples(made, name, examples),
                "threshold": thresholds[name],
                "precision": _estimate(point.precision),
                "recall": _estimate(point.recall),
                "detections": int((made.scores()[:, column] >= thresholds[name]).sum()),
                "auc": _estimate(curve.auc),
                "average_precision": _round(curve.average_precision),
                "rests_on": curve.basis,
                "study": curve.study,
                "sentence": curve.sentence,
                "message": curve.message,
                "level": curve.level,
                "curve": _records(_every_fiftieth(curve.table)),
                "roc": _roc(curve),
                "bins": _records(curve.bins[curve.bins["labels"] > 0]),
                "found": int(mixed.found[column]),
                "missed": _confused(others, mixed.missed[column]),
                "mistaken": _confused(others, mixed.mistaken[column]),
                "density": _density(made, name),
                "probabilities": name in made.calibrations,
            }
        )
    return found


def adaptation(made: Classifier) -> Facts | None:
    """How it was adapted to this place, if it was."""
    found = made.adaptation
    if found is None:
        return None
    return {
        "method": found.settings.method,
        "collection": found.collection,
        "run": found.run,
        "windows": found.n_windows,
        "when": found.when,
        "sentence": str(found),
    }


def uses(classes: Sequence[Facts], encoder: Facts, run: Facts, recordings: Facts) -> list[str]:
    """What it is for, in plain words."""
    names = _and([each["name"] for each in classes])
    where = f" at {_and(recordings['sites'])}" if 0 < len(recordings["sites"]) <= 6 else ""
    days = ""
    if recordings["first_day"]:
        first, last = recordings["first_day"], recordings["last_day"]
        days = f" of {first}" if first == last else f" from {first} to {last}"
    found = [
        f"To find {names} in recordings like those it was made of: {recordings['recordings']:,} "
        f"recordings{where}{days}.",
        f"It scores windows of {run['window_s']:g} s through {encoder['name']} "
        f"{encoder['version']}: use it on embeddings of the same encoder, version and window.",
        "To rank sounds for a person to listen to, and to count detections per recorded hour at "
        "the threshold told here.",
    ]
    counted = [each["name"] for each in classes if each["density"]]
    if counted:
        found.append(f"How much there is of {_and(counted)} is told by a study, at no threshold.")
    return found


def limits(classes: Sequence[Facts], encoder: Facts, recordings: Facts) -> list[str]:
    """What it is not for, and what is not known, in plain words."""
    found = []
    chosen = [each["name"] for each in classes if each["rests_on"] == "labels"]
    if chosen:
        found.append(
            f"Precision and recall of {_and(chosen)} are those among labels that a person chose. "
            "Among all windows they are likely to be lower: a study tells."
        )
    untested = [each["name"] for each in classes if each["rests_on"] == "nothing"]
    if untested:
        found.append(f"How well {_and(untested)} is found was not tested.")
    few = [each["name"] for each in classes if each["example_recordings"] < FEW_RECORDINGS]
    if few:
        found.append(
            f"Examples of {_and(few)} come from fewer than {FEW_RECORDINGS} recordings: other "
            "individuals, seasons and backgrounds may sound different."
        )
    if not all(each["probabilities"] for each in classes):
        found.append("A score is no probability: .8 does not mean right in 8 of 10 cases.")
    found += [
        "At another site, or with another recorder, it may do worse. Label some windows there, "
        "adapt it, and look at the comparison before relying on it.",
        "A single detection is no record of a species: somebody has to listen to it.",
        "Silence is no absence: calls are missed, more of them far away and in noise.",
    ]
    if "not for commercial" in encoder["licence"].lower() or "-nc" in encoder["licence"].lower():
        found.append(
            f"The weights of {encoder['name']} are licensed {encoder['licence']}. That binds what "
            "is made with them, too."
        )
    return found


def _examples(made: Classifier, name: str, most: int) -> list[Facts]:
    """A few examples from as many recordings as there are, the clearest first."""
    rows = np.asarray(made.made_of.get("examples", {}).get(name, ()), dtype=np.int64)
    if not len(rows) or most < 1:
        return []
    scores = made.scores()[rows, made.column(name)]
    table = made.collection.windows(rows, made.run).assign(score=scores)
    table = table.sort_values("score", ascending=False, kind="stable")
    table["again"] = table.groupby("recording").cumcount()
    table = table.sort_values("again", kind="stable").head(most)
    return [
        {
            "window": int(row.Index),
            "recording": str(row.recording),
            "start_s": _round(row.start_s),
            "end_s": _round(row.end_s),
            "site": None if row.site is None else str(row.site),
            "started_at": None if row.started_at is None else str(row.started_at),
        }
        for row in table.itertuples()
    ]


def _recordings_of(made: Classifier, name: str) -> int:
    rows = np.asarray(made.made_of.get("examples", {}).get(name, ()), dtype=np.int64)
    if not len(rows):
        return 0
    return int(made.collection.windows(rows, made.run)["recording"].nunique())


def _density(made: Classifier, name: str) -> Facts | None:
    """The result of the study with the most answers; None without one that tells."""
    collection: Collection = made.collection
    known = collection.studies
    known = known[(known["class"] == name) & (known["run"] == made.run)]
    for each in known.sort_values("answered", ascending=False, kind="stable")["name"]:
        study = collection.study(str(each))
        try:
            report = study.report()
        except ExplorerError:  # nothing is answered yet
            continue
        if math.isnan(float(report.loc[0, "density"])):
            continue
        return {
            "study": study.name,
            "begun_at": study.created_at,
            "sentence": report.attrs["sentence"],
            "whole": _records(report)[0],
            "sites": _records(report)[1:],
        }
    return None


def _counts(own: pd.DataFrame) -> dict[str, int]:
    counts = own["judgement"].value_counts()
    return {name: int(counts.get(name, 0)) for name in ("positive", "negative", "unsure")}


def _confused(names: Sequence[str | None], counts: np.ndarray) -> list[Facts]:
    """As class (None for none of them) and how many windows, most first; without zeros."""
    order = np.argsort(-counts, kind="stable")
    return [{"class": names[at], "windows": int(counts[at])} for at in order if counts[at]]


def _every_fiftieth(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of round thresholds, few enough to read."""
    fiftieths = table["threshold"] * 50
    return table[np.isclose(fiftieths, fiftieths.round())]


def _roc(curve: Curve) -> list[list[float]]:
    """Points of the ROC curve, few enough to draw."""
    points = curve.roc.to_numpy()
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int))
    return [[round(float(x), DIGITS), round(float(y), DIGITS)] for x, y in points[kept]]


def _estimate(found: Estimate) -> dict[str, float | None] | None:
    if math.isnan(found.value):
        return None
    return {name: _round(getattr(found, name)) for name in ("value", "low", "high")}


def _records(table: pd.DataFrame) -> list[Facts]:
    return [
        {str(key): _plain(value) for key, value in row.items()}
        for row in table.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return _round(float(value))
    return int(value) if isinstance(value, np.integer) else value


def _round(value: float) -> float | None:
    number = float(value)
    return round(number, DIGITS) if math.isfinite(number) else None


def _and(names: Sequence[str]) -> str:
    """Names in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))
