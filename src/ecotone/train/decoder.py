"""The tiny decoder: plain pre-norm (learned positions, causal attention, tied output).

All sizes follow from one number, the depth. It is small on purpose: a proxy has to rank mixtures,
not to write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecotone.train.head import output_loss


@dataclass(frozen=True)
class LMConfig:
    """Shape of the decoder."""

    layers: int
    width: int
    heads: int
    vocab: int
    context: int

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        block = 12 * self.width**2 + 13 * self.width
        return self.layers * block + (self.vocab + self.context + 2) * self.width


def tiny_lm(depth: int = 2, *, vocab: int, context: int = 128) -> LMConfig:
    """Set all sizes from one number, so that proxies of two depths are comparable."""
    width = 48 * depth  # constant aspect ratio: shape, not tuning
    return LMConfig(layers=depth, width=width, heads=depth, vocab=vocab, context=context)


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a LayerNorm, each added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, W) to (B, T, W)."""
        B, T, W = x.shape
        qkv = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, W // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, W))
        out: Tensor = x + self.down(F.relu(self.up(self.norm2(x))))
        return out


class TinyLM(nn.Module):
    """The decoder."""

    def __init__(self, config: LMConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        # torch fills new layers from its global random state; what it draws is drawn over below
        with torch.random.fork_rng(devices=[]):
            self.tokens = nn.Embedding(config.vocab, config.width)
            self.places = nn.Embedding(config.context, config.width)
            self.blocks = nn.ModuleList(
                Block(config.width, config.heads) for _ in range(config.layers)
            )
            self.norm = nn.LayerNorm(config.width)
        self._init(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _init(self, rng: torch.Generator) -> None:
        """Draw normal weights; what ends in the residual stream is scaled by its depth.

        A proxy sees a few hundred steps, so it must start well: embeddings of 2 / sqrt(width) and
        matrices of 1 / sqrt(inputs) reach in 400 k tokens what the usual 0.02 needs 1 M for.
        """
        for name, p in self.named_parameters():
            if name.endswith("bias"):
                p.zero_()
            elif p.dim() == 2:
                std = {"tokens.weight": 2 / math.sqrt(p.shape[1]), "places.weight": 0.02}.get(
                    name, 1 / math.sqrt(p.shape[1])
                )
                if name.endswith(("out.weight", "down.weight")):
                    std /= math.sqrt(2 * self.config.layers)
                p.copy_(torch.empty(p.shape).normal_(0, std, generator=rng))

    def hidden(self, ids: Tensor) -> Tensor:
        """Map ids (B, T) to the last hidden state (B, T, W)."""
        x = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (B, T) to logits (B, T, V)."""
        return F.linear(self.hidden(ids), self.tokens.weight)

    def token_losses(self, ids: Tensor) -> Tensor:
        """Return the loss of every token, (B, T): of ids[:, 1:] given ids[:, :-1]."""
        logits = self.forward(ids[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)

    def loss(self, ids: Tensor) -> Tensor:
        """Return the mean loss of predicting ids[:, 1:] from ids[:, :-1], nats per token."""
        hidden = self.hidden(ids[:, :-1]).flatten(0, 1)
        return output_loss(hidden, self.tokens.weight, ids[:, 1:].flatten())
