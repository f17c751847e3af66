"""Training a model on what it thinks itself: one loop for all methods of adapting without labels.

What is trained is a `Student`: embeddings with a scale, a shift and a head
(`explorer.classify.adaptation`), or a network with its own normalisation layers
(`explorer.classify.adaptation_layers`). The same student without noise is the teacher.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.classify import adaptation_losses as losses
from explorer.classify.adaptation_settings import Settings
from explorer.errors import ExplorerError, ParameterError
from explorer.space.neighbours import knn_graph

OnProgress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and what is going on, in words."""
OnStep = Callable[[int, float], None]
"""Called after each step with its number and its loss."""

TEACHER_ROWS = 4096
"""Rows that the teacher looks at, and whose neighbours are averaged, at a time."""


class AdaptationCancelled(ExplorerError):
    """Adapting was stopped on request; the classifier is what it was."""


class Student(Protocol):
    """What can be trained without labels: rows that a model gives features and logits for."""

    def __len__(self) -> int:
        """How many rows there are to learn from."""
        ...

    def trained(self) -> list[tuple[Tensor, float]]:
        """What is trained, and the size that its numbers have."""
        ...

    def look(self, rows: Tensor, draws: Draws | None) -> tuple[Tensor, Tensor]:
        """Features and logits of the classes that can occur.

        ``draws`` gives the noise of a student's pass; None is the teacher's, without noise.
        """
        ...


class Draws:
    """Every random choice, from one seed: the same on every device."""

    def __init__(self, seed: int, dropout: float) -> None:
        self.dropout = dropout
        self._random = torch.Generator().manual_seed(seed)

    def order(self, n_rows: int) -> Tensor:
        """The order in which an epoch goes through the rows."""
        return torch.randperm(n_rows, generator=self._random)

    def kept(self, like: Tensor) -> Tensor:
        """What dropout multiplies values with: 0, or one divided by the share that is kept."""
        if self.dropout == 0:
            return torch.ones_like(like)
        drawn = torch.rand(like.shape, generator=self._random) >= self.dropout
        return drawn.to(like) / (1 - self.dropout)

    def seed(self) -> int:
        """A seed for a network's own noise."""
        return int(torch.randint(2**31, (1,), generator=self._random))


