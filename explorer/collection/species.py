"""The encoder's own name for what it hears in each window, from the embeddings that are kept.

BirdNET, Perch and SurfPerch were trained as classifiers, and their last layer sees nothing but the
embedding (`explorer.encoders.base.HeadedEncoder`): no sound is read for their best guess. And a
guess it is. The lists hold species of the whole world, or sounds of other reefs, and of every
window the best class is named, right or wrong; the score tells how much to make of it.

``species/RUN.npz`` holds ``codes`` int16 [n_windows], ``scores`` float16 [n_windows] and ``about``,
a JSON text (format version, run, rows, a fingerprint of the embeddings, and the names that the
codes stand for). Windows that were embedded since are added to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.collection.vectors import Vectors
from explorer.errors import CollectionError, FormatVersionError, ParameterError

if TYPE_CHECKING:
    from explorer.collection.collection import Collection
    from explorer.encoders.base import HeadedEncoder

Report = Callable[[float, str], None]

FORMAT_VERSION = 1
NO_GUESS = "no guess"
"""The name for windows whose embedding is not finite."""
SURE = 0.5
"""From this score on a guess counts in tables; the encoder's own scale, no probability."""
_AT_ONCE = 1024
"""Windows that are scored at once: of BirdNET's 6,522 classes 27 MB."""

_BINOMIAL = re.compile(r"[A-Z][a-zë-]+ (?:[x×] )?[a-zë-]+")


@dataclass(frozen=True, eq=False)
class Species:
    """The encoder's best class for every window.

    Attributes
    ----------
    run
        The run whose windows these are.
    codes
        int16 [n_windows]: into ``classes``, ``names`` and ``scientific``, the most frequent first.
    scores
        float32 [n_windows], 0 to 1: the encoder's own score of that class.
    classes
        The classes that occur, as the encoder writes them.
    """

    run: str
    codes: NDArray[np.int16]
    scores: NDArray[np.float32]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The classes by the names that people use: "Eurasian Blackbird"."""
        return tuple(names_of(written)[0] for written in self.classes)

    @cached_property
    def scientific(self) -> tuple[str, ...]:
        """Scientific names, "Turdus merula"; "" where there is none."""
        return tuple(names_of(written)[1] for written in self.classes)

    @property
    def table(self) -> pd.DataFrame:
        """Every window's best guess: species, scientific, score; the index holds window numbers."""
        codes = self.codes.astype(np.int64)
        return pd.DataFrame(
            {
                "species": pd.Categorical.from_codes(*_categories(codes, self.names)),
                "scientific": pd.Categorical.from_codes(*_categories(codes, self.scientific)),
                "score": self.scores,
            },
            index=pd.RangeIndex(len(self), name="window"),
        )

    def counts(self, at: float = SURE) -> pd.DataFrame:
        """How many windows each species is the best guess of, at a score or above.

        Columns: species, scientific, windows, best (the highest score); most windows first.
        """
        sure = self.scores >= at
        windows = np.bincount(self.codes[sure], minlength=len(self.classes))
        best = np.zeros(len(self.classes), np.float32)
        np.maximum.at(best, self.codes, self.scores)
        table = pd.DataFrame(
            {
                "species": self.names,
                "scientific": self.scientific,
                "windows": windows,
                "best": best,
            }
        )
        found = table[table["windows"] > 0]
        return found.sort_values("windows", ascending=False, kind="stable", ignore_index=True)


def names_of(written: str) -> tuple[str, str]:
    """The common and the scientific name of a class ("" where it has none).

    >>> names_of("Turdus merula_Eurasian Blackbird")
    ('Eurasian Blackbird', 'Turdus merula')
    >>> names_of("Engine_Engine"), names_of("bioph_damselfish")
    (('Engine', ''), ('bioph damselfish', ''))
    """
    first, _, second = written.partition("_")
    if second and first == second:
        return first, ""
    if second and _BINOMIAL.fullmatch(first):
        return second, first
    if _BINOMIAL.fullmatch(written):
        return written, written
    return written.replace("_", " ").strip() or written, ""


def species(collection: Collection, run: str, report: Report | None = None) -> Species:
    """The best class of every window; read from the disk where it was asked for before.

    Raises
    ------
    ParameterError
        If the run's encoder has no classes, or they cannot be had without the sound.
    """
    tell = report or (lambda share, words: None)
    return collection._keep(
        ("species", run), collection.n_windows(run), lambda: _made(collection, run, tell)
    )


def known(collection: Collection, run: str) -> Species | None:
    """What was found of all windows before, or None; quick."""
    kept = _read(_path(collection, run), run, collection.embeddings(run))
    return kept if kept is not None and len(kept) == collection.n_windows(run) else None


def guess(
    collection: Collection, run: str, rows: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.float32]]:
    """Best class, as the encoder writes it, and score of some windows; not kept.

    Raises
    ------
    ParameterError
        As `species`.
    """
    encoder = headed(collection, run)
    vectors = collection.embeddings(run)
    classes: list[str] = []
    scores = [np.empty(0, np.float32)]
    for start in range(0, len(rows), _AT_ONCE):
        codes, score = _best(encoder, vectors.take(rows[start : start + _AT_ONCE]))
        classes += [NO_GUESS if code < 0 else encoder.class_names[code] for code in codes]
        scores.append(score)
    return classes, np.concatenate(scores)


