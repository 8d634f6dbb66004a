"""DataMan: documents are rated by fourteen criteria, and the best of them are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ecotone.core.corpus import Doc
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.core.verdict import Finding
from ecotone.rewrite import _ratings as reading
from ecotone.rewrite._book import Book, Unfit
from ecotone.rewrite._rater import pass_on, pass_on_labels, surface_rating
from ecotone.rewrite._ratings import CRITERIA, Candidate, Ratings, best, budgets
from ecotone.rewrite.asking import BYTES_A_TOKEN
from ecotone.rewrite.result import Rewritten


class _Rated(NamedTuple):
    """What is known of a document: a score to rank by, a whole rating, a domain, who said so."""

    score: float
    rating: int
    domain: str
    by: str


@method(name="dataman", paper="peng2025dataman", needs=set(), handles=set())
class DataMan:
    r"""Keep the documents that a rater finds best.

    Ratings come from ``meta["ratings"]``, from a generator, or from a small rater that learns from
    the two: ridge regression on hashed words and statistics of the text. It is used where its
    held-out agreement (quadratic weighted kappa) is at least 0.4. Without a generator and without
    ratings, rules about the surface of a text stand in, and a finding says so.

    Without a budget, documents rated `least` or better stay. With one, documents are ranked by

    .. math:: s_i + \tau\, G_i,\qquad G_i = -\log(-\log u_i)

    with s the rating, u uniform by seed and document id, and :math:`\tau` the temperature, and
    taken from the top until the budget is spent; equal ratings come in the order of u. Where all
    are rated alike, that is a random choice, and a finding says so. The last document of a group
    may pass its budget.

    Parameters
    ----------
    criterion : str, default "overall_score"
        What to rank by, one of fourteen.
    least : int, default 5
        Lowest rating that stays when there is no budget.
    tokens : int, default None
        Budget, in tokens (bytes / 4).
    within : str, default "all"
        What shares the budget: "all" documents together; each "source" (`Doc.domain`), in
        proportion to its tokens; each rated "domain", equally.
    temperature : float, default 0.0
        Tau; 0 ranks by the ratings alone.
    upsample : bool, default False
        Whether a group with too few tokens has documents drawn again, with replacement, until its
        budget is met. `Rewritten.copies` then says how often each one counts.
    asked : int, default None
        Documents that the generator rates, drawn by id; None: all. The small rater rates the rest.
    head_tokens : int, default 2000
        Of a document that the generator sees; its ratings hold for that head.

    Examples
    --------
    >>> def rater(prompts):
    ...     return [f"[14]overall_score: {1 + 4 * ('heart' in p)}/5" for p in prompts]
    >>> done = DataMan().run(["The heart pumps.", "buy now"], rater, rng=np.random.default_rng(0))
    >>> dict(done.dropped), done.notes["ratings"]["0"]["overall_score"]
    ({'1': 'rated below 5'}, 5)
    """

    def __init__(
        self,
        *,
        criterion: str = "overall_score",
        least: int = 5,
        tokens: int | None = None,
        within: str = "all",
        temperature: float = 0.0,
        upsample: bool = False,
        asked: int | None = None,
        head_tokens: int = 2000,
    ) -> None:
        if criterion not in CRITERIA:
            raise BadInput(
                f"dataman: there is no criterion {criterion!r}.",
                cure=f"criterion=..., one of: {', '.join(CRITERIA)}",
            )
        if within not in ("all", "source", "domain"):
            raise BadInput(f"dataman: no group is called {within!r}.", cure="-p within=all")
        numbers = (tokens is None or tokens > 0) and (asked is None or asked >= 0)
        if not (numbers and 1 <= least <= 5 and temperature >= 0 and head_tokens > 0):
            raise BadInput(
                f"dataman: least={least}, tokens={tokens}, temperature={temperature}, "
                f"asked={asked}, head_tokens={head_tokens} make no sense.",
                cure="-p least=5 -p tokens=1000000 -p temperature=0 -p head_tokens=2000",
            )
        self.criterion = criterion
        self.least = least
        self.tokens = tokens
        self.within = within
        self.temperature = temperature
        self.upsample = upsample
        self.asked = asked
        self.head_tokens = head_tokens

    def run(self, docs: Any, ask: Any = None, *, rng: np.random.Generator) -> Rewritten:
        """Rate every document and keep the best; the order of equals is drawn by seed and id."""
        seed = int(rng.integers(2**62))
        book = Book("dataman", docs, ask)
        book.notes["ratings"] = {}
        # in the order of ids: sums in floating point must not hang on the order of the documents
        left = sorted((d for d in book.docs if d.text.strip()), key=lambda d: d.id)
        for doc in book.docs:
            if not doc.text.strip():
                book.drop(doc, "empty")
        rated = self._rated(book, left, ask is not None, seed)
        book.notes["domains"] = {i: r.domain for i, r in rated.items()}
        book.notes["rated by"] = {i: r.by for i, r in rated.items()}
        there = [d for d in left if d.id in rated]
        alike = len(there) > 1 and len({r.score for r in rated.values()}) == 1
        if alike:
            self._tell(book, rated[there[0].id].score)
        if self.tokens is not None:
            self._cut(book, there, rated, seed)
            return book.close()
        for doc in there:
            if alike or rated[doc.id].rating >= self.least:
                book.keep(doc)
            else:
                book.drop(doc, f"rated below {self.least}")
        return book.close()

    def _rated(self, book: Book, docs: Sequence[Doc], asks: bool, seed: int) -> dict[str, _Rated]:
        """Return what is known of each document, from the surest source there is."""
        out: dict[str, _Rated] = {}
        causes = dict.fromkeys((d.id for d in docs), "not asked")
        for doc in docs:
            self._enter(book, out, doc, reading.ratings_of(doc.meta), "meta")
        if asks:
            causes |= self._ask(book, out, [d for d in docs if d.id not in out], seed)
        if not out and not asks:
            return self._by_rules(book, docs)
        if len(out) < len(docs):
            said = self._pass_on(book, out, docs, seed)
            for doc in docs:
                if doc.id not in out:
                    book.drop(doc, f"no rating: {causes[doc.id]}; {said}")
        return out

    def _enter(
        self, book: Book, out: dict[str, _Rated], doc: Doc, given: Ratings | None, by: str
    ) -> None:
        score = given.scores[self.criterion] if given else None
        if given is not None and score is not None:
            out[doc.id] = _Rated(float(score), score, given.domain or "other", by)
            book.notes["ratings"][doc.id] = given.scores

    def _ask(
        self, book: Book, out: dict[str, _Rated], docs: Sequence[Doc], seed: int
    ) -> dict[str, str]:
        """Ask about the documents drawn; return why some of these have no rating."""
        drawn = sorted(docs, key=lambda d: (stream(seed, "asked", d.id).random(), d.id))
        docs = drawn[: self.asked]
        most = self.head_tokens * BYTES_A_TOKEN
        heads = [d.text.encode()[:most].decode("utf-8", "ignore") for d in docs]
        book.notes["judged by their head"] = sum(len(d.text.encode()) > most for d in docs)

        def check(_: int, text: str) -> Ratings:
            if reading.OPENING in text:
                raise Unfit("a copy of the prompt")
            found = reading.read_ratings(text)
            if found.scores[self.criterion] is None:
                raise Unfit(f"no rating of {self.criterion}")
            return found

        given = book.answers(list(map(reading.rating_prompt, heads)), check)
        for doc, answer in zip(docs, given, strict=True):
            self._enter(book, out, doc, answer.value, "generator")
        return {d.id: a.cause for d, a in zip(docs, given, strict=True) if a.cause}

    def _pass_on(self, book: Book, out: dict[str, _Rated], docs: Sequence[Doc], seed: int) -> str:
        """Let a small rater rate the documents without a rating; return why it did not."""
        known, rest = [d for d in docs if d.id in out], [d for d in docs if d.id not in out]
        texts, new = [d.text for d in known], [d.text for d in rest]
        rng = stream(seed, "folds")
        said = pass_on(texts, [out[d.id].rating for d in known], new, rng=rng)
        if said.agreement is not None:
            book.notes["agreement"] = said.agreement._asdict()
        if said.cause:
            return said.cause
        domains = pass_on_labels(texts, [out[d.id].domain for d in known], new)
        for i, doc in enumerate(rest):
            score, rating = float(said.scores[i]), int(said.ratings[i])
            out[doc.id] = _Rated(score, rating, domains[i], "small rater")
            book.notes["ratings"][doc.id] = {self.criterion: score}
        return ""

    def _by_rules(self, book: Book, docs: Sequence[Doc]) -> dict[str, _Rated]:
        found = {d.id: surface_rating(d.text) for d in docs}
        book.notes["ratings"] = {i: {self.criterion: r} for i, r in found.items()}
        book.findings.append(
            Finding(
                "W508",
                "ratings come from surface rules: no generator was given, and no document "
                "brought ratings along.",
                'pass ask=Ask(generator), or Doc(id, text, domain, {"ratings": {...}})',
            )
        )
        return {i: _Rated(float(r), r, "other", "surface rules") for i, r in found.items()}

    def _cut(self, book: Book, docs: Sequence[Doc], rated: dict[str, _Rated], seed: int) -> None:
        """Take the best of each group until its budget is spent."""
        assert self.tokens is not None
        pool = []
        for d in docs:
            r = rated[d.id]
            group = {"all": "", "source": d.domain, "domain": r.domain}[self.within]
            size = math.ceil(len(d.text.encode()) / BYTES_A_TOKEN)
            pool.append(Candidate(d.id, size, r.score, group))
        limits = budgets(pool, self.tokens, equal=self.within == "domain")
        copies = best(pool, limits, temperature=self.temperature, upsample=self.upsample, seed=seed)
        for doc in docs:
            if doc.id in copies:
                book.keep(doc)
            else:
                book.drop(doc, "not within the budget")
        spent = dict.fromkeys(limits, 0)
        for c in pool:
            spent[c.group] += c.tokens * copies[c.id]
        book.copies |= copies
        book.notes["tokens"] = spent

    def _tell(self, book: Book, score: float) -> None:
        what = "all of them are kept" if self.tokens is None else "the choice is random"
        book.findings.append(
            Finding(
                "W509",
                f"documents are all rated alike ({score:g}): the ratings choose nothing, {what}.",
                "another criterion or rater",
            )
        )
