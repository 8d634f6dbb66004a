"""Search for a mixture by evaluating many: for laws whose slopes are not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.mix._box import Box, cheapest, nearest
from ecotone.mix._surface import Surface

Array = NDArray[np.float64]
ROUNDS = 10
NEAR = 1e-3  # nats per token: mixtures this close to the best are as good as the best


@dataclass(frozen=True, eq=False)
class Seen:
    """Points that were evaluated.

    Attributes
    ----------
    V : ndarray, shape (n, m)
        Group shares.
    value, general : ndarray, shape (n,)
        What is minimised, and the general loss.
    """

    V: Array
    value: Array
    general: Array

    def plus(self, other: Seen) -> Seen:
        """Return both sets of points."""
        return Seen(
            np.concatenate([self.V, other.V]),
            np.concatenate([self.value, other.value]),
            np.concatenate([self.general, other.general]),
        )

    def rank(self, bound: float) -> Array:
        """Return a key to sort by: allowed points by value, after them the others by how far."""
        over = self.general > bound
        key: Array = np.where(over, 1e9 + self.general, self.value)
        return key

    def best(self, bound: float) -> Array:
        """Return the best point."""
        best: Array = self.V[int(np.argmin(self.rank(bound)))]
        return best


def look(surface: Surface, V: Array) -> Seen:
    """Evaluate points."""
    value, general = surface.both(V)
    return Seen(V, value, general)


def candidates(surface: Surface, n: int, rng: np.random.Generator) -> Array:
    """Draw points of the box: around the prior, its corners, and between past trials.

    Shape (about n, m). Half come from Dirichlet distributions around the prior, from wide to
    narrow; a quarter from the uniform one; a quarter are blends of corners and of tried mixtures.
    """
    box = surface.box
    m = len(box.lower)
    prior = np.maximum(box.prior, 1e-4) / np.maximum(box.prior, 1e-4).sum()
    strength = np.exp(rng.uniform(np.log(0.5 * m), np.log(50 * m), n // 2))
    around = _dirichlet(strength[:, None] * prior, rng)
    uniform = _dirichlet(np.full((n // 4, m), 1.0), rng)
    corners = corner_points(box, 4 * m, rng)
    pool = [corners, box.prior[None, :]]
    if surface.problem.tried is not None:
        pool.append(box.fold(np.asarray(surface.problem.tried, dtype=np.float64)))
    points = np.concatenate(pool)
    picked = points[rng.integers(len(points), size=(n // 4, 3))]
    blend = np.einsum("ns,nsm->nm", _dirichlet(np.full((n // 4, 3), 0.7), rng), picked)
    return nearest(np.concatenate([around, uniform, blend, points]), box.lower, box.upper)


def corner_points(box: Box, n: int, rng: np.random.Generator) -> Array:
    """Return corners of the box: the cheapest points for each coordinate and for random costs."""
    m = len(box.lower)
    costs = np.concatenate([-np.eye(m), rng.standard_normal((max(n - m, 0), m))])
    return np.stack([cheapest(c, box) for c in costs])


def _dirichlet(alpha: Array, rng: np.random.Generator) -> Array:
    """Draw one row from the Dirichlet distribution of each row of `alpha`."""
    draws = rng.standard_gamma(alpha) + 1e-300
    out: Array = draws / draws.sum(axis=1, keepdims=True)
    return out


def search(surface: Surface, n: int, bound: float, rng: np.random.Generator) -> Seen:
    """Evaluate candidates, then ten rounds around the running best, then small moves of mass."""
    box = surface.box
    seen = look(surface, candidates(surface, n, rng))
    each = max(n // ROUNDS, 64)
    for strength in np.geomspace(20, 20_000, ROUNDS):
        centre = np.maximum(seen.best(bound), 1e-6)
        draws = _dirichlet(np.tile(strength * len(centre) / 4 * centre, (each, 1)), rng)
        seen = seen.plus(look(surface, nearest(draws, box.lower, box.upper)))
    return refine(surface, seen, bound)


def refine(surface: Surface, seen: Seen, bound: float, *, least: float = 1e-4) -> Seen:
    """Move mass between every two coordinates while that helps, in ever smaller steps."""
    box, size = surface.box, 0.08
    pairs = np.array(
        [(i, j) for i in range(len(box.lower)) for j in range(len(box.lower)) if i != j]
    )
    if not len(pairs):
        return seen
    best = seen.best(bound)
    rank = float(seen.rank(bound).min())
    for _ in range(200):
        give, take = pairs.T
        mass = np.minimum(size, np.minimum(best[give] - box.lower[give], (box.upper - best)[take]))
        moved = np.flatnonzero(mass > 0)
        V = np.tile(best, (len(moved), 1))
        V[np.arange(len(moved)), give[moved]] -= mass[moved]
        V[np.arange(len(moved)), take[moved]] += mass[moved]
        new = look(surface, V) if len(moved) else seen
        seen = seen.plus(new) if len(moved) else seen
        found = float(new.rank(bound).min())
        if found < rank - 1e-12:
            best, rank = new.best(bound), found
        else:
            size /= 2
        if size < least:
            break
    return seen


def choose(surface: Surface, seen: Seen, bound: float) -> Array:
    """Return the average of all mixtures that are as good as the best, if it is so itself.

    A law of trees is flat in steps and its very lowest step may be an accident; the middle of all
    nearly lowest places is not. Where the average is worse, the best point stands.
    """
    rank = seen.rank(bound)
    lowest = float(rank.min())
    near = np.flatnonzero(rank <= lowest + NEAR)
    mean = seen.V[near].mean(axis=0)
    mean = mean / mean.sum()
    there = look(surface, mean[None, :])
    inside = (mean >= surface.box.lower).all() and (mean <= surface.box.upper).all()
    return mean if inside and there.rank(bound)[0] <= lowest + NEAR else seen.best(bound)
