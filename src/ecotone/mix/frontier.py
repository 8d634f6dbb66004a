"""How much target loss each bit of general loss buys: the Pareto frontier of a problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.mix._convex import general_best, minimise, unlimited
from ecotone.mix._feasible import allowed_box
from ecotone.mix._local import descend
from ecotone.mix._simulate import Seen, look, refine, search
from ecotone.mix._surface import Surface
from ecotone.mix.problem import Problem

Array = NDArray[np.float64]
ROOM = 1e-7  # relative room above the least general loss at which the frontier begins


@dataclass(frozen=True, eq=False)
class Frontier:
    """Mixtures of which none is better than another in both respects.

    Rows run from the mixture that is best in general to the one that is best on the target:
    the general loss rises and the target falls.

    Attributes
    ----------
    tolerance : ndarray, shape (p,)
        General loss over that of the natural mixture, minus 1: the ``tolerance`` to ask for.
    target : ndarray, shape (p,)
        The problem's objective, plus its pull towards the prior when there is one.
    general : ndarray, shape (p,)
        General loss, nats per token.
    weights : ndarray, shape (p, k)
        Shares of the domains.
    exact : bool
        Whether every row is a proven optimum for its general loss.
    """

    tolerance: Array
    target: Array
    general: Array
    weights: Array
    exact: bool

    def __len__(self) -> int:
        return len(self.target)

    def __repr__(self) -> str:
        low, high = self.tolerance[0], self.tolerance[-1]
        return f"Frontier({len(self)} mixtures, tolerance {low:+.2%} to {high:+.2%})"


def frontier(problem: Problem, *, points: int = 25, rng: np.random.Generator) -> Frontier:
    """Trace the mixtures between the best in general and the best on the target.

    The general loss is swept in steps that widen towards the target's end, and the problem solved
    under each; the tolerance the problem itself asks for plays no part. Rows that another row
    beats are left out.

    Parameters
    ----------
    problem : Problem
        Must have a general limit.
    points : int
        Most rows, 2 or more.
    rng : numpy.random.Generator
        Used when the problem is not convex.

    Raises
    ------
    BadInput
        The problem has no general limit, or fewer than two points are wanted.
    Infeasible
        The limits on the shares clash.
    """
    if problem.general is None:
        raise BadInput(
            "a frontier needs to know what general ability is.",
            cure="give the problem general=GeneralLimit(names)",
        )
    if points < 2:
        raise BadInput(f"a frontier of {points} points has no two ends.", cure="points=25")
    surface = Surface(problem, allowed_box(problem))
    V = _sweep(surface, points) if problem.convex else _trace(surface, points, rng)
    return _undominated(surface, V)


def _steps(points: int) -> Array:
    """Return points from 0 to 1, closer at 0: there the first bit given up buys the most."""
    return np.linspace(0, 1, points) ** 2


def _sweep(surface: Surface, points: int) -> Array:
    """Solve exactly under one general limit after the other; shape (points, m)."""
    inner, free = general_best(surface), unlimited(surface)
    least = float(surface.general(inner.v[None, :])[0])
    most = float(surface.general(free.v[None, :])[0])
    first = least + ROOM * abs(least)
    if most <= first:
        return np.stack([inner.v, free.v])
    bounds = first + (most - first) * _steps(points)[:-1]
    found = [minimise(surface, float(b), inner=inner, free=free).v for b in bounds]
    return np.stack([*found, free.v])


def _trace(surface: Surface, points: int, rng: np.random.Generator) -> Array:
    """Collect good mixtures under one general limit after the other, each from the last one."""
    n = 4000
    seen = search(surface, n, np.inf, rng)
    # once more for the other end: as long as no mixture is allowed, the least general loss wins
    seen = seen.plus(search(surface, n, -np.inf, rng))
    if surface.problem.smooth:
        seen = seen.plus(look(surface, descend(surface, seen, np.inf, rng)[0][None, :]))
    least = float(seen.general.min())
    most = float(seen.general[np.argmin(seen.value)])
    bounds = least + (most - least) * _steps(points)
    for bound in bounds[::-1]:
        seen = _better(surface, seen, float(bound), rng)
    return np.stack([seen.best(float(b)) for b in bounds])


def _better(surface: Surface, seen: Seen, bound: float, rng: np.random.Generator) -> Seen:
    """Look for better mixtures under one bound, starting at the best ones seen."""
    if surface.problem.smooth:
        return seen.plus(look(surface, descend(surface, seen, bound, rng, near=True)[0][None, :]))
    return refine(surface, seen, bound, least=1e-3)


def _undominated(surface: Surface, V: Array) -> Frontier:
    """Keep the points that no other point beats, in the order of their general loss."""
    seen = look(surface, V)
    order = np.lexsort((seen.value, seen.general))
    value = seen.value[order]
    before = np.concatenate([[np.inf], np.minimum.accumulate(value)[:-1]])
    kept = order[value < before]
    problem = surface.problem
    return Frontier(
        tolerance=seen.general[kept] / problem.natural_general - 1,
        target=seen.value[kept],
        general=seen.general[kept],
        weights=surface.box.shares(seen.V[kept]),
        exact=problem.convex,
    )
