"""Names for the clusters of a map: short, honest, and no two the same.

The first of these that can be said is taken. What people labelled ("mostly Whoop", or "some Whoop"
where few windows are labelled); what the encoder calls most of it, with a question mark ("Dark-eyed
Junco?"); what some clips from its middle sound like, where and when ("low pulses 0.2–0.8 kHz,
LAGOON, night"). Each name comes with a sentence that says what it rests on.

What had to be heard or asked is kept in ``projections/layers/RUN.HASH.clusters.json``: format
version, run, rows, digests of the map and of its clusters, and for each cluster its ``species`` and
its ``sound``. Names follow from these and the labels of the moment, and are kept for readers only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection import species as species_
from explorer.collection.labels import agreed
from explorer.errors import (
    CollectionError,
    EncoderError,
    ExplorerError,
    MissingDependencyError,
    ParameterError,
)

if TYPE_CHECKING:
    from explorer.audio.character import Character
    from explorer.collection.collection import Collection
    from explorer.collection.map_layers import Map
    from explorer.space.clusters import MapClusters

Report = Callable[[float, str], None]
Rows = NDArray[np.int64]

UNHEARD = "group "
"""With a number, the name of a cluster of which nothing is known."""
MOSTLY = 0.6
"""A class is what a cluster is mostly of at this share of its judged windows, and
`MOSTLY_LABELS` positives, which are `MOSTLY_JUDGED` of all of its windows; else "some"."""
MOSTLY_LABELS = 3
MOSTLY_JUDGED = 0.1
SOME = 0.5
SPECIES_SCORE = 0.3
"""A guess of the encoder counts from this score on."""
SPECIES_SHARE = 1 / 3
"""Of so many of the windows asked about must a species be the guess, to be the name."""
ASKED = 100
"""Windows of a cluster whose species are asked for."""
CLIPS = 5
"""Clips of a cluster that are listened to."""
CLIP_S = 10.0
"""The most that is listened to of one."""
SITE_SHARE, TIME_SHARE = 0.7, 0.6
LIFT = 1.5
"""A cluster is of a place or a time where it has this share of its windows, and so many times more
than the whole collection."""
DAY = (
    (4, "early morning"),
    (7, "morning"),
    (12, "afternoon"),
    (17, "evening"),
    (20, "night"),
)
"""Parts of the day by the recorder's clock: from this hour on."""


@dataclass
class _Heard:
    """What was found out about one cluster: kept on disk."""

    species: dict[str, Any] | None = None
    sound: dict[str, Any] | None = None
    clips: int = 0
    asked: bool = False


@dataclass(frozen=True)
class _Named:
    """A name, what it rests on, and what can be added where another has the same name."""

    name: str
    reason: str
    more: tuple[str, ...] = field(default=())


