"""Classifier odds: how sure a classifier of n-grams is that a document comes from the target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import Docs, as_docs, empty
from ecotone.select._grams import table
from ecotone.select._text import check_fitted
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
MOST = 20_000  # documents of a side that the classifier is fitted on


@method(
    name="classifier_odds",
    paper="brown2020language",
    needs={"source_rows", "target_rows"},
    handles={"covariate"},
)
class ClassifierOdds:
    r"""Log odds of the target against the pool, from logistic regression on n-grams [1]_.

    Features are :math:`\log(1 + c_b)` of unigrams and bigrams in m buckets, each row of length 1,
    so that a long document has no more to say than a short one. Both sides weigh alike.

    Parameters
    ----------
    buckets : int, default 16384
        m.
    C : float, default 10.0
        Inverse of the penalty.

    References
    ----------
    .. [1] Brown et al., Language models are few-shot learners, NeurIPS 2020, appendix A.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> ClassifierOdds().fit(target, pool).score(pool[:3]).argmax()
    np.int64(1)
    """

    def __init__(self, *, buckets: int = 16384, C: float = 10.0) -> None:
        self.buckets = buckets
        self.C = C

    def fit(self, target: Any, pool: Any) -> Self:
        """Fit the classifier on at most 20,000 documents of each side."""
        from sklearn.linear_model import LogisticRegression

        if self.buckets < 2 or not self.C > 0:
            raise BadInput(
                f"ClassifierOdds: buckets is {self.buckets}, C is {self.C}.",
                cure="buckets=16384, C=10.0",
            )
        sides = []
        for what, texts in (("target", target), ("pool", pool)):
            rows = [self._features(b) for b in drawn(as_docs(texts, what), MOST)]
            if not sum(r.shape[0] for r in rows):
                raise empty(what)
            sides.append(sparse.vstack(rows, format="csr"))
        y = np.repeat([1, 0], [s.shape[0] for s in sides])
        found = LogisticRegression(C=self.C, class_weight="balanced", max_iter=300, tol=1e-5)
        found.fit(sparse.vstack(sides, format="csr"), y)
        self.weights_, self.offset_ = found.coef_[0], float(found.intercept_[0])
        return self

    def score(self, docs: Any) -> Array:
        """Return log odds, shape (n,)."""
        check_fitted(self, "weights_")
        parts = [self._features(b) @ self.weights_ + self.offset_ for b in as_docs(docs)]
        return np.concatenate([np.zeros(0), *parts])

    def _features(self, batch: Docs) -> sparse.csr_array:
        X = table(tokens(batch), self.buckets).astype(np.float64)
        X.data = np.log1p(X.data)
        size = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
        return sparse.csr_array(sparse.diags_array(1 / np.maximum(size, 1e-12)) @ X)


def drawn(batches: Iterable[Docs], most: int) -> list[Docs]:
    """Return at most about `most` documents, drawn by their texts: order and batches do not say."""
    total = sum(len(b) for b in batches)
    if total <= most:
        return list(batches)
    limit = np.uint64(int(most / total * (1 << 32)))
    return [b.take(np.flatnonzero(b.fingerprints() >> np.uint64(32) < limit)) for b in batches]
