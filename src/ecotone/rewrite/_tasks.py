"""Tasks of instruction, input and answer as a generator writes them: read, and looked over."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ecotone.core.corpus import Doc
from ecotone.rewrite._book import Unfit
from ecotone.rewrite._similarity import words

NO_INPUT = frozenset(("", "none", "no input", "noinput", "n a", "empty"))
# what a model that reads and writes text alone cannot look at or make
BANNED = frozenset((
    "image", "images", "picture", "pictures", "photo", "graph", "graphs", "plot", "draw", "video",
    "audio", "file", "files", "link", "website",
))  # fmt: skip
SHORTEST, LONGEST = 3, 150  # words of a task
_NEXT = re.compile(r"^\W*(?:Task \d+|(?:Instruction|Answer|Output):)", re.MULTILINE)
_HEAD = re.compile(r"(?:\W*Task \d+\W*\n)?\W*Instruction:")
_INPUT = re.compile(r"^\W*Input:", re.MULTILINE)


class Task(NamedTuple):
    """What is asked, and what it is to be applied to."""

    instruction: str
    given: str

    def __str__(self) -> str:
        return f"{self.instruction}\nInput: {self.given}" if self.given else self.instruction


def task_of(doc: Doc) -> Task:
    """Return the task of a seed: its text and ``meta["input"]``."""
    return Task(" ".join(doc.text.split()), _lines(str(doc.meta.get("input", ""))))


def read_task(text: str) -> Task:
    r"""Return the first task that an answer holds.

    Examples
    --------
    >>> read_task(" Name the bone.\nInput: upper arm\n\nTask 9\nInstruction: Name another.")
    Task(instruction='Name the bone.', given='upper arm')
    """
    body = read_answer(_HEAD.sub("", text, count=1) if _HEAD.match(text) else text)
    mark = _INPUT.search(body)
    instruction, given = (body[: mark.start()], body[mark.end() :]) if mark else (body, "")
    plain = " ".join(words(given))
    return Task(" ".join(instruction.split()), "" if plain in NO_INPUT else _lines(given))


def read_answer(text: str) -> str:
    r"""Return an answer up to where the generator goes on with a task of its own.

    Examples
    --------
    >>> read_answer(" the humerus \n\nTask 9\nInstruction: And now?")
    'the humerus'
    """
    cut = _NEXT.search(text)
    return text[: cut.start() if cut else None].strip()


def checked_task(text: str, alphabets: set[str]) -> Task:
    """Return the task of an answer; raises `Unfit` for what is none, or none for this generator."""
    task = read_task(text)
    said = words(task.instruction)
    if not said:
        raise Unfit("no instruction")
    if len(said) < SHORTEST:
        raise Unfit("too short")
    if len(said) + len(words(task.given)) > LONGEST:
        raise Unfit("too long")
    if BANNED & set(said):
        raise Unfit("asks for what is no text")
    if alphabet(str(task)) not in alphabets:
        raise Unfit("another script")
    return task


def checked_answer(text: str, task: Task, alphabets: set[str]) -> str:
    """Return the answer; raises `Unfit` for what cannot be one, whether right or wrong."""
    answer = read_answer(text)
    said = words(answer)
    if not said:
        raise Unfit("no words")
    if said in (words(task.instruction), words(task.given), words(str(task))):
        raise Unfit("copies the task")
    if alphabet(answer) not in alphabets | {""}:
        raise Unfit("another script")
    return answer


def alphabet(text: str) -> str:
    """Return the script of most letters of a text; "" when it has none.

    Examples
    --------
    >>> alphabet("bone 7"), alphabet("кость"), alphabet("7")
    ('LATIN', 'CYRILLIC', '')
    """
    counts = Counter(unicodedata.name(c, "").partition(" ")[0] for c in text[:2000] if c.isalpha())
    return max(counts, key=lambda s: (counts[s], s)) if counts else ""


def alphabets_of(seeds: Iterable[Doc]) -> set[str]:
    """Return the scripts in which the tasks and answers of seeds are written."""
    return {alphabet(t) for d in seeds for t in (str(task_of(d)), str(d.meta["answer"]))}


def _lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
