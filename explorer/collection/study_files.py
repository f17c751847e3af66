"""Begins studies, keeps each as one JSON file, and opens it again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.classify.labelling_plan import PER_BIN, LabellingPlan, bins_of
from explorer.classify.weights import check_version
from explorer.collection.calibrating import scale_of
from explorer.collection.counts import clock
from explorer.collection.study import NOT_IN_STUDY, Study
from explorer.collection.windows import WindowIndex
from explorer.errors import CollectionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.classifier import Classifier
    from explorer.collection.collection import Collection

FORMAT = "explorer study"
FORMAT_VERSION = 1

NAME = re.compile(r"\w[\w .+-]{0,79}")
"""What a study may be called, as it names a file."""


def begin(
    classifier: Classifier,
    class_: str | None,
    *,
    per_bin: int = PER_BIN,
    seed: int = 0,
    name: str | None = None,
    sites: Sequence[str] | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
) -> Study:
    """Draw the windows of a new study and keep it; see `Classifier.study`."""
    collection = classifier.collection
    class_ = the_class(classifier, class_)
    name = _free_name(collection, class_) if name is None else _checked_name(collection, name)
    days = [None if day is None else _day(day) for day in (since, until)]
    scores, inside = scores_within(classifier, class_, sites, days[0], days[1])
    plan = LabellingPlan.draw(np.where(inside, scores, np.nan), per_bin=per_bin, seed=seed)
    study = Study(
        collection=collection,
        name=name,
        class_=class_,
        run=classifier.run,
        plan=plan,
        bins=np.where(inside, bins_of(scores, plan.bounds), NOT_IN_STUDY).astype(np.int8),
        scale=scale_of(classifier.model),
        classifier=classifier.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sites=None if sites is None else tuple(sites),
        since=days[0],
        until=days[1],
    )
    _write(study)
    return study


def the_class(classifier: Classifier, class_: str | None) -> str:
    """The class that a study is of, refused where it is not one of the classifier's."""
    if class_ is None and len(classifier.classes) > 1:
        raise ParameterError(
            f"a study is of one class: name one of {', '.join(classifier.classes)}"
        )
    class_ = classifier.classes[0] if class_ is None else class_
    if class_ not in classifier.classes:
        raise ParameterError(
            f"there is no class {class_!r} in this classifier; "
            f"there are {', '.join(classifier.classes)}"
        )
    return class_


