"""Density weights: the ratio of two kernel densities, the source's without the row itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array
from ecotone.align._kernels import BLOCK, subsample
from ecotone.align._ratio import RatioReweighter, positive
from ecotone.core.errors import TooFewRows
from ecotone.core.method import method

WIDTHS = 2.0 ** np.arange(-1, 5.5, 0.5)  # times the rule of thumb, n to the power -1 / (d + 4)
JUDGES = 1_000  # rows of a side that choose the width


@method(
    name="density_reweight",
    paper="shimodaira2000improving",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class DensityReweight(RatioReweighter):
    r"""Weigh source rows by the ratio of two kernel density estimates [1]_.

    .. math:: \log w(x_i) = \log \tfrac1m \sum_j N(x_i; t_j, h_t^2 I)
              - \log \tfrac{1}{n-1} \sum_{k \ne i} N(x_i; x_k, h_s^2 I)

    after features were scaled to a variance of 1 within sides. A row would lend density to itself
    and hide that it is alone: its own kernel is left out. All is computed in logarithms. Both
    widths are a common factor times :math:`n^{-1/(d+4)}`; it is the one whose ratio tells the two
    sides apart best (logistic loss), every row judged without itself.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    bandwidth : float, optional
        h of both sides, in standard deviations; chosen as above by default.
    cap : float, default 20.0
        Largest weight, in units of the mean.

    Attributes
    ----------
    bandwidths_ : tuple of float
        h of the source and the target.

    References
    ----------
    .. [1] Shimodaira, Improving predictive inference under covariate shift by weighting the
       log-likelihood function, Journal of Statistical Planning and Inference 2000.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = DensityReweight().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self, estimator: Any = None, *, bandwidth: float | None = None, cap: float = 20.0
    ) -> None:
        self.estimator = estimator
        self.bandwidth = bandwidth
        self.cap = cap

    def _learn(self, source: Array, target: Array) -> Array:
        positive("DensityReweight", cap=self.cap)
        if min(len(source), len(target)) < 2:
            raise TooFewRows(
                f"DensityReweight: {len(source)} source and {len(target)} target rows; a density "
                "is judged by rows that it was not made of.",
                cure="eco.align.SourceOnly()",
            )
        spread = np.sqrt((source.var(axis=0) + target.var(axis=0)) / 2)
        offset = np.abs(source.mean(axis=0) - target.mean(axis=0))
        scale = np.maximum(spread, offset)
        self.scale_ = np.where(scale > 1e-12 * np.abs(source).max(axis=0), scale, np.inf)
        self.source_, self.target_ = source / self.scale_, target / self.scale_
        if self.bandwidth is None:
            factor, d = best_factor(self.source_, self.target_), source.shape[1]
            self.bandwidths_ = (factor * rule(len(source), d), factor * rule(len(target), d))
        else:
            positive("DensityReweight", bandwidth=self.bandwidth)
            self.bandwidths_ = (float(self.bandwidth),) * 2
        there = log_density(self.source_, self.target_, self.bandwidths_[1])
        return there - log_density(self.source_, self.source_, self.bandwidths_[0], own=True)

    def _log_ratio(self, X: Array) -> Array:
        Z = X / self.scale_
        there = log_density(Z, self.target_, self.bandwidths_[1])
        return there - log_density(Z, self.source_, self.bandwidths_[0])


def log_density(Z: Array, rows: Array, h: float, *, own: bool = False) -> Array:
    r"""Return log of the mean of :math:`N(z; x_k, h^2 I)` over rows x, up to d/2 log of 2 pi, (n,).

    Parameters
    ----------
    Z : ndarray, shape (n, d)
    rows : ndarray, shape (p, d)
    h : float
    own : bool
        Z are the rows themselves: each is judged by the others.
    """
    centre = rows.mean(axis=0)
    A, B = (Z - centre) / h, (rows - centre) / h
    half = (B**2).sum(axis=1) / 2
    out, step = np.empty(len(A)), max(1, BLOCK // len(B))
    for start in range(0, len(A), step):
        a = A[start : start + step]
        E = a @ B.T
        E -= half
        if own:
            at = np.arange(len(a))
            E[at, start + at] = -np.inf
        top = E.max(axis=1)
        E -= top[:, None]
        out[start : start + step] = (
            np.log(np.exp(E, out=E).sum(axis=1)) + top - (a**2).sum(axis=1) / 2
        )
    return out - np.log(len(B) - own) - Z.shape[1] * np.log(h)


def rule(rows: int, d: int) -> float:
    """Return how widths shrink with rows: n to the power -1 / (d + 4)."""
    return float(rows) ** (-1 / (d + 4))


def best_factor(source: Array, target: Array) -> float:
    """Return the factor of `rule` under which the ratio tells the sides apart best.

    At most `JUDGES` rows of a side judge and are judged, each by the others.
    """
    S, T = source[subsample(source, JUDGES)], target[subsample(target, JUDGES)]
    d = S.shape[1]

    def loss(factor: float) -> float:
        h, g = factor * rule(len(S), d), factor * rule(len(T), d)
        here = log_density(S, T, g) - log_density(S, S, h, own=True)
        there = log_density(T, T, g, own=True) - log_density(T, S, h)
        return float(np.logaddexp(0, here).mean() + np.logaddexp(0, -there).mean())

    return min(WIDTHS.tolist(), key=loss)
