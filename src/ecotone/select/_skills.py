"""Rows by what they teach: clusters, how much a score tells apart, and turns between groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ecotone.core.seeds import derive
from ecotone.data.docs import Docs
from ecotone.select._tokens import mixed
from ecotone.select.random import uniform

Array = NDArray[np.float64]
Places = NDArray[np.int64]
BLOCK = 1024  # rows at a time
COPY = 1 - 1e-9  # cosine from which on a row says nothing that another has not said
STEP = np.uint64(0x9E3779B97F4A7C15)


def directions(X: Array) -> Array:
    """Return rows of length 1; a row of zeros stays."""
    size = np.linalg.norm(X, axis=1, keepdims=True)
    return np.divide(X, size, out=np.zeros_like(X), where=size > 0)


def k_means(X: Array, k: int, rng: np.random.Generator, sweeps: int = 30) -> tuple[Array, float]:
    """Return centres, at most (k, d), and the mean squared distance to the nearest."""
    picked = [int(rng.integers(len(X)))]
    gap = ((X - X[picked[0]]) ** 2).sum(axis=1)
    while len(picked) < k and gap.max() > 1e-12:  # fewer different rows have fewer centres
        picked.append(int(np.searchsorted(np.cumsum(gap), rng.random() * gap.sum(), "right")))
        picked[-1] = min(picked[-1], len(X) - 1)
        gap = np.minimum(gap, ((X - X[picked[-1]]) ** 2).sum(axis=1))
    centres, before = X[picked], np.zeros(0, dtype=np.int64)
    for _ in range(sweeps):
        of, gap = nearest(X, centres)
        if np.array_equal(of, before):
            break
        before, count = of, np.bincount(of, minlength=len(centres))
        total = np.zeros_like(centres)
        np.add.at(total, of, X)
        centres = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres)
    return centres, float(nearest(X, centres)[1].mean())


def nearest(X: Array, centres: Array) -> tuple[Places, Array]:
    """Return the nearest centre of every row and the squared distance to it, block by block."""
    of, gap = np.zeros(len(X), dtype=np.int64), np.zeros(len(X))
    square = (centres**2).sum(axis=1)
    for at in _blocks(len(X)):
        D = (X[at] ** 2).sum(axis=1)[:, None] - 2 * X[at] @ centres.T + square
        of[at] = D.argmin(axis=1)
        gap[at] = np.maximum(D.min(axis=1), 0.0)
    return of, gap


def elbow(sizes: Array, falling: Array) -> int:
    """Return the place on a falling curve that lies farthest below the line between its ends."""
    if len(sizes) < 3:
        return len(sizes) - 1
    x = (sizes - sizes[0]) / (sizes[-1] - sizes[0])
    y = (falling - falling[-1]) / max(falling[0] - falling[-1], 1e-300)
    return int((1 - x - y).argmax())


def bits(score: Array, bins: int = 50, reach: float = 4.0) -> float:
    """Return the Shannon entropy of a histogram over 4 standard deviations a side, in bits."""
    spread = score.std()
    if not spread > 1e-12 * max(1.0, float(np.abs(score).max(initial=0.0))):
        return 0.0  # all alike: nothing is told apart
    z = np.clip((score - score.mean()) / spread, -reach, reach)
    share = np.histogram(z, bins, (-reach, reach))[0] / len(z)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def agreement(one: Array, two: Array) -> float:
    """Return the rank correlation of two scores, at least 0; 0 where one is constant."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return max(float(spearmanr(one, two).statistic), 0.0)


def bands(of: Places, s: Array, aside: NDArray[np.bool_], bins: int) -> Places:
    """Return the bin of each row: equal widths over what is not set aside in its cluster."""
    low, high = np.full((2, int(of.max(initial=0)) + 1), np.inf) * [[1], [-1]]
    np.minimum.at(low, of[~aside], s[~aside])
    np.maximum.at(high, of[~aside], s[~aside])
    span = (high - low)[of]
    share = np.divide(s - low[of], span, out=np.zeros(len(s)), where=span > 0)
    return np.clip(share * bins, 0, bins - 1).astype(np.int64)


def turns(group: Places, place: Array, last: NDArray[np.bool_] | None = None) -> Places:
    """Return the order in which items are taken when groups take turns, (n,).

    In every round each group that is not empty gives its next item, larger groups first. The first
    B items are those of equal shares of B, in which a group that is too small gives all it has and
    leaves the rest to the others. Items marked `last` come after all others.
    """
    size = np.bincount(group) if len(group) else np.zeros(0, dtype=np.int64)
    late = np.zeros(len(group), dtype=bool) if last is None else last
    return np.lexsort((group, -size[group], place, late))


def places(group: Places, *keys: NDArray[Any]) -> Places:
    """Return the place of each item within its group, by ascending keys, the first one first."""
    out = np.empty(len(group), dtype=np.int64)
    order = np.lexsort((*keys[::-1], group))
    starts = np.searchsorted(group[order], group[order], "left")
    out[order] = np.arange(len(group)) - starts
    return out


def repeats(X: Array, of: Places) -> Array:
    """Return the highest cosine of each row with an earlier one of its cluster; -1 for the first.

    Time is the sum of squares of the clusters' sizes, memory that of one block of rows.
    """
    out = np.full(len(X), -1.0)
    for c in np.unique(of):
        at = np.flatnonzero(of == c)
        for rows in _blocks(len(at)):
            cosine = X[at[rows]] @ X[at[: rows.stop]].T
            cosine[np.arange(rows.start, rows.stop)[:, None] <= np.arange(rows.stop)] = -1.0
            out[at[rows]] = cosine.max(axis=1)
    return out


def projected(p: Array, h: Array, y: Places, width: int, rng: np.random.Generator) -> Array:
    """Return the products of (p - y) (h, 1)^T with `width` Gaussian matrices, (n, width)."""
    h, miss = np.column_stack([h, np.ones(len(h))]), p.copy()
    miss[np.arange(len(y)), y] -= 1.0
    R = rng.normal(size=(h.shape[1], width, p.shape[1])) / np.sqrt(width)
    out = np.zeros((len(h), width))
    for start in range(0, len(h), 256):
        at = slice(start, start + 256)
        seen = (h[at] @ R.reshape(len(R), -1)).reshape(-1, width, p.shape[1])
        out[at] = np.einsum("nwc,nc->nw", seen, miss[at])
    return out


def told(p: Array, y: Places) -> Array:
    """Return loss, length of p - y, and entropy, (n, 3), in nats."""
    log, at = np.log(np.maximum(p, 1e-12)), np.arange(len(y))
    far = np.linalg.norm(p - np.eye(p.shape[1])[y], axis=1)
    return np.column_stack([-log[at, y], far, -(p * log).sum(axis=1)])


def draws(X: Array, seed: int) -> Array:
    """Return a uniform number for each row, from the seed, its values and which copy it is."""
    docs = Docs.of_bytes([row.tobytes() for row in X], [""] * len(X))
    key = docs.fingerprints()
    copy = places(np.unique(key, return_inverse=True)[1], np.arange(len(key)))
    salt = np.uint64(derive(seed, "adapt_infinity", "draws"))
    return uniform(mixed(key + STEP * copy.astype(np.uint64)) ^ salt)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
