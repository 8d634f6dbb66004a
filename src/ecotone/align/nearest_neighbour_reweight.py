"""Nearest-neighbour weights: how many target rows lie in the cell of a source row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ecotone.align._aligner import Array
from ecotone.align._kernels import BLOCK
from ecotone.align._ratio import RatioReweighter, log_of, positive
from ecotone.core.errors import BadInput
from ecotone.core.method import method

TREE_UP_TO = 8  # features; with more a tree visits every leaf


@method(
    name="nearest_neighbour_reweight",
    paper="loog2012nearest",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class NearestNeighbourReweight(RatioReweighter):
    r"""Weigh a source row by the number of target rows to which it is near [1]_.

    .. math:: w_i = \tfrac{1}{k}\,(s + \#\{j : x_i \in \mathrm{NN}_k(t_j)\})

    with :math:`\mathrm{NN}_k(t)` the k places of source rows nearest to t; equal source rows share
    the count of their place. A new row has the weight of the place nearest to it.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    n_neighbours : int, optional
        k; 1 in the paper. By default twice the square root of the number of source rows.
    smoothing : float, default 1.0
        s: hits that every source row is given.
    cap : float, default 20.0
        Largest weight, in units of the mean.

    Attributes
    ----------
    counts_ : ndarray, shape (places,)
        Target rows (times 1/k) of each place; the sum is the number of target rows.
    places_ : ndarray, shape (places, d)
        Source rows, equal ones once.

    References
    ----------
    .. [1] Loog, Nearest neighbor-based importance weighting, IEEE MLSP 2012.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [0.1], [0.9], [0.8], [1.2]])
    >>> made = NearestNeighbourReweight(n_neighbours=1, smoothing=0.0)
    >>> made.fit(X, np.array([0, 1, -1, -1, -1, -1]), np.array([1, 1, -2, -2, -2, -2])).counts_
    array([1., 3.])
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_neighbours: int | None = None,
        smoothing: float = 1.0,
        cap: float = 20.0,
    ) -> None:
        self.estimator = estimator
        self.n_neighbours = n_neighbours
        self.smoothing = smoothing
        self.cap = cap

    def _learn(self, source: Array, target: Array) -> Array:
        who = type(self).__name__
        positive(who, cap=self.cap)
        if not (np.isfinite(self.smoothing) and self.smoothing >= 0):
            raise BadInput(f"{who}: smoothing is {self.smoothing}.", cure="smoothing=1.0")
        # rows come sorted: equal ones are neighbours
        new = np.r_[True, (source[1:] != source[:-1]).any(axis=1)]
        place = np.cumsum(new) - 1
        self.places_, copies = source[new], np.bincount(place)
        k = round(2 * np.sqrt(len(source))) if self.n_neighbours is None else self.n_neighbours
        if not (isinstance(k, int) and k >= 1):
            raise BadInput(f"{who}: n_neighbours is {k}.", cure="n_neighbours=1")
        k = min(k, len(self.places_))
        near = nearest(target, self.places_, k)
        self.counts_ = np.bincount(near.ravel(), minlength=len(self.places_)) / k
        self._weights = self.counts_ / copies + self.smoothing / k
        return log_of(self._weights[place])

    def _log_ratio(self, X: Array) -> Array:
        return log_of(self._weights[nearest(X, self.places_, 1)[:, 0]])


def nearest(X: Array, places: Array, k: int) -> NDArray[np.intp]:
    """Return which k places are nearest to each row, (n, k), in no order.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    places : ndarray, shape (p, d)
        No two equal; k <= p.
    k : int

    Examples
    --------
    >>> nearest(np.array([[0.9]]), np.array([[0.0], [1.0], [5.0]]), 1).tolist()
    [[1]]
    """
    if places.shape[1] <= TREE_UP_TO:
        found: NDArray[np.intp] = cKDTree(places).query(X, k=k)[1].reshape(len(X), k)
        return found
    out = np.empty((len(X), k), dtype=np.intp)
    centre = places.mean(axis=0)  # a common offset would cost digits
    P, Z = places - centre, X - centre
    half, step = (P**2).sum(axis=1) / 2, max(1, BLOCK // len(P))
    for start in range(0, len(X), step):
        # the row's own square is the same for all places
        far = half - Z[start : start + step] @ P.T
        if k == 1:
            out[start : start + step, 0] = far.argmin(axis=1)
        else:
            out[start : start + step] = np.argpartition(far, k - 1, axis=1)[:, :k]
    return out
