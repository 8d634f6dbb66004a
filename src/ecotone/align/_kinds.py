"""Three kinds of alignment: weigh source rows, move source rows, give both sides new features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecotone.align._aligner import Aligner, Array, Labels
from ecotone.core.errors import BadInput
from ecotone.data.domains import Domains

LEAST_ROWS, LEAST_SHARE = 30.0, 0.05  # effective rows below which weights are tempered


class Steady(NamedTuple):
    """Weights that can be trained with.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        Mean 1.
    effective : float
        Effective rows, (sum w)^2 / sum w^2.
    temper : float
        The power the weights were taken to: 1 as they came, 0 all equal.
    """

    weights: Array
    effective: float
    temper: float


def steady(log_weights: Array, *, cap: float = 20.0) -> Steady:
    r"""Turn log weights into weights of mean 1 that leave enough effective rows.

    Weights are capped at `cap` times their mean. With fewer than
    :math:`\max(30, n/20)` effective rows (at most n / 2) they are tempered, :math:`w^\tau`, with
    the largest :math:`\tau \in \{1, 3/4, 1/2, 1/4, 0\}` that leaves as many: a few rows with huge
    weights are no training set, and :math:`\tau = 0` is the plain estimator.

    Parameters
    ----------
    log_weights : ndarray, shape (n,)
        Natural logarithms, up to a common constant; -inf for 0.
    cap : float
        Largest weight, in units of the mean.
    """
    n = len(log_weights)
    if np.isnan(log_weights).any() or not np.isfinite(log_weights).any():
        raise BadInput(
            "no source row resembles the target: every importance weight is 0 or undefined.",
            why="reweighting needs source rows where the target lies.",
            cure="use a mapping method: ecotone methods --room align",
        )
    centred = log_weights - log_weights.max()
    least = min(max(LEAST_ROWS, LEAST_SHARE * n), n / 2)
    for temper in (1.0, 0.75, 0.5, 0.25, 0.0):
        w = np.exp(temper * centred) if temper else np.ones(n)
        w = np.minimum(w / w.mean(), cap)
        w /= w.mean()
        effective = float(w.sum() ** 2 / (w**2).sum())
        if effective >= least:
            break
    return Steady(w, effective, temper)


class Reweighter(Aligner):
    """Weigh source rows so that they stand for the target, and fit the base estimator.

    A method writes ``_log_weights(source, target, y)`` for source rows (n, d), target rows (m, d)
    and class numbers or values of the source rows. A parameter ``cap`` is used if there is one.

    Attributes
    ----------
    weights_ : ndarray, shape (n,)
        Weights of the rows `fit` was given, mean 1 over sources; 0 for target rows.
    effective_ : float
        Effective source rows.
    temper_ : float
        Power the weights were taken to; below 1 when too few effective rows were left.
    """

    cap: float = 20.0

    @abstractmethod
    def _log_weights(self, source: Array, target: Array, y: Labels) -> Array:
        """Return the log weight of each source row, up to a constant, shape (n,)."""

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        at = sample_domain > 0
        found = steady(self._log_weights(X[at], X[~at], y[at]), cap=self.cap)
        self.effective_, self.temper_ = found.effective, found.temper
        self.weights_ = np.zeros(len(X))
        self.weights_[at] = found.weights
        total = found.weights if weight is None else found.weights * weight[at]
        self.estimator_ = self._fitted(X[at], y[at], total)


class Moved(NamedTuple):
    """What a mapping made of the source rows it was fitted on, and how it moves new ones."""

    rows: Array
    move: Callable[[Array], Array]


class Mapper(Aligner):
    """Move the rows of every source domain onto the target, and fit the base estimator there.

    A method writes ``_map(source, target, y, weight) -> Moved`` for the rows of one source domain.
    Target rows are left where they are.
    """

    @abstractmethod
    def _map(self, source: Array, target: Array, y: Labels, weight: Array | None) -> Moved:
        """Return the moved source rows, (n, d), and a function that moves new ones."""

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        target, moved = X[sample_domain < 0], X.copy()
        self.moves_: dict[int, Callable[[Array], Array]] = {}
        for number in np.unique(sample_domain[sample_domain > 0]).tolist():
            at = sample_domain == number
            mine = None if weight is None else weight[at]
            moved[at], self.moves_[number] = self._map(X[at], target, y[at], mine)
        at = sample_domain > 0
        self.estimator_ = self._fitted(moved[at], y[at], None if weight is None else weight[at])

    def features(self, X: Any, sample_domain: Any = None) -> Array:
        """Return rows with those of known source domains moved, (n, d); targets stay."""
        rows = super().features(X, sample_domain)
        if sample_domain is None or not self.adapted_:
            return rows
        out, domain = rows.copy(), np.asarray(sample_domain)
        for number, move in self.moves_.items():
            at = domain == number
            if at.any():
                out[at] = move(rows[at])
        return out


class Projector(Aligner):
    """Give source and target rows common features, and fit the base estimator on the sources'.

    A method writes ``_learn(X, y, sample_domain)``, which sees all rows, and
    ``_project(X, source) -> (n, k)``.
    """

    @abstractmethod
    def _learn(self, X: Array, y: Labels, sample_domain: Domains) -> None:
        """Learn the features."""

    @abstractmethod
    def _project(self, X: Array, source: NDArray[np.bool_]) -> Array:
        """Return features (n, k); `source` says which rows are source rows."""

    def _fit(self, X: Array, y: Labels, sample_domain: Domains, weight: Array | None) -> None:
        self._learn(X, y, sample_domain)
        at = sample_domain > 0
        Z = self._project(X[at], np.ones(int(at.sum()), dtype=bool))
        self.estimator_ = self._fitted(Z, y[at], None if weight is None else weight[at])

    def _features(self, X: Array, source: NDArray[np.bool_]) -> Array:
        return self._project(X, source)
