"""The network of BEATs (Chen et al. 2022, arXiv:2212.09058): patches of a picture, attending.

A picture of 128 mel bands is cut into squares of 16 frames by 16 bands. Each square becomes a
vector ("token"), and twelve layers let every token look at all others. How much one looks at
another depends, besides on what they hold, on the distance between them in the row of tokens: a
learned number for each range of distances, shared by all layers and scaled by a gate that each
token opens for itself.

Names of parameters are those of the official checkpoints, save two that
`explorer.encoders.beats_checkpoint` rewrites.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.encoders.devices import autocast
from explorer.encoders.kaldi import FULL_SCALE, KaldiFbank, frame_count
from explorer.errors import EncoderError

BANDS = 128
# Mean and spread of the filter bank over AudioSet, as the official code has them.
_MEAN, _SPREAD = 15.41663, 6.55582

# What every published checkpoint has, and this network does; where a cfg is silent, the official
# code takes the second value.
_ALWAYS = {
    "activation_fn": ("gelu", "gelu"),
    "layer_norm_first": (False, False),
    "relative_position_embedding": (True, False),
    "gru_rel_pos": (True, False),
}


@dataclass(frozen=True)
class BeatsConfig:
    """Sizes of a BEATs network, under the names of its checkpoint's `cfg`.

    The defaults are those of the official code, for what a `cfg` does not say; the published
    checkpoints have a `deep_norm` and a `max_distance` of 800 instead.

    Example
    -------
    >>> BeatsConfig().encoder_embed_dim
    768
    """

    input_patch_size: int = 16
    embed_dim: int = 512
    conv_bias: bool = False
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    deep_norm: bool = False
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 1280
    finetuned_model: bool = False
    predictor_class: int = 527

    @classmethod
    def from_cfg(cls, cfg: Mapping[str, object]) -> BeatsConfig:
        """Take the sizes out of a checkpoint's `cfg`; what only training needs is passed over.

        Raises
        ------
        EncoderError
            A size is impossible, or the network is not of the published kind.
        """
        for name, (needed, silent) in _ALWAYS.items():
            if (value := cfg.get(name, silent)) != needed:
                raise EncoderError(f"cfg has {name}={value!r}, but BEATs as published {needed!r}")
        known: dict[str, Any] = {field.name: field.default for field in fields(cls)}
        sizes: dict[str, Any] = {name: cfg[name] for name in known if name in cfg}
        for name, value in sizes.items():
            kind = type(known[name])
            if type(value) is not kind or (kind is int and not 0 < value <= 2**20):
                raise EncoderError(f"cfg has {name}={value!r}, which cannot be")
        config = cls(**sizes)
        for part in ("encoder_attention_heads", "conv_pos_groups"):
            if config.encoder_embed_dim % getattr(config, part):
                raise EncoderError(
                    f"cfg has encoder_embed_dim={config.encoder_embed_dim}, which {part}="
                    f"{getattr(config, part)} does not divide"
                )
        if config.input_patch_size > BANDS:
            raise EncoderError(
                f"cfg has input_patch_size={config.input_patch_size}, but there are {BANDS} bands"
            )
        if not config.max_distance > config.num_buckets // 4 > 0:
            raise EncoderError(
                f"cfg has num_buckets={config.num_buckets} with max_distance="
                f"{config.max_distance}, which leaves no room for far distances"
            )
        return config

    def token_count(self, samples: int) -> int:
        """Return how many tokens a waveform of this many samples becomes; what is over is cut."""
        side = self.input_patch_size
        return frame_count(samples) // side * (BANDS // side)

    @property
    def shortest_s(self) -> float:
        """The shortest waveform that gives a token: one row of patches."""
        return 0.015 + 0.010 * self.input_patch_size


class Beats(nn.Module):
    """Waveforms `[batch, samples]` at 16 kHz to embeddings `[batch, encoder_embed_dim]`.

    Example
    -------
    >>> sizes = dict(embed_dim=32, encoder_embed_dim=64, encoder_ffn_embed_dim=64)
    >>> config = BeatsConfig(encoder_layers=2, encoder_attention_heads=4, **sizes)
    >>> Beats(config)(torch.zeros(1, 16_000)).shape
    torch.Size([1, 64])
    """

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        width, side = config.encoder_embed_dim, config.input_patch_size
        self.fbank = KaldiFbank(BANDS)
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, side, side, bias=config.conv_bias)
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        if config.embed_dim != width:
            self.post_extract_proj = nn.Linear(config.embed_dim, width)
        self.widens = config.embed_dim != width
        self.encoder = Transformer(config)
        if config.finetuned_model:
            self.predictor = nn.Linear(width, config.predictor_class)

    def forward(self, waves: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Embed waveforms: the mean over all tokens; `dtype` is for all behind the filter bank."""
        picture = self.picture(waves)  # outside: half precision would blur what is quiet
        with autocast(waves.device, dtype):
            tokens = self.tokens(picture)
        return tokens.float().mean(1)

    def picture(self, waves: Tensor) -> Tensor:
        """Give the filter bank on the scale of training: `[batch, frames, 128]`."""
        return (self.fbank(waves * FULL_SCALE) - _MEAN) / (2 * _SPREAD)

    def tokens(self, picture: Tensor) -> Tensor:
        """Give the last layer's tokens `[batch, tokens, width]`: by time, then by frequency."""
        x = self.patch_embedding(picture[:, None]).flatten(2).transpose(1, 2)
        x = self.layer_norm(x)
        return self.encoder(self.post_extract_proj(x) if self.widens else x)

    def classify(self, embeddings: Tensor) -> Tensor:
        """Score the classes of a fine-tuned checkpoint: `[batch, classes]`, before the sigmoid.

        The official code scores each token and takes the mean; that is the score of the mean.
        """
        return self.predictor(embeddings)


