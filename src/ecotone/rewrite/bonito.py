"""Bonito: tasks about passages, from a generator that writes question and answer at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._similarity import HeldOut, Novelty, words
from ecotone.rewrite.result import Rewritten

KINDS = {
    "exqa": "extractive question answering", "mcqa": "multiple-choice question answering",
    "qg": "question generation", "qa": "question answering without choices",
    "ynqa": "yes-no question answering", "coref": "coreference resolution",
    "paraphrase": "paraphrase generation", "paraphrase_id": "paraphrase identification",
    "sent_comp": "sentence completion", "sentiment": "sentiment",
    "summarization": "summarization", "text_gen": "text generation",
    "topic_class": "topic classification", "wsd": "word sense disambiguation",
    "te": "textual entailment", "nli": "natural language inference",
}  # fmt: skip
# kinds whose answers are labels: what they may be, and what must not crowd out the rest
LABELS = {
    "ynqa": {"yes", "no"},
    "te": {"yes", "no", "true", "false"},
    "nli": {"yes", "no", "maybe", "true", "false", "entailment", "contradiction", "neutral",
            "inconclusive", "neither"},
    "paraphrase_id": {"yes", "no", "true", "false", "paraphrase", "not paraphrase"},
}  # fmt: skip
PIPE, CONTEXT = "<|pipe|>", "{{context}}"


class Pair(NamedTuple):
    """An instruction and its response."""

    prompt: str
    response: str


def meta_prompt(kind: str, passage: str) -> str:
    r"""Return what the generator reads.

    Examples
    --------
    >>> meta_prompt("ynqa", " It rains. ")
    '<|tasktype|>\nyes-no question answering\n<|context|>\nIt rains.\n<|task|>\n'
    """
    return f"<|tasktype|>\n{KINDS[kind]}\n<|context|>\n{passage.strip()}\n<|task|>\n"


def read_pair(text: str, passage: str) -> Pair:
    """Return the pair that an answer holds; raises `Unfit` for one that holds none.

    The mark is looked for before the passage is put in, so that a passage with the mark in it
    does no harm.
    """
    parts = text.split(PIPE)
    if len(parts) != 2:
        raise Unfit(f"{'no' if len(parts) == 1 else 'more than one'} {PIPE}")
    prompt, response = (p.strip() for p in parts)
    if not prompt or not response:
        raise Unfit("an empty half")
    whole = passage.strip()
    return Pair(prompt.replace(CONTEXT, whole), response.replace(CONTEXT, whole))


def meta_answer(pair: Pair, passage: str) -> str:
    """Return what a generator should have written for a pair: the inverse of `read_pair`.

    It makes training data for a generator of your own out of labelled tasks with a context.
    """
    whole = passage.strip()
    return PIPE.join(part.replace(whole, CONTEXT) if whole else part for part in pair)


@method(name="bonito", paper="nayak2024learning", needs={"text_model"}, handles=set())
class Bonito:
    """Turn passages without labels into pairs of instruction and response.

    Each passage is shown with a type of task; the answer holds instruction and response, divided
    by a mark, and a placeholder for the passage. Then the pairs are checked: a response to an
    extractive question stands in the passage, a yes-no question is answered by yes or no, no
    instruction repeats another one, no text that is held out comes in, and no label is given to
    more than `most_of_a_label` of the pairs of its kind.

    Parameters
    ----------
    kinds : sequence of str, default ("exqa", "ynqa", "nli")
        Types of tasks, of `KINDS`.
    samples : int, default 1
        Answers for each passage and type.
    most_tokens : int, default 1500
        A longer passage (bytes / 4) is dropped: cut, its tasks would ask for what is not there.
    most_of_a_label : float, default 0.6
        Share of one label among the pairs of a kind with labels.
    likeness : float, default 0.9
        ROUGE-L from which an instruction of the same passage counts as a repetition.
    held_out : sequence of str, default ()
        Texts of the evaluation; a pair that shares 13 words in a row with one is dropped.

    Examples
    --------
    >>> def model(prompts):
    ...     return ["{{context}} Where is the cat?<|pipe|>on the mat" for _ in prompts]
    >>> made = Bonito(kinds=("exqa",)).run(
    ...     ["The cat is on the mat."], model, rng=np.random.default_rng(0)
    ... )
    >>> made.examples[0].response
    'on the mat'
    """

    def __init__(
        self,
        *,
        kinds: Sequence[str] = ("exqa", "ynqa", "nli"),
        samples: int = 1,
        most_tokens: int = 1500,
        most_of_a_label: float = 0.6,
        likeness: float = 0.9,
        held_out: Sequence[str] = (),
    ) -> None:
        unknown = [k for k in kinds if k not in KINDS]
        if unknown or not kinds or isinstance(kinds, str):
            raise BadInput(
                f"bonito: kinds is {kinds!r}.", cure=f"kinds=(...), of: {', '.join(KINDS)}"
            )
        if samples < 1 or not 0 < most_of_a_label <= 1:
            raise BadInput(
                f"bonito: samples={samples}, most_of_a_label={most_of_a_label}.",
                cure="-p samples=1 -p most_of_a_label=0.6",
            )
        self.kinds = kinds
        self.samples = samples
        self.most_tokens = most_tokens
        self.most_of_a_label = most_of_a_label
        self.likeness = likeness
        self.held_out = held_out

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Ask for every passage and type, check, balance; labels to leave out are drawn."""
        book, held = Book("bonito", docs, ask), HeldOut(self.held_out)
        fits = [d for d in book.docs if 0 < len(d.text.strip()) <= 4 * self.most_tokens]
        jobs = [(d, k, n) for d in fits for k in self.kinds for n in range(self.samples)]
        seen: dict[str, Novelty] = {d.id: Novelty(self.likeness) for d in fits}

        def check(i: int, text: str) -> Pair:
            doc, kind, _ = jobs[i]
            pair = read_pair(text, doc.text)
            _fits(kind, pair, doc.text)
            if held.in_text(pair.prompt.replace(doc.text.strip(), "")) or held.in_text(doc.text):
                raise Unfit("shares text with the evaluation")
            # without the passage, which all instructions of a document share
            asks = pair.prompt.replace(doc.text.strip(), "")
            if seen[doc.id].like(asks):
                raise Unfit("repeats another instruction")
            seen[doc.id].add(asks)
            return pair

        prompts = [meta_prompt(k, d.text) for d, k, _ in jobs]
        given = book.answers(prompts, check, [n for *_, n in jobs])
        causes = dict.fromkeys((d.id for d in book.docs), "empty, or longer than most_tokens")
        rows = []
        for (doc, kind, _), answer in zip(jobs, given, strict=True):
            if answer.value is None:
                causes[doc.id] = answer.cause
            else:
                rows.append((doc, kind, answer.value))
        for doc, kind, pair in self._balanced(book, rows, rng):
            book.add(doc, kind, pair.prompt, pair.response)
        causes |= {d.id: "its label is too frequent" for d, *_ in rows}
        book.from_examples(causes)
        return book.close()

    def _balanced(self, book: Book, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        """Leave out pairs whose label takes more than its share of a kind."""
        out = set[int]()
        for kind in self.kinds:
            mine = [i for i, r in enumerate(rows) if r[1] == kind]
            labels = Counter(_label(rows[i][2]) for i in mine)
            if kind not in LABELS or len(mine) < 4 or self.most_of_a_label == 1:
                continue
            label, count = max(labels.items(), key=lambda p: (p[1], p[0]))
            if len(labels) == 1:
                book.findings.append(
                    Finding(
                        "W501",
                        f"every answer of {kind} is {label!r}.",
                        "another generator, or fewer kinds",
                    )
                )
                continue
            share = self.most_of_a_label
            most = max(math.floor(share * (len(mine) - count) / (1 - share)), 1)
            frequent = [i for i in mine if _label(rows[i][2]) == label]
            out.update(rng.permutation(frequent)[most:].tolist())
        book.notes["left out for balance"] = len(out)
        return [r for i, r in enumerate(rows) if i not in out]


def _label(pair: Pair) -> str:
    return " ".join(words(pair.response))


def _fits(kind: str, pair: Pair, passage: str) -> None:
    """Check what can be checked of a pair without reading it."""
    if kind == "exqa" and pair.response not in passage:
        raise Unfit("the answer is not in the passage")
    if kind in LABELS and _label(pair) not in LABELS[kind]:
        raise Unfit("the answer is no label")
    if kind == "summarization" and len(pair.response) >= len(passage):
        raise Unfit("the summary is no shorter")
    if pair.response == pair.prompt:
        raise Unfit("the response repeats the instruction")
