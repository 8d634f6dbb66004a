"""DART: rejection sampling that spends its answers where questions are hard."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._grading import solves
from ecotone.rewrite.result import Rewritten

PROMPT = """Solve this problem step by step. Put the final answer into \\boxed{{}}.

{question}"""


@dataclass
class _Question:
    """A question and its sampling so far."""

    doc: Doc
    answer: str
    trials: int = 0
    probes: int = 0  # correct ones among the first trials, which measure how hard it is
    right: list[str] = field(default_factory=list)


@method(name="dart_math", paper="tong2024dart", needs={"text_model"}, handles=set())
class DartMath:
    r"""Sample solutions until each question has as many correct ones as its difficulty asks for.

    The first `probe` samples of a question measure how hard it is for the generator:

    .. math:: d_q = 1 - \frac{\text{correct}}{\text{probe}}, \qquad
        k_q = k \ (\text{uniform}), \quad
        k_q = \max\bigl(1, \lfloor k\, d_q / \max_p d_p + 1/2 \rfloor\bigr) \ (\text{difficulty})

    Sampling goes on, sample by sample, until k_q different correct solutions are there or `most`
    samples are spent. Documents are questions; ``meta["answer"]`` holds the right answer.

    Parameters
    ----------
    rule : str, default "difficulty"
        "difficulty", "uniform", or "vanilla": `probe` samples of each, all correct ones kept.
    wanted : int, default 8
        k, the most correct solutions of a question.
    probe : int, default 8
        Samples that measure difficulty; they count as samples like all others.
    most : int, default 64
        Samples of one question at most.

    Examples
    --------
    >>> from ecotone.rewrite.generators import scripted
    >>> ask = scripted(lambda prompt, n: rf"Try {n}: \boxed{{{4 if n % 2 else 5}}}")
    >>> done = DartMath(wanted=2, probe=4).run(
    ...     [Doc("q", "2 + 2?", "", {"answer": "4"})], ask, rng=np.random.default_rng(0)
    ... )
    >>> [e.response for e in done.examples]
    ['Try 1: \\boxed{4}', 'Try 3: \\boxed{4}']
    """

    def __init__(
        self, *, rule: str = "difficulty", wanted: int = 8, probe: int = 8, most: int = 64
    ) -> None:
        if rule not in ("difficulty", "uniform", "vanilla"):
            raise BadInput(f"dart_math: there is no rule {rule!r}.", cure="-p rule=difficulty")
        if not 1 <= probe <= most or wanted < 1:
            raise BadInput(
                f"dart_math: probe={probe}, most={most}, wanted={wanted} do not fit.",
                cure="-p wanted=8 -p probe=8 -p most=64",
            )
        self.rule = rule
        self.wanted = wanted
        self.probe = probe
        self.most = most

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Sample, grade, and keep what is wanted; which of too many are kept is drawn."""
        book = Book("dart_math", docs, ask)
        questions = [_Question(d, _answer(d)) for d in book.docs]
        for _ in range(self.probe):
            self._round(book, questions)
        for q in questions:
            q.probes = len(q.right)
        hard = 1 - np.array([q.probes for q in questions]) / self.probe
        wanted = self._wanted(hard)
        while left := self._unfinished(questions, wanted):
            self._round(book, left)
        self._enter(book, questions, wanted, rng)
        book.notes |= {
            "difficulty": {q.doc.id: float(h) for q, h in zip(questions, hard, strict=True)},
            "trials": {q.doc.id: q.trials for q in questions},
        }
        self._tell(book, questions)
        return book.close()

    def _round(self, book: Book, questions: list[_Question]) -> None:
        """Take one more sample of each question."""

        def check(i: int, text: str) -> str:
            if not solves(text, questions[i].answer):
                raise Unfit("wrong answer")
            if text.strip() in questions[i].right:
                raise Unfit("the same solution again")
            return text.strip()

        prompts = [PROMPT.format(question=q.doc.text) for q in questions]
        given = book.answers(prompts, check, [q.trials for q in questions])
        for q, answer in zip(questions, given, strict=True):
            q.trials += 1
            q.right += [answer.value] if answer.value is not None else []

    def _wanted(self, hard: Any) -> list[int]:
        if self.rule == "vanilla":
            return [self.most] * len(hard)
        if self.rule == "uniform" or hard.max() == 0:
            # no question was missed once: there is no difference to follow
            return [self.wanted] * len(hard)
        return [max(1, math.floor(self.wanted * h / hard.max() + 0.5)) for h in hard.tolist()]

    def _unfinished(self, questions: list[_Question], wanted: list[int]) -> list[_Question]:
        if self.rule == "vanilla":
            return []
        both = zip(questions, wanted, strict=True)
        return [q for q, k in both if len(q.right) < k and q.trials < self.most]

    def _enter(
        self, book: Book, questions: list[_Question], wanted: list[int], rng: np.random.Generator
    ) -> None:
        """Keep k of the correct solutions, any of them: the first are the likeliest ones."""
        for q, k in zip(questions, wanted, strict=True):
            kept = sorted(rng.permutation(len(q.right))[:k].tolist())
            for i in kept:
                book.add(q.doc, "solution", q.doc.text, q.right[i])
        book.from_examples({q.doc.id: "never solved" for q in questions})

    def _tell(self, book: Book, questions: list[_Question]) -> None:
        lost = [q for q in questions if not q.right]
        spent, whole = sum(q.trials for q in lost), sum(q.trials for q in questions)
        book.notes["trials without success"] = spent
        if spent > 0.25 * whole:
            book.findings.append(
                Finding(
                    "W502",
                    f"{len(lost)} of {len(questions)} questions were never solved and took "
                    f"{spent} of {whole} samples; some may have a wrong answer key.",
                    "look at them, or lower -p most",
                )
            )


def _answer(doc: Doc) -> str:
    found = doc.meta.get("answer")
    if found is None or not str(found).strip():
        raise BadInput(
            f"question {doc.id} has no answer to check solutions with.",
            cure='pass Doc(id, question, domain, {"answer": "42"})',
        )
    return str(found)
