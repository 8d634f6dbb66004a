r"""Unigrams and bigrams of tokens in buckets: counts of a corpus, sums of weights of a document.

A gram with 64-bit hash h lies in bucket :math:`\lfloor (h \gg 32)\, m / 2^{32} \rfloor` of m.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.data.docs import Docs
from ecotone.select._tokens import Tokens, kernels, pairs, tokens

Array = NDArray[np.float64]
LEAST_BUCKETS, MOST_BUCKETS = 1 << 10, 1 << 18
GRAMS_A_BUCKET = 50  # target grams per bucket: with more buckets most of them stay empty


class Counted(NamedTuple):
    """What one pass counts.

    Attributes
    ----------
    grams : ndarray of int64, shape (m,)
        Unigrams and bigrams in each bucket.
    docs, tokens, size : int
        Documents, tokens, bytes.
    """

    grams: NDArray[np.int64]
    docs: int
    tokens: int
    size: int

    def __add__(self, other: Counted) -> Counted:  # type: ignore[override]
        return Counted(
            self.grams + other.grams, self.docs + other.docs, self.tokens + other.tokens,
            self.size + other.size,
        )  # fmt: skip


def buckets_for(target_tokens: int) -> int:
    """Return how many buckets a target of so many tokens can fill: a power of two."""
    wanted = 2 * target_tokens / GRAMS_A_BUCKET
    return int(np.clip(2 ** round(np.log2(max(wanted, 1))), LEAST_BUCKETS, MOST_BUCKETS))


def bucket_of(hashes: NDArray[np.uint64], m: int) -> NDArray[np.int64]:
    """Return the bucket of each hash."""
    return (((hashes >> np.uint64(32)) * np.uint64(m)) >> np.uint64(32)).astype(np.int64)


def count(batches: Iterable[Docs], m: int) -> Counted:
    """Count the grams of all batches in one pass."""
    grams = np.zeros(m, dtype=np.int64)
    docs = n_tokens = size = 0
    for batch in batches:
        found = tokens(batch)
        docs, n_tokens, size = docs + len(batch), n_tokens + len(found.hashes), size + len(
            batch.data
        )  # fmt: skip
        compiled = kernels()
        if compiled is not None:
            compiled["count"](found.hashes, found.starts, m, grams)
        else:
            grams += np.bincount(bucket_of(found.hashes, m), minlength=m)
            grams += np.bincount(bucket_of(pairs(found)[0], m), minlength=m)
    return Counted(grams, docs, n_tokens, size)


def weigh(found: Tokens, weights: Array) -> Array:
    """Return the sum of the weights of each document's grams, shape (n,)."""
    compiled = kernels()
    n = len(found.starts) - 1
    out = np.zeros(n)
    if compiled is not None:
        compiled["weigh"](found.hashes, found.starts, weights, out)
        return out
    both, owner = pairs(found)
    m = len(weights)
    singles = np.repeat(np.arange(n), found.lengths)
    out += np.bincount(singles, weights[bucket_of(found.hashes, m)], minlength=n)
    out += np.bincount(owner, weights[bucket_of(both, m)], minlength=n)
    return out


def table(found: Tokens, m: int) -> sparse.csr_array:
    """Return the counts of grams by document and bucket, shape (n, m), int32."""
    n = len(found.starts) - 1
    compiled = kernels()
    if compiled is not None:
        ids = np.empty(2 * len(found.hashes), dtype=np.uint32)
        starts = np.empty(n + 1, dtype=np.int64)
        total = compiled["grams"](found.hashes, found.starts, m, ids, starts)
        columns: NDArray[Any] = ids[:total].astype(np.int32)
        rows = np.repeat(np.arange(n), np.diff(starts))
    else:
        both, owner = pairs(found)
        columns = np.concatenate([bucket_of(found.hashes, m), bucket_of(both, m)])
        rows = np.concatenate([np.repeat(np.arange(n), found.lengths), owner])
    ones = np.ones(len(columns), dtype=np.int32)
    out = sparse.csr_array((ones, (rows, columns)), shape=(n, m))
    out.sum_duplicates()
    return out


def smoothed(counts: NDArray[Any], prior: float = 1.0) -> Array:
    r"""Return probabilities with a Dirichlet prior, :math:`(c_b + \alpha)/(N + \alpha m)`."""
    c = np.asarray(counts, dtype=np.float64)
    return np.asarray((c + prior) / (c.sum() + prior * len(c)))
