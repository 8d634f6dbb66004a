"""The best mixture of a problem, with a proof of how good it is where there can be one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.mix._box import Box
from ecotone.mix._convex import minimise
from ecotone.mix._feasible import allowed_box, unreachable
from ecotone.mix._local import descend
from ecotone.mix._simulate import choose, look, search
from ecotone.mix._surface import Surface, least_gap
from ecotone.mix.problem import Problem

Array = NDArray[np.float64]
ON = 1e-9  # a share this close to a limit is on it


@dataclass(frozen=True, eq=False)
class Solution:
    """The best mixture found, and what is known about it.

    Attributes
    ----------
    weights : ndarray, shape (k,)
        Shares of the domains.
    value : float
        The objective, plus the pull towards the prior when there is one.
    general : float
        Predicted general loss, nats per token; NaN without a general limit.
    gap : float
        `exact`: no allowed mixture has a value below ``value - gap``. Otherwise, for a law with
        slopes, how much a small step would still win, to first order; NaN for a law without.
    exact : bool
        Whether the gap is a proof: law and objective are convex.
    starts : int
        Places the search was started from, or mixtures that were tried.
    active : tuple of str
        Limits that hold with equality: ``"cap law"``, ``"floor web"``, ``"general loss"``.
    multiplier : float
        By how much the value would fall for each nat per token of general loss given up; NaN
        for a law without slopes.
    losses : ndarray, shape (t,)
        Predicted losses, nats per token.
    """

    weights: Array
    value: float
    general: float
    gap: float
    exact: bool
    starts: int
    active: tuple[str, ...]
    multiplier: float
    losses: Array

    def __repr__(self) -> str:
        how = f"exact to {self.gap:.1e}" if self.exact else "not proven"
        return f"Solution({len(self.weights)} domains, value {self.value:.4f}, {how})"


def solve(problem: Problem, *, rng: np.random.Generator, candidates: int = 20_000) -> Solution:
    r"""Find the best mixture within the limits.

    Three ways, by what is known of the law.

    * Convex law and objective: an interior-point method, or a linear program when everything is
      linear. The result is proven: the gap is the Frank-Wolfe gap of the Lagrangian [1]_,
      :math:`\max_{x}\nabla(F + \lambda G)(v)\cdot(v - x) + \lambda\,(\mathrm{bound} - G(v))`,
      an upper bound of the distance to the optimum.
    * A law with slopes that is not convex: descents from many starts. ``exact`` is False and the
      gap says only that no small step helps.
    * A law without slopes: `candidates` mixtures are tried, then more around the best.

    Parameters
    ----------
    problem : Problem
        What to minimise within which limits.
    rng : numpy.random.Generator
        Draws starts and candidates; the exact way does not use it.
    candidates : int
        Mixtures to try when there are no slopes.

    Raises
    ------
    Infeasible
        No mixture meets the limits; says which clash and the smallest change that cures it.

    References
    ----------
    .. [1] Jaggi (2013). Revisiting Frank-Wolfe: projection-free sparse convex optimization. ICML.
    """
    surface = Surface(problem, allowed_box(problem))
    bound = problem.general_bound
    if problem.convex:
        best = minimise(surface, bound)
        return solution(surface, best.v, best.gap, best.multiplier, exact=True, starts=1)
    seen = search(surface, candidates if not problem.smooth else min(candidates, 4000), bound, rng)
    if problem.smooth:
        v, starts = descend(surface, seen, bound, rng)
        _check_reached(surface, v, bound)
        gap, multiplier = least_gap(surface, v, bound)
        return solution(surface, v, gap, multiplier, exact=False, starts=starts)
    v = choose(surface, seen, bound)
    _check_reached(surface, v, bound)
    return solution(surface, v, np.nan, np.nan, exact=False, starts=len(seen.V))


def _check_reached(surface: Surface, v: Array, bound: float) -> None:
    general = float(look(surface, v[None, :]).general[0])
    if general > bound:
        raise unreachable(surface.problem, general, proven=False)


def solution(
    surface: Surface, v: Array, gap: float, multiplier: float, *, exact: bool, starts: int
) -> Solution:
    """Say in terms of domains and limits what was found at a point of the box."""
    problem = surface.problem
    weights = surface.box.shares(v)
    value, general = (float(x[0]) for x in surface.both(v[None, :]))
    return Solution(
        weights=weights,
        value=value,
        general=general if problem.general is not None else float("nan"),
        gap=gap,
        exact=exact,
        starts=starts,
        active=_active(problem, surface.box, v, general),
        multiplier=multiplier,
        losses=problem.losses(weights[None, :])[0],
    )


def _active(problem: Problem, box: Box, v: Array, general: float) -> tuple[str, ...]:
    """Name the limits that hold with equality; shares of 0 and 1 are no limits of the user's."""
    weights, limits = box.shares(v), problem.limits
    names = [
        f"cap {name}"
        for name, w, cap in zip(problem.domains, weights, limits.upper, strict=True)
        if cap < 1 and w >= cap - ON
    ]
    names += [
        f"floor {name}"
        for name, w, floor in zip(problem.domains, weights, limits.lower, strict=True)
        if floor > 0 and w <= floor + ON
    ]
    bound = problem.general_bound
    if np.isfinite(bound) and general >= bound - ON * abs(bound):
        names.append("general loss")
    return tuple(names)
