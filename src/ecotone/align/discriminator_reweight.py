"""Discriminator weights: what a classifier of the two sides says of each source row."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from ecotone.align._aligner import Array
from ecotone.align._ratio import RatioReweighter, folds
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method


@method(
    name="discriminator_reweight",
    paper="bickel2009discriminative",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class DiscriminatorReweight(RatioReweighter):
    r"""Weigh source rows by the odds that they are target rows [1]_.

    .. math:: w(x) = \frac{n_s}{n_t}\,\frac{q(x)}{1 - q(x)},\qquad q(x) = P(\text{target} \mid x)

    By Bayes' rule this is :math:`p_t(x) / p_s(x)`. Every row is judged by a classifier that was
    fitted without its fold, and the held-out scores s are calibrated by one logistic curve,
    :math:`\log q/(1-q) = a s + b` with :math:`a \ge 0`. Where the sides cannot be told apart on
    held-out rows, a is 0 and all weights are equal.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    discriminator : classifier, optional
        Tells target rows from source rows; by default logistic regression on standardised
        features.
    cv : int, default 5
        Folds.
    cap : float, default 20.0
        Largest weight, in units of the mean.

    References
    ----------
    .. [1] Bickel, Brückner and Scheffer, Discriminative learning under covariate shift, JMLR 2009.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = DiscriminatorReweight().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        discriminator: Any = None,
        cv: int = 5,
        cap: float = 20.0,
    ) -> None:
        self.estimator = estimator
        self.discriminator = discriminator
        self.cv = cv
        self.cap = cap

    def _learn(self, source: Array, target: Array) -> Array:
        n, m = len(source), len(target)
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"DiscriminatorReweight: cv is {self.cv}.", cure="cv=5")
        if min(n, m) < self.cv:
            raise TooFewRows(
                f"DiscriminatorReweight: {self.cv} folds of {n} source and {m} target rows.",
                cure="cv=2" if min(n, m) >= 2 else "eco.align.SourceOnly()",
            )
        X, side = np.vstack([source, target]), np.repeat([0, 1], [n, m])
        self.centre_, spread = X.mean(axis=0), X.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        fold = np.concatenate([folds(n, self.cv, "source"), folds(m, self.cv, "target")])
        scores = self._held_out(self._standard(X), side, fold)
        self.slope_, self.offset_ = _curve(scores, side)
        log_odds: Array = self.slope_ * scores[:n] + self.offset_
        return log_odds + np.log(n / m)

    def _standard(self, X: Array) -> Array:
        # a user's classifier sees rows as they are: its pipeline decides
        return (X - self.centre_) / self.spread_ if self.discriminator is None else X

    def _held_out(self, X: Array, side: NDArray[np.int64], fold: NDArray[np.int64]) -> Array:
        """Return the score of every row from a classifier fitted without its fold."""
        scores = np.empty(len(X))
        if self.discriminator is None:
            # started from the fit to all rows, a fold needs one or two Newton steps
            warm = LogisticRegression(solver="newton-cholesky", warm_start=True).fit(X, side)
            self.discriminator_ = deepcopy(warm)
        else:
            warm = clone(self.discriminator)
            self.discriminator_ = clone(self.discriminator).fit(X, side)
        for k in range(self.cv):
            scores[fold == k] = _score(warm.fit(X[fold != k], side[fold != k]), X[fold == k])
        return scores

    def _log_ratio(self, X: Array) -> Array:
        return self.slope_ * _score(self.discriminator_, self._standard(X)) + self.offset_


def _score(classifier: Any, X: Array) -> Array:
    """Return a number that grows with the probability of the target, (n,)."""
    if hasattr(classifier, "decision_function"):
        return np.asarray(classifier.decision_function(X), dtype=np.float64)
    # trees answer exactly 0 and 1: the calibration needs finite scores
    q = np.clip(classifier.predict_proba(X)[:, 1], 1e-3, 1 - 1e-3)
    return np.asarray(np.log(q / (1 - q)))


def _curve(scores: Array, side: NDArray[np.int64]) -> tuple[float, float]:
    """Return slope >= 0 and offset of the logistic curve of held-out scores."""
    unit = float(scores.std()) or 1.0
    found = LogisticRegression(C=100.0, solver="newton-cholesky").fit(scores[:, None] / unit, side)
    slope = float(found.coef_.item()) / unit
    if slope <= 0:  # held out, the classifier is no better than chance
        return 0.0, float(np.log(side.mean() / (1 - side.mean())))
    return slope, float(found.intercept_.item())
