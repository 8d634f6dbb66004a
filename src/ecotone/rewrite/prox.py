"""ProX: a small program for every document, written by a model and run by a careful hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._programs import Program, execute, parse
from ecotone.rewrite.asking import BYTES_A_TOKEN
from ecotone.rewrite.result import Rewritten

WHOLE = """Read this document and decide whether it is worth learning from: it is coherent, it
informs, and it is more than lists of links, notices or advertisements.
Answer with one call: keep_doc() or drop_doc().
[doc]
{text}
[/doc]"""
LINES = """Each line of this part of a document begins with its number. Clean it with these calls,
one a line, and write nothing else:
remove_lines(line_start=a, line_end=b)  removes the lines a to b
normalize(source_str="x", target_str="y")  puts y where x stands; without target_str, x goes
keep_all()  when nothing needs to change
Remove navigation, notices, buttons and other lines that are no text.
[doc]
{text}
[/doc]"""


def chunks(text: str, tokens: int) -> list[str]:
    r"""Cut a text into runs of numbered lines of at most so many tokens; a longer line is one.

    The numbers run over the whole document, so that the parts can be asked apart.

    Examples
    --------
    >>> chunks("one\ntwo", 1000)
    ['[000]one\n[001]two']
    """
    parts: list[list[str]] = [[]]
    room = tokens * BYTES_A_TOKEN
    for i, line in enumerate(text.split("\n")):
        numbered = f"[{i:03d}]{line}"
        size = len(numbered.encode()) + 1
        if parts[-1] and size > room:
            parts.append([])
            room = tokens * BYTES_A_TOKEN
        parts[-1].append(numbered)
        room -= size
    return ["\n".join(p) for p in parts]


@method(name="prox", paper="zhou2025programming", needs=set(), handles=set())
class Prox:
    r"""Drop, trim and mend documents by programs in a language of four operations.

    First a model sees each document whole and keeps or drops it; then it sees the kept ones line
    by line and names lines to remove and strings to replace. A program is parsed, never evaluated.
    With r = words after / words before and e the number of operations that could not be done:

    .. math:: \text{drop if } r \le r_{min}\ \text{or few words are left};\quad
        \text{keep the original if } e \ge e_{max}

    The answers may come from a model or from `ecotone.rewrite.rule_refiner`.

    Parameters
    ----------
    level : str, default "both"
        "document", "lines", or "both".
    chunk_tokens : int, default 1500
        Most tokens (bytes / 4) of the lines shown at once.
    head_tokens : int, default 2000
        Of a document that is judged as a whole.
    least_words : int, default 10
        A document that a program cuts down to so few words, or fewer, is dropped.
    least_share : float, default 0.05
        The same for the share of its words, r_min.
    most_errors : int, default 2
        From so many errors on, the original stands.
    most_matches : int, default 20
        A string that occurs more often is not replaced.

    Examples
    --------
    >>> from ecotone.rewrite.generators import rule_refiner
    >>> text = "Home | Shop | Help | Login\nThe heart pumps blood through the body, beat by beat, \
    ... day and night."
    >>> done = Prox(least_words=5).run([text], rule_refiner(), rng=np.random.default_rng(0))
    >>> done.docs["0"][:15]
    'The heart pumps'
    """

    def __init__(
        self,
        *,
        level: str = "both",
        chunk_tokens: int = 1500,
        head_tokens: int = 2000,
        least_words: int = 10,
        least_share: float = 0.05,
        most_errors: int = 2,
        most_matches: int = 20,
    ) -> None:
        if level not in ("both", "document", "lines"):
            raise BadInput(f"prox: there is no level {level!r}.", cure="-p level=both")
        if chunk_tokens < 1 or head_tokens < 1:
            raise BadInput("prox: a prompt has no room for text.", cure="-p chunk_tokens=1500")
        self.level = level
        self.chunk_tokens = chunk_tokens
        self.head_tokens = head_tokens
        self.least_words = least_words
        self.least_share = least_share
        self.most_errors = most_errors
        self.most_matches = most_matches

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Ask for a program for each document and run it; nothing is drawn."""
        del rng
        book = Book("prox", docs, ask)
        left = book.docs if self.level == "lines" else self._whole(book)
        if self.level == "document":
            for doc in left:
                book.keep(doc)
        else:
            self._lines(book, left)
        return book.close()

    def _whole(self, book: Book) -> list[Doc]:
        """Ask about whole documents; return those that are kept."""
        most = self.head_tokens * BYTES_A_TOKEN
        heads = [d.text.encode()[:most].decode("utf-8", "ignore") for d in book.docs]
        left = []
        given = book.answers([WHOLE.format(text=h) for h in heads], _verdict)
        for doc, verdict in zip(book.docs, given, strict=True):
            if verdict.value == "drop_doc":
                book.drop(doc, "not worth learning from")
            else:  # also without a usable answer: what nobody judged is not thrown away
                left.append(doc)
        return left

    def _lines(self, book: Book, docs: list[Doc]) -> None:
        """Ask about lines, join the programs of each document, run them."""
        parts = [(doc, part) for doc in docs for part in chunks(doc.text, self.chunk_tokens)]
        given = book.answers([LINES.format(text=part) for _, part in parts], _read)
        programs: dict[str, list[Program]] = {doc.id: [] for doc in docs}
        for (doc, _), answer in zip(parts, given, strict=True):
            if answer.value is not None:
                programs[doc.id].append(answer.value)
        for doc in docs:
            mine = programs[doc.id]
            calls = tuple(c for p in mine for c in p.calls)
            self._apply(book, doc, Program(calls, sum(p.errors for p in mine)))

    def _apply(self, book: Book, doc: Doc, program: Program) -> None:
        done = execute(program, doc.text, most_matches=self.most_matches)
        before, after = len(doc.text.split()), len(done.text.split())
        if done.errors >= self.most_errors or done.text == doc.text:
            book.keep(doc)
        elif after <= max(self.least_words, self.least_share * before):
            book.drop(doc, "little is left")
        else:
            book.rewrite(doc, done.text)


def _verdict(_: int, text: str) -> str:
    for call in parse(text).calls:
        if call.name in ("keep_doc", "drop_doc"):
            return call.name
    # a bare word is an answer too, if it is the only one
    words = set(re.findall(r"\b(keep|drop)(?=_doc\b|\b)", text.lower()))
    if len(words) == 1:
        return f"{words.pop()}_doc"
    raise Unfit("no verdict")


def _read(_: int, text: str) -> Program:
    program = parse(text)
    if not program.calls:
        raise Unfit("no program")
    return program
