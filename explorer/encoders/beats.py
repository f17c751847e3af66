"""BEATs in torch: any length of sound at 16 kHz to 768 numbers, and to AudioSet's classes.

BEATs (Chen et al. 2022, arXiv:2212.09058) was trained on AudioSet's two million clips without
their labels, to guess what masked parts of a picture hold; fine-tuned checkpoints then learned the
527 classes. Its world is everyday sound up to 8 kHz: what a reef or a bat does above that, it does
not hear (see the `speed` factor of a collection).

The embedding is the mean over the tokens of the last layer. A window may have any length from one
row of patches (0.175 s) on; memory and time for attention grow with its square. Zeros that pad a
window are heard as silence, as with every encoder of this package.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from explorer.encoders import beats_checkpoint, beats_info
from explorer.encoders.base import check_windows
from explorer.encoders.devices import (
    Precision,
    choose_device,
    choose_precision,
    describe_device,
)
from explorer.encoders.parallel import in_pieces
from explorer.errors import EncoderError, ParameterError

# Tokens that run at once: more do not help, and on a CPU leave the cache.
_TOKENS_AT_ONCE = {"cpu": 1000, "cuda": 16_000, "mps": 8000}


class BeatsEncoder:
    """A BEATs checkpoint as an encoder.

    Parameters
    ----------
    checkpoint:
        From `explorer.encoders.beats_checkpoint.read`.
    device:
        "auto", "cpu", "cuda" or "mps".
    window_s:
        Length of a window, at least one row of patches.
    precision:
        Of all behind the filter bank; "auto" is float32 on a CPU and float16 on a GPU.

    Raises
    ------
    ParameterError
        The window is too short.

    Example
    -------
    >>> encoder = load(path="BEATs_iter3_plus_AS2M.pt")         # doctest: +SKIP
    >>> encoder.encode(torch.zeros(2, 80_000)).shape            # doctest: +SKIP
    torch.Size([2, 768])
    """

    name = beats_info.NAME
    sample_rate = beats_info.SAMPLE_RATE
    licence = beats_info.LICENCE

    def __init__(
        self,
        checkpoint: beats_checkpoint.Checkpoint,
        *,
        device: str | torch.device = "auto",
        window_s: float = beats_info.WINDOW_S,
        precision: Precision = "auto",
    ) -> None:
        config = checkpoint.config
        self.version = beats_info.version_of(checkpoint.sha256)
        self.window_s = float(window_s)
        self.dimension = config.encoder_embed_dim
        self._class_names = checkpoint.class_names
        if not config.shortest_s <= self.window_s < float("inf"):
            raise ParameterError(
                f"beats: window_s={window_s} is not possible; at least {config.shortest_s:g} s "
                f"are needed, {beats_info.WINDOW_S:g} s are usual."
            )
        self._samples = round(self.window_s * self.sample_rate)
        self._device = choose_device(device)
        self._dtype = choose_precision(precision, self._device)
        self.device = describe_device(self._device)
        at_once = _TOKENS_AT_ONCE[self._device.type]
        self._at_once = max(1, at_once // config.token_count(self._samples))
        self._network = checkpoint.network().to(self._device)

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as float32 `[batch, dimension]` on this device."""
        check_windows(windows, self._samples, self.name)
        if not len(windows):
            return torch.empty(0, self.dimension, device=self._device)
        return torch.cat(
            in_pieces(
                lambda piece: self._network(piece, self._dtype),
                windows,
                at_once=self._at_once,
                device=self._device,
            )
        )


class BeatsClassifier(BeatsEncoder):
    """A fine-tuned BEATs checkpoint: an encoder that also scores classes.

    The classes are named as in the checkpoint; the official ones have AudioSet's identifiers, such
    as "/m/09x0r" for speech. The official code hands out probabilities: the sigmoid of `logits`.
    """

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the logits."""
        return self._class_names

    def logits(self, windows: Tensor) -> Tensor:
        """Score windows `[batch, samples]`: float32 `[batch, classes]`, before the sigmoid."""
        return self.encode_with_logits(windows)[1]

    def encode_with_logits(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Give embeddings `[batch, dimension]` and logits `[batch, classes]` in one pass."""
        embeddings = self.encode(windows)
        with torch.no_grad():
            return embeddings, self._network.classify(embeddings)


def load(
    *, device: str = "auto", path: str | Path | None = None, window_s: float | None = None
) -> BeatsEncoder:
    """Make the encoder from a checkpoint (`.pt` or converted); None: the installed one.

    Raises
    ------
    EncoderError
        None is installed, or the file is not a BEATs checkpoint.
    """
    if path is None and not beats_info.installed().is_file():
        raise EncoderError(
            f"beats: no weights are installed. To get them, {beats_info.HOW_TO_GET}."
        )
    checkpoint = beats_checkpoint.read(Path(path) if path else beats_info.installed())
    kind = BeatsClassifier if checkpoint.config.finetuned_model else BeatsEncoder
    return kind(
        checkpoint,
        device=device,
        window_s=beats_info.WINDOW_S if window_s is None else window_s,
    )
