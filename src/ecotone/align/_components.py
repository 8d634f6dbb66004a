r"""Kernel components over landmarks: keep variance, shrink the distance of the domains' means.

Features are :math:`z(x) = k(x, L)\,W` for landmark rows L (r of them; all rows where there are no
more). With :math:`C = k(X, L)` (n, r), centring H, and e = 1 / n_s in source rows and -1 / n_t in
target rows, so that :math:`\|W^\top C^\top e\|^2` is the squared distance of the means,

.. math:: \max_W \mathrm{tr}\bigl(W^\top C^\top H C W\bigr) \quad \text{s.t.} \quad
          W^\top \bigl(v v^\top + \mu G\bigr) W = I, \qquad v = C^\top e

The matrix of the distance has rank one: the root of the constraint is known in closed form, and a
symmetric eigenproblem of size r remains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ecotone.align._kernels import BLOCK, median_bandwidth, rbf, subsample
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.data.domains import Domains

Array = NDArray[np.float64]
LEAST = 1e-10  # components whose value lies below this share of the first are rounding


class Problem(NamedTuple):
    r"""The matrices of the eigenproblem.

    Attributes
    ----------
    landmarks : ndarray, shape (r, d)
    of_source : ndarray of bool, shape (r,)
        Which landmarks are source rows.
    gamma : float
    B : ndarray, shape (r, r)
        :math:`C^\top H C`.
    v : ndarray, shape (r,)
        :math:`C^\top e`.
    rows : int
        n.
    """

    landmarks: Array
    of_source: NDArray[np.bool_]
    gamma: float
    B: Array
    v: Array
    rows: int


def problem(
    X: Array, sample_domain: Domains, landmarks: int, gamma: float | None, who: str
) -> Problem:
    """Choose landmarks, half of them on each side, and set up the matrices.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    sample_domain : ndarray, shape (n,)
    landmarks : int
        r; all n rows where there are no more.
    gamma : float, optional
        Of the kernel; 1 / median squared distance by default.
    who : str
        The method, for the errors.
    """
    if not landmarks >= 2:
        raise BadInput(f"{who}: landmarks is {landmarks}.", cure="landmarks=500")
    if gamma is not None and not gamma > 0:
        raise BadInput(f"{who}: gamma is {gamma}.", cure="gamma=None")
    source = sample_domain > 0
    if min(source.sum(), (~source).sum()) < 2:
        raise TooFewRows(
            f"{who}: 2 rows or more are needed on each side.", cure="eco.align.SourceOnly()"
        )
    gamma = median_bandwidth(X) if gamma is None else gamma
    at = chosen(X, source, landmarks)
    L = X[at]
    e = np.where(source, 1 / source.sum(), -1 / (~source).sum())
    B, v = _products(X, L, gamma, e)
    return Problem(L, source[at], gamma, B, v, len(X))


def _products(X: Array, L: Array, gamma: float, e: Array) -> tuple[Array, Array]:
    r"""Return :math:`C^\top H C` and :math:`C^\top e`, some rows of C at a time."""
    r, step = len(L), max(1, BLOCK // len(L))
    near = rbf(L, L, gamma).mean(axis=0)  # near the mean: subtracting it first saves digits
    B, total, v = np.zeros((r, r)), np.zeros(r), np.zeros(r)
    for start in range(0, len(X), step):
        C = rbf(X[start : start + step], L, gamma) - near
        B += C.T @ C
        total += C.sum(axis=0)
        v += e[start : start + step] @ C
    B -= np.outer(total, total) / len(X)
    return B, v  # entries of e add up to 0: v needs no correction


def chosen(X: Array, source: NDArray[np.bool_], landmarks: int) -> NDArray[np.intp]:
    """Return the places of the landmarks: a sample of each side, whatever the order of the rows."""
    n = len(X)
    if n <= landmarks:
        return np.arange(n)
    sides = [np.flatnonzero(source), np.flatnonzero(~source)]
    small, large = sorted(sides, key=len)
    share = min(len(small), landmarks // 2)
    return np.concatenate([
        small[subsample(X[small], share)], large[subsample(X[large], landmarks - share)]
    ])  # fmt: skip


def leading(B: Array, v: Array, G: Array, k: int) -> tuple[Array, Array]:
    r"""Return the k largest eigenvalues of :math:`B w = \lambda (v v^\top + \mathrm{diag}(G)) w`.

    Parameters
    ----------
    B : ndarray, shape (r, r)
        Symmetric, not negative.
    v : ndarray, shape (r,)
    G : ndarray, shape (r,)
        Above 0.
    k : int
        Fewer are returned where values fall below `LEAST` times the first.

    Returns
    -------
    values : ndarray, shape (k,)
        Falling.
    W : ndarray, shape (r, k)
        :math:`W^\top (v v^\top + \mathrm{diag}(G)) W = I`.
    """
    root = 1 / np.sqrt(G)
    u = v * root
    length = float(np.linalg.norm(u))
    u = u / length if length > 0 else u
    # (I + s uu')^(-1/2) = I - shrink uu', with s the squared length
    shrink = 1 - 1 / np.sqrt(1 + length**2)
    S = B * root * root[:, None]
    Su = S @ u
    S -= shrink * (np.outer(u, Su) + np.outer(Su, u)) - shrink**2 * (u @ Su) * np.outer(u, u)
    r = len(v)
    k = min(k, r)
    values, vectors = eigh(S, subset_by_index=(r - k, r - 1), driver="evr", check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    keep = values > LEAST * max(float(values[0]), np.finfo(float).tiny)
    if not keep.any():
        keep[0] = True  # constant rows: one component that says nothing
    values, vectors = values[keep], vectors[:, keep]
    W = (vectors - shrink * np.outer(u, u @ vectors)) * root[:, None]
    return values, W * np.sign(W[np.abs(W).argmax(axis=0), np.arange(W.shape[1])])


def scaled(values: Array, W: Array, rows: int, *, whiten: bool) -> Array:
    r"""Return W scaled so that the first component has the variance 1 over the rows of both sides.

    The others have variances in proportion to their values; with `whiten` all have the variance 1,
    which is the constraint of the literature, :math:`W^\top C^\top H C W = I`, up to the factor n.
    """
    if not values[0] > 0:
        return W * 0.0  # all rows are alike: nothing to tell them apart by
    out: Array = W / np.sqrt((values if whiten else values[0]) / rows)
    return out
