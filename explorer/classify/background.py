"""What a collection sounds like as a whole: the geometry that few-shot classifiers stand on.

Four examples say little about what a class is, but thousands of unlabelled windows say a lot about
what every window of the place has in common. The background holds that, learnt once for a run:

1. **Root.** The square root of embeddings that are never negative (the pooled activations of
   BirdNET): they have long tails, and a few large entries would decide everything. Embeddings with
   negative values are left as they are, as a root with signs tears values near zero apart.
2. **Centre and whiten a little.** The mean is taken off and the covariance divided out, after the
   sixth largest of its eigenvalues is added to all of them: the few directions in which everything
   varies (rain, the recorder) count for less, and those that are only noise are not blown up. Full
   whitening makes the result worse.
3. **Length one**, so that a product of two vectors is a cosine.
4. **Density.** How alike a window is to the windows most like it, over a sample of landmarks. Some
   windows resemble everything; a class must resemble a window more than the background does.
   (Cross-domain local scaling, Conneau et al. 2018, and the cohort normalisation of speaker
   verification are of the same kind.)

``tests/benchmarks/centroid.py`` prints what each step is worth.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike

from explorer.classify import weights
from explorer.errors import ParameterError
from explorer.space.blocks import Block, Corpus, as_float32, evenly_spaced, iterate_blocks, widened
from explorer.space.parallel import in_order

FORMAT = "explorer background"
FORMAT_VERSION = 1

FIT_ROWS = 20_000
"""Windows that mean and covariance are taken from, evenly spaced over the run."""
RIDGE_RANK = 6
"""The eigenvalue of this rank is added to all; ranks 4 to 12 do nearly as well on two encoders."""
LEAST_RIDGE = 0.02
"""The least that is added, as a share of the largest eigenvalue: for runs of a few windows."""
UNCERTAINTY = 2.0
"""A covariance of n windows in d dimensions is uncertain by about d / n: the ridge grows by this
many times that. In a small collection the directions of most variance are its classes themselves,
and dividing them out costs more than it gains (198 clips of ten birds, one example: AUC .90 with
the ridge alone, .92 with this)."""
LANDMARKS = 2048
"""Windows that stand for the background when density is measured."""
NEIGHBOUR_SHARE = 0.025
"""Share of the landmarks that are a window's neighbourhood."""
FEWEST_NEIGHBOURS = 50
"""Fewer would be windows of the same class, where a collection is small: they are no background."""
SAME_WINDOW = 0.9995
"""A landmark this alike is the window itself, and no neighbour of it."""
PREPARE_ROWS = 2048
KEPT_COLUMNS, MOST_COLUMNS = 64, 1024
KEPT_BYTES = 128 * 2**20
"""Likenesses to single vectors that `Prepared` keeps, 4 bytes a window each: as many as there is
room for. Each class asks for one, and for up to 64 of what it is not."""
KEPT_MOVED = 16_384
"""Examples and refused windows that a background keeps in its geometry; 64 MB at 1024 entries."""


