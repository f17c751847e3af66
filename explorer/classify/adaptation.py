"""Adapting a classifier to a new place with recordings of that place alone, without labels.

Another recorder, another distance or another background moves the embeddings, and a classifier made
elsewhere scores them worse. `adapt` moves them back: it learns a scale and a shift for each
dimension of the embedding, and nothing else unless told to. So one result serves every kind of
classifier: `Adapted.embeddings` gives what the classifier, itself unchanged, then scores.

The first step is to give each dimension the mean and the spread that it had where the classifier
was made ("adabn"). The second is to train the scale and the shift on what the classifier itself
believes: NOTELA (Boudiaf et al. 2023), which smooths those beliefs among windows that sound alike,
and the methods it was compared with. What to expect: see `adapt`.

An adapted classifier is not always a better one. `explorer.classify.adaptation_evidence` shows the
change, on labels of the new place if there are any, and the source is kept: `Adapted.undone`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from explorer.classify import weights
from explorer.classify.adaptation_settings import Method, Settings, settings_for
from explorer.classify.adaptation_student import (
    EmbeddingStudent,
    LinearHead,
    Place,
    Scorer,
    Statistics,
)
from explorer.classify.adaptation_training import OnProgress, train
from explorer.encoders.devices import choose_device
from explorer.errors import ParameterError
from explorer.space.blocks import Corpus, as_float32, evenly_spaced, iterate_blocks

FORMAT = "explorer adaptation"
FORMAT_VERSION = 1

READ_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Adapted:
    """A classifier adapted to a new place, beside what it was.

    Attributes
    ----------
    gamma, beta
        float32 ``[dimension]``: an embedding of the new place times gamma plus beta is what the
        classifier expects.
    head
        The linear head, changed only with ``train="all"``; None if there was none.
    source
        The head before.
    settings
        How it was adapted.
    history
        Mean loss of each epoch; empty for "adabn".
    n_windows
        Windows that it was adapted on.
    """

    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]
    head: LinearHead | None
    source: LinearHead | None
    settings: Settings
    history: tuple[float, ...]
    n_windows: int

    def embeddings(self, embeddings: Corpus) -> Moved:
        """Embeddings of the new place as the classifier expects them; nothing is computed yet.

        Give the result to any classifier of the source, or to ``np.asarray``.
        """
        return Moved(embeddings, self.gamma, self.beta)

    def logits(self, embeddings: Corpus) -> NDArray[np.float32]:
        """Logits of the linear head, float32 ``[n, n_classes]``; NaN where a row is not finite."""
        if self.head is None:
            raise ParameterError(
                "this was adapted without a linear head: give embeddings(...) to its classifier"
            )
        weight = torch.from_numpy(self.head.weight).float()
        bias = torch.from_numpy(self.head.bias).float()
        parts = [torch.zeros(0, len(bias))]
        for _, rows in self.embeddings(embeddings).blocks():
            parts.append(torch.from_numpy(rows) @ weight + bias)
        return torch.cat(parts).numpy()

    def undone(self) -> Adapted:
        """The classifier as it was before."""
        return replace(
            self,
            gamma=np.ones_like(self.gamma),
            beta=np.zeros_like(self.beta),
            head=self.source,
            history=(),
        )

    def save(self, path: str | Path) -> None:
        """Write everything as safetensors, in one step."""
        tensors = {"gamma": torch.from_numpy(self.gamma), "beta": torch.from_numpy(self.beta)}
        source = None if self.source is self.head else self.source
        for name, head in (("head", self.head), ("source", source)):
            if head is not None:
                tensors[f"{name}.weight"] = torch.from_numpy(head.weight)
                tensors[f"{name}.bias"] = torch.from_numpy(head.bias)
        about = {
            "settings": self.settings.to_dict(),
            "history": list(self.history),
            "n_windows": self.n_windows,
        }
        weights.write(path, tensors, about, FORMAT, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> Adapted:
        """Read what `save` wrote.

        Raises
        ------
        FormatVersionError
            If a newer program wrote it.
        ParameterError
            If it is something else, or damaged.
        """
        tensors, about = weights.read(path, FORMAT, FORMAT_VERSION)
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        head, source = (
            LinearHead(arrays[f"{name}.weight"], arrays[f"{name}.bias"])
            if f"{name}.weight" in arrays
            else None
            for name in ("head", "source")
        )
        return cls(
            arrays["gamma"],
            arrays["beta"],
            head,
            source or head,
            Settings(**about["settings"]),
            tuple(about["history"]),
            about["n_windows"],
        )


class Moved:
    """Embeddings with a scale and a shift for each dimension, applied as they are read."""

    def __init__(self, embeddings: Corpus, gamma: NDArray, beta: NDArray) -> None:
        self._embeddings, self._gamma, self._beta = embeddings, gamma, beta

    def blocks(self, rows_per_block: int = READ_ROWS) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield ``(first_row, float32 [rows, dimension])``."""
        gamma, beta = torch.from_numpy(self._gamma), torch.from_numpy(self._beta)
        for first_row, block in iterate_blocks(self._embeddings, rows_per_block):
            if block.shape[1] != len(gamma):
                raise ParameterError(
                    f"embeddings have {block.shape[1]} dimensions, but {len(gamma)} were adapted; "
                    "use embeddings of the same encoder"
                )
            yield first_row, torch.addcmul(beta, as_float32(block), gamma).numpy()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        parts = [np.zeros((0, len(self._gamma)), np.float32), *(rows for _, rows in self.blocks())]
        return np.concatenate(parts).astype(dtype or np.float32, copy=False)


