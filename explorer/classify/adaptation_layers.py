"""Adapting a torch network itself: its normalisation layers, with unlabelled recordings alone.

The same methods as for embeddings (`explorer.classify.adaptation`), where the scales and shifts are
those of the network's own layers (BatchNorm, LayerNorm, GroupNorm …), as in the paper. Everything
else in the network stays as it is, unless ``train="all"``. The network is changed in place, and
`AdaptedNetwork` puts it back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from explorer.classify.adaptation_settings import Settings
from explorer.classify.adaptation_training import Draws, OnProgress, train
from explorer.errors import ParameterError

NORMALISATION = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)

Look = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Gives a batch of windows features ``[n, dimension]`` and logits ``[n, n_classes]``."""


class Windows(Protocol):
    """Windows that are fetched by number: a tensor ``[n, …]``, or anything that reads files."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """The windows of these numbers, ``[len(rows), …]``."""
        ...


@dataclass(frozen=True, eq=False)
class AdaptedNetwork:
    """What was changed in a network.

    Attributes
    ----------
    network
        The network, adapted.
    before, after
        What has changed, by its name in the network's state.
    settings, history
        How it was adapted, and the mean loss of each epoch.
    """

    network: nn.Module
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    settings: Settings
    history: tuple[float, ...]

    def undo(self) -> None:
        """Put the network back to what it was."""
        self.network.load_state_dict(self.before, strict=False)

    def redo(self) -> None:
        """Adapt it again, after `undo`."""
        self.network.load_state_dict(self.after, strict=False)


def adapt_network(
    network: nn.Module,
    look: Look,
    windows: Windows,
    *,
    settings: Settings,
    can_occur: ArrayLike | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> AdaptedNetwork:
    """Adapt a network to a new place, from windows of that place without labels.

    With ``settings.standardise`` (and "adabn", which is that alone) the running statistics of its
    BatchNorm layers are estimated anew; then scales and shifts are trained. `PUBLISHED` holds the
    settings of the papers.

    Parameters
    ----------
    network
        The work is done on the device that it is on.
    look
        Gives windows features and logits by way of the network: features are what neighbours are
        found by, usually the embedding.
    windows
        Of the new place; at most ``settings.most_windows`` evenly spaced ones are used.
    settings
        How; ``dropout`` says whether the student has the noise of the network's dropout layers.
    can_occur
        Booleans ``[n_classes]``: the classes that can occur at the new place. All if None.

    Raises
    ------
    ParameterError
        No normalisation layer, fewer than two windows, or a training that diverged.
    AdaptationCancelled
        ``cancel`` was set. In both cases the network is what it was.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    >>> adapted = adapt_network(
    ...     network, lambda x: (x, network(x)), torch.randn(50, 4) + 3, settings=Settings("adabn")
    ... )
    >>> sorted(adapted.after)
    ['1.num_batches_tracked', '1.running_mean', '1.running_var']
    >>> adapted.undo()
    """
    layers: list[nn.Module] = [
        layer for layer in network.modules() if isinstance(layer, NORMALISATION)
    ]
    if not layers:
        raise ParameterError(
            "this network has no normalisation layer to adapt; adapt its embeddings instead"
        )
    if len(windows) < 2:
        raise ParameterError(
            f"{len(windows)} windows are too few to adapt to; give some of the new place"
        )
    before = {name: value.detach().clone() for name, value in network.state_dict().items()}
    student = NetworkStudent(network, look, windows, layers, settings, can_occur)
    history: list[float] = []
    try:
        with student.only_trained():
            if settings.standardise or settings.method == "adabn":
                student.estimate_statistics()
            if settings.method != "adabn":
                history = train(student, settings, on_progress=on_progress, cancel=cancel)
    except BaseException:
        network.load_state_dict(before)
        raise
    after = {name: value.detach().clone() for name, value in network.state_dict().items()}
    changed = [name for name, value in after.items() if not torch.equal(value, before[name])]
    return AdaptedNetwork(
        network,
        {name: before[name] for name in changed},
        {name: after[name] for name in changed},
        settings,
        tuple(history),
    )


class NetworkStudent:
    """A network whose normalisation layers are trained: `Student` for `train`."""

    def __init__(
        self,
        network: nn.Module,
        look: Look,
        windows: Windows,
        layers: list[nn.Module],
        settings: Settings,
        can_occur: ArrayLike | None,
    ) -> None:
        self._network, self._look, self._windows = network, look, windows
        self._layers, self._batch_size = layers, settings.batch_size
        every = -(-len(windows) // (settings.most_windows or len(windows)))
        self._rows = torch.arange(0, len(windows), every)
        of_layers = [one for layer in layers for one in layer.parameters(recurse=False)]
        self._trained = list(network.parameters()) if settings.train == "all" else of_layers
        here = None if can_occur is None else np.flatnonzero(np.asarray(can_occur, bool))
        if here is not None and not len(here):
            raise ParameterError("can_occur holds no class; at least one must be True")
        self._classes = here
        devices = {one.device for one in network.parameters() if one.device.type == "cuda"}
        self._seeded = sorted(device.index or 0 for device in devices)

    def __len__(self) -> int:
        return len(self._rows)

    def trained(self) -> list[tuple[Tensor, float]]:
        """Scales and shifts, or everything."""
        return [(parameter, 1.0) for parameter in self._trained]

    def look(self, rows: Tensor, draws: Draws | None) -> tuple[Tensor, Tensor]:
        """Features and logits; a student's noise is that of the network's own dropout layers."""
        batch = self._windows[self._rows[rows]]
        with self._noise(draws):
            features, logits = self._look(batch)
        return features, logits if self._classes is None else logits[:, self._classes]

    def estimate_statistics(self) -> None:
        """Measure mean and variance of what each BatchNorm layer meets at the new place."""
        layers = [
            layer
            for layer in self._layers
            if isinstance(layer, _BatchNorm) and layer.running_mean is not None
        ]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
            layer.train()
        # In batches of equal size, as each counts the same; mixed, as neighbours in time are alike.
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for rows in order.tensor_split(max(1, len(self) // max(2, self._batch_size))):
                self.look(rows, None)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()

    @contextmanager
    def only_trained(self) -> Iterator[None]:
        """Let nothing else have a gradient, and let no layer but those asked for be in training."""
        modes = [(module, module.training) for module in self._network.modules()]
        gradients = [(one, one.requires_grad) for one in self._network.parameters()]
        trained = {id(one) for one in self._trained}
        self._network.eval()
        for one, _ in gradients:
            one.requires_grad_(id(one) in trained)
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for one, had in gradients:
                one.requires_grad_(had)
                one.grad = None

    @contextmanager
    def _noise(self, draws: Draws | None) -> Iterator[None]:
        if draws is None or draws.dropout == 0:
            yield
            return
        layers = [one for one in self._network.modules() if isinstance(one, _DropoutNd)]
        with torch.random.fork_rng(self._seeded):
            torch.manual_seed(draws.seed())
            for layer in layers:
                layer.train()
            try:
                yield
            finally:
                for layer in layers:
                    layer.eval()
