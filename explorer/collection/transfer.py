"""A classifier made at one place, used at another.

A saved classifier says where it was made: on which encoder and windows, and what mean and spread
each dimension of the embedding had there. So its file can be opened in another collection of the
same encoder, and adapted to what that place, and its recorder, do to embeddings::

    there = explorer.open("lagoon.collection")
    grunts = there.load_classifier("reef.collection/classifiers/grunts.safetensors")
    adapted = grunts.adapt()             # a new classifier; grunts stays what it is
    print(adapted.comparison())          # before and after, and whether to keep it
    adapted.save("grunts here")

Adapting changes how embeddings are read (a scale and a shift for each dimension), never the
classifier itself, so that `Classifier.undone` gives it back, from the file as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.classify.adaptation_models import Elsewhere, adapt_model
from explorer.classify.adaptation_settings import METHODS, Method, Settings, settings_for
from explorer.classify.adaptation_student import Statistics
from explorer.collection.classifier import Classifier
from explorer.collection.progress import share_bar
from explorer.errors import CollectionError, ParameterError
from explorer.space.blocks import evenly_spaced

if TYPE_CHECKING:
    from explorer.collection.collection import Collection

DEFAULT_METHOD: Method = "adabn"
"""Standardising alone; see `explorer.classify.adaptation.adapt` for what the others gained."""
MOST_WINDOWS = 20_000
"""Evenly spaced windows that mean and spread are measured on: they are then known to 1 %."""

Progress = bool | Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a classifier was made.

    Attributes
    ----------
    collection, run
        Names of both.
    encoder, encoder_version, window_s
        What its embeddings are; ``window_s`` in seconds of the recording.
    statistics
        Mean and spread of each dimension there; None where an older program saved the classifier.
    made_of
        Examples and negatives by row of that collection.
    """

    collection: str
    run: str
    encoder: str
    encoder_version: str
    window_s: float
    statistics: Statistics | None
    made_of: Mapping[str, Any]

    @classmethod
    def of(cls, classifier: Classifier) -> Origin:
        """Where this classifier was made: what its file said, or else here, measured now."""
        if classifier.origin is not None:
            return classifier.origin
        collection, name = classifier.collection, classifier.run
        run = collection.catalogue.runs()[name]

        def measure() -> Statistics:
            return Statistics.of(evenly_spaced(collection.embeddings(name), MOST_WINDOWS)[1])

        statistics = collection._keep(("statistics", name), collection.n_windows(name), measure)
        return cls(
            collection.name,
            name,
            run.encoder,
            run.version,
            run.window_s,
            statistics,
            classifier.made_of,
        )

    @classmethod
    def from_metadata(cls, described: Mapping[str, Any], path: Path) -> Origin:
        """What a classifier's file says.

        Raises
        ------
        CollectionError
            If it does not say what its embeddings are.
        """
        try:
            return cls(
                described.get("collection", path.parent.parent.stem),
                described["run"],
                described["encoder"],
                described["encoder_version"],
                described["window_s"],
                _statistics_from(described.get("statistics")),
                described.get("made_of") or {},
            )
        except KeyError as error:
            raise CollectionError(
                f"{path}: it does not say what encoder it was made on ({error} is missing), as it "
                "was not saved by a collection; make it in one, and save it with save(name)"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        described = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.statistics is not None:
            described["statistics"] = {
                "mean": self.statistics.mean.tolist(),
                "spread": self.statistics.spread.tolist(),
                "n_windows": self.statistics.n_windows,
            }
        return described

    def run_in(self, collection: Collection, path: Path) -> str:
        """The run of a collection with embeddings of the same kind.

        Raises
        ------
        CollectionError
            If there is none; the message says how to make it.
        """
        runs = collection.catalogue.runs()
        same = [
            name
            for name, run in runs.items()
            if (run.encoder, run.version) == (self.encoder, self.encoder_version)
            and abs(run.window_s - self.window_s) < 1e-6
        ]
        if same:
            return self.run if self.run in same else same[-1]
        cure = f'explorer embed "{collection.path}" --encoder {self.encoder}'
        if any(run.version == self.encoder_version for run in runs.values()):
            cure += f" --window {self.window_s:g}"
        raise CollectionError(
            f"{path}: this classifier was made on {self.encoder} {self.encoder_version}, windows "
            f"of {self.window_s:g} s, and {collection.name} has {', '.join(runs) or 'no run yet'}. "
            f"Embed it in the same way: {cure}"
        )


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What adapting found, and how, where and when.

    Attributes
    ----------
    gamma, beta
        An embedding times gamma plus beta is what the classifier expects, float32 ``[dimension]``.
    settings
        How it was adapted.
    collection, run, n_windows
        To what: names, and how many windows were learnt from.
    history
        Mean loss of each epoch; empty where nothing is trained.
    when
        ISO 8601 with zone.
    """

    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]
    settings: Settings
    collection: str
    run: str
    n_windows: int
    history: tuple[float, ...]
    when: str

    def __str__(self) -> str:
        return (
            f"Adapted to {self.n_windows:,} windows of {self.collection} ({self.settings.method})."
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        described = {field.name: getattr(self, field.name) for field in fields(self)}
        return described | {
            "gamma": self.gamma.tolist(),
            "beta": self.beta.tolist(),
            "settings": self.settings.to_dict(),
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Adaptation:
        """The adaptation that `to_dict` described."""
        return cls(
            **{
                **described,
                "gamma": np.array(described["gamma"], np.float32),
                "beta": np.array(described["beta"], np.float32),
                "settings": Settings(**described["settings"]),
                "history": tuple(described["history"]),
            }
        )

    def at_work(self, classifier: Classifier) -> Elsewhere:
        """The classifier as it scores windows of its collection, scaled and shifted."""
        vectors = classifier.collection.embeddings(classifier.run)
        return Elsewhere.of(classifier.model, self.gamma, self.beta, vectors)


def adapt(
    classifier: Classifier,
    method: Method | None = None,
    *,
    device: str = "auto",
    progress: Progress = True,
    cancel: threading.Event | None = None,
    **settings: Any,
) -> Classifier:
    """Adapt a classifier to its collection; see `Classifier.adapt`."""
    chosen = _settings(method, settings)
    origin = Origin.of(classifier)
    if chosen.standardise and origin.statistics is None:
        raise ParameterError(
            f"the file of this classifier is older than adapting: it lacks the mean and spread of "
            f"the embeddings in {origin.collection}. Open it there, save it again "
            "(load_classifier(name).save()), and use that file; or adapt without them: "
            'adapt("notela", standardise=False)'
        )
    collection, run = classifier.collection, classifier.run
    most = chosen.most_windows or collection.n_windows(run)
    with share_bar(progress, f"Adapting to {collection.name}") as report:
        report(0.0, "Reading embeddings")
        _, sample = evenly_spaced(collection.embeddings(run), most)
        found = adapt_model(
            classifier.model,
            sample,
            settings=chosen,
            source=origin.statistics,
            device=device,
            on_progress=report,
            cancel=cancel,
        )
        report(1.0, "Adapted")
    return Classifier(
        collection,
        classifier.model,
        run=run,
        made_of=classifier.made_of,
        thresholds=classifier.thresholds,
        choice=classifier.choice,
        origin=origin,
        adaptation=Adaptation(
            found.gamma,
            found.beta,
            chosen,
            collection.name,
            run,
            found.n_windows,
            found.history,
            datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )


def _settings(method: Method | None, given: Mapping[str, Any]) -> Settings:
    wanted = method or DEFAULT_METHOD
    if wanted not in METHODS:
        raise ParameterError(f"method {wanted!r} is not known; use {', '.join(METHODS)}")
    known = [field.name for field in fields(Settings) if field.name != "method"]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ParameterError(f"there is no setting {unknown[0]!r}; there are: {', '.join(known)}")
    multi_label = bool(given.get("multi_label", True))
    return replace(settings_for(wanted, multi_label=multi_label), **given)


def _statistics_from(described: Mapping[str, Any] | None) -> Statistics | None:
    if described is None:
        return None
    mean, spread = (np.array(described[name], np.float64) for name in ("mean", "spread"))
    return Statistics(mean, spread, int(described["n_windows"]))
