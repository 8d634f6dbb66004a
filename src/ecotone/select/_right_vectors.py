"""The first right singular vectors of a sparse table, in memory of its columns times their number.

With numpy alone: scikit-learn, which has it too, would add a third to the memory of a job on text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
EXTRA, ROUNDS = 10, 7  # vectors beyond those asked for, and products with X'X, for accuracy


def right_vectors(X: sparse.csr_array, most: int, rng: np.random.Generator) -> Array:
    """Return the right singular vectors of the largest values, (d, k), k at most `most`.

    By subspace iteration from random vectors; directions without any weight are left out, and k is
    at most one less than X has rows or columns.

    Examples
    --------
    >>> X = sparse.csr_array(np.diag([3.0, 2.0, 1.0]))
    >>> abs(right_vectors(X, 1, np.random.default_rng(0))).round(6).ravel().tolist()
    [1.0, 0.0, 0.0]
    """
    k = max(1, min(most, min(X.shape) - 1))
    V = rng.normal(size=(X.shape[1], min(k + EXTRA, min(X.shape))))
    for _ in range(ROUNDS):
        V = np.linalg.qr(X.T @ (X @ V))[0]
    _, values, turn = np.linalg.svd(X @ V, full_matrices=False)
    real = values[:k] > 1e-9 * values[0]
    return np.ascontiguousarray((V @ turn[:k].T)[:, real])
