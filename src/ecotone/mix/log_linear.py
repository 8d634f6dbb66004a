"""Log-linear law: the log of the loss is linear in the logs of the shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from ecotone.core.method import method
from ecotone.mix._law import Law

Array = NDArray[np.float64]

STRENGTHS = np.logspace(-4, 4, 33)


@method(name="log_linear", paper="", needs={"proxies"}, handles=set())
class LogLinear(Law):
    r"""Ridge regression of the log loss on the logs of the shares.

    .. math:: \log L_i(r) = b_i + \sum_j \beta_{ij} \log(r_j + f)

    A product of power laws, one per domain. The strength of the ridge is chosen for each target by
    the leave-one-out error, which has a closed form.

    Parameters
    ----------
    floor : float
        f, the share below which less of a domain makes no difference.

    Attributes
    ----------
    coef_ : ndarray, shape (t, k)
        Exponents; negative where a domain helps.
    intercept_ : ndarray, shape (t,)
        Logs of nats per token.
    strength_ : ndarray, shape (t,)
        Ridge strengths chosen.
    convex_targets_, log_convex_targets_ : ndarray of bool, shape (t,)
        Whether the fitted loss (and so its log) is convex: no exponent of the target is positive.

    Examples
    --------
    >>> W = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    >>> L = 4 * (W[:, 0] + 0.01) ** -0.1
    >>> bool(np.abs(LogLinear().fit(W, L).predict(W) / L - 1).max() < 1e-3)
    True
    """

    least_rows = 4  # a line and its leave-one-out error

    def __init__(self, *, floor: float = 1e-2) -> None:
        self.floor = floor

    def _fit(self, W: Array, L: Array) -> None:
        ridge = RidgeCV(STRENGTHS, alpha_per_target=True).fit(np.log(W + self.floor), np.log(L))
        self.coef_ = np.atleast_2d(ridge.coef_)
        self.intercept_ = np.atleast_1d(ridge.intercept_)
        self.strength_ = np.atleast_1d(ridge.alpha_)
        # -log is convex, so is a sum of them, and exp keeps it
        self.convex_targets_ = (self.coef_ <= 0).all(axis=1)
        self.log_convex_targets_ = self.convex_targets_
        self.convex_ = bool(self.convex_targets_.all())

    def _predict(self, W: Array) -> Array:
        return np.exp(self.intercept_ + np.log(W + self.floor) @ self.coef_.T)

    def _gradient(self, W: Array) -> Array:
        return self._predict(W)[:, :, None] * self.coef_ / (W + self.floor)[:, None, :]
