r"""Which feature of one side is which of the other, in which sign: matching two sets of moments.

A signed permutation S takes standardised source columns to target columns. Its cost is

.. math:: J(S) = \|R_s S - S R_t\|_F^2 + w \sum_{i \to j} c_{ij}^{\pm}

for correlations R and :math:`c^{\pm}_{ij}`, the squared transport distance of column i, in that
sign, to column j. For orthogonal S the first term is :math:`\|S^\top R_s S - R_t\|^2`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from ecotone.align._kernels import squared_distances
from ecotone.align._subspace import LEVELS, quantiles

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """What is matched of one side: correlations (d, d) and quantiles (levels, d) of its columns."""

    correlations: Array
    quantiles: Array

    @classmethod
    def of(cls, Z: Array) -> Moments:
        """Return those of standardised rows (n, d)."""
        return cls(Z.T @ Z / len(Z), quantiles(Z))


class Cost:
    """J for two sides.

    Parameters
    ----------
    source, target : Moments
    weight : float
        w.
    """

    def __init__(self, source: Moments, target: Moments, weight: float) -> None:
        self.R_s, self.R_t = source.correlations, target.correlations
        a, b = source.quantiles, target.quantiles
        signs = (a, -a[::-1])  # the quantiles of -z are those of z, negated, from the other end
        self.c = weight * np.stack([squared_distances(x.T, b.T) for x in signs]) / len(LEVELS)

    def of(self, S: Array) -> float:
        """Return J(S) for a signed permutation."""
        apart = self.R_s @ S - S @ self.R_t
        return float(np.sum(apart**2) + np.sum((S > 0) * self.c[0] + (S < 0) * self.c[1]))

    def best(self, *, rounds: int) -> Array:
        """Return a signed permutation of low cost: relax to a convex problem, then round.

        S = P - Q with P, Q >= 0 and P + Q doubly stochastic: J is convex there. Frank-Wolfe, each
        step an exact assignment; then assignments from corner to corner while J falls.
        """
        d = len(self.R_s)
        P = np.full((2, d, d), 0.5 / d)
        for _ in range(rounds):
            slope = self._slope(P[0] - P[1])
            step = _corner(slope) - P
            gap = -float(np.sum(slope * step))
            if gap <= 1e-9 * d:
                break
            dS = step[0] - step[1]
            bend = 2 * float(np.sum((self.R_s @ dS - dS @ self.R_t) ** 2))
            P = P + (1.0 if bend <= gap else gap / bend) * step
        best = _signed(_corner(-P))
        while True:
            new = _signed(_corner(self._slope(best)))
            if self.of(new) >= self.of(best) - 1e-9:
                return best
            best = new

    def _slope(self, S: Array) -> Array:
        apart = self.R_s @ S - S @ self.R_t
        slope = 2 * (self.R_s @ apart - apart @ self.R_t)
        return np.stack([slope, -slope]) + self.c


def _corner(cost: Array) -> Array:
    """Return the cheapest assignment for costs (2, d, d) of both signs, as 0 and 1."""
    out = np.zeros_like(cost)
    rows, columns = linear_sum_assignment(cost.min(axis=0))
    out[cost[:, rows, columns].argmin(axis=0), rows, columns] = 1.0
    return out


def _signed(corner: Array) -> Array:
    out: Array = corner[0] - corner[1]
    return out


def undone(S: Array, cost: Cost, noise: float) -> Array:
    """Return S without the moves that lower J by no more than `noise` for each moved feature.

    A move is a cycle of the permutation (one feature for a plain change of sign), or all cycles
    whose features hang together by correlations above 0.3, or all of S at once.

    Parameters
    ----------
    S : ndarray, shape (d, d)
    cost : Cost
    noise : float
        J between two samples of one law, for each feature.
    """
    while True:
        moved = np.flatnonzero(np.diag(S) < 1)
        tries = []
        for move in _moves(S, moved, cost.R_s):
            back = S.copy()
            back[move] = 0.0
            back[:, move] = 0.0
            back[move, move] = 1.0
            tries.append((cost.of(back) - cost.of(S) - noise * len(move), back))
        if not tries or min(t[0] for t in tries) > 0:
            return S
        S = min(tries, key=lambda t: t[0])[1]


def _moves(S: Array, moved: NDArray[np.intp], R: Array) -> list[NDArray[np.intp]]:
    if not len(moved):
        return []
    goes = np.abs(S).argmax(axis=1)
    cycles = np.zeros(S.shape, dtype=bool)
    cycles[moved, goes[moved]] = True
    near = cycles | ((np.abs(R) > 0.3) & np.isin(np.arange(len(S)), moved)[:, None])
    near &= np.isin(np.arange(len(S)), moved)
    out = [moved]
    for graph in (cycles, near):
        count, label = connected_components(graph, directed=False)
        parts = [np.flatnonzero(label == k) for k in range(count)]
        out += [p for p in parts if np.isin(p, moved).all()]
    return out
