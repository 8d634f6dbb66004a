"""Retrieval importance: how much each source of a corpus helps those who look things up in it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.select._ranked import Questions, blocks, extension
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@method(
    name="retrieval_importance",
    paper="lyu2023improving",
    needs={"source_rows", "target_labels"},
    handles=set(),
)
class RetrievalImportance:
    r"""Weights of sources by gradient ascent on the multilinear extension of the utility [1]_.

    Every item i exists with probability :math:`v_{g(i)}` of its source. A question sees the first k
    items of its ranking that exist, and its utility is the sum of theirs over k:

    .. math:: \tilde U(v) = \sum_S U(S) \prod_{i \in S} v_i \prod_{i \notin S} (1 - v_i), \qquad
              \frac{\partial \tilde U}{\partial v_i} = \frac1k \sum_{j<k} F_{i-1}(j)
              \left(c_i + V_{i+1}(k-j-1) - V_{i+1}(k-j)\right)

    F counts the items before i that exist, and V(r) is the expected utility of the first r items
    from i on that exist, :math:`V_i(r) = (1-v_i) V_{i+1}(r) + v_i (c_i + V_{i+1}(r-1))`: exact in
    O(M k) for a list of M items, whatever values the utilities take.

    Parameters
    ----------
    k : int, default 10
        Items that a question sees.
    steps : int, default 20
        Of the ascent, from v = 0.5.
    rate : float, default 0.5
        Step, in the unit of v for a gain of 1 a time that the source is seen.
    prior : float, default 1.0
        Times seen that are added to every source: those seen seldom stay near 0.5.
    epsilon : float, default 0.0
        Error of a gradient that is accepted, times k, for utilities from 0 to 1; 0 is exact. Tails
        of lists that can hardly matter are then left out.
    delta : float, default 0.0
        Above 0, half of epsilon is spent on drawing questions for each step, so many that the error
        of one gradient is below it with probability 1 - delta (Hoeffding).
    seed : int, default 0
        For that draw, and for the halves of `gain_`.

    Attributes
    ----------
    weights_ : ndarray, shape (g,)
        v of every source, from 0 to 1.
    seen_ : ndarray, shape (g,)
        Expected times that a source is among the k, at v = 0.5 elsewhere: 0 is no evidence.
    utility_ : ndarray, shape (steps + 1,)
        Mean over questions, along the ascent.
    gain_ : tuple of float
        Held-out gain of pruning (v below 0.5 goes) over keeping all, and the lower end of its 99 %
        interval: each half of the questions judges the weights of the other.

    References
    ----------
    .. [1] Lyu et al., Improving retrieval-augmented large language models via data importance
       learning, arXiv 2307.03027, 2023.

    Examples
    --------
    >>> ranked, utility = [[0, 1, 2], [1, 2, 0]], [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    >>> RetrievalImportance(k=1).fit((ranked, utility), ["a", "b", "b"]).score(["a", "b"]).round(1)
    array([0., 1.])
    """

    def __init__(
        self, *, k: int = 10, steps: int = 20, rate: float = 0.5, prior: float = 1.0,
        epsilon: float = 0.0, delta: float = 0.0, seed: int = 0,
    ) -> None:  # fmt: skip
        self.k = k
        self.steps = steps
        self.rate = rate
        self.prior = prior
        self.epsilon = epsilon
        self.delta = delta
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Learn the weights of all sources.

        Parameters
        ----------
        target : pair of array-like, each shape (N, M)
            Of each question: the ranked places of items in the pool, best first, -1 where the list
            has ended; and the utility of each item for it (1 if an answer from it alone is right).
            `neighbours` makes the pair for a k-nearest-neighbour classifier.
        pool : array-like, shape (n,)
            The source of every item: a site, a file, a domain; or the item's own name.

        Raises
        ------
        BadInput
            The arrays do not fit each other, or an option makes no sense.
        """
        self._check()
        self.sources_, source = np.unique(np.asarray(pool), return_inverse=True)
        q = _checked(target, len(source))
        of = np.where(q.ranked < 0, -1, source[q.ranked])
        self.weights_, self.seen_, self.utility_ = self._ascend(of, q.utility)
        self.gain_ = self._held_out(of, q.utility)
        return self

    def score(self, docs: Any) -> Array:
        """Return v of the source of every item, (n,); 0.5 for a source that was not in the pool."""
        check_fitted(self, "weights_")
        names = np.asarray(docs)
        if not len(names):
            return np.zeros(0)
        place = np.minimum(np.searchsorted(self.sources_, names), len(self.sources_) - 1)
        return np.where(self.sources_[place] == names, self.weights_[place], 0.5)

    def keep(self, docs: Any) -> NDArray[np.bool_]:
        """Return which items to keep, (n,): all, unless pruning gained on held-out questions."""
        scores = self.score(docs)
        return (scores >= 0.5) | (not self.gain_[1] > 0)

    def _ascend(self, of: Places, c: Array) -> tuple[Array, Array, Array]:
        """Return weights, times seen, and the mean utility of every step."""
        groups, N = len(self.sources_), len(of)
        v, rng, trace = np.full(groups, 0.5), stream(self.seed, "questions"), []
        take, cut = self._budget(N)
        scale = np.zeros(0)
        for step in range(self.steps + 1):
            rows = slice(None) if take == N else np.sort(rng.choice(N, take, replace=False))
            total, push, seen = self._pass(of[rows], c[rows], v, cut)
            trace.append(total / take)
            if step == 0:  # a fixed scale for each source leaves the maxima where they are
                first, scale = seen * N / take, N / take / (seen * N / take + self.prior)
            if step < self.steps:
                v = np.clip(v + self.rate * scale * push, 0.0, 1.0)
        return v, first, np.array(trace)

    def _pass(self, of: Places, c: Array, v: Array, cut: float) -> tuple[float, Array, Array]:
        """Return, summed over questions: value, gradient times k and times seen of each source."""
        total, push, seen = 0.0, np.zeros(len(v)), np.zeros(len(v))
        for _, p, here, worth in blocks(of, c, v, self.k, cut):
            value, gradient, open_ = extension(p, worth, self.k)
            total += float(value.sum())
            flat, real = here.ravel(), here.ravel() >= 0
            push += np.bincount(flat[real], self.k * gradient.ravel()[real], len(v))
            seen += np.bincount(flat[real], open_.ravel()[real], len(v))
        return total, push, seen

    def _budget(self, N: int) -> tuple[int, float]:
        """Return how many questions to draw, and the chance at which a list is cut."""
        if not (self.epsilon > 0 and self.delta > 0):
            return N, self.epsilon
        # a gradient times k lies between -1 and 1: exp(-m t^2 / 2) on either side, t = epsilon / 2
        need = int(np.ceil(8 * np.log(2 / self.delta) / self.epsilon**2))
        return min(N, need), self.epsilon / 2

    def _held_out(self, of: Places, c: Array) -> tuple[float, float]:
        N = len(of)
        if N < 2:
            return 0.0, -np.inf
        order, gains = stream(self.seed, "halves").permutation(N), np.zeros(N)
        for mine, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            kept = (self._ascend(of[mine], c[mine])[0] >= 0.5).astype(np.float64)
            for v, sign in ((kept, 1.0), (np.ones_like(kept), -1.0)):
                for at, p, _, worth in blocks(of[other], c[other], v, self.k, 0.0):
                    gains[other[at]] += sign * extension(p, worth, self.k)[0]
        half = float(student.ppf(0.995, N - 1) * gains.std(ddof=1) / np.sqrt(N))
        return float(gains.mean()), float(gains.mean()) - half

    def _check(self) -> None:
        for name, fine, cure in (
            ("k", self.k >= 1, "k=10"),
            ("steps", self.steps >= 1, "steps=20"),
            ("rate", self.rate > 0, "rate=0.5"),
            ("prior", self.prior > 0, "prior=1.0"),
            ("epsilon", 0 <= self.epsilon < 1, "epsilon=0.01"),
            ("delta", 0 <= self.delta < 1, "delta=0.05"),
        ):
            if not fine:
                raise BadInput(f"RetrievalImportance: {name} is {getattr(self, name)}.", cure=cure)


def _checked(target: Any, n: int) -> Questions:
    try:
        ranked, utility = (np.asarray(part) for part in target)
    except (TypeError, ValueError):
        raise BadInput(
            "RetrievalImportance: target is no pair of arrays.", cure="fit((ranked, utility), pool)"
        ) from None
    utility = utility.astype(np.float64)
    if ranked.ndim != 2 or ranked.shape != utility.shape or 0 in ranked.shape or n == 0:
        raise BadInput(
            f"RetrievalImportance: ranked has the shape {ranked.shape}, utility {utility.shape}, "
            f"and the pool {n} items.",
            cure="pass two arrays (questions, ranks) and the source of every item",
        )
    if not np.issubdtype(ranked.dtype, np.integer) or ranked.min() < -1 or ranked.max() >= n:
        raise BadInput(
            f"RetrievalImportance: ranked must hold places from 0 to {n - 1}, or -1.",
            cure="number the items as they stand in the pool",
        )
    if not np.isfinite(utility).all():
        raise BadInput("RetrievalImportance: a utility is not a number.", cure="fill in 0.0")
    return Questions(ranked.astype(np.int64), np.where(ranked < 0, 0.0, utility))
