"""Solutions in turns of thought, code and output: read them, say who wrote what, run their code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.rewrite._book import Unfit
from ecotone.rewrite._grading import final_answer, number, same_answer
from ecotone.rewrite.sandbox import Ran

FENCE = "```"
_OPENS = re.compile(r"```[ \t]*(python3?|py|output)[ \t]*", re.IGNORECASE)
_BOX = re.compile(r"\\boxed\{")
_SUBTASK = re.compile(r"^\W*sub-?task (\d+(?:\.\d+)*)", re.IGNORECASE | re.MULTILINE)
# earlier blocks are run again for what they define; each solution starts from the same seed
_CELL = """
import random, sys
space = {{"__name__": "__main__", "__builtins__": __builtins__}}
class Quiet:
    def write(self, text): return len(text)
    def flush(self): pass
loud, sys.stdout = sys.stdout, Quiet()
random.seed(0)
for block in {before!r}:
    try:
        exec(compile(block, "<block>", "exec", dont_inherit=True), space)
    except SystemExit:
        pass
sys.stdout = loud
exec(compile({now!r}, "<block>", "exec", dont_inherit=True), space)
"""


class Segment(NamedTuple):
    """A part of a solution; the texts of all parts, joined, are the solution.

    Attributes
    ----------
    kind : {"text", "code", "output"}
        Code and output are whole blocks with their fences.
    text : str
    """

    kind: Literal["text", "code", "output"]
    text: str

    @property
    def body(self) -> str:
        """What stands between the fences; the text itself where there are none."""
        if self.kind == "text":
            return self.text
        return self.text.partition("\n")[2].rpartition(FENCE)[0]


class Turn(NamedTuple):
    """What the generator wrote at one go: its text, and the code it ends with, if any."""

    text: str
    code: str | None


def parse(solution: str) -> list[Segment]:
    r"""Cut a solution into its parts, line by line; a block that nobody closed is text.

    Examples
    --------
    >>> parts = parse("Add.\n```python\nprint(1 + 1)\n```\n```output\n2\n```\nIt is 2.")
    >>> [p.kind for p in parts], parts[1].body
    (['text', 'code', 'output', 'text'], 'print(1 + 1)\n')
    """
    out: list[Segment] = []
    kind: Literal["text", "code", "output"] = "text"
    lines: list[str] = []

    def close() -> None:
        if lines:
            out.append(Segment(kind, "".join(lines)))
        lines.clear()

    for line in re.findall(r"[^\n]*\n|[^\n]+", solution):
        opens = _OPENS.fullmatch(line.rstrip("\n")) if kind == "text" else None
        if opens:
            close()
            kind = "output" if opens[1].lower() == "output" else "code"
        lines.append(line)
        if kind != "text" and line.strip() == FENCE:
            close()
            kind = "text"
    kind = "text"
    close()
    return out


def read_turn(text: str) -> Turn:
    r"""Return an answer up to its first block of code; raises `Unfit` without code and answer.

    What comes after the code is cut: the generator cannot know what it prints. So is everything
    from an output that it made up.

    Examples
    --------
    >>> turn = read_turn("Sub-task 1\n```python\nprint(2)\n```\n```output\n3\n```\nSo it is 3.")
    >>> turn.code, turn.text[-4:]
    ('print(2)\n', '```\n')
    """
    said = ""
    for part in parse(text.strip("\n")):
        if part.kind == "output":
            break
        if part.kind == "code":
            if not part.body.strip():
                raise Unfit("an empty block of code")
            return Turn(f"{said}{part.text.rstrip()}\n", part.body)
        said += part.text
    if any(_OPENS.fullmatch(line) for line in said.split("\n")):
        raise Unfit("a block that is not closed")
    if not boxes(said):
        raise Unfit("neither code nor answer")
    return Turn(f"{said.rstrip()}\n", None)


def boxes(text: str) -> list[str]:
    r"""Return every boxed answer of a text, in order.

    Examples
    --------
    >>> boxes(r"First \boxed{\frac{1}{2}}, no: \boxed{3}.")
    ['\\frac{1}{2}', '3']
    """
    starts = [m.start() for m in _BOX.finditer(text)]
    cut = [text[a:b] for a, b in pairwise([*starts, len(text)])]
    found = [final_answer(t) for t in cut if _closed(t[len("\\boxed") :])]
    return [f for f in found if f is not None]


def _closed(text: str) -> bool:
    """Whether the brace that a text begins with is closed in it."""
    return 0 in accumulate((c == "{") - (c == "}") for c in text)


def own_words(solution: str) -> str:
    r"""Return a solution without its code and outputs.

    Examples
    --------
    >>> own_words("Ab\n```output\n2\n```\nc")
    'Ab\nc'
    """
    return "".join(p.text for p in parse(solution) if p.kind == "text")


def subtasks(text: str) -> list[str]:
    r"""Return the numbers of the sub-tasks that a solution names.

    Examples
    --------
    >>> subtasks("Sub-task 1: this.\n**Subtask 1.1** that.")
    ['1', '1.1']
    """
    return _SUBTASK.findall(text)


def cell(before: Sequence[str], now: str) -> str:
    """Return code that runs a block after earlier ones and lets only its own output through."""
    return _CELL.format(before=list(before), now=now)


def output_block(ran: Ran, seconds: float) -> str:
    """Return what code printed, and how it ended when it did not end well, as a block.

    A fence within the output would end the block: it is written with quotes.
    """
    ends = {
        "": "", "error": ran.error, "time": f"TimeoutError: stopped after {seconds:g} seconds",
        "memory": "MemoryError", "output": "stopped: too much output",
        "crash": "the interpreter broke down",
    }  # fmt: skip
    said = "\n".join(s for s in (ran.output.rstrip("\n"), ends[ran.cause]) if s)
    return f"{FENCE}output\n{said.replace(FENCE, chr(39) * 3) or '(nothing)'}\n{FENCE}\n"


def printed(answer: str, outputs: Iterable[str]) -> bool:
    r"""Whether an answer stands in what was printed: a line, a word, a number to six digits.

    Examples
    --------
    >>> printed("1/3", ["x = 0.3333333333\n"]), printed("7", ["17\n"])
    (True, False)
    """
    value = number(answer)
    for output in outputs:
        for piece in (output, *output.split("\n"), *re.split(r"[\s,;:=()\[\]{}]+", output)):
            if not piece.strip():
                continue
            other = number(piece)
            if value is not None and other is not None:
                if abs(value - other) <= max(Fraction(1), abs(value)) / 10**6:
                    return True
            elif same_answer(piece, answer):
                return True
    return False


def model_spans(solution: str) -> list[tuple[int, int]]:
    r"""Return where the generator's own text begins and ends, in characters; outputs lie between.

    Examples
    --------
    >>> text = "Ab\n```output\n2\n```\nc"
    >>> [text[a:b] for a, b in model_spans(text)]
    ['Ab\n', 'c']
    """
    out: list[tuple[int, int]] = []
    at = 0
    for part in parse(solution):
        end = at + len(part.text)
        if part.kind != "output":
            joins = out and out[-1][1] == at
            out[-1:] = [(out[-1][0], end)] if joins else [*out[-1:], (at, end)]
        at = end
    return out


def loss_mask(solution: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    r"""Return which tokens carry loss: those that lie whole in the generator's own text.

    Parameters
    ----------
    solution : str
        The response of an example.
    offsets : sequence of (int, int)
        Where each token begins and ends, in characters, as a tokeniser gives them.

    Examples
    --------
    >>> loss_mask("Ab\n```output\n2\n```\nc", [(0, 2), (2, 6), (13, 14), (19, 20)]).tolist()
    [True, False, False, True]
    """
    own = np.zeros(len(solution) + 1, dtype=np.int64)
    for a, b in model_spans(solution):
        own[a + 1 : b + 1] = 1
    own = np.cumsum(own)
    return np.array([b > a and own[b] - own[a] == b - a for a, b in offsets], dtype=np.bool_)
