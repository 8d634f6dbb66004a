"""Self-training: label the target with the source model, keep what centroids confirm, and refit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ecotone.align._aligner import Array
from ecotone.align._pseudo import (
    Classes,
    Embedding,
    SourceFree,
    balanced,
    centroids,
    estimated_prior,
    probabilities,
    unit,
)
from ecotone.core.errors import BadInput, TooFewRows
from ecotone.core.method import method

FIRST, LAST = 0.5, 0.9  # share of the confirmed rows of a class that is trained on, by round


@method(name="self_training", paper="liang2020we", needs={"target_rows"}, handles={"covariate"})
class SelfTraining(SourceFree):
    r"""Refit the classifier on target rows whose pseudo-labels two judges agree on [1]_.

    Every round: class probabilities p of the present model; balanced ones
    :math:`q_{ik} \propto p_{ik} a_k`, a such that :math:`\mathrm{mean}_i q_{ik} = \pi_k`; centroids
    of the unit vectors :math:`f_i = (z_i, 1) / \|(z_i, 1)\|` of standardised rows,

    .. math:: c_k = \frac{\sum_i q_{ik} f_i}{\sum_i q_{ik}}, \qquad
              \hat y_i = \arg\max_k \cos(f_i, c_k),

    once more with :math:`\hat y` in place of q. Rows with :math:`\arg\max_k q_{ik} = \hat y_i` are
    kept, of each class the most certain half at first and nine tenths at last, and the base
    estimator is fitted on them. Balancing is the closed form of the diversity term of information
    maximisation; the rest is the labelling of source hypothesis transfer, for any classifier.

    Parameters
    ----------
    estimator : estimator, optional
        A classifier; LogisticRegression(max_iter=1000) by default.
    balance : str, default 'source'
        :math:`\pi`: ``source`` (shares of the source labels), ``uniform``, ``estimated``
        (by expectation-maximisation on p: right where only label proportions moved) or ``none``.
    rounds : int, default 5
        Rounds of labelling and refitting; 0 leaves the source model.
    embed : callable, optional
        ``embed(estimator, X) -> (n, k)``: features for the centroids, such as a hidden layer. The
        rows by default.

    Attributes
    ----------
    labels_ : ndarray, shape (m,)
        Class numbers of the target rows in the last round; -1 where the judges disagreed.
    prior_ : ndarray, shape (C,)
        :math:`\pi` of the last round; that of q for ``none``.

    References
    ----------
    .. [1] Liang, Hu and Feng, Do we really need to access the source data? Source hypothesis
       transfer for unsupervised domain adaptation, ICML 2020.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(0, 1, (200, 2)) + 4 * y[:, None]
    >>> fitted = SelfTraining().fit(X, y).adapt(X + 2)
    >>> fitted.score(X + 2, y) > 0.95
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        balance: str = "source",
        rounds: int = 5,
        embed: Callable[[Any, Array], Array] | None = None,
    ) -> None:
        self.estimator = estimator
        self.balance = balance
        self.rounds = rounds
        self.embed = embed

    def _adapt(self, target: Array) -> None:
        if self.balance not in ("source", "uniform", "estimated", "none") or self.rounds < 0:
            raise BadInput(
                f"SelfTraining: balance is {self.balance!r}, rounds is {self.rounds}.",
                cure="balance='source', rounds=5",
            )
        if len(target) < len(self.classes_):
            raise TooFewRows(
                f"SelfTraining: {len(target)} target rows for {len(self.classes_)} classes.",
                cure="eco.align.SourceOnly()",
            )
        self.estimator_ = self.source_estimator_
        F = Embedding(self.embed, self.source_estimator_, target)(target)
        F = unit(np.column_stack([F, np.ones(len(F))]))
        self.labels_ = np.full(len(target), -1)
        for share in np.linspace(FIRST, LAST, self.rounds):
            p = probabilities(self.estimator_, target, len(self.classes_))
            q = self._balanced(p)
            labels = np.where(q.argmax(axis=1) == judged(F, q), q.argmax(axis=1), -1)
            use = most_certain(labels, q.max(axis=1), share)
            if len(np.unique(labels[use])) < 2:
                break  # one class is left: there is nothing to tell apart
            self.labels_ = labels
            self.estimator_ = self._fitted(target[use], labels[use])

    def _balanced(self, p: Array) -> Array:
        C = p.shape[1]
        if self.balance == "uniform":
            self.prior_ = np.full(C, 1.0 / C)
        elif self.balance == "estimated":
            self.prior_ = estimated_prior(p, self.source_shares_)
        elif self.balance == "source":
            self.prior_ = self.source_shares_
        else:
            self.prior_ = p.mean(axis=0)
            return p
        return balanced(p, self.prior_)


def judged(F: Array, q: Array) -> Classes:
    """Return the class of the nearest centroid by cosine, after one renewal with hard labels."""
    for _ in range(2):
        cosine = F @ unit(centroids(F, q)).T
        cosine[:, q.sum(axis=0) <= 0] = -np.inf  # a class without rows has no centroid
        labels = cosine.argmax(axis=1)
        q = np.eye(q.shape[1])[labels]
    return labels


def most_certain(labels: Classes, certainty: Array, share: float) -> Classes:
    """Return the places of the given share of every class, the most certain; ties are all kept."""
    use = np.zeros(len(labels), dtype=bool)
    for c in np.unique(labels[labels >= 0]):
        at = labels == c
        rank = int(np.ceil(share * at.sum()))
        use |= at & (certainty >= np.sort(certainty[at])[-rank])
    return np.flatnonzero(use)
