"""Prototypes: answer by the nearest class centre of the target's own, most certain rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, softmax

from ecotone.align._aligner import Array, Labels
from ecotone.align._pseudo import Embedding, SourceFree, probabilities, unit
from ecotone.core.errors import BadInput
from ecotone.core.method import method


@method(
    name="prototypes", paper="iwasawa2021testtime", needs={"target_rows"}, handles={"covariate"}
)
class Prototypes(SourceFree):
    r"""Replace the decision of a fitted classifier by the nearest prototype of the target [1]_.

    With :math:`z = (x - m_t) / s_t`, mean and deviation over target rows, and u(z) = z / ‖z‖:
    of the target rows that the model takes for class k, the M whose probabilities have the lowest
    entropy are its supports,

    .. math:: c_k = \sum_{i \in S_k} u(z_i), \qquad \hat y(x) = \arg\max_k \cos(z, c_k)

    Where the model is linear in the rows, its own direction for the class, :math:`u(w_k s_t)`, is
    one more support; a class nobody is taken for has that one alone (for other models: the row that
    is most like it). The classifier is not fitted again.

    Parameters
    ----------
    estimator : estimator, optional
        A classifier; LogisticRegression(max_iter=1000) by default.
    supports : int, default 20
        M. 0: all.
    temperature : float, default 0.1
        Probabilities are the softmax of cosine / temperature.
    embed : callable, optional
        ``embed(estimator, X) -> (n, k)``: features to compare, such as a hidden layer. The rows by
        default.

    Attributes
    ----------
    prototypes_ : ndarray, shape (C, k)
        Unit vectors.
    counts_ : ndarray, shape (C,)
        Supports of each class that are target rows.

    References
    ----------
    .. [1] Iwasawa and Matsuo, Test-time classifier adjustment module for model-agnostic domain
       generalization, NeurIPS 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 1, (200, 2)) + 4 * y[:, None]
    >>> Prototypes().fit(X, y).adapt(X + 2).score(X + 2, y) > 0.95
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        supports: int = 20,
        temperature: float = 0.1,
        embed: Callable[[Any, Array], Array] | None = None,
    ) -> None:
        self.estimator = estimator
        self.supports = supports
        self.temperature = temperature
        self.embed = embed

    def _adapt(self, target: Array) -> None:
        if self.supports < 0 or not self.temperature > 0:
            raise BadInput(
                f"Prototypes: supports is {self.supports}, temperature is {self.temperature}.",
                cure="supports=20, temperature=0.1",
            )
        self.estimator_ = self.source_estimator_
        self.embedding_ = Embedding(self.embed, self.source_estimator_, target)
        U = unit(self.embedding_(target))
        p = probabilities(self.source_estimator_, target, len(self.classes_))
        entropy, label, C = entr(p).sum(axis=1), p.argmax(axis=1), p.shape[1]
        heads = self._heads()
        sums = np.zeros((C, U.shape[1])) if heads is None else heads.copy()
        self.counts_ = np.zeros(C, dtype=np.int64)
        for k in range(C):
            at = np.flatnonzero(label == k)
            if len(at) == 0 and heads is None:
                at = np.array([int(p[:, k].argmax())])
            at = at[np.lexsort((*U[at].T, entropy[at]))]  # ties by value: no row order
            at = at[: self.supports or None]
            sums[k] += U[at].sum(axis=0)
            self.counts_[k] = len(at)
        self.prototypes_ = unit(sums)

    def _heads(self) -> Array | None:
        """Return the directions (C, d) of a linear model in standardised rows, if it is one."""
        W = getattr(self.source_estimator_, "coef_", None)
        if self.embed is not None or W is None or W.shape[-1] != len(self.embedding_.spread):
            return None
        W = np.vstack([-W, W]) if len(W) == 1 else W
        return unit(W * self.embedding_.spread) if len(W) == len(self.classes_) else None

    def _cosines(self, X: Array) -> Array:
        out: Array = unit(self.embedding_(X)) @ self.prototypes_.T
        return out

    def _answer(self, Z: Array) -> Labels:
        return self._cosines(Z).argmax(axis=1)

    def _proba(self, Z: Array) -> Array:
        return softmax(self._cosines(Z) / self.temperature, axis=1)

    def _decide(self, Z: Array) -> Array:
        cosines = self._cosines(Z)
        return cosines[:, 1] - cosines[:, 0] if cosines.shape[1] == 2 else cosines
