"""`Book`: what a method keeps while it runs, so that every document and every answer is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.verdict import Finding
from ecotone.data.docs import Docs, as_docs, empty
from ecotone.rewrite.asking import Ask, asking
from ecotone.rewrite.result import Example, Ledger, Rewritten


class Unfit(Exception):
    """An answer does not pass a check; the message is the cause that is counted."""


class Check(Protocol):
    """Turns the answer to prompt `i` into what a method works on, or raises `Unfit`."""

    def __call__(self, i: int, text: str, /) -> Any: ...


class Given(NamedTuple):
    """What a check made of an answer, or why there is nothing."""

    value: Any
    cause: str  # "" when there is a value


def documents(docs: Any) -> list[Doc]:
    """Return any form of documents as a list of `Doc`.

    Raises
    ------
    BadInput
        No document, something that is no text, or two documents with one id.
    """
    if isinstance(docs, Sequence) and not isinstance(docs, str | bytes | Docs):
        whole = [_document(i, d) for i, d in enumerate(docs)] if _loose(docs) else _from(docs)
    else:
        whole = _from(docs)
    if not whole:
        raise empty("docs")
    twice = [i for i, n in Counter(d.id for d in whole).items() if n > 1]
    if twice:
        raise BadInput(f"two documents have the id {twice[0]!r}.", cure="give every one its own id")
    return whole


def _loose(docs: Sequence[Any]) -> bool:
    return not (docs and isinstance(docs[0], Docs))


def _document(i: int, doc: Any) -> Doc:
    if isinstance(doc, Doc):
        return doc
    if isinstance(doc, str):
        return Doc(str(i), doc, "", {})
    raise BadInput(
        f"document {i} is {type(doc).__name__}, not a string.", cure="pass a list of strings"
    )


def _from(docs: Any) -> list[Doc]:
    return [
        Doc(str(i), text, "", {})
        for batch in as_docs(docs)
        for i, text in zip(batch.ids, batch.texts(), strict=True)
    ]


class Book:
    """Outcomes of documents and answers of one run.

    Parameters
    ----------
    method : str
        Name of the method.
    docs : any form of documents
        See `documents`.
    ask : Ask or generator
        May be None for a method that asks nothing.
    """

    def __init__(self, method: str, docs: Any, ask: Ask | Callable[..., Any] | None) -> None:
        self.method = method
        self.docs = documents(docs)
        self.examples: list[Example] = []
        self.findings: list[Finding] = []
        self.notes: dict[str, Any] = {}
        self.copies: dict[str, int] = {}
        self.ledger = Ledger()
        self._ask = None if ask is None else asking(ask)
        self._text: dict[str, str] = {}
        self._made = Counter[str]()
        self._kept: set[str] = set()
        self._dropped: dict[str, str] = {}

    def answers(
        self, prompts: Sequence[str], check: Check, draws: Sequence[int] | None = None
    ) -> list[Given]:
        """Ask, check each answer, and enter every one into the ledger.

        Parameters
        ----------
        prompts : sequence of str
            One an answer.
        check : callable
            ``(i, text) -> value``; raises `Unfit` with a cause.
        draws : sequence of int, optional
            Which sample of the same prompt each one is; zeros unless given.
        """
        if self._ask is None:
            raise BadInput(f"{self.method} needs a generator.", cure="pass ask=Ask(generator)")
        out, counts, causes, cached = [], Counter[str](), Counter[str](), 0
        for i, answer in enumerate(self._ask(prompts, draws=draws)):
            cached += answer.cached
            given = Given(None, answer.cause)
            if answer.text is not None:
                try:
                    given = Given(check(i, answer.text), "")
                except Unfit as unfit:
                    given = Given(None, str(unfit))
            plain = given.cause if given.cause in ("", "refused", "failed") else "invalid"
            counts[plain or "kept"] += 1
            causes.update([given.cause] if plain == "invalid" else [])
            out.append(given)
        self.ledger += Ledger(
            len(out), cached, counts["refused"], counts["invalid"], counts["failed"],
            counts["kept"], dict(causes),
        )  # fmt: skip
        return out

    def withdraw(self, causes: Mapping[str, int]) -> None:
        """Count answers that passed their own check as invalid after all, each under its cause."""
        many = sum(causes.values())
        self.ledger = replace(
            self.ledger, kept=self.ledger.kept - many, invalid=self.ledger.invalid + many,
            causes=dict(Counter(self.ledger.causes) + Counter(causes)),
        )  # fmt: skip

    def rewrite(self, doc: Doc, text: str) -> None:
        """Give a document new words; the same words count as untouched."""
        if text == doc.text:
            self._kept.add(doc.id)
        else:
            self._text[doc.id] = text

    def keep(self, doc: Doc) -> None:
        """Leave a document as it is."""
        self._kept.add(doc.id)

    def drop(self, doc: Doc, cause: str) -> None:
        """Drop a document."""
        self._dropped[doc.id] = cause

    def add(self, doc: Doc, kind: str, prompt: str, response: str) -> None:
        """Add a training pair made from a document."""
        number, self._made[doc.id] = self._made[doc.id], self._made[doc.id] + 1
        self.examples.append(Example(f"{doc.id}#{kind}{number}", doc.id, prompt, response, kind))

    def from_examples(self, causes: dict[str, str]) -> None:
        """Set the outcome of every document from its examples: their text, or its cause."""
        pairs: dict[str, list[str]] = {}
        for e in self.examples:
            pairs.setdefault(e.source, []).append(f"{e.prompt}\n{e.response}")
        for doc in self.docs:
            if doc.id in pairs:
                self.rewrite(doc, "\n\n".join(pairs[doc.id]))
            else:
                self.drop(doc, causes[doc.id])

    def close(self) -> Rewritten:
        """Return the result; refuses when an outcome is missing or double."""
        ids = tuple(d.id for d in self.docs)
        return Rewritten(
            ids, self._text, frozenset(self._kept), self._dropped, self.ledger,
            tuple(self.examples), tuple(self.findings), self.method, self.notes,
            self.copies,
        )  # fmt: skip
