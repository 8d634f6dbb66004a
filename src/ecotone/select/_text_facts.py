"""What quality rules look at, counted in one pass over the bytes of a document.

A word is a longest run of bytes that are no white space; a line counts when it has a word; a
paragraph is a stretch of such lines. Lines, paragraphs and runs of words are the same when their
words are, byte by byte. A letter is as in `_words`. Bytes are those of words: white space is
nobody's. A document over 4 MB is judged by its first 4 MB. The numba kernel and the numpy fallback
count the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.data.docs import Docs
from ecotone.select._tokens import KIND, LOWER, SPACE
from ecotone.select._words import LETTER, SLICE, slices

Ints = NDArray[np.int64]
# columns
(WORDS, WORD_BYTES, CHARACTERS, ALPHABETIC, HASHES, ELLIPSES, BRACES, STOPS, LOREMS, SENTENCES,
 LINES, BULLETS, DOTTED, ENDED, SHORTS, SAME_LINES, LINE_BYTES, PARAGRAPHS, SAME_PARAGRAPHS,
 PARAGRAPH_BYTES) = range(20)  # fmt: skip
TOP, REPEATED = 20, 23  # runs of 2 to 4 words, of 5 to 10
COLUMNS = 29
SHORT_LINE = 30  # characters
# kinds of bytes, as bits; white space has none
IN_WORD, ALPHA, STOP, RARE, LEAD, PLAIN, INSIDE = 1, 2, 4, 8, 16, 32, 128
KINDS = np.where(KIND == SPACE, 0, PLAIN).astype(np.uint8)
KINDS[LETTER > 0] |= IN_WORD
KINDS[[*range(65, 91), *range(97, 123), *range(128, 256)]] |= ALPHA
KINDS[[33, 46, 63]] |= STOP
KINDS[[35, 46, 123, 125]] |= RARE
KINDS[[0xC2, 0xE2, 0xE3]] |= LEAD | RARE  # a sign may begin here
KINDS[128:192] |= INSIDE  # of a character
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


def _packed(word: str) -> int:
    return int.from_bytes(word.encode(), "little")


STOP_CODES = np.array([_packed(w) for w in STOP_WORDS], dtype=np.uint64)
LOREM, IPSUM = _packed("lorem"), _packed("ipsum")


def facts(docs: Docs) -> Ints:
    r"""Count, shape (n, columns).

    Examples
    --------
    >>> row = facts(Docs.of(["To be, or not\nto be!\n\n* Not to be?"]))[0]
    >>> [int(row[c]) for c in (WORDS, LINES, PARAGRAPHS, SENTENCES, BULLETS)]
    [10, 3, 2, 2, 1]
    """
    out = np.zeros((len(docs), COLUMNS), dtype=np.int64)
    compiled, done = kernel(), 0
    for part in slices(docs):
        here = out[done : done + len(part)]
        part = _shortened(part)
        if compiled is None:
            from ecotone.select._facts_in_numpy import fill

            fill(part, here)
        else:
            compiled(part.data, part.starts, KINDS, LOWER, STOP_CODES, here)
        done += len(part)
    # different stop words stand as bits
    out[:, STOPS] = sum(out[:, STOPS] >> i & 1 for i in range(len(STOP_WORDS)))
    return out


def _shortened(docs: Docs) -> Docs:
    """Cut a document that is a slice of its own where a character ends."""
    if len(docs) > 1 or len(docs.data) <= SLICE:
        return docs
    end = SLICE
    while docs.data[end] & 0xC0 == 0x80:
        end -= 1
    return Docs(docs.data[:end], np.array([0, end]), docs.ids)


@lru_cache(maxsize=1)
def kernel() -> Callable[..., Any] | None:
    """Return the compiled pass, or None where numba (the extra ``fast``) is not installed."""
    try:
        from ecotone.select import _compiled_quality
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "numba":
            return None
        raise
    compiled: Callable[..., Any] = _compiled_quality.facts
    return compiled
