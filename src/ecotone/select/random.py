"""Random: a score that knows nothing, so that a budget takes any documents."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import method
from ecotone.core.seeds import derive
from ecotone.data.docs import as_docs
from ecotone.select._text import check_documents
from ecotone.select._tokens import mixed

Array = NDArray[np.float64]


@method(name="random", paper="", needs={"source_rows"}, handles=set())
class Random:
    """A number from 0 to 1 that is drawn from the seed and the text: the do-nothing method.

    It does not depend on where a document stands or how many workers there are, and copies of a
    document score alike.

    Parameters
    ----------
    seed : int, default 0
        Another seed is another draw.

    Examples
    --------
    >>> scores = Random().fit(["b"], ["a"]).score(["one", "two", "one"])
    >>> bool(scores[0] == scores[2] != scores[1])
    True
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Check that there is a pool and a target; nothing is learnt."""
        check_documents(target=target, pool=pool)
        return self

    def score(self, docs: Any) -> Array:
        """Return uniform numbers, shape (n,)."""
        found = [self.of_fingerprints(b.fingerprints()) for b in as_docs(docs)]
        return np.concatenate([np.zeros(0), *found])

    def of_fingerprints(self, keys: NDArray[np.uint64]) -> Array:
        """Return the same for the fingerprints of documents, shape (n,)."""
        return uniform(keys ^ np.uint64(derive(self.seed, "random") % (1 << 64)))


def uniform(numbers: NDArray[np.uint64]) -> Array:
    """Turn 64-bit numbers into numbers between 0 and 1, both excluded."""
    high = mixed(numbers) >> np.uint64(11)
    out: Array = (high.astype(np.float64) + 0.5) / 2.0**53
    return out
