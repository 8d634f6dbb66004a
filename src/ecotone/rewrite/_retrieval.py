"""Look passages up by the words of a question (BM25); how varied a set of texts is."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from ecotone.rewrite._similarity import words


class Passages:
    r"""Passages in an index of words.

    For a question Q and a passage of L words, with f the count of a word in the passage, n the
    passages that hold it, N all of them:

    .. math:: \sum_{w \in Q} \log\Bigl(1 + \frac{N - n + 1/2}{n + 1/2}\Bigr)
        \frac{f (k + 1)}{f + k (1 - b + b L / \bar L)}

    Parameters
    ----------
    texts : sequence of str
        The passages. Memory: 12 bytes for every pair of passage and word in it.
    saturation, length_share : float
        k and b.

    References
    ----------
    Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009.

    Examples
    --------
    >>> Passages(["The cat sits.", "The dog runs and runs."]).best("Which dog runs?", 2)
    [1]
    """

    def __init__(
        self, texts: Sequence[str], *, saturation: float = 1.2, length_share: float = 0.75
    ) -> None:
        self.size = len(texts)
        cut = [words(t) for t in texts]
        lengths = np.array([len(w) for w in cut], dtype=np.float64)
        mean = max(lengths.mean(), 1.0) if self.size else 1.0
        room = saturation * (1 - length_share + length_share * lengths / mean)
        where: dict[str, array[int]] = defaultdict(lambda: array("i"))
        often: dict[str, array[int]] = defaultdict(lambda: array("i"))
        for i, found in enumerate(cut):
            for word, count in Counter(found).items():
                where[word].append(i)
                often[word].append(count)
        self._scores = {}
        for word, ids in where.items():
            rare = np.log(1 + (self.size - len(ids) + 0.5) / (len(ids) + 0.5))
            f, places = np.array(often[word], dtype=np.float64), np.array(ids)
            self._scores[word] = places, rare * f * (saturation + 1) / (f + room[places])

    def scores(self, question: str) -> np.ndarray:
        """Return the score of every passage, float64 (size,); words said twice count twice."""
        found = [self._scores[w] for w in words(question) if w in self._scores]
        if not found:
            return np.zeros(self.size)
        places, parts = (np.concatenate(p) for p in zip(*found, strict=True))
        return np.bincount(places, parts, minlength=self.size)

    def best(self, question: str, many: int) -> list[int]:
        """Return the places of the best passages, best first; none that shares no word."""
        scores = self.scores(question)
        order = np.argsort(-scores, kind="stable")[:many]
        return [int(i) for i in order if scores[i] > 0]


def distinct(texts: Iterable[str]) -> float:
    """Return the share of different ones among all pairs of neighbouring words: low is collapse.

    Examples
    --------
    >>> distinct(["name a bone", "name a star"])
    0.75
    """
    both = [p for t in texts for p in pairwise(words(t))]
    return len(set(both)) / len(both) if both else 0.0
