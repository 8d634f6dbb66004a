"""Draw a partner for every row by the similarity of their labels, without a matrix of all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]
# squared distances, in units of the bandwidth, between which the kernel falls by exp(-1/2)
EDGES = np.sqrt(np.arange(38.0))


def near_values(y: Array, bandwidth: float, rng: np.random.Generator) -> Index:
    r"""Return for each i a j with :math:`P(j|i) \propto e^{-(y_i - y_j)^2 / (2 s^2)}`, i included.

    Exact: values are sorted, a shell of distances is drawn by its count times its largest kernel,
    a row inside it evenly, and the row is kept with the ratio of its kernel to the largest (0.6 or
    more, but in the last shell, which is hardly ever drawn). O(n log n) time, O(n) memory.

    Parameters
    ----------
    y : ndarray, shape (n,)
    bandwidth : float
        s, above 0; inf draws evenly.
    rng : Generator
    """
    n = len(y)
    if np.isinf(bandwidth):
        return rng.integers(n, size=n)
    order = np.argsort(y, kind="stable")
    sorted_y = y[order]
    out = np.empty(n, dtype=np.intp)
    for start in range(0, n, 20_000):
        block = np.arange(start, min(n, start + 20_000))
        out[block] = order[_drawn(sorted_y, y[block], bandwidth, rng)]
    return out


def _drawn(values: Array, centre: Array, s: float, rng: np.random.Generator) -> Index:
    """Return places in sorted values, one for each centre."""
    low, high = _shells(values, centre, s)
    peak = np.exp(-(EDGES**2) / 2)
    mass = (high - low) * np.concatenate([peak, peak[1:]])
    reach = np.cumsum(mass, axis=1)
    out, open_ = np.empty(len(centre), dtype=np.intp), np.arange(len(centre))
    while len(open_):
        u = rng.random(len(open_)) * reach[open_, -1]
        shell = (reach[open_] <= u[:, None]).sum(axis=1)
        width = high[open_, shell] - low[open_, shell]
        j = low[open_, shell] + (rng.random(len(open_)) * width).astype(np.intp)
        distance = (values[j] - centre[open_]) / s
        largest = np.concatenate([EDGES, EDGES[1:]])[shell]
        kept = rng.random(len(open_)) < np.exp((largest**2 - distance**2) / 2)
        out[open_[kept]] = j[kept]
        open_ = open_[~kept]
    return out


def _shells(values: Array, centre: Array, s: float) -> tuple[Index, Index]:
    """Return where shells begin and end in sorted values: 38 at and above the centre, 37 below."""
    far = np.append(EDGES[1:], np.inf) * s
    above = np.searchsorted(values, centre[:, None] + far, side="left")
    below = np.searchsorted(values, centre[:, None] - far, side="right")
    # the first shell holds both sides; the others begin where the one before has ended
    low = np.hstack([below[:, :1], above[:, :-1], below[:, 1:]])
    high = np.hstack([above, below[:, :-1]])
    return low, np.maximum(high, low)


def near_classes(y: NDArray[np.int64], bandwidth: float, rng: np.random.Generator) -> Index:
    r"""Return partners by the distance of one-hot labels: another class has the kernel exp(-1/s²).

    Parameters
    ----------
    y : ndarray of int, shape (n,)
    bandwidth : float
        s.
    rng : Generator
    """
    n = len(y)
    order, count = np.argsort(y, kind="stable"), np.bincount(y)
    first = np.cumsum(count) - count
    other = np.exp(-1 / bandwidth**2) * (n - count[y])
    stay = rng.random(n) * (count[y] + other) < count[y]
    inside = first[y] + (rng.random(n) * count[y]).astype(np.intp)
    # a place among the others: skip the block of one's own class
    outside = (rng.random(n) * np.maximum(n - count[y], 1)).astype(np.intp)
    outside += np.where(outside >= first[y], count[y], 0)
    return order[np.where(stay, inside, np.minimum(outside, n - 1))]
