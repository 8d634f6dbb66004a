"""MuggleMath: questions are varied in five ways, answered several times, settled by a vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._grading import final_answer
from ecotone.rewrite._scaling import LEAST_NEAR, LEAST_SEEDS, USUAL, reach
from ecotone.rewrite._variants import OPERATORS, Fresh, agreed, form, read_variants
from ecotone.rewrite.result import Rewritten

VARY = """Here is a problem. Write five new ones from it, each of which can be solved and has one \
answer. Begin each with its number, on a line of its own. Do not solve them.

{operators}

Problem: {question}"""
SOLVE = """Work this problem out step by step. End with a line that begins: The answer is

Problem: {question}"""


class _Question(NamedTuple):
    """A seed, or a question made from one."""

    source: Doc
    kind: str  # an operator, or "seed"
    text: str
    asked: int  # which answer to the operators it came with
    known: Hashable = None  # the right answer, in one form


@method(name="mugglemath", paper="li2024mugglemath", needs={"text_model"}, handles=set())
class MuggleMath:
    r"""Make new questions of every seed with five operators, and answer each several times.

    Seeds are documents; ``meta["answer"]`` holds the right answer where it is known. One answer
    of the generator brings a variant by each operator of `OPERATORS`. A variant with the numbers
    of a question seen before counts as the same when their ROUGE-L reaches `likeness`. Nobody
    knows the answer of a new question: of its samples the most frequent final answer A is taken,

    .. math:: \hat A = \arg\max_A v_A, \quad \text{if it is the only one and } v_{\hat A}
        \ge \text{least\_agreement} \cdot \text{samples},

    and the different solutions that end in it are its examples; else there is none. Seeds with an
    answer are sampled likewise, and their right solutions are examples too; ``notes["vote"]`` says
    how often the vote would have been right about them.

    Given `target_questions`, finding W507 says when fewer than half of them lie as near to a
    question made as four of five seeds do (`ecotone.rewrite._scaling.reach`). What more data
    bring is fitted by `scaling_fit` there.

    Parameters
    ----------
    rounds : int, default 1
        Times that each seed is varied, five variants each time.
    samples : int, default 5
        Answers to each question.
    least_agreement : float, default 0.5
        Share of the samples that the most frequent answer needs.
    likeness : float, default 0.9
        See above.
    held_out : sequence of str, default ()
        Texts of the evaluation; a variant that shares 13 words in a row with one is dropped.
    target_questions : sequence of str, default ()
        Questions like those that are to be answered in the end; only compared.

    Examples
    --------
    >>> seed = Doc("s", "Ann has 3 nuts and buys 4. How many now?", "", {"answer": "7"})
    >>> def model(prompts):
    ...     solved = "3 + 4 = 7. The answer is 7."
    ...     varied = "1. Ann has 5 nuts and buys 2. How many now?"
    ...     return [solved if p.startswith("Work") else varied for p in prompts]
    >>> done = MuggleMath(samples=1).run([seed], model, rng=np.random.default_rng(0))
    >>> [(e.kind, e.prompt) for e in done.examples]  # doctest: +NORMALIZE_WHITESPACE
    [('seed', 'Ann has 3 nuts and buys 4. How many now?'),
     ('numbers', 'Ann has 5 nuts and buys 2. How many now?')]
    """

    def __init__(
        self,
        *,
        rounds: int = 1,
        samples: int = 5,
        least_agreement: float = 0.5,
        likeness: float = 0.9,
        held_out: Sequence[str] = (),
        target_questions: Sequence[str] = (),
    ) -> None:
        if min(rounds, samples) < 1 or not (0 <= least_agreement <= 1 and 0 < likeness <= 1):
            raise BadInput(
                f"mugglemath: rounds={rounds}, samples={samples}, least_agreement="
                f"{least_agreement}, likeness={likeness} make no sense.",
                cure="-p rounds=1 -p samples=5 -p least_agreement=0.5 -p likeness=0.9",
            )
        self.rounds = rounds
        self.samples = samples
        self.least_agreement = least_agreement
        self.likeness = likeness
        self.held_out = held_out
        self.target_questions = target_questions

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Vary, answer, vote; nothing is drawn, and the order of documents changes nothing."""
        del rng
        book = Book("mugglemath", docs, ask)
        seeds = sorted(book.docs, key=lambda d: d.id)
        for doc in seeds:
            book.keep(doc)
        if self.target_questions and len(seeds) < LEAST_SEEDS:
            raise BadInput(
                f"mugglemath: {len(seeds)} seeds are too few to compare target questions with.",
                why="how far apart questions of one kind lie is measured between seeds.",
                cure=f"give {LEAST_SEEDS} seeds or more, or no target_questions",
            )
        made = self._vary(book, seeds)
        known = [_Question(d, "seed", d.text, -1, form(str(a))) for d, a in _answered(seeds)]
        used = self._solve(book, known + made)
        lost = {q.asked for q in made} - {q.asked for q in used}
        book.withdraw({"no variant was answered": len(lost)} if lost else {})
        self._look_out(book, seeds, [q for q in used if q.kind != "seed"])
        return book.close()

    def _vary(self, book: Book, seeds: list[Doc]) -> list[_Question]:
        """Ask for variants of every seed; return those that are new and well formed."""
        jobs = [d for _ in range(self.rounds) for d in seeds]
        said = "\n".join(f"{i}. {what}" for i, what in enumerate(OPERATORS.values(), 1))
        fresh = Fresh([d.text for d in seeds], self.likeness, self.held_out)
        counts = Counter[str]()

        def check(i: int, text: str) -> list[_Question]:
            kept, causes = [], []
            for kind, variant in read_variants(text):
                cause = fresh.cause(variant, jobs[i].text)
                causes.append(cause or "kept")
                if not cause:
                    kept.append(_Question(jobs[i], kind, variant, i))
            counts.update(causes)
            if not kept:
                raise Unfit(causes[0] if causes else "no numbered question")
            return kept

        prompts = [VARY.format(operators=said, question=d.text) for d in jobs]
        given = book.answers(prompts, check, [i // len(seeds) for i in range(len(jobs))])
        book.notes["variants"] = dict(sorted(counts.items()))
        return [q for g in given for q in g.value or ()]

    def _solve(self, book: Book, questions: list[_Question]) -> list[_Question]:
        """Sample answers to every question, enter what the vote lets pass; return what it let."""
        jobs = [(q, n) for q in questions for n in range(self.samples)]
        prompts = [SOLVE.format(question=q.text) for q, _ in jobs]
        forms: list[Hashable] = [None] * len(jobs)

        def check(i: int, text: str) -> str:
            found = final_answer(text)
            if not found or text.strip() == prompts[i]:
                raise Unfit("no final answer" if not found else "copies the prompt")
            forms[i] = form(found)
            if jobs[i][0].known not in (None, forms[i]):
                raise Unfit("wrong answer")
            return text.strip()

        given = book.answers(prompts, check, [n for _, n in jobs])
        lost, vote, used = Counter[str](), Counter[str](), []
        for i, q in enumerate(questions):
            own = range(i * self.samples, (i + 1) * self.samples)
            winner = agreed([forms[j] for j in own], self.least_agreement)
            if q.known is not None:
                vote.update(agreed=winner is not None, right=winner == q.known)
                winner = q.known
            right: list[str] = []
            for j in own:
                if given[j].value is None:
                    continue
                if forms[j] == winner and given[j].value not in right:
                    right.append(given[j].value)
                else:
                    lost[_why(winner, forms[j])] += 1
            for solution in right:
                book.add(q.source, q.kind, q.text, solution)
            used += [q] if right else []
        book.withdraw(lost)
        book.notes["vote"] = dict(vote)
        return used

    def _look_out(self, book: Book, seeds: list[Doc], made: list[_Question]) -> None:
        """Say whether the target lies where questions were made."""
        if not self.target_questions or not made:
            return
        place = {d.id: i for i, d in enumerate(seeds)}
        found = reach(
            self.target_questions, [q.text for q in made], [d.text for d in seeds],
            [place[q.source.id] for q in made],
        )  # fmt: skip
        book.notes["reach"] = found._asdict()
        if found.near < LEAST_NEAR:
            book.findings.append(
                Finding(
                    "W507",
                    f"few target questions are near the augmented ones ({100 * found.near:.0f} % "
                    f"of them, {100 * USUAL:.0f} % of the seeds): what is won here will not carry "
                    "over.",
                    "add seeds like the target questions, one in ten",
                )
            )


def _answered(seeds: list[Doc]) -> list[tuple[Doc, Any]]:
    pairs = [(d, d.meta.get("answer")) for d in seeds]
    return [(d, a) for d, a in pairs if a is not None and str(a).strip()]


def _why(winner: Hashable, form: Hashable) -> str:
    if winner is None:
        return "no agreement"
    return "the same solution again" if form == winner else "outvoted"
