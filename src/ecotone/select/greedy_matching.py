"""Greedy matching: add the documents that bring what the target has and the choice lacks."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.docs import joined
from ecotone.select._grams import buckets_for, smoothed, tables
from ecotone.select._text import check_fitted, check_tokens, counted

Array = NDArray[np.float64]


@method(
    name="greedy_matching",
    paper="",
    needs={"source_rows", "target_rows"},
    handles={"covariate"},
)
class GreedyMatching:
    r"""Choose a set of documents whose n-grams together match the target's.

    .. math:: \max_S\ F(S) = \sum_b p_b \log\Big(\alpha_b + \sum_{i \in S} c_{ib}\Big)

    with p the target's shares of unigrams and bigrams in buckets, c their counts in documents, and
    :math:`\alpha` a thousandth of the budget, spread as the documents are.
    F is monotone and submodular (a concave function of a sum), so taking the highest gain per
    token again and again is within a constant factor of the best set; for a given number of
    tokens it minimises the divergence of the choice from the target. A copy of what was taken
    gains little: no deduplication is needed.

    The choice depends on what else there is: `score` is the order of taking among the documents
    it is given, and copies do not score alike.

    Parameters
    ----------
    share : float, default 0.05
        Share of the tokens of the documents scored that is to be chosen.
    buckets : int, optional
        By default as many as the target fills.
    rounds : int, default 40
        A fortieth of the budget is taken before gains are computed anew.

    Examples
    --------
    >>> pool = ["the ball was kicked", "a patient with fever", "the goal was scored"] * 20
    >>> target = ["fever and cough", "the patient was given a dose"] * 20
    >>> GreedyMatching(share=0.1).fit(target, pool).score(pool).argmax() % 3
    np.int64(1)
    """

    def __init__(
        self, *, share: float = 0.05, buckets: int | None = None, rounds: int = 40
    ) -> None:
        self.share = share
        self.buckets = buckets
        self.rounds = rounds

    def fit(self, target: Any, pool: Any) -> Self:
        """Count the target; the pool is only looked at for being there."""
        if not 0 < self.share <= 1 or self.rounds < 1:
            raise BadInput(
                f"GreedyMatching: share is {self.share}, rounds is {self.rounds}.",
                cure="share=0.05, rounds=40",
            )
        m = self.buckets or buckets_for(counted(target, 2, "target").tokens)
        grams = counted(target, m, "target").grams
        # no prior: what the target lacks is worth nothing, or filling empty buckets would be
        self.p_ = grams / grams.sum()
        check_tokens(pool, "pool")
        return self

    def score(self, docs: Any) -> Array:
        """Return the order of taking, first is highest: rounds left, or below 1 for the rest."""
        check_fitted(self, "p_")
        return self.order(*tables(joined(docs, "docs", least=1), len(self.p_)))

    def order(self, counts: sparse.csr_array, lengths: NDArray[np.int64]) -> Array:
        """Return the same for counts (n, m) and tokens (n,) of documents."""
        cost = np.maximum(lengths, 1).astype(np.float64)
        left = np.ones(len(cost), dtype=bool)
        budget = self.share * cost.sum()
        # before anything is taken the choice is a thousandth of itself, made like the documents:
        # the first gains are then ratios of target to pool
        held = smoothed(np.asarray(counts.sum(axis=0)).ravel()) * max(budget / 1000, 1.0)
        out = np.zeros(len(cost))
        for done in range(self.rounds):
            gain = (counts @ (self.p_ / held)) / cost
            gain[~left] = -np.inf
            taken = _best(gain, cost, budget / self.rounds)
            out[taken] = self.rounds - done + _ranks(gain[taken])
            left[taken] = False
            held = held + np.asarray(counts[taken].sum(axis=0)).ravel()
            if not left.any():
                break
        rest = np.flatnonzero(left)
        out[rest] = _ranks((counts[rest] @ (self.p_ / held)) / cost[rest])
        return out


def _best(gain: Array, cost: Array, budget: float) -> NDArray[np.intp]:
    """Return the documents of highest gain that fill a budget, at least one."""
    order = np.argsort(-gain, kind="stable")
    order = order[np.isfinite(gain[order])]
    return order[: max(1, int(np.searchsorted(np.cumsum(cost[order]), budget, side="right")))]


def _ranks(values: Array) -> Array:
    """Return ranks between 0 and 1, both excluded."""
    out = np.empty(len(values))
    out[np.argsort(values, kind="stable")] = (np.arange(len(values)) + 0.5) / max(len(values), 1)
    return out
