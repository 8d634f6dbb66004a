"""Gaussians as points of a space with a distance: their fits, the maps between them, their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.align._moments import moments, power

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Affine:
    """The map x -> (x - start) A + end, on rows.

    A class, not a closure, so that a fitted method can be pickled.
    """

    start: Array
    matrix: Array
    end: Array

    def __call__(self, X: Array) -> Array:
        """Move rows, (n, d)."""
        out: Array = (X - self.start) @ self.matrix + self.end
        return out


def gaussian(
    X: Array, weight: Array | None, shrinkage: float, who: str, side: str
) -> tuple[Array, Array]:
    """Return mean (d,) and shrunk covariance (d, d) of weighted rows.

    A row of weight 2 counts like two rows; a row of weight 0 is not there. For `shrinkage`, `who`
    and `side` see `ecotone.align._moments.moments`.
    """
    if weight is None or np.ptp(weight) == 0:
        return moments(X, shrinkage, who, side)
    here = weight > 0
    rows, w = X[here], weight[here]
    moments(rows, shrinkage, who, side)  # its errors are ours
    mean = np.average(rows, axis=0, weights=w)
    d = X.shape[1]
    C = np.cov(rows, rowvar=False, aweights=w).reshape(d, d)
    level = float(np.trace(C)) / d
    return mean, C + shrinkage * (level if level > 0 else 1.0) * np.eye(d)


def monge(C: Array, D: Array) -> Array:
    r"""Return the optimal map between centred Gaussians, :math:`A C A = D`, symmetric positive.

    .. math:: A = C^{-1/2}\,(C^{1/2} D\,C^{1/2})^{1/2}\,C^{-1/2}
    """
    root, inverse = power(C, 0.5), power(C, -0.5)
    A = inverse @ power(root @ D @ root, 0.5) @ inverse
    out: Array = (A + A.T) / 2  # symmetric to the last bit
    return out


def barycentre(
    covariances: Sequence[Array], weights: Array, *, steps: int = 200, tol: float = 1e-12
) -> Array:
    r"""Return the covariance with the least mean squared Bures distance to the given ones.

    The fixed point of :math:`S \leftarrow S^{-1/2}\bigl(\sum_k w_k
    (S^{1/2} C_k S^{1/2})^{1/2}\bigr)^2 S^{-1/2}`, which lowers the mean distance at every step and
    ends at the minimum from any positive start (Álvarez-Esteban et al. 2016).

    Parameters
    ----------
    covariances : sequence of ndarray, shape (d, d)
        Symmetric positive.
    weights : ndarray, shape (k,)
        At least 0, of sum 1.
    steps : int
        Most steps.
    tol : float
        Stop when no entry moves by more than this share of the largest.
    """
    S = sum(w * C for w, C in zip(weights, covariances, strict=True))
    for _ in range(steps):
        root, inverse = power(S, 0.5), power(S, -0.5)
        mean = sum(
            w * power(root @ C @ root, 0.5) for w, C in zip(weights, covariances, strict=True)
        )
        new = inverse @ mean @ mean @ inverse
        new = (new + new.T) / 2
        moved = float(np.abs(new - S).max())
        S = new
        if moved <= tol * float(np.abs(S).max()):
            break
    out: Array = S
    return out
