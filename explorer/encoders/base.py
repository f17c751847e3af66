"""What an encoder looks like from outside, and the check that each makes of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from explorer.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """A model that maps windows of sound to embeddings.

    Attributes
    ----------
    name, version:
        Together they name a run: two encoders with the same pair give the same embeddings.
    sample_rate:
        The rate that `encode` expects, in Hz.
    window_s:
        Length of one window in seconds; `encode` takes `round(window_s * sample_rate)` samples.
    dimension:
        Length of an embedding.
    licence:
        Terms of the weights, as a user should read them.
    device:
        Where it runs, in words: for a progress bar or a log, so that a CPU is never used silently.

    Example
    -------
    >>> import torch
    >>> from explorer.encoders import load
    >>> encoder = load("spectral", device="cpu")
    >>> encoder.encode(torch.zeros(2, window_samples(encoder))).shape[0]
    2
    """

    name: str
    version: str
    sample_rate: int
    window_s: float
    dimension: int
    licence: str
    device: str

    def encode(self, windows: Tensor) -> Tensor:
        """Embed windows `[batch, samples]` as finite float32 `[batch, dimension]`."""
        ...


@runtime_checkable
class ClassifyingEncoder(Encoder, Protocol):
    """An encoder that was trained as a classifier and still has its last layer."""

    class_names: list[str]

    def logits(self, windows: Tensor) -> Tensor:
        """Score windows `[batch, samples]` before any sigmoid: float32 `[batch, n_classes]`."""
        ...

    def encode_with_logits(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Give embeddings `[batch, dimension]` and logits `[batch, n_classes]` in one pass."""
        ...


@runtime_checkable
class HeadedEncoder(Encoder, Protocol):
    """A classifying encoder whose last layer sees nothing but the embedding.

    So its classes can be had from embeddings that are kept, without the sound.
    """

    class_names: list[str]

    def head(self, embeddings: Tensor) -> Tensor:
        """Score embeddings `[batch, dimension]` of `encode`, of any float type, as `logits` would.

        Gives float32 `[batch, n_classes]` on this encoder's device.
        """
        ...


def window_samples(encoder: Encoder) -> int:
    """Return how many samples one window of this encoder holds."""
    return round(encoder.window_s * encoder.sample_rate)


def check_windows(windows: Tensor, samples: int, encoder_name: str) -> None:
    """Refuse anything that is not a float tensor `[batch, samples]`.

    Raises
    ------
    ParameterError
        Names the encoder, the shape it was given and the shape it needs.
    """
    if windows.ndim != 2 or windows.shape[1] != samples:
        raise ParameterError(
            f"{encoder_name}: windows have shape {list(windows.shape)}, but [batch, {samples}] is "
            "needed. Resample and cut the sound to the encoder's sample_rate and window_s first."
        )
    if not windows.is_floating_point():
        raise ParameterError(
            f"{encoder_name}: windows are {windows.dtype}, but floats between -1 and 1 are needed. "
            "Divide whole numbers by their full scale first."
        )


def check_embeddings(embeddings: Tensor, dimension: int, encoder_name: str) -> None:
    """Refuse anything that is not a float tensor `[batch, dimension]`.

    Raises
    ------
    ParameterError
        Names the encoder, the shape it was given and the shape it needs.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != dimension:
        raise ParameterError(
            f"{encoder_name}: embeddings have shape {list(embeddings.shape)}, but "
            f"[batch, {dimension}] is needed: what this encoder gives, not scaled or reduced."
        )
    if not embeddings.is_floating_point():
        raise ParameterError(f"{encoder_name}: embeddings are {embeddings.dtype}, not floats.")
