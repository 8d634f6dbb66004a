r"""Fréchet distance of samples that are added up.

.. math:: \|m - m'\|^2 + \mathrm{tr}\big(C + C' - 2\,(C'^{1/2} C\, C'^{1/2})^{1/2}\big)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Sums(NamedTuple):
    """Count, sum and sum of squares: of a union they are those of its parts added."""

    n: Array  # (k,)
    first: Array  # (k, d)
    second: Array  # (k, d, d)


def sums(X: Array, of: NDArray[np.int64], k: int) -> Sums:
    """Return the sums of rows (n, d) by the part 0..k-1 they are of."""
    first, second = np.zeros((k, X.shape[1])), np.zeros((k, X.shape[1], X.shape[1]))
    for part in range(k):
        rows = X[of == part]
        first[part], second[part] = rows.sum(axis=0), rows.T @ rows
    return Sums(np.bincount(of, minlength=k).astype(np.float64), first, second)


class ToTarget:
    """Distance to one target, its root taken once.

    A covariance of n rows is averaged with that of everything, which counts for d rows: with fewer
    rows than coordinates it would have no rank, and small samples would look far for that alone.
    """

    def __init__(self, target: Array, overall: Array) -> None:
        self.overall = overall
        here = sums(target, np.zeros(len(target), dtype=np.int64), 1)
        self.mean, self.cov = self._moments(here.n[0], here.first[0], here.second[0])
        self.root = root(self.cov)

    def __call__(self, n: float, first: Array, second: Array) -> float:
        """Return the distance of the rows with these sums."""
        mean, cov = self._moments(n, first, second)
        return frechet(mean, cov, self.mean, self.cov, self.root)

    def _moments(self, n: float, first: Array, second: Array) -> tuple[Array, Array]:
        mean, d = first / n, len(first)
        cov = second / n - np.outer(mean, mean)
        return mean, (n * cov + d * self.overall) / (n + d)


def frechet(m: Array, C: Array, m2: Array, C2: Array, root2: Array | None = None) -> float:
    """Return the squared distance of two Gaussians; `root2` is the root of C2, where known."""
    half = root(C2) if root2 is None else root2
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ C @ half), 0.0)).sum()
    gap = m - m2
    return float(max(gap @ gap + np.trace(C) + np.trace(C2) - 2 * cross, 0.0))


def root(C: Array) -> Array:
    """Return the symmetric root of a covariance."""
    values, vectors = np.linalg.eigh(C)
    out: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return out
