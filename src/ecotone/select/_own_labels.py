"""Losses summed over a batch: under given labels, and under labels of the model's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecotone.core.errors import BadInput
from ecotone.select._layers import torch_for

Tensor = Any


def summed(loss: str, z: Tensor, y: Tensor) -> Tensor:
    """Return the loss of outputs z under labels y, over all positions; -100 is no label."""
    if loss == "squared":
        return ((z - y.to(z.dtype).reshape(z.shape)) ** 2).sum() / 2
    flat = z.reshape(-1, z.shape[-1])
    return torch_for("EKFAC").nn.functional.cross_entropy(flat, y.flatten(), reduction="sum")


def sampled(loss: str, z: Tensor, y: Tensor, rng: Any) -> Iterator[Tensor]:
    """Give one loss, under a label drawn for each position that has one."""
    torch = torch_for("EKFAC")
    if loss == "squared":  # the gradient is unit noise: the Gauss-Newton matrix in expectation
        yield (z * torch.randn(z.shape, generator=rng, dtype=z.dtype)).sum()
        return
    chance = z.detach().softmax(-1).reshape(-1, z.shape[-1])
    drawn = torch.multinomial(chance, 1, generator=rng)[:, 0]
    yield summed(loss, z, torch.where(y.flatten() == -100, -100, drawn))


def expected(loss: str, z: Tensor) -> Iterator[Tensor]:
    """Give a loss for each output, whose squared gradients add up to their expectation."""
    if z.ndim != 2:
        raise BadInput(
            f"EKFAC: the output has the shape {tuple(z.shape)}.",
            why="the expectation over labels is taken for one label an example.",
            cure='fisher="sampled"',
        )
    logs = z.log_softmax(-1)
    for c in range(z.shape[1]):
        # times the root of the chance of the class, so that its square carries the chance
        own = -logs[:, c] * (logs[:, c] / 2).exp().detach()
        yield (z[:, c] if loss == "squared" else own).sum()
