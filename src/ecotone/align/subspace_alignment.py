"""Subspace alignment: turn the principal axes of the source to those of the target."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._subspace import Axes, match_by_shape, principal
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains


@method(
    name="subspace_alignment",
    paper="fernando2013unsupervised",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class SubspaceAlignment(Aligner):
    r"""Turn the principal axes of every source domain to those of the target [1]_.

    With means :math:`m` and bases :math:`P_s, P_t` (d, k) of the k leading principal axes,

    .. math:: z_s = (x - m_s)\,P_s\,M, \qquad z_t = (x - m_t)\,P_t, \qquad M = P_s^\top P_t

    With ``match="shape"`` M is a signed permutation instead: axis i of the source answers to the
    axis of the target whose distribution of coordinates is nearest, in either sign. The published M
    projects, so that a rotation of the target stays; this one undoes it where the axes can be told
    apart (distinct variances, skewed coordinates).

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the source's coordinates; LogisticRegression(max_iter=1000) by default.
    n_components : int, default 50
        k; at most the number of features, and of rows less one. With k = d the published M only
        centres both sides.
    match : str, default 'projection'
        ``projection`` or ``shape``.
    spread : bool, default False
        Give each source coordinate the variance of the target's, as in subspace distribution
        alignment.

    References
    ----------
    .. [1] Fernando, Habrard, Sebban and Tuytelaars, Unsupervised visual domain adaptation using
       subspace alignment, ICCV 2013.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (50, 3)), rng.normal(5, 1, (50, 3))])
    >>> domain = np.repeat([1, -2], 50)
    >>> fitted = SubspaceAlignment(n_components=2).fit(X, np.arange(100) % 2, domain)
    >>> fitted.features(X, domain).shape, bool(abs(fitted.features(X, domain)).mean() < 1)
    ((100, 2), True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_components: int = 50,
        match: str = "projection",
        spread: bool = False,
    ) -> None:
        self.estimator = estimator
        self.n_components = n_components
        self.match = match
        self.spread = spread

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if self.match not in ("projection", "shape"):
            raise BadInput(
                f"SubspaceAlignment: match is {self.match!r}.", cure="match='projection'"
            )
        who, target = type(self).__name__, X[sample_domain < 0]
        numbers = np.unique(sample_domain[sample_domain > 0]).tolist()
        fewest = min(int((sample_domain == n).sum()) for n in numbers)
        # every side gets the same number of axes: as many as the smallest has
        k = min(self.n_components, max(1, min(fewest, len(target)) - 1))
        self.axes_ = principal(target, k, who)
        at = sample_domain > 0
        self.sources_: dict[int, tuple[Axes, Array]] = {}
        Z = np.empty((int(at.sum()), self.axes_.basis.shape[1]))
        for number in numbers:
            source = X[sample_domain == number]
            axes, M = self.sources_[number] = self._turned(source, target, who)
            Z[sample_domain[at] == number] = axes.of(source) @ M
        self.estimator_ = self._fitted(Z, y[at], None if weight is None else weight[at])

    def _turned(self, source: Array, target: Array, who: str) -> tuple[Axes, Array]:
        """Return the axes of a source domain and the matrix (k, k) that turns its coordinates."""
        axes = principal(source, self.axes_.basis.shape[1], who)
        M = axes.basis.T @ self.axes_.basis
        if self.match == "shape":
            M = match_by_shape(axes.of(source), self.axes_.of(target))
        if self.spread:
            now, wanted = (axes.of(source) @ M).std(axis=0), self.axes_.of(target).std(axis=0)
            # an axis the source does not spread along cannot be stretched
            M = M * np.divide(wanted, now, out=np.ones_like(now), where=now > 1e-12 * now.max())
        return axes, M

    def _coordinates(self, X: Array, domain: Domains) -> Array:
        Z = self.axes_.of(X)
        for number, (axes, M) in self.sources_.items():
            at = domain == number
            Z[at] = axes.of(X[at]) @ M
        return Z

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return aligned coordinates, (n, k); rows are target rows unless a source is named."""
        if sample_domain is None or not self.adapted_:
            return super().features(X, sample_domain)
        return self._coordinates(self._rows(X, reset=False), np.asarray(sample_domain))

    def _features(self, X: Array, source: Any) -> Array:  # noqa: ARG002  the base class's protocol
        return self.axes_.of(X)
