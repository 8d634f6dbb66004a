"""PASER: repair a damaged model with the examples of what it has lost most."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import derive, stream
from ecotone.core.simplex import cap_shares, largest_remainder
from ecotone.core.verdict import Finding
from ecotone.select._damage import checked_pool, divergences, efficiency
from ecotone.select._phrases import ConceptGraph
from ecotone.select._skills import nearest
from ecotone.select._spectral import clusters
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@method(
    name="paser",
    paper="he2025paser",
    needs={"source_rows", "reference_model", "activations"},
    handles=set(),
)
class PASER:
    r"""Budgets by how far the model has moved on each cluster of examples; in it the cheapest [1]_.

    Clusters are nonnegative parts of a diffusion similarity of embeddings. With :math:`\bar J_c`
    the mean divergence :math:`J` between the predictions of the original and the damaged model,

    .. math:: n_c \propto \bar J_c, \qquad \mathrm{efficiency}(x) = \frac{J(x)}{\log |x|^2},

    where :math:`|x|` counts tokens. In a cluster examples are taken by efficiency, from the most
    damaged cluster on. One that would join two concepts which were both accepted before, but never
    together, is passed over.

    Parameters
    ----------
    share : float, default 0.1
        Of the documents given to `score` that may be taken.
    clusters : int, optional
        By default the largest fall of eigenvalues decides, from 2 to 20.
    least : float, default 1e-4
        Mean divergence, nats, below which no cluster counts as damaged: budgets are then equal.
    most : int, default 1500
        Rows that clusters are found on; of more, that many are drawn, and the others follow the
        nearest of them.
    seed : int, default 0
        For that draw and for the parts.

    Attributes
    ----------
    cluster_ : ndarray of int64, shape (n,)
        Of the pool.
    degradation_ : ndarray, shape (k,)
        Mean divergence of each cluster.
    damaged_ : bool
        Whether any cluster lies above `least`.

    Notes
    -----
    O(most^2) memory and O(most^3) time once; then O(n most) time in blocks.

    References
    ----------
    .. [1] He et al., PASER: post-training data selection for efficient pruned large language model
       recovery, arXiv 2502.12594, 2025.

    Examples
    --------
    >>> X = np.repeat([[0.0], [9.0]], 5, axis=0) + np.arange(10)[:, None] / 100
    >>> harm, tokens = np.repeat([0.01, 0.3], 5), np.full(10, 20)
    >>> scores = PASER(share=0.2).fit(None, (X, harm, tokens)).score((X, harm, tokens))
    >>> np.flatnonzero(scores > 1).tolist()
    [5, 6]
    """

    def __init__(
        self, *, share: float = 0.1, clusters: int | None = None, least: float = 1e-4,
        most: int = 1500, seed: int = 0,
    ) -> None:  # fmt: skip
        self.share = share
        self.clusters = clusters
        self.least = least
        self.most = most
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Find clusters and how much each has lost; the target is not looked at, and may be None.

        Parameters
        ----------
        target : object
            Not used.
        pool : triple or quadruple of array-like, each of length n
            Embeddings (n, d); divergence of each example (`divergence` computes it); tokens of
            question and answer; and, if wanted, its concepts: a text, whose key phrases are taken
            (English), or a list of names.

        Raises
        ------
        BadInput
            The pool is empty, arrays do not fit each other, or an option makes no sense.
        """
        del target  # what was lost is the target
        self._check()
        given = checked_pool(pool, None, "pool")
        if not len(given.harm):
            raise BadInput("PASER: pool is empty.", cure="pass at least one example")
        self.rows_ = given.features
        if len(self.rows_) > self.most:
            drawn = stream(self.seed, "paser", "rows").choice(len(self.rows_), self.most, False)
            self.rows_ = self.rows_[np.sort(drawn)]
        # around their mean: squares of far rows would round away the distances
        self.centre_ = self.rows_.mean(axis=0)
        self.rows_ = self.rows_ - self.centre_
        seed = derive(self.seed, "paser", "parts")
        self._of_rows = clusters(self.rows_, self.clusters, 20, seed)
        self.cluster_ = self._assigned(given.features)
        k = int(self._of_rows.max()) + 1
        count = np.bincount(self.cluster_, minlength=k)
        self.degradation_ = np.bincount(self.cluster_, given.harm, k) / np.maximum(count, 1)
        self.damaged_ = bool(self.degradation_.max() > self.least)
        return self

    def budgets(self, sizes: Any, budget: int) -> Places:
        """Divide a budget among clusters with so many examples, (k,): whole numbers that add up."""
        check_fitted(self, "degradation_")
        room = np.asarray(sizes, dtype=np.float64)
        if room.shape != self.degradation_.shape or not 0 < budget <= room.sum():
            raise BadInput(
                f"PASER: a budget of {budget} for clusters of the sizes {room.tolist()}.",
                cure=f"pass {len(self.degradation_)} sizes, and budget=1 up to their sum",
            )
        lost = self.degradation_ if self.damaged_ else np.ones(len(room))
        lost = lost / lost.sum() + 1e-9  # what is left when all damaged clusters are used up
        return largest_remainder(cap_shares(lost / lost.sum(), room / budget), budget)

    def score(self, docs: Any) -> Array:
        """Return above 1 what is taken, above 0 what was not reached, below 0 what conflicts, (n,).

        Within each of the three the more efficient ones are higher. ``pick(scores, budget)`` with
        the budget of `share` keeps what was taken, and fills up where conflicts have left room.

        Parameters
        ----------
        docs : triple or quadruple, as the pool
            The set to choose from.
        """
        check_fitted(self, "degradation_")
        given = checked_pool(docs, self.rows_.shape[1], "docs")
        n = len(given.harm)
        if not n:
            return np.zeros(0)
        of, worth = self._assigned(given.features), efficiency(given.harm, given.sizes)
        order = np.argsort(-worth, kind="stable")
        by_worth = np.empty(n)
        by_worth[order] = np.arange(n, 0, -1) / (n + 1)
        k = len(self.degradation_)
        budgets = self.budgets(np.bincount(of, minlength=k), max(1, round(self.share * n)))
        graph, out = ConceptGraph(), by_worth.copy()
        for c in np.argsort(-self.degradation_, kind="stable"):
            left = int(budgets[c])
            for i in order[of[order] == c]:
                if not left:
                    break
                accepted = graph.accept(given.concepts[i])
                out[i] += 1.0 if accepted else -1.0
                left -= accepted
        return out

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Say when nothing was lost."""
        check_fitted(self, "degradation_")
        if self.damaged_:
            return ()
        return (
            Finding(
                "S107",
                f"no cluster has lost anything (divergence at most {self.degradation_.max():.1e} "
                "nats a token): budgets are equal.",
                "nothing: there is no damage to repair",
            ),
        )

    def _assigned(self, X: Array) -> Places:
        return self._of_rows[nearest(X - self.centre_, self.rows_)[0]]

    def _check(self) -> None:
        for name, fine, cure in (
            ("share", 0 < self.share <= 1, "share=0.1"),
            ("clusters", self.clusters is None or self.clusters >= 1, "clusters=5"),
            ("least", self.least >= 0, "least=1e-4"),
            ("most", self.most >= 2, "most=1500"),
        ):
            if not fine:
                raise BadInput(f"PASER: {name} is {getattr(self, name)}.", cure=cure)

    @staticmethod
    def divergence(original: Any, damaged: Any, document: Any) -> Array:
        r"""Return the mean Jensen-Shannon divergence of the predictions in each document, (n,).

        :math:`J = H\big(\tfrac{p+q}{2}\big) - \tfrac12 H(p) - \tfrac12 H(q)` a position, nats, from
        0 to ln 2.

        Parameters
        ----------
        original, damaged : array-like, shape (t, vocabulary)
            Logits or log probabilities of both models at every position.
        document : array-like of int, shape (t,)
            Document of each position, from 0.
        """
        return divergences(original, damaged, document)
