r"""Linear heads on standardised rows: read from a fitted model, or taught by its probabilities.

A head is a matrix W (C, d + 1): the logits of a row are :math:`W (z, 1)` with
:math:`z = (x - m) / s`, and its class probabilities their softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.utils.metaestimators import available_if

from ecotone.align._pseudo import Embedding

Array = NDArray[np.float64]
Labels = NDArray[Any]
TAUGHT = 1e-3  # ridge of a head that is taught: what no row tells stays 0


def with_one(Z: Array) -> Array:
    """Return rows with a 1 behind them, (n, d + 1)."""
    return np.column_stack([Z, np.ones(len(Z))])


def log_probabilities(logits: Array) -> Array:
    """Return the logarithm of the softmax of every row."""
    F = logits - logits.max(axis=1, keepdims=True)
    out: Array = F - np.log(np.exp(F).sum(axis=1, keepdims=True))
    return out


def linear_head(model: Any, mean: Array, spread: Array) -> Array | None:
    """Return the head (C, d + 1) of a fitted linear classifier; None for any other model.

    Of two classes with one direction w between them, the heads are -w / 2 and w / 2: the same
    probabilities.

    Parameters
    ----------
    model : estimator
        A fitted classifier.
    mean, spread : ndarray, shape (d,)
        m and s.
    """
    W, b = getattr(model, "coef_", None), getattr(model, "intercept_", None)
    if W is None or b is None or np.ndim(W) != 2 or W.shape[1] != len(mean):
        return None
    W, b = np.asarray(W, dtype=np.float64), np.broadcast_to(b, len(W))
    if len(W) == 1:
        W, b = np.vstack([-W, W]) / 2, np.array([-b[0], b[0]]) / 2
    return np.column_stack([W * spread, b + W @ mean]) if len(W) == len(model.classes_) else None


def taught_head(Z: Array, p: Array) -> Array:
    r"""Return the head nearest in cross-entropy to probabilities p (n, C) on rows (n, d).

    :math:`\min_W -\frac1n \sum_{ik} p_{ik} \log \mathrm{softmax}(W (z_i, 1))_k
    + \frac{\lambda}{2} \|W\|^2`, convex.
    """
    Z1 = with_one(Z)
    shape = (p.shape[1], Z1.shape[1])

    def loss(w: Array) -> tuple[float, Array]:
        W = w.reshape(shape)
        lp = log_probabilities(Z1 @ W.T)
        value = -float((p * lp).sum()) / len(Z) + TAUGHT / 2 * float((W**2).sum())
        return value, ((np.exp(lp) - p).T @ Z1 / len(Z) + TAUGHT * W).ravel()

    return descended(loss, np.zeros(shape), 200)


def descended(loss: Callable[[Array], tuple[float, Array]], start: Array, iterations: int) -> Array:
    """Return where L-BFGS comes to from `start`; `loss` takes and gives flat arrays."""
    found = minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations}
    )
    out: Array = found.x.reshape(start.shape)
    return out


class InformedLoss:
    r"""Loss of a head and its gradient, for L-BFGS.

    .. math:: \underset{\text{told}}{\mathrm{mean}}\; {-\log p_{i y_i}}
              + \iota \Bigl(\underset{\text{untold}}{\mathrm{mean}}\, H(p_i)
              - H\bigl(\underset{\text{untold}}{\mathrm{mean}}\, p_i\bigr)\Bigr)
              + \frac{\mu}{2} \|W - W_0\|^2

    Parameters
    ----------
    told : ndarray, shape (b, d)
    labels : ndarray of int64, shape (b,)
    untold : ndarray, shape (m - b, d)
        May hold no row.
    source : ndarray, shape (C, d + 1)
        The head W_0 it is anchored at.
    information, anchor : float
        Iota and mu.
    """

    def __init__(
        self, told: Array, labels: Labels, untold: Array, source: Array, information: float,
        anchor: float,
    ) -> None:  # fmt: skip
        self.told, self.untold, self.source = with_one(told), with_one(untold), source
        self.one_hot = np.eye(len(source))[labels]
        self.information, self.anchor = information, anchor

    def __call__(self, w: Array) -> tuple[float, Array]:
        """Return loss and gradient, both for a flat head."""
        W = w.reshape(self.source.shape)
        D = W - self.source
        lp = log_probabilities(self.told @ W.T)
        value = -float((self.one_hot * lp).sum()) / len(lp)
        gradient = (np.exp(lp) - self.one_hot).T @ self.told / len(lp) + self.anchor * D
        value += self.anchor / 2 * float((D**2).sum())
        if self.information and len(self.untold):
            lp = log_probabilities(self.untold @ W.T)
            p = np.exp(lp)
            log_mean = np.log(np.maximum(p.mean(axis=0), 1e-300))
            gap = log_mean - lp
            value += self.information * float((p * gap).sum()) / len(p)
            pull = p * (gap - (p * gap).sum(axis=1, keepdims=True))
            gradient += self.information * pull.T @ self.untold / len(p)
        return value, gradient.ravel()


class Head:
    """A linear classifier on standardised rows that speaks class numbers."""

    def __init__(self, weights: Array, scale: Embedding) -> None:
        self.weights, self.scale = weights, scale
        self.classes_ = np.arange(len(weights))

    def _logits(self, X: Array) -> Array:
        out: Array = with_one(self.scale(X)) @ self.weights.T
        return out

    def decision_function(self, X: Array) -> Array:
        """Return logits (n, C); of two classes their difference (n,)."""
        F = self._logits(X)
        return F[:, 1] - F[:, 0] if F.shape[1] == 2 else F

    def predict_proba(self, X: Array) -> Array:
        """Return class probabilities, (n, C)."""
        out: Array = np.exp(log_probabilities(self._logits(X)))
        return out

    def predict(self, X: Array) -> Labels:
        """Return class numbers, (n,)."""
        return self._logits(X).argmax(axis=1)


class Numbered:
    """A fitted classifier that is made to speak class numbers."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.classes_ = np.arange(len(model.classes_))
        for name in ("coef_", "intercept_"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def predict(self, X: Array) -> Labels:
        """Return class numbers, (n,)."""
        return np.searchsorted(self.model.classes_, self.model.predict(X))

    @available_if(lambda self: hasattr(self.model, "predict_proba"))
    def predict_proba(self, X: Array) -> Array:
        """Return the model's class probabilities, (n, C)."""
        out: Array = self.model.predict_proba(X)
        return out

    @available_if(lambda self: hasattr(self.model, "decision_function"))
    def decision_function(self, X: Array) -> Array:
        """Return the model's decision values."""
        out: Array = self.model.decision_function(X)
        return out
