"""What weights from losses share: checked losses, as an array or as a tensor of a training step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.select._layers import torch_for

Array = NDArray[np.float64]
Tensor = Any


def checked_losses(losses: Any, who: str, what: str = "pool") -> Array:
    """Return losses as float64, (n,).

    Raises
    ------
    BadInput
        Not one finite number for each example.
    """
    try:
        found = np.asarray(losses, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"{who}: {what} is no array of losses.", cure="pass losses, (n,)") from None
    if found.ndim != 1:
        raise BadInput(
            f"{who}: {what} has the shape {found.shape}.", cure="pass one loss for each example"
        )
    for i in np.flatnonzero(~np.isfinite(found))[:1]:
        raise BadInput(
            f"{who}: loss {i} of {what} is {found[i]}.", cure="leave that example out of the batch"
        )
    return found


def pool_losses(pool: Any, who: str) -> Array:
    """Return the losses of a pool, (n,), n at least 1."""
    losses = checked_losses(pool, who)
    if not len(losses):
        raise BadInput(f"{who}: pool is empty.", cure="pass losses: pool=losses")
    return losses


def step_losses(losses: Any, who: str) -> Tensor:
    """Return the losses of a training step, (n,), cut off from the graph and in float64.

    Raises
    ------
    BadInput
        Not a tensor with one finite number for each example, or an empty one.
    """
    torch = torch_for(who)
    if not isinstance(losses, torch.Tensor) or losses.ndim != 1 or not len(losses):
        shape = tuple(getattr(losses, "shape", ()))
        raise BadInput(
            f"{who}: losses are {type(losses).__name__} of the shape {shape}.",
            cure='pass a tensor (n,): cross_entropy(logits, y, reduction="none")',
        )
    found = losses.detach().double()
    if not bool(torch.isfinite(found).all()):
        raise BadInput(
            f"{who}: a loss of this batch is not finite.",
            why="all weights would be without meaning.",
            cure="a lower learning rate, or clip_grad_norm_",
        )
    return found
