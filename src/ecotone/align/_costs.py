"""Costs of moving source rows to target rows, by blocks, and how new source rows are moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ecotone.core.errors import BadInput

Array = NDArray[np.float64]
METRICS = ("sqeuclidean", "cosine", "cityblock")
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs between source rows and target rows, a block of source rows at a time.

    Attributes
    ----------
    source, target : ndarray, shape (n, d) and (m, d)
        Rows as the cost needs them: minus the target's mean, or of length 1.
    metric : str
        One of `METRICS`.
    scale : float
        What costs are divided by: their median.
    """

    source: Array
    target: Array
    metric: str
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows of the source and of the target."""
        return len(self.source), len(self.target)

    @property
    def bound(self) -> float:
        """A number that no cost exceeds."""
        if self.metric == "cosine":
            return 2.0 / self.scale
        if self.metric == "cityblock":
            low = np.minimum(self.source.min(axis=0), self.target.min(axis=0))
            high = np.maximum(self.source.max(axis=0), self.target.max(axis=0))
            return float((high - low).sum()) / self.scale
        longest = [
            float(np.sqrt((rows**2).sum(axis=1).max())) for rows in (self.source, self.target)
        ]
        return sum(longest) ** 2 / self.scale

    def block(self, start: int, stop: int) -> Array:
        """Return the costs of source rows start to stop, (stop - start, m)."""
        return _between(self.source[start:stop], self.target, self.metric) / self.scale

    def columns(self, start: int, stop: int) -> Array:
        """Return the costs of target rows start to stop, (stop - start, n)."""
        return _between(self.target[start:stop], self.source, self.metric) / self.scale

    def pairs(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        """Return the costs of pairs of rows, (k,), without the rounding of `block`."""
        A, B = self.source[i], self.target[j]
        if self.metric == "cityblock":
            return np.abs(A - B).sum(axis=1) / self.scale
        half = 0.5 if self.metric == "cosine" else 1.0
        out: Array = half * ((A - B) ** 2).sum(axis=1) / self.scale
        return out

    def ordered(self, order: NDArray[np.int64]) -> Costs:
        """Return the same costs with the source rows in another order."""
        return Costs(self.source[order], self.target, self.metric, self.scale)


def costs(source: Array, target: Array, metric: str, who: str) -> Costs:
    """Prepare the costs between two sets of rows, divided by their median.

    The median is over all pairs, or over those of at most 2,000 rows a side that do not depend on
    the order of rows. Where it is 0, costs are left as they are.

    Raises
    ------
    BadInput
        The metric is none of `METRICS`.
    """
    if metric not in METRICS:
        raise BadInput(f"{who}: no metric is called {metric!r}.", cure='metric="sqeuclidean"')
    shift = target.mean(axis=0)
    S, T = (_prepared(rows, shift, metric) for rows in (source, target))
    middle = float(np.median(_between(some_rows(S), some_rows(T), metric)))
    return Costs(S, T, metric, middle if middle > 0 else 1.0)


def some_rows(X: Array, most: int = 2_000) -> Array:
    """Return at most `most` rows, evenly spaced in the order of their values."""
    if len(X) <= most:
        return X
    order = np.lexsort(X.T[::-1])
    return X[order[np.linspace(0, len(X) - 1, most).astype(np.int64)]]


def _prepared(rows: Array, shift: Array, metric: str) -> Array:
    if metric != "cosine":
        return np.asarray(rows - shift)  # distances are the same, and rounding is less
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def _between(A: Array, B: Array, metric: str) -> Array:
    if metric == "cityblock":
        city: Array = cdist(A, B, "cityblock")
        return city
    out: Array = A @ (-2.0 * B.T)
    out += (A**2).sum(axis=1)[:, None]
    out += (B**2).sum(axis=1)
    np.maximum(out, 0.0, out=out)
    if metric == "cosine":
        out *= 0.5
    return out


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
