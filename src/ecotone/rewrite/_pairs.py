"""Questions and answers about a passage: cut it, read what was written, see what it supports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ecotone.rewrite._similarity import runs, support, words
from ecotone.rewrite.asking import BYTES_A_TOKEN

NOES = frozenset(("no", "false"))
LABELS = NOES | {"yes", "maybe", "true"}
# a letter alone marks a turn only as a capital before a colon: "A. red" is a choice, "a: int" code
_MARK = re.compile(r"(?:\d{1,2}[.)] )?((?i:question|answer)|Q|A)(?: ?\d{1,2})?: ?(.*)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Pair(NamedTuple):
    """A question and its answer; neither holds an empty line."""

    question: str
    answer: str


def pieces(text: str, tokens: int) -> list[str]:
    r"""Cut a text where paragraphs, lines or words end; joined, the pieces are the text.

    Examples
    --------
    >>> pieces("One two.\n\nThree four.", 4)
    ['One two.\n\n', 'Three four.']
    """
    out: list[list[str]] = [[]]
    room = left = tokens * BYTES_A_TOKEN
    for part in _parts(text, room, (r"\n\s*\n", r"\n", r"(?<=[.!?])\s+", r"\s+")):
        size = len(part.encode())
        if out[-1] and size > left:
            out.append([])
            left = room
        out[-1].append(part)
        left -= size
    return ["".join(p) for p in out]


def _parts(text: str, room: int, ends: Sequence[str]) -> list[str]:
    """Return parts that fit, cut at the coarsest ends that make them fit."""
    if len(text.encode()) <= room:
        return [text]
    if not ends:  # one long word: cut anywhere, a character has four bytes at most
        size = max(room // 4, 1)
        return [text[i : i + size] for i in range(0, len(text), size)]
    cuts = [0, *(m.end() for m in re.finditer(ends[0], text)), len(text)]
    whole = [text[a:b] for a, b in pairwise(cuts) if a < b]
    return [p for part in whole for p in _parts(part, room, ends[1:])]


def read_pairs(text: str) -> list[Pair]:
    r"""Return the complete pairs of an answer, line by line; a half without the other is left out.

    Examples
    --------
    >>> read_pairs("Sure!\n1. Q: Why?\nA: It is late,\nand dark.\nQ: And now?")
    [Pair(question='Why?', answer='It is late,\nand dark.')]
    """
    turns: list[tuple[str, list[str]]] = []
    for raw in text.splitlines():
        line = raw.replace("**", "").strip().lstrip("-*#> ")
        found = _MARK.fullmatch(line)
        if found:
            turns.append((found[1][0].upper(), [found[2].strip()]))
        elif turns and line:
            turns[-1][1].append(line)
    said = [(who, "\n".join(filter(None, lines))) for who, lines in turns]
    return [Pair(q, a) for (i, q), (j, a) in pairwise(said) if i == "Q" and j == "A" and q and a]


def grounded(answer: str, text: str, length: int) -> float:
    """Return the share of the runs of `length` words of an answer that a text holds, in [0, 1].

    A number that the text does not hold makes it 0: it is what generators invent most.

    Examples
    --------
    >>> grounded("in the red house", "He lives in the red barn.", 2), grounded("1848", "1849", 1)
    (0.6666666666666666, 0.0)
    """
    there = set(_NUMBER.findall(text))
    if any(n not in there for n in _NUMBER.findall(answer)):
        return 0.0
    if length == 1:
        return support(answer, text)
    mine = runs(answer, min(length, max(len(words(answer)), 1)))
    theirs = runs(text, len(next(iter(mine), ())))
    return len(mine & theirs) / len(mine) if mine else 0.0


def label_of(answer: str) -> str:
    """Return the words of an answer, to compare with `LABELS`."""
    return " ".join(words(answer))


def supported(pair: Pair, text: str, length: int) -> float:
    """Return how far a text supports a pair: its answer; after yes or no, its question.

    What is denied may hold a number that the text does not.
    """
    label = label_of(pair.answer)
    if label in NOES:
        return support(pair.question, text)
    if label in LABELS:
        return grounded(pair.question, text, 1)
    return grounded(pair.answer, text, length)
