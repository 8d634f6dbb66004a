"""Means, covariances and their symmetric powers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, TooFewRows

Array = NDArray[np.float64]


def moments(X: Array, shrinkage: float, who: str, side: str) -> tuple[Array, Array]:
    r"""Return the mean (d,) and :math:`\mathrm{cov} + \lambda\,\bar v\,I`, (d, d).

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Rows; n >= 2.
    shrinkage : float
        :math:`\lambda \ge 0`; above 0 the matrix can be inverted even where n <= d.
    who, side : str
        For the errors: the method, and which rows.

    Raises
    ------
    TooFewRows
        One row, or no shrinkage and not more rows than features.
    BadInput
        `shrinkage` is negative.
    """
    n, d = X.shape
    if not shrinkage >= 0:
        raise BadInput(f"{who}: shrinkage is {shrinkage}.", cure="shrinkage=1e-3")
    if n < 2:
        raise TooFewRows(
            f"{who}: a covariance needs 2 rows or more; the {side} has {n}.",
            cure="eco.align.SourceOnly()",
        )
    if shrinkage == 0 and n <= d:
        raise TooFewRows(
            f"{who}: {n} {side} rows do not give an invertible covariance of {d} features.",
            cure="shrinkage=1e-3",
        )
    C = np.cov(X, rowvar=False).reshape(d, d)
    level = float(np.trace(C)) / d
    # constant rows have no spread to match: any positive number keeps them where they are
    return X.mean(axis=0), C + shrinkage * (level if level > 0 else 1.0) * np.eye(d)


def power(C: Array, p: float) -> Array:
    """Return the symmetric power of a symmetric positive matrix.

    Eigenvalues are held above 1e-12 of the largest: what lies below is rounding.
    """
    values, vectors = np.linalg.eigh(C)
    floor = 1e-12 * max(float(values[-1]), np.finfo(float).tiny)
    out: Array = (vectors * np.maximum(values, floor) ** p) @ vectors.T
    return out
