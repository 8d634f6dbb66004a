"""How alike two texts are: longest common subsequence of words, shared runs of words."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

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


class Novelty:
    """Texts seen so far, by their words; says whether a new one is too much like one of them.

    A common subsequence is no longer than the words two texts share, counted with repeats. The
    index counts these for all texts at once, and only those that may reach the limit are compared
    in full: the answers are those of a comparison with every text.

    Parameters
    ----------
    limit : float
        ROUGE-L from which a text is too much like another one, above 0.
    texts : iterable of str
        The first of them.

    Examples
    --------
    >>> seen = Novelty(0.7)
    >>> seen.add("Name the bone of the upper arm.")
    >>> seen.like("Name a bone of the upper arm."), seen.like("What is a bone?")
    (True, False)
    """

    def __init__(self, limit: float, texts: Iterable[str] = ()) -> None:
        self.limit = limit
        self._texts: list[list[str]] = []
        self._lengths = array("i")
        # (word, how many of it came before in its text) -> places of texts
        self._where: dict[tuple[str, int], array[int]] = defaultdict(lambda: array("i"))
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take a text in."""
        w = words(text)
        for key in _numbered(w):
            self._where[key].append(len(self._texts))
        self._texts.append(w)
        self._lengths.append(len(w))

    def like(self, text: str) -> bool:
        """Whether ROUGE-L to a text seen so far reaches the limit."""
        w = words(text)
        found = [np.array(self._where[k]) for k in _numbered(w) if k in self._where]
        if not found:
            return False
        shared = np.bincount(np.concatenate(found), minlength=len(self._texts))
        least = self.limit * (np.array(self._lengths) + len(w)) / 2 - 1e-9
        near = np.flatnonzero(shared >= least).tolist()
        return any(rouge_l(w, self._texts[i]) >= self.limit for i in near)


def _numbered(w: list[str]) -> list[tuple[str, int]]:
    seen = Counter[str]()
    out = []
    for word in w:
        out.append((word, seen[word]))
        seen[word] += 1
    return out


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
