"""Saved classifiers: ``classifiers/NAME.safetensors``, and a row of the catalogue for each.

A file holds the classifier and, as JSON, its run and encoder, what it was made of, its thresholds
and calibrations, where it was made (`Origin`) and how it was adapted (`Adaptation`). It is written
under another name and renamed, so it is whole or not there. Version 1, which is not numbered, has
neither origin nor adaptation; up to version 2 there was one threshold for all classes. A newer
version than this program's is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.classify import kinds
from explorer.classify.choice import Choice
from explorer.collection import calibrating
from explorer.collection.classifier import Classifier
from explorer.collection.transfer import Adaptation, Origin
from explorer.collection.vectors import file_digest
from explorer.errors import CollectionError, FormatVersionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

VERSION = 3


def save(classifier: Classifier, name: str) -> Path:
    """Write a classifier's file, and enter it in the catalogue; see `Classifier.save`."""
    if not re.fullmatch(r"\w[\w .+-]{0,99}", name) or name.endswith((".", " ")):
        raise ParameterError(
            f"{name!r} cannot name a classifier: use letters, digits, spaces and . _ + -"
        )
    collection = classifier.collection
    run = collection.catalogue.runs()[classifier.run]
    choice, adaptation = classifier.choice, classifier.adaptation
    path = _folder(collection) / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    classifier.model.save(
        path,
        metadata={
            "version": VERSION,
            "name": name,
            "run": run.name,
            "encoder": run.encoder,
            "encoder_version": run.version,
            "window_s": run.window_s,
            "thresholds": classifier.thresholds,
            "calibration": calibrating.to_json(classifier.calibrations),
            "made_of": classifier.made_of,
            "choice": None if choice is None else choice.to_dict(),
            "origin": Origin.of(classifier).to_dict(),
            "adaptation": None if adaptation is None else adaptation.to_dict(),
        },
    )
    collection.catalogue.add_classifier(
        name, run.name, path.name, classifier.classes, file_digest(path)
    )
    return path


def load(collection: Collection, name: str | Path) -> Classifier:
    """Open a saved classifier by its name or its file; see `Collection.load_classifier`."""
    known = collection.catalogue.classifiers().set_index("name")
    if str(name) not in known.index and Path(name).suffix == ".safetensors":
        path = Path(name).expanduser().resolve()
        if path.parent != _folder(collection) or path.stem not in known.index:
            return _of_elsewhere(collection, path)
        name = path.stem
    name = str(name)
    if name not in known.index:
        there = ", ".join(known.index) or "none yet: save one with classifier.save(name)"
        raise CollectionError(f"{collection.path}: no classifier {name!r}; there are: {there}")
    row = known.loc[name]
    path = _folder(collection) / str(row["file"])
    if not path.exists():
        raise CollectionError(f"{path}: the file of this classifier is gone; save it again")
    model = kinds.load(path)
    said = _checked(model.metadata, path)
    choice = said.get("choice")
    return Classifier(
        collection,
        model,
        run=str(row["run"]),
        name=name,
        made_of=said.get("made_of"),
        thresholds=_thresholds(said, model.classes),
        calibrations=calibrating.from_json(said.get("calibration"), path),
        choice=None if choice is None else Choice.from_dict(choice),
        origin=Origin.from_metadata(said["origin"], path) if "origin" in said else None,
        adaptation=_adaptation(said, path),
    )


def _of_elsewhere(collection: Collection, path: Path) -> Classifier:
    """Open a classifier's file of another collection on this collection's run of the same kind."""
    if not path.exists():
        raise CollectionError(f"{path}: there is no such file")
    model = kinds.load(path)
    said = _checked(model.metadata, path)
    origin = Origin.from_metadata(said.get("origin") or said, path)
    run = origin.run_in(collection, path)
    dimension = collection.embeddings(run).dimension
    if model.dimension != dimension:
        raise CollectionError(
            f"{path}: it was made on embeddings of dimension {model.dimension}, and those of {run} "
            f"in {collection.name} have {dimension}; one of the two encoders is not what it says"
        )
    # The rows that it was made of are rows of the other collection: they stay in the origin.
    return Classifier(
        collection,
        model,
        run=run,
        thresholds=_thresholds(said, model.classes),
        origin=origin,
        adaptation=_adaptation(said, path),
    )


def _checked(said: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """What a file says, unless a newer program wrote it: that may say what changes its scores."""
    if said.get("version", 1) > VERSION:
        raise FormatVersionError(
            f"{path}: this classifier was saved in version {said['version']} of its format, and "
            f"this program knows versions up to {VERSION}. "
            "Update with: pip install -U soundscape-explorer"
        )
    return said


def _thresholds(said: Mapping[str, Any], classes: Iterable[str]) -> dict[str, float]:
    one_for_all = said.get("threshold")
    if one_for_all is not None:
        return dict.fromkeys(classes, float(one_for_all))
    return {class_: float(value) for class_, value in (said.get("thresholds") or {}).items()}


def _adaptation(said: Mapping[str, Any], path: Path) -> Adaptation | None:
    described = said.get("adaptation")
    try:
        return None if described is None else Adaptation.from_dict(described)
    except (ParameterError, KeyError, TypeError, ValueError) as error:
        raise CollectionError(
            f"{path}: how it was adapted cannot be read ({error}); adapt the classifier again"
        ) from error


def _folder(collection: Collection) -> Path:
    return collection.path / "classifiers"
