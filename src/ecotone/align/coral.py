"""CORAL: recolour the source so that its covariance equals the target's."""

from __future__ import annotations

from typing import Any

from ecotone.align._aligner import Array, Labels
from ecotone.align._kinds import Mapper, Moved
from ecotone.align._moments import moments, power
from ecotone.core.method import method


@method(
    name="coral",
    paper="sun2016return",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class CORAL(Mapper):
    r"""Move every source domain to the target's mean and covariance [1]_.

    .. math:: x' = (x - m_s)\,C_s^{-1/2}\,C_t^{1/2} + m_t

    with symmetric roots; :math:`C = \mathrm{cov} + \lambda\,\bar v\,I`, where :math:`\bar v` is the
    mean variance of a feature (so that the shrinkage has no unit).

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    shrinkage : float, default 1e-3
        :math:`\lambda`. The paper adds the identity to covariances of standardised features
        (``shrinkage=1`` there).

    References
    ----------
    .. [1] Sun, Feng and Saenko, Return of frustratingly easy domain adaptation, AAAI 2016.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(3, 2, (50, 2))])
    >>> domain = np.repeat([1, -2], 50)
    >>> moved = CORAL().fit(X, np.arange(100) % 2, domain).features(X, domain)[:50]
    >>> bool(np.allclose(moved.mean(axis=0), X[50:].mean(axis=0)))
    True
    """

    def __init__(self, estimator: Any = None, *, shrinkage: float = 1e-3) -> None:
        self.estimator = estimator
        self.shrinkage = shrinkage

    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:  # noqa: ARG002
        m_s, C_s = moments(source, self.shrinkage, type(self).__name__, "source")
        m_t, C_t = moments(target, self.shrinkage, type(self).__name__, "target")
        A = power(C_s, -0.5) @ power(C_t, 0.5)

        def move(X: Array) -> Array:
            return (X - m_s) @ A + m_t

        return Moved(move(source), move)
