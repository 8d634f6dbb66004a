r"""One pass over bytes: split, lower-case and hash; everything on text here starts from its result.

A token is a longest run of word bytes (letters, digits, ``_``, and every byte above 127, so that
letters of all languages count as word bytes) or of other bytes that are no white space; ASCII
letters are lower-cased. Its hash is

.. math:: h = \operatorname{mix}\Big(\sum_i (b_i + 1) P^i \bmod 2^{64}\Big),

a polynomial in the bytes, then a mixing of the bits. The numba kernel and the numpy fallback
compute the same 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._numba import compiled

Hashes = NDArray[np.uint64]
P = 0x9E3779B97F4A7C15  # odd
MIX1, MIX2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # of splitmix64
PAIR, SPREAD = 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD
SPACE, WORD, OTHER = 0, 1, 2
KIND = np.full(256, OTHER, dtype=np.uint8)
KIND[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = SPACE
KIND[[*range(48, 58), *range(65, 91), *range(97, 123), 95, *range(128, 256)]] = WORD
LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32


class Tokens(NamedTuple):
    """Token hashes of a batch.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (t,)
        One a token, document after document.
    starts : ndarray of int64, shape (n + 1,)
        Document i has ``hashes[starts[i]:starts[i + 1]]``.
    """

    hashes: Hashes
    starts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each document, shape (n,)."""
        return np.diff(self.starts)


def tokens(docs: Docs) -> Tokens:
    """Split a batch and hash its tokens; with the extra ``fast`` at about 250 MB a CPU second.

    Examples
    --------
    >>> found = tokens(Docs.of(["The cat, the cat.", ""]))
    >>> found.lengths.tolist(), len(set(found.hashes.tolist()))
    ([6, 0], 4)
    """
    compiled = kernels()
    if compiled is None:
        return _tokens_numpy(docs)
    hashes = np.empty(len(docs.data), dtype=np.uint64)  # no text has more tokens than bytes
    starts = np.empty(len(docs) + 1, dtype=np.int64)
    n = compiled["tokens"](docs.data, docs.starts, KIND, LOWER, hashes, starts)
    return Tokens(hashes[:n].copy(), starts)


def _tokens_numpy(docs: Docs) -> Tokens:
    kind = KIND[docs.data]
    first = np.ones(len(kind), dtype=bool)
    first[1:] = kind[1:] != kind[:-1]
    inner = docs.starts[1:-1]
    first[inner[inner < len(kind)]] = True  # no token goes over the end of a document
    first &= kind != SPACE
    at = np.flatnonzero(first)
    if len(at) == 0:
        return Tokens(np.empty(0, dtype=np.uint64), np.zeros(len(docs) + 1, dtype=np.int64))
    inside = kind != SPACE
    place = np.arange(len(kind)) - np.maximum.accumulate(np.where(first, np.arange(len(kind)), 0))
    values = np.where(inside, LOWER[docs.data].astype(np.uint64) + np.uint64(1), np.uint64(0))
    # after a token come spaces, which add 0: a sum up to the next token is a sum over the token
    longest = int(place[inside].max())
    powers = np.ones(longest + 1, dtype=np.uint64)
    powers[1:] = np.uint64(P)
    powers = np.cumprod(powers)
    terms = np.zeros(len(kind), dtype=np.uint64)
    terms[inside] = values[inside] * powers[place[inside]]
    hashes = mixed(np.add.reduceat(terms, at))
    return Tokens(hashes, np.searchsorted(at, docs.starts).astype(np.int64))


def mixed(h: Hashes) -> Hashes:
    """Mix the bits of 64-bit numbers (the finaliser of splitmix64)."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(MIX1)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(MIX2)
    out: Hashes = h ^ (h >> np.uint64(31))
    return out


def pairs(found: Tokens) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the hashes of neighbouring tokens, and the document of each."""
    h, owner = found.hashes, np.repeat(np.arange(len(found.starts) - 1), found.lengths)
    same = owner[1:] == owner[:-1]
    both = (h[:-1] * np.uint64(PAIR) + h[1:]) * np.uint64(SPREAD)
    return both[same], owner[1:][same]


def kernels() -> dict[str, Callable[..., Any]] | None:
    """Return the compiled passes, or None where numba (the extra ``fast``) is not installed."""
    return compiled("_compiled", "tokens", "count", "weigh", "project", "grams")