def headed(collection: Collection, run: str) -> HeadedEncoder:
    """The encoder of a run, if its embeddings tell its classes.

    Raises
    ------
    ParameterError
        If they do not.
    """
    from explorer.encoders.base import ClassifyingEncoder, HeadedEncoder  # noqa: PLC0415

    encoder = collection.encoder(run)
    if isinstance(encoder, HeadedEncoder):
        return encoder
    if isinstance(encoder, ClassifyingEncoder):
        raise ParameterError(
            f"{encoder.name} names sounds from the sound itself and not from its embeddings, which "
            "are what a collection keeps; embed with birdnet, perch or surfperch to see names"
        )
    raise ParameterError(
        f"{encoder.name} is an encoder without names for sounds; embed with birdnet, perch or "
        "surfperch to see theirs"
    )


def _made(collection: Collection, run: str, report: Report) -> Species:
    vectors, path = collection.embeddings(run), _path(collection, run)
    kept = _read(path, run, vectors)
    if kept is not None and len(kept) == len(vectors):
        return kept
    report(0.0, "Loading the encoder")
    encoder = headed(collection, run)
    written = list(encoder.class_names)
    done = 0 if kept is None else len(kept)
    codes = np.empty(len(vectors), np.int64)
    scores = np.empty(len(vectors), np.float32)
    if kept is not None:
        number = {name: code for code, name in enumerate(written)}
        codes[:done] = np.array([number.get(name, -1) for name in kept.classes])[kept.codes]
        scores[:done] = kept.scores
    for first, block in vectors.blocks(_AT_ONCE):
        part = slice(max(first, done), first + len(block))
        if part.start >= part.stop:
            continue
        codes[part], scores[part] = _best(encoder, block[part.start - first :])
        report(part.stop / len(vectors), f"Asking {encoder.name} what it hears")
    made = _numbered(run, codes, scores, written)
    _write(path, made, vectors)
    return made


def _best(
    encoder: HeadedEncoder, rows: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Number and score of the best class of each row; -1 and 0 where a row is not finite."""
    import torch  # noqa: PLC0415

    finite = np.isfinite(rows).all(axis=1)
    if not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    whole = np.where(finite[:, None], rows, 0).astype(np.float32)
    best = encoder.head(torch.from_numpy(whole)).max(dim=1)
    score = best.values.sigmoid().cpu().numpy().astype(np.float32)
    code = best.indices.cpu().numpy().astype(np.int64)
    return np.where(finite, code, -1), np.where(finite, score, 0).astype(np.float32)


def _numbered(
    run: str, codes: NDArray[np.int64], scores: NDArray[np.float32], written: Sequence[str]
) -> Species:
    """Number the classes that occur anew, the most frequent first."""
    there, place, count = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    rank = np.empty(len(there), np.int16)
    rank[order] = np.arange(len(there))
    classes = tuple(NO_GUESS if code < 0 else written[code] for code in there[order])
    # As they will be read again.
    return Species(run, rank[place], scores.astype(np.float16).astype(np.float32), classes)


def _categories(
    codes: NDArray[np.int64], names: Sequence[str]
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes into names of which none is there twice, as pandas wants them."""
    unique = list(dict.fromkeys(names))
    number = {name: code for code, name in enumerate(unique)}
    return np.array([number[name] for name in names], dtype=np.int64)[codes], unique


# --- on disk ------------------------------------------------------------------------------------


def _path(collection: Collection, run: str) -> Path:
    return collection.path / "species" / f"{run}.npz"


def _read(path: Path, run: str, vectors: Vectors) -> Species | None:
    """What is kept, or None where nothing is or it is of other embeddings."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            about: dict[str, Any] = json.loads(str(stored["about"]))
            if about["version"] > FORMAT_VERSION:
                raise FormatVersionError(
                    f"{path}: these species have format {about['version']} and this program knows "
                    f"up to {FORMAT_VERSION}. Update with: pip install -U soundscape-explorer"
                )
            codes = stored["codes"].astype(np.int16)
            scores = stored["scores"].astype(np.float32)
            classes = tuple(str(name) for name in about["classes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CollectionError(
            f"{path}: these species cannot be read ({error}). Delete the file; it is made again."
        ) from error
    rows = len(codes)
    if about["run"] != run or about["rows"] != rows or rows > len(vectors):
        return None
    if about["fingerprint"] != _fingerprint(vectors, rows):
        return None
    return Species(run, codes, scores, classes)


def _write(path: Path, made: Species, vectors: Vectors) -> None:
    about = {
        "version": FORMAT_VERSION,
        "run": made.run,
        "rows": len(made),
        "fingerprint": _fingerprint(vectors, len(made)),
        "classes": list(made.classes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            codes=made.codes,
            scores=made.scores.astype(np.float16),
            about=np.array(json.dumps(about)),
        )
    temporary.replace(path)


def _fingerprint(vectors: Vectors, rows: int) -> str:
    """Of the first rows: another encoder's, or ones embedded anew, have another."""
    some = np.unique(np.linspace(0, max(0, rows - 1), 5).astype(np.int64))[:rows]
    return hashlib.sha256(vectors.take(some).tobytes()).hexdigest()[:16]
