"""The passes of the filters over copies, compiled by numba; `_minhash`, `_near_pairs` have numpy.

A test compares every pass with its numpy twin, bit by bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

from ecotone.select._compiled import ONE, PAIR, S32, _mix

EMPTY = uint32(0xFFFFFFFF)
STEP = uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def _shingles(hashes, first, end, width, out):
    """Write the shingles of one document; return how many there are."""
    length = end - first
    if length == 0:
        return 0
    w = min(width, length)
    top, h = ONE, uint64(0)
    for j in range(w):
        h = h * PAIR + hashes[first + j]
        top = top * PAIR  # ends as PAIR^w: what the leaving token was multiplied by
    out[0] = _mix(h)
    for j in range(w, length):
        h = h * PAIR + hashes[first + j] - top * hashes[first + j - w]
        out[j - w + 1] = _mix(h)
    return length - w + 1


@njit(nogil=True, cache=True)
def sketch(hashes, starts, width, out):
    """Fill `out` (n, K) with the signatures of documents whose tokens have these hashes."""
    longest = 1
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    held = np.empty(longest, dtype=np.uint64)
    fresh = np.empty(out.shape[1], dtype=np.uint32)
    for i in range(len(starts) - 1):
        n = _shingles(hashes, starts[i], starts[i + 1], width, held)
        _fill(held[:n], out[i], fresh)


@njit(nogil=True, cache=True)
def _fill(shingles, row, fresh):
    K = uint64(len(row))
    row[:] = EMPTY
    if len(shingles) == 0:
        return
    for x in shingles:  # the first round needs no other hash than the shingle's own
        b = ((x >> S32) * K) >> S32
        v = uint32(x)
        if v < row[b]:
            row[b] = v
    left = 0
    for b in range(len(row)):
        left += row[b] == EMPTY
    turn = ONE
    while left > 0 and turn < K:
        fresh[:] = EMPTY
        for x in shingles:
            h = _mix(x + turn * STEP)
            b = ((h >> S32) * K) >> S32
            v = uint32(h)
            if v < fresh[b]:
                fresh[b] = v
        for b in range(len(row)):
            if row[b] == EMPTY and fresh[b] != EMPTY:
                row[b] = fresh[b]
                left -= 1
        turn += ONE
    for b in range(len(row)):
        if row[b] == EMPTY:
            for x in shingles:
                v = uint32(_mix(x + (K + uint64(b)) * STEP))
                if v < row[b]:
                    row[b] = v


@njit(nogil=True, cache=True)
def agree(signatures, left, right, out):
    """Count the slots in which rows `left` and `right` are equal."""
    for p in range(len(left)):
        a, b, n = signatures[left[p]], signatures[right[p]], 0
        for k in range(len(a)):
            n += a[k] == b[k]
        out[p] = n


@njit(nogil=True, cache=True)
def common(hashes, starts, left, right, out):
    """Count the hashes that the sorted sets `left` and `right` have in common."""
    for p in range(len(left)):
        i, end = starts[left[p]], starts[left[p] + 1]
        j, stop = starts[right[p]], starts[right[p] + 1]
        n = 0
        while i < end and j < stop:
            a, b = hashes[i], hashes[j]
            n += a == b
            i += a <= b
            j += b <= a
        out[p] = n


@njit(nogil=True, cache=True)
def unite(parent, left, right):
    """Join the clusters of `left` and `right`, pair by pair; a root is the first of its cluster."""
    for p in range(len(left)):
        a, b = left[p], right[p]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