def adapt(
    head: LinearHead | Scorer | None,
    embeddings: Corpus,
    *,
    settings: Settings | Method = "adabn",
    source: Statistics | None = None,
    can_occur: ArrayLike | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Adapted:
    """Adapt a classifier to a new place, from embeddings of that place without labels.

    What to expect: with real sounds and made changes of place (another recorder, distance, noise of
    another site, all three; BirdNET, linear probes, 75 cases, ``tests/benchmarks/adaptation.py``)
    the source's mean cmAP of .783 became .791 by standardising alone ("adabn"). Trained after that,
    "tent" and "nrc" reached .795, "notela" .794, "pseudo_label" .793, "dust" and "dropout_student"
    .792, "shot" .791; the standard error of these gains is .001. Without standardising no method
    gained more than .002, and "shot" and "pseudo_label" lost. Training the head too gained no more,
    and harmed 9 to 25 % of the cases.

    So "adabn" is the default: it brings most of the gain, at once, to any classifier. "notela" is
    the next step: in no case was it worse than the source by more than .005, and unlike "tent" it
    does not go astray with many windows or too fast a learning rate.

    Parameters
    ----------
    head
        The classifier: a linear head, or any function from embeddings to logits, such as
        `centroid_scorer` makes of a `NearestCentroid`. "adabn" needs none.
    embeddings
        Of the new place, ``[n, dimension]`` of any kind. They are read once or twice, and at most
        ``settings.most_windows`` of them are kept in memory.
    settings
        A `Settings`, or the name of a method to use as it suits embeddings.
    source
        Statistics of the embeddings that the classifier was made on.
    can_occur
        Booleans ``[n_classes]``: the classes that can occur at the new place. Others are left out
        of everything that is learnt. All if None.
    device
        "auto", "cpu", "cuda" or "mps".
    on_progress
        Called in the calling thread; an exception raised in it stops the work.
    cancel
        Set this event from another thread to stop before the next step.

    Raises
    ------
    ParameterError
        No finite embedding, dimensions that do not agree, no class that can occur, statistics
        that are missing, or a training that diverged.
    AdaptationCancelled
        ``cancel`` was set.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> here = rng.standard_normal((200, 3))
    >>> there = 2 * rng.standard_normal((200, 3)) + 1
    >>> head = LinearHead(rng.standard_normal((3, 2)), np.zeros(2))
    >>> adapted = adapt(head, there, source=Statistics.of(here))
    >>> np.asarray(adapted.embeddings(there)).mean(axis=0).round(1)
    array([-0. ,  0.1,  0. ], dtype=float32)
    """
    chosen = settings if isinstance(settings, Settings) else settings_for(settings)
    report = on_progress or (lambda fraction, message: None)
    report(0.0, "Measuring the new place")
    if chosen.standardise and source is None:
        raise ParameterError(
            "to standardise, the statistics of where the classifier was made are needed: give "
            "source=Statistics.of(the embeddings it was made on), or settings with "
            "standardise=False"
        )
    place = Place.of(embeddings, source, chosen)
    if chosen.method == "adabn":
        gamma, beta = place.in_their_units(torch.ones(()), torch.zeros(()))
        linear = head if isinstance(head, LinearHead) else None
        return Adapted(gamma, beta, linear, linear, chosen, (), place.n_windows)
    if head is None:
        raise ParameterError(f"method {chosen.method!r} needs a classifier; give its head")
    most = place.n_windows if chosen.most_windows is None else chosen.most_windows
    _, rows = evenly_spaced(embeddings, most)
    student = EmbeddingStudent(
        rows.to(choose_device(device)),
        head,
        place,
        can_occur=can_occur,
        head_too=chosen.train == "all",
    )
    history = train(student, chosen, one_core=True, on_progress=report, cancel=cancel)
    gamma, beta = place.in_their_units(student.gamma, student.beta)
    linear = head if isinstance(head, LinearHead) else None
    report(1.0, "The classifier is adapted")
    return Adapted(gamma, beta, student.head(), linear, chosen, tuple(history), place.n_windows)
