"""TransformLLM: raw text, followed by comprehension tasks that a generator writes about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._mining import is_sentence, sentences
from ecotone.rewrite._pairs import LABELS, Pair, label_of, pieces, read_pairs, supported
from ecotone.rewrite._similarity import Novelty, words
from ecotone.rewrite.asking import REFUSALS
from ecotone.rewrite.reading_comprehension import INTRODUCTIONS
from ecotone.rewrite.result import Rewritten

# kind -> wordings of what is asked for
KINDS: dict[str, tuple[str, ...]] = {
    "question": (
        "Ask for facts of the text; each answer is a phrase copied from it.",
        "Write a short test about the text, with answers in the words of the text.",
    ),
    "summary": ("Ask for a summary of the text, and give it in one or two sentences.",
                "Write a request to say in brief what the text says, and answer it."),
    "explain": ("Ask what terms of the text mean, and explain each as the text does.",
                "Choose ideas of the text, ask for an explanation of each, and give it."),
    "infer": ("Ask what follows from statements of the text, and answer by what it says.",
              "Ask what only two statements of the text together answer, and answer it."),
    "cause": ("Ask for reasons that the text gives, and answer.",
              "Write questions that begin with why, and answer them from the text."),
    "check": ("Write true and false statements about the text, ask of each whether it is true, "
              "and answer Yes or No.",
              "Ask yes-no questions about the text, and answer each by Yes or No."),
}  # fmt: skip
PROMPT = """{task}
Use nothing but the text. Write at most {most} pairs in this form:
Q: the question
A: the answer

