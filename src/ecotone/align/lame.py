"""LAME: let the probabilities of target rows agree with those of their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, softmax
from sklearn.neighbors import NearestNeighbors

from ecotone.align._aligner import Array, Labels
from ecotone.align._pseudo import Embedding, SourceFree, probabilities
from ecotone.core.errors import BadInput
from ecotone.core.method import method

LEAST = 1e-10  # a probability of 0 would be certain for ever


@method(name="lame", paper="boudiaf2022parameter", needs={"target_rows"}, handles={"covariate"})
class LAME(SourceFree):
    r"""Smooth the class probabilities of a fitted classifier over near target rows [1]_.

    With q the probabilities of the classifier, and :math:`w_{ij} = 1` for the k target rows nearest
    to row i (itself among them), else 0,

    .. math:: Y_i \leftarrow \mathrm{softmax}\Bigl(\log q_i + \lambda \sum_j w_{ij} Y_j\Bigr)

    until nothing changes: for a symmetric positive W this never raises

    .. math:: E = -\sum_i Y_i \cdot \log q_i - \frac\lambda2 \sum_{ij} w_{ij}\,Y_i \cdot Y_j
              + \sum_i Y_i \cdot \log Y_i

    The target rows of `fit` (or `adapt`) are smoothed once; a new row is answered by the same
    formula from its own q and the Y of its neighbours among them. No answer depends on the other
    rows it is asked with, and a row of the fit gets its own Y.

    Parameters
    ----------
    estimator : estimator, optional
        A classifier; LogisticRegression(max_iter=1000) by default.
    neighbours : int, default 5
        k.
    strength : float, default 1.0
        :math:`\lambda`. 0 leaves the classifier as it is.
    rounds : int, default 100
        At most; it stops when no probability moves by more than 1e-8.
    embed : callable, optional
        ``embed(estimator, X) -> (n, k)``: features in which rows are near. Standardised rows by
        default.

    Attributes
    ----------
    smoothed_ : ndarray, shape (m, C)
        Y of the target rows.

    References
    ----------
    .. [1] Boudiaf, Mueller, Ben Ayed and Bertinetto, Parameter-free online test-time adaptation,
       CVPR 2022.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 1, (200, 2)) + 4 * y[:, None]
    >>> LAME().fit(X, y).adapt(X).score(X, y) > 0.95
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        neighbours: int = 5,
        strength: float = 1.0,
        rounds: int = 100,
        embed: Callable[[Any, Array], Array] | None = None,
    ) -> None:
        self.estimator = estimator
        self.neighbours = neighbours
        self.strength = strength
        self.rounds = rounds
        self.embed = embed

    def _adapt(self, target: Array) -> None:
        if self.neighbours < 1 or not self.strength >= 0 or self.rounds < 1:
            raise BadInput(
                f"LAME: neighbours is {self.neighbours}, strength is {self.strength}, rounds is "
                f"{self.rounds}.",
                cure="neighbours=5, strength=1.0, rounds=100",
            )
        self.estimator_ = self.source_estimator_
        self.embedding_ = Embedding(self.embed, self.source_estimator_, target)
        F = self.embedding_(target)
        self.tree_ = NearestNeighbors(n_neighbors=min(self.neighbours, len(F))).fit(F)
        near = self.tree_.kneighbors(F, return_distance=False)
        q = probabilities(self.source_estimator_, target, len(self.classes_))
        self.smoothed_ = smoothed(q, lambda Y: Y[near].sum(axis=1), self.strength, self.rounds)

    def _proba(self, Z: Array) -> Array:
        q = probabilities(self.estimator_, Z, len(self.classes_))
        near = self.tree_.kneighbors(self.embedding_(Z), return_distance=False)
        return _answers(q, self.smoothed_[near].sum(axis=1), self.strength)

    def _answer(self, Z: Array) -> Labels:
        return self._proba(Z).argmax(axis=1)

    def _decide(self, Z: Array) -> Array:
        f = np.log(np.maximum(self._proba(Z), LEAST))
        return f[:, 1] - f[:, 0] if f.shape[1] == 2 else f


def _answers(q: Array, votes: Array, strength: float) -> Array:
    out: Array = softmax(np.log(np.maximum(q, LEAST)) + strength * votes, axis=1)
    return out


def smoothed(q: Array, vote: Callable[[Array], Array], strength: float, rounds: int) -> Array:
    """Return Y where it no longer moves.

    Parameters
    ----------
    q : ndarray, shape (n, C)
        Rows add up to 1.
    vote : callable
        Y (n, C) to W Y (n, C).
    strength : float
    rounds : int
    """
    Y = q
    for _ in range(rounds):
        new = _answers(q, vote(Y), strength)
        done = np.abs(new - Y).max() < 1e-8
        Y = new
        if done:
            break
    return Y


def energy(Y: Array, q: Array, W: Array, strength: float) -> float:
    """Return E for a matrix W (n, n) of affinities."""
    pull = np.sum(Y * np.log(np.maximum(q, LEAST)))
    return float(-pull - strength / 2 * np.sum(Y * (W @ Y)) - entr(Y).sum())
