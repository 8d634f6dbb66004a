"""DSIR: weigh a document by how much likelier its n-grams are in the target than in the pool."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import as_docs
from ecotone.select._grams import Counted, buckets_for, smoothed, weigh
from ecotone.select._text import check_fitted, counted
from ecotone.select._tokens import tokens

Array = NDArray[np.float64]
HOWS = ("sum", "mean")


@method(
    name="dsir", paper="xie2023data", needs={"source_rows", "target_rows"}, handles={"covariate"}
)
class DSIR:
    r"""Importance weights from hashed unigrams and bigrams [1]_.

    .. math:: \log w(x) = \sum_{g \in x} \log \frac{p_g}{q_g}, \qquad
              p_b = \frac{c_b + \alpha}{N + \alpha m}

    over the unigrams and bigrams g of a document; p are the shares of the m buckets in the target,
    q those in the pool, both with a Dirichlet prior. The paper adds 1e-8 to the shares instead: a
    bucket that the target happens not to fill would then decide alone.

    Parameters
    ----------
    buckets : int, optional
        m; by default a power of two so that the target fills each about 50 times, from 1,024 to
        262,144. The paper has 10,000.
    prior : float, default 1.0
        :math:`\alpha`, in counts.
    how : {"sum", "mean"}, default "sum"
        Sum over grams, as in the paper, or their mean. The sum follows the length of a document,
        and the mean falls for boilerplate: see the card.

    Attributes
    ----------
    log_ratio_ : ndarray, shape (m,)
        Logarithm of p over q, nats a gram.

    References
    ----------
    .. [1] Xie, Santurkar, Ma, Liang, Data selection for language models via importance resampling,
       NeurIPS 2023.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> DSIR(buckets=1024).fit(target, pool).score(pool[:3]).argmax()
    np.int64(1)
    """

    def __init__(self, *, buckets: int | None = None, prior: float = 1.0, how: str = "sum") -> None:
        self.buckets = buckets
        self.prior = prior
        self.how = how

    def fit(self, target: Any, pool: Any) -> Self:
        """Count the grams of target and pool, in one pass over each.

        Parameters
        ----------
        target, pool : texts
            In any form that `ecotone.data.docs.as_docs` takes.

        Raises
        ------
        BadInput
            Target or pool holds no document, or an option makes no sense.
        """
        m = self._check()
        if m is None:
            m = buckets_for(sum(len(tokens(b).hashes) for b in as_docs(target, "target")))
        return self.fit_counts(counted(target, m, "target"), counted(pool, m, "pool"))

    def fit_counts(self, target: Counted, pool: Counted) -> Self:
        """Learn from counts, which may have been added up over many workers."""
        p, q = smoothed(target.grams, self.prior), smoothed(pool.grams, self.prior)
        self.log_ratio_ = np.log(p) - np.log(q)
        return self

    def score(self, docs: Any) -> Array:
        """Return the log weight of every document, shape (n,): nats, or nats a gram."""
        check_fitted(self, "log_ratio_")
        parts = [np.zeros(0)]
        for batch in as_docs(docs):
            out, lengths = weigh(batch, self.log_ratio_)
            if self.how == "mean":  # 2t - 1 grams of t tokens
                out = out / np.maximum(2 * lengths - 1, 1)
            parts.append(out)
        return np.concatenate(parts)

    def _check(self) -> int | None:
        if self.how not in HOWS:
            raise BadInput(f"DSIR: how is {self.how!r}.", cure='how="sum" or how="mean"')
        if not self.prior > 0:
            raise BadInput(
                f"DSIR: prior is {self.prior}.", why="a bucket without counts needs a share.",
                cure="prior=1.0",
            )  # fmt: skip
        if self.buckets is not None and not (
            isinstance(self.buckets, int) and 2 <= self.buckets <= 1 << 30
        ):
            raise BadInput(f"DSIR: buckets is {self.buckets}.", cure="buckets=16384")
        return self.buckets
