"""What the methods share that correct a classifier for other class proportions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ecotone.align._aligner import Aligner, Array, Labels, _base_has
from ecotone.align._kernels import canonical_order
from ecotone.align._kinds import steady
from ecotone.align._priors import SMALL, Held, Mixture, calibrate, mixture_p_value, one_hot
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.seeds import stream
from ecotone.data.domains import Domains

USES = ("posterior", "weights")


class LabelShift(Aligner):
    r"""Estimate the target's class shares from held-out predictions, and correct for them.

    Classifiers fitted on all folds but one answer for the source rows of that fold and for an
    equal part of the target rows: both answers come from rows the classifier has not seen. A
    method writes ``_priors(held)``. Parameters that are used: ``cv``, ``use``, ``level``.

    Attributes
    ----------
    priors_ : ndarray, shape (C,)
        Estimated class shares of the target, in the order of ``classes_``.
    source_priors_ : ndarray, shape (C,)
        Class shares of the source.
    assumption_p_ : float
        p-value of: the target's predictions are a mixture of what the source shows of each class.
    applied_ : bool
        False where that was rejected: the method is then the plain source classifier.
    """

    cv: int = 5
    use: str = "posterior"
    level: float = 0.01

    @abstractmethod
    def _priors(self, held: Held) -> Array:
        """Return the target's class shares, (C,), from held-out calibrated probabilities."""

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        self._check()
        at = np.flatnonzero(sample_domain > 0)
        at = at[canonical_order(X[at], y[at])]
        target = X[sample_domain < 0]
        target = target[canonical_order(target)]
        mine = None if weight is None else weight[at]
        held = self._cross_fitted(X[at], y[at], target, mine)
        self.source_priors_ = held.priors
        if hasattr(self._base(), "predict_proba"):
            self.calibration_ = calibrate(held)
            held = held._replace(
                source=self.calibration_(held.source), target=self.calibration_(held.target)
            )
        self.priors_ = self._priors(held)
        ratio = self.priors_ / self.source_priors_
        mixture = Mixture(one_hot(held.y, len(ratio)), ratio, 0.0)
        here, there = np.log(np.maximum(held.source, 1e-4)), np.log(np.maximum(held.target, 1e-4))
        self.assumption_p_ = mixture_p_value(here, there, mixture)
        self.applied_ = self.assumption_p_ >= self.level
        self.weights_ = np.zeros(len(X))
        source = sample_domain > 0
        self.weights_[source] = 1.0
        if self.applied_ and self.use == "weights":
            self.weights_[source] = steady(np.log(np.maximum(ratio, SMALL))[y[source]]).weights
            weight = self.weights_ if weight is None else weight * self.weights_
        # in the order they came: with nothing applied this is the plain classifier, bit for bit
        self.estimator_ = self._fitted(
            X[source], y[source], None if weight is None else weight[source]
        )

    def _check(self) -> None:
        who = type(self).__name__
        if self._is_regressor():
            raise BadInput(
                f"{who} counts classes, and {type(self.estimator).__name__} is a regressor.",
                cure="eco.align.MMDTarS(estimator), which weighs numbers",
            )
        if self.use not in USES:
            raise BadInput(f"{who}: use is {self.use!r}.", cure="use='posterior' or use='weights'")
        if not (isinstance(self.cv, int) and self.cv >= 2):
            raise BadInput(f"{who}: cv is {self.cv}.", cure="cv=5")
        if not 0 <= self.level < 1:
            raise BadInput(f"{who}: level is {self.level}.", cure="level=0.01")
        if self.use == "posterior" and not hasattr(self._base(), "predict_proba"):
            raise BadInput(
                f"{who} corrects probabilities, and {type(self._base()).__name__} gives none.",
                cure="use='weights'",
            )

    def _cross_fitted(self, X: Array, y: Labels, target: Array, weight: Array | None) -> Held:
        C = len(self.classes_)
        counts = np.bincount(y, minlength=C)
        if counts.min() < 2 or len(target) < 2:
            few = self.classes_[int(counts.argmin())] if counts.min() < 2 else "the target"
            raise TooFewRows(
                f"{type(self).__name__}: one row of {few} is too few: predictions of it must come "
                "from a classifier fitted on others.",
                cure="leave that class out, or eco.align.SourceOnly()",
            )
        fold, target_fold = _spread(y, self.cv), np.arange(len(target)) % self.cv
        target_fold = stream(0, "target folds").permutation(target_fold)
        source_P, target_P = np.zeros((len(X), C)), np.zeros((len(target), C))
        for k in range(self.cv):
            out = fold == k
            mine = None if weight is None else weight[~out]
            fitted = self._fitted(X[~out], y[~out], mine)
            there = target_fold == k
            for P, rows, place in ((source_P, X, out), (target_P, target, there)):
                if place.any():
                    P[place] = self._held_out(fitted, rows[place], C)
        return Held(source_P, y, np.ones(len(y)) if weight is None else weight, target_P)

    def _held_out(self, fitted: Any, X: Array, C: int) -> Array:
        """Return class probabilities, or one-hot predictions where there are none, (k, C)."""
        if not hasattr(fitted, "predict_proba"):
            return one_hot(fitted.predict(X), C)
        out = np.zeros((len(X), C))
        out[:, fitted.classes_] = fitted.predict_proba(X)
        return out

    def _corrects(self) -> bool:
        return bool(self.applied_ and self.use == "posterior")

    def _proba(self, Z: Array) -> Array:
        P = super()._proba(Z)
        if not self._corrects():
            return P
        joint = self.calibration_(P) * (self.priors_ / self.source_priors_)
        total = joint.sum(axis=1, keepdims=True)
        # a row sure to be of a class that the target lacks: the shares are all that is known
        out: Array = np.where(total > 0, joint / np.maximum(total, SMALL**4), self.priors_)
        return out

    def _answer(self, Z: Array) -> Labels:
        return self._proba(Z).argmax(axis=1) if self._corrects() else super()._answer(Z)

    @available_if(_base_has("decision_function"))
    def decision_function(self, X: Any, sample_domain: Any = None) -> Array:
        """Return the base estimator's decision values; corrected log probabilities if applied."""
        check_is_fitted(self, "estimator_")
        if not (self.adapted_ and self._corrects()):
            return super().decision_function(X, sample_domain)
        logs: Array = np.log(np.maximum(self.predict_proba(X, sample_domain), SMALL))
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs


def _spread(y: Labels, folds: int) -> NDArray[np.int64]:
    """Return fold numbers that spread every class evenly over the folds."""
    out = np.empty(len(y), dtype=np.int64)
    for c in np.unique(y).tolist():
        at = np.flatnonzero(y == c)
        out[at] = (stream(0, "folds", c).permutation(len(at)) + c) % folds
    return out
