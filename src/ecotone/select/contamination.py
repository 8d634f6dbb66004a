"""Contamination: documents that hold passages of a benchmark, which would be seen in training."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.verdict import Finding
from ecotone.data.docs import Docs, as_docs
from ecotone.select._marks import Marks, stacked
from ecotone.select._passages import Passages, held, passages
from ecotone.select._text import check_documents, check_fitted
from ecotone.select._words import Wanted, slices, words

Ints = NDArray[np.int64]
CAUSES = ("passage of an item", "whole short item")


@method(
    name="contamination", paper="brown2020language", needs={"source_rows", "target_rows"},
    handles=set(),
)  # fmt: skip
class Contamination:
    r"""Find n words in a row of a benchmark's item, or the whole of a shorter item [1]_.

    Words are compared without case, punctuation and line breaks. A run of words is evidence where

    .. math:: 1 \le \mathrm{df}(g) \le \mathit{most},

    df(g) the documents of the pool in which it stands: what stands in more is boilerplate, a
    licence, a famous quotation, and says nothing of the benchmark. A run must also have `distinct`
    different words of four bytes or more, or it could be found by chance.

    `mark` counts and marks texts in memory. A stream is counted first, in any parts: the sums of
    `document_counts` go into `counted`, after which `mark` looks at each batch on its own.

    Parameters
    ----------
    n : int, default 13
        Words in a row. An item with fewer must be held whole.
    most : int, default 10
        Documents in which a run may stand and still be evidence.
    distinct : int, default 3
        Different words of four bytes or more that a run needs. Items without such a run are not
        looked for: `findings` names them.

    Attributes
    ----------
    hashes_ : ndarray of uint64, shape (k,)
        Runs that are looked for.
    unchecked_ : tuple of str
        Ids of items with no run that could be evidence.
    evidence_ : ndarray of bool, shape (k,)
        After `counted`: runs that stand in few enough documents.
    common_ : tuple of str
        After `counted`: ids of items that have no evidence left.

    Notes
    -----
    Hashes find a run, its words decide: each is compared letter by letter, so that no mark comes
    from a collision. The counts rest on 64-bit hashes alone: k runs and t words of a pool give
    about :math:`k t / 2^{64}` false counts, one in two thousand pools at k = 1e6 and t = 1e10.

    References
    ----------
    .. [1] Brown et al., Language models are few-shot learners, NeurIPS 2020, appendix C.

    Examples
    --------
    >>> item = "A farmer near Leeds keeps ninety sheep and sells every third one on Monday morning."
    >>> leak = "Quiz: a FARMER near Leeds keeps ninety\nsheep, and sells every third one on Monday."
    >>> marks = Contamination().fit([item]).mark(["A farmer keeps sheep.", leak])
    >>> marks.dropped.tolist(), marks.match, leak[marks.spans[1][0][0] :][:8]
    ([False, True], {1: '0'}, 'a FARMER')
    """

    def __init__(self, *, n: int = 13, most: int = 10, distinct: int = 3) -> None:
        self.n = n
        self.most = most
        self.distinct = distinct

    def fit(self, items: Any) -> Self:
        """Take the items of a benchmark, each one text: question and answer, or what must not leak.

        Raises
        ------
        BadInput
            There is no item, no item could be found again, or an option makes no sense.
        """
        if self.n < 2 or self.most < 1 or self.distinct < 1:
            raise BadInput(
                f"Contamination: n is {self.n}, most is {self.most}, distinct is {self.distinct}.",
                cure="n=13, most=10, distinct=3",
            )
        check_documents(items=items)
        self._sought: Passages = passages(as_docs(items, "items"), self.n, self.distinct)
        if not len(self._sought.hashes):
            raise BadInput(
                "Contamination: no item has a run of words that could be found again.",
                why=f"a run needs {self.distinct} different words of four bytes or more.",
                cure="join each question with its answer, or distinct=2",
            )
        self.hashes_ = self._sought.hashes
        self.unchecked_ = self._sought.unchecked
        self._wanted = Wanted(self.hashes_, self._sought.sizes)
        for name in ("evidence_", "common_"):
            self.__dict__.pop(name, None)
        return self

    def document_counts(self, batch: Docs) -> Ints:
        """Count in how many documents of a batch each run stands, shape (k,)."""
        check_fitted(self, "hashes_")
        out = np.zeros(len(self.hashes_), dtype=np.int64)
        for part in slices(batch):
            found = words(part)
            first, at, _ = self._wanted.find(found)
            owner = np.searchsorted(found.starts, first, side="right") - 1
            once = np.unique(np.stack([owner, at]), axis=1)[1]
            np.add.at(out, once, 1)
        return out

    def counted(self, counts: Any, documents: int) -> Self:
        """Take the counts of a whole pool of so many documents: which runs are evidence.

        Raises
        ------
        BadInput
            The counts are not those of these items.
        """
        check_fitted(self, "hashes_")
        given = np.asarray(counts)
        if given.shape != self.hashes_.shape or (len(given) and int(given.max()) > documents):
            raise BadInput(
                f"Contamination: counts of shape {given.shape} over {documents} documents are not "
                f"those of {len(self.hashes_)} runs.",
                cure="counted(sum(map(filter.document_counts, batches)), documents)",
            )
        self.evidence_ = given <= self.most
        self.common_ = self._sought.without(self.evidence_)
        return self

    def mark(self, docs: Any) -> Marks:
        """Mark the documents that hold evidence; without `counted` these documents are the pool.

        `match` is the item with the most runs in a document, `spans` are the bytes of all evidence,
        the values `runs` and `share` how many runs of that item there are, and of how many of its.
        """
        check_fitted(self, "hashes_")
        batches = as_docs(docs)
        evidence = getattr(self, "evidence_", None)
        if evidence is None:
            evidence = sum(map(self.document_counts, batches), np.zeros(1)) <= self.most
        nothing = held(Docs.of([]), self._wanted, self._sought, evidence, CAUSES)
        parts = (held(b, self._wanted, self._sought, evidence, CAUSES)
                 for batch in batches for b in slices(batch))  # fmt: skip
        return stacked([nothing, *parts])

    def findings(self) -> tuple[Finding, ...]:
        """Name the items that cannot be found, and why."""
        check_fitted(self, "hashes_")
        out = []
        for code, ids, why, cure in (
            ("S121", self.unchecked_, "have no run of words that could be found again",
             "join each question with its answer"),
            ("S122", getattr(self, "common_", ()),
             f"stand in more than {self.most} documents: boilerplate, or leaked again and again",
             f"look at them; remove copies first, or most={10 * self.most}"),
        ):  # fmt: skip
            if ids:
                shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
                out.append(Finding(code, f"{len(ids)} items {why}: {shown}", cure))
        return tuple(out)
