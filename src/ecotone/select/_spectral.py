"""Clusters of rows by diffusion: eigenvectors of a random walk, then nonnegative parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import NMF

Array = NDArray[np.float64]
Places = NDArray[np.int64]
FLOOR = 1e-6  # of eigenvalues, below which their quotients are rounding


def walk(X: Array) -> tuple[Array, Array]:
    r"""Return the eigenvalues of the random walk, descending, and its eigenvectors as columns.

    Affinities are :math:`A_{ij} = e^{-d_{ij}^2 / 2 \sigma^2}`, :math:`\sigma` the median distance.
    The walk :math:`D^{-1} A` is not symmetric; :math:`D^{-1/2} A D^{-1/2}` is, has the same
    eigenvalues, and its eigenvectors times :math:`D^{-1/2}` are those of the walk.
    """
    gaps = pdist(X)
    width = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
    A = np.exp(-(squareform(gaps) ** 2) / (2 * width**2))
    root = 1 / np.sqrt(A.sum(axis=1))
    values, vectors = eigh(root[:, None] * A * root)
    return values[::-1], root[:, None] * vectors[:, ::-1]


def gap(values: Array, most: int) -> int:
    """Return the number of clusters, from 2 to `most`, after which eigenvalues fall the most."""
    top = np.maximum(values, 0.0) + FLOOR
    upto = min(most, len(values) - 1)
    if upto < 2:
        return min(2, len(values))
    return 2 + int((top[1:upto] / top[2 : upto + 1]).argmax())


def clusters(X: Array, k: int | None, most: int, seed: int) -> Places:
    """Return the cluster of every row, (n,), numbered without holes; O(n^2) memory."""
    if len(X) < 2:
        return np.zeros(len(X), dtype=np.int64)
    values, vectors = walk(X)
    k = gap(values, most) if k is None else min(k, len(X))
    if k == 1:
        return np.zeros(len(X), dtype=np.int64)
    # of length 1, as the affinity's scale is arbitrary and the parts' stopping rule is not
    coordinates = vectors[:, :k] / np.linalg.norm(vectors[:, :k], axis=0)
    like = np.abs(coordinates @ coordinates.T) * len(X)
    parts = NMF(k, init="nndsvd", random_state=seed % 2**32, max_iter=300, tol=1e-3)
    found = parts.fit_transform(like)
    # the scale of a part is free: it goes to the other factor
    weight = found * np.linalg.norm(parts.components_, axis=1)
    return np.unique(weight.argmax(axis=1), return_inverse=True)[1].astype(np.int64)
