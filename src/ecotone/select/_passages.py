"""Passages of items: runs of words that are looked for, and what a document holds of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._marks import Marks
from ecotone.select._tokens import LOWER
from ecotone.select._words import Hashes, Ints, Wanted, Words, runs, words

CONTENT = 4  # bytes of a word that says something


@dataclass(frozen=True, eq=False)
class Passages:
    """Runs of words of items.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (k,)
        Sorted, without repeats.
    sizes : ndarray of int64, shape (k,)
        Words of each.
    text : bytes
        All items: their words, joined by spaces.
    begins, ends : ndarray of int64, shape (k,)
        Where the words of each run lie in it.
    short : ndarray of bool, shape (k,)
        Whether it is the whole of a short item.
    items, starts : ndarray of int64, shapes (o,) and (k + 1,)
        Run j stands in the items ``items[starts[j]:starts[j + 1]]``.
    ids : list of str
        Of all items.
    runs_of : ndarray of int64
        Different runs of each item.
    """

    hashes: Hashes
    sizes: Ints
    text: bytes
    begins: Ints
    ends: Ints
    short: NDArray[np.bool_]
    items: Ints
    starts: Ints
    ids: list[str]
    runs_of: Ints

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Ids of items without a run."""
        return tuple(self.ids[i] for i in np.flatnonzero(self.runs_of == 0).tolist())

    def without(self, evidence: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the ids of items that have runs, but none of these."""
        of_run = np.repeat(evidence, np.diff(self.starts))
        left = np.bincount(self.items[of_run], minlength=len(self.ids))
        return tuple(self.ids[i] for i in np.flatnonzero((left == 0) & (self.runs_of > 0)).tolist())


def passages(batches: Iterable[Docs], n: int, distinct: int) -> Passages:
    """Cut items into runs of n words; an item with fewer is one run."""
    tables: list[NDArray[np.int64]] = [np.empty((0, 4), dtype=np.int64)]
    hashes: list[Hashes] = [np.empty(0, dtype=np.uint64)]
    texts: list[bytes] = []
    ids: list[str] = []
    before = 0
    for batch in batches:
        found = words(batch)
        text, places = plain(batch, found, 0, len(found.hashes))
        for size in np.unique(np.minimum(np.diff(found.starts), n)).tolist():
            first, run = _of_size(found, size, n, distinct)
            owner = np.searchsorted(found.starts, first, side="right") - 1
            begins, ends = places[first] + before, places[first + size] - 1 + before
            tables.append(np.stack([owner + len(ids), np.full(len(run), size), begins, ends], 1))
            hashes.append(run)
        texts.append(text + b" ")
        before += len(texts[-1])
        ids += list(batch.ids)
    return _sorted(np.concatenate(hashes), np.concatenate(tables), b"".join(texts), ids, n)


def _of_size(found: Words, size: int, n: int, distinct: int) -> tuple[Ints, Hashes]:
    """Return runs of one size, of the items that are cut so, which have enough to say."""
    if size < distinct:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    first, run = runs(found, size)
    length = np.diff(found.starts)[np.searchsorted(found.starts, first, side="right") - 1]
    content = np.where(found.ends - found.begins >= CONTENT, found.hashes, np.uint64(0))
    right = np.minimum(length, n) == size
    right[right] = _different(content, first[right], size) >= distinct
    return first[right], run[right]


def _sorted(h: Hashes, table: NDArray[np.int64], text: bytes, ids: list[str], n: int) -> Passages:
    order = np.lexsort((table[:, 0], h))
    h, table = h[order], table[order]
    new = np.ones(len(h), dtype=bool)
    new[1:] = (h[1:] != h[:-1]) | (table[1:, 0] != table[:-1, 0])  # may stand twice in an item
    h, table = h[new], table[new]
    unique, at = np.unique(h, return_index=True)
    item, (_, size, begins, ends) = table[:, 0].copy(), table[at].T
    return Passages(
        unique, size, text, begins, ends, size < n, item, np.append(at, len(h)).astype(np.int64),
        ids, np.bincount(item, minlength=len(ids)),
    )  # fmt: skip


def _different(content: Hashes, first: Ints, size: int) -> Ints:
    """Return how many different words that say something each run has; 0 is none."""
    out = np.zeros(len(first), dtype=np.int64)
    step = (1 << 20) // size
    for i in range(0, len(first), step):
        window = np.sort(content[first[i : i + step, None] + np.arange(size)], axis=1)
        other = (window[:, 1:] != window[:, :-1]).sum(axis=1)
        out[i : i + step] = other + (window[:, 0] != 0)
    return out


def plain(docs: Docs, found: Words, first: int, last: int) -> tuple[bytes, Ints]:
    """Return words of a batch in lower case, joined by spaces, and where each begins."""
    begins, ends = found.begins[first:last], found.ends[first:last]
    start = int(begins[0]) if len(begins) else 0
    data = LOWER[docs.data[start : int(ends[-1]) if len(ends) else 0]].tobytes()
    pairs = zip((begins - start).tolist(), (ends - start).tolist(), strict=True)
    whole = b" ".join(data[i:j] for i, j in pairs)
    return whole, np.concatenate([[0], np.cumsum(ends - begins + 1)])


def held(
    docs: Docs, wanted: Wanted, sought: Passages, evidence: NDArray[np.bool_],
    causes: tuple[str, str],
) -> Marks:  # fmt: skip
    """Mark the documents of a batch that hold runs which are evidence."""
    found, n = words(docs), len(docs)
    fired = np.zeros((n, 2), dtype=bool)
    most, share = np.zeros(n, dtype=np.int64), np.zeros(n)
    match: dict[int, str] = {}
    spans: dict[int, tuple[tuple[int, int], ...]] = {}
    first, run, size = wanted.find(found)
    right = evidence[run] & (sought.sizes[run] == size)
    first, run = first[right], run[right]
    owner = np.searchsorted(found.starts, first, side="right") - 1
    order = np.argsort(owner, kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
        doc = int(owner[here[0]]) if len(here) else 0
        here = here[_same(docs, found, sought, first[here], run[here])]
        if not len(here):
            continue
        kinds = np.unique(run[here])
        fired[doc] = [(~sought.short[kinds]).any(), sought.short[kinds].any()]
        of = np.concatenate([sought.items[sought.starts[k] : sought.starts[k + 1]] for k in kinds])
        items, counts = np.unique(of, return_counts=True)
        best = int(counts.argmax())
        match[doc] = sought.ids[items[best]]
        most[doc] = counts[best]
        share[doc] = counts[best] / sought.runs_of[items[best]]
        last = first[here] + sought.sizes[run[here]] - 1
        spans[doc] = _merged(found.begins[first[here]] - docs.starts[doc],
                             found.ends[last] - docs.starts[doc])  # fmt: skip
    return Marks(causes, fired, match, spans, {"runs": most, "share": share})


def _same(docs: Docs, found: Words, sought: Passages, first: Ints, run: Ints) -> NDArray[np.bool_]:
    """Compare runs of one document letter by letter with what they are held to be."""
    if not len(run):
        return np.empty(0, dtype=bool)
    size, start = sought.sizes[run], int(first.min())
    text, places = plain(docs, found, start, int((first + size).max()))
    begins, ends = places[first - start].tolist(), (places[first - start + size] - 1).tolist()
    wanted = zip(sought.begins[run].tolist(), sought.ends[run].tolist(), strict=True)
    pairs = zip(begins, ends, wanted, strict=True)
    return np.array([text[i:j] == sought.text[k:m] for i, j, (k, m) in pairs])


def _merged(begins: Ints, ends: Ints) -> tuple[tuple[int, int], ...]:
    """Join stretches that touch or overlap."""
    out: list[tuple[int, int]] = []
    for i, j in sorted(zip(begins.tolist(), ends.tolist(), strict=True)):
        if out and i <= out[-1][1]:
            out[-1] = (out[-1][0], max(j, out[-1][1]))
        else:
            out.append((i, j))
    return tuple(out)
