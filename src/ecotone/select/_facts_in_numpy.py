"""The facts of `_text_facts` without numba: numpy over all words of a batch at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select import _text_facts as f
from ecotone.select._tokens import KIND, LOWER, SPACE, P, mixed
from ecotone.select._words import STEP, Words, letters, runs

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def fill(docs: Docs, out: Ints) -> None:
    """Fill the facts of each document, (n, columns)."""
    found = _words_of(docs)
    if not len(found.hashes):
        return
    data, begins, ends = docs.data, found.begins, found.ends
    owner = np.searchsorted(found.starts, np.arange(len(begins)), side="right") - 1
    sizes = ends - begins
    breaks = _sum_to(data == 10)
    new = np.ones(len(begins), dtype=bool)
    gaps = breaks[begins[1:]] - breaks[ends[:-1]]
    other = owner[1:] != owner[:-1]
    new[1:] = other | (gaps > 0)
    block = np.ones(len(begins), dtype=bool)
    block[1:] = other | (gaps > 1)
    _count_words(docs, found, owner, out)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(begins)) - 1
    of = owner[first]
    _count_lines(data, begins[first], ends[last], ends[first], of, out)
    lines, line_bytes = _folded(found.hashes, first), np.add.reduceat(sizes, first)
    out[:, f.SAME_LINES], out[:, f.LINE_BYTES] = _repeats(lines, line_bytes, of, len(docs))
    heads = np.flatnonzero(block[first])
    blocks, block_bytes = _folded(lines, heads), np.add.reduceat(line_bytes, heads)
    out[:, f.PARAGRAPHS] = np.bincount(of[heads], minlength=len(docs))
    same = _repeats(blocks, block_bytes, of[heads], len(docs))
    out[:, f.SAME_PARAGRAPHS], out[:, f.PARAGRAPH_BYTES] = same
    _count_runs(found, owner, sizes, out)


def _sum_to(flags: Flags) -> Ints:
    """Return how many flags are set before each place, one more than there are flags."""
    return np.concatenate([[0], np.cumsum(flags)])


def _words_of(docs: Docs) -> Words:
    """Find words between white space, with hashes of their bytes."""
    data, n = docs.data, len(docs.data)
    inside = KIND[data] != SPACE
    first = inside.copy()
    first[1:] &= ~inside[:-1]
    cuts = docs.starts[1:-1]
    cuts = cuts[cuts < n]
    first[cuts] = inside[cuts]
    begins = np.flatnonzero(first)
    starts = np.searchsorted(begins, docs.starts).astype(np.int64)
    if not len(begins):
        return Words(np.empty(0, dtype=np.uint64), begins, begins, starts)
    place = np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))
    powers = np.full(int(place[inside].max()) + 1, np.uint64(P))
    powers[0] = 1
    terms = np.zeros(n, dtype=np.uint64)
    terms[inside] = (data[inside].astype(np.uint64) + np.uint64(1)) * np.cumprod(powers)[
        place[inside]
    ]
    sizes = np.add.reduceat(inside.astype(np.int64), begins)
    return Words(mixed(np.add.reduceat(terms, begins)), begins, begins + sizes, starts)


def _count_words(docs: Docs, found: Words, owner: Ints, out: Ints) -> None:
    data, begins, ends, n = docs.data, found.begins, found.ends, len(docs)

    def each(flags: Flags) -> Ints:
        total = _sum_to(flags)
        return total[ends] - total[begins]

    def add(column: int, values: NDArray[Any]) -> None:
        out[:, column] = np.bincount(owner, values, minlength=n)

    letter = letters(data)
    place = np.arange(len(data))
    # the letters of a word from the first to the last, and the signs behind them
    heads = np.append(np.flatnonzero(letter), len(data))
    core = np.minimum(heads[np.searchsorted(heads, begins)], ends)
    back = np.maximum.accumulate(np.where(letter, place, -1))[ends - 1] + 1
    stop = _sum_to(np.isin(data, (46, 33, 63)) & ~letter)
    none = core == ends
    back = np.where(none, begins, back)
    dots = _dots(data, begins)
    three = np.zeros(len(data), dtype=bool)
    three[:-2] = (data[:-2] == 0xE2) & (data[1:-1] == 0x80) & (data[2:] == 0xA6)
    add(f.WORDS, np.ones(len(begins)))
    add(f.WORD_BYTES, ends - begins)
    add(f.CHARACTERS, each(data & 0xC0 != 0x80))
    add(f.HASHES, each(data == 35))
    add(f.BRACES, each((data == 123) | (data == 125)))
    add(f.ALPHABETIC, each(letter & (data >= 65)) > 0)
    add(f.ELLIPSES, dots + each(three))
    add(f.SENTENCES, stop[ends] - stop[back] > 0)
    packed = np.zeros(len(begins), dtype=np.uint64)
    few = ~none & (back - core <= 8)
    for k in range(7, -1, -1):
        here = few & (core + k < back)
        packed[here] = (packed[here] << np.uint64(8)) | LOWER[data[(core + k)[here]]]
    for i, code in enumerate(f.STOP_CODES):
        has = np.bincount(owner, packed == code, minlength=n) > 0
        out[:, f.STOPS] |= has.astype(np.int64) << i
    pair = np.zeros(len(begins), dtype=bool)
    pair[1:] = (packed[:-1] == f.LOREM) & (packed[1:] == f.IPSUM) & (owner[1:] == owner[:-1])
    add(f.LOREMS, pair)


def _dots(data: NDArray[np.uint8], begins: Ints) -> Ints:
    """Return how many times three dots in a row stand in each word."""
    dot = np.concatenate([[False], data == 46, [False]])
    edge = np.diff(dot.astype(np.int8))
    rises, falls = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    # a stretch of dots may go over the end of a document
    cuts = begins[np.searchsorted(begins, rises, side="right").clip(max=len(begins) - 1)]
    over = (rises < cuts) & (cuts < falls)
    rises = np.sort(np.concatenate([rises, cuts[over]]))
    falls = np.sort(np.concatenate([falls, cuts[over]]))
    word = np.searchsorted(begins, rises, side="right") - 1
    return np.bincount(word, (falls - rises) // 3, minlength=len(begins)).astype(np.int64)


def _count_lines(
    data: NDArray[np.uint8], begins: Ints, ends: Ints, word_ends: Ints, owner: Ints, out: Ints
) -> None:
    n, long = len(out), ends - begins >= 3

    def three(at: Ints, *codes: tuple[int, int, int]) -> Flags:
        found = np.zeros(len(at), dtype=bool)
        for a, b, c in codes:
            i = at[long]
            found[long] |= (data[i] == a) & (data[i + 1] == b) & (data[i + 2] == c)
        return found

    def add(column: int, values: Flags) -> None:
        out[:, column] = np.bincount(owner, values, minlength=n)

    alone = (word_ends == begins + 1) & np.isin(data[begins], (45, 42))
    dotted = three(ends - 3, (46, 46, 46), (0xE2, 0x80, 0xA6))
    signs = ((0xE2, 0x80, 0x9D), (0xE2, 0x80, 0x99), (0xE3, 0x80, 0x82), (0xEF, 0xBC, 0x81),
             (0xEF, 0xBC, 0x9F))  # fmt: skip
    total = _sum_to(data & 0xC0 != 0x80)
    add(f.LINES, begins >= 0)
    add(f.BULLETS, alone | three(begins, (0xE2, 0x80, 0xA2), (0xE2, 0x80, 0xA3)))
    add(f.DOTTED, dotted)
    add(f.ENDED, dotted | three(ends - 3, *signs) | np.isin(data[ends - 1], (46, 33, 63, 34, 39)))
    add(f.SHORTS, total[ends] - total[begins] < f.SHORT_LINE)


def _folded(hashes: NDArray[np.uint64], first: Ints) -> NDArray[np.uint64]:
    """Return the hash of each stretch of hashes that begins at `first`."""
    lengths = np.diff(np.append(first, len(hashes)))
    behind = np.repeat(first + lengths - 1, lengths) - np.arange(len(hashes))
    powers = np.full(int(lengths.max()), np.uint64(STEP))
    powers[0] = 1
    total = np.add.reduceat(hashes * np.cumprod(powers)[behind], first)
    return mixed(total + lengths.astype(np.uint64))


def _repeats(hashes: NDArray[np.uint64], sizes: Ints, owner: Ints, n: int) -> tuple[Ints, Ints]:
    """Return how many things of each document stood there before, and their bytes."""
    again = _again(hashes, owner)
    return (np.bincount(owner[again], minlength=n),
            np.bincount(owner[again], sizes[again], minlength=n).astype(np.int64))  # fmt: skip


def _again(hashes: NDArray[np.uint64], owner: Ints) -> Flags:
    order = np.lexsort((hashes, owner))  # stable: the first of the same comes first
    same = np.zeros(len(order), dtype=bool)
    h, o = hashes[order], owner[order]
    same[1:] = (h[1:] == h[:-1]) & (o[1:] == o[:-1])
    out = np.zeros(len(order), dtype=bool)
    out[order] = same
    return out


def _count_runs(found: Words, owner: Ints, sizes: Ints, out: Ints) -> None:
    n = len(out)
    total = np.concatenate([[0], np.cumsum(sizes)])
    for size in range(2, 11):
        first, hashes = runs(found, size)
        of = owner[first]
        again = _again(hashes, of)
        if not again.any():
            return
        if size <= 4:
            width = total[first + size] - total[first]
            out[:, f.TOP + size - 2] = _most_frequent(hashes, of, width, n)
            continue
        cover = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.add.at(cover, first[again], 1)
        np.add.at(cover, first[again] + size, -1)
        covered = np.cumsum(cover)[:-1] > 0
        out[:, f.REPEATED + size - 5] = np.bincount(owner, sizes * covered, minlength=n)


def _most_frequent(hashes: NDArray[np.uint64], owner: Ints, width: Ints, n: int) -> Ints:
    """Return times and bytes, multiplied, of the most frequent run; 0 where none repeats."""
    order = np.lexsort((hashes, owner))
    h, o, w = hashes[order], owner[order], width[order]
    new = np.ones(len(h), dtype=bool)
    new[1:] = (h[1:] != h[:-1]) | (o[1:] != o[:-1])
    first = np.flatnonzero(new)
    counts = np.diff(np.append(first, len(h)))
    o, w = o[first], w[first]
    best = np.lexsort((w, counts, o))
    out = np.zeros(n, dtype=np.int64)
    out[o[best]] = np.where(counts[best] > 1, counts[best] * w[best], 0)  # the last one stays
    return out
