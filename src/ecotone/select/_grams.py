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
from ecotone.select._tokens import KIND, LOWER, Tokens, kernels, pairs, tokens

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
        n_tokens += int(add(batch, grams).sum())
        docs, size = docs + len(batch), size + len(batch.data)
    return Counted(grams, docs, n_tokens, size)


def add(docs: Docs, grams: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add the counts of a batch to `grams` (m,), in place; return each document's tokens, (n,)."""
    compiled = kernels()
    if compiled is not None:
        lengths = np.zeros(len(docs), dtype=np.int64)
        compiled["count"](docs.data, docs.starts, KIND, LOWER, grams, lengths)
        return lengths
    found, m = tokens(docs), len(grams)
    grams += np.bincount(bucket_of(found.hashes, m), minlength=m)
    grams += np.bincount(bucket_of(pairs(found)[0], m), minlength=m)
    return found.lengths


def weigh(docs: Docs, weights: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the sum of the weights of each document's grams, and its tokens, (n,) each."""
    compiled = kernels()
    n = len(docs)
    if compiled is not None:
        out, lengths = np.zeros(n), np.zeros(n, dtype=np.int64)
        compiled["weigh"](docs.data, docs.starts, KIND, LOWER, weights, out, lengths)
        return out, lengths
    found, m = tokens(docs), len(weights)
    both, owner = pairs(found)
    singles = np.repeat(np.arange(n), found.lengths)
    total = np.bincount(singles, weights[bucket_of(found.hashes, m)], minlength=n)
    total = total + np.bincount(owner, weights[bucket_of(both, m)], minlength=n)
    return np.asarray(total, dtype=np.float64), found.lengths


def project(docs: Docs, weights: Array, levels: Array) -> tuple[Array, Array]:
    r"""Return :math:`\sum_b l(c_b)\, w_b` and :math:`\sum_b l(c_b)^2` of each document, (n,) each.

    Parameters
    ----------
    weights : ndarray of float64, shape (m,)
    levels : ndarray of float64
        l of 0, 1, 2 and so on; higher counts have the last.
    """
    compiled, m = kernels(), len(weights)
    if compiled is not None:
        dot, square = np.zeros(len(docs)), np.zeros(len(docs))
        seen, met = np.zeros(m, dtype=np.int64), np.empty(m, dtype=np.uint32)
        compiled["project"](
            docs.data, docs.starts, KIND, LOWER, weights, levels, seen, met, dot, square
        )
        return dot, square
    found = [_project_numpy(piece, weights, levels) for piece in docs.pieces()]
    dots, squares = zip(*found, strict=True) if found else ((), ())
    return np.concatenate([np.zeros(0), *dots]), np.concatenate([np.zeros(0), *squares])


def _project_numpy(docs: Docs, weights: Array, levels: Array) -> tuple[Array, Array]:
    found, m, n = tokens(docs), len(weights), len(docs)
    both, owner = pairs(found)
    singles = np.repeat(np.arange(n), found.lengths)
    cells = np.concatenate(
        [singles * m + bucket_of(found.hashes, m), owner * m + bucket_of(both, m)]
    )
    # where each gram is met: a token, then the pair that it ends; sums are over buckets in this
    # order, so that no bit differs
    first = np.ones(len(singles), dtype=bool)
    first[1:] = singles[1:] != singles[:-1]
    when = np.concatenate([2 * np.arange(len(singles)), 2 * np.flatnonzero(~first) + 1])
    cells = cells[np.argsort(when)]
    different, at, counts = np.unique(cells, return_index=True, return_counts=True)
    order = np.argsort(at)
    different, level = different[order], levels[np.minimum(counts[order], len(levels) - 1)]
    dot = np.bincount(different // m, level * weights[different % m], minlength=n)
    square = np.bincount(different // m, level * level, minlength=n)
    return dot.astype(np.float64), square.astype(np.float64)


def tables(docs: Docs, m: int) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Return `table` of documents, put together piece by piece, and their tokens, (n,).

    On the way a table takes some fifty bytes a gram, in the end eight for every different one.
    """
    found = [tokens(piece) for piece in docs.pieces()]
    counts = [table(f, m) for f in found] or [sparse.csr_array((0, m), dtype=np.int32)]
    lengths = [np.zeros(0, dtype=np.int64), *(f.lengths for f in found)]
    return sparse.vstack(counts, format="csr"), np.concatenate(lengths)


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
