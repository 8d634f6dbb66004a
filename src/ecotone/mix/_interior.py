r"""Exact minimisation of a convex problem on a box of shares: a primal-dual interior-point method.

Newton's method on the optimality conditions, in which "multiplier times slack = 0" is relaxed to
"= mu" and mu goes to 0. All iterates lie strictly inside the limits, so that laws with infinite
slope at a share of 0 are no difficulty. A last step then puts the shares that belong on a limit
exactly on it. What comes out carries its own proof: see `Surface.gap`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.mix._box import FLAT
from ecotone.mix._surface import Surface

Array = NDArray[np.float64]
GOOD = 1e-12  # gap at which to stop, in units of the loss
ROUNDS = 100
SHRINK = 0.03  # factor on mu per step


@dataclass(frozen=True, eq=False)
class Point:
    """A point of the box with the multipliers that prove how good it is.

    Attributes
    ----------
    v : ndarray, shape (m,)
        Group shares.
    multiplier : float
        Of the general limit; nats of objective per nat of general loss.
    gap : float
        Largest possible distance to the optimum, see `Surface.gap`.
    at_lower, at_upper : ndarray of bool, shape (m,)
        Bounds that hold with equality.
    """

    v: Array
    multiplier: float
    gap: float
    at_lower: NDArray[np.bool_]
    at_upper: NDArray[np.bool_]


class Descent:
    """One run: the state of the iteration and the steps on it.

    Parameters
    ----------
    surface : Surface
        The problem.
    start : ndarray, shape (m,)
        Strictly inside the bounds, and with a general loss below `bound`.
    bound : float
        Largest general loss, or infinity.
    """

    def __init__(self, surface: Surface, start: Array, bound: float) -> None:
        self.surface, self.bound = surface, bound
        box = surface.box
        low, high = box.tight()
        self.free = high - low > FLAT
        self.full = np.where(self.free, start, (low + high) / 2)
        self.low, self.high = box.lower[self.free], box.upper[self.free]
        # a cap that the floors of the others imply would only blunt the steps
        implied = 1 - (box.lower.sum() - box.lower)
        self.capped = (box.upper < implied - FLAT)[self.free]
        self.v = self.full[self.free]
        self.by_target: Array
        self.by_general: Array
        self.y, self.scale = 0.0, 1.0
        self.lam = self.slack = self.excess = 0.0
        self.read()
        # in units of its own steepness a nearly flat objective is no harder than another
        self.scale = max(float(np.ptp(self.by_target)), 1e-9) if len(self.v) else 1.0
        self.by_target = self.by_target / self.scale
        self.slack = -self.excess if np.isfinite(bound) else 1.0
        self.excess = 0.0
        self.anchor = self.whole(self.v), self.surface.at(self.whole(self.v))[2]
        self.z_low = 0.1 * np.ones(len(self.v))
        self.z_high = np.where(self.capped, 0.1, 0.0)
        steep = float(np.ptp(self.by_general)) if len(self.v) else 1.0
        self.lam = 0.1 / max(steep, 1e-9) if np.isfinite(bound) else 0.0

    def read(self) -> None:
        """Evaluate the slopes at the current point, and by how much G + slack miss the bound."""
        by_target, by_general, general = self.surface.at(self.whole(self.v))
        self.by_target = by_target[self.free] / self.scale
        self.by_general = by_general[self.free]
        self.excess = general + self.slack - self.bound if np.isfinite(self.bound) else 0.0

    def whole(self, v: Array) -> Array:
        """Return the point with its fixed coordinates."""
        out = self.full.copy()
        out[self.free] = v
        return out

    def products(self) -> tuple[Array, Array, float]:
        """Return multiplier times slack of every limit."""
        room = np.where(self.capped, self.high - self.v, 1.0)
        return self.z_low * (self.v - self.low), self.z_high * room, self.lam * self.slack

    def mu(self) -> float:
        """Return the next mu: a small share of the products or unbalanced forces left."""
        below, above, general = self.products()
        count = len(self.v) + self.capped.sum() + np.isfinite(self.bound)
        products = float(below.sum() + above[self.capped].sum()) + general
        left = max(products, float(np.abs(self.unbalance()) @ (self.v - self.low)))
        return max(SHRINK * left / float(count), 1e-16)

    def unbalance(self) -> Array:
        """Return by how much the forces on each share do not cancel, shape (m,)."""
        pull = self.by_target + self.lam * self.by_general
        return pull - self.z_low + self.z_high + self.y

    def residual(self, mu: float, weight: Array, price: float) -> float:
        """Return how far the relaxed optimality conditions are from holding."""
        below, above, general = self.products()
        parts = [weight * self.unbalance(), below - mu, np.where(self.capped, above - mu, 0.0)]
        if np.isfinite(self.bound):
            parts.append(np.array([general - mu, price * self.excess]))
        return float(np.sqrt(sum(float(p @ p) for p in parts)))

    def direction(self, mu: float) -> dict[str, Any]:
        """Return the Newton step, by name of what it changes."""
        below, above = self.v - self.low, np.where(self.capped, self.high - self.v, 1.0)
        K = self.surface.curvature(self.whole(self.v), self.free, 1 / self.scale, self.lam)
        K[np.diag_indices(len(K))] += self.z_low / below + self.z_high / above
        right = self.by_target + self.y - mu / below + np.where(self.capped, mu / above, 0.0)
        held = np.isfinite(self.bound)
        if held:
            stiff = self.lam / self.slack
            K = K + stiff * np.outer(self.by_general, self.by_general)
            right = right + (mu / self.slack + stiff * self.excess) * self.by_general
        v, dual = solve_held(K, -right, np.ones((1, len(K))), np.zeros(1))
        slack = -self.excess - float(self.by_general @ v) if held else 0.0
        return {
            "v": v,
            "y": float(dual[0]),
            "z_low": mu / below - self.z_low - self.z_low / below * v,
            "z_high": np.where(
                self.capped, mu / above - self.z_high + self.z_high / above * v, 0.0
            ),
            "slack": slack,
            "lam": (mu - self.lam * slack) / self.slack - self.lam if held else 0.0,
        }

    def step(self, mu: float) -> bool:
        """Go along the Newton step as far as the limits and the residual allow."""
        change, was = self.direction(mu), dict(vars(self))
        length = min(
            _reach(self.v - self.low, change["v"]),
            _reach((self.high - self.v)[self.capped], -change["v"][self.capped]),
            *(_reach(was[name], change[name]) for name in ("z_low", "z_high", "slack", "lam")),
        )
        # everything counts by what it costs: a force by the share it acts on
        weight, price = self.v - self.low, self.lam
        before = self.residual(mu, weight, price)
        for _ in range(40):
            for name, by in change.items():
                setattr(self, name, was[name] + length * by)
            self.read()
            if self.residual(mu, weight, price) <= (1 - 0.01 * length) * before:
                return True
            length /= 2
        vars(self).update(was)
        return False

    def run(self) -> Point:
        """Iterate until the gap is `GOOD` or no step helps; return the best point met."""
        best = self.point()
        for _ in range(ROUNDS if len(self.v) > 1 else 0):
            if not self.step(self.mu()):
                break
            here = self.point()
            best = here if here.gap < best.gap else best
            if best.gap < GOOD * max(self.scale, 1.0):
                break
        return polish(self.surface, best, self.bound)

    def point(self) -> Point:
        """Return the current point, drawn back inside the general limit, with its gap."""
        v = self.whole(self.v)
        multiplier = self.lam * self.scale
        at_lower, at_upper = ~self.free, ~self.free
        at_lower[self.free] = self.z_low > self.v - self.low
        at_upper[self.free] = self.capped & (self.z_high > self.high - self.v)
        over = self.excess - self.slack
        if over > 0:
            # G is convex: on the way back to the start it falls at least in proportion
            back = min(over / (over + self.bound - self.anchor[1]) * (1 + 1e-9) + 1e-15, 1.0)
            v = v + back * (self.anchor[0] - v)
        gap = self.surface.gap(v, multiplier, self.bound)
        return Point(v, multiplier, gap, at_lower, at_upper)


def _reach(value: Any, change: Any) -> float:
    """Return the longest step, at most 1, that leaves every value a hundredth of what it is."""
    value, change = np.atleast_1d(value), np.atleast_1d(change)
    down = change < 0
    return float(np.min(-0.99 * value[down] / change[down], initial=1.0))


def solve_held(K: Array, right: Array, E: Array, target: Array) -> tuple[Array, Array]:
    r"""Solve :math:`K x + E^\top y = r, E x = e`; scaled, so that tiny shares keep their digits.

    Where K is flat along E the shortest (scaled) step is taken: twins stay alike.
    """
    size = 1 / np.sqrt(np.maximum(np.abs(np.diag(K)), 1e-300))
    E = E * size
    weight = 1 / np.maximum(np.abs(E).max(axis=1), 1e-300)
    E = E * weight[:, None]
    c = len(E)
    system = np.block([[K * np.outer(size, size), E.T], [E, np.zeros((c, c))]])
    vector = np.concatenate([right * size, target * weight])
    solution, *_ = np.linalg.lstsq(system, vector, rcond=1e-15)
    return solution[: len(K)] * size, solution[len(K) :] * weight


def polish(surface: Surface, point: Point, bound: float) -> Point:
    """Put the shares that are held by a limit exactly on it, and solve for the rest by Newton.

    Returns the point unchanged when that does not lead to a smaller gap.
    """
    box = surface.box
    low, high = box.tight()
    v = np.where(point.at_lower, low, np.where(point.at_upper, high, point.v))
    free = ~(point.at_lower | point.at_upper)
    held = point.multiplier > 0 and np.isfinite(bound)
    lam, best = point.multiplier, point
    for _ in range(6):
        v[free] += (1 - v.sum()) / max(free.sum(), 1)
        if abs(v.sum() - 1) > 1e-14 or (v < low - 1e-15).any() or (v > high + 1e-15).any():
            break
        v = np.clip(v, low, high)
        here = replace(point, v=v.copy(), multiplier=lam, gap=surface.gap(v, lam, bound))
        inside = not held or surface.at(v)[2] <= bound
        best = here if inside and here.gap <= best.gap else best
        if not free.any():
            break
        step, lam = _newton(surface, v, lam, free, bound if held else np.inf)
        if not np.isfinite(step).all() or lam < 0:
            break
        v[free] += step
    return best


def _newton(
    surface: Surface, v: Array, lam: float, free: NDArray[np.bool_], bound: float
) -> tuple[Array, float]:
    """Return the Newton step of the free shares, and the new multiplier of the general limit."""
    by_target, by_general, general = surface.at(v)
    K = surface.curvature(v, free, 1.0, lam)
    rows, target = [np.ones(free.sum())], [0.0]
    if np.isfinite(bound):
        rows.append(by_general[free])
        # a hair inside the limit, so that rounding never puts the point outside
        target.append(float(bound * (1 - 1e-13) - general))
    step, dual = solve_held(K, -by_target[free], np.array(rows), np.array(target))
    return step, float(dual[1]) if len(dual) > 1 else 0.0
