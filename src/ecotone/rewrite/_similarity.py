"""How alike two texts are: longest common subsequence of words, shared runs of words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    Examples
    --------
    >>> words("It's 3.5!")
    ['it', 's', '3', '5']
    """
    return WORD.findall(text.lower())


def common_length(a: list[str], b: list[str]) -> int:
    """Return the length of the longest common subsequence. O(len(a) len(b) / word size).

    Each row of the table is one long integer whose set bits mark where the length grows.

    References
    ----------
    Hyyro, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    places: dict[str, int] = defaultdict(int)
    for i, word in enumerate(a):
        places[word] |= 1 << i
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        hit = row & places.get(word, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(a) - row.bit_count()


def rouge_l(a: list[str], b: list[str]) -> float:
    """Return the F1 of the longest common subsequence of words, in [0, 1].

    Examples
    --------
    >>> rouge_l("a b c d".split(), "a c d e".split())
    0.75
    """
    return 2 * common_length(a, b) / (len(a) + len(b)) if a and b else 0.0


class Pool:
    """Texts seen so far; says whether a new one is too much like one of them.

    A common subsequence is no longer than the words two texts share, counted with repeats: only
    the texts for which that bound passes the limit are compared in full.
    """

    def __init__(self, limit: float, texts: Iterable[str] = ()) -> None:
        self.limit = limit
        self._texts: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take a text in."""
        w = words(text)
        self._texts.append((w, Counter(w)))

    def like(self, text: str) -> bool:
        """Whether ROUGE-L to a text of the pool reaches the limit."""
        w = words(text)
        mine = Counter(w)
        for other, theirs in self._texts:
            least = self.limit * (len(w) + len(other)) / 2
            if min(len(w), len(other)) < least or (mine & theirs).total() < least:
                continue
            if rouge_l(w, other) >= self.limit:
                return True
        return False


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """Return every run of so many words in a row; a shorter text is one run of its own.

    Examples
    --------
    >>> sorted(runs("a b c", 2))
    [('a', 'b'), ('b', 'c')]
    """
    w = words(text)
    if len(w) <= length:
        return {tuple(w)} if w else set()
    return {tuple(w[i : i + length]) for i in range(len(w) - length + 1)}


class HeldOut:
    """Texts that training must not see, as runs of words."""

    def __init__(self, texts: Iterable[str], length: int = 13) -> None:
        self.length = length
        self._runs = {r for t in texts for r in runs(t, length)}
        self._short = {r for r in self._runs if len(r) < length}

    def in_text(self, text: str) -> bool:
        """Whether a text shares a run with a held-out one, or holds a short one whole."""
        if not self._runs:
            return False
        if runs(text, self.length) & self._runs:
            return True
        return any(runs(text, n) & self._short for n in {len(r) for r in self._short})


def support(text: str, passage: str) -> float:
    """Return the share of the words of a text, of four letters and more, that a passage holds.

    A text without such words counts by all of its words.
    """
    there = set(words(passage))
    mine = [w for w in words(text) if len(w) > 3] or words(text)
    return sum(w in there for w in mine) / len(mine) if mine else 0.0
