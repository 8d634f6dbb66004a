"""Reading comprehension: raw text, followed by questions that its own words answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.rewrite._book import Book
from ecotone.rewrite._mining import Mined, ending, mine, terms
from ecotone.rewrite.result import Rewritten

LABELS = {"entail": "Yes", "contradict": "No", "neutral": "Maybe"}
# kind -> (prompt, response); {a} is what is given, {b} what is to be said
FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "classify": (
        ('"{a}" Does it follow that "{b}"? Yes, no or maybe?', "{label}"),
        ("Premise: {a}\nHypothesis: {b}\nDoes the premise entail it (Yes, No, Maybe)?", "{label}"),
        ('If "{a}" is true, is "{b}" true as well? Yes, No or Maybe?', "{label}"),
    ),
    "entail": (("What follows from this? {a}", "{b}"), ("{a} What can we conclude?", "{b}")),
    "contradict": (("{a} What speaks against it?", "{b}"), ("Set against this: {a}", "{b}")),
    "neutral": (("{a} What else is there to say?", "{b}"), ("Add to this: {a}", "{b}")),
    "paraphrase": (("Say in other words: {a}", "{b}"), ("{a} What does this mean?", "{b}")),
    "support": (("Give an example or evidence: {a}", "{b}"), ("{a} What supports it?", "{b}")),
    "cause": (("Why is this so? {a}", "{b}"), ("{a} What is the reason?", "{b}")),
    "definition": (("What does {a} mean?", "{b}"), ("Define {a}.", "{b}")),
    "words": (("Write about these terms: {a}.", "{b}"), ("Use in a text: {a}.", "{b}")),
    "title": (("What is the text about?", "{b}"), ("Give the text a title.", "{b}")),
}
INTRODUCTIONS = ("Answer these questions about the text:", "Some questions and answers follow.",
                 "Now read with care and answer:")  # fmt: skip
ENDINGS = ("How does the text go on?", "Complete the text.")


@method(name="reading_comprehension", paper="cheng2024adapting", needs=set(), handles=set())
class ReadingComprehension:
    """Follow each document by comprehension tasks mined from it by patterns, without a model.

    A sentence that begins with "Therefore," or "However," says how it stands to the one before;
    "due to" gives a reason, "is a" a definition, long rare words the terms to write about. The
    document itself stands verbatim in the result, also where its end has become the answer to
    "how does it go on?" (the text is then cut in two and a line stands between). A document
    without tasks is untouched.

    Parameters
    ----------
    most : int, default 2
        Tasks of one kind a document.
    least_words : int, default 3
        Words of the domain that make a task "write about these terms".
    general : sequence of str, default ()
        Words of a general vocabulary: they are no terms of the domain.
    generate : float, default 0.2
        Share of pairs of sentences that ask for the second sentence; the others ask for yes, no
        or maybe.
    completion : float, default 0.5
        Share of documents with tasks, four sentences long or more, that also get one that asks
        for their end.

    Examples
    --------
    >>> text = (
    ...     "The pump of the old engine had not been mended for more than ten years. "
    ...     "Therefore, the engine of the boat stopped in the middle of the wide river."
    ... )
    >>> made = ReadingComprehension().run([text], rng=np.random.default_rng(0))
    >>> [e.kind for e in made.examples], made.docs["0"].startswith(text)
    (['entail-classify'], True)
    """

    def __init__(
        self,
        *,
        most: int = 2,
        least_words: int = 3,
        general: Sequence[str] = (),
        generate: float = 0.2,
        completion: float = 0.5,
    ) -> None:
        if most < 1 or not 0 <= generate <= 1 or not 0 <= completion <= 1:
            raise BadInput(
                "reading_comprehension: shares lie in [0, 1], most is at least 1.",
                cure="-p most=2 -p generate=0.2 -p completion=0.5",
            )
        self.most = most
        self.least_words = least_words
        self.general = general
        self.generate = generate
        self.completion = completion

    def run(self, docs: Any, ask: Any = None, *, rng: np.random.Generator) -> Rewritten:
        """Mine every document; nothing is asked. Templates are drawn by seed and id."""
        del ask
        seed = int(rng.integers(2**62))
        book = Book("reading_comprehension", docs, None)
        general = frozenset(w.lower() for w in self.general)
        for doc in book.docs:
            own = stream(seed, doc.id)
            tasks = self._tasks(doc, general, own)
            if not tasks:
                book.keep(doc)
                continue
            made = [(kind, *_render(kind, task, own)) for kind, task in tasks]
            for kind, prompt, response in made:
                book.add(doc, kind, prompt, response)
            book.rewrite(doc, self._layout(doc, made, own))
        return book.close()

    def _tasks(
        self, doc: Doc, general: frozenset[str], rng: np.random.Generator
    ) -> list[tuple[str, Mined]]:
        """Return at most `most` tasks of each kind, kinds in a drawn order, each kind together."""
        by_kind: dict[str, list[Mined]] = defaultdict(list)
        for task in mine(doc.text):
            if len(by_kind[task.kind]) < self.most:
                by_kind[task.kind].append(task)
        rare = terms(doc.text, general)
        if by_kind and len(rare) >= self.least_words:
            by_kind["words"].append(Mined("words", ", ".join(rare), _around(doc.text, rare[0])))
        title = str(doc.meta.get("title", "")).strip()
        if by_kind and title:
            by_kind["title"].append(Mined("title", "", title))
        kinds = sorted(by_kind)
        drawn = [kinds[i] for i in rng.permutation(len(kinds))]
        return [(self._form(t, rng), t) for kind in drawn for t in by_kind[kind]]

    def _form(self, task: Mined, rng: np.random.Generator) -> str:
        asks_label = task.kind in LABELS and rng.random() >= self.generate
        return f"{task.kind}-classify" if asks_label else task.kind

    def _layout(self, doc: Doc, made: list[tuple[str, str, str]], rng: np.random.Generator) -> str:
        body = doc.text
        cut = ending(doc.text, rng) if rng.random() < self.completion else None
        if cut:  # cut where the first part's last words end in the document as it is written
            at = _place(doc.text, cut[0])
            question = ENDINGS[int(rng.integers(len(ENDINGS)))]
            body = f"{doc.text[:at]}\n\n{question}\n\n{doc.text[at:]}"
        introduction = INTRODUCTIONS[int(rng.integers(len(INTRODUCTIONS)))]
        return "\n\n".join([body, introduction, *(f"{p}\n{r}" for _, p, r in made)])


def original(text: str) -> str:
    r"""Return the document that a result of this method was made from, byte for byte.

    Examples
    --------
    >>> original("It rains.\n\nAnswer these questions about the text:\n\nWhy?\nIt is May.")
    'It rains.'
    """
    body = max((text.rpartition(f"\n\n{i}\n\n")[0] for i in INTRODUCTIONS), key=len)
    for question in ENDINGS:
        body = body.replace(f"\n\n{question}\n\n", "", 1)
    return body


def _render(form: str, task: Mined, rng: np.random.Generator) -> tuple[str, str]:
    forms = FORMS["classify" if form.endswith("-classify") else form]
    prompt, response = forms[int(rng.integers(len(forms)))]
    words = {"a": task.given, "b": task.answer, "label": LABELS.get(task.kind, "")}
    return prompt.format(**words), response.format(**words)


def _around(text: str, word: str) -> str:
    """Return the paragraph in which a word stands first."""
    for paragraph in text.split("\n\n"):
        if word in paragraph.lower():
            return " ".join(paragraph.split())
    return " ".join(text.split())


def _place(text: str, head: str) -> int:
    """Return where in `text` its first ``len(head.split())`` words end."""
    at = 0
    for word in head.split():
        at = text.index(word, at) + len(word)
    return at
