"""Linear optimal transport: the least map that makes a Gaussian source the target's Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array, Labels
from ecotone.align._bures import Affine, gaussian, monge
from ecotone.align._kinds import Mapper, Moved
from ecotone.core.method import method


@method(
    name="linear_ot",
    paper="flamary2019concentration",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class LinearOT(Mapper):
    r"""Move every source domain onto the target by the optimal map between Gaussian fits [1]_.

    .. math:: x' = (x - m_s)\,A + m_t, \qquad
              A = C_s^{-1/2}\,(C_s^{1/2}\,C_t\,C_s^{1/2})^{1/2}\,C_s^{-1/2}

    with :math:`C = \mathrm{cov} + \lambda\,\bar v\,I`, where :math:`\bar v` is the mean variance of
    a feature. Of all linear maps that send one covariance to the other (CORAL is another one),
    the symmetric positive A moves rows the least.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    shrinkage : float, default 1e-3
        :math:`\lambda`; 0 is the closed form, for which either side needs more rows than features.
    bias : bool, default True
        False: means are taken as 0 and second moments about 0 are matched, x' = x A, so that
        zeros stay zeros.

    Notes
    -----
    O(n d^2 + d^3). Source weights enter the source's moments.

    References
    ----------
    .. [1] Flamary, Lounici and Ferrari, Concentration bounds for linear Monge mapping estimation
       and optimal transport domain adaptation, arXiv 1905.10155.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(3, 2, (50, 2))])
    >>> domain = np.repeat([1, -2], 50)
    >>> fitted = LinearOT(shrinkage=0).fit(X, np.arange(100) % 2, domain)
    >>> moved = fitted.features(X, domain)
    >>> bool(np.allclose(np.cov(moved[:50].T), np.cov(X[50:].T)))
    True
    """

    def __init__(
        self, estimator: Any = None, *, shrinkage: float = 1e-3, bias: bool = True
    ) -> None:
        self.estimator = estimator
        self.shrinkage = shrinkage
        self.bias = bias

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:  # noqa: ARG002  a map of rows
        m_s, C_s = self._fit_gaussian(source, weight, "source")
        m_t, C_t = self._fit_gaussian(target, None, "target")
        move = Affine(m_s, monge(C_s, C_t), m_t)
        return Moved(move(source), move)

    def _fit_gaussian(self, X: Array, weight: Array | None, side: str) -> tuple[Array, Array]:
        who = type(self).__name__
        if self.bias:
            return gaussian(X, weight, self.shrinkage, who, side)
        # rows and their mirror images have the mean 0 and the second moments about 0
        twice = None if weight is None else np.tile(weight, 2)
        mean, C = gaussian(np.vstack([X, -X]), twice, self.shrinkage, who, side)
        return np.zeros_like(mean), C
