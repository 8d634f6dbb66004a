"""Logistic regression by Newton's method, and once more without each fold in turn."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

Array = NDArray[np.float64]
ROUGH = 0.001  # a gradient, as a mean over rows, from which shared curvature is good enough
CHORDS, HALVINGS, MOST = 4, 30, 100


class Fitted(NamedTuple):
    """Coefficients (p,), and the curvature (K, p, p) of every fold's rows one step before."""

    line: Array
    curvature: Array


def newton(
    A: Array, sign: Array, edges: list[int], penalty: Array, start: Array, *, tol: float = 1e-4
) -> Fitted:
    r"""Minimise :math:`\sum_i \log(1 + e^{-s_i a_i^\top b}) + \tfrac12 \sum_j \lambda_j b_j^2`.

    Parameters
    ----------
    A : ndarray, shape (n, p)
        A constant column gives the offset.
    sign : ndarray, shape (n,)
        1 or -1.
    edges : list of int
        Fold k is rows ``edges[k]`` to ``edges[k + 1]``.
    penalty : ndarray, shape (p,)
    start : ndarray, shape (p,)
    tol : float
        Largest entry of the gradient to stop at, as a mean over rows.

    Examples
    --------
    >>> A, sign = np.ones((4, 1)), np.array([1.0, 1.0, 1.0, -1.0])
    >>> newton(A, sign, [0, 4], np.zeros(1), np.zeros(1)).line.round(4).tolist()  # log 3
    [1.0986]
    """
    line, q = start, expit(-sign * (A @ start))
    value, curvature = _loss(q, line, penalty), _curvature(A, q, edges)
    for turn in range(MOST):
        slope = penalty * line - A.T @ (sign * q)
        if np.abs(slope).max() <= tol * len(A):
            break
        if turn > 0:
            curvature = _curvature(A, q, edges)
        step = cho_solve(_factor(curvature.sum(axis=0), penalty), slope)
        for halving in range(HALVINGS):
            tried = line - 0.5**halving * step
            q_tried = expit(-sign * (A @ tried))
            reached = _loss(q_tried, tried, penalty)
            if reached <= value:
                break
        else:  # rounding is all that is left to win
            break
        line, q, value = tried, q_tried, reached
    return Fitted(line, curvature)


def with_and_without_folds(
    A: Array, sign: Array, edges: list[int], penalty: Array, *, tol: float = 1e-4
) -> Array:
    """Return the fits without fold k, columns 0 ... K - 1, and that to all rows, (p, K + 1).

    From one rough fit all go on together: steps use the curvature there, less that of the fold, and
    nothing is factorised again. A fit that is not at rest after a few steps (few rows, many
    columns) gets Newton steps of its own. Arguments are those of `newton`.
    """
    K = len(edges) - 1
    rough = newton(A, sign, edges, penalty, np.zeros(A.shape[1]), tol=ROUGH)
    total = rough.curvature.sum(axis=0)
    factors = [_factor(H, penalty) for H in (*(total - rough.curvature), total)]
    lines = np.tile(rough.line[:, None], K + 1)
    for turn in range(CHORDS + 1):
        R = sign[:, None] * expit(-sign[:, None] * (A @ lines))
        for k in range(K):
            R[edges[k] : edges[k + 1], k] = 0  # its own rows do not pull at it
        slope = penalty[:, None] * lines - A.T @ R
        far = np.abs(slope).max(axis=0) > tol * len(A)
        if not far.any() or turn == CHORDS:
            break
        for k in range(K + 1):
            lines[:, k] -= cho_solve(factors[k], slope[:, k])
    for k in np.flatnonzero(far).tolist():
        keep = np.r_[0 : edges[k], edges[k + 1] : len(A)] if k < K else np.arange(len(A))
        parts = [0, len(keep)]
        lines[:, k] = newton(A[keep], sign[keep], parts, penalty, rough.line, tol=tol).line
    return lines


def _factor(H: Array, penalty: Array) -> tuple[Array, bool]:
    ridge = 1e-12 * max(float(np.trace(H)) / len(H), 1e-12)
    factor: tuple[Array, bool] = cho_factor(H + np.diag(penalty + ridge), check_finite=False)
    return factor


def _loss(q: Array, line: Array, penalty: Array) -> float:
    # q: probability of the wrong side. Beyond e-300 a row's loss is cut off, and its slope is 1
    return float(-np.log(np.maximum(1 - q, 1e-300)).sum() + 0.5 * penalty @ line**2)


def _curvature(A: Array, q: Array, edges: list[int]) -> Array:
    root = np.sqrt(q * (1 - q))[:, None]
    parts = (A[i:j] * root[i:j] for i, j in pairwise(edges))
    return np.stack([part.T @ part for part in parts])  # a product with itself costs half
