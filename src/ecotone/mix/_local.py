"""Descents from many starts, for laws with slopes that are not convex."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ecotone.mix._simulate import Seen, corner_points, look
from ecotone.mix._surface import Surface

Array = NDArray[np.float64]
EDGE = 1e-9  # least share while descending: slopes may be infinite at 0


def descend(
    surface: Surface, seen: Seen, bound: float, rng: np.random.Generator, *, near: bool = False
) -> tuple[Array, int]:
    """Return the best point after descents from several starts, and how many there were.

    Starts are the best points seen; unless `near`, also the middle of the box and some corners.
    """
    box = surface.box
    order = np.argsort(seen.rank(bound), kind="stable")
    starts = seen.V[order[: 2 if near else 4]]
    if not near:
        corners = corner_points(box, 2 * len(box.lower), rng)
        picked = corners[rng.choice(len(corners), size=min(4, len(corners)), replace=False)]
        starts = np.concatenate([starts, box.centre()[None, :], picked])
    for start in starts:
        end = _slide(surface, start, bound)
        seen = seen.plus(look(surface, np.stack([end, _cleaned(surface, end)])))
    return seen.best(bound), len(starts)


def _slide(surface: Surface, start: Array, bound: float) -> Array:
    """Run sequential quadratic programming from one start; return a point of the box."""
    box = surface.box
    low = np.minimum(np.maximum(box.lower, EDGE), box.upper)
    scale = 1 + surface.problem.kl
    rules = [{"type": "eq", "fun": lambda v: v.sum() - 1, "jac": lambda v: np.ones(len(v))}]
    if np.isfinite(bound):
        rules.append(
            {
                "type": "ineq",
                "fun": lambda v: bound * (1 - 1e-10) - surface.at(v)[2],
                "jac": lambda v: -surface.at(v)[1],
            }
        )
    with warnings.catch_warnings():
        # a trial step outside the bounds is clipped, and scipy says so each time
        warnings.simplefilter("ignore", RuntimeWarning)
        found = minimize(
            lambda v: surface.value(v[None, :])[0] / scale,
            np.clip(start, low, box.upper),
            jac=lambda v: surface.at(v)[0] / scale,
            bounds=list(zip(low, box.upper, strict=True)),
            constraints=rules,
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-13},
        )
    return _summed(found.x, box.lower, box.upper)


def _summed(v: Array, lower: Array, upper: Array) -> Array:
    """Put a point that is off by rounding back on the simplex, without leaving the bounds."""
    v = np.clip(np.nan_to_num(v), lower, upper)
    for _ in range(3):
        short = 1 - v.sum()
        room = upper - v if short > 0 else v - lower
        v = np.clip(v + short * room / max(room.sum(), 1e-300), lower, upper)
    return v


def _cleaned(surface: Surface, v: Array) -> Array:
    """Put shares that only the edge of the descent holds up on their bound."""
    box = surface.box
    snapped = np.where(v <= box.lower + 2 * EDGE, box.lower, v)
    return _summed(snapped, box.lower, np.where(snapped > box.lower, box.upper, box.lower))
