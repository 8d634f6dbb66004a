"""The output layer and its loss, block of rows by block of rows.

The logits of a step (2,048 tokens by 1,024 words: 8 MB) do not fit into a core's cache; made
whole, they are written and read six times over. Here a block of a few hundred rows is made, turned
into its loss and its gradient in place, and used up before the next one: the same numbers, no big
array.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 1 << 17  # logits held at a time: 0.5 MB of float32, half of a common second-level cache


class OutputLoss(torch.autograd.Function):
    """Mean cross-entropy of ``softmax(hidden @ weight.T)``; its gradient is made on the way."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss, nats; hidden (N, W), weight (V, W), target (N,)."""
        n, vocab = len(hidden), len(weight)
        want = any(ctx.needs_input_grad[:2])
        rows = max(16, min(512, BLOCK // vocab))
        room = hidden.new_empty(min(rows, n), vocab)
        d_hidden = torch.empty_like(hidden) if want else hidden
        d_weight = torch.zeros_like(weight) if want else weight
        total = hidden.new_zeros(())
        for first in range(0, n, rows):
            h, y = hidden[first : first + rows], target[first : first + rows, None]
            block = torch.mm(h, weight.t(), out=room[: len(h)])
            right = block.gather(1, y)
            top = block.amax(1, keepdim=True)
            mass = block.sub_(top).exp_().sum(1, keepdim=True)
            total += (mass.log() + top - right).sum()
            if want:
                # d loss / d logits = softmax - one-hot, made in the place of the logits
                block.div_(mass).scatter_add_(1, y, torch.full_like(right, -1.0))
                torch.mm(block, weight, out=d_hidden[first : first + rows])
                d_weight.addmm_(block.t(), h)
        if want:
            ctx.save_for_backward(d_hidden.div_(n), d_weight.div_(n))
        return total / n

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Scale the gradients that `forward` left."""
        d_hidden, d_weight = ctx.saved_tensors
        return d_hidden * grad, d_weight * grad, None


def output_loss(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Return the mean loss of predicting `target` from `hidden`, nats per token.

    Parameters
    ----------
    hidden : Tensor, shape (N, W)
    weight : Tensor, shape (V, W)
    target : Tensor of int64, shape (N,)
    """
    loss: Tensor = OutputLoss.apply(hidden, weight, target)
    return loss
