"""Per-domain scaling: every domain is measured in its own mean and spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

ROUNDING = 1e-10  # a spread below this share of the largest value is no spread


@method(
    name="per_domain_scaler",
    paper="lobanov1971classification",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class PerDomainScaler(Aligner):
    r"""Standardise every source domain, and the target, by its own mean and spread [1]_.

    .. math:: z = (x - m_k) / s_k \quad \text{for rows of domain } k

    with the mean and the standard deviation of each feature in that domain. A feature that is
    constant in a domain becomes 0 there.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the standardised source rows; LogisticRegression(max_iter=1000) by default.

    Attributes
    ----------
    scales_ : dict of int to (mean, spread)
        Of every source domain, each (d,); 0 stands for all targets together.

    Notes
    -----
    O(n d). Source weights enter mean and spread.

    References
    ----------
    .. [1] Lobanov, Classification of Russian vowels spoken by different speakers, Journal of the
       Acoustical Society of America 49, 1971.

    Examples
    --------
    >>> X = [[0.0], [2.0], [0.0], [2.0], [50.0], [70.0]]
    >>> fitted = PerDomainScaler().fit(X, [0, 1, 0, 1, -1, -1], [1, 1, 1, 1, -2, -2])
    >>> (
    ...     fitted.features([[60.0], [70.0]]).ravel().tolist(),
    ...     fitted.predict([[51.0], [69.0]]).tolist(),
    ... )
    ([0.0, 1.0], [0, 1])
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        self.scales_ = {0: _mean_and_spread(X[sample_domain < 0], None)}
        for number in np.unique(sample_domain[sample_domain > 0]).tolist():
            at = sample_domain == number
            self.scales_[number] = _mean_and_spread(X[at], None if weight is None else weight[at])
        at = sample_domain > 0
        Z = self._scaled(X[at], sample_domain[at])
        self.estimator_ = self._fitted(Z, y[at], None if weight is None else weight[at])

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return standardised rows, (n, d); rows are target rows unless `sample_domain` says."""
        rows = super().features(X, sample_domain)
        if not self.adapted_:
            return rows
        if sample_domain is None:
            return self._scaled(rows, np.full(len(rows), -1, dtype=np.int64))
        return self._scaled(rows, np.asarray(sample_domain))

    def _scaled(self, X: Array, domain: Domains) -> Array:
        out = np.empty_like(X)
        for number in np.unique(np.maximum(domain, 0)).tolist():
            if number not in self.scales_:
                raise BadInput(
                    f"PerDomainScaler: no row of source domain {number} was seen in fit.",
                    why="its mean and spread are not known.",
                    cure="fit again with those rows, or leave sample_domain out to take them as "
                    "target rows",
                )
            at = domain == number if number else domain <= 0
            mean, spread = self.scales_[number]
            out[at] = (X[at] - mean) / spread
        return out


def _mean_and_spread(X: Array, weight: Array | None) -> tuple[Array, NDArray[np.float64]]:
    """Return mean and standard deviation, (d,) each; where there is no spread, infinity."""
    mean = np.average(X, axis=0, weights=weight)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    # dividing by infinity makes a constant feature exactly 0, whatever rounding left of it
    return mean, np.where(spread > ROUNDING * np.abs(X).max(axis=0), spread, np.inf)
