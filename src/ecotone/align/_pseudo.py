"""Class probabilities of target rows, balanced, as information, and as centroids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax, xlogy
from sklearn.utils.metaestimators import available_if

from ecotone.align._aligner import Aligner, Array, Labels, _base_has
from ecotone.core.errors import BadInput
from ecotone.data.domains import Domains

Classes = NDArray[np.int64]


class SourceFree(Aligner):
    """Fit on the sources; then adapt with target rows alone.

    A method writes ``_adapt(target)``, which reads ``source_estimator_`` and sets ``estimator_``.
    ``fit(X, y)`` followed by ``adapt(target)`` is the same as ``fit`` with `sample_domain`: the
    model may have been fitted where the target's rows never come.

    Attributes
    ----------
    source_estimator_ : estimator
        The base estimator as fitted on the sources.
    source_shares_ : ndarray, shape (C,)
        Class shares of the source labels.
    """

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        at = sample_domain > 0
        self._classifiers_only()
        mine = None if weight is None else weight[at]
        self.source_estimator_ = self._fitted(X[at], y[at], mine)
        self.source_shares_ = _shares(y[at], mine)
        self.estimator_ = self.source_estimator_
        self._adapt(X[~at])

    def _fit_plain(self, X: Any, y: Any, sample_weight: Any) -> Any:
        super()._fit_plain(X, y, sample_weight)
        if not self._is_regressor():
            self.source_shares_ = _shares(
                np.searchsorted(self.classes_, np.ravel(np.asarray(y))),
                None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
            )
        return self

    def adapt(self, X: Any) -> Any:
        """Adapt a fitted model to target rows (m, d); no source row is needed.

        Returns
        -------
        self
        """
        if not hasattr(self, "estimator_"):
            raise BadInput(
                f"{type(self).__name__}: there is no model yet to adapt.",
                cure="fit(X_source, y_source).adapt(X_target)",
            )
        self._classifiers_only()
        rows = self._rows(X, reset=False)
        if not self.adapted_:
            self.source_estimator_ = self.estimator_
        self._adapt(rows)
        self.adapted_ = True
        return self

    @abstractmethod
    def _adapt(self, target: Array) -> None:
        """Adapt ``source_estimator_`` to target rows (m, d)."""

    def _proba(self, Z: Array) -> Array:
        return probabilities(self.estimator_, Z, len(self.classes_))

    @available_if(_base_has("decision_function"))
    def decision_function(self, X: Any, sample_domain: Any = None) -> Array:
        """Return decision values; -inf for classes that no target row was taken for."""
        Z = self.features(X, sample_domain)
        return self._decide(Z) if self.adapted_ else self.estimator_.decision_function(Z)

    def _decide(self, Z: Array) -> Array:
        f: Array = self.estimator_.decision_function(Z)
        left = np.asarray(self.estimator_.classes_, dtype=np.int64)
        if len(left) == len(self.classes_):
            return f
        out = np.full((len(f), len(self.classes_)), -np.inf)
        out[:, left] = f if f.ndim == 2 else np.column_stack([-f, f])
        return out

    def _classifiers_only(self) -> None:
        if self._is_regressor():
            raise BadInput(
                f"{type(self).__name__} labels target rows with classes, and "
                f"{type(self.estimator).__name__} is a regressor.",
                cure="for regression: eco.align.CORAL(Ridge()), or: eco.align.TCA(Ridge())",
            )


def _shares(y: Labels, weight: Array | None) -> Array:
    counts = np.bincount(y, weights=weight).astype(np.float64)
    out: Array = counts / counts.sum()
    return out


def probabilities(estimator: Any, X: Array, classes: int) -> Array:
    """Return class probabilities (n, classes) of a fitted estimator that speaks class numbers.

    Without ``predict_proba``: the softmax of ``decision_function``, else certainty.
    """
    if hasattr(estimator, "predict_proba"):
        p = estimator.predict_proba(X)
    elif hasattr(estimator, "decision_function"):
        f = estimator.decision_function(X)
        p = softmax(f, axis=1) if f.ndim == 2 else np.column_stack([expit(-f), expit(f)])
    else:
        return np.eye(classes)[estimator.predict(X)]
    out = np.zeros((len(X), classes))
    out[:, np.asarray(estimator.classes_, dtype=np.int64)] = p
    return out


def balanced(p: Array, prior: Array, *, rounds: int = 100, tol: float = 1e-8) -> Array:
    r"""Return q nearest to p, in relative entropy, with :math:`\frac1n \sum_i q_{ik} = \pi_k`.

    :math:`q_{ik} \propto p_{ik} a_k`; the factors a are found by turns (Sinkhorn). Among all
    assignments with these class shares, q is the one that says most of what p says.

    Parameters
    ----------
    p : ndarray, shape (n, C)
        Rows add up to 1.
    prior : ndarray, shape (C,)
        Adds up to 1.
    """
    log_a, base = np.zeros(p.shape[1]), np.log(np.maximum(p, 1e-12))
    wanted = np.log(np.maximum(prior, 1e-12))
    for _ in range(rounds):
        q = softmax(base + log_a, axis=1)
        step = wanted - np.log(np.maximum(q.mean(axis=0), 1e-300))
        log_a += step
        if np.abs(step).max() < tol:
            break
    out: Array = softmax(base + log_a, axis=1)
    return out


def estimated_prior(p: Array, prior: Array, *, rounds: int = 1000) -> Array:
    r"""Return the class shares under which p, as posteriors for `prior`, are most likely.

    Expectation-maximisation: :math:`\pi_k \leftarrow \mathrm{mean}_i\, q_{ik}`,
    :math:`q_{ik} \propto p_{ik} \pi_k / \pi^0_k`. Right where p(x|y) did not move and p is
    calibrated.

    Parameters
    ----------
    p : ndarray, shape (n, C)
    prior : ndarray, shape (C,)
        Class shares p was made for.
    """
    ratio, shares = p / np.maximum(prior, 1e-12), prior.copy()
    for _ in range(rounds):
        q = ratio * shares
        new = (q / np.maximum(q.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
        done = np.abs(new - shares).max() < 1e-8
        shares = new
        if done:
            break
    return shares


def information(p: Array) -> float:
    r"""Return :math:`\mathrm{mean}_i H(p_i) - H(\mathrm{mean}_i p_i)`, nats; at least -log C.

    Least for certain predictions that use all classes equally: what information maximisation seeks.
    """
    mean = p.mean(axis=0)
    return float(-xlogy(p, p).sum(axis=1).mean() + xlogy(mean, mean).sum())


class Embedding:
    """Features of rows for comparing them: standardised by the target's mean and deviation.

    Parameters
    ----------
    embed : callable, optional
        ``embed(estimator, X) -> (n, k)``; the rows themselves by default.
    estimator : estimator
        A fitted one, for `embed`.
    target : ndarray, shape (m, d)
        Target rows.
    """

    def __init__(
        self, embed: Callable[[Any, Array], Array] | None, estimator: Any, target: Array
    ) -> None:
        self.embed, self.estimator = embed, estimator
        F = self._raw(target)
        self.mean, spread = F.mean(axis=0), F.std(axis=0)
        self.spread = np.where(spread > 1e-12 * max(float(spread.max()), 1e-300), spread, 1.0)

    def _raw(self, X: Array) -> Array:
        return X if self.embed is None else np.asarray(self.embed(self.estimator, X), np.float64)

    def __call__(self, X: Array) -> Array:
        out: Array = (self._raw(X) - self.mean) / self.spread
        return out


def unit(F: Array) -> Array:
    """Return rows of length 1; rows of length 0 stay."""
    length = np.linalg.norm(F, axis=1, keepdims=True)
    out: Array = F / np.where(length > 0, length, 1.0)
    return out


def centroids(F: Array, q: Array) -> Array:
    """Return the mean row (C, k) of each class, rows weighed by q (n, C); 0 without weight."""
    out: Array = (q.T @ F) / np.maximum(q.sum(axis=0), 1e-12)[:, None]
    return out
