"""Transfer PCA: principal axes of source and target rows together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Array, Labels
from ecotone.align._kinds import Projector
from ecotone.align._subspace import principal
from ecotone.core.method import method
from ecotone.data.domains import Domains


@method(
    name="transfer_pca",
    paper="",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class TransferPCA(Projector):
    r"""Fit the base estimator on the leading principal axes of the rows of both sides.

    .. math:: P = \arg\max_{P^\top P = I} \mathrm{tr}\, P^\top C P, \qquad
              C = \sum_i w_i (x_i - m)(x_i - m)^\top, \quad z = (x - m) P

    with equal :math:`w_i`, or, with ``balance``, weights that give each side the mass 1/2. The
    humble baseline of the subspace methods.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the source's coordinates; LogisticRegression(max_iter=1000) by default.
    n_components : int, default 20
        Number of axes; at most the number of features, and of rows less one.
    balance : bool, default False
        Give source and target the same mass, however many rows they have.

    References
    ----------
    .. [1] Lalou et al., SKADA-Bench, 2024, where it is called JPCA.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 0.1], [5.0, 0.0], [6.0, 0.1]])
    >>> fitted = TransferPCA(n_components=1).fit(X, [0, 1, -1, -1], [1, 1, -2, -2])
    >>> fitted.features(X).round(1).ravel().tolist()
    [-3.0, -2.0, 2.0, 3.0]
    """

    def __init__(
        self, estimator: Any = None, *, n_components: int = 20, balance: bool = False
    ) -> None:
        self.estimator = estimator
        self.n_components = n_components
        self.balance = balance

    def _learn(self, X: Array, y: Labels, sample_domain: Domains) -> None:  # noqa: ARG002
        weight = None
        if self.balance:
            source = sample_domain > 0
            weight = np.where(source, 1 / source.sum(), 1 / (~source).sum())
        self.axes_ = principal(X, self.n_components, type(self).__name__, weight)

    def _project(self, X: Array, source: NDArray[np.bool_]) -> Array:  # noqa: ARG002
        return self.axes_.of(X)
