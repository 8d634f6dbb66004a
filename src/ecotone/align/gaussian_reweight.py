"""Gaussian weights: the ratio of one normal density a side, in logarithms from start to end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.covariance import ledoit_wolf

from ecotone.align._aligner import Array
from ecotone.align._ratio import RatioReweighter, positive
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method

LEAST_SHRINKAGE = 1e-6  # a side without any spread in a direction still has a density


@method(
    name="gaussian_reweight",
    paper="shimodaira2000improving",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class GaussianReweight(RatioReweighter):
    r"""Weigh source rows by the ratio of two normal densities [1]_.

    .. math:: \log w(x) = \log N(x; \mu_t, \Sigma_t) - \log N(x; \mu_s, \Sigma_s)

    Covariances are shrunk towards multiples of the identity, after features were scaled to a
    variance of 1 within sides. Densities are never formed: beyond some fifty features both are 0.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    shrinkage : float, optional
        Share of the identity in a covariance, 0 to 1; by default that of Ledoit and Wolf.
    cap : float, default 20.0
        Largest weight, in units of the mean.

    Attributes
    ----------
    source_, target_ : Normal
        The fitted densities of scaled features.

    References
    ----------
    .. [1] Shimodaira, Improving predictive inference under covariate shift by weighting the
       log-likelihood function, Journal of Statistical Planning and Inference 2000.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = GaussianReweight().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self, estimator: Any = None, *, shrinkage: float | None = None, cap: float = 20.0
    ) -> None:
        self.estimator = estimator
        self.shrinkage = shrinkage
        self.cap = cap

    def _learn(self, source: Array, target: Array) -> Array:
        positive("GaussianReweight", cap=self.cap)
        if self.shrinkage is not None and not 0 <= self.shrinkage <= 1:
            raise BadInput(
                f"GaussianReweight: shrinkage is {self.shrinkage}.", cure="shrinkage=0.1"
            )
        if min(len(source), len(target)) < 2:
            raise TooFewRows(
                f"GaussianReweight: {len(source)} source and {len(target)} target rows; a "
                "covariance needs 2 a side.",
                cure="eco.align.SourceOnly()",
            )
        spread = np.sqrt((source.var(axis=0) + target.var(axis=0)) / 2)
        offset = np.abs(source.mean(axis=0) - target.mean(axis=0))
        # a feature that never moves says nothing; one constant a side, but another, says all
        scale = np.maximum(spread, offset)
        self.kept_ = scale > 1e-12 * np.abs(source).max(axis=0)
        self.scale_ = scale[self.kept_]
        Z = self._scaled(source)
        self.source_, self.target_ = self._normal(Z), self._normal(self._scaled(target))
        return self.target_.log_density(Z) - self.source_.log_density(Z)

    def _scaled(self, X: Array) -> Array:
        return (X if self.kept_.all() else X[:, self.kept_]) / self.scale_

    def _normal(self, Z: Array) -> Normal:
        mean, d = Z.mean(axis=0), Z.shape[1]
        if d == 0:
            return Normal(mean, np.eye(0))
        if self.shrinkage is None:
            C, found = ledoit_wolf(Z)
        else:
            C, found = np.cov(Z.T, bias=True).reshape(d, d), 0.0
        share = max(LEAST_SHRINKAGE, self.shrinkage or 0.0) if found < LEAST_SHRINKAGE else 0.0
        level = max(float(np.trace(C)) / d, LEAST_SHRINKAGE)
        return Normal(mean, np.linalg.cholesky((1 - share) * C + share * level * np.eye(d)))

    def _log_ratio(self, X: Array) -> Array:
        Z = self._scaled(X)
        return self.target_.log_density(Z) - self.source_.log_density(Z)


class Normal(NamedTuple):
    """A normal density: its mean (d,) and the lower Cholesky factor (d, d) of its covariance."""

    mean: Array
    factor: Array

    def log_density(self, Z: Array) -> Array:
        """Return its logarithm at rows (n, d), up to d/2 times log of 2 pi."""
        white = solve_triangular(self.factor, (Z - self.mean).T, lower=True)
        return -0.5 * (white**2).sum(axis=0) - np.log(np.diag(self.factor)).sum()
