"""C-Mixup: add rows between source rows with similar labels, also between domains."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order
from ecotone.align._partners import near_classes, near_values
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.data.domains import Domains


@method(
    name="c_mixup",
    paper="yao2022cmixup",
    needs={"source_rows", "source_labels"},
    handles={"covariate", "multi_source"},
)
class CMixup(Aligner):
    r"""Fit on source rows and on mixtures of pairs whose labels are similar [1]_.

    .. math:: P(j\,|\,i) \propto e^{-\|y_i - y_j\|^2 / (2 s^2)}, \quad
              \lambda \sim \mathrm{Beta}(a, a), \quad
              \tilde x = \lambda x_i + (1 - \lambda) x_j, \quad
              \tilde y = \lambda y_i + (1 - \lambda) y_j

    with y in units of its standard deviation. Partners come from all sources together: between
    rows of two domains with similar labels lies what the domains do not share. For classes, y is
    the one-hot vector: partners are of the same class but for a share of :math:`e^{-1/s^2}`, and a
    row between two classes is two rows of weights lambda and 1 - lambda. The target is not used.

    Parameters
    ----------
    estimator : estimator, optional
        LogisticRegression(max_iter=1000) by default; meant for flexible regressors.
    bandwidth : float, default 0.5
        s. inf is plain mixup; small values mix rows of the same label alone.
    alpha : float, default 2.0
        a.
    copies : int, default 4
        Mixed rows for each source row.
    random_state : int, default 0
        Decides partners and lambdas.

    References
    ----------
    .. [1] Yao, Wang, Zhang, Zou and Finn, C-Mixup: improving generalization in regression, NeurIPS
       2022.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> X = np.arange(12.0)[:, None]
    >>> y, domain = 2 * X[:, 0], np.repeat([1, -2], 6)
    >>> CMixup(Ridge(alpha=0)).fit(X, y, domain).predict([[20.0]]).round(6).tolist()
    [40.0]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        bandwidth: float = 0.5,
        alpha: float = 2.0,
        copies: int = 4,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.bandwidth = bandwidth
        self.alpha = alpha
        self.copies = copies
        self.random_state = random_state

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if not self.bandwidth > 0 or not self.alpha > 0 or self.copies < 0:
            raise BadInput(
                f"CMixup: bandwidth is {self.bandwidth}, alpha is {self.alpha}, copies is "
                f"{self.copies}.",
                cure="bandwidth=0.5, alpha=2.0, copies=4",
            )
        at = np.flatnonzero(sample_domain > 0)
        at = at[canonical_order(X[at], y[at])]  # draws must not depend on the order of rows
        mass = None if weight is None else weight[at]
        rows = [self._mixed(X[at], y[at], mass, copy) for copy in range(self.copies)]
        rows.append((X[at], y[at], np.ones(len(at)) if mass is None else mass))
        Z, labels, w = (np.concatenate(part) for part in zip(*rows, strict=True))
        plain = weight is None and (w == 1).all()
        self.estimator_ = self._fitted(Z, labels, None if plain else w)

    def _mixed(
        self, X: Array, y: Labels, mass: Array | None, copy: int
    ) -> tuple[Array, Labels, Array]:
        """Return mixed rows, their labels and their weights."""
        rng = stream(self.random_state, "c_mixup", copy)
        numbers = self._is_regressor()
        if numbers:
            j = near_values(y, self.bandwidth * (float(y.std()) or 1.0), rng)
        else:
            j = near_classes(y, self.bandwidth, rng)
        lam = rng.beta(self.alpha, self.alpha, len(y))
        Z = lam[:, None] * X + (1 - lam)[:, None] * X[j]
        w = np.ones(len(y)) if mass is None else lam * mass + (1 - lam) * mass[j]
        if numbers:
            return Z, lam * y + (1 - lam) * y[j], w
        two = y != y[j]
        return (
            np.concatenate([Z, Z[two]]),
            np.concatenate([y, y[j][two]]),
            np.concatenate([w * np.where(two, lam, 1.0), (w * (1 - lam))[two]]),
        )
