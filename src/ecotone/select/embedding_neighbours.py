"""Embedding neighbours: how near a document is to the target documents most like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.data.docs import Docs, as_docs
from ecotone.select._grams import table
from ecotone.select._right_vectors import right_vectors
from ecotone.select._sample import drawn
from ecotone.select._text import check_documents, check_fitted, check_tokens
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
Encoder = Callable[[list[str]], Any]
NOWHERE = -1.0  # the least cosine: score of a document that has no direction


@method(
    name="embedding_neighbours",
    paper="gururangan2020dont",
    needs={"source_rows", "target_rows"},
    handles={"covariate"},
)
class EmbeddingNeighbours:
    r"""Mean cosine of a document's embedding to its k nearest target documents [1]_.

    .. math:: s(x) = \frac1k \sum_{t \in N_k(x)} \frac{e(x)^\top e(t)}{\|e(x)\| \|e(t)\|}

    By default :math:`e(x) = V^\top u(x)`, with u the log counts of unigrams and bigrams in m
    buckets times :math:`\log(n / n_b)`, of length 1, and V the first right singular vectors of u
    over target and pool (latent semantic analysis): with few of them, words that keep the same
    company lie near each other, and a document can be near without sharing a word.

    Parameters
    ----------
    k : int, default 5
        Target documents that a score is the mean over; all of them if there are fewer.
    encoder : callable, optional
        From a list of n strings to an array (n, d), such as ``SentenceTransformer(path).encode``.
    components : int, default 128
        Singular vectors; at most one fewer than documents they are fitted on.
    buckets : int, default 16384
        m.
    most : int, default 10000
        Documents of a side that the vectors are fitted on, and target documents kept; of more, or
        more than 8 MB, about so many are drawn by their texts.
    batch : int, default 256
        Documents that are embedded and compared at a time. How documents come in batches moves no
        bit of a score; this number may move the last.
    seed : int, default 0
        For the singular vectors.

    Attributes
    ----------
    target_ : ndarray, shape (m, d)
        Embeddings of target documents, of length 1.

    Raises
    ------
    BadInput
        A side holds no document or no word, `encoder` returns no rows of numbers, or an option
        makes no sense.

    Notes
    -----
    O(m d) time a document. Memory: target embeddings, one batch against them, and while fitting
    the grams of at most 2 `most` documents.

    References
    ----------
    .. [1] Gururangan et al., Don't stop pretraining: adapt language models to domains and tasks,
       ACL 2020, section 4.2.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> EmbeddingNeighbours().fit(target, pool).score(pool[:3]).argmax()
    np.int64(1)
    """

    def __init__(
        self, *, k: int = 5, encoder: Encoder | None = None, components: int = 128,
        buckets: int = 16384, most: int = 10_000, batch: int = 256, seed: int = 0,
    ) -> None:  # fmt: skip
        self.k = k
        self.encoder = encoder
        self.components = components
        self.buckets = buckets
        self.most = most
        self.batch = batch
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Fit the default embedding on both sides, and embed the target.

        Parameters
        ----------
        target, pool : texts
            In any form; with `encoder` the pool is only checked.
        """
        self._check()
        check_documents(target=target, pool=pool)
        near = drawn(as_docs(target, "target"), self.most)
        if self.encoder is None:
            check_tokens(target, "target")
            check_tokens(pool, "pool")
            self._learn(near, drawn(as_docs(pool, "pool"), self.most))
        rows: list[Array] = []
        for part in near.pieces(most=self.batch):
            rows.append(self._directions(part, rows[0].shape[1] if rows else None))
        found = np.vstack(rows)
        self.target_ = found[(found != 0).any(axis=1)]
        if not len(self.target_):
            raise BadInput(
                "EmbeddingNeighbours: no target document has an embedding other than 0.",
                cure="pass longer target documents, or an encoder",
            )
        return self

    def score(self, docs: Any) -> Array:
        """Return mean cosines, (n,), from -1 to 1; a document without a known word has -1."""
        check_fitted(self, "target_")
        parts = [
            self._nearest(self._directions(part, self.target_.shape[1]))
            for batch in as_docs(docs)
            for part in batch.pieces(most=self.batch)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _nearest(self, E: Array) -> Array:
        k = min(self.k, len(self.target_))
        # filled up to a fixed shape: the order of additions in a product can depend on its shape
        whole = np.zeros((self.batch, E.shape[1]))
        whole[: len(E)] = E
        cosines = (whole @ self.target_.T)[: len(E)]
        best = np.sort(np.partition(cosines, -k, axis=1)[:, -k:], axis=1).mean(axis=1)
        return np.where((E != 0).any(axis=1), best, NOWHERE)

    def _directions(self, docs: Docs, width: int | None) -> Array:
        """Return embeddings of length 1, (n, d), or 0 where there is no direction."""
        if self.encoder is None:
            E = np.asarray(self._scaled(table(tokens(docs), self.buckets)) @ self.vectors_)
        else:
            E = encoded(self.encoder, docs, width)
        size = np.sqrt((E * E).sum(axis=1, keepdims=True))
        return np.divide(E, size, out=np.zeros_like(E), where=size > 1e-9)

    def _learn(self, target: Docs, pool: Docs) -> None:
        counts = [table(tokens(d), self.buckets) for d in (target, pool)]
        both = sparse.vstack(counts, format="csr")
        seen = np.bincount(both.indices, minlength=self.buckets)
        self.rarity_ = np.log((1 + both.shape[0]) / (1 + seen)) + 1
        self.vectors_ = right_vectors(
            self._scaled(both), self.components, stream(self.seed, "embedding_neighbours")
        )

    def _scaled(self, counts: sparse.csr_array) -> sparse.csr_array:
        X = counts.astype(np.float64)
        X.data = np.log1p(X.data) * self.rarity_[X.indices]
        size = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
        return sparse.csr_array(sparse.diags_array(1 / np.maximum(size, 1e-12)) @ X)

    def _check(self) -> None:
        for name, least, cure in (
            ("k", 1, "k=5"), ("components", 1, "components=128"), ("buckets", 2, "buckets=16384"),
            ("most", 100, "most=10000"), ("batch", 1, "batch=256"),
        ):  # fmt: skip
            if not getattr(self, name) >= least:
                raise BadInput(f"EmbeddingNeighbours: {name} is {getattr(self, name)}.", cure=cure)
        if self.encoder is not None and not callable(self.encoder):
            raise BadInput(
                "EmbeddingNeighbours: encoder is no function.", cure="encoder=model.encode"
            )


def encoded(encoder: Encoder, docs: Docs, width: int | None) -> Array:
    """Return what an encoder makes of documents, (n, d), or say what is wrong with it."""
    found = encoder(docs.texts())
    try:
        E = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        E = np.zeros(0)
    if E.ndim != 2 or len(E) != len(docs) or width not in (None, E.shape[1]):
        raise BadInput(
            f"EmbeddingNeighbours: encoder made {type(found).__name__} of the shape {E.shape} "
            f"from {len(docs)} texts.",
            cure=f"return an array ({len(docs)}, {'d' if width is None else width})",
        )
    for row in np.flatnonzero(~np.isfinite(E).all(axis=1))[:1]:
        raise BadInput(
            f"EmbeddingNeighbours: the embedding of {docs[row][:40]!r} is not finite.",
            cure="leave that document out, or mend the encoder",
        )
    return E
