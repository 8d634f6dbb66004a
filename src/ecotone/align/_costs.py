"""Costs of moving source rows to target rows, by blocks, and how new source rows are moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput

Array = NDArray[np.float64]
Index = NDArray[np.int64]
METRICS = ("sqeuclidean", "cosine")
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs as a product of two thin matrices, :math:`C = L R^T`, asked for by parts.

    Attributes
    ----------
    left, right : ndarray, shape (n, k) and (m, k)
        Factors; what rounding leaves below 0 counts as 0.
    bound : float
        A number that no cost exceeds.
    scale : float
        What distances were divided by.
    """

    left: Array
    right: Array
    bound: float
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows of the source and of the target."""
        return len(self.left), len(self.right)

    def block(self, start: int, stop: int) -> Array:
        """Return the costs of source rows start to stop, (stop - start, m)."""
        out: Array = self.left[start:stop] @ self.right.T
        return np.maximum(out, 0.0, out=out)

    def columns(self, start: int, stop: int) -> Array:
        """Return the costs of target rows start to stop, (stop - start, n)."""
        out: Array = self.right[start:stop] @ self.left.T
        return np.maximum(out, 0.0, out=out)

    def pairs(self, i: Index, j: Index) -> Array:
        """Return the costs of pairs of rows, (k,)."""
        return np.maximum(np.einsum("ij,ij->i", self.left[i], self.right[j]), 0.0)

    def ordered(self, order: Index) -> Costs:
        """Return the same costs with the source rows in another order."""
        return Costs(self.left[order], self.right, self.bound, self.scale)

    def plus(self, times: float, left: Array, right: Array, bound: float) -> Costs:
        """Return these costs times a number, plus the product of two more factors."""
        return Costs(
            np.hstack([times * self.left, left]),
            np.hstack([self.right, right]),
            times * self.bound + bound,
            self.scale,
        )


def costs(source: Array, target: Array, metric: str, who: str) -> Costs:
    """Return squared distances, or one minus the cosine, divided by their median.

    The median is over all pairs, or over those of at most 2,000 rows a side that do not depend on
    the order of rows. Where it is 0, costs are left as they are.

    Raises
    ------
    BadInput
        The metric is none of `METRICS`.
    """
    if metric not in METRICS:
        raise BadInput(f"{who}: no metric is called {metric!r}.", cure='metric="sqeuclidean"')
    if metric == "cosine":
        S, T = (_unit(rows) / 2**0.5 for rows in (source, target))
    else:
        centre = target.mean(axis=0)  # distances are the same, and rounding is less
        S, T = source - centre, target - centre
    left, right = _factors(S, T)
    some = np.maximum(_factors(some_rows(S), T)[0] @ _factors(S, some_rows(T))[1].T, 0.0)
    middle = float(np.median(some))
    scale = middle if middle > 0 else 1.0
    longest = sum(float(np.sqrt((rows**2).sum(axis=1).max())) for rows in (S, T))
    return Costs(left / scale, right, longest**2 / scale, scale)


def _factors(A: Array, B: Array) -> tuple[Array, Array]:
    """Return matrices whose product is the squared distances between rows."""
    a, b = (A**2).sum(axis=1, keepdims=True), (B**2).sum(axis=1, keepdims=True)
    return np.hstack([A, a, np.ones_like(a)]), np.hstack([-2 * B, np.ones_like(b), b])


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def some_rows(X: Array, most: int = 2_000) -> Array:
    """Return at most `most` rows, evenly spaced in the order of their values."""
    if len(X) <= most:
        return X
    order = np.lexsort(X.T[::-1])
    return X[order[np.linspace(0, len(X) - 1, most).astype(np.int64)]]


def room_for(n: int, m: int, size: int, who: str, *, cure: str = "eco.align.LinearOT()") -> None:
    """Refuse a matrix of more than 2 GB, before anything is allocated.

    Raises
    ------
    BadInput
        Names the memory needed, and `cure`.
    """
    need = n * m * size
    if need > MOST_BYTES:
        raise BadInput(
            f"{who}: {n:,} source rows and {m:,} target rows need {need / 1e9:,.1f} GB.",
            why="it holds a number for each pair of rows, and takes 2 GB at most.",
            cure=cure,
        )


@dataclass(frozen=True, eq=False)
class Nearest:
    """Move a row as the nearest row that was moved in fit: x + (T(x_i) - x_i)."""

    rows: Array
    moves: Array

    def __call__(self, X: Array) -> Array:
        """Move rows, (n, d)."""
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=1).fit(self.rows)
        out: Array = X + self.moves[near.kneighbors(X, return_distance=False)[:, 0]]
        return out
