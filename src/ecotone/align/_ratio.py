"""What the methods share that estimate how much denser the target is than the source."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ecotone.align._aligner import Array, Labels
from ecotone.align._kernels import canonical_order
from ecotone.align._kinds import Reweighter
from ecotone.core.errors import BadInput
from ecotone.core.seeds import stream


class RatioReweighter(Reweighter):
    r"""Weigh source rows by an estimate of :math:`w(x) = p_t(x) / p_s(x)`.

    A method writes ``_learn(source, target)``, which returns the log weights of the source rows,
    and ``_log_ratio(X)``, which answers for any row. Rows reach ``_learn`` sorted by their values:
    folds, centres and landmarks then do not depend on the order of the rows `fit` is given.
    """

    @abstractmethod
    def _learn(self, source: Array, target: Array) -> Array:
        """Learn from rows (n, d) and (m, d); return the log weights of source rows, (n,)."""

    @abstractmethod
    def _log_ratio(self, X: Array) -> Array:
        """Return log w of rows, (k,)."""

    def _log_weights(self, source: Array, target: Array, y: Labels) -> Array:  # noqa: ARG002  labels do not enter
        order = canonical_order(source)
        out = np.empty(len(source))
        out[order] = self._learn(source[order], target[canonical_order(target)])
        return out

    def log_ratio(self, X: Any) -> Array:
        r"""Return :math:`\log w(x)` of rows that may be new, up to a constant, shape (k,).

        Not capped, not tempered: those belong to the training rows. -inf where w is 0. Without a
        target (`adapted_` is False) it is 0.
        """
        check_is_fitted(self, "estimator_")
        rows = self._rows(X, reset=False)
        return self._log_ratio(rows) if self.adapted_ else np.zeros(len(rows))


def log_of(weights: Array) -> Array:
    """Return logarithms, -inf where a weight is not above 0."""
    out = np.full(len(weights), -np.inf)
    np.log(weights, out=out, where=weights > 0)
    return out


def folds(rows: int, number: int, *names: object) -> NDArray[np.int64]:
    """Return a fold number 0 ... number - 1 for each of (sorted) rows, sizes equal up to one."""
    return stream(0, "folds", *names).permutation(rows) % number


def positive(who: str, **values: float) -> None:
    """Refuse parameters that are not above 0."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise BadInput(f"{who}: {name} is {value}.", cure=f"give {name} a number above 0")
