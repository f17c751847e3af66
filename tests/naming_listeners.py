"""Tiny encoders that have names for what they hear, for tests of several floors."""

from __future__ import annotations

import torch
from small_recordings import Listener


class ByEar(Listener):
    """A listener that calls the loudest of its bands by a name, if it hears it."""

    name = "by-ear"
    class_names = tuple(f"Avis {letter}us_Bird {letter}" for letter in "abcdefghijklmnop")

    def encode_with_logits(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embeddings = self.encode(windows)
        return embeddings, (embeddings - embeddings.mean(dim=1, keepdim=True)) / 4

    def logits(self, windows: torch.Tensor) -> torch.Tensor:
        return self.encode_with_logits(windows)[1]


class Namer(ByEar):
    """One to which the embedding is enough."""

    name = "namer"

    def head(self, embeddings: torch.Tensor) -> torch.Tensor:
        embeddings = embeddings.float()
        return (embeddings - embeddings.mean(dim=1, keepdim=True)) / 4
