"""What every mixing law shares: checking what comes in, and one or many targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ecotone.core.errors import BadInput, TooFewRows

Array = NDArray[np.float64]


def canonical_order(W: Array) -> NDArray[np.int64]:
    """Return an order of the columns that depends on what they hold, not on where they stand.

    A law whose search breaks ties by position (trees, optimisers) works on the columns in this
    order, so that reordering the domains changes nothing.
    """
    return np.lexsort(W[::-1])


class Law(RegressorMixin, BaseEstimator, ABC):
    """Base class of mixing laws: regressors from domain shares to held-out losses.

    A law writes ``_fit(W, L)`` and ``_predict(W)`` for arrays ``W (n, k)`` and ``L (n, t)``; this
    class checks what comes in and gives back ``(n,)`` when it was fitted on ``(n,)``.

    Attributes
    ----------
    convex_ : bool
        Set by ``fit``: every predicted loss is a convex function of the shares, so that the
        solver may promise the optimum. Such a law also has ``_gradient(W) -> (n, t, k)``.
    """

    least_rows = 2
    rows_per_domain = 0

    def rows_needed(self, k: int) -> int:
        """Return the least number of rows the law can be fitted on, for k domains."""
        return self.least_rows + self.rows_per_domain * k

    def fit(self, W: Any, y: Any) -> Self:
        """Fit on trained mixtures.

        Parameters
        ----------
        W : array, shape (n, k)
            Shares; nonnegative.
        y : array, shape (n,) or (n, t)
            Held-out losses, nats per token, positive.
        """
        W, y = validate_data(self, W, y, dtype=np.float64, multi_output=True, y_numeric=True)
        L = np.asarray(y, dtype=np.float64)
        if (W < 0).any():
            raise BadInput("Negative values in data: a share is 0 or more.")
        self.one_target_ = L.ndim == 1
        L = L.reshape(len(L), -1)
        if (L <= 0).any():
            raise BadInput(
                f"{type(self).__name__}: a loss is 0 or negative.",
                cure="give losses in nats per token",
            )
        need = self.rows_needed(W.shape[1])
        if len(W) < need:
            raise TooFewRows(
                f"{type(self).__name__} needs at least {need} trials for {W.shape[1]} domains; "
                f"n_samples = {len(W)} (1 sample is too few).",
                cure="run more proxies, or use CountingOracle, which needs none",
            )
        self.n_targets_ = L.shape[1]
        self.convex_ = False
        self._fit(W, L)
        return self

    def predict(self, W: Any) -> Array:
        """Predict losses, shape (n,) or (n, t) as in `fit`."""
        check_is_fitted(self)
        W = validate_data(self, W, dtype=np.float64, reset=False)
        out = self._predict(W)
        return out[:, 0] if self.one_target_ else out

    def gradient(self, W: Any) -> Array:
        """Return the derivative of each predicted loss by each share, shape (n, t, k)."""
        check_is_fitted(self)
        return self._gradient(np.atleast_2d(np.asarray(W, dtype=np.float64)))

    @property
    def smooth(self) -> bool:
        """Whether the law has a gradient."""
        return type(self)._gradient is not Law._gradient

    @abstractmethod
    def _fit(self, W: Array, L: Array) -> None:
        """Learn from shares (n, k) and losses (n, t)."""

    @abstractmethod
    def _predict(self, W: Array) -> Array:
        """Return losses (n, t) for shares (n, k)."""

    def _gradient(self, W: Array) -> Array:
        raise BadInput(f"{type(self).__name__} has no gradient: it is not smooth ({len(W)} rows).")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = True
        # a law of losses on the simplex is not meant to fit arbitrary made-up numbers
        tags.regressor_tags.poor_score = True
        return tags
