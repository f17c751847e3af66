"""Small random BEATs checkpoints in the form of the official ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from explorer.encoders import beats_checkpoint
from explorer.encoders.beats_network import BeatsConfig

RATE = 16_000
TINY = BeatsConfig(
    embed_dim=32,
    encoder_layers=3,
    encoder_embed_dim=64,
    encoder_ffn_embed_dim=96,
    encoder_attention_heads=4,
    deep_norm=True,
    max_distance=800,
    conv_pos=16,
    conv_pos_groups=4,
)
PUBLISHED = {
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "encoder_layerdrop": 0.05,  # for training only
}


def official(config: BeatsConfig = TINY, seed: int = 1) -> dict[str, Any]:
    """Random weights in the form of an official checkpoint."""
    generator = torch.Generator().manual_seed(seed)
    model = {}
    for name, shape in sorted(beats_checkpoint.official_shapes(config).items()):
        spread = 1.0 if "relative_attention_bias" in name else 0.1
        tensor = torch.randn(shape, generator=generator) * spread
        norm = "norm.weight" in name or "weight_g" in name or "grep_a" in name
        model[name] = 1 + tensor if norm else tensor
    table = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    for layer in range(config.encoder_layers):
        model[table.format(layer)] = model[table.format(0)]
    content: dict[str, Any] = {"cfg": {**asdict(config), **PUBLISHED}, "model": model}
    if config.finetuned_model:
        content["label_dict"] = {n: f"/m/{n}" for n in range(config.predictor_class)}
    return content


def noise(count: int, seconds: float = 5.0, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * RATE), generator=generator)
