"""DotaMath: solutions in sub-tasks whose code is run, and whose mistakes are mended on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.rewrite._book import Book
from ecotone.rewrite._grading import same_answer
from ecotone.rewrite._trajectory import (
    Turn,
    boxes,
    cell,
    model_spans,
    output_block,
    own_words,
    printed,
    read_turn,
    subtasks,
)
from ecotone.rewrite.result import Rewritten
from ecotone.rewrite.sandbox import run_code

PROMPT = """Solve the problem. Split it into numbered sub-tasks, and split again (1.1, 1.2) what is
still hard. For each write what it finds and one block of Python that prints it:

Sub-task 1: what is found
```python
print(1 + 1)
```

Stop after a block: what it prints will be put behind it. At the end write the final answer into
\\boxed{{}}.

Problem: {question}

Solution:
{solution}"""
# shown to the generator, never part of a solution: nobody says so once the model is in use
FAILED = "(The last block did not end well. Say why, then mend it.)\n"
WRONG = "(The final answer is wrong. Say what went wrong, then solve it anew from there.)\n"


@dataclass
class _Solution:
    """A solution while it is written."""

    doc: Doc
    answer: str
    number: int
    text: str = ""
    note: str = ""
    blocks: list[str] = field(default_factory=list)  # of code, those that ended well
    outputs: list[str] = field(default_factory=list)
    turns: int = 0
    mistakes: int = 0
    end: str | None = None  # "" when it is in use, else the cause


@method(name="dotamath", paper="li2024dotamath", needs={"text_model"}, handles=set())
class DotaMath:
    r"""Let a generator solve questions by code, block by block, and mend what goes wrong.

    The generator writes a sub-task and its code; the code is run in `run_code`; what it prints is
    put behind it; the generator goes on. When a block fails or the final answer differs from
    ``meta["answer"]``, it is told so and asked for the cause and another try. A solution is in use
    when its last boxed answer is right, no answer before it was right and then given up, code
    printed it, and its sub-tasks are numbered. Wrong tries that led to a right answer stay in.

    Training must have no loss on what was printed: `ecotone.rewrite._trajectory.loss_mask` makes
    the mask, and ``notes["model_spans"]`` holds the generator's own text of each example, in
    characters of its response.

    Parameters
    ----------
    allow_code : bool, default False
        Code that a generator writes is run only when this is said.
    samples : int, default 1
        Solutions of each question.
    corrections : int, default 2
        Mistakes of a solution, failed blocks and wrong answers, that may be mended.
    most_turns : int, default 12
        Answers of the generator for one solution.
    must_print : bool, default True
        Whether the final answer must stand in what some block printed, to six digits.
    seconds : float, default 5.0
        Of CPU for a block, with the earlier ones that it builds on.
    megabytes : int, default 256
        Of memory for a block.
    most_output : int, default 2000
        Characters of output that are shown; of more, head and tail.

    Examples
    --------
    >>> from ecotone.rewrite.generators import scripted
    >>> def model(prompt):
    ...     if "```output\n12" in prompt:
    ...         return "It is \\boxed{12}."
    ...     return "Sub-task 1: the product.\n```python\nprint(3 * 4)\n```"
    >>> done = DotaMath(allow_code=True).run(
    ...     [Doc("q", "3 * 4?", "", {"answer": "12"})],
    ...     scripted(model),
    ...     rng=np.random.default_rng(0),
    ... )
    >>> done.examples[0].response.splitlines()[-4:]
    ['```output', '12', '```', 'It is \\boxed{12}.']
    """

    def __init__(
        self,
        *,
        allow_code: bool = False,
        samples: int = 1,
        corrections: int = 2,
        most_turns: int = 12,
        must_print: bool = True,
        seconds: float = 5.0,
        megabytes: int = 256,
        most_output: int = 2000,
    ) -> None:
        if samples < 1 or corrections < 0 or most_turns < 1:
            raise BadInput(
                f"dotamath: samples={samples}, corrections={corrections}, most_turns={most_turns}.",
                cure="-p samples=1 -p corrections=2 -p most_turns=12",
            )
        self.allow_code = allow_code
        self.samples = samples
        self.corrections = corrections
        self.most_turns = most_turns
        self.must_print = must_print
        self.seconds = seconds
        self.megabytes = megabytes
        self.most_output = most_output

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Write all solutions turn by turn, run their code, keep what is right; draws nothing."""
        del rng
        if not self.allow_code:
            raise BadInput(
                "dotamath runs code that a generator wrote, and nobody has allowed it.",
                why="the sandbox shuts it in, but running foreign code is for you to decide.",
                cure="DotaMath(allow_code=True), or -p allow_code=true",
            )
        book = Book("dotamath", docs, ask)
        answers = [_answer(d) for d in book.docs]
        both = zip(book.docs, answers, strict=True)
        solutions = [_Solution(d, a, n) for d, a in both for n in range(self.samples)]
        while left := [s for s in solutions if s.end is None]:
            prompts = [self._prompt(s) for s in left]
            given = book.answers(prompts, lambda _, text: read_turn(text), [s.number for s in left])
            for solution, answer in zip(left, given, strict=True):
                if answer.value is None:
                    solution.end = answer.cause
                else:
                    self._take(solution, answer.value)
        _enter(book, solutions)
        return book.close()

    def _prompt(self, s: _Solution) -> str:
        return PROMPT.format(question=s.doc.text, solution=s.text) + s.note

    def _take(self, s: _Solution, turn: Turn) -> None:
        """Add a turn to a solution; run its code, or judge its answer."""
        s.text, s.turns, s.note = s.text + turn.text, s.turns + 1, ""
        if turn.code is None:
            self._judge(s)
        else:
            self._execute(s, turn.code)
        if s.end is None and s.turns == self.most_turns:
            s.end = "too many turns"

    def _execute(self, s: _Solution, code: str) -> None:
        ran = run_code(
            cell(s.blocks, code),
            seconds=self.seconds,
            megabytes=self.megabytes,
            most_output=self.most_output,
        )
        s.text += output_block(ran, self.seconds)
        if ran.cause:
            self._mistake(s, FAILED, "its code fails")
        else:
            s.blocks.append(code)
            s.outputs.append(ran.output)

    def _judge(self, s: _Solution) -> None:
        """Judge a final answer: right, wrong for now, or wrong after a right one."""
        said = own_words(s.text)
        right = [same_answer(b, s.answer) for b in boxes(said)]
        if sorted(right) != right:
            s.end = "gave up a right answer"
        elif not right[-1]:
            self._mistake(s, WRONG, "wrong answer")
        elif not s.blocks:
            s.end = "no code that ran"
        elif not subtasks(said):
            s.end = "no numbered sub-task"
        elif self.must_print and not printed(s.answer, s.outputs):
            s.end = "nothing printed the answer"
        else:
            s.end = ""

    def _mistake(self, s: _Solution, note: str, cause: str) -> None:
        s.mistakes += 1
        if s.mistakes > self.corrections:
            s.end = cause
        else:
            s.note = note


def _enter(book: Book, solutions: list[_Solution]) -> None:
    """Enter what is right; the turns of all others are not used after all."""
    causes: dict[str, str] = {}
    lost, blocks, seen, mended = Counter[str](), Counter[int](), set[tuple[str, str]](), 0
    for s in solutions:
        if not s.end and (s.doc.id, s.text) in seen:
            s.end = "the same solution again"
        if s.end:
            causes[s.doc.id] = s.end
            lost[f"its solution: {s.end}"] += s.turns
            continue
        seen.add((s.doc.id, s.text))
        book.add(s.doc, "solution", s.doc.text, s.text.rstrip("\n"))
        blocks[len(s.blocks)] += 1
        mended += s.mistakes > 0
    book.withdraw(lost)
    book.notes |= {
        "model_spans": {e.id: model_spans(e.response) for e in book.examples},
        "blocks": dict(sorted(blocks.items())),
        "mended": mended,
    }
    book.from_examples(causes)


def _answer(doc: Doc) -> str:
    found = str(doc.meta.get("answer", "")).strip()
    if not found:
        raise BadInput(
            f"question {doc.id} has no answer to check solutions with.",
            cure='pass Doc(id, question, domain, {"answer": "42"})',
        )
    return found
