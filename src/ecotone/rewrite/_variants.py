"""Problems varied by operators: what is asked, how answers are read, which say the same."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from ecotone.rewrite._grading import number, plain_answer
from ecotone.rewrite._similarity import HeldOut, Novelty, words
from ecotone.rewrite._tasks import LONGEST, alphabet

OPERATORS = {
    "numbers": "Keep the story; give some of its quantities other values.",
    "fractions": "Let a fraction or a percentage play a part in it.",
    "concepts": "Join it with one or two other ideas of mathematics.",
    "condition": "Add a statement of the form: if this holds, then that happens.",
    "complexity": "Let it take more steps than now.",
}
SHORTEST = 4  # words of a problem
_MARK = re.compile(r"(?:(?:new )?(?:problem|question|variant) )?#?([1-5])[.):] ?(.*)", re.I)
_LABEL = re.compile(r"\*\*((?:[1-5][.)] ?)?)[^*\d]{1,60}(?::\*\*|\*\*:)")
_END = re.compile(r"(?:answer|solution)\b.{0,3}:", re.I)
_NUMBERS = re.compile(r"\d+(?:[.,/]\d+)*%?")


def read_variants(text: str) -> list[tuple[str, str]]:
    r"""Return (operator, problem) for each numbered problem of an answer, the first of a number.

    A problem goes on until an empty line, the next number or a solution.

    Examples
    --------
    >>> read_variants("Sure!\n1. Ann has\n5 nuts.\nAnswer: 5\n\n**2. Share:** Ann has 20 %.")
    [('numbers', 'Ann has 5 nuts.'), ('fractions', 'Ann has 20 %.')]
    """
    found: dict[int, list[str]] = {}
    here: list[str] | None = None
    for raw in text.splitlines():
        plain = raw.replace("**", "").strip().lstrip("-*#> ")
        line = _LABEL.sub(r"\1", raw).replace("**", "").strip().lstrip("-*#> ")
        mark = _MARK.fullmatch(line)
        if mark and int(mark[1]) not in found:
            here = found[int(mark[1])] = [mark[2]]
        elif not line or mark or _END.match(plain):
            here = None
        elif here is not None:
            here.append(line)
    names = list(OPERATORS)
    joined = {i: " ".join(" ".join(lines).split()) for i, lines in found.items()}
    return [(names[i - 1], problem) for i, problem in sorted(joined.items()) if problem]


class Fresh:
    """Problems seen so far; says what keeps a variant from being a new one.

    Two problems with the same numbers are one when ROUGE-L reaches the limit: with other numbers
    the same words are another problem.

    Parameters
    ----------
    seeds : iterable of str
        Problems that are there already.
    limit : float
        ROUGE-L.
    held_out : iterable of str
        Texts of the evaluation.

    Examples
    --------
    >>> fresh = Fresh(["Ann has 3 nuts. How many?"], 0.9)
    >>> [fresh.cause(f"Ann has {n} nuts. How many?", "Ann has 3 nuts.") for n in (3, 4, 4)]
    ['like another problem', '', 'like another problem']
    """

    def __init__(self, seeds: Iterable[str], limit: float, held_out: Iterable[str] = ()) -> None:
        self._held = HeldOut(held_out)
        self._seen: dict[tuple[str, ...], Novelty] = defaultdict(lambda: Novelty(limit))
        for text in seeds:
            self._seen[_numbers(text)].add(text)

    def cause(self, variant: str, seed: str) -> str:
        """Return why a variant of a seed is not taken; "" when it is, and is now among the seen."""
        if variant in OPERATORS.values():
            return "copies the prompt"
        said = len(words(variant))
        if not SHORTEST <= said <= LONGEST:
            return "too short" if said < SHORTEST else "too long"
        if alphabet(variant) not in (alphabet(seed), ""):
            return "another script"
        if self._held.in_text(variant):
            return "shares text with the evaluation"
        same = self._seen[_numbers(variant)]
        if same.like(variant):
            return "like another problem"
        same.add(variant)
        return ""


def agreed(answers: Sequence[Hashable], least: float) -> Hashable:
    """Return the most frequent answer; None when it is not alone, or rarer than that.

    Examples
    --------
    >>> agreed([7, 7, 8, None], 0.5), agreed([7, 7, 8, 8], 0.5), agreed([7, None, None], 0.5)
    (7, None, None)
    """
    top = Counter(a for a in answers if a is not None).most_common(2)
    alone = top and (len(top) == 1 or top[0][1] > top[1][1])
    return top[0][0] if alone and top[0][1] >= least * len(answers) else None


def form(answer: str) -> Hashable:
    """Return what two answers have in common when they say the same.

    Examples
    --------
    >>> form("0.5") == form("1/2"), form("$x+1$") == form("x + 1")
    (True, True)
    """
    value = number(answer)
    return plain_answer(answer) if value is None else value


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(sorted(_NUMBERS.findall(text)))
