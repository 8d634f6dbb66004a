"""Principal axes of rows, and which axis of one side answers to which of the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ecotone.core.errors import BadInput, TooFewRows

Array = NDArray[np.float64]
LEVELS = (np.arange(64) + 0.5) / 64  # quantiles at which two distributions are compared


class Axes(NamedTuple):
    """Where rows lie, and the directions in which they spread most.

    Attributes
    ----------
    mean : ndarray, shape (d,)
    basis : ndarray, shape (d, k)
        Orthonormal columns, by falling variance; the largest entry of each is positive.
    variances : ndarray, shape (k,)
    """

    mean: Array
    basis: Array
    variances: Array

    def of(self, X: Array) -> Array:
        """Return the coordinates of rows on these axes, (n, k)."""
        out: Array = X @ self.basis  # the mean is taken off where there are fewer columns
        out -= self.mean @ self.basis
        return out


def principal(X: Array, k: int, who: str, weight: Array | None = None) -> Axes:
    """Return the k leading principal axes of rows (fewer, if rows or features are fewer).

    Parameters
    ----------
    X : ndarray, shape (n, d)
    k : int
    who : str
        The method, for the errors.
    weight : ndarray, shape (n,), optional
        Mass of each row; equal by default.
    """
    n, d = X.shape
    if not (isinstance(k, int | np.integer) and k >= 1):
        raise BadInput(f"{who}: n_components is {k}.", cure="n_components=20")
    if n < 2:
        raise TooFewRows(
            f"{who}: principal axes need 2 rows or more on each side; one side has {n}.",
            cure="eco.align.SourceOnly()",
        )
    mass = np.full(n, 1.0 / n) if weight is None else weight / weight.sum()
    mean = mass @ X
    k = min(k, d, n - 1)
    Z = X - mean
    Z *= np.sqrt(mass)[:, None]
    if d <= n:
        values, vectors = np.linalg.eigh(Z.T @ Z)  # a product with itself costs half
        values, basis = values[::-1][:k], vectors[:, ::-1][:, :k]
    else:
        _, scale, rows = np.linalg.svd(Z, full_matrices=False)
        values, basis = scale[:k] ** 2, rows[:k].T
    sign = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(k)])
    # divisor n - 1, as a variance is usually given
    return Axes(mean, basis * sign, np.maximum(values, 0) * n / (n - 1))


def quantiles(Z: Array) -> Array:
    """Return the quantiles of every column at `LEVELS`, shape (levels, k)."""
    out: Array = np.quantile(Z, LEVELS, axis=0)
    return out


def match_by_shape(A: Array, B: Array) -> Array:
    r"""Return the signed permutation S (k, k) for which the columns of A S resemble those of B.

    The cost of giving column i of A, with sign s, the place j is the squared transport distance of
    two distributions of numbers, :math:`\int (F_{sa_i}^{-1} - F_{b_j}^{-1})^2`; the cheapest
    assignment is exact. A column with a symmetric distribution has no sign that could be found.

    Parameters
    ----------
    A : ndarray, shape (n, k)
    B : ndarray, shape (m, k)
    """
    a, b = quantiles(A), quantiles(B)
    cost = np.stack([
        ((s[:, :, None] - b[:, None, :]) ** 2).mean(axis=0) for s in (a, -a[::-1])
    ])  # fmt: skip
    rows, columns = linear_sum_assignment(cost.min(axis=0))
    S = np.zeros((A.shape[1], B.shape[1]))
    S[rows, columns] = np.where(cost[0, rows, columns] <= cost[1, rows, columns], 1.0, -1.0)
    return S
