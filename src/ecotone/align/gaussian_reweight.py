"""Gaussian weights: the ratio of one normal density a side, in logarithms from start to end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ecotone.align._aligner import Array, Labels
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
        one, two = source.mean(axis=0), target.mean(axis=0)
        S, T = source - one, target - two  # the only copies: all that follows is done in them
        within = [np.einsum("ij,ij->j", Z, Z) / len(Z) for Z in (S, T)]
        # a feature that never moves says nothing; one constant a side, but another, says all
        scale = np.maximum(np.sqrt((within[0] + within[1]) / 2), np.abs(one - two))
        self.kept_ = scale > 1e-12 * np.abs(source).max(axis=0)
        if not self.kept_.all():
            S, T = S[:, self.kept_], T[:, self.kept_]
        self.scale_ = scale[self.kept_]
        S /= self.scale_
        T /= self.scale_
        one, two = one[self.kept_] / self.scale_, two[self.kept_] / self.scale_
        self.source_, self.target_ = self._normal(one, S), self._normal(two, T)
        there = self.target_.log_density_around(S + (one - two))
        return there - self.source_.log_density_around(S)

    def _log_weights(self, source: Array, target: Array, y: Labels) -> Array:  # noqa: ARG002  labels do not enter
        return self._learn(source, target)  # moments need no order of rows

    def _scaled(self, X: Array) -> Array:
        return (X if self.kept_.all() else X[:, self.kept_]) / self.scale_

    def _normal(self, mean: Array, Z: Array) -> Normal:
        """Return the density of rows (n, d) whose mean was taken off."""
        n, d = Z.shape
        if d == 0:
            return Normal(mean, np.eye(0))
        C = Z.T @ Z / n
        share = ledoit_wolf(C, Z) if self.shrinkage is None else self.shrinkage
        share = max(LEAST_SHRINKAGE, share)
        level = max(float(np.trace(C)) / d, LEAST_SHRINKAGE)
        return Normal(mean, np.linalg.cholesky((1 - share) * C + share * level * np.eye(d)))

    def _log_ratio(self, X: Array) -> Array:
        Z = self._scaled(X)
        return self.target_.log_density(Z) - self.source_.log_density(Z)


def ledoit_wolf(C: Array, Z: Array) -> float:
    r"""Return the share of the identity that makes a covariance most accurate [1]_.

    .. math:: \min\!\left(1,\ \frac{\tfrac1n \sum_i \|z_i\|^4 - \|C\|_F^2}
              {n\,(\|C\|_F^2 - (\operatorname{tr} C)^2 / d)}\right)

    Parameters
    ----------
    C : ndarray, shape (d, d)
        ``Z.T @ Z / n``.
    Z : ndarray, shape (n, d)
        Rows of mean 0.

    References
    ----------
    .. [1] Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices,
       Journal of Multivariate Analysis 2004.
    """
    n, d = Z.shape
    size = float((C**2).sum())
    noise = float((np.einsum("ij,ij->i", Z, Z) ** 2).mean() - size) / n
    spread = size - float(np.trace(C)) ** 2 / d
    return min(max(noise, 0.0) / spread, 1.0) if spread > max(noise, 0.0) else float(noise > 0)


class Normal(NamedTuple):
    """A normal density: its mean (d,) and the lower Cholesky factor (d, d) of its covariance."""

    mean: Array
    factor: Array

    def log_density(self, Z: Array) -> Array:
        """Return its logarithm at rows (n, d), up to d/2 times log of 2 pi."""
        return self.log_density_around(Z - self.mean)

    def log_density_around(self, Z: Array) -> Array:
        """Return the same at rows from which the mean was taken; they are overwritten."""
        white = solve_triangular(self.factor, Z.T, lower=True, overwrite_b=True, check_finite=False)
        size = np.log(np.diag(self.factor)).sum()
        return -0.5 * np.einsum("ij,ij->j", white, white) - size
