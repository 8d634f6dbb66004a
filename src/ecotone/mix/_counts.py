"""N-gram counts of every domain at every position of a text: what the counting oracle looks up.

Only n-grams that occur in the evaluated text are kept, so memory grows with that text and the
number of domains, not with the training data, which is read in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDERS = 4
PIECE = 1 << 20  # training tokens read at a time

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """One evaluated text and how often each domain says its n-grams.

    Attributes
    ----------
    rates : tuple of ndarray, one per order n, shape (k, u_n)
        Occurrences of each different n-gram of the text in domain k, per training token.
    which : tuple of ndarray, one per order n, shape (m,)
        For each position, the number of the n-gram that ends there.
    before : tuple of ndarray, one per order n >= 2, shape (m,)
        For each position, the number of the (n-1)-gram that ends one place earlier.
    weight : ndarray, shape (m,)
        How often the position's n-grams occur together; sums to 1.
    """

    rates: tuple[NDArray[np.float64], ...]
    which: tuple[Index, ...]
    before: tuple[Index, ...]
    weight: NDArray[np.float64]


def count(text: NDArray[Any], domains: list[NDArray[Any]], vocab: int) -> Text:
    """Count the n-grams of `text` in every domain.

    Parameters
    ----------
    text : ndarray of int, shape (m,)
        Evaluated tokens; the first three only serve as context.
    domains : list of ndarray of int
        Training tokens of each domain.
    vocab : int
        Number of token ids.
    """
    numbers, tables = number(text, vocab)
    rates = [np.zeros((len(domains), len(t))) for t in tables]
    for k, tokens in enumerate(domains):
        for found in _lookup(tokens, tables, vocab):
            for n, hits in enumerate(found):
                rates[n][k] += np.bincount(hits, minlength=len(tables[n]))
        for table in rates:
            table[k] /= max(len(tokens), 1)
    first = ORDERS - 1
    ends = [numbers[n][first - n :] for n in range(ORDERS)]
    earlier = [numbers[n - 1][first - n : -1] for n in range(1, ORDERS)]
    # equal 4-grams have equal shorter n-grams: one row for all of them, weighed by their number
    _, place, times = np.unique(ends[-1], return_index=True, return_counts=True)
    return Text(
        tuple(rates),
        tuple(e[place] for e in ends),
        tuple(e[place] for e in earlier),
        times / times.sum(),
    )


def number(text: NDArray[Any], vocab: int) -> tuple[list[Index], list[NDArray[np.uint64]]]:
    """Give numbers to the n-grams of a text, each through its (n-1)-gram and its last token.

    Returns
    -------
    numbers : list of ndarray
        For order n, the number of the n-gram at each place it can stand, shape (m - n + 1,).
    tables : list of ndarray of uint64
        For order n, the sorted keys ``number of the (n-1)-gram * vocab + last token``: exact, no
        hashing, because a number is smaller than the length of the text.
    """
    numbers: list[Index] = []
    tables: list[NDArray[np.uint64]] = []
    prefix = np.zeros(len(text), np.int64)
    for n in range(ORDERS):
        keys = prefix.astype(np.uint64) * np.uint64(vocab) + text[n:].astype(np.uint64)
        table, which = np.unique(keys, return_inverse=True)
        tables.append(table)
        numbers.append(which.astype(np.int64))
        prefix = numbers[-1][:-1]
    return numbers, tables


def _lookup(
    tokens: NDArray[Any], tables: list[NDArray[np.uint64]], vocab: int
) -> Iterator[list[Index]]:
    """Yield, piece by piece, the numbers of the n-grams found, one array per order.

    An n-gram is looked up only where its (n-1)-gram was found.
    """
    for start in range(0, len(tokens), PIECE):
        # three tokens of overlap, so that n-grams across the border are counted once
        piece = tokens[max(start - ORDERS + 1, 0) : start + PIECE].astype(np.uint64)
        lead = min(start, ORDERS - 1)
        prefix = np.zeros(len(piece), np.int64)
        ends = np.arange(len(piece))
        found = []
        for table in tables:
            keys = prefix.astype(np.uint64) * np.uint64(vocab) + piece[ends]
            place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
            hit = table[place] == keys
            prefix, ends = place[hit], ends[hit]
            found.append(prefix[ends >= lead])
            inside = ends + 1 < len(piece)
            prefix, ends = prefix[inside], ends[inside] + 1
        yield found
