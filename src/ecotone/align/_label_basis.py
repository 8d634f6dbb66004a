r"""Smooth functions of a number: a basis for weights that depend on the label, and their limits.

The kernel of labels is :math:`1 + e^{-\gamma (y - y')^2}`, :math:`\gamma` by the median heuristic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ecotone.align._kernels import median_bandwidth, rbf

Array = NDArray[np.float64]
LANDMARKS = 100  # labels that span the kernel: its spectrum falls faster than any power
ROUNDS, ADDED = 50, 20  # limits are added where they are broken worst


class Basis(NamedTuple):
    r"""Functions of the label at n rows, and the smoother :math:`S = F D F^\top V / n` they make.

    Attributes
    ----------
    functions : ndarray, shape (n, r)
        F, with :math:`F^\top V F = n I` for row weights V.
    sizes : ndarray, shape (r,)
        Square roots of the eigenvalues of the label kernel.
    kept : ndarray, shape (r,)
        D: what S keeps of each, :math:`s^2 / (s^2 + \lambda)`.
    constant : ndarray, shape (r,)
        The coefficients of the function 1; of length 1.
    """

    functions: Array
    sizes: Array
    kept: Array
    constant: Array


def basis_of(y: Array, weight: Array, ridge: float) -> Basis:
    """Return functions of the label that the smoother does not wipe out.

    Parameters
    ----------
    y : ndarray, shape (n,)
    weight : ndarray, shape (n,)
        Of the rows, mean 1.
    ridge : float
        lambda; functions of which S keeps less than a thousandth are left out.
    """
    n = len(y)
    seen = np.unique(y)
    marks = seen[np.unique(np.linspace(0, len(seen) - 1, LANDMARKS).round().astype(int))]
    gamma = median_bandwidth(y[:, None])
    values, vectors = np.linalg.eigh(rbf(marks[:, None], marks[:, None], gamma))
    keep = values > 1e-10 * values[-1]
    bumps = rbf(y[:, None], marks[:, None], gamma) @ (vectors[:, keep] / np.sqrt(values[keep]))
    half = np.sqrt(weight)[:, None]
    Psi = np.hstack([np.ones((n, 1)), bumps])
    _, sizes, right = np.linalg.svd(half * Psi, full_matrices=False)
    kept = sizes**2 / (sizes**2 + ridge)
    some = kept > 1e-3
    functions = Psi @ (right[some].T / sizes[some]) * np.sqrt(n)
    # of length 1 up to what the functions left out hold of it
    constant = functions.T @ weight / n
    return Basis(functions, sizes[some], kept[some], constant / np.linalg.norm(constant))


class Limited(NamedTuple):
    """Coefficients (r,) of the best weights, and their objective."""

    theta: Array
    objective: float


def within_limits(P: Array, q: Array, constant: Array, functions: Array, cap: float) -> Limited:
    r"""Minimise :math:`\frac12 \theta^\top P \theta - q^\top \theta` over weights within limits.

    The weights :math:`\beta = F \theta` have mean 1 and lie between 0 and `cap`. An active-set
    solution of a few limits is found exactly; limits are added until none is broken.

    Parameters
    ----------
    P : ndarray, shape (r, r)
        Positive definite.
    q, constant : ndarray, shape (r,)
        `constant` is orthogonal to what has mean 0.
    functions : ndarray, shape (n, r)
    cap : float
        At least 1.
    """
    free = np.linalg.svd(constant[None, :])[2][1:].T  # directions of mean 0, (r, r - 1)
    level, move = functions @ constant, functions @ free
    L = np.linalg.cholesky(free.T @ P @ free)
    best = np.linalg.solve(L, free.T @ (q - P @ constant))  # z = L^-T u; nearest u to `best`
    steer = np.linalg.solve(L, move.T).T
    G, low = np.vstack([steer, -steer]), np.concatenate([-level, level - cap])
    u, some = best, np.zeros(len(G), dtype=bool)
    for _ in range(ROUNDS):
        broken = low - G @ u
        if broken.max() <= 1e-9:
            break
        worst = np.argsort(-broken, kind="stable")[:ADDED]
        some[worst[broken[worst] > 0]] = True
        u = best + _least_step(G[some], low[some] - G[some] @ best)
    theta = constant + free @ np.linalg.solve(L.T, u)
    return Limited(theta, float(theta @ (P @ theta / 2 - q)))


def _least_step(G: Array, low: Array) -> Array:
    """Return the shortest x with G x >= low, from non-negative least squares of its dual."""
    scale = np.maximum(np.linalg.norm(G, axis=1), 1e-300)
    M = np.vstack([(G / scale[:, None]).T, low / scale])
    goal = np.zeros(len(M))
    goal[-1] = 1.0
    dual, _ = nnls(M, goal, maxiter=100 * M.shape[1])
    left = M @ dual - goal
    out: Array = -left[:-1] / left[-1]
    return out
