"""Few shot: fit on the sources and a few labelled target rows, weighed by how well they serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.align._kernels import canonical_order
from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.data.domains import Domains

TINY = 1e-6  # probabilities below it are taken as it: one certain error must not decide alone


@method(
    name="few_shot",
    paper="lee2023few",
    needs={"source_rows", "source_labels", "target_labels"},
    handles={"covariate", "label", "concept", "multi_source"},
)
class FewShot(Aligner):
    r"""Fit on source rows of weight lambda and the labelled target rows, lambda by leave-one-out.

    .. math:: \hat f_\lambda = \arg\min_f \lambda \sum_{i \in \text{sources}} \ell(y_i, f(x_i))
              + \sum_{j \in \text{labelled targets}} \ell(y_j, f(x_j))

    (both weights then scaled so that they add up to the number of rows: a penalty in the base
    estimator means the same for every :math:`\lambda`). The loss on target rows that were left out
    decides: the largest :math:`\lambda` whose mean loss lies within one standard error, of the
    paired differences, of the least. One to three labels for each class are often worth more than
    any adaptation without labels [1]_.

    Parameters
    ----------
    estimator : estimator, optional
        Takes sample_weight; LogisticRegression(max_iter=1000) by default.
    weights : sequence of float, default (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
        Candidates for :math:`\lambda`.
    folds : int, default 10
        With more labelled target rows than this, that many groups are left out in turn.

    Attributes
    ----------
    source_weight_ : float
        The chosen :math:`\lambda`.
    losses_ : ndarray, shape (len(weights), labelled rows)
        Loss of each left-out row: log loss if the base estimator gives probabilities, else error;
        squared error for regressors.

    References
    ----------
    .. [1] Lee, Seo, Kim, Lee and Hwang, Few-shot fine-tuning is all you need for source-free domain
       adaptation, 2023: the same advice for networks.

    Examples
    --------
    >>> X = np.r_[np.linspace(0, 1, 20), np.linspace(2, 3, 6)][:, None]
    >>> y, domain = (X[:, 0] % 2 > 0.5).astype(int), np.repeat([1, -2], [20, 6])
    >>> FewShot().fit(X, y, domain).source_weight_
    0.003
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        weights: Sequence[float] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003),
        folds: int = 10,
    ) -> None:
        self.estimator = estimator
        self.weights = weights
        self.folds = folds

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        if not len(self.weights) or not all(w > 0 for w in self.weights) or self.folds < 2:
            raise BadInput(
                f"FewShot: weights are {self.weights}, folds is {self.folds}.",
                cure="weights=(1.0, 0.1, 0.01), folds=10",
            )
        source = sample_domain > 0
        known = np.isfinite(y) if self._is_regressor() else y >= 0
        told = np.flatnonzero(~source & known)
        if not len(told):
            raise BadInput(
                "FewShot: no target row has a label.",
                why="it weighs sources by how well they predict labelled target rows.",
                cure="label one to three target rows for each class, or: eco.align.SelfTraining()",
            )
        mass = np.ones(len(X)) if weight is None else weight
        tried = sorted(map(float, self.weights), reverse=True)
        self.losses_ = np.array([self._left_out(X, y, source, told, w, mass) for w in tried])
        self.source_weight_ = tried[_largest_as_good(self.losses_)]
        self.estimator_ = self._joint(X, y, source, told, self.source_weight_, mass)

    def _joint(
        self, X: Array, y: Labels, source: NDArray[np.bool_], told: NDArray[np.intp], lam: float,
        mass: Array,
    ) -> Any:  # fmt: skip
        """Return the base estimator fitted on the sources and these labelled target rows."""
        at = np.concatenate([np.flatnonzero(source), told])
        w = mass[at] * np.where(source[at], lam, 1.0)
        return self._fitted(X[at], y[at], w * len(at) / w.sum())

    def _left_out(
        self, X: Array, y: Labels, source: NDArray[np.bool_], told: NDArray[np.intp], lam: float,
        mass: Array,
    ) -> Array:  # fmt: skip
        """Return the loss of every labelled target row, fitted without it."""
        # by label first: a group holds rows of different classes; the order of rows has no say
        order = told[canonical_order(y[told, None].astype(np.float64), *X[told].T)]
        groups = np.arange(len(order)) % min(self.folds, len(order))
        out = np.empty(len(order))
        for g in range(groups.max() + 1):
            kept, gone = order[groups != g], order[groups == g]
            fitted = self._joint(X, y, source, kept, lam, mass)
            out[groups == g] = self._loss(fitted, X[gone], y[gone])
        return out

    def _loss(self, fitted: Any, X: Array, y: Labels) -> Array:
        if self._is_regressor():
            return (fitted.predict(X) - y) ** 2
        if hasattr(fitted, "predict_proba"):
            p = fitted.predict_proba(X)[np.arange(len(y)), y]
            return -np.log(np.maximum(p, TINY))
        return (fitted.predict(X) != y).astype(np.float64)


def _largest_as_good(losses: Array) -> int:
    """Return the first row (largest lambda first) within a standard error of the best one."""
    worse = losses - losses[losses.mean(axis=1).argmin()]
    n = losses.shape[1]
    error = worse.std(axis=1) / np.sqrt(max(n - 1, 1))
    return int((worse.mean(axis=1) <= error + 1e-12).argmax())
