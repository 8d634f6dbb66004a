"""Which rows belong to no known class: one class against all, and how such answers are judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._pseudo import unit
from ecotone.core.errors import BadInput

Array = NDArray[np.float64]


def one_against_all(
    F: Array, p: Array, clusters: NDArray[np.int32], *, top: int, floor: float
) -> NDArray[np.int64]:
    """Return the class number of every row, or -1 where no class claims it, (n,).

    Parameters
    ----------
    F : ndarray, shape (n, d)
        Unit vectors.
    p : ndarray, shape (n, C)
        Probabilities.
    clusters : ndarray of int, shape (n,)
        Cluster of every row, 0 to K - 1.
    top : int
        Rows of a prototype.
    floor : float
        Least weight of a prototype.
    """
    count, C = int(clusters.max()) + 1, p.shape[1]
    size = np.bincount(clusters, minlength=count)
    sums = np.eye(count)[clusters].T @ F
    first = np.argsort(-p, axis=0, kind="stable")[: max(top, 1)]
    prototypes = unit(np.array([F[first[:, c]].sum(axis=0) for c in range(C)]))
    weight = (1 - floor) * np.take_along_axis(p, first, axis=0).mean(axis=0) + floor
    likeness = F @ prototypes.T * weight
    out = likeness.argmax(axis=1)
    for c in range(C):
        at, mine = np.flatnonzero(out == c), first[:, c]
        taken = np.bincount(clusters[mine], minlength=count)
        rest = sums - np.eye(count)[clusters[mine]].T @ F[mine]
        against = unit(rest[2 * taken < size])
        if len(against):
            out[at[likeness[at, c] < (F[at] @ against.T).max(axis=1)]] = -1
    return out.astype(np.int64)


def h_score(y_true: Any, y_pred: Any, known: Any) -> float:
    r"""Return the harmonic mean of known and unknown accuracy, 0 to 1.

    :math:`2ab / (a + b)`: a is the mean over known classes of the share answered rightly, b the
    share of the rows of other classes that were given no known class.

    Parameters
    ----------
    y_true, y_pred : array, shape (n,)
        Labels; any that is not in `known` means unknown.
    known : array
        Classes of the source.

    Raises
    ------
    BadInput
        No row of a known class, or none of an unknown one.

    Examples
    --------
    >>> h_score(["a", "a", "b", "z"], ["a", "b", "b", "unknown"], known=["a", "b"])
    0.8571428571428571
    """
    truth, answer = np.asarray(y_true), np.asarray(y_pred)
    inside, accepted = np.isin(truth, known), np.isin(answer, known)
    if inside.all() or not inside.any():
        raise BadInput(
            f"h_score: {int(inside.sum()):,} of {len(inside):,} rows are of a known class.",
            why="it balances known against unknown rows.",
            cure="sklearn.metrics.balanced_accuracy_score(y_true, y_pred)",
        )
    right = [np.mean(answer[truth == c] == c) for c in np.unique(truth[inside])]
    a, b = float(np.mean(right)), float(np.mean(~accepted[~inside]))
    return 2 * a * b / (a + b) if a + b else 0.0
