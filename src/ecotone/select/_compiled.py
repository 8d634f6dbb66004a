"""The passes over tokens, compiled by numba; `_tokens` and `_grams` hold the same in numpy.

Kept apart so that importing numba costs only those who use it. The constants must be those of
`_tokens`; a test compares every pass with its numpy twin, bit by bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

P = uint64(0x9E3779B97F4A7C15)
MIX1, MIX2 = uint64(0xBF58476D1CE4E5B9), uint64(0x94D049BB133111EB)
PAIR, SPREAD = uint64(0xD6E8FEB86659FD93), uint64(0xFF51AFD7ED558CCD)
ONE, S27, S30, S31, S32 = uint64(1), uint64(27), uint64(30), uint64(31), uint64(32)


@njit(nogil=True, cache=True)
def _mix(h):
    h = (h ^ (h >> S30)) * MIX1
    h = (h ^ (h >> S27)) * MIX2
    return h ^ (h >> S31)


@njit(nogil=True, cache=True)
def _token(data, j, end, kind, lower):
    """Return the hash of the token that begins at j, and where it ends."""
    c, h, p = kind[data[j]], uint64(0), ONE
    while j < end and kind[data[j]] == c:
        h += (uint64(lower[data[j]]) + ONE) * p
        p *= P
        j += 1
    return _mix(h), j


@njit(nogil=True, cache=True)
def tokens(data, starts, kind, lower, hashes, out_starts):
    """Fill `hashes` and `out_starts`; return how many tokens there are."""
    k = 0
    for i in range(len(starts) - 1):
        out_starts[i] = k
        j, end = starts[i], starts[i + 1]
        while j < end:
            if kind[data[j]] == 0:
                j += 1
                continue
            hashes[k], j = _token(data, j, end, kind, lower)
            k += 1
    out_starts[len(starts) - 1] = k
    return k


@njit(nogil=True, cache=True)
def count(data, starts, kind, lower, out, lengths):
    """Add the counts of all unigrams and bigrams to `out` (m,), tokens to `lengths` (n,).

    Tokens are used as they are hashed: writing them down would cost a third of the time.
    """
    m = uint64(len(out))
    for i in range(len(starts) - 1):
        j, end = starts[i], starts[i + 1]
        last, k = uint64(0), 0
        while j < end:
            if kind[data[j]] == 0:
                j += 1
                continue
            h, j = _token(data, j, end, kind, lower)
            out[((h >> S32) * m) >> S32] += 1
            if k > 0:
                both = (last * PAIR + h) * SPREAD
                out[((both >> S32) * m) >> S32] += 1
            last = h
            k += 1
        lengths[i] = k


@njit(nogil=True, cache=True)
def weigh(data, starts, kind, lower, weights, out, lengths):
    """Put the sum of the weights of a document's grams into `out` (n,), its tokens beside it."""
    m = uint64(len(weights))
    for i in range(len(starts) - 1):
        j, end = starts[i], starts[i + 1]
        last, ones, twos, k = uint64(0), 0.0, 0.0, 0
        while j < end:
            if kind[data[j]] == 0:
                j += 1
                continue
            h, j = _token(data, j, end, kind, lower)
            # two sums: one would wait for each of its additions
            ones += weights[((h >> S32) * m) >> S32]
            if k > 0:
                both = (last * PAIR + h) * SPREAD
                twos += weights[((both >> S32) * m) >> S32]
            last = h
            k += 1
        out[i] = ones + twos
        lengths[i] = k


@njit(nogil=True, cache=True)
def project(data, starts, kind, lower, weights, levels, seen, met, dot, square):
    """Put the sum of levels times weights of a document's buckets into `dot` (n,), and of squares.

    The level of a bucket is that of its count. `seen` (m,) is zero and stays so; `met` (m,) is for
    the buckets of one document, in the order in which they are met.
    """
    m, most = uint64(len(weights)), len(levels) - 1
    for i in range(len(starts) - 1):
        j, end = starts[i], starts[i + 1]
        last, k, different = uint64(0), 0, 0
        while j < end:
            if kind[data[j]] == 0:
                j += 1
                continue
            h, j = _token(data, j, end, kind, lower)
            b = ((h >> S32) * m) >> S32
            if seen[b] == 0:
                met[different] = b
                different += 1
            seen[b] += 1
            if k > 0:
                both = (last * PAIR + h) * SPREAD
                b = ((both >> S32) * m) >> S32
                if seen[b] == 0:
                    met[different] = b
                    different += 1
                seen[b] += 1
            last = h
            k += 1
        for d in range(different):
            b = met[d]
            level = levels[min(seen[b], most)]
            dot[i] += level * weights[b]
            square[i] += level * level
            seen[b] = 0


@njit(nogil=True, cache=True)
def grams(hashes, starts, buckets, out, out_starts):
    """Write the buckets of every document's unigrams and bigrams, and where each begins."""
    m, k = uint64(buckets), 0
    for i in range(len(starts) - 1):
        out_starts[i] = k
        last = uint64(0)
        for j in range(starts[i], starts[i + 1]):
            h = hashes[j]
            out[k] = np.uint32(((h >> S32) * m) >> S32)
            k += 1
            if j > starts[i]:
                both = (last * PAIR + h) * SPREAD
                out[k] = np.uint32(((both >> S32) * m) >> S32)
                k += 1
            last = h
    out_starts[len(starts) - 1] = k
    return k