{title}Text:
{text}"""
GOES_ON = "The text goes on."
_REFUSAL = re.compile("|".join(REFUSALS), re.IGNORECASE)
# what an echo of the prompt would be read as
COPIES = frozenset(("the question", *(w for wordings in KINDS.values() for w in wordings)))


@method(name="transform_llm", paper="arbel2024transformllm", needs={"text_model"}, handles=set())
class TransformLLM:
    r"""Follow each piece of a document by questions and answers that a generator writes about it.

    A document is cut into pieces. For each, `tasks` kinds of tasks are drawn from `KINDS`, and one
    wording of each. An answer A about a piece T is in use when what it says stands there:

    .. math:: \frac{|g_n(A) \cap g_n(T)|}{|g_n(A)|} \ge \text{least\_support}

    where g_n are the runs of n words (n = 2 for questions of fact; else n = 1, words of four
    letters and more), and every number of A is in T; after Yes or No, the question is what must be
    supported. Each piece stands verbatim before its tasks, so that `original` gives the document
    back. A document without tasks is untouched; a piece that is no prose is not asked about.

    Parameters
    ----------
    kinds : sequence of str, default ("question", "summary", "explain", "infer", "cause", "check")
        Of `KINDS`.
    tasks : int, default 2
        Kinds drawn for a piece: so many answers are asked for.
    most : int, default 2
        Pairs of one kind kept about a piece.
    piece_tokens : int, default 1000
        Most tokens (bytes / 4) of a piece.
    least_support : float, default 0.6
        See above.
    likeness : float, default 0.7
        ROUGE-L from which a pair counts as a repetition of another one about its document.
    least_sentences : int, default 2
        Sentences that make a piece prose: tables and code have none.

    Examples
    --------
    >>> text = "The pump of the old engine had not been mended for more than ten years."
    >>> made = TransformLLM(kinds=("question",), least_sentences=1).run(
    ...     [text],
    ...     lambda p: ["Q: What was broken?\nA: the old engine"],
    ...     rng=np.random.default_rng(0),
    ... )
    >>> made.examples[0].response, original(made.docs["0"]) == text
    ('the old engine', True)
    """

    def __init__(
        self,
        *,
        kinds: Sequence[str] = ("question", "summary", "explain", "infer", "cause", "check"),
        tasks: int = 2,
        most: int = 2,
        piece_tokens: int = 1000,
        least_support: float = 0.6,
        likeness: float = 0.7,
        least_sentences: int = 2,
    ) -> None:
        if isinstance(kinds, str) or not kinds or any(k not in KINDS for k in kinds):
            raise BadInput(
                f"transform_llm: kinds is {kinds!r}.", cure=f"kinds=(...), of: {', '.join(KINDS)}"
            )
        if tasks < 1 or most < 1 or piece_tokens < 1 or not 0 <= least_support <= 1:
            raise BadInput(
                "transform_llm: counts are at least 1, least_support lies in [0, 1].",
                cure="-p tasks=2 -p most=2 -p piece_tokens=1000 -p least_support=0.6",
            )
        self.kinds = kinds
        self.tasks = tasks
        self.most = most
        self.piece_tokens = piece_tokens
        self.least_support = least_support
        self.likeness = likeness
        self.least_sentences = least_sentences

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Ask about every piece, check pair by pair; kinds and wordings hang on seed and id."""
        seed, book = int(rng.integers(2**62)), Book("transform_llm", docs, ask)
        cut = {d.id: pieces(d.text, self.piece_tokens) for d in book.docs}
        jobs = [(d, i, k, w) for d in book.docs for i, k, w in self._drawn(d, cut[d.id], seed)]
        seen = {d.id: Novelty(self.likeness) for d in book.docs}
        counts = Counter[str]()

        def check(j: int, text: str) -> list[Pair]:
            doc, i, kind, _ = jobs[j]
            known = _heading(doc) + cut[doc.id][i]
            kept, causes = self._fitting(kind, text, known, seen[doc.id])
            counts.update(causes)
            counts["kept"] += len(kept)
            if not kept:
                raise Unfit(causes[0])
            return kept

        prompts = [
            PROMPT.format(task=w, most=self.most, title=_heading(d), text=cut[d.id][i].strip())
            for d, i, _, w in jobs
        ]
        tasks: dict[tuple[str, int], list[tuple[str, Pair]]] = {}
        given = book.answers(prompts, check)
        for (doc, i, kind, _), answer in zip(jobs, given, strict=True):
            tasks.setdefault((doc.id, i), []).extend((kind, p) for p in answer.value or ())
        for doc in book.docs:
            self._enter(book, doc, cut[doc.id], tasks, seed)
        book.notes["pairs"] = dict(sorted(counts.items()))
        _tell(book, counts)
        return book.close()

    def _drawn(self, doc: Doc, parts: list[str], seed: int) -> list[tuple[int, str, str]]:
        """Return (piece, kind, wording) of what is asked about a document."""
        if any(line in doc.text for line in (GOES_ON, *INTRODUCTIONS)):
            return []  # it could not be told from what is put around it
        out = []
        for i, part in enumerate(parts):
            if sum(map(is_sentence, sentences(part))) < self.least_sentences:
                continue
            own = stream(seed, doc.id, i)
            for k in own.permutation(len(self.kinds))[: self.tasks].tolist():
                kind = self.kinds[k]
                out.append((i, kind, KINDS[kind][int(own.integers(len(KINDS[kind])))]))
        return out

    def _fitting(
        self, kind: str, said: str, text: str, seen: Novelty
    ) -> tuple[list[Pair], list[str]]:
        """Return the pairs that pass, at most `most`, and a cause for each of the others."""
        pairs = read_pairs(said)
        kept: list[Pair] = []
        causes = [] if pairs else ["no question and answer"]
        for pair in pairs:
            cause = self._cause(kind, pair, text)
            whole = " ".join(pair)
            if not cause and seen.like(whole):
                cause = "repeats another pair"
            if not cause and len(kept) == self.most:
                cause = "more pairs than wanted"
            if cause:
                causes.append(cause)
            else:
                seen.add(whole)
                kept.append(pair)
        return kept, causes

    def _cause(self, kind: str, pair: Pair, text: str) -> str:
        """Return what is wrong with a pair; "" when nothing that can be seen is."""
        question, answer = pair
        if _REFUSAL.match(answer):
            return "refused within the answer"
        if question in COPIES or answer == question:
            return "copies the prompt"
        if kind == "check" and label_of(answer) not in LABELS:
            return "the answer is no label"
        if len(words(answer)) >= 0.8 * len(words(text)):
            return "the answer is no shorter than the text"
        share = supported(pair, text, 2 if kind == "question" else 1)
        return "not supported by the text" if share < self.least_support else ""

    def _enter(self, book: Book, doc: Doc, parts: list[str], tasks: Any, seed: int) -> None:
        """Put the tasks behind their pieces; pieces without any join the next one."""
        blocks, text = [], ""
        for i, part in enumerate(parts):
            text += part
            mine = tasks.get((doc.id, i), [])
            if not mine:
                continue
            for kind, pair in mine:
                book.add(doc, kind, f"{part.strip()}\n\n{pair.question}", pair.answer)
            own = stream(seed, doc.id, i, "introduction")
            introduction = INTRODUCTIONS[int(own.integers(len(INTRODUCTIONS)))]
            blocks.append("\n\n".join([text, introduction, *("\n".join(p) for _, p in mine)]))
            text = ""
        blocks += [text] if text else []  # a document without tasks is rewritten to itself
        book.rewrite(doc, f"\n\n{GOES_ON}\n\n".join(blocks))


def original(text: str) -> str:
    r"""Return the document that a result of this method was made from, byte for byte.

    Examples
    --------
    >>> original(f"It rains.\n\n{INTRODUCTIONS[0]}\n\nWhy?\nIt is May.\n\n{GOES_ON}\n\n Still.")
    'It rains. Still.'
    """
    begins = re.compile(f"\n\n(?:{'|'.join(map(re.escape, INTRODUCTIONS))})\n\n")
    return "".join(begins.split(block, 1)[0] for block in text.split(f"\n\n{GOES_ON}\n\n"))


def _heading(doc: Doc) -> str:
    title = " ".join(str(doc.meta.get("title", "")).split())
    return f"Title: {title}\n" if title else ""


def _tell(book: Book, counts: Counter[str]) -> None:
    lost = counts["not supported by the text"]
    if lost > counts["kept"]:
        book.findings.append(
            Finding(
                "W503",
                f"few tasks are answered from passages: {lost} are not, {counts['kept']} are.",
                "another generator, or smaller pieces: -p piece_tokens=500",
            )
        )