def scores_within(
    classifier: Classifier,
    class_: str,
    sites: Sequence[str] | None,
    since: str | None,
    until: str | None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of all windows, and which windows lie at these sites and on these days."""
    scores = classifier.scores()[:, classifier.column(class_)].astype(np.float64)
    inside = _inside(classifier.collection.index(classifier.run), sites, since, until)
    if not inside.any():
        raise ParameterError("no window lies within these sites and days: widen them")
    return scores, inside


def open_study(collection: Collection, name: str) -> Study:
    """Open a study by its name.

    Raises
    ------
    CollectionError
        If there is none of that name (the message lists those that there are), its file is damaged,
        or the collection no longer holds the windows that it drew.
    FormatVersionError
        If a newer program wrote it.
    """
    names = names_of_studies(collection)
    if name not in names:
        there = ", ".join(names) or "none yet: begin one with classifier.study(class)"
        raise CollectionError(f"{collection.path}: no study {name!r}; there are: {there}")
    path = _path(collection, name)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        check_version(str(path), kept, FORMAT, FORMAT_VERSION)
        study = _from_json(collection, name, kept)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise CollectionError(
            f"{path}: this is no whole study ({error}). Bring it back from a backup, or begin the "
            "study again; its answers are labels and are safe"
        ) from error
    if study.run not in collection.catalogue.runs():
        raise CollectionError(
            f"{path}: this study is of run {study.run}, which {collection.name} does not hold"
        )
    if len(study.bins) > collection.n_windows(study.run) or kept["windows"] != _digest(study):
        raise CollectionError(
            f"{path}: the windows of {study.run} are not those that this study drew; was it "
            "embedded anew, or the file copied from another collection? Begin another study"
        )
    return study


def studies(collection: Collection) -> pd.DataFrame:
    """The studies that were begun: name, class, run, classifier, created_at, windows, answered."""
    found = [open_study(collection, name) for name in names_of_studies(collection)]
    rows = [
        (
            study.name,
            study.class_,
            study.run,
            study.classifier,
            study.created_at,
            study.plan.n_windows,
            study.progress.answered,
        )
        for study in found
    ]
    columns = ["name", "class", "run", "classifier", "created_at", "windows", "answered"]
    return pd.DataFrame(rows, columns=columns)


def _path(collection: Collection, name: str) -> Path:
    return collection.path / "studies" / f"{name}.json"


def names_of_studies(collection: Collection) -> list[str]:
    """What the studies of a collection are called."""
    return sorted(path.stem for path in (collection.path / "studies").glob("*.json"))


def _write(study: Study) -> None:
    """Under a temporary name, then renamed: the study is whole or not there."""
    path = _path(study.collection, study.name)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(path.name + ".writing")
    temporary.write_text(json.dumps(_to_json(study), ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def _to_json(study: Study) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "class": study.class_,
        "run": study.run,
        "classifier": study.classifier,
        "scale": study.scale,
        "created_at": study.created_at,
        "sites": study.sites,
        "since": study.since,
        "until": study.until,
        "windows": _digest(study),
        "plan": study.plan.to_dict(),
        # A byte for each window of the run, most of them alike.
        "bins": base64.b64encode(zlib.compress(study.bins.tobytes())).decode(),
    }


def _from_json(collection: Collection, name: str, kept: dict[str, Any]) -> Study:
    return Study(
        collection=collection,
        name=name,
        class_=kept["class"],
        run=kept["run"],
        plan=LabellingPlan.from_dict(kept["plan"]),
        bins=np.frombuffer(zlib.decompress(base64.b64decode(kept["bins"])), dtype=np.int8),
        scale=kept["scale"],
        classifier=kept["classifier"],
        created_at=kept["created_at"],
        sites=None if kept["sites"] is None else tuple(kept["sites"]),
        since=kept["since"],
        until=kept["until"],
    )


def _digest(study: Study) -> str:
    """SHA-256 of which recording and second each window of the plan is."""
    rows = np.concatenate(study.plan.queues)
    table = study.collection.windows(rows, study.run)
    starts = zip(table["recording"], table["start_s"], strict=True)
    lines = (f"{name}\t{start:.3f}\n" for name, start in starts)
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _free_name(collection: Collection, class_: str) -> str:
    """The class's name as a file can have it, with a number where that is taken."""
    stem = re.sub(r"[^\w .+-]", "_", class_)[:60].strip(" ._+-") or "study"
    there = {name.casefold() for name in names_of_studies(collection)}
    numbered = (stem if number == 1 else f"{stem} {number}" for number in range(1, 10_000))
    return next(name for name in numbered if name.casefold() not in there)


def _checked_name(collection: Collection, name: str) -> str:
    if not NAME.fullmatch(name) or name.endswith((".", " ")):
        raise ParameterError(
            f"{name!r} cannot name a study: use letters, digits, spaces and . _ + -"
        )
    if _path(collection, name).exists():
        raise ParameterError(
            f"there is a study {name!r} already: open it with collection.study({name!r}), or give "
            "the new one another name"
        )
    return name


def _day(day: str | date) -> str:
    try:
        return date.fromisoformat(str(day)).isoformat()
    except ValueError:
        raise ParameterError(f"{str(day)!r} is no day; write it as 2026-03-31") from None


def _inside(
    index: WindowIndex, sites: Sequence[str] | None, since: str | None, until: str | None
) -> NDArray[np.bool_]:
    """Which windows lie at these sites and start on these days, both ends included."""
    inside = np.ones(len(index), dtype=bool)
    if sites is not None:
        unknown = sorted(set(sites) - set(index.recordings["site"]))
        if unknown:
            there = ", ".join(sorted(set(index.recordings["site"].dropna()))) or "none"
            raise ParameterError(f"there is no site {unknown[0]!r}; there are: {there}")
        inside &= index.recordings["site"].isin(list(sites)).to_numpy()[index.position]
    if since is not None or until is not None:
        day = clock(index).astype("datetime64[D]")
        inside &= ~np.isnat(day)
        inside &= day >= np.datetime64(since or "0001-01-01")
        inside &= day <= np.datetime64(until or "9999-12-31")
    return inside
