"""RLLS: class weights that stay at 1 as far as the noise of the confusion matrix explains them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from ecotone.align._aligner import Array
from ecotone.align._label_shift import LabelShift
from ecotone.align._priors import Held, above_zero, confusion, inversion_errors
from ecotone.core.errors import BadInput
from ecotone.core.method import method


@method(
    name="rlls",
    paper="azizzadenesheli2019regularized",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"label", "multi_source"},
)
class RLLS(LabelShift):
    r"""Regularised learning under label shift [1]_.

    .. math:: \theta = \arg\min \|C\theta - (q - C 1)\| + \Delta \|\theta\|,\qquad
              w = 1 + g\,\theta

    C and q as in `BBSE`; :math:`\theta` is what the weights differ from 1. :math:`\Delta` bounds
    the error of C with probability 1 - delta (matrix Bernstein with the variance of the shares at
    hand): :math:`\Delta = \tfrac{2}{3n} L + \sqrt{2 v L / n}`, :math:`L = \log(2C/\delta)`,
    :math:`v = \max(\pi_s, \mathrm{mean}\,\hat p)`. :math:`g = (1 - \mathrm{E}\|\text{error of }
    \theta\|^2 / \|\theta\|^2)_+` shrinks by the noise that is left.

    Parameters
    ----------
    estimator : classifier, optional
        LogisticRegression(max_iter=1000) by default. Without predict_proba its class predictions
        serve.
    cv : int, default 5
        Folds.
    delta : float, default 0.05
        How often the bound may fail.
    use : str, default "posterior"
        ``posterior`` corrects the answers of the source classifier, ``weights`` fits it again on
        source rows weighed by their class.
    level : float, default 0.01
        p-value of the assumption below which nothing is corrected (``applied_`` is False).

    Attributes
    ----------
    shrinkage_ : float
        g: 1 trusts the estimate, 0 leaves the source's shares.

    References
    ----------
    .. [1] Azizzadenesheli et al., Regularized learning for domain adaptation under label shifts,
       ICLR 2019.

    Examples
    --------
    >>> from ecotone.data.shifts import made_shift
    >>> made = made_shift("label", n=400, size=0.7)
    >>> fitted = RLLS().fit(made.X, made.y, made.sample_domain)
    >>> bool(abs(fitted.priors_[0] - 0.8) < 0.06)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        cv: int = 5,
        delta: float = 0.05,
        use: str = "posterior",
        level: float = 0.01,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.delta = delta
        self.use = use
        self.level = level

    def _priors(self, held: Held) -> Array:
        if not 0 < self.delta < 1:
            raise BadInput(f"RLLS: delta is {self.delta}.", cure="delta=0.05")
        C, n, k = confusion(held.source, held.y, held.weight), len(held.y), held.source.shape[1]
        L = np.log(2 * k / self.delta)
        v = max(held.priors.max(), C.sum(axis=1).max())
        bound = 2 * L / (3 * n) + np.sqrt(2 * v * L / n)
        theta = regularised(C, held.target.mean(axis=0) - C.sum(axis=1), bound)
        errors = inversion_errors(held, C, np.maximum(1 + theta, 0))
        size = float(theta @ theta)
        self.shrinkage_ = max(0.0, 1 - float(np.trace(errors)) / size) if size > 0 else 0.0
        found = np.maximum(1 + self.shrinkage_ * theta, 0) * held.priors
        return above_zero(found, self.shrinkage_ * np.sqrt(np.diag(errors)) * held.priors)


def regularised(C: Array, b: Array, bound: float) -> Array:
    r"""Return the minimiser of :math:`\|C\theta - b\| + \Delta\|\theta\|` (norms, not squares).

    Where the residual is not 0 it is a ridge solution whose strength s satisfies
    :math:`s \|\theta\| = \Delta \|C\theta - b\|`; 0 where :math:`\|C^\top b\| \le \Delta \|b\|`.

    Examples
    --------
    >>> regularised(np.eye(2), np.array([1.0, 0.0]), 0.5).round(6).tolist()
    [1.0, 0.0]
    >>> regularised(np.eye(2), np.array([1.0, 0.0]), 1.5).tolist()
    [0.0, 0.0]
    """
    if float(np.linalg.norm(C.T @ b)) <= bound * float(np.linalg.norm(b)):
        return np.zeros(C.shape[1])
    U, s, Vt = np.linalg.svd(C)
    c = U.T @ b

    def excess(log_ridge: float) -> float:
        ridge = np.exp(log_ridge)
        theta, left = s * c / (s**2 + ridge), ridge * c / (s**2 + ridge)
        return float(ridge * np.linalg.norm(theta) - bound * np.linalg.norm(left))

    top = 2 * np.log(s[0])
    low, high = top - 60.0, top + 60.0
    if excess(low) > 0:  # the residual can be 0: no trade is left to make
        return Vt.T @ (c / np.maximum(s, 1e-12 * s[0]))
    ridge = np.exp(brentq(excess, low, high, xtol=1e-12))
    out: Array = Vt.T @ (s * c / (s**2 + ridge))
    return out
