"""Tasks that stand in raw text already: connectives, definitions, lists of terms, endings.

Texts are walked sentence by sentence, in one pass, so that a line of a megabyte costs what its
length says and no regular expression ever has two ways to match.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np

# what a sentence begins with -> how it stands to the one before
CONNECTIVES = {
    "entail": ("therefore", "thus", "accordingly", "hence", "for this reason", "consequently"),
    "contradict": ("however", "but", "on the contrary", "in contrast", "whereas"),
    "neutral": ("furthermore", "moreover", "in addition", "additionally", "also", "secondly"),
    "paraphrase": ("in other words", "that is to say", "put differently", "that is"),
    "support": ("for example", "for instance", "as an example", "specifically", "in particular"),
}
CAUSES = ("due to", "on account of", "owing to", "because of")
_BEGINS = {
    kind: re.compile(rf"({'|'.join(words)}),\s+(?=\w)", re.IGNORECASE)
    for kind, words in CONNECTIVES.items()
}
_CAUSE = re.compile(rf",? ({'|'.join(CAUSES)}) ", re.IGNORECASE)
_DEFINES = re.compile(
    r"(?:An? |The )?(?P<term>[A-Za-z][\w-]*(?: [\w-]+){0,3}) (?:is|are) "
    r"(?:defined as|an?|the name of|a kind of|a type of) (?P<rest>.{20,})"
)
# a full stop behind these ends no sentence
_SHORT = frozenset((
    "e.g", "i.e", "etc", "vs", "cf", "fig", "eq", "al", "dr", "mr", "mrs", "ms", "prof", "st",
    "no", "vol", "pp", "ed", "inc", "ltd", "jr", "sr", "approx", "dept",
))  # fmt: skip
_STOP = re.compile(r"[.!?](?=\s|$)")
_VAGUE = frozenset((
    "it", "this", "that", "these", "those", "there", "he", "she", "they", "we", "you", "i",
    "which", "what", "who", "here",
))  # fmt: skip
LEAST, MOST = 50, 400  # characters of a sentence that can carry a task


class Mined(NamedTuple):
    """One task found in a text: its kind, what is given, what is to be said."""

    kind: str
    given: str
    answer: str


def sentences(text: str) -> list[str]:
    """Cut prose into sentences; paragraphs end one too. O(len(text)).

    Examples
    --------
    >>> sentences("See e.g. Fig. 3.5 of it. Then stop!")
    ['See e.g. Fig. 3.5 of it.', 'Then stop!']
    """
    out = []
    for paragraph in re.split(r"\n\s*\n", text):
        plain, start = " ".join(paragraph.split()), 0
        for stop in _STOP.finditer(plain):
            word = plain[max(stop.start() - 12, start) : stop.start()].rpartition(" ")[2]
            abbreviated = word.lower().lstrip("(") in _SHORT or (len(word) == 1 and word.isalpha())
            if stop.group() == "." and (
                abbreviated or (word.isdigit() and word == plain[start : stop.start()])
            ):
                continue  # an abbreviation, an initial, the number of a list
            out.append(plain[start : stop.end()].strip())
            start = stop.end()
        if plain[start:].strip():
            out.append(plain[start:].strip())
    return out


def is_sentence(text: str) -> bool:
    """Whether it can carry a task: a full sentence of words, of a fair length."""
    letters = sum(c.isalpha() or c == " " for c in text)
    return (
        LEAST <= len(text) <= MOST
        and text[0].isupper()
        and text[-1] == "."
        and letters > 0.85 * len(text)
    )


def mine(text: str) -> list[Mined]:
    """Return every task of pairs, causes and definitions, in the order of the text."""
    out: list[Mined] = []
    whole = sentences(text)
    for before, after in pairwise(whole):
        if not is_sentence(before):
            continue
        for kind, begins in _BEGINS.items():
            found = begins.match(after)
            if found:
                rest = after[found.end() :]
                rest = rest[:1].upper() + rest[1:]
                if is_sentence(rest):
                    out.append(Mined(kind, before, rest))
    for sentence in filter(is_sentence, whole):
        cause = _CAUSE.search(sentence)
        if cause and cause.start() >= 25 and len(sentence) - cause.end() >= 15:
            effect, reason = sentence[: cause.start()], sentence[cause.end() : -1]
            out.append(Mined("cause", f"{effect}.", f"{cause[1].capitalize()} {reason}."))
        define = _DEFINES.match(sentence)
        if define and define["term"].split()[0].lower() not in _VAGUE:
            out.append(Mined("definition", define["term"], sentence))
    return out


def ending(text: str, rng: np.random.Generator) -> tuple[str, str] | None:
    """Cut prose of four sentences or more between two of them; None when there are fewer."""
    whole = sentences(text)
    if len(whole) < 4 or sum(map(is_sentence, whole)) < 3:
        return None
    cut = int(rng.integers(2, len(whole)))
    return " ".join(whole[:cut]), " ".join(whole[cut:])


def terms(text: str, general: frozenset[str], most: int = 5) -> list[str]:
    """Return long words of a text that a general vocabulary lacks, the frequent ones first."""
    words = re.findall(r"\b[a-z]{11,}\b", text.lower())
    counts = Counter(w for w in words if w not in general)
    return [w for w, _ in sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:most]]
