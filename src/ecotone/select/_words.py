r"""Words with their places, and runs of words: what is needed to find a passage again.

A word is a longest run of letters and digits, ASCII letters in lower case. Every character above
U+007F counts as a letter, except those of the blocks of signs in which no-break spaces, quotation
marks, dashes and the like lie: U+0080 to U+00BF, U+2000 to U+207F, U+3000 to U+303F. So neither
line breaks nor punctuation nor the case of ASCII letters decides whether two passages are the same.

The hash of the words :math:`h_1 \dots h_k` is
:math:`\operatorname{mix}(k + \sum_i h_i S^{k - i} \bmod 2^{64})`, with the hash of a word as in
`_tokens`. The numba kernels and the numpy fallback compute the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._numba import compiled
from ecotone.select._tokens import KIND, LOWER, WORD, P, mixed

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
STEP = 0xC2B2AE3D27D4EB4F  # odd
SLICE = 4 << 20  # bytes looked at together
LETTER = (KIND == WORD).astype(np.uint8)
LETTER[ord("_")] = 0  # it also marks emphasis


class Words(NamedTuple):
    """Words of a batch.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (t,)
        One a word, document after document.
    begins, ends : ndarray of int64, shape (t,)
        Bytes of the batch: a word is ``data[begins[j]:ends[j]]``.
    starts : ndarray of int64, shape (n + 1,)
        Document i has the words ``starts[i]`` to ``starts[i + 1]``.
    """

    hashes: Hashes
    begins: Ints
    ends: Ints
    starts: Ints


def words(docs: Docs) -> Words:
    r"""Find the words of a batch.

    Examples
    --------
    >>> found = words(Docs.of(["“It’s—\n_so_”", "IT S"]))
    >>> found.starts.tolist(), (found.hashes[:2] == found.hashes[3:]).all().item()
    ([0, 3, 5], True)
    """
    compiled = kernels()
    if compiled is None:
        return _words_numpy(docs)
    most = len(docs.data) // 2 + len(docs) + 1  # between two words of a text stands a sign
    hashes, starts = np.empty(most, dtype=np.uint64), np.empty(len(docs) + 1, dtype=np.int64)
    begins, ends = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    n = compiled["words"](docs.data, docs.starts, LETTER, LOWER, hashes, begins, ends, starts)
    return Words(hashes[:n], begins[:n], ends[:n], starts)


def _words_numpy(docs: Docs) -> Words:
    data, n = docs.data, len(docs.data)
    inside = np.append(letters(data), False)  # the last word ends too
    first = inside.copy()
    first[1:] &= ~inside[:-1]
    cuts = docs.starts[1:-1]
    first[cuts] = inside[cuts]  # no word goes over the end of a document
    begins = np.flatnonzero(first)
    gaps = np.flatnonzero(~inside)
    ends = gaps[np.searchsorted(gaps, begins)] if len(begins) else begins
    ends = np.minimum(ends, docs.starts[np.searchsorted(docs.starts, begins, side="right")])
    starts = np.searchsorted(begins, docs.starts).astype(np.int64)
    if not len(begins):
        return Words(np.empty(0, dtype=np.uint64), begins, ends, starts)
    place = np.arange(n) - np.maximum.accumulate(np.where(first[:n], np.arange(n), 0))
    inside = inside[:n]
    powers = np.full(int(place[inside].max()) + 1, np.uint64(P))
    powers[0] = 1
    powers = np.cumprod(powers)
    terms = np.zeros(n, dtype=np.uint64)
    terms[inside] = (LOWER[data[inside]].astype(np.uint64) + np.uint64(1)) * powers[place[inside]]
    return Words(mixed(np.add.reduceat(terms, begins)), begins, ends, starts)


def letters(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which bytes are part of a letter or digit."""
    n = len(data)
    inside = np.append(LETTER[data] > 0, np.zeros(3, dtype=bool))
    after = np.append(data[1:], np.uint8(0))
    two = np.flatnonzero(data == 0xC2)
    three = np.flatnonzero(
        ((data == 0xE2) & (after & 0xFE == 0x80)) | ((data == 0xE3) & (after == 0x80))
    )
    for at in (two, two + 1, three, three + 1, three + 2):
        inside[at] = False
    return inside[:n]


