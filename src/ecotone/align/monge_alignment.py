"""Monge alignment: carry every domain, the target included, to the Gaussian between all of them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._bures import Affine, barycentre, gaussian, monge
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

TARGET = 0  # the number under which all targets together are kept


@method(
    name="monge_alignment",
    paper="gnassounou2024multi",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class MongeAlignment(Aligner):
    r"""Move all domains to the barycentre of their Gaussian fits by optimal maps [1]_.

    .. math:: x' = (x - m_k)\,A_k + \bar m, \qquad A_k C_k A_k = S, \qquad
              S = \arg\min_S \frac{1}{K} \sum_k W_2^2\bigl(N(0, S), N(0, C_k)\bigr)

    for the rows of domain k, with :math:`\bar m` the mean of the domains' means and
    :math:`C = \mathrm{cov} + \lambda\,\bar v\,I`, where :math:`\bar v` is the mean variance of a
    feature. Every domain counts alike, and the targets together are one of them.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the moved source rows; LogisticRegression(max_iter=1000) by default.
    shrinkage : float, default 1e-3
        :math:`\lambda`; 0 is the closed form, for which every domain needs more rows than features.

    Attributes
    ----------
    mean_ : ndarray, shape (d,)
        :math:`\bar m`.
    covariance_ : ndarray, shape (d, d)
        S.
    maps_ : dict of int to Affine
        The map of every source domain; 0 stands for all targets together.

    Notes
    -----
    S is the fixed point of :math:`S \leftarrow S^{-1/2} (\frac{1}{K} \sum_k (S^{1/2} C_k
    S^{1/2})^{1/2})^2 S^{-1/2}`. O(n d^2 + K d^3) for a step, and some ten steps. Source weights
    enter the moments of their domain. Another target needs no labels and no source rows: see
    `for_target`.

    References
    ----------
    .. [1] Gnassounou, Collas, Flamary, Lounici and Gramfort, Multi-source and test-time domain
       adaptation on multivariate signals using spatio-temporal Monge alignment, arXiv 2407.14303.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, s, (50, 2)) + s for s in (1, 2, 6)])
    >>> domain = np.repeat([1, 2, -3], 50)
    >>> fitted = MongeAlignment(shrinkage=0).fit(X, np.arange(150) % 2, domain)
    >>> moved = fitted.features(X, domain)
    >>> [bool(np.allclose(np.cov(moved[domain == k].T), fitted.covariance_)) for k in (1, 2, -3)]
    [True, True, True]
    """

    def __init__(self, estimator: Any = None, *, shrinkage: float = 1e-3) -> None:
        self.estimator = estimator
        self.shrinkage = shrinkage

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        number = np.maximum(sample_domain, TARGET)
        fits = {}
        for k in np.unique(number).tolist():
            at = number == k
            mine = weight[at] if weight is not None and k != TARGET else None
            side = f"source {k}" if k != TARGET else "target"
            fits[k] = gaussian(X[at], mine, self.shrinkage, "MongeAlignment", side)
        even = np.full(len(fits), 1 / len(fits))
        self.mean_: Array = np.mean([mean for mean, _ in fits.values()], axis=0)
        self.covariance_ = barycentre([C for _, C in fits.values()], even)
        self.maps_ = {k: self._to_barycentre(*fit) for k, fit in fits.items()}
        at = sample_domain > 0
        Z = self._moved(X[at], sample_domain[at])
        self.estimator_ = self._fitted(Z, y[at], None if weight is None else weight[at])

    def _to_barycentre(self, mean: Array, C: Array) -> Affine:
        return Affine(mean, monge(C, self.covariance_), self.mean_)

    def for_target(self, X: Any) -> Self:
        """Return a copy for another target, of which unlabelled rows (n, d) are given.

        Nothing is fitted again but the target's map: barycentre and estimator stay as they are.
        """
        check_is_fitted(self, "estimator_")
        if not self.adapted_:
            raise BadInput(
                "MongeAlignment was fitted without domains: there is no barycentre to move to.",
                cure="fit(X, y, sample_domain)",
            )
        rows = self._rows(X, reset=False)
        out = clone(self)
        vars(out).update(vars(self))
        fit = gaussian(rows, None, self.shrinkage, "MongeAlignment", "target")
        out.maps_ = {**self.maps_, TARGET: self._to_barycentre(*fit)}
        return out

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return moved rows, (n, d); rows are target rows unless `sample_domain` says."""
        rows = super().features(X, sample_domain)
        if not self.adapted_:
            return rows
        if sample_domain is None:
            return self._moved(rows, np.full(len(rows), -1, dtype=np.int64))
        return self._moved(rows, np.asarray(sample_domain))

    def _moved(self, X: Array, domain: Domains) -> Array:
        out, number = np.empty_like(X), np.maximum(domain, TARGET)
        for k in np.unique(number).tolist():
            if k not in self.maps_:
                raise BadInput(
                    f"MongeAlignment: no row of source domain {k} was seen in fit.",
                    why="its mean and covariance are not known.",
                    cure="fit again with those rows, or leave sample_domain out to take them as "
                    "target rows",
                )
            at = number == k
            out[at] = self.maps_[k](X[at])
        return out
