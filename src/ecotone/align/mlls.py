"""MLLS: the class shares under which the target's calibrated predictions are most likely."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecotone.align._aligner import Array
from ecotone.align._label_shift import LabelShift
from ecotone.align._priors import SMALL, Held, expectation_maximisation
from ecotone.core.errors import BadInput
from ecotone.core.method import method


@method(
    name="mlls",
    paper="alexandari2020maximum",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"label", "multi_source"},
)
class MLLS(LabelShift):
    r"""Maximum likelihood of the target's class shares, by EM on calibrated predictions [1]_.

    .. math:: \max_\pi \sum_{i \in t} \log \sum_y \pi_y\,\frac{p_s(y|x_i)}{\pi_s(y)},\qquad
              p_s(y|x) = \mathrm{softmax}(a \log \hat p(x) + b)_y

    The likelihood is concave in :math:`\pi`. Temperature a and biases b are fitted to held-out
    source rows: unlike a confusion matrix, the likelihood believes every probability.

    Parameters
    ----------
    estimator : classifier, optional
        With predict_proba; LogisticRegression(max_iter=1000) by default.
    cv : int, default 5
        Folds.
    use : str, default "posterior"
        ``posterior`` corrects the answers of the source classifier, ``weights`` fits it again on
        source rows weighed by their class.
    level : float, default 0.01
        p-value of the assumption below which nothing is corrected (``applied_`` is False).

    Attributes
    ----------
    steps_ : int
        Steps of EM.

    References
    ----------
    .. [1] Alexandari, Kundaje and Shrikumar, Maximum likelihood with bias-corrected calibration is
       hard-to-beat at label shift adaptation, ICML 2020.

    Examples
    --------
    >>> from ecotone.data.shifts import made_shift
    >>> made = made_shift("label", n=400, size=0.7)
    >>> fitted = MLLS().fit(made.X, made.y, made.sample_domain)
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

    def _check(self) -> None:
        super()._check()
        if not hasattr(self._base(), "predict_proba"):
            raise BadInput(
                f"MLLS needs probabilities, and {type(self._base()).__name__} gives none.",
                cure="eco.align.BBSE(estimator, use='weights')",
            )

    def _priors(self, held: Held) -> Array:
        ratios = np.maximum(held.target, SMALL) / held.priors
        found, self.steps_ = expectation_maximisation(ratios, held.priors)
        return found
