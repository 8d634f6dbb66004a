"""Linear law: loss is a weighted mean of one number per domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.method import method
from ecotone.mix._law import Law

Array = NDArray[np.float64]


@method(name="linear_law", paper="liu2025regmix", needs={"proxies"}, handles=set())
class LinearLaw(Law):
    r"""Least squares on the raw shares, one target at a time.

    .. math:: L_i(r) = b_i + \sum_j t_{ij} r_j

    Of all coefficients that fit equally well (the shares sum to 1, so there is always a line of
    them) the shortest are taken: twin domains get the same, a domain no run has used gets 0.

    Attributes
    ----------
    coef_ : ndarray, shape (t, k)
        Nats per token, per unit of share.
    intercept_ : ndarray, shape (t,)
        Nats per token.

    References
    ----------
    .. [1] The linear baseline of Liu et al., RegMix, ICLR 2025.

    Examples
    --------
    >>> W = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    >>> LinearLaw().fit(W, 5 - W[:, 0]).predict([[1.0, 0.0]]).round(6).tolist()
    [4.0]
    """

    # k numbers are free on the simplex, and one row is left to see an error
    least_rows, rows_per_domain = 1, 1

    def _fit(self, W: Array, L: Array) -> None:
        mean_w, mean_l = W.mean(axis=0), L.mean(axis=0)
        self.coef_ = np.linalg.lstsq(W - mean_w, L - mean_l, rcond=None)[0].T
        self.intercept_ = mean_l - self.coef_ @ mean_w
        self.convex_ = True

    def _predict(self, W: Array) -> Array:
        return self.intercept_ + W @ self.coef_.T

    def _gradient(self, W: Array) -> Array:
        return np.broadcast_to(self.coef_, (len(W), *self.coef_.shape)).copy()
