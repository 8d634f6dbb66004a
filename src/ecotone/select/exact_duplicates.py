"""Exact duplicates: documents that an earlier one, or an existing corpus, holds word for word."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import Docs, as_docs, empty
from ecotone.select._marks import Marks
from ecotone.select._near_pairs import copy_marks, first_places
from ecotone.select._tokens import Hashes, tokens

By = Literal["text", "tokens"]


@method(
    name="exact_duplicates",
    paper="lee2022deduplicating",
    needs={"source_rows"},
    handles=set(),
)
class ExactDuplicates:
    r"""Drop documents whose fingerprint an earlier one has: the simplest step of [1]_.

    .. math:: \mathrm{dropped}_i \iff \exists\, j < i:\ h(d_j) = h(d_i)

    with h 64 bits of BLAKE2. Two different documents out of n share it with probability
    :math:`n^2 / 2^{65}`: a ten-millionth for two million.

    Parameters
    ----------
    by : str, default "text"
        What is compared: ``text``, byte by byte; or ``tokens``, words and runs of signs with ASCII
        letters in lower case, so that white space and capitals do not count.

    Attributes
    ----------
    held_ : list of str
        Ids of the existing documents, after `fit`.

    References
    ----------
    .. [1] Lee et al., Deduplicating training data makes language models better, ACL 2022.

    Examples
    --------
    >>> marks = ExactDuplicates(by="tokens").mark(["A cat.", "a dog", "a  cat ."])
    >>> marks.dropped.tolist(), marks.match
    ([False, False, True], {2: '0'})
    >>> known = ExactDuplicates().fit(["a dog"])
    >>> known.mark(["A cat.", "a dog"]).counts()
    {'copy of existing': 1, 'copy': 0}
    """

    def __init__(self, *, by: By = "text") -> None:
        self.by = by

    def fit(self, existing: Any) -> Self:
        """Hold documents against an existing corpus too.

        Parameters
        ----------
        existing : texts
            In any form that `ecotone.data.docs.as_docs` takes.

        Raises
        ------
        BadInput
            There is no document, or `by` is no such thing.
        """
        self.keys_, self.held_ = self._read(existing, "existing")
        if not self.held_:
            raise empty("existing")
        return self

    def mark(self, docs: Any) -> Marks:
        """Mark documents that are copies; `match` is the first document with the same content.

        An empty document is a copy of an earlier empty one.
        """
        keys, ids = self._read(docs, "docs")
        held = getattr(self, "held_", [])
        if held:
            keys = np.concatenate([self.keys_, keys])
        return copy_marks(first_places(keys), held, ids, "copy")

    def _read(self, texts: Any, what: str) -> tuple[Hashes, list[str]]:
        if self.by not in ("text", "tokens"):
            raise BadInput(f"ExactDuplicates: by is {self.by!r}.", cure='by="text" or by="tokens"')
        keys: list[Hashes] = [np.zeros(0, dtype=np.uint64)]
        ids: list[str] = []
        for batch in as_docs(texts, what):
            keys.append(fingerprints(batch, self.by))
            ids += batch.ids
        return np.concatenate(keys), ids


def fingerprints(docs: Docs, by: By = "text") -> Hashes:
    """Return 64 bits of every document's content, (n,), from the batch alone.

    Examples
    --------
    >>> a, b, c = fingerprints(Docs.of(["A cat.", "a cat .", "a dog"]), "tokens").tolist()
    >>> a == b, a == c
    (True, False)
    """
    if by == "text":
        return docs.fingerprints()
    found: list[Hashes] = [np.zeros(0, dtype=np.uint64)]
    for piece in docs.pieces():
        hashes, starts = tokens(piece)
        # the eight bytes of every token, as if they were the text
        found.append(Docs(hashes.view(np.uint8), starts * 8, ()).fingerprints())
    return np.concatenate(found)
