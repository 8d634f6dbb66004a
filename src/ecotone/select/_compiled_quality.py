"""The pass that counts what quality rules look at, compiled by numba.

`_text_facts` holds the same in numpy, bit by bit, and the places of the columns: they are compiled
in, and numba keeps what it compiled until this file changes.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from ecotone.select import _text_facts as f
from ecotone.select._compiled import ONE, P, _mix
from ecotone.select._compiled_words import STEP, _sign

ZERO, EIGHT = uint64(0), uint64(8)


@njit(nogil=True, cache=True)
def _signs(data, i, j, out):
    """Count the signs of a word that few words have."""
    dots = 0
    for k in range(i, j):
        c = data[k]
        out[f.HASHES] += c == 35
        out[f.BRACES] += c == 123 or c == 125
        if c == 46:
            dots += 1
            continue
        out[f.ELLIPSES] += dots // 3
        dots = 0
        if c == 0xE2 and k + 2 < j and _three(data, k, 0xE2, 0x80, 0xA6):
            out[f.ELLIPSES] += 1
    out[f.ELLIPSES] += dots // 3


@njit(nogil=True, cache=True)
def _core(data, i, j, kinds):
    """Return the first letter of a word, what follows the last, and whether a stop is behind it."""
    first, last, stop, alphabetic, k = j, i, False, False, i
    while k < j:
        kind, n = kinds[data[k]], 0
        if kind & f.LEAD:
            n = _sign(data, k, j)
        if kind & f.IN_WORD and n == 0:
            first, last, stop = min(first, k), k + 1, False
            alphabetic |= (kind & f.ALPHA) > 0
        else:
            stop |= (kind & f.STOP) > 0
        k += max(n, 1)
    return first, last, stop, alphabetic


@njit(nogil=True, cache=True)
def _word(data, i, j, kinds, lower, stops, out):
    """Count one word, bytes i to j; return its hash and its letters, packed, 0 if over 8."""
    h, p, seen, characters = ZERO, ONE, 0, 0
    for k in range(i, j):
        kind = kinds[data[k]]
        h += (uint64(data[k]) + ONE) * p
        p *= P
        seen |= kind
        characters += kind < f.INSIDE
    first, last, stop, alphabetic = i, j, False, (seen & f.ALPHA) > 0
    if seen & f.RARE:
        _signs(data, i, j, out)
    if (
        seen & (f.RARE | f.STOP)
        or not seen & f.IN_WORD
        or not kinds[data[i]] & kinds[data[j - 1]] & 1
    ):
        first, last, stop, alphabetic = _core(data, i, j, kinds)
    out[f.WORDS] += 1
    out[f.WORD_BYTES] += j - i
    out[f.CHARACTERS] += characters
    out[f.ALPHABETIC] += alphabetic
    out[f.SENTENCES] += stop
    packed = ZERO
    if 0 < last - first <= 8:
        for k in range(last - 1, first - 1, -1):
            packed = (packed << EIGHT) | uint64(lower[data[k]])
        if last - first <= 4:
            for k in range(len(stops)):
                if packed == stops[k]:
                    out[f.STOPS] |= 1 << k
    return _mix(h), packed


@njit(nogil=True, cache=True)
def _three(data, j, a, b, c):
    return data[j] == a and data[j + 1] == b and data[j + 2] == c


@njit(nogil=True, cache=True)
def _line(data, i, j, word_end, out):
    """Count a line whose words lie in bytes i to j and whose first word ends at `word_end`."""
    c = data[i]
    bullet = word_end == i + 1 and (c == 45 or c == 42)
    if j - i >= 3:
        bullet |= _three(data, i, 0xE2, 0x80, 0xA2) or _three(data, i, 0xE2, 0x80, 0xA3)
    c = data[j - 1]
    ended, dotted = c == 46 or c == 33 or c == 63 or c == 34 or c == 39, False
    if j - i >= 3:
        dotted = _three(data, j - 3, 46, 46, 46) or _three(data, j - 3, 0xE2, 0x80, 0xA6)
        ended |= (dotted or _three(data, j - 3, 0xE2, 0x80, 0x9D)
                  or _three(data, j - 3, 0xE2, 0x80, 0x99) or _three(data, j - 3, 0xE3, 0x80, 0x82)
                  or _three(data, j - 3, 0xEF, 0xBC, 0x81)
                  or _three(data, j - 3, 0xEF, 0xBC, 0x9F))  # fmt: skip
    size = j - i
    if f.SHORT_LINE <= size < 4 * f.SHORT_LINE:  # a character has at most 4 bytes
        size = 0
        for k in range(i, j):
            size += data[k] & 0xC0 != 0x80
    out[f.LINES] += 1
    out[f.BULLETS] += bullet
    out[f.DOTTED] += dotted
    out[f.ENDED] += ended
    out[f.SHORTS] += size < f.SHORT_LINE


@njit(nogil=True, cache=True)
def _slot(keys, tags, tag, h, mask):
    """Return the place of a hash in an open table; it is there if its tag is `tag`."""
    at = h & mask
    while tags[at] == tag and keys[at] != h:
        at = (at + ONE) & mask
    return at


@njit(nogil=True, cache=True)
def _repeats(hashes, sizes, n, keys, tags, tag, mask):
    """Return how many of n things stood before, and their bytes."""
    again = size = 0
    for i in range(n):
        at = _slot(keys, tags, tag, hashes[i], mask)
        if tags[at] == tag:
            again += 1
            size += sizes[i]
        else:
            keys[at], tags[at] = hashes[i], tag
    return again, size


@njit(nogil=True, cache=True)
def _grams(hashes, sizes, n, keys, tags, counts, tag, mask, out):
    """Fill the columns of repeated runs of 2 to 10 words; return the last tag used."""
    for size in range(2, 11):
        tag += 1
        oldest, rolling, width = ONE, ZERO, 0
        for _ in range(size):
            oldest *= STEP
        again, covered, upto, best, best_width = 0, 0, 0, 1, 0
        for i in range(n):
            rolling = rolling * STEP + hashes[i]
            width += sizes[i]
            if i >= size:
                rolling -= hashes[i - size] * oldest
                width -= sizes[i - size]
            if i < size - 1:
                continue
            h = _mix(rolling + uint64(size))
            at = _slot(keys, tags, tag, h, mask)
            if tags[at] != tag:
                keys[at], tags[at], counts[at] = h, tag, 1
                continue
            again += 1
            counts[at] += 1
            if counts[at] > best or (counts[at] == best and width > best_width):
                best, best_width = counts[at], width
            for k in range(max(upto, i - size + 1), i + 1):
                covered += sizes[k]
            upto = i + 1
        if size <= 4:
            out[f.TOP + size - 2] = best * best_width
        else:
            out[f.REPEATED + size - 5] = covered
        if again == 0:  # a longer run cannot repeat either
            break
    return tag


@njit(nogil=True, cache=True)
def facts(data, starts, kinds, lower, stops, out):
    """Fill the facts of each document, (n, columns)."""
    longest = 0
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    room = longest // 2 + 2
    hashes, sizes = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int64)
    lines, line_bytes = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int64)
    blocks, block_bytes = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int64)
    table = 16
    while table < 2 * room:
        table *= 2
    keys, tags = np.empty(table, dtype=np.uint64), np.zeros(table, dtype=np.int64)
    counts, tag = np.empty(table, dtype=np.int64), 0
    for i in range(len(starts) - 1):
        row = out[i]
        n_lines, n_blocks = _document(data, starts[i], starts[i + 1], kinds, lower, stops,
                                      row, hashes, sizes, lines, line_bytes, blocks,
                                      block_bytes)  # fmt: skip
        size = 16
        while size < 2 * row[f.WORDS]:
            size *= 2
        mask = uint64(size - 1)
        tag += 2
        row[f.SAME_LINES], row[f.LINE_BYTES] = _repeats(
            lines, line_bytes, n_lines, keys, tags, tag - 1, mask)  # fmt: skip
        row[f.PARAGRAPHS] = n_blocks
        row[f.SAME_PARAGRAPHS], row[f.PARAGRAPH_BYTES] = _repeats(
            blocks, block_bytes, n_blocks, keys, tags, tag, mask)  # fmt: skip
        tag = _grams(hashes, sizes, row[f.WORDS], keys, tags, counts, tag, mask, row)


@njit(nogil=True, cache=True)
def _document(data, start, end, kinds, lower, stops, row, hashes, sizes, lines, line_bytes,
              blocks, block_bytes):  # fmt: skip
    """Count words, lines and paragraphs; write their hashes and bytes; return the last two."""
    n = n_lines = n_blocks = in_block = in_line = breaks = size = block_size = 0
    first = last = word_end = start
    line, block, before, j = ZERO, ZERO, ZERO, start
    while True:
        while j < end and kinds[data[j]] == 0:
            breaks += data[j] == 10
            j += 1
        if in_line > 0 and (breaks > 0 or j == end):
            _line(data, first, last, word_end, row)
            lines[n_lines], line_bytes[n_lines] = _mix(line + uint64(in_line)), size
            block, block_size = block * STEP + lines[n_lines], block_size + size
            in_block += 1
            n_lines, in_line, line, size = n_lines + 1, 0, ZERO, 0
        if in_block > 0 and (breaks > 1 or j == end):
            blocks[n_blocks], block_bytes[n_blocks] = _mix(block + uint64(in_block)), block_size
            n_blocks, in_block, block, block_size = n_blocks + 1, 0, ZERO, 0
        if j == end:
            return n_lines, n_blocks
        breaks, i = 0, j
        while j < end and kinds[data[j]] != 0:
            j += 1
        hashes[n], packed = _word(data, i, j, kinds, lower, stops, row)
        row[f.LOREMS] += before == f.LOREM and packed == f.IPSUM
        sizes[n], before = j - i, packed
        if in_line == 0:
            first, word_end = i, j
        line, size, last, in_line, n = line * STEP + hashes[n], size + j - i, j, in_line + 1, n + 1
