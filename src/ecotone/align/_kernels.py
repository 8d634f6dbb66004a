r"""Gaussian kernels in blocks, their bandwidth, and samples of rows that do not depend on order.

All kernels of this room are :math:`k(a, b) = e^{-\gamma \|a - b\|^2}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream

Array = NDArray[np.float64]
Index = NDArray[np.intp]
BLOCK = 1 << 20  # entries of a kernel that are held at once: they stay in the cache
MOST_BYTES = 2 * 10**9  # a stored kernel may be this large


def squared_distances(A: Array, B: Array) -> Array:
    r"""Return :math:`\|a_i - b_j\|^2`, never negative, (n, m) float64.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    B : ndarray, shape (m, d)
    """
    centre = B.mean(axis=0)  # a common offset would cost digits
    B = B - centre
    # both squares ride along as columns: one pass over one large matrix instead of four
    left = np.empty((len(A), A.shape[1] + 2))
    np.subtract(A, centre, out=left[:, :-2])
    left[:, -2] = np.einsum("ij,ij->i", left[:, :-2], left[:, :-2])
    left[:, -1] = 1
    right = np.column_stack([-2 * B, np.ones(len(B)), (B**2).sum(axis=1)])
    D = left @ right.T
    out: Array = np.maximum(D, 0, out=D)
    return out


def median_bandwidth(X: Array, *, rows: int = 1000) -> float:
    r"""Return :math:`\gamma = 1 / \mathrm{median}_{i<j} \|x_i - x_j\|^2`.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Rows of all sides together.
    rows : int
        At most this many are compared: a sample that does not depend on their order.

    Returns
    -------
    float
        Above 0; 1 where most rows are equal, which leaves no scale.
    """
    some = X[subsample(X, rows)]
    if len(some) < 2:
        return 1.0
    middle = float(np.median(squared_distances(some, some)[np.triu_indices(len(some), 1)]))
    return 1.0 / middle if middle > 0 else 1.0


def rbf(
    A: Array,
    B: Array,
    gamma: float,
    *,
    dtype: type[np.floating[Any]] = np.float64,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    r"""Return :math:`e^{-\gamma \|a_i - b_j\|^2}`, (n, m), with no second matrix of that size.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    B : ndarray, shape (m, d)
    gamma : float
        Above 0, in 1 / (unit of the rows)^2.
    dtype : type
        float32 halves memory and time at a relative error of about 1e-6.
    out : ndarray, shape (n, m), optional
        Written to and returned: fresh memory costs more than the product.

    Examples
    --------
    >>> rbf(np.zeros((1, 1)), np.array([[0.0], [2.0]]), 0.5).round(4).tolist()
    [[1.0, 0.1353]]
    """
    if out is None:
        out = np.empty((len(A), len(B)), dtype=dtype)
    step = max(1, BLOCK // max(len(B), 1))
    left, right, centre = _wide(A, B, gamma, min(step, len(A)), out.dtype)
    for start in range(0, len(A), step):
        _exponential(A[start : start + step] - centre, left, right, out[start : start + step])
    return out


def rbf_times(
    A: Array,
    B: Array,
    gamma: float,
    W: Array,
    *,
    dtype: type[np.floating[Any]] = np.float64,
) -> Array:
    """Return ``rbf(A, B, gamma) @ W`` without storing the kernel.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    B : ndarray, shape (m, d)
    gamma : float
    W : ndarray, shape (m,) or (m, k)
    dtype : type
        Of the kernel; the result is float64, (n,) or (n, k).
    """
    thin = np.asarray(W, dtype=dtype)
    out = np.empty((len(A), *W.shape[1:]))
    step = min(max(1, BLOCK // max(len(B), 1)), max(len(A), 1))
    left, right, centre = _wide(A, B, gamma, step, np.dtype(dtype))
    block = np.empty((step, len(B)), dtype=dtype)
    for start in range(0, len(A), step):
        some = A[start : start + step] - centre
        out[start : start + step] = _exponential(some, left, right, block[: len(some)]) @ thin
    return out


def _wide(
    A: Array, B: Array, gamma: float, rows: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any], Array]:
    """Return matrices whose product is the exponent, both squares riding along as columns.

    The left one, (rows, d + 2), is still to be filled with rows of A.
    """
    centre = B.mean(axis=0) if len(B) else np.zeros(A.shape[1])
    B = B - centre
    b = np.einsum("ij,ij->i", B, B)
    right = np.column_stack([2 * gamma * B, np.full(len(B), -gamma), -gamma * b])
    return np.ones((rows, A.shape[1] + 2), dtype=dtype), right.T.astype(dtype), centre


def _exponential(
    A: Array, left: NDArray[Any], right: NDArray[Any], out: NDArray[Any]
) -> NDArray[Any]:
    """Write the kernel of centred rows A to `out`."""
    left = left[: len(A)]
    left[:, :-2] = A
    left[:, -2] = np.einsum("ij,ij->i", A, A)
    np.matmul(left, right, out=out)
    np.minimum(out, 0, out=out)  # rounding may put it above 0 for equal rows
    return np.exp(out, out=out)


def canonical_order(X: Array, *keys: NDArray[Any]) -> Index:
    """Return the order that sorts rows by value: the same rows in any order end up alike.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    *keys : ndarray, shape (n,)
        Decide between equal rows, such as their labels.
    """
    first: Index = np.argsort(X[:, 0], kind="stable")
    if (np.diff(X[first, 0]) > 0).all():
        return first
    return np.lexsort((*keys[::-1], *X.T[::-1]))


def subsample(X: Array, rows: int, *, seed: int = 0) -> Index:
    """Return the places of at most `rows` rows, chosen by chance but not by their order.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    rows : int
    seed : int
        Another seed, another sample.
    """
    order = canonical_order(X)
    if len(X) <= rows:
        return order
    return order[np.sort(stream(seed, "rows").permutation(len(X))[:rows])]


def room_for(who: str, entries: int, *, itemsize: int = 8, cure: str) -> None:
    """Refuse a computation whose matrices do not fit, before anything is allocated.

    Parameters
    ----------
    who : str
        The method.
    entries : int
        Numbers that are stored at once.
    itemsize : int
        Bytes of a number.
    cure : str
        What to use instead.
    """
    if entries * itemsize > MOST_BYTES:
        raise BadInput(
            f"{who}: these rows need a matrix of {entries * itemsize / 1e9:,.0f} GB.",
            why=f"it compares all pairs of rows; {MOST_BYTES / 1e9:.0f} GB is the most it takes.",
            cure=cure,
        )