@dataclass(frozen=True, eq=False)
class Background:
    """The geometry of one run of embeddings; see the module's text.

    Attributes
    ----------
    n_rows
        Windows in the run when it was fitted.
    rooted
        Whether the square root is taken first.
    mean
        float32 ``[dimension]``.
    whitening
        float32 ``[dimension, dimension]``, symmetric.
    landmarks
        float32 ``[n_landmarks, dimension]`` of length one, in the new geometry.

    Examples
    --------
    >>> rows = np.random.default_rng(0).random((100, 8))
    >>> background = Background.fit(rows)
    >>> background.prepare(rows).vectors.shape
    torch.Size([100, 8])
    """

    n_rows: int
    rooted: bool
    mean: torch.Tensor
    whitening: torch.Tensor
    landmarks: torch.Tensor

    @classmethod
    def fit(cls, embeddings: Corpus, *, seed: int = 0) -> Background:
        """Learn the geometry from a run's embeddings, ``[n, dimension]`` of any kind.

        Rows that are not finite are passed over. The same embeddings and seed give the same result.

        Raises
        ------
        ParameterError
            If there is no finite row.
        """
        total, sample = evenly_spaced(embeddings, FIT_ROWS)
        if not len(sample):
            raise ParameterError(
                f"a background needs at least one finite embedding; {total} windows hold none"
            )
        rooted = bool((sample >= 0).all())
        rows = _signed_root(sample) if rooted else sample
        mean = rows.mean(dim=0)
        whitening = _whitening(rows - mean)
        chosen = np.random.default_rng(seed).permutation(len(rows))[:LANDMARKS]
        chosen.sort()
        plain = cls(total, rooted, mean, whitening, torch.zeros(0, len(mean)))
        landmarks = plain.transform(sample[torch.from_numpy(chosen)])
        # Half precision on disk and in use alike, so that a loaded background scores the same.
        return cls(total, rooted, mean, whitening, landmarks.half().float())

    @classmethod
    def plain(cls, dimension: int) -> Background:
        """A geometry that only brings vectors to length one, for want of any background."""
        nothing = torch.zeros(0, dimension)
        return cls(0, False, torch.zeros(dimension), torch.eye(dimension), nothing)

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return len(self.mean)

    @property
    def n_neighbours(self) -> int:
        """How many landmarks are a window's neighbourhood."""
        return max(FEWEST_NEIGHBOURS, round(NEIGHBOUR_SHARE * len(self.landmarks)))

    @cached_property
    def digest(self) -> str:
        """A name for exactly this geometry (hexadecimal)."""
        total = hashlib.sha256(f"{self.rooted}".encode())
        for tensor in (self.mean, self.whitening, self.landmarks):
            total.update(tensor.contiguous().numpy().tobytes())
        return total.hexdigest()[:16]

    def transform(self, embeddings: ArrayLike | torch.Tensor) -> torch.Tensor:
        """Bring embeddings into this geometry: float32 ``[n, dimension]`` of length one.

        Rows that are not finite, and rows at the mean, become zeros.
        """
        if isinstance(embeddings, torch.Tensor):
            rows = embeddings.float()
        else:
            rows = as_float32(np.asarray(embeddings))
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise ParameterError(
                f"embeddings have shape {tuple(rows.shape)}, but this background is of dimension "
                f"{self.dimension}; use embeddings of the same encoder"
            )
        finite = torch.isfinite(rows).all(dim=1, keepdim=True)
        if not finite.all():
            rows = torch.where(finite, rows, 0.0)
        moved = ((_signed_root(rows) if self.rooted else rows) - self.mean) @ self.whitening
        length = torch.linalg.vector_norm(moved, dim=1, keepdim=True)
        return torch.where(finite & (length > 0), moved / length.clamp(min=1e-12), 0.0)

    def moved(self, rows: torch.Tensor) -> Moved:
        """`transform` of the examples of a class, kept: most classes are as they were a click ago.

        The same rows give the same numbers, whatever was asked for before.
        """
        key = hashlib.blake2b(rows.contiguous().numpy().tobytes(), digest_size=16).digest()
        with self._lock:
            known = self._moved.get(key)
            if known is not None:
                self._moved.move_to_end(key)
                return known
        made = Moved(self, self.transform(rows))
        with self._lock:
            self._moved[key] = made
            held = sum(len(one.vectors) for one in self._moved.values())
            while held > KEPT_MOVED and len(self._moved) > 1:
                _, gone = self._moved.popitem(last=False)
                held -= len(gone.vectors)
        return made

    @cached_property
    def _moved(self) -> OrderedDict[bytes, Moved]:
        return OrderedDict()

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    def density(self, vectors: torch.Tensor) -> torch.Tensor:
        """Mean cosine of each vector (in this geometry) to the landmarks most like it, ``[n]``."""
        n_landmarks = len(self.landmarks)
        if not n_landmarks or not len(vectors):
            return torch.zeros(len(vectors))
        likeness = (vectors @ self.landmarks.T).numpy()
        # One more than needed, in case the window itself is a landmark. numpy, as torch's topk
        # takes three times as long.
        most = min(self.n_neighbours + 1, n_landmarks)
        likeness.partition(n_landmarks - most, axis=1)
        nearest = np.maximum(likeness[:, n_landmarks - most :], 0)
        best = nearest.max(axis=1)
        own = best > SAME_WINDOW
        left_out = np.where(own, best, nearest.min(axis=1) if most > self.n_neighbours else 0)
        return torch.from_numpy((nearest.sum(axis=1) - left_out) / self.n_neighbours)

    def in_blocks(
        self, embeddings: Corpus, report: Callable[[int, int], None] | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """For each block of embeddings, in order: vectors, density, finite; see `Prepared`.

        ``report`` is told how many rows are done, and of how many, where that is known.
        """

        def one(block: Block) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            rows = as_float32(block[1])
            moved = self.transform(rows)
            return moved.half(), self.density(moved), torch.isfinite(rows).all(dim=1)

        done, total = 0, len(embeddings) if isinstance(embeddings, Sized) else None
        for part in in_order(one, iterate_blocks(embeddings, PREPARE_ROWS)):
            yield part
            done += len(part[0])
            if report is not None and total is not None:
                report(done, total)

    def prepare(
        self, embeddings: Corpus, report: Callable[[int, int], None] | None = None
    ) -> Prepared:
        """Do once what does not depend on the classes, so that a click costs a tenth of a second.

        Costs ``2 x dimension + 5`` bytes a window: 205 MB for 100,000 x 1024.
        """
        parts = list(self.in_blocks(embeddings, report))
        if not parts:
            empty = torch.zeros(0)
            return Prepared(self, empty.half().reshape(0, self.dimension), empty, empty.bool())
        source = None if isinstance(embeddings, Iterator) else embeddings
        vectors, density, finite = (torch.cat(column) for column in zip(*parts, strict=True))
        return Prepared(self, vectors, density, finite, source=source)

    def save(self, path: str | Path) -> None:
        """Write the background as safetensors, in one step."""
        weights.write(path, self.tensors(), self.about(), FORMAT, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> Background:
        """Read a background.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is no background.
        """
        tensors, about = weights.read(path, FORMAT, FORMAT_VERSION)
        return cls.from_tensors(tensors, about)

    def about(self) -> dict[str, object]:
        """What is saved beside the arrays, as JSON values."""
        return {"n_rows": self.n_rows, "rooted": self.rooted}

    def tensors(self) -> dict[str, torch.Tensor]:
        """The arrays by name, as they are saved."""
        return {
            "mean": self.mean,
            "whitening": self.whitening,
            "landmarks": self.landmarks.half(),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor], about: dict[str, object]) -> Background:
        """The background that `tensors` was called on."""
        return cls(
            n_rows=int(cast(int, about["n_rows"])),
            rooted=bool(about.get("rooted", True)),
            mean=tensors["mean"],
            whitening=tensors["whitening"],
            landmarks=tensors["landmarks"].float(),
        )


@dataclass(frozen=True, eq=False)
class Moved:
    """Vectors float32 ``[n, dimension]`` in the geometry of a background, and their density."""

    background: Background = field(repr=False)
    vectors: torch.Tensor

    @cached_property
    def density(self) -> torch.Tensor:
        """`Background.density` of the vectors, ``[n]``."""
        return self.background.density(self.vectors)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run's embeddings in the geometry of its background, held in memory.

    Attributes
    ----------
    background
        Whose geometry it is.
    vectors
        float16 ``[n, dimension]``, of length one.
    density
        float32 ``[n]``: likeness to the background around it.
    finite
        bool ``[n]``: False where the embedding holds a NaN or an infinity.
    source
        The embeddings as they were, for methods that use those; None if they came as an iterator.
    """

    background: Background
    vectors: torch.Tensor
    density: torch.Tensor
    finite: torch.Tensor
    source: Corpus | None = None
    _columns: OrderedDict[bytes, torch.Tensor] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, background: Background, vectors: torch.Tensor) -> Prepared:
        """Vectors ``[n, dimension]`` that are in the geometry of ``background`` already."""
        finite = torch.ones(len(vectors), dtype=torch.bool)
        return cls(background, vectors, background.density(vectors), finite)

    @staticmethod
    def bytes_for(n_rows: int, dimension: int) -> int:
        """What so many embeddings come to, prepared: float16, a float32 and a bool for each."""
        return n_rows * (2 * dimension + 5)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that this holds."""
        held = (self.vectors, self.density, self.finite, *self._columns.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def likeness(self, queries: torch.Tensor) -> list[torch.Tensor]:
        """Cosine of every window to each query of ``[q, dimension]``: q columns, float32 ``[n]``.

        The last columns are kept: after a click only what changed is computed.
        """
        room = KEPT_BYTES // (4 * max(1, len(self)))
        most = max(KEPT_COLUMNS, min(MOST_COLUMNS, room))
        keys = [query.numpy().tobytes() for query in queries]
        with self._lock:
            known = {key: self._columns[key] for key in keys if key in self._columns}
        new = {key: at for at, key in enumerate(keys) if key not in known}
        if new:
            known.update(zip(new, self._products(queries[list(new.values())]), strict=True))
        with self._lock:
            for key in keys:
                self._columns[key] = known[key]
                self._columns.move_to_end(key)
            while len(self._columns) > most:
                self._columns.popitem(last=False)
        return [known[key] for key in keys]

    def _products(self, queries: torch.Tensor) -> torch.Tensor:
        """Cosines ``[q, n]`` in float32."""

        def one(start: int) -> torch.Tensor:
            vectors = self.vectors[start : start + PREPARE_ROWS]
            out = torch.empty(len(queries), len(vectors))
            for part, rows in widened(vectors):
                out[:, part] = queries @ rows.T
            return out

        parts = list(in_order(one, range(0, len(self), PREPARE_ROWS)))
        return torch.cat(parts, dim=1) if parts else torch.zeros(len(queries), 0)


def _signed_root(rows: torch.Tensor) -> torch.Tensor:
    # With its sign, as embeddings seen later may dip below zero where those of the fit did not.
    return rows.abs().sqrt().copysign(rows)


def _whitening(centred: torch.Tensor) -> torch.Tensor:
    covariance = centred.T @ centred / len(centred)
    values = torch.linalg.eigvalsh(covariance)
    if not values[-1] > 0:
        return torch.eye(len(values))
    ridge = max(float(values[-min(RIDGE_RANK, len(values))]), LEAST_RIDGE * float(values[-1]))
    ridge *= 1 + UNCERTAINTY * len(values) / len(centred)
    # Only the shape matters, as vectors get length one; this keeps the numbers near one.
    return inverse_root(covariance, ridge) * (values[-1] + ridge).sqrt()


def inverse_root(covariance: torch.Tensor, ridge: float) -> torch.Tensor:
    """The symmetric W with ``W @ W = inverse(covariance + ridge * identity)``.

    A cosine after W is the cosine after any other whitening of the same covariance, such as by its
    Cholesky factor (golden/README.md 5.1).

    >>> inverse_root(torch.tensor([[3.0]]), ridge=1.0)
    tensor([[0.5000]])
    """
    values, axes = torch.linalg.eigh(covariance)
    return (axes * (values.clamp(min=0) + ridge).rsqrt()) @ axes.T
