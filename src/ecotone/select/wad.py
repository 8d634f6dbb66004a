"""WAD: label and weigh unlabelled rows by how much more a known class is like them than all are."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.select._rows import checked_pair, checked_rows
from ecotone.select._text import check_fitted

Array = NDArray[np.float64]
Places = NDArray[np.int64]
CELLS = 1 << 21  # similarities held at a time: 16 MB


class Joint(NamedTuple):
    """Rows to train on: those with labels, then those of the pool that weigh anything."""

    X: Array
    y: NDArray[Any]
    weights: Array


@method(
    name="wad",
    paper="du2023semi",
    needs={"source_rows", "target_rows", "target_labels"},
    handles={"open_set"},
)
class WAD:
    r"""Weights of pseudo-labelled rows where the pool holds classes that nobody labelled [1]_.

    .. math:: s_k(x) = \log \frac{\operatorname{mean}_{r \in k} \kappa(x, r)}
                                 {\operatorname{mean}_{r} \kappa(x, r)}, \qquad
              \kappa(x, r) = e^{\cos(x - m,\; r - m) / \tau}

    estimates the pointwise mutual information of a row and class k; the lower mean is over labelled
    rows and pool, and m is the mean of both. A row gets the label
    :math:`\hat y = \arg\max_k s_k`, and the weight is the place of :math:`s_{\hat y}` between its
    least and largest value among rows of the pool with that label. In stages, the rows of largest
    weight join the labelled ones, and all is computed anew.

    Parameters
    ----------
    temperature : float, default 0.1
        :math:`\tau`, in cosine.
    stages : int, default 5
        Times that rows join.
    share : float, default 0.1
        Of the rows left, that join in a stage.
    most : int, default 4000
        Rows that the lower mean is taken over; of more, that many are drawn.
    seed : int, default 0
        For that draw.

    Attributes
    ----------
    classes_ : ndarray, shape (c,)
    joined_ : ndarray of int64
        Places in the pool of the rows that joined.
    low_, high_ : ndarray, shape (c,)
        Of s among the rows left, for each label.

    References
    ----------
    .. [1] Du et al., Semi-supervised learning via weight-aware distillation under class
       distribution mismatch, ICCV 2023.

    Examples
    --------
    >>> X = np.array([[9.0, 0.0], [0.0, 9.0]])
    >>> pool = np.array([[8.0, 1.0], [1.0, 8.0], [-5.0, -5.0], [9.0, 1.0]])
    >>> made = WAD(stages=0).fit((X, ["a", "b"]), pool)
    >>> made.labels(pool[:2]).tolist(), int(made.score(pool).argmin())
    (['a', 'b'], 2)
    """

    def __init__(
        self, *, temperature: float = 0.1, stages: int = 5, share: float = 0.1, most: int = 4000,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self.temperature = temperature
        self.stages = stages
        self.share = share
        self.most = most
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Label the pool, stage by stage.

        Parameters
        ----------
        target : pair of array-like, shape (m, d) and (m,)
            Features of labelled rows, and their labels: two classes or more.
        pool : array-like, shape (n, d)
            Features of unlabelled rows, of the same encoder.

        Raises
        ------
        BadInput
            The arrays do not fit each other, a side is empty, or an option makes no sense.
        """
        self._check()
        X, P, y = self._sides(target, pool)
        both = np.vstack([X, P])
        self.mean_ = both.mean(axis=0)
        drawn = stream(self.seed, "wad").permutation(len(both))[: self.most]
        self.all_ = self._unit(both[np.sort(drawn)])
        self.rows_, self.of_, P = self._unit(X), y, self._unit(P)
        left, joined = np.arange(len(P)), []
        for stage in range(self.stages + 1):
            S = self._information(P[left])
            of, best = S.argmax(axis=1), S.max(axis=1)
            self.low_, self.high_ = self._ranges(of, best)
            take = int(self.share * len(left))
            if stage == self.stages or not take:
                break
            # the surest row of every label has the place 1: s says which of them goes first
            first = np.lexsort((-best, -self._places(of, best)))[:take]
            joined.append(left[first])
            self.rows_ = np.vstack([self.rows_, P[left[first]]])
            self.of_ = np.append(self.of_, of[first])
            left = np.delete(left, first)
        self.joined_ = np.concatenate([np.zeros(0, dtype=np.int64), *joined])
        return self

    def score(self, docs: Any) -> Array:
        """Return weights, (n,), from 0 to 1: how surely a row is of the class it is given."""
        S = self._of(docs)
        return self._places(S.argmax(axis=1), S.max(axis=1)) if len(S) else np.zeros(0)

    def labels(self, docs: Any) -> NDArray[Any]:
        """Return the label of every row, (n,), one of the known classes."""
        S = self._of(docs)
        return self.classes_[S.argmax(axis=1)] if len(S) else self.classes_[:0]

    def joint(self, target: Any, pool: Any) -> Joint:
        r"""Return rows, labels and weights for a classifier of both.

        Any ``fit(X, y, sample_weight=...)`` then minimises
        :math:`\frac1m \sum_i \ell_i + \frac1n \sum_j w_j \ell_j`, times m.
        """
        X, P, y = self._sides(target, pool)
        w = self.score(P) * len(X) / len(P)
        some = w > 0
        return Joint(
            np.vstack([X, P[some]]),
            np.concatenate([self.classes_[y], self.labels(P)[some]]),
            np.concatenate([np.ones(len(X)), w[some]]),
        )

    def _of(self, docs: Any) -> Array:
        check_fitted(self, "joined_")
        return self._information(self._unit(checked_rows(docs, len(self.mean_), "WAD")))

    def _information(self, Z: Array) -> Array:
        """Return s, (n, c), block by block."""
        step = max(1, CELLS // max(len(self.rows_), len(self.all_)))
        return np.concatenate(
            [np.zeros((0, len(self.classes_)))]
            + [self._block(Z[i : i + step]) for i in range(0, len(Z), step)]
        )

    def _block(self, Z: Array) -> Array:
        near, every = Z @ self.rows_.T / self.temperature, Z @ self.all_.T / self.temperature
        each = [
            logsumexp(near[:, self.of_ == k], axis=1) - np.log((self.of_ == k).sum())
            for k in range(len(self.classes_))
        ]
        return np.stack(each, axis=1) - (logsumexp(every, axis=1) - np.log(len(self.all_)))[:, None]

    def _ranges(self, of: Places, best: Array) -> tuple[Array, Array]:
        """Return the least and the largest s of each label; of all, where a label has no two."""
        low, high = (np.full(len(self.classes_), end(best)) for end in (np.min, np.max))
        for k in range(len(self.classes_)):
            own = best[of == k]
            if len(own) > 1 and np.ptp(own) > 0:
                low[k], high[k] = own.min(), own.max()
        return low, high

    def _places(self, of: Places, best: Array) -> Array:
        wide = (self.high_ - self.low_)[of]
        place = np.divide(best - self.low_[of], wide, out=np.ones_like(best), where=wide > 0)
        return np.clip(place, 0.0, 1.0)

    def _unit(self, X: Array) -> Array:
        Z = X - self.mean_
        size = np.sqrt((Z * Z).sum(axis=1, keepdims=True))
        return np.divide(Z, size, out=np.zeros_like(Z), where=size > 0)

    def _sides(self, target: Any, pool: Any) -> tuple[Array, Array, Places]:
        try:
            features, labels = target
        except (TypeError, ValueError):
            raise BadInput("WAD: target is no pair.", cure="fit((X, y), pool)") from None
        X, P = checked_pair(features, pool, "WAD")
        y = np.asarray(labels)
        if y.shape != (len(X),):
            raise BadInput(
                f"WAD: {len(X)} labelled rows, and labels of the shape {y.shape}.",
                cure="pass one label for each row",
            )
        self.classes_, of = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise BadInput(
                "WAD: the labelled rows are all of one class.", cure="label rows of another class"
            )
        return X, P, of

    def _check(self) -> None:
        for name, fine, cure in (
            ("temperature", self.temperature > 0, "temperature=0.1"),
            ("stages", self.stages >= 0, "stages=5"),
            ("share", 0 < self.share < 1, "share=0.1"),
            ("most", self.most >= 2, "most=4000"),
        ):
            if not fine:
                raise BadInput(f"WAD: {name} is {getattr(self, name)}.", cure=cure)
