"""Search and prune: whole groups whose union looks like the target, then few items of each."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.select._frechet import Sums, ToTarget, sums
from ecotone.select._rows import checked_pair
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@method(
    name="snp",
    paper="yao2023large",
    needs={"source_rows", "target_rows", "activations"},
    handles={"covariate"},
)
class SnP:
    r"""Keep the prefix of clusters of groups that is nearest to the target as a Gaussian [1]_.

    .. math:: \mathrm{FD}(S, T) = \|m_S - m_T\|^2
              + \mathrm{tr}\big(C_S + C_T - 2\,(C_S C_T)^{1/2}\big)

    Groups (authors, sites, speakers) are put into clusters of equal size by their means; clusters
    are added in the order of their own distance to the target, and the prefix of least distance is
    kept.

    Parameters
    ----------
    clusters : int, default 50
        Of groups; at most as many as there are groups.
    components : int, default 64
        Principal components of target and pool together in which distances are taken.
    seed : int, default 0
        For the first centres, and for groups and items left out by a budget.

    Attributes
    ----------
    groups_ : ndarray, shape (g,)
        Names, sorted.
    cluster_ : ndarray of int64, shape (g,)
        Cluster of each group, in the order in which clusters are added.
    curve_ : ndarray, shape (clusters,)
        Distance of each prefix, in squared units of the features.
    best_ : int
        Clusters in the prefix kept.

    References
    ----------
    .. [1] Yao et al., Large-scale training data search for object re-identification, CVPR 2023.

    Examples
    --------
    >>> X, of = np.array([[0.0], [0.2], [9.0], [9.2]]), ["a", "a", "b", "b"]
    >>> SnP(clusters=2).fit([[0.0], [0.3]], (X, of)).keep(["a", "b"]).tolist()
    [True, False]
    """

    def __init__(self, *, clusters: int = 50, components: int = 64, seed: int = 0) -> None:
        self.clusters = clusters
        self.components = components
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Search for the prefix.

        Parameters
        ----------
        target : array-like, shape (m, d)
            Features.
        pool : pair of array-like, shape (n, d) and (n,)
            Features, and the group of each row.

        Raises
        ------
        BadInput
            The arrays do not fit each other, a side is empty, or an option makes no sense.
        """
        T, P, names = self._checked(target, pool)
        self.groups_, self._of = np.unique(names, return_inverse=True)
        T, self._rows = _components(T, P, self.components)
        means = _means(self._rows, self._of, len(self.groups_))
        K = min(self.clusters, len(self.groups_))
        start = stream(self.seed, "snp", "centres")
        found = balanced(means, K, start)
        whole = np.cov(np.vstack([T, self._rows]), rowvar=False, bias=True)
        far = ToTarget(T, whole.reshape(T.shape[1], T.shape[1]))
        parts = sums(self._rows, found[self._of], K)
        order, self.curve_ = _search(far, parts)
        self.best_ = int(self.curve_.argmin()) + 1
        rank = np.empty(K, dtype=np.int64)
        rank[order] = np.arange(K)
        self.cluster_ = rank[found]
        return self

    def score(self, docs: Any) -> Array:
        """Return how early the cluster of every group was added, (n,): above 0 where it is kept.

        Parameters
        ----------
        docs : array-like, shape (n,)
            Groups of the pool; one that was not in it scores as the last.
        """
        check_fitted(self, "curve_")
        names, K = np.asarray(docs), len(self.curve_)
        if not len(names):
            return np.zeros(0)
        place = np.minimum(np.searchsorted(self.groups_, names), len(self.groups_) - 1)
        known = self.groups_[place] == names
        return (self.best_ - np.where(known, self.cluster_[place], K)) / K

    def keep(self, docs: Any) -> NDArray[np.bool_]:
        """Return which groups are in the prefix, (n,)."""
        return self.score(docs) > 0

    def rows(self, items: int, *, groups: int | None = None) -> Places:
        """Return rows of the pool: one of every kept group, then the farthest from those taken.

        Parameters
        ----------
        items : int
            Rows to return, at least one a group.
        groups : int, optional
            Groups to draw at random of those kept; all by default.
        """
        check_fitted(self, "curve_")
        rng = stream(self.seed, "snp", "budget")
        kept = np.flatnonzero(self.cluster_ < self.best_)
        if groups is not None and groups < len(kept):
            kept = rng.choice(kept, groups, replace=False)
        at = np.flatnonzero(np.isin(self._of, kept))
        if not len(kept) <= items <= len(at):
            raise BadInput(
                f"SnP: {items} items of {len(kept)} groups with {len(at)} rows.",
                cure=f"from items={len(kept)} to items={len(at)}, or groups={max(items, 1)}",
            )
        first = rng.permutation(at)
        one = first[np.unique(self._of[first], return_index=True)[1]]
        return np.sort(at[farthest(self._rows[at], np.searchsorted(at, np.sort(one)), items)])

    def _checked(self, target: Any, pool: Any) -> tuple[Array, Array, NDArray[Any]]:
        for name in ("clusters", "components"):
            if not getattr(self, name) >= 1:
                raise BadInput(f"SnP: {name} is {getattr(self, name)}.", cure=f"{name}=50")
        try:
            X, of = pool
        except (TypeError, ValueError):
            raise BadInput(
                "SnP: pool is no pair.", cure="fit(target, (features, groups))"
            ) from None
        T, P = checked_pair(target, X, "SnP")
        names = np.asarray(of)
        if names.shape != (len(P),):
            raise BadInput(
                f"SnP: {len(P)} rows, but groups of the shape {names.shape}.",
                cure="pass the group of every row",
            )
        return T, P, names


