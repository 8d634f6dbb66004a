"""One margin for each class: classifiers of two classes, one against the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from ecotone.align._aligner import Array, Labels


class OneVsRest:
    """A classifier with a signed distance to its boundary for every class, fitted with weights.

    Parameters
    ----------
    fitted : callable
        ``fitted(X, y, weight)`` returns a classifier of the labels 0 and 1 with
        ``decision_function``.
    classes : int
        C; a class without rows is never answered.
    """

    def __init__(self, fitted: Callable[[Array, Labels, Array], Any], classes: int) -> None:
        self.fitted, self.classes = fitted, classes

    def fit(self, X: Array, y: Labels, weight: Array) -> OneVsRest:
        """Fit one classifier for each class, or one for two classes."""
        present = np.unique(y).tolist()
        pair = self.classes == 2
        self.machines_ = {
            c: self.fitted(X, (y == c).astype(np.int64), weight) for c in ([1] if pair else present)
        }
        self.classes_ = np.arange(self.classes)
        return self

    def margins(self, X: Array) -> Array:
        """Return the signed distance (n, C) of every class; -inf for one without rows."""
        out = np.full((len(X), self.classes), -np.inf)
        for c, machine in self.machines_.items():
            out[:, c] = machine.decision_function(X)
        if self.classes == 2:
            out[:, 0] = -out[:, 1]
        return out

    def decision_function(self, X: Array) -> Array:
        """Return margins, (n, C), or (n,) for two classes."""
        f = self.margins(X)
        return f[:, 1] if self.classes == 2 else f

    def predict(self, X: Array) -> Labels:
        """Return the class with the largest margin."""
        return self.margins(X).argmax(axis=1)

    @available_if(lambda self: all(hasattr(m, "predict_proba") for m in self.machines_.values()))
    def predict_proba(self, X: Array) -> Array:
        """Return the machines' probabilities, scaled to add up to 1."""
        p = np.zeros((len(X), self.classes))
        for c, machine in self.machines_.items():
            p[:, c] = machine.predict_proba(X)[:, 1]
        if self.classes == 2:
            p[:, 0] = 1 - p[:, 1]
        out: Array = p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
        return out
