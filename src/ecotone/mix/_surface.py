"""A mixing problem seen from its free coordinates: values, slopes and curvature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ecotone.mix._box import FLAT, Box, cheapest
from ecotone.mix.problem import Problem

Array = NDArray[np.float64]


class Surface:
    """The functions of a problem on the points of its box.

    Two functions matter: the minimised value F (objective plus pull) and the general loss G.
    Every array ``V (n, m)`` holds points of the box, row by row.
    """

    def __init__(self, problem: Problem, box: Box) -> None:
        self.problem, self.box = problem, box
        self.pulled = box.prior > 0  # elsewhere a pull has fixed the share at 0
        low, high = box.tight()
        self.stuck = high - low <= FLAT
        self._last: tuple[bytes, tuple[Array, Array, float]] = (b"", (box.prior, box.prior, 0.0))

    def value(self, V: Array) -> Array:
        """Return F, shape (n,)."""
        return self.both(V)[0]

    def general(self, V: Array) -> Array:
        """Return G, shape (n,)."""
        return self.both(V)[1]

    def both(self, V: Array) -> tuple[Array, Array]:
        """Return F and G from one prediction, each (n,); G is 0 without a general limit."""
        problem = self.problem
        L = problem.losses(self.box.shares(V))
        general = np.zeros(len(V)) if problem.general is None else problem.general.value(L)
        return problem.objective.value(L) + self.pull(V), general

    def pull(self, V: Array) -> Array:
        r"""Return :math:`\mathrm{kl}\cdot\mathrm{KL}(w\|\mathrm{prior})`, shape (n,)."""
        if self.problem.kl == 0:
            return np.zeros(len(V))
        x, p = V[:, self.pulled], self.box.prior[self.pulled]
        terms = np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0) / p), 0.0)
        out: Array = self.problem.kl * terms.sum(axis=1)
        return out

    def slopes(self, V: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of F and of G by v, each (n, m), and G, (n,)."""
        by_target, by_general, general = self._law_slopes(V)
        if self.problem.kl > 0:
            p = self.box.prior[self.pulled]
            with np.errstate(divide="ignore"):
                pull = self.problem.kl * (np.log(V[:, self.pulled] / p) + 1)
            by_target = by_target.copy()
            by_target[:, self.pulled] += pull
        # a share that cannot move has no say, even where its slope is infinite
        by_target = np.where(self.stuck & ~np.isfinite(by_target), 0.0, by_target)
        by_general = np.where(self.stuck & ~np.isfinite(by_general), 0.0, by_general)
        return by_target, by_general, general

    def at(self, v: Array) -> tuple[Array, Array, float]:
        """Return the gradients of F and of G, and G, at one point; remembers the last one."""
        key = v.tobytes()
        if key != self._last[0]:
            by_target, by_general, general = self.slopes(v[None, :])
            self._last = (key, (by_target[0], by_general[0], float(general[0])))
        return self._last[1]

    def _law_slopes(self, V: Array) -> tuple[Array, Array, Array]:
        problem, W = self.problem, self.box.shares(V)
        L = problem.losses(W)
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite slopes at a share of 0
            slopes = np.asarray(problem.law.gradient(W)).reshape(len(V), L.shape[1], -1)
        by_target = self.box.fold_slopes(_chain(problem.objective.gradient(L), slopes))
        if problem.general is None:
            return by_target, np.zeros_like(by_target), np.zeros(len(V))
        by_general = self.box.fold_slopes(_chain(problem.general.gradient(L), slopes))
        return by_target, by_general, problem.general.value(L)

    def curvature(self, v: Array, free: NDArray[np.bool_], a: float, b: float) -> Array:
        """Return the Hessian of ``a F + b G`` by the free coordinates, all of them above 0.

        From central differences of the law's slopes, with steps in proportion to each
        coordinate: a power of a share curves on the scale of the share itself.
        """
        step = 1e-4 * v[free]
        steps = np.diag(1e-4 * v)[free]
        by_target, by_general, _ = self._law_slopes(np.concatenate([v + steps, v - steps]))
        slope = a * by_target[:, free] + b * by_general[:, free]
        hessian = (slope[: len(step)] - slope[len(step) :]) / (2 * step[:, None])
        hessian = (hessian + hessian.T) / 2
        if self.problem.kl > 0 and a:
            bend = np.where(self.pulled, a * self.problem.kl / np.maximum(v, 1e-300), 0.0)
            hessian[np.diag_indices(len(step))] += bend[free]
        return hessian

    def gap(self, v: Array, multiplier: float, bound: float) -> float:
        r"""Return how far F(v) can be above the optimum, when F and G are convex.

        .. math:: \max_{x \in \mathrm{box}} (\nabla F + \lambda \nabla G)(v) \cdot (v - x)
            + \lambda (\mathrm{bound} - G(v))

        The first term bounds how far the Lagrangian at v is above its least value; that value is
        a lower bound of the optimum for every multiplier, whatever found it.
        """
        by_target, by_general, general = self.at(v)
        slope = by_target + (multiplier * by_general if multiplier else 0.0)
        if not np.isfinite(slope).all():
            return np.inf
        slack = bound - general if multiplier else 0.0
        # the cheapest point is at most as expensive as v: below zero is rounding
        linear = max(float(slope @ (v - cheapest(slope, self.box))), 0.0)
        return linear + multiplier * slack


def _chain(outer: Array, inner: Array) -> Array:
    """Return the sum over targets of ``outer (n, t)`` times ``inner (n, t, k)``.

    A loss the objective does not look at counts nothing, even where its slope is infinite.
    """
    used = (outer != 0).any(axis=0)
    out: Array = np.einsum("nt,ntk->nk", outer[:, used], inner[:, used])
    return out


def least_gap(surface: Surface, v: Array, bound: float) -> tuple[float, float]:
    """Return the least gap over all multipliers of the general limit, and that multiplier."""
    free = surface.gap(v, 0.0, np.inf)
    slack = bound - surface.at(v)[2]
    if not np.isfinite(bound) or slack > 1e-6 * abs(bound):
        return free, 0.0
    found = minimize_scalar(
        lambda s: surface.gap(v, np.expm1(s), bound), bounds=(0.0, 12.0), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    return (float(found.fun), float(np.expm1(found.x))) if found.fun < free else (free, 0.0)