def runs(found: Words, size: int) -> tuple[Ints, Hashes]:
    """Return the first word of every run of `size` words in a document, and its hash, (r,) each."""
    t = len(found.hashes)
    if t < size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    rolling = np.zeros(t - size + 1, dtype=np.uint64)
    for j in range(size):
        rolling = rolling * np.uint64(STEP) + found.hashes[j : j + len(rolling)]
    first = np.arange(len(rolling))
    end = found.starts[np.searchsorted(found.starts, first, side="right")]
    whole = first + size <= end
    return first[whole], mixed(rolling[whole] + np.uint64(size))


class Wanted:
    """Hashes of runs that are looked for: a bit table, so that most others cost one look.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (k,)
        Sorted, without repeats.
    sizes : sequence of int
        How many words the runs have.
    """

    def __init__(self, hashes: Hashes, sizes: Ints) -> None:
        self.hashes, self.sizes = hashes, np.unique(sizes)
        # 32 bits a hash: one run in 32 that is not wanted is looked up; 8 kB to 512 MB
        power = int(np.clip(np.ceil(np.log2(32 * max(len(hashes), 1))), 16, 32))
        self.shift = np.uint64(64 - power)
        self.bits = np.zeros(1 << (power - 3), dtype=np.uint8)
        at = hashes >> self.shift
        np.bitwise_or.at(
            self.bits, at >> np.uint64(3), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8)
        )

    def find(self, found: Words) -> tuple[Ints, Ints, Ints]:
        """Return first word, place among `hashes`, and size of every wanted run, (h,) each."""
        parts = []
        for size in self.sizes.tolist():
            first, hashes = self._candidates(found, size)
            at = np.searchsorted(self.hashes, hashes)
            at[at == len(self.hashes)] = 0
            same = self.hashes[at] == hashes if len(self.hashes) else np.zeros(0, dtype=bool)
            parts.append((first[same], at[same], np.full(int(same.sum()), size)))
        none = np.empty(0, dtype=np.int64)
        first, at, sizes = (np.concatenate([none, *p]) for p in zip(*parts, strict=True))
        return first, at, sizes

    def _candidates(self, found: Words, size: int) -> tuple[Ints, Hashes]:
        compiled = kernels()
        if compiled is None:
            first, hashes = runs(found, size)
            at = hashes >> self.shift
            set_ = self.bits[at >> np.uint64(3)] >> (at & np.uint64(7)).astype(np.uint8) & 1 > 0
            return first[set_], hashes[set_]
        room = len(found.hashes) // 16 + 64
        while True:
            first, hashes = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.uint64)
            n = compiled["candidates"](
                found.hashes, found.starts, size, self.bits, self.shift, first, hashes
            )
            if n <= room:
                return first[:n], hashes[:n]
            room = n


def slices(docs: Docs, size: int = SLICE) -> Iterator[Docs]:
    """Cut a batch into batches of about `size` bytes."""
    first, n = 0, len(docs)
    while first < n:
        last = int(np.searchsorted(docs.starts, docs.starts[first] + size, side="right")) - 1
        last = min(max(last, first + 1), n)
        begin, end = docs.starts[first], docs.starts[last]
        starts = docs.starts[first : last + 1] - begin
        yield Docs(docs.data[begin:end], starts, docs.ids[first:last])
        first = last


def kernels() -> dict[str, Callable[..., Any]] | None:
    """Return the compiled passes, or None where numba (the extra ``fast``) is not installed."""
    return compiled("_compiled_words", "words", "candidates")
