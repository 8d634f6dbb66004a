"""Classifier odds: how sure a classifier of n-grams is that a document comes from the target."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import as_docs, empty
from ecotone.select._grams import project, table
from ecotone.select._sample import drawn
from ecotone.select._text import check_fitted
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
MOST, BYTES = 20_000, 4 << 20  # documents and bytes of a side that the classifier is fitted on
LEVELS = np.log1p(np.arange(1 << 16))  # of counts; what stands more often has the last


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
        """Fit the classifier on about 20,000 documents or 4 MB of each side, at most."""
        if self.buckets < 2 or not self.C > 0:
            raise BadInput(
                f"ClassifierOdds: buckets is {self.buckets}, C is {self.C}.",
                cure="buckets=16384, C=10.0",
            )
        tables: list[sparse.csr_array] = []
        counts = []
        for what, texts in (("target", target), ("pool", pool)):
            before = len(tables)
            some = drawn(as_docs(texts, what), MOST, BYTES)
            tables += [table(tokens(b), self.buckets) for b in some.pieces()]
            counts.append(sum(t.shape[0] for t in tables[before:]))
            if not counts[-1]:
                raise empty(what)
        del some
        target_rows, pool_rows = counts
        X = _joined(tables)
        sign = np.repeat([1.0, -1.0], [target_rows, pool_rows])
        half = 0.5 * len(sign)  # both sides weigh alike, and all rows as many as there are
        weight = np.repeat([half / target_rows, half / pool_rows], [target_rows, pool_rows])
        self.weights_, self.offset_ = _logistic(X, sign, self.C * weight)
        return self

    def score(self, docs: Any) -> Array:
        """Return log odds, shape (n,)."""
        check_fitted(self, "weights_")
        parts = [np.zeros(0)]
        for batch in as_docs(docs):
            dot, square = project(batch, self.weights_, LEVELS)
            parts.append(dot / np.maximum(np.sqrt(square), 1e-12) + self.offset_)
        return np.concatenate(parts)


def _joined(tables: list[sparse.csr_array]) -> sparse.csr_array:
    """Return the levels of counts in one table, rows of length 1; `tables` is emptied.

    Each is let go when it has been written: twice the table would be half the memory of a job.
    """
    n, m = sum(t.shape[0] for t in tables), tables[0].shape[1]
    size = sum(t.nnz for t in tables)
    data, columns = np.empty(size), np.empty(size, dtype=np.int32)
    starts, at = [np.zeros(1, dtype=np.int64)], 0
    while tables:
        t = tables.pop(0)
        level = LEVELS[np.minimum(t.data, len(LEVELS) - 1)]
        square = np.bincount(np.repeat(np.arange(t.shape[0]), np.diff(t.indptr)), level**2,
                             minlength=t.shape[0])  # fmt: skip
        inverse = 1 / np.maximum(np.sqrt(square), 1e-12)
        data[at : at + t.nnz] = level * np.repeat(inverse, np.diff(t.indptr))
        columns[at : at + t.nnz] = t.indices
        starts.append(t.indptr[1:].astype(np.int64) + at)
        at += t.nnz
    return sparse.csr_array((data, columns, np.concatenate(starts)), shape=(n, m))


def _logistic(X: sparse.csr_array, sign: Array, weight: Array) -> tuple[Array, float]:
    r"""Minimise :math:`\sum_i w_i \log(1 + e^{-s_i (x_i \beta + b)}) + \|\beta\|^2 / 2` by L-BFGS.

    With scipy alone: scikit-learn would add 115 MB to a job that is to stay below 300.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(b: Array) -> tuple[float, Array]:
        margin = sign * (X @ b[:-1] + b[-1])
        pull = -weight * sign * expit(-margin)
        value = weight @ np.logaddexp(0, -margin) + 0.5 * b[:-1] @ b[:-1]
        return float(value), np.append(X.T @ pull + b[:-1], pull.sum())

    start = np.zeros(X.shape[1] + 1)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B",
        options={"maxiter": 500, "gtol": 1e-5 * float(weight.mean()), "ftol": 1e-12},
    )  # fmt: skip
    return found.x[:-1], float(found.x[-1])
