"""A sample of texts that their order does not move."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ecotone.data.docs import Docs, joined

SIZE = 8 << 20  # bytes of a sample; counts of grams take ten times as much


def drawn(batches: Iterable[Docs], most: int, size: int = SIZE) -> Docs:
    """Return about `most` documents or `size` bytes at most, drawn by their texts, sorted by them.

    Neither the order of documents nor the cut of batches moves a bit of it; ids are left out.
    """
    docs = total = 0
    for batch in batches:
        docs, total = docs + len(batch), total + len(batch.data)
    share = min(1.0, most / max(docs, 1), size / max(total, 1))
    limit = np.uint64(int(share * ((1 << 32) - 1)))
    kept = [b.take(np.flatnonzero(b.fingerprints() >> np.uint64(32) <= limit)) for b in batches]
    if docs and not any(len(k) for k in kept):  # one long document, say
        least = min(b.fingerprints().min() for b in batches if len(b))
        kept = [b.take(np.flatnonzero(b.fingerprints() == least)) for b in batches]
    whole = joined(kept)
    return whole.take(np.argsort(whole.fingerprints()))
