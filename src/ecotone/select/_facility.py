r"""Facility location: a set that stands near everything that matters.

.. math:: F(S) = \sum_i w_i \max_{j \in S} \max(\cos(x_i, x_j), 0)

is monotone and submodular, so that the greedy order is within :math:`1 - 1/e` of the best set of
every size.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput

Array = NDArray[np.float64]
BLOCK = 1 << 22  # similarities held at once
MOST = 50_000  # examples: the first round looks at every pair


def facility_order(
    features: Array, weights: Array, cost: Array, budget: float
) -> NDArray[np.int64]:
    """Return examples by falling gain for their cost, until the budget is spent; the rest follow.

    Gains only fall as the set grows: one that is found again at the top of the heap is the largest
    (lazy greedy), and most are never computed again.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    weights : ndarray, shape (n,)
        At least 0.
    cost : ndarray, shape (n,)
        Above 0.
    budget : float
        In the unit of `cost`.
    """
    n = len(features)
    if n > MOST:
        raise BadInput(
            f"pick: facility location of {n:,} examples looks at {n * n:.1e} pairs.",
            cure=f"take the best {MOST:,} by score first: pick(scores, {MOST})",
        )
    X = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-300)
    covered = np.zeros(n)
    gains = _first_gains(X, weights)
    heap = [(-g / c, i) for i, (g, c) in enumerate(zip(gains.tolist(), cost.tolist(), strict=True))]
    heapq.heapify(heap)
    order: list[int] = []
    left, checked = budget, np.zeros(n, dtype=np.int64)  # size of the set a gain was computed for
    while heap and left > 0:
        i = heapq.heappop(heap)[1]
        if checked[i] == len(order):
            order.append(i)
            left -= float(cost[i])
            covered = np.maximum(covered, X @ X[i])
            continue
        gain = float(weights @ np.maximum(X @ X[i] - covered, 0))
        checked[i] = len(order)
        heapq.heappush(heap, (-gain / float(cost[i]), i))
    return np.array([*order, *(i for _, i in sorted(heap))], dtype=np.int64)


def _first_gains(X: Array, weights: Array) -> Array:
    step = max(1, BLOCK // max(len(X), 1))
    parts = [
        weights @ np.maximum(X @ X[i : i + step].T, 0) for i in range(0, len(X), step)
    ]  # fmt: skip
    return np.concatenate(parts)
