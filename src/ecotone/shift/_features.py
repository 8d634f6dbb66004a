"""Text as rows of numbers: pieces of documents, hashed n-grams, a few directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer

from ecotone.core.corpus import Doc

Array = NDArray[np.float64]
PIECE = 1_000  # characters
BUCKETS = 2_048
DIRECTIONS = 48
BLOCK = 6  # pieces in one row of counts


def pieces(docs: Iterable[Doc], rows: int, rng: np.random.Generator) -> list[str]:
    """Draw at most `rows` pieces of text from a stream of documents, each document alike.

    A document gives one piece, from a random place; when there are fewer documents than rows, up to
    as many as it has room for. Only the drawn documents are held (reservoir sampling).
    """
    held: list[str] = []
    for seen, doc in enumerate(docs, start=1):
        if len(held) < rows:
            held.append(doc.text)
        else:
            place = int(rng.integers(0, seen))
            if place < rows:
                held[place] = doc.text
    each = -(-rows // max(len(held), 1))
    out = []
    for text in held:
        count = max(1, min(each, len(text) // PIECE))
        starts = np.sort(rng.permutation(max(len(text) // PIECE, 1))[:count]) * PIECE
        out += [text[s : s + PIECE] for s in starts]
    return out[:rows]


def features(
    texts: Mapping[str, list[str]], *, counts: bool, layout: bool = False, seed: int = 0
) -> list[Array]:
    """Turn the pieces of every domain into rows.

    Parameters
    ----------
    texts : mapping of str to list of str
        Pieces by domain.
    counts : bool
        True: counts of hashed words and word pairs, a row per `BLOCK` pieces, (n / 6, 2048):
        shuffling blocks costs a sixth of shuffling pieces. False: square roots of their
        shares, along the 48 directions in which they vary most (n, 48); distances then are
        Hellinger distances, which no single frequent word dominates.
    layout : bool
        Keep line breaks and indentation as tokens.
    """
    pattern = r"\w+|[^\w\s]|\n[ \t]*" if layout else r"\w+|[^\w\s]"
    hashing = HashingVectorizer(
        n_features=BUCKETS,
        ngram_range=(1, 2),
        alternate_sign=False,
        norm=None,
        lowercase=True,
        tokenizer=re.compile(pattern).findall,
        token_pattern=None,
    )
    blocks = [hashing.transform(t) for t in texts.values()]
    if counts:
        return [_blocks(np.asarray(b.todense(), dtype=np.float64)) for b in blocks]
    from scipy.sparse import vstack

    rows = vstack(blocks).astype(np.float64)
    total = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1.0)
    rows = rows.multiply(1 / total[:, None]).sqrt().tocsr()
    size = min(DIRECTIONS, rows.shape[0] - 1)
    svd = TruncatedSVD(size, algorithm="arpack", random_state=seed)
    Z = svd.fit_transform(rows)
    return np.split(Z, np.cumsum([len(t) for t in texts.values()])[:-1])


def _blocks(counts: Array) -> Array:
    """Add up the rows in blocks, if that leaves at least 8 of them."""
    if len(counts) < 8 * BLOCK:
        return counts
    return np.add.reduceat(counts, np.arange(0, len(counts) // BLOCK * BLOCK, BLOCK), axis=0)