def name_clusters(
    collection: Collection,
    shown: Map,
    found: MapClusters,
    report: Report,
    *,
    listen: bool = True,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of all clusters, and what each rests on.

    Parameters
    ----------
    report
        Told the share done and what is being done; an exception raised in it stops the work, and
        what was heard so far is kept.
    listen
        False takes only what is known already: labels, what was heard before, place and time.
    """
    path = shown.file("clusters.json")
    digest = hashlib.sha256(found.codes.tobytes()).hexdigest()[:16]
    heard = _read(path, shown, digest, len(found))
    members = _members(found)
    if listen and not all(one.asked and one.clips for one in heard):
        try:
            _ask(collection, shown.run, members, heard, report)
            _listen(collection, shown, found, members, heard, report)
        finally:
            _write(path, shown, digest, heard, [])
    labelled = _by_labels(collection, shown.run, found)
    context = _Context(collection, shown.run)
    named = [
        _named(code, rows, labelled.get(code), heard[code], context)
        for code, rows in enumerate(members)
    ]
    names = _unlike(named)
    if listen:
        _write(path, shown, digest, heard, names)
    report(1.0, "The clusters have names")
    return tuple(names), tuple(one.reason for one in named)


def _members(found: MapClusters) -> list[Rows]:
    """Rows of each cluster."""
    order = np.argsort(found.codes, kind="stable")
    edges = np.searchsorted(found.codes[order], np.arange(len(found) + 1))
    return [order[start:end] for start, end in pairwise(edges)]


def _named(
    code: int, rows: Rows, labelled: _Named | None, heard: _Heard, context: _Context
) -> _Named:
    """The first name that can be given."""
    where, when = context.site(rows), context.time(rows)
    around = tuple(words for words in (where, when) if words)
    sound = _character(heard)
    sounds = (sound.words,) if sound is not None else ()
    if labelled is not None:
        return _Named(labelled.name, labelled.reason, (*sounds, *around))
    if heard.species is not None:
        of = heard.species
        reason = (
            f"The encoder's best guess for {of['windows']} of {of['of']} windows asked about, "
            f"at a score of {SPECIES_SCORE:g} or more. Nobody has labelled it."
        )
        return _Named(f"{of['name']}?", reason, (*sounds, *around))
    if sound is not None:
        clips = "1 clip" if heard.clips == 1 else f"{heard.clips} clips"
        most = f" Most of it: {', '.join(around)}." if around else ""
        reason = f"What {clips} from its middle sound like.{most} Nobody has labelled it."
        return _Named(", ".join((sound.words, *around)), reason)
    name = ", ".join((f"{UNHEARD}{code + 1}", *around))
    return _Named(name, "Nobody has labelled it or listened to it, or its sound cannot be read.")


def _unlike(named: Sequence[_Named]) -> list[str]:
    """Names of which no two are the same: the largest cluster keeps the plain one."""
    names: list[str] = []
    for one in named:
        tries = [one.name, *(f"{one.name}, {words}" for words in one.more)]
        numbered = (f"{one.name} ({number})" for number in range(2, len(named) + 2))
        names.append(next(name for name in (*tries, *numbered) if name not in names))
    return names


# --- what people labelled -----------------------------------------------------------------------


def _by_labels(collection: Collection, run: str, found: MapClusters) -> dict[int, _Named]:
    """Names by what most people say, of clusters in which a class has enough labels."""
    judged = agreed(collection.label_rows(run))
    judged = judged[judged["row"] < len(found.codes)]
    judged = judged.assign(cluster=found.codes[judged["row"].to_numpy(dtype=np.int64)])
    sizes = found.sizes
    names = {}
    for code, rows in judged[judged["cluster"] >= 0].groupby("cluster"):
        name = _label_name(rows, int(sizes[int(code)]))
        if name is not None:
            names[int(code)] = name
    return names


def _label_name(judged: pd.DataFrame, size: int) -> _Named | None:
    positive = judged[judged["judgement"] == "positive"]
    counts = positive["class"].value_counts()
    if counts.empty or counts.iloc[0] < 2:
        return None
    best = counts[counts == counts.iloc[0]].index.min()  # of two the same, always the same
    count = int(counts.iloc[0])
    refused = judged[(judged["class"] == best) & (judged["judgement"] == "negative")]
    others = positive.loc[positive["class"] != best, "row"]
    mine = set(positive.loc[positive["class"] == best, "row"])
    windows = len(mine | set(refused["row"]) | set(others))
    share = count / windows
    if share < SOME:
        return None
    told = f"{count} of {windows} judged windows here are {best}; it has {size} windows."
    if share >= MOSTLY and count >= MOSTLY_LABELS and count >= MOSTLY_JUDGED * size:
        return _Named(f"mostly {best}", told)
    return _Named(f"some {best}", told)


# --- what the encoder calls it ------------------------------------------------------------------


def _ask(
    collection: Collection, run: str, members: list[Rows], heard: list[_Heard], report: Report
) -> None:
    """Find the species that the encoder names most of each cluster."""
    known = species_.known(collection, run)
    for code, rows in enumerate(members):
        report(0.05 + 0.2 * code / max(1, len(members)), "Asking the encoder for names")
        if heard[code].asked:
            continue
        some = rows[np.unique(np.linspace(0, len(rows) - 1, ASKED).astype(np.int64))]
        try:
            if known is not None:
                classes = [known.classes[at] for at in known.codes[some]]
                scores = known.scores[some]
            else:
                classes, scores = species_.guess(collection, run, some)
        except ParameterError:  # it has no names
            for one in heard:
                one.asked = True
            return
        except (EncoderError, MissingDependencyError):  # it is not installed here, or not yet
            return
        heard[code].species = _species(classes, scores)
        heard[code].asked = True


def _species(classes: Sequence[str], scores: NDArray[np.float32]) -> dict[str, Any] | None:
    sure = Counter(
        name for name, score in zip(classes, scores, strict=True) if score >= SPECIES_SCORE
    )
    if not sure:
        return None
    (best, count), *others = sure.most_common(2)
    rival = others[0][1] if others else 0
    if count < max(2, SPECIES_SHARE * len(classes)) or count < LIFT * rival:
        return None
    name, scientific = species_.names_of(best)
    return {"name": name, "scientific": scientific, "windows": count, "of": len(classes)}


# --- what it sounds like ------------------------------------------------------------------------


def _listen(
    collection: Collection,
    shown: Map,
    found: MapClusters,
    members: list[Rows],
    heard: list[_Heard],
    report: Report,
) -> None:
    """Describe a few clips of each cluster's middle."""
    from explorer.audio.character import character, common  # noqa: PLC0415

    index = collection.index(shown.run)
    for code, rows in enumerate(members):
        if heard[code].clips:
            continue
        clips: list[Character] = []
        chosen = _middle(shown.coordinates, found.centres[code], rows, index.recording_id)
        for number, row in enumerate(chosen):
            done = (code + number / len(chosen)) / len(members)
            report(0.25 + 0.75 * done, "Listening to each cluster")
            try:
                clip = collection.clip(int(row), run=shown.run)
            except (ExplorerError, OSError):  # moved or damaged: the others tell enough
                continue
            clips.append(character(clip.samples[: round(CLIP_S * clip.rate)], clip.rate))
        what = common(clips)
        heard[code].sound = None if what is None else asdict(what)
        heard[code].clips = len(clips)


def _middle(
    places: NDArray[np.float32],
    centre: NDArray[np.float32],
    rows: Rows,
    recording: NDArray[np.int32],
) -> Rows:
    """Windows near a cluster's middle, of as many recordings as there are."""
    away = ((places[rows] - centre) ** 2).sum(axis=1)
    near = rows[np.argsort(away, kind="stable")[: 12 * CLIPS]]
    _, first = np.unique(recording[near], return_index=True)
    order = np.r_[np.sort(first), np.setdiff1d(np.arange(len(near)), first)]
    return near[order][:CLIPS]


def _character(heard: _Heard) -> Character | None:
    from explorer.audio.character import Character  # noqa: PLC0415

    return None if heard.sound is None else Character(**heard.sound)


# --- where and when -----------------------------------------------------------------------------


class _Context:
    """Places and times of all windows, beside which those of a cluster are told."""

    def __init__(self, collection: Collection, run: str) -> None:
        index = collection.index(run)
        site = index.site
        self._sites = [str(name) for name in site.categories]
        self._site = np.asarray(site.codes, dtype=np.int64)
        self._usual_site = _shares(self._site, len(self._sites))
        starts = np.array([hour for hour, _ in DAY])
        hour = index.hour
        part = (np.searchsorted(starts, np.nan_to_num(hour), side="right") - 1) % len(DAY)
        self._part = np.where(np.isnan(hour), -1, part)
        self._usual_part = _shares(self._part, len(DAY))

    def site(self, rows: Rows) -> str:
        """The site of most of these windows, where they are more often of it than all are."""
        at = _outstanding(self._site[rows], self._usual_site, SITE_SHARE)
        return "" if at is None else self._sites[at]

    def time(self, rows: Rows) -> str:
        """The part of the day of most of them, likewise."""
        at = _outstanding(self._part[rows], self._usual_part, TIME_SHARE)
        return "" if at is None else DAY[at][1]


def _shares(codes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    counts = np.bincount(codes[codes >= 0], minlength=count)
    return counts / max(1, len(codes))


def _outstanding(codes: NDArray[np.int64], usual: NDArray[np.float64], fewest: float) -> int | None:
    share = _shares(codes, len(usual))
    if not len(share):
        return None
    best = int(share.argmax())
    return best if share[best] >= max(fewest, LIFT * usual[best]) else None


# --- on disk ------------------------------------------------------------------------------------


def _read(path: Path, shown: Map, digest: str, count: int) -> list[_Heard]:
    """What was found out before, or blanks."""
    if path.exists():
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            if shown.is_mine(about, path) and about["codes"] == digest:
                return [_Heard(**one) for one in about["clusters"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CollectionError(
                f"{path}: these names cannot be read ({error}). Delete the file; they are made "
                "again."
            ) from error
    return [_Heard() for _ in range(count)]


def _write(
    path: Path, shown: Map, digest: str, heard: Sequence[_Heard], names: Sequence[str]
) -> None:
    about = {
        **shown.about(),
        "codes": digest,
        "clusters": [asdict(one) for one in heard],
        "names": list(names),
    }
    temporary = path.with_suffix(".writing")
    temporary.write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)