class Transformer(nn.Module):
    """Layers over tokens `[batch, tokens, width]`, which first learn where they stand."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        width, kernel = config.encoder_embed_dim, config.conv_pos
        groups = config.conv_pos_groups
        self.pos_conv = nn.Sequential(
            nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)
        )
        self.layer_norm = nn.LayerNorm(width)
        self.relative_attention_bias = nn.Embedding(
            config.num_buckets, config.encoder_attention_heads
        )
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.encoder_layers))
        self.max_distance = config.max_distance

    def forward(self, x: Tensor) -> Tensor:
        """Give the tokens after the last layer."""
        near = functional.gelu(self.pos_conv(x.transpose(1, 2))[..., : x.shape[1]])
        x = self.layer_norm(x + near.transpose(1, 2))
        table = self.relative_attention_bias
        places = distance_buckets(x.shape[1], table.num_embeddings, self.max_distance, x.device)
        bias = table(places).permute(2, 0, 1)  # [heads, tokens, tokens]
        for layer in self.layers:
            x = layer(x, bias)
        return x


class Layer(nn.Module):
    """Attention, then two linear maps; each is added to what came in and normalised.

    What came in weighs more in a deep network (DeepNorm, Wang et al. 2022, arXiv:2203.00555).
    """

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        width = config.encoder_embed_dim
        self.self_attn = Attention(width, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_embed_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.alpha = (2 * config.encoder_layers) ** 0.25 if config.deep_norm else 1.0

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Give tokens of the same shape."""
        x = self.self_attn_layer_norm(self.alpha * x + self.self_attn(x, bias))
        return self.final_layer_norm(self.alpha * x + self.fc2(functional.gelu(self.fc1(x))))


class Attention(nn.Module):
    """Every token looks at all others; see the module's text for the gate on their distance."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attend over tokens `[batch, tokens, width]` with `bias` `[heads, tokens, tokens]`."""
        q, k, v = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        a, b = self.grep_linear(q).unflatten(3, (2, 4)).sum(4).sigmoid().split(1, 3)
        gate = a * (b * self.grep_a - 1) + 2
        # The reference keeps scores small for half precision by hand; here the kernel does.
        x = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=gate.to(q.dtype) * bias.to(q.dtype)
        )
        return self.out_proj(x.transpose(1, 2).flatten(2))


@lru_cache(maxsize=4)
def distance_buckets(tokens: int, buckets: int, max_distance: int, device: torch.device) -> Tensor:
    """Number the distance from each token to each: int64 `[tokens, tokens]`, made once.

    Half of the buckets are for tokens that come later. Half of each half hold one distance; the
    others grow with the logarithm up to `max_distance` (Raffel et al. 2020, T5, section 2.1).

    Example
    -------
    >>> distance_buckets(3, 320, 800, torch.device("cpu")).tolist()
    [[0, 161, 162], [1, 0, 161], [2, 1, 0]]
    """
    with torch.inference_mode(False):  # it is kept, and may later be needed for training
        place = torch.arange(tokens, device="cpu")
        ahead = place[None, :] - place[:, None]
        side = buckets // 2
        exact = side // 2
        far = ahead.abs()
        # In float32 and on the CPU: at a bucket's edge other rounding would give its neighbour.
        growth = torch.log(far.float() / exact) / math.log(max_distance / exact) * (side - exact)
        wide = (exact + growth.clamp_min(0).long()).clamp_max(side - 1)
        return (torch.where(far < exact, far, wide) + (ahead > 0) * side).to(device)
