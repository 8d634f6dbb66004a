r"""The divergence of two sets of projected rows, and its gradient in the projection.

Densities are Gaussian kernel estimates whose bandwidth is the covariance of the projected rows, so
that the inner products are means over pairs,

.. math:: T_{ab} = \frac{1}{n_a n_b} \sum_{ij} N(W^\top a_i - W^\top b_j;\ 0,\ W^\top (C_a + C_b) W)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.align._kernels import squared_distances

Array = NDArray[np.float64]


def inner(W: Array, A: Array, B: Array, C: Array) -> tuple[float, Array]:
    r"""Return :math:`\log T` for bandwidth :math:`W^\top C W`, and its gradient in W, (d, k).

    Parameters
    ----------
    W : ndarray, shape (d, k)
    A : ndarray, shape (n, d)
    B : ndarray, shape (m, d)
    C : ndarray, shape (d, d)
        Sum of both covariances.
    """
    S = W.T @ C @ W
    root = np.linalg.cholesky(S)
    inverse = np.linalg.inv(S)
    P, Q = np.linalg.solve(root, W.T @ A.T).T, np.linalg.solve(root, W.T @ B.T).T
    K = np.exp(-0.5 * squared_distances(P, Q))
    total = float(K.sum())
    size = -np.log(np.diag(root)).sum() - 0.5 * W.shape[1] * np.log(2 * np.pi)
    value = np.log(total / (len(A) * len(B))) + size
    # M = sum_ij K_ij (a_i - b_j)(a_i - b_j)', weighed to add up to 1
    cross = A.T @ (K @ B)
    M = ((A.T * K.sum(axis=1)) @ A + (B.T * K.sum(axis=0)) @ B - cross - cross.T) / total
    inside = inverse @ (W.T @ M @ W) @ inverse
    gradient = -M @ W @ inverse + C @ W @ (inside - inverse)
    return value, gradient


def divergence(W: Array, A: Array, B: Array, kind: str) -> tuple[float, Array]:
    r"""Return the divergence of two sets of rows projected by W, and its gradient (d, k).

    Parameters
    ----------
    W : ndarray, shape (d, k)
    A, B : ndarray, shapes (n, d) and (m, d)
    kind : str
        ``quadratic``: :math:`T_{aa} + T_{bb} - 2 T_{ab}`, the squared distance of the densities;
        has the unit of a density. ``cauchy_schwarz``: the same of the logarithms, without unit.
        Both are at least 0, and 0 for equal sets.
    """
    C_a, C_b = covariance(A), covariance(B)
    parts = [inner(W, A, A, 2 * C_a), inner(W, B, B, 2 * C_b), inner(W, A, B, C_a + C_b)]
    if kind == "quadratic":
        parts = [(float(np.exp(v)), np.exp(v) * g) for v, g in parts]
    (aa, g_aa), (bb, g_bb), (ab, g_ab) = parts
    return aa + bb - 2 * ab, g_aa + g_bb - 2 * g_ab


def covariance(X: Array) -> Array:
    """Return the covariance (d, d), with a thousandth of its mean variance on the diagonal."""
    d = X.shape[1]
    C = np.cov(X, rowvar=False).reshape(d, d)
    level = float(np.trace(C)) / d
    return C + 1e-3 * (level if level > 0 else 1.0) * np.eye(d)
