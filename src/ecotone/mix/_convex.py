"""The optimum of a convex problem with its general limit: linear program or interior point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from ecotone.mix._box import FLAT, Box, cheapest, cheapest_fair
from ecotone.mix._feasible import unreachable
from ecotone.mix._interior import Descent, Point
from ecotone.mix._surface import Surface, least_gap
from ecotone.mix.objective import WeightedLosses
from ecotone.mix.problem import Problem

Array = NDArray[np.float64]
TIGHT = 1e-9  # relative room above the best general loss below which nothing is left to choose


def minimise(
    surface: Surface, bound: float, *, inner: Point | None = None, free: Point | None = None
) -> Point:
    """Return the optimum of a convex problem under ``G <= bound``.

    Parameters
    ----------
    surface : Surface
        Convex.
    bound : float
        Largest general loss, nats per token; infinity for none.
    inner : Point, optional
        The mixture of the least general loss, when it is known.
    free : Point, optional
        The optimum without a general limit, when it is known.

    Raises
    ------
    Infeasible
        The least general loss is above the bound.
    """
    free = unlimited(surface) if free is None else free
    if not np.isfinite(bound) or surface.general(free.v[None, :])[0] <= bound:
        return free
    inner = general_best(surface) if inner is None else inner
    least = float(surface.general(inner.v[None, :])[0])
    if least - inner.gap > bound:
        raise unreachable(surface.problem, least, proven=True)
    if is_linear(surface):
        return _linear(surface, bound)
    if least > bound - TIGHT * abs(bound):
        gap, multiplier = least_gap(surface, inner.v, bound)
        return replace(inner, gap=gap, multiplier=multiplier)
    start = _inside(surface, inner.v, bound)
    return Descent(surface, start, bound).run()


def unlimited(surface: Surface) -> Point:
    """Return the optimum within the box, without a general limit."""
    if is_linear(surface):
        slope = surface.at(surface.box.centre())[0]
        return _certified(surface, cheapest_fair(slope, surface.box), np.inf)
    return Descent(surface, surface.box.centre(), np.inf).run()


def general_best(surface: Surface) -> Point:
    """Return the point of the box with the least general loss."""
    return unlimited(general_surface(surface))


def general_surface(surface: Surface) -> Surface:
    """Return the surface whose value is the general loss, without pull and without limit."""
    p = surface.problem
    assert p.general is not None
    weights = dict.fromkeys(p.targets, 0.0)
    row = p.general.gradient(np.ones((1, len(p.targets))))[0]
    weights.update(zip(p.targets, row.tolist(), strict=True))
    objective = WeightedLosses(weights)
    problem = Problem(p.law, p.targets, p.domains, objective, p.limits, p.general, p.prior)
    return Surface(problem, surface.box)


def is_linear(surface: Surface) -> bool:
    """Whether value and general loss have the same slopes everywhere in the box."""
    if surface.problem.kl > 0:
        return False
    box = surface.box
    centre = box.centre()
    corner = cheapest(np.arange(len(centre), dtype=np.float64), box)
    points = np.stack([centre, 0.3 * centre + 0.7 * corner, 0.8 * centre + 0.2 * corner])
    for slopes in surface.slopes(points)[:2]:
        if not np.ptp(slopes, axis=0).max() <= 1e-13 * max(1.0, float(np.abs(slopes).max())):
            return False
    return True


def _certified(surface: Surface, v: Array, bound: float, multiplier: float = 0.0) -> Point:
    box = surface.box
    gap = surface.gap(v, multiplier, bound)
    return Point(v, multiplier, gap, v <= box.lower, v >= box.upper)


def _linear(surface: Surface, bound: float) -> Point:
    """Solve the linear program with its one general row."""
    box: Box = surface.box
    centre = box.centre()
    by_target, by_general, general = surface.at(centre)
    offset = general - float(by_general @ centre)
    found = linprog(
        by_target,
        A_ub=by_general[None, :],
        b_ub=[bound - offset],
        A_eq=np.ones((1, len(centre))),
        b_eq=[1.0],
        bounds=list(zip(box.lower, box.upper, strict=True)),
        method="highs",
    )
    v = np.clip(found.x, box.lower, box.upper)
    return _certified(surface, v / v.sum(), bound, max(-float(found.ineqlin.marginals[0]), 0.0))


def _inside(surface: Surface, v: Array, bound: float) -> Array:
    """Move from the general best towards the centre, but stay well below the bound."""
    centre = surface.box.centre()
    least = float(surface.general(v[None, :])[0])
    share = 0.5
    while share > FLAT:
        start = (1 - share) * v + share * centre
        if surface.general(start[None, :])[0] < least + 0.5 * (bound - least):
            return start
        share /= 2
    return v
