"""Discriminator weights: what a classifier of the two sides says of each source row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.align._aligner import Array, Labels
from ecotone.align._fold_lines import newton, with_and_without_folds
from ecotone.align._kernels import Index, canonical_order
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

    def _log_weights(self, source: Array, target: Array, y: Labels) -> Array:
        if self.discriminator is None:  # a line needs the order of values for its folds only
            return self._judged(source, target, canonical_order(source), canonical_order(target))
        return super()._log_weights(source, target, y)

    def _learn(self, source: Array, target: Array) -> Array:
        return self._judged(source, target, np.arange(len(source)), np.arange(len(target)))

    def _judged(self, source: Array, target: Array, first: Index, second: Index) -> Array:
        """Return log weights; `first` and `second` sort the rows of the sides."""
        n, m = len(source), len(target)
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"DiscriminatorReweight: cv is {self.cv}.", cure="cv=5")
        if min(n, m) < self.cv:
            raise TooFewRows(
                f"DiscriminatorReweight: {self.cv} folds of {n} source and {m} target rows.",
                cure="cv=2" if min(n, m) >= 2 else "eco.align.SourceOnly()",
            )
        fold = np.empty(n + m, dtype=np.int64)
        fold[first], fold[n + second] = folds(n, self.cv, "source"), folds(m, self.cv, "target")
        side = np.repeat([0, 1], [n, m])
        if self.discriminator is None:
            scores = self._lines(source, target, side, fold)
        else:
            scores = self._held_out(np.vstack([source, target]), side, fold)
        self.slope_, self.offset_ = _curve(scores, side)
        log_odds: Array = self.slope_ * scores[:n] + self.offset_
        return log_odds + np.log(n / m)

    def _held_out(self, X: Array, side: NDArray[np.int64], fold: NDArray[np.int64]) -> Array:
        """Return the score of every row from a classifier fitted without its fold."""
        scores = np.empty(len(X))
        self.discriminator_ = clone(self.discriminator).fit(X, side)
        for k in range(self.cv):
            without = clone(self.discriminator).fit(X[fold != k], side[fold != k])
            scores[fold == k] = _score(without, X[fold == k])
        return scores

    def _lines(
        self, source: Array, target: Array, side: NDArray[np.int64], fold: NDArray[np.int64]
    ) -> Array:
        """Return the same for logistic regression on standardised features, all folds at once."""
        n, d = source.shape
        place = np.empty(len(fold), dtype=np.intp)
        place[np.argsort(fold, kind="stable")] = np.arange(len(fold))
        A, sign = np.ones((len(fold), d + 1)), np.empty(len(fold))
        A[place[:n], :d], A[place[n:], :d] = source, target
        sign[place] = 2.0 * side - 1
        rows = A[:, :d]
        centre = rows.mean(axis=0)
        rows -= centre
        spread = np.sqrt(np.einsum("ij,ij->j", rows, rows) / len(rows))
        spread = np.where(spread > 0, spread, 1.0)
        rows /= spread
        edges = [0, *np.cumsum(np.bincount(fold)).tolist()]
        penalty = np.append(np.ones(d), 0.0)
        lines = with_and_without_folds(A, sign, edges, penalty)
        scores = np.empty(len(fold))
        for k, (i, j) in enumerate(pairwise(edges)):
            scores[i:j] = A[i:j] @ lines[:, k]
        slope = lines[:d, -1] / spread
        self.discriminator_ = Line(slope, float(lines[d, -1] - centre @ slope))
        return scores[place]

    def _log_ratio(self, X: Array) -> Array:
        return self.slope_ * _score(self.discriminator_, X) + self.offset_


class Line(NamedTuple):
    """A linear classifier of the two sides: slope (d,) and offset."""

    slope: Array
    offset: float

    def decision_function(self, X: Array) -> Array:
        """Return the log odds of the target, (n,)."""
        return X @ self.slope + self.offset


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
    A = np.column_stack([scores / unit, np.ones(len(scores))])
    start, penalty = np.array([unit, 0.0]), np.array([0.01, 0.0])
    slope, offset = newton(
        A, np.where(side == 1, 1.0, -1.0), [0, len(A)], penalty, start
    ).line.tolist()
    if slope <= 0:  # held out, the classifier is no better than chance
        return 0.0, float(np.log(side.mean() / (1 - side.mean())))
    return slope / unit, offset
