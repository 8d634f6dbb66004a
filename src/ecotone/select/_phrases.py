"""Key phrases of a text, and a graph of those that have been seen together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

PIECE = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[^\w\s]")


def key_phrases(text: str) -> tuple[str, ...]:
    """Return the best phrases of an English text, as many as a third of its different words.

    A phrase is a run of words between punctuation and function words. A word scores the mean
    length of the phrases it stands in, a phrase the sum of its words, which finds terms (rapid
    automatic keyword extraction).

    Examples
    --------
    >>> key_phrases("The rate of convergence of the conjugate gradient method is linear.")
    ('conjugate gradient method', 'convergence')
    """
    runs: list[tuple[str, ...]] = [()]
    for piece in PIECE.findall(text.lower()):
        if piece in ENGLISH_STOP_WORDS or not piece[0].isalnum():
            runs.append(())
        else:
            runs[-1] = (*runs[-1], piece)
    runs = [run for run in runs if run]
    seen = Counter(word for run in runs for word in run)
    degree: Counter[str] = Counter()
    for run in runs:
        degree.update({word: len(run) * run.count(word) for word in run})
    worth = {run: sum(degree[w] / seen[w] for w in run) for run in runs}
    best = sorted(worth, key=lambda run: (-worth[run], run))
    return tuple(" ".join(run) for run in best[: max(1, len(seen) // 3)])


class ConceptGraph:
    """Concepts, joined where one accepted text holds both.

    Examples
    --------
    >>> graph = ConceptGraph()
    >>> [graph.accept(c) for c in (["a", "b"], ["c"], ["b", "c"], ["c", "d"])]
    [True, True, False, True]
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()

    def accept(self, concepts: Iterable[str]) -> bool:
        """Join the concepts, unless two of them stood in the graph and were never together."""
        mine = sorted(set(concepts))
        pairs = list(combinations(mine, 2))
        if any(a in self.known and b in self.known and (a, b) not in self.pairs for a, b in pairs):
            return False
        self.known.update(mine)
        self.pairs.update(pairs)
        return True