def train(
    student: Student,
    settings: Settings,
    *,
    draws: Draws | None = None,
    one_core: bool = False,
    on_step: OnStep | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> list[float]:
    """Train a student with a method; gives the mean loss of each epoch.

    Parameters
    ----------
    one_core
        Whether operations are too small to be shared among the cores of the processor: beside
        other work, 940 steps on 64 embeddings took 38 s on two cores and 1 s on one. Neighbours
        are searched for on all of them.

    Raises
    ------
    AdaptationCancelled
        ``cancel`` was set.
    ParameterError
        The training diverged.
    """
    all_cores = torch.get_num_threads()
    with _threads(1 if one_core else all_cores):
        lesson = LESSONS[settings.method](
            student, settings, draws or Draws(settings.seed, settings.dropout)
        )
        lesson.cores, lesson.cancel = all_cores, cancel
        return list(_epochs(lesson, on_step, on_progress))


def _epochs(
    lesson: _Lesson, on_step: OnStep | None, on_progress: OnProgress | None
) -> Iterator[float]:
    student, settings = lesson.student, lesson.settings
    parameters = [parameter for parameter, _ in student.trained()]
    n_steps, step = settings.epochs * -(-len(student) // settings.batch_size), 0
    rates = [settings.rate(n_steps, size) for _, size in student.trained()]
    optimiser = torch.optim.Adam(
        [{"params": [one], "lr": rate} for one, rate in zip(parameters, rates, strict=True)]
    )
    for epoch in range(settings.epochs):
        if on_progress is not None:
            on_progress(step / n_steps, f"Adapting: round {epoch + 1} of {settings.epochs}")
        lesson.before_epoch(epoch)
        total = 0.0
        for rows in lesson.draws.order(len(student)).split(settings.batch_size):
            lesson.stop_if_cancelled()
            loss = lesson.loss(rows)
            if settings.weight_decay:
                loss = loss + settings.weight_decay * sum(p.square().sum() for p in parameters)
            if settings.decay == "cosine":
                share = (1 + math.cos(math.pi * step / n_steps)) / 2
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * share
            optimiser.zero_grad()
            if loss.requires_grad:  # not where a method finds nothing to believe in a batch
                loss.backward()
                optimiser.step()
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ParameterError(
                    f"adapting with {settings.method} diverged in step {step + 1}; use a smaller "
                    f"learning_rate than {rates[0]:g}"
                )
            total += value * len(rows)
            if on_step is not None:
                on_step(step, value)
            step += 1
        yield total / len(student)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch share operations among so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Looks:
    """The features of all rows, computed again whenever they are read, block by block."""

    def __init__(self, student: Student) -> None:
        self._student = student

    def blocks(self, rows_per_block: int = TEACHER_ROWS) -> Iterator[tuple[int, NDArray]]:
        """Yield ``(first_row, features)``."""
        for rows in torch.arange(len(self._student)).split(min(rows_per_block, TEACHER_ROWS)):
            with torch.no_grad():
                yield int(rows[0]), self._student.look(rows, None)[0].cpu().numpy()


class _Lesson:
    """What a method believes, and the loss that follows; the simplest is TENT's."""

    cores = 1
    """How many cores may search for neighbours."""
    cancel: threading.Event | None = None

    def __init__(self, student: Student, settings: Settings, draws: Draws) -> None:
        self.student, self.settings, self.draws = student, settings, draws
        self.multi_label = settings.multi_label

    def stop_if_cancelled(self, *_: object) -> None:
        """Raise where the work is to stop."""
        if self.cancel is not None and self.cancel.is_set():
            raise AdaptationCancelled("adapting was stopped; the classifier is what it was")

    def before_epoch(self, epoch: int) -> None:
        """Look at all rows, where a method does."""

    def loss(self, rows: Tensor) -> Tensor:
        return losses.entropy(self.look(rows), multi_label=self.multi_label).mean()

    def look(self, rows: Tensor) -> Tensor:
        """Probabilities of a noisy pass, with gradient."""
        return losses.probabilities(
            self.student.look(rows, self.draws)[1], multi_label=self.multi_label
        )

    def teach(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features and probabilities without noise, and without a gradient."""
        with torch.no_grad():
            features, logits = self.student.look(rows, None)
            return features, losses.probabilities(logits, multi_label=self.multi_label)

    def teach_all(self) -> Tensor:
        """Probabilities of all rows without noise."""
        parts = torch.arange(len(self.student)).split(TEACHER_ROWS)
        return torch.cat([self.teach(rows)[1] for rows in parts])

    def features_of_all(self, device: torch.device) -> Tensor:
        """Features of all rows without noise."""
        blocks = [torch.from_numpy(block) for _, block in Looks(self.student).blocks()]
        return torch.cat(blocks).to(device)

    def graph(self, k: int, device: torch.device) -> Tensor:
        """The k nearest neighbours of all rows."""
        with _threads(self.cores):
            found = knn_graph(Looks(self.student), k, on_progress=self.stop_if_cancelled)
        return torch.from_numpy(found.indices).long().to(device)


class _Notela(_Lesson):
    """Labels of the teacher, smoothed among neighbours; the Dropout Student is without those."""

    def __init__(self, student: Student, settings: Settings, draws: Draws) -> None:
        super().__init__(student, settings, draws)
        self.smooths = settings.method == "notela" and settings.lambda_ > 0
        self.labels = torch.empty(0)

    def before_epoch(self, epoch: int) -> None:
        if self.settings.online and epoch > 0:
            return
        self.bank = self.teach_all()
        if self.smooths:
            self.near = self.graph(self.settings.n_neighbours, self.bank.device)
        if self.settings.online:
            self.features = self.features_of_all(self.bank.device)
            return
        parts = torch.arange(len(self.student), device=self.bank.device).split(TEACHER_ROWS)
        self.labels = torch.cat([self.labels_of(rows, self.bank[rows]) for rows in parts])

    def labels_of(self, rows: Tensor, p: Tensor, near: Tensor | None = None) -> Tensor:
        """Labels of rows with probabilities ``p``; neighbours as in the graph unless given."""
        s = self.settings
        if self.smooths:
            near = self.near[rows] if near is None else near
            counts = losses.reciprocal(near, rows, self.near) if s.mutual else near >= 0
            mean, linked = losses.neighbour_mean(self.bank, near, counts)
        else:
            mean, linked = torch.zeros_like(p), torch.zeros(len(p), dtype=torch.bool).to(p.device)
        return losses.notela_labels(
            p, mean, linked, multi_label=self.multi_label, lambda_=s.lambda_, alpha=s.alpha
        )

    def loss(self, rows: Tensor) -> Tensor:
        if self.settings.online:
            labels = self.labels_online(rows)
        else:
            labels = self.labels[rows.to(self.labels.device)]
        return losses.cross_entropy(self.look(rows), labels, multi_label=self.multi_label).mean()

    def labels_online(self, rows: Tensor) -> Tensor:
        """Labels of a batch as the teacher sees it now; then it is remembered."""
        features, p = self.teach(rows)
        rows = rows.to(p.device)
        near = None
        if self.smooths:
            near = nearest(features, self.features, rows, self.settings.n_neighbours)
        labels = self.labels_of(rows, p, near)
        self.features[rows], self.bank[rows] = features, p
        if near is not None:
            self.near[rows] = near
        return labels


def nearest(features: Tensor, bank: Tensor, rows: Tensor, k: int) -> Tensor:
    """The k nearest rows of a bank for each of some rows of it, themselves left out."""
    far = torch.cdist(features, bank)
    far[torch.arange(len(rows), device=far.device), rows] = torch.inf
    return far.topk(min(k, len(bank) - 1), dim=1, largest=False).indices


class _PseudoLabel(_Lesson):
    """Believe what the teacher is sure of."""

    def loss(self, rows: Tensor) -> Tensor:
        _, taught = self.teach(rows)
        labels, counts = losses.confident(
            taught, self.settings.threshold, multi_label=self.multi_label
        )
        return losses.masked_cross_entropy(self.look(rows), labels, counts)


class _Shot(_Lesson):
    """Be decided and varied, and agree with the nearest class centroid."""

    def before_epoch(self, epoch: int) -> None:
        p = self.teach_all()
        features = self.features_of_all(p.device)
        self.labels = losses.shot_labels(features, p, multi_label=self.multi_label)

    def loss(self, rows: Tensor) -> Tensor:
        return losses.shot_loss(
            self.look(rows),
            self.labels[rows.to(self.labels.device)],
            beta=self.settings.beta,
            multi_label=self.multi_label,
        )


class _Nrc(_Lesson):
    """Agree with neighbours and with theirs, and be varied."""

    def before_epoch(self, epoch: int) -> None:
        self.bank = self.teach_all()
        k, k_next = self.settings.n_neighbours, self.settings.n_extended
        near = self.graph(max(k, k_next), self.bank.device)
        self.near, self.next = near[:, :k], near[:, :k_next]

    def loss(self, rows: Tensor) -> Tensor:
        p = self.look(rows)
        rows = rows.to(p.device)
        near = self.near[rows]
        far = self.next[near]
        base = self.settings.base_affinity
        weights = losses.nrc_weights(rows, far, base)
        self.bank[rows] = p.detach()
        return losses.nrc_loss(
            p, self.bank[near], weights, self.bank[far], base, multi_label=self.multi_label
        )


class _Dust(_Lesson):
    """Believe what noise does not change."""

    def loss(self, rows: Tensor) -> Tensor:
        _, clean = self.teach(rows)
        with torch.no_grad():
            passes = [self.look(rows) for _ in range(self.settings.passes)]
        apart = [losses.divergence(clean, noisy, multi_label=self.multi_label) for noisy in passes]
        counts = torch.stack(apart).amax(dim=0) < self.settings.least_divergence
        return losses.masked_cross_entropy(self.look(rows), clean, counts)


LESSONS: dict[str, Callable[[Student, Settings, Draws], _Lesson]] = {
    "notela": _Notela,
    "dropout_student": _Notela,
    "tent": _Lesson,
    "pseudo_label": _PseudoLabel,
    "shot": _Shot,
    "nrc": _Nrc,
    "dust": _Dust,
}
