"""AMD2G: the words of a domain are masked, and what all domains share is left to learn first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book
from ecotone.rewrite._terms import Dictionary, label_bound, mine_terms, plain_term
from ecotone.rewrite.result import Rewritten

LITTLE = 0.01  # share of masked words under which masking has done nothing


@method(name="amd2g", paper="liu2024unified", needs={"many_sources"}, handles={"multi_source"})
class Amd2g:
    """Mask the terms of every domain, for a first stage of training that knows no domain.

    A model is trained on the masked documents of the other domains first, then, with a fresh
    optimiser, on the documents of the target as they are. Terms come as lists, or are runs of one
    to four words whose weighted log-odds in their domain (`Doc.domain`), against all others, stand
    more than `least_z` standard errors above zero. The terms of all domains are masked in every
    document: a term of one domain tells, where it stands in another one, that it is not at home.

    Where documents have a label (``meta["label"]``), terms that go with it in the mean over the
    domains, by mutual information, are spared, and so are terms with such a word in them.

    Parameters
    ----------
    target : str, default ""
        Domain whose documents stay as they are; they help to find terms all the same.
    terms : mapping from str to sequence of str, default None
        Terms by domain; None: mined from the documents.
    most_words : int, default 4
        Words of a mined term, at most.
    least_z : float, default 3.0
        Standard errors that a mined term stands above zero.
    least_docs : int, default 3
        Documents of its domain that hold a mined term, at least.
    label_p : float, default 0.001
        Chance that a term without a bond to the label is spared; 0 spares none.
    most_masked : float, default 0.8
        A document of which a larger share of words would be masked is dropped.

    Examples
    --------
    >>> docs = [Doc("a", "The film stars Ann Lee.", "film", {}), Doc("b", "A tent.", "camp", {})]
    >>> method = Amd2g(terms={"film": ["film", "Ann Lee"], "camp": ["tent"]})
    >>> method.run(docs, rng=np.random.default_rng(0)).docs
    {'a': 'The [MASK] stars [MASK].', 'b': 'A [MASK].'}
    """

    def __init__(
        self,
        *,
        target: str = "",
        terms: Mapping[str, Sequence[str]] | None = None,
        most_words: int = 4,
        least_z: float = 3.0,
        least_docs: int = 3,
        label_p: float = 0.001,
        most_masked: float = 0.8,
    ) -> None:
        if most_words < 1 or least_docs < 1 or not 0 <= label_p < 1 or not 0 < most_masked <= 1:
            raise BadInput(
                f"amd2g: most_words={most_words}, least_docs={least_docs}, label_p={label_p}, "
                f"most_masked={most_masked} make no sense.",
                cure="-p most_words=4 -p least_docs=3 -p label_p=0.001 -p most_masked=0.8",
            )
        self.target = target
        self.terms = terms
        self.most_words = most_words
        self.least_z = least_z
        self.least_docs = least_docs
        self.label_p = label_p
        self.most_masked = most_masked

    def run(self, docs: Any, ask: Any = None, *, rng: np.random.Generator) -> Rewritten:
        """Find the terms and mask them; nothing is asked and nothing is drawn."""
        del ask, rng
        book = Book("amd2g", docs, None)
        domains = sorted({d.domain for d in book.docs})
        if self.target and self.target not in domains:
            raise BadInput(
                f"amd2g: no document is of the target {self.target!r}.",
                why=f"the domains are: {', '.join(domains)}.",
                cure=f"-p target={domains[0]}",
            )
        terms = self._found(book.docs)
        spared = self._spared(book.docs, terms)
        left = {
            d: {t: z for t, z in found.items() if t not in spared} for d, found in terms.items()
        }
        words = self._mask(book, Dictionary(t for found in left.values() for t in found))
        shares = {d: hit / max(n, 1) for d, (hit, n) in words.items()}
        book.notes |= {"terms": left, "spared": sorted(spared), "masked": shares}
        self._tell(book, words)
        return book.close()

    def _found(self, docs: Sequence[Doc]) -> dict[str, dict[str, float]]:
        """Return the terms of each domain with their z-scores; those that were given have none."""
        if self.terms is not None:
            return {d: {plain_term(t): float("nan") for t in ts} for d, ts in self.terms.items()}
        texts: dict[str, list[str]] = {}
        for doc in docs:
            texts.setdefault(doc.domain, []).append(doc.text)
        return mine_terms(
            texts, most_words=self.most_words, least_z=self.least_z, least_docs=self.least_docs
        )

    def _spared(self, docs: Sequence[Doc], terms: Mapping[str, Mapping[str, float]]) -> set[str]:
        """Return the terms that are bound to the label, or have a word in them that is."""
        rows = list(_labelled(docs))
        if not rows or self.label_p == 0:
            return set()
        every = {t for found in terms.values() for t in found}
        bound = label_bound(rows, every, self.label_p)
        return {t for t in every if t in bound or bound & set(t.split())}

    def _mask(self, book: Book, dictionary: Dictionary) -> dict[str, tuple[int, int]]:
        """Mask every document; return words masked and words in all, by domain."""
        words: dict[str, tuple[int, int]] = {}
        for doc in book.docs:
            if self.target and doc.domain == self.target:
                book.keep(doc)
                continue
            text, masked, n = dictionary.masked(doc.text)
            before = words.get(doc.domain, (0, 0))
            words[doc.domain] = before[0] + masked, before[1] + n
            if masked > self.most_masked * n:
                book.drop(doc, "little but terms")
            else:
                book.rewrite(doc, text)
        return words

    def _tell(self, book: Book, words: Mapping[str, tuple[int, int]]) -> None:
        masked, n = (sum(pair[i] for pair in words.values()) for i in (0, 1))
        if masked < LITTLE * max(n, 1):
            book.findings.append(
                Finding(
                    "W504",
                    f"next to nothing was masked: {masked} of {n} words. The domains share their "
                    "words, or there is too little text to tell.",
                    "pass lists: terms={...}; or -p least_z=2 -p least_docs=2",
                )
            )


def _labelled(docs: Sequence[Doc]) -> Iterator[tuple[str, str, str]]:
    for doc in docs:
        label = doc.meta.get("label")
        if label is not None and str(label):
            yield doc.domain, str(label), doc.text
