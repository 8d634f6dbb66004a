"""MMD target shift: the mixture of the source's labels whose kernel mean is that of the target."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order, median_bandwidth, rbf_times
from ecotone.align._kinds import steady
from ecotone.align._label_basis import basis_of, within_limits
from ecotone.align._priors import SMALL, Mixture, mixture_p_value, on_simplex, one_hot
from ecotone.align._ratio import log_of, positive
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

SINGLE_FROM = 2_000  # rows of a side from which kernels are computed in float32


@method(
    name="mmd_tars",
    paper="zhang2013domain",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"label", "multi_source"},
)
class MMDTarS(Aligner):
    r"""Weigh source rows by a function of their label, so that kernel means agree [1]_.

    Classes, with :math:`\mu_c` the kernel mean of the source rows of class c:

    .. math:: \min_{p \ge 0,\ 1^\top p = 1} \|\textstyle\sum_c p_c \mu_c - \mu_t\|^2,\qquad
              \beta_c = p_c / \pi_c

    Numbers, with :math:`S` the smoother of kernel ridge regression on the label (plus a constant),
    :math:`K, \kappa` as in `KMM`, and :math:`\beta` in the range of S:

    .. math:: \min_\beta\ \tfrac12 \beta^\top (S K S + \lambda I) \beta - \kappa^\top S \beta
              \quad\text{s.t.}\quad 0 \le \beta_i \le B,\ \textstyle\sum_i \beta_i = n

    Both are solved exactly. Where no function of the label explains the target (a kernel test of
    what is left), nothing is weighed.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    gamma : float, optional
        Kernel of rows; by default 1 / (median squared distance of rows of both sides).
    ridge : float, default 1.0
        :math:`\lambda`, also of S, in units of k(x, x) = 1. For numbers alone.
    cap : float, default 20.0
        B; largest weight, in units of the mean.
    level : float, default 0.01
        p-value of the assumption below which nothing is weighed (``applied_`` is False).

    Attributes
    ----------
    priors_, source_priors_ : ndarray, shape (C,)
        Class shares of the target (estimated) and the source. Only for classifiers.
    assumption_p_ : float
        p-value of: the target is a mixture of what the source shows of each label.
    applied_ : bool
        False where that was rejected: the method is then the plain source estimator.
    objective_ : float
        Of the minimum above; for classes without the constant :math:`\|\mu_t\|^2`.
    weights_ : ndarray, shape (n,)
        Of the rows `fit` was given, mean 1 over sources; 0 for target rows.
    effective_, temper_ : float
        Effective source rows, and the power the weights were taken to.

    References
    ----------
    .. [1] Zhang et al., Domain adaptation under target and conditional shift, ICML 2013.

    Examples
    --------
    >>> from ecotone.data.shifts import made_shift
    >>> made = made_shift("label", n=400, size=0.7)
    >>> fitted = MMDTarS().fit(made.X, made.y, made.sample_domain)
    >>> bool(abs(fitted.priors_[0] - 0.8) < 0.06)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        gamma: float | None = None,
        ridge: float = 1.0,
        cap: float = 20.0,
        level: float = 0.01,
    ) -> None:
        self.estimator = estimator
        self.gamma = gamma
        self.ridge = ridge
        self.cap = cap
        self.level = level

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        at = np.flatnonzero(sample_domain > 0)
        at = at[canonical_order(X[at], y[at])]
        target = X[sample_domain < 0]
        target = target[canonical_order(target)]
        self._check()
        self.gamma_ = self.gamma or median_bandwidth(np.vstack([X[at], target]))
        positive("MMDTarS", gamma=self.gamma_)
        mine = np.ones(len(at)) if weight is None else weight[at] / weight[at].mean()
        explain = self._numbers_explained if self._is_regressor() else self._classes_explained
        mixture = explain(X[at], y[at], target, mine)
        self.assumption_p_ = mixture_p_value(X[at], target, mixture)
        self.applied_ = self.assumption_p_ >= self.level
        beta = mixture.basis @ mixture.theta if self.applied_ else np.ones(len(at))
        found = steady(log_of(np.maximum(beta, SMALL)), cap=self.cap)
        self.effective_, self.temper_ = found.effective, found.temper
        self.weights_ = np.zeros(len(X))
        self.weights_[at] = found.weights
        source = sample_domain > 0  # in the order they came: unweighed, the plain estimator's bits
        total = weight
        if self.applied_:
            total = self.weights_ if weight is None else weight * self.weights_
        self.estimator_ = self._fitted(
            X[source], y[source], None if total is None else total[source]
        )

    def _check(self) -> None:
        positive("MMDTarS", ridge=self.ridge, cap=self.cap)
        if self.cap < 1:
            raise BadInput(f"MMDTarS: cap={self.cap} allows no weights.", cure="cap=20.0")
        if not 0 <= self.level < 1:
            raise BadInput(f"MMDTarS: level is {self.level}.", cure="level=0.01")

    def _sums(self, source: Array, target: Array, W: Array) -> tuple[Array, Array]:
        """Return W' K W, (r, r), and W' times the kernel mean of the target, (r,)."""
        # summed in blocks; float32 costs 1e-6 of a mean and halves the time
        dtype: type[np.floating[Any]] = np.float32 if len(source) > SINGLE_FROM else np.float64
        even = np.full(len(target), 1 / len(target))
        G = W.T @ rbf_times(source, source, self.gamma_, W, dtype=dtype)
        h = W.T @ rbf_times(source, target, self.gamma_, even, dtype=dtype)
        return (G + G.T) / 2, h

    def _classes_explained(self, source: Array, y: Labels, target: Array, v: Array) -> Mixture:
        hot = one_hot(y, len(self.classes_))
        mass = v @ hot
        if not (mass > 0).all():
            raise BadInput(
                f"MMDTarS: the rows of class {self.classes_[mass.argmin()]} all have weight 0.",
                cure="leave those rows out",
            )
        G, h = self._sums(source, target, hot * v[:, None] / mass)
        self.source_priors_ = mass / mass.sum()
        self.priors_ = nearest_mixture(G, h)
        self.objective_ = float(self.priors_ @ (G @ self.priors_ - 2 * h))
        return Mixture(hot, self.priors_ / self.source_priors_, 0.0)

    def _numbers_explained(self, source: Array, y: Labels, target: Array, v: Array) -> Mixture:
        n, basis = len(y), basis_of(y, v, self.ridge)
        G, h = self._sums(source, target, v[:, None] * basis.functions * basis.kept)
        found = within_limits(
            G + self.ridge * n * np.eye(len(G)), n * h, basis.constant, basis.functions, self.cap
        )
        self.objective_ = found.objective
        scale = basis.sizes / np.sqrt(n)
        return Mixture(basis.functions * scale, found.theta / scale, self.ridge)


def nearest_mixture(G: Array, h: Array) -> Array:
    r"""Return the shares p that minimise :math:`p^\top G p - 2 h^\top p`, p >= 0, sum p = 1.

    Parameters
    ----------
    G : ndarray, shape (C, C)
        Mean kernels between classes.
    h : ndarray, shape (C,)
        Mean kernels between each class and the target.

    Examples
    --------
    >>> nearest_mixture(np.eye(2), np.array([0.3, 0.7])).round(6).tolist()
    [0.3, 0.7]
    """
    values, vectors = np.linalg.eigh(G)
    keep = values > 1e-12 * values[-1]  # classes that look alike: what tells them apart is rounding
    root = np.sqrt(values[keep])
    return on_simplex((vectors[:, keep] * root).T, vectors[:, keep].T @ h / root)
