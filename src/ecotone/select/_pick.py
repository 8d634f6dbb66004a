"""From scores to the documents to keep, under a budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, MissingExtra
from ecotone.core.seeds import derive
from ecotone.core.simplex import cap_shares
from ecotone.select._facility import facility_order
from ecotone.select._tokens import mixed
from ecotone.select.random import uniform

Array = NDArray[np.float64]
HOWS = ("top", "gumbel", "stratified", "facility")
BANDS = 20  # of the stratified picker


class Picked(NamedTuple):
    """What was kept.

    Attributes
    ----------
    rows : ndarray of int64, shape (k,)
        Places of the documents kept, in their order.
    weights : ndarray of float64, shape (n,)
        1 for a document that was kept, else 0.
    spent : float
        Of the budget, in its unit.
    temperature : float
        Of the Gumbel picker; 0 for the others.
    """

    rows: NDArray[np.int64]
    weights: Array
    spent: float
    temperature: float

    def sampler(self, seed: int = 0) -> Any:
        """Return a PyTorch sampler that visits what was kept, in an order drawn anew each epoch.

        Raises
        ------
        MissingExtra
            PyTorch is not installed.
        """
        try:
            import torch
        except ModuleNotFoundError:
            raise MissingExtra.of("lm", "torch", "Picked.sampler") from None
        drawn = torch.Generator().manual_seed(derive(seed, "sampler"))
        return torch.utils.data.SubsetRandomSampler(self.rows.tolist(), generator=drawn)

    def shares(self, domains: Any, sizes: Any = None) -> dict[str, float]:
        """Return each domain's share of what was kept, a mixture that `ecotone.mix.hand` takes.

        Parameters
        ----------
        domains : array, shape (n,)
            Of every document of the pool.
        sizes : array, shape (n,), optional
            Tokens of each; documents are counted otherwise.
        """
        names, of = np.unique(np.asarray(domains), return_inverse=True)
        cost = self.weights if sizes is None else self.weights * np.asarray(sizes)
        total = np.bincount(of, cost, minlength=len(names))
        both = zip(names.tolist(), (total / total.sum()).tolist(), strict=True)
        return {str(name): share for name, share in both}


def pick(
    scores: Any, budget: float, how: str = "top", *, sizes: Any = None, groups: Any = None,
    quotas: Mapping[Any, float] | None = None, features: Any = None,
    temperature: float | None = None, ids: Any = None, seed: int = 0,
) -> Picked:  # fmt: skip
    r"""Keep documents under a budget of documents, or of their sizes.

    ``top`` keeps the highest scores. ``gumbel`` keeps the highest of
    :math:`s_i / T + g_i`, with :math:`g_i = -\log(-\log u_i)` and :math:`u_i` uniform, drawn from
    the seed and the id: a draw without replacement with probabilities in proportion to
    :math:`e^{s_i / T}`. Without a temperature, T is the smallest at which twice as many documents
    as are kept have a fair chance (the effective sample size of :math:`e^{s/T}` is 2k): log weights
    of documents differ by hundreds, and at T = 1 the draw would be the top. ``stratified`` cuts
    the order of scores into 20 bands of equal size and takes the same share of each at random.
    ``facility`` takes, one after the other, the document by which most is newly covered for its
    size: :math:`\sum_i (s_i - \min s) \max_{j \in S} \cos(x_i, x_j)` with x the `features`.

    Documents are taken in that order until the next would not fit; later ones that fit still are
    taken, so that at most the smallest document's size is left.

    Parameters
    ----------
    scores : array, shape (n,)
        Higher is better; not a number is refused.
    budget : float
        In documents, or in the unit of `sizes`.
    how : {"top", "gumbel", "stratified", "facility"}
    sizes : array, shape (n,), optional
        Tokens or bytes of each.
    groups : array, shape (n,), optional
        Domain or cluster of each: every group gets its share of the budget, in proportion to its
        size in the pool.
    quotas : mapping from group to float, optional
        Other shares of the budget; what a group cannot fill goes to the others.
    features : array, shape (n, d), optional
        For ``facility``: embeddings, for instance.
    temperature : float, optional
        T, above 0.
    ids : sequence of str, optional
        What the draw of each depends on; places otherwise.
    seed : int

    Examples
    --------
    >>> pick([0.1, 3.0, 2.0], 2).rows.tolist()
    [1, 2]
    >>> pick([0.1, 3.0, 2.0], 10, sizes=[4, 20, 5]).rows.tolist()
    [0, 2]
    """
    s, cost = _checked(scores, budget, how, sizes)
    noise = _draws(ids, len(s), seed)
    X = _features(features, len(s), how)
    if groups is None:
        rows, T = _one(s, cost, budget, how, temperature, noise, X)
    else:
        of = np.unique(np.asarray(groups), return_inverse=True)[1]
        shares = _budgets(np.asarray(groups), cost, budget, quotas)
        found = [
            _one(s[at], cost[at], shares[g], how, temperature, noise[at], _some(X, at))
            for g in range(len(shares))
            for at in [np.flatnonzero(of == g)]
        ]
        rows = np.concatenate([np.flatnonzero(of == g)[r] for g, (r, _) in enumerate(found)])
        T = max(t for _, t in found)
    rows = np.sort(rows)
    weights = np.zeros(len(s))
    weights[rows] = 1.0
    return Picked(rows, weights, float(cost[rows].sum()), T)


def _checked(scores: Any, budget: float, how: str, sizes: Any) -> tuple[Array, Array]:
    s = np.asarray(scores, dtype=np.float64)
    cost = np.ones(len(s)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if s.ndim != 1 or len(s) == 0 or cost.shape != s.shape:
        raise BadInput(
            f"pick: scores have the shape {s.shape}, sizes {cost.shape}.",
            cure="pass one score, and one size, for each document",
        )
    if np.isnan(s).any():
        raise BadInput(f"pick: {int(np.isnan(s).sum())} scores are not a number.",
                       cure="drop those documents first")  # fmt: skip
    if how not in HOWS:
        raise BadInput(f"pick: how is {how!r}.", cure=f"one of: {', '.join(HOWS)}")
    if not budget > 0 or not (cost > 0).all():
        raise BadInput("pick: budget and sizes must be above 0.", cure="budget=1000")
    if budget > cost.sum():
        raise BadInput(
            f"pick: the budget of {budget:,.0f} is above the pool, which has {cost.sum():,.0f}.",
            cure=f"budget={int(cost.sum())}, or a larger pool",
        )
    return s, cost


def _features(features: Any, n: int, how: str) -> Array | None:
    if how != "facility":
        return None
    X = np.asarray(features, dtype=np.float64)
    if X.ndim != 2 or len(X) != n or not np.isfinite(X).all():
        raise BadInput(
            f"pick: features have the shape {X.shape}, there are {n} scores.",
            cure='pick(scores, budget, "facility", features=X), one row of numbers a document',
        )
    return X


def _some(X: Array | None, at: NDArray[np.int64]) -> Array | None:
    return None if X is None else X[at]


def _budgets(groups: Any, cost: Array, budget: float, quotas: Mapping[Any, float] | None) -> Array:
    """Return the budget of every group, in the order of their names."""
    names, of = np.unique(groups, return_inverse=True)
    room = np.bincount(of, cost)
    if quotas is None:
        return np.asarray(room / cost.sum() * budget)
    wanted = np.array([float(quotas.get(n, 0.0)) for n in names.tolist()])
    unknown = set(quotas) - set(names.tolist())
    if unknown or (wanted < 0).any() or not wanted.sum() > 0:
        raise BadInput(
            f"pick: quotas {dict(quotas)} for the groups {names.tolist()[:10]}.",
            cure="name a share, at least 0, for groups that exist",
        )
    asked = wanted > 0
    out = np.zeros(len(names))
    if room[asked].sum() >= budget:
        out[asked] = cap_shares(wanted[asked] / wanted.sum(), room[asked] / budget) * budget
    else:  # all there is of them, and the rest from the others
        out[asked] = room[asked]
        out[~asked] = room[~asked] / room[~asked].sum() * (budget - room[asked].sum())
    return out


def _draws(ids: Any, n: int, seed: int) -> Array:
    """Return a uniform number for each document, from the seed and its id alone."""
    key = np.uint64(derive(seed, "pick") % (1 << 64))
    if ids is None:
        return uniform(np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ key)
    from ecotone.data.docs import Docs

    return uniform(mixed(Docs.of([str(i) for i in ids]).fingerprints()) ^ key)


def _one(
    s: Array,
    cost: Array,
    budget: float,
    how: str,
    temperature: float | None,
    u: Array,
    features: Array | None,
) -> tuple[NDArray[np.int64], float]:
    T = 0.0
    if features is not None:
        order = facility_order(features, _relevance(s), cost, budget)
        return _fitting(order, cost, budget), T
    if how == "gumbel":
        key, T = gumbel_keys(s, cost, budget, u, temperature)
    elif how == "stratified":
        place = np.empty(len(s))
        place[np.lexsort((u, s))] = np.arange(len(s))
        band = (place * BANDS // len(s)).astype(np.int64)
        within = np.empty(len(s))
        for b in range(BANDS):
            at = np.flatnonzero(band == b)
            within[at[np.argsort(u[at])]] = (np.arange(len(at)) + 0.5) / max(len(at), 1)
        key = -within
    else:
        key = s
    order = np.lexsort((u, -key))
    return _fitting(order, cost, budget), float(T)


def gumbel_keys(
    s: Array, cost: NDArray[Any], budget: float, u: Array, temperature: float | None = None
) -> tuple[Array, float]:
    """Return what the Gumbel picker sorts by, (n,), and its temperature; u are the draws."""
    k = min(len(s), max(1, round(budget / cost.mean())))
    T = temperature if temperature is not None else fair_temperature(s, min(2 * k, len(s)))
    if not T > 0:
        raise BadInput(f"pick: temperature is {T}.", cure="temperature=1.0")
    return s / T - np.log(-np.log(u)), T


def _relevance(s: Array) -> Array:
    """Return weights at least 0: equal scores weigh alike."""
    spread = s - s.min()
    return spread / spread.mean() if spread.any() else np.ones(len(s))


def _fitting(order: NDArray[np.int64], cost: Array, budget: float) -> NDArray[np.int64]:
    """Take documents in an order as long as they fit."""
    left, taken = budget * (1 + 1e-12), []
    start = 0
    least = np.minimum.accumulate(cost[order][::-1])[::-1]  # smallest from here on
    while start < len(order) and least[start] <= left:
        total = np.cumsum(cost[order[start:]])
        fits = int(np.searchsorted(total, left, side="right"))
        if fits:
            taken.append(order[start : start + fits])
            left -= float(total[fits - 1])
        start += fits + 1  # the one that did not fit is passed over
        while start < len(order) and cost[order[start]] > left and least[start] <= left:
            start += 1
    return np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)


def fair_temperature(s: Array, wanted: int) -> float:
    r"""Return the smallest T at which :math:`e^{s/T}` has the wanted effective sample size.

    :math:`(\sum_i w_i)^2 / \sum_i w_i^2`, which grows with T from the number of highest scores to
    n; by bisection to 1e-6 of T.
    """
    gap = s - s.max()
    low, high = 1e-6, 1.0

    def effective(T: float) -> float:
        w = np.exp(gap / T)
        return float(w.sum() ** 2 / (w @ w))

    while effective(high) < min(wanted, len(s) * (1 - 1e-9)) and high < 1e12:
        high *= 2
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) < wanted else (low, middle)
    return high