def _components(T: Array, P: Array, most: int) -> tuple[Array, Array]:
    """Return both in their first common principal components."""
    both = np.vstack([T, P])
    both = both - both.mean(axis=0)
    if both.shape[1] > most:
        both = both @ np.linalg.eigh(both.T @ both)[1][:, : -most - 1 : -1]
    return both[: len(T)], both[len(T) :]


def _means(X: Array, of: Places, k: int) -> Array:
    total = np.zeros((k, X.shape[1]))
    np.add.at(total, of, X)
    out: Array = total / np.bincount(of, minlength=k)[:, None]
    return out


def _search(far: ToTarget, parts: Sums) -> tuple[Places, Array]:
    """Return the order in which clusters are added, and the distance of every prefix."""
    own = [far(*part) for part in zip(*parts, strict=True)]
    order = np.argsort(own, kind="stable")
    prefixes = (np.cumsum(s[order], axis=0) for s in parts)
    return order, np.array([far(*prefix) for prefix in zip(*prefixes, strict=True)])


def balanced(X: Array, K: int, rng: np.random.Generator, sweeps: int = 20) -> Places:
    """Return the cluster of every row, (n,): k-means whose clusters differ by one row at most.

    In every sweep all rows ask for the nearest cluster with room, which takes the nearest of them.
    """
    centres = X[farthest(X, np.array([rng.integers(len(X))]), K)]
    room = np.full(K, len(X) // K)
    room[: len(X) % K] += 1
    now = np.full(len(X), -1)
    for _ in range(sweeps):
        D = ((X * X).sum(axis=1))[:, None] - 2 * X @ centres.T + (centres * centres).sum(axis=1)
        old, now, free = now, np.full(len(X), -1), room.copy()
        while (now < 0).any():
            D[:, free == 0] = np.inf
            asks = D.argmin(axis=1)
            for k in np.flatnonzero(free):
                who = np.flatnonzero((now < 0) & (asks == k))
                who = who[np.argsort(D[who, k], kind="stable")][: free[k]]
                now[who] = k
                free[k] -= len(who)
        if (now == old).all():
            break
        centres = _means(X, now, K)
    return now


def farthest(X: Array, first: Places, n: int) -> Places:
    """Return n rows: those given, then each time the one farthest from all taken."""
    square = (X * X).sum(axis=1)
    gap, taken = np.full(len(X), np.inf), [int(i) for i in first[:n]]
    for i in taken:
        gap = np.minimum(gap, square - 2 * X @ X[i] + square[i])
    gap[taken] = -np.inf  # a copy may be taken once all others are, a row never twice
    while len(taken) < n:
        i = int(gap.argmax())
        gap = np.minimum(gap, square - 2 * X @ X[i] + square[i])
        taken.append(i)
        gap[i] = -np.inf
    return np.array(taken)
