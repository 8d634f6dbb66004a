"""TOP-Training: passages about the entities of the target, to train on before the target itself."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._rater import statistics
from ecotone.rewrite._similarity import HeldOut, runs, words
from ecotone.rewrite._terms import FUNCTION_WORDS, Dictionary, mine_terms, plain_term
from ecotone.rewrite.result import Rewritten

OPENING = "Write one paragraph of a textbook about the subject named below."
PROMPT = """
Say what it is and how it hangs together with what lies next to it in its field. Call it by its
name. Write the paragraph and nothing else.
Subject: """
REPEATED = (
    0.3  # share of three-word runs that stood there before, from which a text goes in circles
)
FAMILIAR = 0.3  # share of known words under which a text is in another language, or in none
COPIED, RUN = 0.5, 5  # share of runs of so many words that one other text holds: a near-copy


@method(name="top_training", paper="sengupta2025top", needs={"text_model"}, handles=set())
class TopTraining:
    r"""Write passages about what the target talks of, to go on pretraining with.

    Documents are contexts of the training split of the target. Their entities come from `extract`,
    or are runs of one to four words whose weighted log-odds against `general` stand `least_z`
    standard errors above zero. With f the times that an entity stands in the documents and n the
    number of texts, of N documents and general texts, that hold it, the first by

    .. math:: f \, \log \frac{1 + N}{1 + n}

    are put to the generator, `samples` times each. A passage stays if it names its entity, has a
    fair length, does not go in circles, is in words that the documents or `general` know, is no
    near-copy of a document or of an earlier passage, and shares no 13 words in a row with
    `held_out`. Documents stay as they are; passages are examples without a prompt.

    Parameters
    ----------
    general : sequence of str, default ()
        Text of no special field, which entities are told from.
    extract : callable, default None
        ``text -> entities in it``; None: the runs of words above.
    entities : int, default 1000
        Entities that are asked about, at most.
    samples : int, default 4
        Passages asked for about each.
    least_z : float, default 2.0
        Standard errors that a run of words stands above zero.
    least_docs : int, default 2
        Documents that hold an entity, at least.
    most_of_docs : float, default 0.3
        An entity in a larger share of the documents is no entity but the subject of them all.
    least_words : int, default 20
        Words of a passage, at least.
    most_words : int, default 400
        Words of a passage, at most.
    held_out : sequence of str, default ()
        Contexts of the evaluation. A document that shares 13 words in a row with one is dropped
        before entities are looked for.

    Examples
    --------
    >>> docs = ["The aorta leaves the heart.", "An aorta may tear.", "Blood is red.", "So it is."]
    >>> def model(prompts):
    ...     return ["The aorta is a wide vessel that is filled by the heart." for _ in prompts]
    >>> method = TopTraining(
    ...     extract=lambda t: [w for w in ("aorta",) if w in t], most_of_docs=0.5, least_words=5
    ... )
    >>> made = method.run(docs, model, rng=np.random.default_rng(0))
    >>> len(made.examples), made.ledger.causes
    (1, {'a near-copy': 3})
    """

    def __init__(
        self,
        *,
        general: Sequence[str] = (),
        extract: Callable[[str], Sequence[str]] | None = None,
        entities: int = 1000,
        samples: int = 4,
        least_z: float = 2.0,
        least_docs: int = 2,
        most_of_docs: float = 0.3,
        least_words: int = 20,
        most_words: int = 400,
        held_out: Sequence[str] = (),
    ) -> None:
        if min(entities, samples, least_docs) < 1 or not 0 < most_of_docs <= 1:
            raise BadInput(
                f"top_training: entities={entities}, samples={samples}, least_docs={least_docs}, "
                f"most_of_docs={most_of_docs} make no sense.",
                cure="-p entities=1000 -p samples=4 -p least_docs=2 -p most_of_docs=0.3",
            )
        if not 1 <= least_words <= most_words:
            raise BadInput(
                f"top_training: no passage has {least_words} to {most_words} words.",
                cure="-p least_words=20 -p most_words=400",
            )
        if isinstance(general, str) or isinstance(held_out, str):
            raise BadInput("top_training: general and held_out are lists.", cure="general=[text]")
        self.general = general
        self.extract = extract
        self.entities = entities
        self.samples = samples
        self.least_z = least_z
        self.least_docs = least_docs
        self.most_of_docs = most_of_docs
        self.least_words = least_words
        self.most_words = most_words
        self.held_out = held_out

    def run(self, docs: Any, ask: Any, *, rng: np.random.Generator) -> Rewritten:
        """Find entities, ask for passages, check them; nothing is drawn."""
        del rng
        book, held = Book("top_training", docs, ask), HeldOut(self.held_out)
        left = []
        for doc in sorted(book.docs, key=lambda d: d.id):
            if held.in_text(doc.text):
                book.drop(doc, "shares text with the evaluation")
            else:
                book.keep(doc)
                left.append(doc)
        chosen = self._entities(left)
        if not chosen:
            book.findings.append(
                Finding(
                    "W505",
                    f"no entity found in {len(left)} documents: nothing was asked.",
                    "more documents, more general text, -p least_z=1, or extract=...",
                )
            )
        self._passages(book, held, left, chosen)
        return book.close()

    def _entities(self, docs: Sequence[Doc]) -> dict[str, Doc]:
        """Return the first entities by rank, each with the first document that holds it."""
        found = self._found([d.text for d in docs])
        times = Counter(e for mine in found for e in mine)
        holders: dict[str, list[Doc]] = defaultdict(list)
        for doc, mine in zip(docs, found, strict=True):
            for entity in set(mine):
                holders[entity].append(doc)
        most = self.most_of_docs * len(docs)
        fit = [e for e, d in holders.items() if self.least_docs <= len(d) <= most]
        look = Dictionary(fit)
        elsewhere = Counter(e for text in self.general for e in set(look.terms(text)))
        whole = 1 + len(docs) + len(self.general)
        rank = {e: times[e] * math.log(whole / (1 + len(holders[e]) + elsewhere[e])) for e in fit}
        first = sorted(fit, key=lambda e: (-rank[e], e))[: self.entities]
        return {e: holders[e][0] for e in first}

    def _found(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the entities in each text, in one form, as often as they stand there."""
        if self.extract is not None:
            return [[e for e in map(plain_term, self.extract(t)) if e] for t in texts]
        if not self.general:
            raise BadInput(
                "top_training: nothing to tell entities from.",
                why="an entity is what the target has and general text lacks.",
                cure="general=[...], or extract=function",
            )
        both = {"target": texts, "general": self.general}
        terms = mine_terms(both, least_z=self.least_z, least_docs=self.least_docs)["target"]
        look = Dictionary(filter(_names, terms))
        return [look.terms(t) for t in texts]

    def _passages(
        self, book: Book, held: HeldOut, docs: Sequence[Doc], chosen: dict[str, Doc]
    ) -> None:
        jobs = [(e, n) for e in chosen for n in range(self.samples)]
        seen = _Seen(d.text for d in docs)
        known = {w for t in (*(d.text for d in docs), *self.general) for w in words(t)}

        def check(i: int, text: str) -> str:
            text = text.strip()
            self._fits(text, jobs[i][0], known)
            if held.in_text(text):
                raise Unfit("shares text with the evaluation")
            if seen.like(text):
                raise Unfit("a near-copy")
            seen.add(text)
            return text

        prompts = [f"{OPENING}{PROMPT}{e}" for e, _ in jobs]
        given = book.answers(prompts, check, [n for _, n in jobs]) if jobs else []
        kept = dict.fromkeys(chosen, 0)
        for (entity, _), answer in zip(jobs, given, strict=True):
            if answer.value is not None:
                book.add(chosen[entity], "passage", "", answer.value)
                kept[entity] += 1
        book.notes["passages"] = kept  # by entity, the first in rank first

    def _fits(self, text: str, entity: str, known: set[str]) -> None:
        """Check what a passage says for itself."""
        mine = words(text)
        if OPENING in text:
            raise Unfit("a copy of the prompt")
        if entity not in Dictionary([entity]).terms(text):
            raise Unfit("does not name its entity")
        if not self.least_words <= len(mine) <= self.most_words:
            raise Unfit("too short or too long")
        if statistics(text).repeated_runs > REPEATED:
            raise Unfit("goes in circles")
        if sum(w in known for w in mine) < FAMILIAR * len(mine):
            raise Unfit("in another language")


def _names(term: str) -> bool:
    """Whether a run of words can name something: numbers, symbols and clauses do not."""
    if set(term.split()) & FUNCTION_WORDS:
        return False
    return sum(c.isalpha() for c in term) >= 3 or (len(term) > 1 and term[0] > "\u2e7f")


class _Seen:
    """Texts seen so far, by their runs of words; says whether a new one is a near-copy of one."""

    def __init__(self, texts: Any) -> None:
        self._where: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._size = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        for run in runs(text, RUN):
            self._where[run].append(self._size)
        self._size += 1

    def like(self, text: str) -> bool:
        mine = runs(text, RUN)
        shared = Counter(i for run in mine for i in self._where.get(run, ()))
        return max(shared.values(), default=0) >= COPIED * len(mine)
