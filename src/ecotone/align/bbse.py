"""BBSE: the target's class shares from the confusion matrix of any classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array
from ecotone.align._label_shift import LabelShift
from ecotone.align._priors import Held, above_zero, confusion, inversion_errors, inverted
from ecotone.core.method import method


@method(
    name="bbse",
    paper="lipton2018detecting",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"label", "multi_source"},
)
class BBSE(LabelShift):
    r"""Black box shift estimation: invert the confusion matrix [1]_.

    .. math:: C w = q,\qquad C_{ij} = \mathrm{mean}_s\,\hat p_i(x)\,[y = j],\quad
              q_i = \mathrm{mean}_t\,\hat p_i(x),\qquad \pi_t = w \circ \pi_s

    with held-out predictions. If a class's p(x|y) is the same on both sides, q is the mixture of
    the columns of C that the target's shares make. Where the solution has negative entries, the
    nearest one without is taken; a share that is small beside its standard error becomes the mean
    of what that error allows above 0, so that no class is ruled out by noise.

    Parameters
    ----------
    estimator : classifier, optional
        LogisticRegression(max_iter=1000) by default. Without predict_proba its class predictions
        serve.
    cv : int, default 5
        Folds.
    use : str, default "posterior"
        ``posterior`` corrects the answers of the source classifier, ``weights`` fits it again on
        source rows weighed by their class.
    level : float, default 0.01
        p-value of the assumption below which nothing is corrected (``applied_`` is False).

    Attributes
    ----------
    priors_se_ : ndarray, shape (C,)
        Standard errors of ``priors_``, by the delta method.

    References
    ----------
    .. [1] Lipton, Wang and Smola, Detecting and correcting for label shift with black box
       predictors, ICML 2018.

    Examples
    --------
    >>> from ecotone.data.shifts import made_shift
    >>> made = made_shift("label", n=400, size=0.7)
    >>> fitted = BBSE().fit(made.X, made.y, made.sample_domain)
    >>> bool(abs(fitted.priors_[0] - 0.8) < 0.06)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        cv: int = 5,
        use: str = "posterior",
        level: float = 0.01,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.use = use
        self.level = level

    def _priors(self, held: Held) -> Array:
        C = confusion(held.source, held.y, held.weight)
        found = inverted(C, held.target.mean(axis=0))
        errors = inversion_errors(held, C, found / held.priors)
        self.priors_se_ = np.sqrt(np.diag(errors)) * held.priors
        return above_zero(found, self.priors_se_)
