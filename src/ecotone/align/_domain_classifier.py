"""A classifier of domains, answers for its own rows held out, all domains counted alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecotone.core.seeds import stream

Array = NDArray[np.float64]
Index = NDArray[np.intp]
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 1.0)  # C of the default
SMALL = 1e-12


class DomainClassifier(NamedTuple):
    """A fitted classifier of domains and their shares of its rows; called, it gives q(d | x)."""

    fitted: Any
    shares: Array

    def __call__(self, X: Array) -> Array:
        """Return q(d | x), (n, r), as if all domains had the same number of rows."""
        P = np.zeros((len(X), len(self.shares)))
        P[:, self.fitted.classes_] = self.fitted.predict_proba(X)
        P /= np.maximum(self.shares, SMALL)
        out: Array = P / P.sum(axis=1, keepdims=True)
        return out


class ToldApart(NamedTuple):
    """What `told_apart` finds: the best classifier, its gain in nats, held-out q(d | x)."""

    classifier: DomainClassifier
    gain: float
    held_out: Array


def told_apart(
    X: Array, d: Index, models: Sequence[Any] | None, *, folds: int, seed: int
) -> ToldApart:
    """Fit the model of least held-out loss, every domain counted alike.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        In canonical order.
    d : ndarray of int, shape (n,)
        Domains 0 ... r - 1.
    models : sequence of estimator, optional
        By default logistic regressions of five strengths on standardised features.
    folds, seed : int
    """
    r = int(d.max()) + 1
    if models is None:
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
            for C in STRENGTHS
        ]
    fold, count = _folds(d, folds, seed), np.bincount(d)
    best: tuple[float, Array, Any] | None = None
    for model in models:
        Q = np.empty((len(X), r))
        for k in np.unique(fold).tolist():
            out = fold == k
            Q[out] = _fitted(model, X[~out], d[~out], r)(X[out])
        losses = -np.log(np.maximum(Q[np.arange(len(d)), d], SMALL))
        loss = float((np.bincount(d, losses) / count).mean())
        if best is None or loss < best[0]:
            best = loss, Q, model
    assert best is not None
    return ToldApart(_fitted(best[2], X, d, r), float(np.log(r)) - best[0], best[1])


def _fitted(model: Any, X: Array, d: Index, r: int) -> DomainClassifier:
    return DomainClassifier(clone(model).fit(X, d), np.bincount(d, minlength=r) / len(d))


def _folds(d: Index, folds: int, seed: int) -> Index:
    """Return fold numbers that spread every domain, whatever its number, over the folds."""
    fold = np.empty(len(d), dtype=np.intp)
    for j in range(int(d.max()) + 1):
        at = np.flatnonzero(d == j)
        fold[at] = stream(seed, "folds").permutation(len(at)) % folds
    return fold
