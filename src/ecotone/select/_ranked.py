"""Rankings whose items exist by chance: the expected utility of the first k, and its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.int64]
CELLS = 4_000_000  # float64 entries of a table held at once


class Questions(NamedTuple):
    """Ranked items of each question, and what each is worth there, both (N, M)."""

    ranked: Places  # places in the pool, best first; -1 is no item
    utility: Array


def extension(p: Array, c: Array, k: int) -> tuple[Array, Array, Array]:
    """Return value, gradient and the chance that fewer than k items come before each.

    Parameters
    ----------
    p, c : ndarray, shape (N, M)
        Probability that an item exists, 0 for no item, and its utility.
    k : int

    Returns
    -------
    value : ndarray, shape (N,)
    gradient, open : ndarray, shape (N, M)
        O(N M k) time and memory.
    """
    N, M = p.shape
    # V(0), .., V(k) from the end; the difference V(r) - V(r - 1) is what the r-th item is worth
    rest = np.zeros((M + 1, k + 1, N))
    for i in range(M - 1, -1, -1):
        after = rest[i + 1]
        rest[i, 1:] = after[1:] + p[:, i] * (c[:, i] + after[:-1] - after[1:])
    gradient, open_ = np.empty((N, M)), np.empty((N, M))
    before = np.zeros((k, N))
    before[0] = 1.0
    for i in range(M):
        open_[:, i] = before.sum(axis=0)
        pushed = np.diff(rest[i + 1], axis=0)[::-1]
        gradient[:, i] = c[:, i] * open_[:, i] - (before * pushed).sum(axis=0)
        moved = before * p[:, i]
        before -= moved
        before[1:] += moved[:-1]
    return rest[0, k] / k, gradient / k, open_


def blocks(
    of: Places, c: Array, v: Array, k: int, cut: float
) -> Iterator[tuple[Places, Array, Places, Array]]:
    """Give blocks of questions, of like length, whose tables fit in memory."""
    p = np.where(of < 0, 0.0, v[of])
    length = _reach(p, k, cut) if cut > 0 else np.full(len(p), p.shape[1])
    order = np.argsort(length, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, CELLS // ((k + 1) * (int(length[order[start]]) + 1)))
        at = order[start : start + size]
        M = max(1, int(length[at[-1]]))
        yield at, p[at, :M], of[at, :M], c[at, :M]
        start += size


def _reach(p: Array, k: int, cut: float) -> Places:
    """Return how long each list must be: after it, at most k exist with a chance below `cut`.

    Not fewer than k: without one of them there are still k, so that what is beyond enters no
    gradient but with that chance.
    """
    N, M = p.shape
    length, alive = np.full(N, M), np.arange(N)
    before = np.zeros((k + 1, N))
    before[0] = 1.0
    for i in range(M):
        moved = before * p[alive, i]
        before -= moved
        before[1:] += moved[:-1]
        going = before.sum(axis=0) >= cut
        if not going.all():
            length[alive[~going]] = i + 1
            alive, before = alive[going], before[:, going]
        if not len(alive):
            break
    return length


def neighbours(X: Any, y: Any, pool: Any, labels: Any, *, length: int = 100) -> Questions:
    """Return the questions of a nearest-neighbour classifier: who is near, and who is right.

    Parameters
    ----------
    X, y : array-like, shape (N, d) and (N,)
        Labelled target rows.
    pool, labels : array-like, shape (n, d) and (n,)
        The rows that vote, and their votes.
    length : int, default 100
        Of a ranking.
    """
    A, B = np.asarray(X, dtype=np.float64), np.asarray(pool, dtype=np.float64)
    votes, truth, square = np.asarray(labels), np.asarray(y), (B * B).sum(axis=1)
    length = min(length, len(B))
    ranked = np.empty((len(A), length), dtype=np.int64)
    size = max(1, CELLS // max(1, len(B)))
    for start in range(0, len(A), size):
        far = square - 2 * A[start : start + size] @ B.T
        near = np.argpartition(far, length - 1, axis=1)[:, :length]
        by = np.argsort(np.take_along_axis(far, near, 1), axis=1, kind="stable")
        ranked[start : start + size] = np.take_along_axis(near, by, 1)
    return Questions(ranked, (votes[ranked] == truth[:, None]).astype(np.float64))
