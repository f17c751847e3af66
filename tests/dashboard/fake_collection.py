"""A collection in memory: seeded clusters for embeddings, chirps for sounds.

It answers what the dashboard asks of ``explorer.collection.Collection`` without a disk, so that
the tests of the screen's logic take milliseconds and can be as large as they need to be.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

RATE = 24_000
WINDOW_S = 3.0


class FakeClassifier:
    """Scores by similarity to the mean of the positives less that of the negatives."""

    def __init__(
        self, classes: list[str], scores: np.ndarray, recordings: Mapping[str, int] | None = None
    ) -> None:
        self.classes = classes
        self._scores = scores
        self._recordings = recordings or {}

    def scores(self) -> np.ndarray:
        """Scores [n, n_classes]."""
        return self._scores

    def next_to_label(self, n: int, *, class_: str) -> pd.DataFrame:
        """As Classifier.next_to_label, as far as rows and reasons."""
        scores = self._scores[:, self.classes.index(class_)]
        rows = np.argsort(np.abs(scores - 0.5), kind="stable")[:n]
        return pd.DataFrame({"reason": [f"unsure (score {scores[r]:.2f})" for r in rows]}, rows)

    def curves(self) -> dict[str, Any]:
        """As Classifier.curves, where nothing is known."""
        return {}

    def quality(self) -> pd.DataFrame:
        """As Classifier.quality: an AUC of .97 where examples are of several recordings."""
        recordings = [self._recordings.get(name, 1) for name in self.classes]
        auc = [0.97 if count > 1 else np.nan for count in recordings]
        return pd.DataFrame(
            {"examples": 4, "recordings": recordings, "auc": auc, "note": "of few recordings"},
            index=pd.Index(self.classes, name="class"),
        )


class FakeIndex(SimpleNamespace):
    """A WindowIndex as far as it is read."""

    def __len__(self) -> int:
        return len(self.position)


class FakeCatalogue:
    """Settings that nobody has made."""

    def setting(self, key: str) -> None:
        """As Catalogue.setting."""


class FakeCollection:
    """``recordings`` recordings of ``per_recording`` windows in ``clusters`` kinds of sound."""

    def __init__(
        self,
        recordings: int = 48,
        per_recording: int = 20,
        clusters: int = 7,
        *,
        dimension: int = 32,
        names: Sequence[str] = (),
        projected: bool = True,
        embedded: bool = True,
        seed: int = 3,
    ) -> None:
        rng = np.random.default_rng(seed)
        n = recordings * per_recording
        self.name = "Spring 2026 survey"
        self.path = Path("/nowhere/spring.collection")
        self.run = "spectral-1_3.0s" if embedded else None
        self._kind = rng.integers(0, clusters, n)
        centres = rng.normal(0, 1, (clusters, dimension))
        self._vectors = (centres[self._kind] + rng.normal(0, 0.35, (n, dimension))).astype("f4")
        angle = rng.uniform(0, 2 * np.pi, clusters)
        middle = np.c_[np.cos(angle), np.sin(angle)] * rng.uniform(3, 9, (clusters, 1))
        self._xy = (middle[self._kind] + rng.normal(0, 0.7, (n, 2))).astype("f4")
        self._projected = projected
        sites = ["Ridge-02", "Creek-01", "Marsh-03"]
        start = dt.datetime(2026, 5, 1, 4, tzinfo=dt.timezone(dt.timedelta(hours=-7)))
        whens = [start + dt.timedelta(hours=7 * i) for i in range(recordings)]
        self._recordings = pd.DataFrame(
            {
                "recording": [
                    names[i] if i < len(names) else f"{sites[i % 3]}/{when:%Y%m%d_%H%M%S}.wav"
                    for i, when in enumerate(whens)
                ],
                "duration_s": per_recording * WINDOW_S,
                "sample_rate": RATE,
                "site": [sites[i % 3] for i in range(recordings)],
                "started_at": [when.isoformat() for when in whens],
            },
            index=pd.Index(range(1, recordings + 1)),
        )
        self._n, self._per = n, per_recording
        self.places: dict[str, Any] = {}
        self.catalogue = FakeCatalogue()
        self._events: list[dict[str, Any]] = []
        self.fits = 0

    @property
    def recordings(self) -> pd.DataFrame:
        """As Collection.recordings."""
        return self._recordings

    @property
    def runs(self) -> pd.DataFrame:
        """As Collection.runs."""
        rows = [(self.run, "spectral", WINDOW_S, WINDOW_S, 1.0, 32, self._n)] if self.run else []
        names = ["run", "encoder", "window_s", "hop_s", "speed", "dimension", "windows"]
        return pd.DataFrame(rows, columns=names)

    @property
    def studies(self) -> pd.DataFrame:
        """As Collection.studies."""
        return pd.DataFrame({"name": [], "class": [], "run": [], "created_at": []})

    @property
    def left_out(self) -> pd.DataFrame:
        """As Collection.left_out."""
        return pd.DataFrame({"recording": [], "cause": []})

    def n_windows(self, run: str | None = None) -> int:
        """As Collection.n_windows."""
        return self._n

    def held(self, run: str | None = None) -> FakeCollection:
        """As Collection.held: nothing is ever added here."""
        return self

    def windows(self, rows: Any = None, run: str | None = None) -> pd.DataFrame:
        """As Collection.windows."""
        rows = np.arange(self._n) if rows is None else np.asarray(rows)
        frame = self._recordings.iloc[rows // self._per]
        start = (rows % self._per) * WINDOW_S
        return pd.DataFrame(
            {
                "recording": frame["recording"].to_numpy(),
                "start_s": start,
                "end_s": start + WINDOW_S,
                "site": frame["site"].to_numpy(),
                "recording_id": frame.index.to_numpy(),
                "started_at": frame["started_at"].to_numpy(),
            },
            index=pd.Index(rows, name="row"),
        )

    @property
    def sites(self) -> pd.DataFrame:
        """As Collection.sites, with the places in ``places``."""
        own = self._recordings.groupby("site")
        table = own["started_at"].agg(first="min", last="max").reset_index()
        position = [self.places.get(site, (np.nan, np.nan)) for site in table["site"]]
        return table.assign(
            latitude=[latitude for latitude, _ in position],
            longitude=[longitude for _, longitude in position],
            recordings=own.size().to_numpy(),
            hours=own["duration_s"].sum().to_numpy() / 3600,
            source=["given" if site in self.places else None for site in table["site"]],
        )

    def place(self, site: str, latitude: float | None, longitude: float | None) -> None:
        """As Collection.place."""
        self.places[site] = (latitude, longitude)

    def _keep(self, key: Any, stamp: Any, make: Callable[[], Any]) -> Any:
        return make()

    def index(self, run: str | None = None) -> Any:
        """What the dashboard reads of Collection.index."""
        rows = np.arange(self._n)
        start = (rows % self._per) * WINDOW_S
        return FakeIndex(
            recordings=self._recordings,
            position=rows // self._per,
            start_s=start,
            end_s=start + WINDOW_S,
        )

    def prepared(self, run: str | None = None, progress: Any = True) -> None:
        """As Collection.prepared."""
        if callable(progress):
            for done in range(0, self._n + 1, max(1, self._n // 4)):
                progress(done, self._n)

    def embeddings(self, run: str | None = None) -> Any:
        """As Collection.embeddings, as far as ``take``."""
        return SimpleNamespace(take=lambda rows: self._vectors[rows], shape=self._vectors.shape)

    def projection(self, run: str | None = None) -> np.ndarray | None:
        """As Collection.projection."""
        return self._xy if self._projected else None

    def project(self, run: str | None = None, progress: Any = True, **_: Any) -> np.ndarray:
        """As Collection.project."""
        if callable(progress):
            for done in (0.25, 0.5, 1.0):
                progress(done, "drawing")
        self._projected = True
        return self._xy

    def clip(self, row: int, *, context_s: float = 0.0, run: str | None = None) -> Any:
        """A chirp whose pitch is its kind's, in noise."""
        rng = np.random.default_rng(row)
        t = np.arange(int(RATE * WINDOW_S)) / RATE
        kind = int(self._kind[row])
        low = 400 * 1.6**kind
        on = (t > 0.3 + rng.uniform(0, 1)) & (t % 0.25 < 0.05 + 0.02 * kind) & (t < 2.6)
        tone = np.sin(2 * np.pi * (low * t + (200 + 90 * kind) * np.abs(t % 0.25) ** 1.5)) * on
        samples = (0.3 * tone + 0.01 * rng.normal(size=t.size)).astype("f4")
        start = (row % self._per) * WINDOW_S
        return SimpleNamespace(samples=samples, rate=RATE, start_s=start, end_s=start + WINDOW_S)

    def label(
        self,
        rows: Any,
        class_name: str,
        judgement: str = "positive",
        *,
        who: str,
        source: str = "dashboard",
        run: str | None = None,
    ) -> list[int]:
        """As Collection.label."""
        ids = []
        for row in np.atleast_1d(rows):
            ids.append(len(self._events))
            self._events.append(
                {"row": int(row), "class": class_name, "judgement": judgement, "who": who}
            )
        return ids

    def undo(self, events: Sequence[int], *, who: str, source: str = "dashboard") -> list[int]:
        """As Collection.undo."""
        ids = []
        for event in events:
            ids.append(len(self._events))
            self._events.append({"judgement": "undo", "undoes": event, "who": who})
        return ids

    def label_rows(self, run: str | None = None) -> pd.DataFrame:
        """As Collection.label_rows."""
        current: dict[tuple[int, str, str], dict[str, Any]] = {}
        undone: set[int] = set()
        for number, event in reversed(list(enumerate(self._events))):
            if event["judgement"] == "undo" and number not in undone:
                undone.add(event["undoes"])
        for number, event in enumerate(self._events):
            if event["judgement"] != "undo" and number not in undone:
                key = (event["row"], event["class"], event["who"])
                current[key] = {**event, "event": number}
        return pd.DataFrame(
            list(current.values()), columns=["row", "class", "judgement", "who", "event"]
        )

    def latest_event(self) -> int:
        """As Collection.latest_event."""
        return len(self._events)

    def labels(self, who: str | None = None) -> pd.DataFrame:
        """As Collection.labels."""
        rows = self.label_rows()
        windows = self.windows(rows["row"].to_numpy(dtype=int)).reset_index(drop=True)
        kept = windows[["recording", "start_s", "end_s", "site", "started_at"]]
        said = rows[["class", "judgement", "who"]].assign(when="", source="dashboard")
        return pd.concat([kept, said], axis=1)

    def classifier(
        self, examples: Mapping[str, Any] | None = None, *, run: str | None = None, **_: Any
    ) -> FakeClassifier:
        """As Collection.classifier."""
        self.fits += 1
        labels = self.label_rows()
        classes = list(dict.fromkeys(labels.loc[labels["judgement"] == "positive", "class"]))
        unit = self._vectors / np.linalg.norm(self._vectors, axis=1, keepdims=True)
        columns = []
        for name in classes:
            mine = labels[labels["class"] == name]
            yes = unit[mine.loc[mine["judgement"] == "positive", "row"].to_numpy(dtype=int)]
            no = unit[mine.loc[mine["judgement"] == "negative", "row"].to_numpy(dtype=int)]
            raw = unit @ yes.mean(axis=0) - (0.5 * unit @ no.mean(axis=0) if len(no) else 0)
            columns.append(1 / (1 + np.exp(-9 * (raw - 0.6))))
        scores = np.stack(columns, axis=1) if columns else np.zeros((self._n, 0))
        yes = labels[labels["judgement"] == "positive"]
        recordings = (yes["row"] // self._per).groupby(yes["class"]).nunique().to_dict()
        return FakeClassifier(classes, scores.astype("f4"), recordings)

    def search(self, query: Any, k: int = 50, **_: Any) -> pd.DataFrame:
        """As Collection.search, by window rows or by (recording, second)."""
        if isinstance(query, tuple):
            recording = list(self._recordings["recording"]).index(query[0])
            query = recording * self._per + int(query[1] // WINDOW_S)
        rows = np.atleast_1d(0 if isinstance(query, (str, Path)) else query)
        unit = self._vectors / np.linalg.norm(self._vectors, axis=1, keepdims=True)
        scores = unit @ unit[rows].mean(axis=0)
        best = np.argsort(-scores, kind="stable")[:k]
        return self.windows(best).assign(score=scores[best])
