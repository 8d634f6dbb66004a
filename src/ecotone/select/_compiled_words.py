"""The passes over words, compiled by numba; `_words` holds the same in numpy, bit by bit."""

from __future__ import annotations

from numba import njit, uint64

from ecotone.select._compiled import ONE, P, _mix

STEP = uint64(0xC2B2AE3D27D4EB4F)  # that of `_words`


@njit(nogil=True, cache=True)
def _sign(data, j, end):
    """Return how many bytes a sign above 127 has that begins at j; 0 where none does."""
    c = data[j]
    if c == 0xC2:
        return 2
    if j + 1 < end and ((c == 0xE2 and data[j + 1] & 0xFE == 0x80) or
                        (c == 0xE3 and data[j + 1] == 0x80)):  # fmt: skip
        return 3
    return 0


@njit(nogil=True, cache=True)
def words(data, starts, letter, lower, hashes, begins, ends, out_starts):
    """Fill the arrays of `Words`; return how many words there are."""
    k = 0
    for i in range(len(starts) - 1):
        out_starts[i] = k
        j, end = starts[i], starts[i + 1]
        while j < end:
            c = data[j]
            if c < 128 and not letter[c]:
                j += 1
                continue
            n = _sign(data, j, end) if c >= 128 else 0
            if n > 0:
                j += n
                continue
            h, p, first = uint64(0), ONE, j
            while j < end and letter[data[j]] and (data[j] < 128 or _sign(data, j, end) == 0):
                h += (uint64(lower[data[j]]) + ONE) * p
                p *= P
                j += 1
            hashes[k], begins[k], ends[k] = _mix(h), first, j
            k += 1
    out_starts[len(starts) - 1] = k
    return k


@njit(nogil=True, cache=True)
def candidates(hashes, starts, size, bits, shift, where, found):
    """Write place and hash of runs of `size` words whose bit is set; return how many there are.

    What goes over the end of `where` is counted and not written.
    """
    oldest = ONE
    for _ in range(size):
        oldest *= STEP
    n = 0
    for i in range(len(starts) - 1):
        rolling = uint64(0)
        for j in range(starts[i], starts[i + 1]):
            rolling = rolling * STEP + hashes[j]
            if j - starts[i] >= size:
                rolling -= hashes[j - size] * oldest
            if j - starts[i] < size - 1:
                continue
            h = _mix(rolling + uint64(size))
            at = h >> shift
            if bits[at >> uint64(3)] >> (at & uint64(7)) & 1:
                if n < len(where):
                    where[n], found[n] = j - size + 1, h
                n += 1
    return n
