r"""Shingles of tokens and their signatures, from which the resemblance of documents is read.

The resemblance of two documents is the Jaccard coefficient of their sets of shingles,
:math:`J = |A \cap B| / |A \cup B|`; a shingle is `width` tokens in a row. A document with fewer
tokens has one shingle, all of it; one without tokens has none, and resembles nothing.

A signature is K numbers. Every shingle is hashed into one of K slots, and a slot keeps the least
hash that falls into it. Slots that stay empty are asked again with another hash, round after
round, up to K rounds; then each that is still empty asks all shingles. What a slot holds is thus
the first shingle of the document in an order (round, hash) that is the same for all documents, so
that two documents agree in it with probability J: the share of equal slots estimates J without
bias, for documents of one shingle as for long ones. A long document costs a hash or two a shingle,
not K.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._numba import compiled
from ecotone.select._tokens import PAIR, Hashes, Tokens, mixed, tokens

Signatures = NDArray[np.uint32]
Places = NDArray[np.int64]
EMPTY = np.uint32(0xFFFFFFFF)
STEP = 0x9E3779B97F4A7C15  # odd: K rounds add K different numbers
WIDTH, SLOTS = 5, 128
BLOCK = 1 << 14  # rows of signatures read at once
PAIRS = 1 << 13  # pairs compared at once


def signatures(docs: Docs, slots: int = SLOTS, width: int = WIDTH) -> Signatures:
    """Return the signature of every document of a batch, shape (n, slots).

    Examples
    --------
    >>> same = signatures(
    ...     Docs.of(["One two three four five six.", "one two three four five six ."])
    ... )
    >>> same.shape, bool((same[0] == same[1]).all())
    ((2, 128), True)
    """
    out = np.empty((len(docs), slots), dtype=np.uint32)
    at, compiled = 0, kernels()
    for piece in docs.pieces():
        found, part = tokens(piece), out[at : at + len(piece)]
        if compiled is None:
            part[:] = _sketch_numpy(shingles(found, width), slots)
        else:
            compiled["sketch"](found.hashes, found.starts, width, part)
        at += len(piece)
    return out


def shingles(found: Tokens, width: int = WIDTH) -> Tokens:
    r"""Return the shingles of every document.

    .. math:: s_j = \operatorname{mix}\Big(\sum_{i<w} h_{j+i} Q^{w-1-i} \bmod 2^{64}\Big)

    with h the hashes of tokens and w the width, or the document's length where that is shorter.
    """
    lengths = found.lengths
    wide = np.minimum(lengths, width)
    counts = np.where(lengths > 0, lengths - wide + 1, 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(len(lengths)), counts)
    first = np.arange(starts[-1]) - starts[owner] + found.starts[owner]
    h = np.zeros(len(first), dtype=np.uint64)
    for i in range(width):
        on = i < wide[owner]
        h[on] = h[on] * np.uint64(PAIR) + found.hashes[first[on] + i]
    return Tokens(mixed(h), starts)


def shingle_sets(docs: Docs, width: int = WIDTH) -> Tokens:
    """Return the set of shingles of every document: hashes in rising order, each once."""
    sets: list[Hashes] = []
    for piece in docs.pieces():
        found = shingles(tokens(piece), width)
        sets += [np.unique(found.hashes[i:j]) for i, j in pairwise(found.starts.tolist())]
    return stacked_sets(sets)


def stacked_sets(sets: list[Hashes]) -> Tokens:
    """Return sets, one a document, as one array with starts."""
    starts = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    return Tokens(np.concatenate([np.zeros(0, dtype=np.uint64), *sets]), starts)


def _sketch_numpy(found: Tokens, slots: int) -> Signatures:
    n, counts = len(found.starts) - 1, found.lengths
    out = np.full((n, slots), EMPTY, dtype=np.uint32)
    owner = np.repeat(np.arange(n), counts)
    for turn in range(slots):
        asked = (out == EMPTY).any(axis=1) & (counts > 0)
        if not asked.any():
            break
        on = asked[owner]
        h = found.hashes[on] if turn == 0 else _again(found.hashes[on], turn)
        place = (np.cumsum(asked) - 1)[owner[on]] * slots
        place += (((h >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32)).astype(np.int64)
        fresh = np.full(int(asked.sum()) * slots, EMPTY, dtype=np.uint32)
        np.minimum.at(fresh, place, h.astype(np.uint32))
        held = out[asked]
        out[asked] = np.where(held == EMPTY, fresh.reshape(-1, slots), held)
    for b in range(slots):
        for i in np.flatnonzero((out[:, b] == EMPTY) & (counts > 0)).tolist():
            own = found.hashes[found.starts[i] : found.starts[i + 1]]
            out[i, b] = _again(own, slots + b).astype(np.uint32).min()
    return out


def _again(shingles: Hashes, turn: int) -> Hashes:
    """Return the hashes of a later round."""
    return mixed(shingles + np.uint64(turn * STEP & 0xFFFFFFFFFFFFFFFF))


def resemblance(signatures: Signatures, left: Places, right: Places) -> NDArray[np.float64]:
    """Return the estimated Jaccard coefficients of pairs: shares of slots that are equal, (m,)."""
    compiled, out = kernels(), np.zeros(len(left), dtype=np.int64)
    for i in range(0, len(left), PAIRS):
        one, other, part = left[i : i + PAIRS], right[i : i + PAIRS], out[i : i + PAIRS]
        rows = np.asarray(signatures)
        if _mapped(signatures) is not None:
            rows = rows_of(signatures, np.concatenate([one, other]))
            one, other = np.arange(len(one)), np.arange(len(one), len(rows))
        if compiled is None:
            part[:] = (rows[one] == rows[other]).sum(axis=1)
        else:
            compiled["agree"](rows, one, other, part)
    return out / signatures.shape[1]


def rows_of(signatures: Signatures, places: Places) -> Signatures:
    """Return some signatures, walking once through the file that holds them.

    A single row that is read from a mapped file may bring in megabytes around it.
    """
    order = np.argsort(places)
    ordered = places[order]
    out = np.empty((len(places), signatures.shape[1]), dtype=np.uint32)
    at = 0
    while at < len(order):
        end = int(np.searchsorted(ordered, ordered[at] + BLOCK))
        out[order[at:end]] = signatures[ordered[at:end]]
        forget(signatures)
        at = end
    return out


def forget(signatures: Signatures) -> None:
    """Let go of the pages of a mapped file that were read: they would count as memory held."""
    pages = _mapped(signatures)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def _mapped(signatures: Signatures) -> mmap.mmap | None:
    """Return the mapped file that an array is a view of, if it holds nothing but the file."""
    base: Any = signatures
    while isinstance(base, np.ndarray):
        if getattr(base, "mode", "r") == "c":  # changes to a private copy live in its pages alone
            return None
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def kernels() -> dict[str, Callable[..., Any]] | None:
    """Return the compiled passes, or None where numba (the extra ``fast``) is not installed."""
    return compiled("_compiled_hygiene", "sketch", "agree", "common", "unite")
