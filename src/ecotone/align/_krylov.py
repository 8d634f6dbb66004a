r"""Kernel components of all rows, without a matrix of all rows by all rows.

The eigenproblem is that of `_components` with every row a landmark,

.. math:: K H K w = \lambda\,(v v^\top + \mu I)\,w, \qquad v = K e

Take a basis V of the blocks S, KS, K(KS), ... where S (n, p) holds the indicators of both sides,
which span 1 and e, and random columns. As centring and constraint differ from the identity by one
vector each, 1 and Ke, every second power of K stays within: V is a block Krylov space of the whole
problem, and in the basis V it is one of `_components` again, of the size of V. A pass over the
kernel, made anew in blocks, widens V by p columns, until the equation holds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ecotone.align._components import leading
from ecotone.align._kernels import BLOCK, canonical_order, rbf, room_for, subsample
from ecotone.core.seeds import stream

Array = NDArray[np.float64]
LEAST_WIDTH, SPARE = 20, 4  # columns of S: one a component, but not too few, and some more
SAMPLE = 500  # rows whose mean kernel is taken off all of it
CLOSE, ROUNDING = 1e-8, 1e-14  # of the equation: as close as asked for, and as can be


def leading_of_all(
    X: Array, source: NDArray[np.bool_], gamma: float, mu: float, k: int, who: str
) -> tuple[Array, Array]:
    r"""Return the k largest eigenvalues, falling, and W (n, k), as `leading` does.

    The residual of the j-th is below :math:`10^{-8} \sqrt{\lambda_1 \lambda_j}`, so that all
    components are as exact in units of the first. Each pass takes O(n^2 (d + p)) time; memory is
    O(n p) a pass.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    source : ndarray of bool, shape (n,)
    gamma : float
    mu : float
    k : int
    who : str
        The method, for the error where V grows too large.
    """
    n, width = len(X), max(k, LEAST_WIDTH) + SPARE
    e = np.where(source, 1 / source.sum(), -1 / (~source).sum())
    some = X[subsample(X, SAMPLE)]
    shift = float(rbf(some, some, gamma).mean())
    fresh = np.empty((n, min(width, n)))  # as random for a row wherever it stands
    fresh[canonical_order(X, source)] = stream(0, "krylov").normal(size=fresh.shape)
    fresh[:, :2] = np.column_stack([source, ~source])
    V, KV, B = np.empty((n, 0)), np.empty((n, 0)), np.empty((0, 0))
    values, W, done = np.empty(0), np.empty((0, 0)), False
    while not done:
        m = V.shape[1]
        room_for(who, 4 * n * (m + width), cure="landmarks=500")
        fresh = fresh[:, : n - m]
        for _ in range(2):  # once leaves rounding where little is left
            fresh = np.linalg.qr(fresh - V @ (V.T @ fresh))[0]
        V = np.hstack([V, fresh])
        fresh = _product(X, gamma, shift, fresh)
        KV = np.hstack([KV, fresh])
        # the last answer is judged by this pass, which makes a better one
        done = V.shape[1] == n or (m > 0 and _holds(V, KV, e, mu, values, W))
        side = KV.T @ (fresh - fresh.mean(axis=0))
        B = np.block([[B, side[:m]], [side.T]])
        values, W = leading(B, e @ KV, np.full(len(B), mu), k)
    W = V @ W
    return values, W * np.sign(W[np.abs(W).argmax(axis=0), np.arange(W.shape[1])])


def _product(X: Array, gamma: float, shift: float, Q: Array) -> Array:
    r"""Return :math:`(K - c\,1 1^\top) Q`, each pair of rows looked at once.

    A constant c changes neither HKW nor e'KW. Without it wide kernels, which are near 1, lose
    digits.
    """
    out, step = np.zeros_like(Q), math.isqrt(BLOCK)
    room = np.empty((step, step))
    for i in range(0, len(X), step):
        A = X[i : i + step]
        for j in range(i, len(X), step):
            C = X[j : j + step]
            block = rbf(A, C, gamma, out=room[: len(A), : len(C)])
            block -= shift
            out[i : i + step] += block @ Q[j : j + step]
            if j > i:
                out[j : j + step] += block.T @ Q[i : i + step]
    return out


def _holds(V: Array, KV: Array, e: Array, mu: float, values: Array, W: Array) -> bool:
    r"""Say whether :math:`K H K w = \lambda A w`, for w in the basis of the first columns of V.

    The residual r counts as :math:`\sqrt{r^\top A^{-1} r}`, A's inverse in closed form.
    """
    y = KV[:, : len(W)] @ W
    y -= y.mean(axis=0)  # HKw and e lie in V, whose products with K are known
    v = KV @ (V.T @ e)
    r = KV @ (V.T @ y)
    r -= values * (np.outer(v, (e @ KV)[: len(W)] @ W) + mu * (V[:, : len(W)] @ W))
    size = np.maximum((r**2).sum(axis=0) - (v @ r) ** 2 / (mu + v @ v), 0)
    unsure = ROUNDING * (KV**2).sum(axis=0).max() / mu
    return bool((np.sqrt(size / mu) <= CLOSE * np.sqrt(values * values[0]) + unsure).all())
