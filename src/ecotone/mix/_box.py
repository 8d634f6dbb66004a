"""The set of allowed mixtures: shares between bounds that sum to 1, frozen groups folded in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.mix.problem import Limits

Array = NDArray[np.float64]
FLAT = 1e-12  # a range of shares narrower than this is a point


@dataclass(frozen=True, eq=False)
class Box:
    r"""The polytope :math:`\{v: l \le v \le u, \sum v = 1\}` and the way back to shares.

    A frozen group of domains is one coordinate of v: :math:`w = A v`, where a column of A holds
    the ratios inside the group, or a single 1 for a free domain.

    Attributes
    ----------
    spread : ndarray, shape (k, m)
        A; every column sums to 1.
    lower, upper : ndarray, shape (m,)
        Bounds of the group shares, in [0, 1].
    prior : ndarray, shape (m,)
        Prior share of each group.
    groups : tuple of tuple of int
        Numbers of the domains in each group.
    """

    spread: Array
    lower: Array
    upper: Array
    prior: Array
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, limits: Limits, domains: tuple[str, ...], prior: Array) -> Box:
        """Fold the frozen groups; bounds may still contradict each other."""
        groups = _groups(limits.frozen, domains)
        spread = np.zeros((len(domains), len(groups)))
        for g, members in enumerate(groups):
            index = list(members)
            mass = prior[index].sum()
            if len(members) > 1 and mass <= 0:
                names = ", ".join(domains[i] for i in members)
                raise BadInput(
                    f"the frozen group {names} has no share in the prior.",
                    why="a frozen group keeps the ratios of the prior, and here there are none.",
                    cure="free the group, or give its domains a prior above 0",
                )
            spread[index, g] = prior[index] / mass if len(members) > 1 else 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = np.where(spread > 0, limits.upper[:, None] / spread, np.inf).min(axis=0)
            lower = np.where(spread > 0, limits.lower[:, None] / spread, 0.0).max(axis=0)
        mass = np.array([prior[list(g)].sum() for g in groups])
        return cls(spread, lower, np.minimum(upper, 1.0), mass, groups)

    def shares(self, V: Array) -> Array:
        """Return the domain shares of points ``V (..., m)``, shape (..., k)."""
        return V @ self.spread.T

    def fold(self, W: Array) -> Array:
        """Return the group shares of mixtures ``W (n, k)``, shape (n, m)."""
        if len(self.groups) == W.shape[1]:
            return W  # every domain is its own group, in the same order
        return np.stack([W[:, list(g)].sum(axis=1) for g in self.groups], axis=1)

    def fold_slopes(self, by_share: Array) -> Array:
        """Return derivatives by group shares from derivatives ``(n, k)`` by domain shares."""
        ratio = self.spread.max(axis=1)
        # a domain that can have no share counts nothing, even where its slope is infinite
        inside = np.where(ratio > 0, by_share, 0.0)
        return self.fold(inside * ratio)

    def tight(self) -> tuple[Array, Array]:
        """Return the range each coordinate really has, given that all sum to 1."""
        low = np.maximum(self.lower, 1 - (self.upper.sum() - self.upper))
        high = np.minimum(self.upper, 1 - (self.lower.sum() - self.lower))
        return low, np.maximum(low, high)

    def centre(self) -> Array:
        """Return a point that lies strictly between all bounds that leave any room."""
        low, high = self.tight()
        room = (high - low).sum()
        share = (1 - low.sum()) / room if room > FLAT else 0.0
        return low + share * (high - low)


def _groups(
    frozen: tuple[tuple[str, ...], ...], domains: tuple[str, ...]
) -> tuple[tuple[int, ...], ...]:
    where = {name: i for i, name in enumerate(domains)}
    group_of: dict[int, tuple[int, ...]] = {}
    for names in frozen:
        for name in names:
            if name not in where:
                raise BadInput(
                    f"a frozen group names {name!r}, which is no domain.",
                    cure=f"use some of: {', '.join(domains)}",
                )
        members = tuple(sorted({where[n] for n in names}))
        for i in members:
            if i in group_of:
                raise BadInput(
                    f"{domains[i]} is in two frozen groups.", cure="join the two groups into one"
                )
            group_of[i] = members
    # a group stands where its first domain stood
    firsts = {i: group_of.get(i, (i,)) for i in range(len(domains))}
    return tuple(g for i, g in firsts.items() if g and g[0] == i)


def cheapest(cost: Array, box: Box) -> Array:
    r"""Return a point of the box with the least cost :math:`c \cdot v`.

    A fractional knapsack: floors first, then the cheapest coordinates are filled up one by one.

    Examples
    --------
    >>> box = Box(np.eye(3), np.zeros(3), np.array([0.6, 1, 1]), np.ones(3) / 3, ((0,), (1,), (2,)))
    >>> cheapest(np.array([1.0, 2.0, 3.0]), box).round(3).tolist()
    [0.6, 0.4, 0.0]
    """
    room = box.upper - box.lower
    order = np.argsort(cost, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    v = box.lower.copy()
    v[order] += np.clip(1 - box.lower.sum() - before, 0, room[order])
    return v


def cheapest_fair(cost: Array, box: Box) -> Array:
    """Return `cheapest`, with what coordinates of one price get shared in the prior's ratios.

    So that twins are treated alike.
    """
    v = cheapest(cost, box)
    partly = np.flatnonzero((v > box.lower) & (v < box.upper))
    price = cost[partly[0]] if len(partly) else cost[v > box.lower].max(initial=-np.inf)
    tied = np.abs(cost - price) <= 1e-13 * max(1.0, abs(price))
    mass = v[tied].sum()
    if tied.sum() > 1 and mass > 0:
        prior = np.maximum(box.prior[tied], FLAT)
        low, high = box.lower[tied] / mass, box.upper[tied] / mass
        v[tied] = mass * nearest(prior[None, :] / prior.sum(), low, high)[0]
    return v


def nearest(P: Array, lower: Array, upper: Array) -> Array:
    r"""Return the points between the bounds nearest to each row in Kullback-Leibler divergence.

    That is :math:`x_i = \mathrm{clip}(\lambda p_i, l_i, u_i)`, which minimises KL(x || p),
    with the one :math:`\lambda` that makes the sum 1: bisection finds which bounds hold, the rest
    is exact. Without lower bounds it is `ecotone.core.simplex.cap_shares`, for many rows at once.

    Parameters
    ----------
    P : ndarray, shape (n, m)
        Rows on the simplex.
    lower, upper : ndarray, shape (m,)
        Sum to at most 1 and at least 1.

    Examples
    --------
    >>> nearest(np.array([[0.6, 0.3, 0.1]]), np.array([0, 0, 0.2]), np.ones(3)).round(3).tolist()
    [[0.533, 0.267, 0.2]]
    """
    upper = np.minimum(upper, 1.0)
    short = np.where(P > 0, upper, lower).sum(axis=1) < 1
    P = np.where(short[:, None], np.maximum(P, FLAT), P)  # mass must go where the row has none
    low, high = np.full(len(P), -70.0), np.full(len(P), 70.0)
    for _ in range(64):
        middle = (low + high) / 2
        over = np.clip(np.exp(middle)[:, None] * P, lower, upper).sum(axis=1) > 1
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    X = np.clip(np.exp(low)[:, None] * P, lower, upper)
    free = (lower < X) & (upper > X)
    held, mass = np.where(free, 0, X).sum(axis=1), np.where(free, P, 0).sum(axis=1)
    factor = (1 - held) / np.where(mass > 0, mass, 1)
    out: Array = np.where(free, np.clip(factor[:, None] * P, lower, upper), X)
    return out
