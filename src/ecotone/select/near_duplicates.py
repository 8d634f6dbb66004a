"""Near-duplicates: documents whose shingles are mostly those of an earlier or existing one."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import as_docs, empty
from ecotone.select._marks import Marks
from ecotone.select._minhash import (
    Signatures,
    resemblance,
    shingle_sets,
    signatures,
    stacked_sets,
)
from ecotone.select._near_pairs import Places, bands, copy_marks, jaccard, join
from ecotone.select._tokens import Hashes, Tokens

SLACK = 4.0  # standard deviations: of the pairs at the threshold 1 in 30,000 is estimated lower


@method(
    name="near_duplicates",
    paper="broder1997resemblance",
    needs={"source_rows"},
    handles=set(),
)
class NearDuplicates:
    r"""Keep the first document of every cluster of near-copies, by MinHash [1]_.

    .. math:: J(A, B) = |A \cap B| / |A \cup B| \ge \theta

    with A and B the sets of shingles (tokens in a row) of two documents. Signatures are cut into
    bands, the longest with which 99 % of the pairs at the threshold meet in one; pairs that meet
    are verified, and pairs that hold are joined into clusters. Of a chain a, b, c the first is
    kept, also when c is less like a than the threshold: c is like b, which is like a.

    Parameters
    ----------
    threshold : float, default 0.8
        Least resemblance of a pair.
    shingle : int, default 5
        Tokens of a shingle. A shorter document is one shingle; one without a token is never marked.
    permutations : int, default 128
        Slots of a signature, four bytes each.
    verify : str, default "shingles"
        How pairs are verified: ``shingles``, by exact Jaccard, for which the documents are read a
        second time and the shingles of possible copies are held (eight bytes a token); or
        ``signatures``, by the estimate alone, whose standard deviation is
        :math:`\sqrt{J(1-J)/K}`, .035 at the defaults.

    Attributes
    ----------
    held_ : list of str
        Ids of the existing documents, after `fit`.

    References
    ----------
    .. [1] Broder, On the resemblance and containment of documents, SEQUENCES 1997.

    Examples
    --------
    >>> text = "one two three four five six seven eight nine ten eleven twelve"
    >>> marks = NearDuplicates().mark([text, text + " thirteen", "something else"])
    >>> marks.match, marks.values["resemblance"].round(2).tolist()
    ({1: '0'}, [0.0, 0.89, 0.0])
    """

    def __init__(
        self, *, threshold: float = 0.8, shingle: int = 5, permutations: int = 128,
        verify: Literal["shingles", "signatures"] = "shingles",
    ) -> None:  # fmt: skip
        self.threshold = threshold
        self.shingle = shingle
        self.permutations = permutations
        self.verify = verify

    def fit(self, existing: Any) -> Self:
        """Hold documents against an existing corpus too.

        Parameters
        ----------
        existing : texts
            In any form that `ecotone.data.docs.as_docs` takes. By ``verify="shingles"`` they are
            read again by `mark`.

        Raises
        ------
        BadInput
            There is no document, or an option makes no sense.
        """
        self._check()
        self._texts = as_docs(existing, "existing")
        self.signatures_, self.held_ = self._read(self._texts)
        if not self.held_:
            raise empty("existing")
        return self

    def mark(self, docs: Any) -> Marks:
        """Mark near-copies; `match` is the first document of the cluster.

        The value ``resemblance`` is that with the match, below the threshold for the far end of a
        chain, and 0 for documents that are kept.
        """
        self._check()
        pool = as_docs(docs)
        found, ids = self._read(pool)
        held = getattr(self, "held_", [])
        if held:
            found = np.concatenate([self.signatures_, found])
        exact = self.verify == "shingles"
        first = join(found, self.threshold, slack=SLACK if exact else 0.0)
        if exact:
            first, alike = self._verified(found, first, pool)
        else:
            at = np.flatnonzero(first != np.arange(len(first)))
            alike = np.zeros(len(first))
            alike[at] = resemblance(found, at, first[at])
        values = {"resemblance": alike[len(held) :]}
        return copy_marks(first, held, ids, "near-copy", values)

    def _verified(
        self, found: Signatures, loose: Places, pool: Any
    ) -> tuple[Places, NDArray[np.float64]]:
        """Join the documents of loose clusters again, by exact Jaccard."""
        rows = np.flatnonzero(np.bincount(loose, minlength=len(loose))[loose] > 1)
        sets = self._sets(rows, pool)
        tight = join(found[rows], self.threshold, slack=SLACK, sets=sets)
        first, alike = np.arange(len(loose)), np.zeros(len(loose))
        first[rows] = rows[tight]
        at = np.flatnonzero(tight != np.arange(len(rows)))
        alike[rows[at]] = jaccard(sets, at, tight[at])
        return first, alike

    def _sets(self, rows: Places, pool: Any) -> Tokens:
        """Return the shingles of some documents, counted through existing ones and the pool."""
        sets: list[Hashes] = []
        at = 0
        for batch in (b for texts in (getattr(self, "_texts", []), pool) for b in texts):
            low, high = np.searchsorted(rows, [at, at + len(batch)])
            if high > low:
                hashes, starts = shingle_sets(batch.take(rows[low:high] - at), self.shingle)
                sets += np.split(hashes, starts[1:-1])
            at += len(batch)
        return stacked_sets(sets)

    def _read(self, batches: Any) -> tuple[Signatures, list[str]]:
        K = self.permutations
        parts: list[Signatures] = [np.zeros((0, K), dtype=np.uint32)]
        ids: list[str] = []
        for batch in batches:
            parts.append(signatures(batch, K, self.shingle))
            ids += batch.ids
        return np.concatenate(parts), ids

    def _check(self) -> None:
        if not (0 < self.threshold <= 1 and self.shingle >= 1 and self.permutations >= 1):
            raise BadInput(
                f"NearDuplicates: threshold is {self.threshold}, shingle is {self.shingle}, "
                f"permutations is {self.permutations}.",
                cure="threshold=0.8, shingle=5, permutations=128",
            )
        if self.verify not in ("shingles", "signatures"):
            raise BadInput(
                f"NearDuplicates: verify is {self.verify!r}.",
                cure='verify="shingles" or verify="signatures"',
            )
        bands(self.threshold, self.permutations)
