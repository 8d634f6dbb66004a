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

WHOLE = 0.02  # how far from 1 a row may sum: published tables are rounded


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
    on_simplex = True  # rows must sum to 1; unset for checks of scikit-learn, which know no shares

    def rows_needed(self, k: int) -> int:
        """Return the least number of rows the law can be fitted on, for k domains."""
        return self.least_rows + self.rows_per_domain * k

    def fit(self, W: Any, y: Any) -> Self:
        """Fit on trained mixtures.

        Parameters
        ----------
        W : array, shape (n, k)
            Shares; every row is 0 or more and sums to 1 (up to 0.02, as rounded tables do).
        y : array, shape (n,) or (n, t)
            Held-out losses, nats per token, positive.

        Raises
        ------
        BadInput
            Arrays of other shapes, NaN, rows that are no shares, a loss that is not positive.
        TooFewRows
            Fewer rows than `rows_needed`.
        """
        W, L = self._checked(W, y)
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
        """Predict losses, shape (n,) or (n, t) as in `fit`; raises BadInput like it."""
        check_is_fitted(self)
        try:
            W = validate_data(self, W, dtype=np.float64, reset=False)
        except ValueError as error:
            raise _refusal(self, error, W) from None
        out = self._predict(self._shares(W))
        return out[:, 0] if self.one_target_ else out

    def _checked(self, W: Any, y: Any) -> tuple[Array, Array]:
        try:
            W, L = validate_data(self, W, y, dtype=np.float64, multi_output=True, y_numeric=True)
        except ValueError as error:
            raise _refusal(self, error, W, y) from None
        return self._shares(W), np.asarray(L, dtype=np.float64)

    def _shares(self, W: Array) -> Array:
        """Return rows that are shares, or say which one is not."""
        name = type(self).__name__
        least = W.min(axis=1)
        # a solver may step a rounding error below 0
        if least.min() < -1e-9:
            row = int(np.argmax(least < -1e-9))
            raise BadInput(
                f"{name}: Negative values in data: row {row} has a share of {least[row]:.4g}.",
                cure="give shares of 0 or more",
            )
        off = np.abs(W.sum(axis=1) - 1)
        if self.on_simplex and off.max() > WHOLE:
            row = int(np.argmax(off > WHOLE))
            raise BadInput(
                f"{name}: the shares of row {row} sum to {W[row].sum():.4g}, not to 1.",
                cure="divide every row by its sum: W / W.sum(axis=1, keepdims=True)",
            )
        return np.maximum(W, 0.0) if (least < 0).any() else W

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


def _refusal(law: Law, error: ValueError, W: Any, y: Any = None) -> BadInput:
    """Say in our words what scikit-learn's validation refused, and what to do about it."""
    name = type(law).__name__
    sizes = [np.shape(a)[0] for a in (W, y) if np.ndim(a) > 0]
    if 0 in sizes:
        return BadInput(f"{name}: there are no rows.", cure="give one row for each mixture")
    if len(set(sizes)) == 2:
        return BadInput(
            f"{name}: {sizes[0]} rows of shares and {sizes[1]} of losses.",
            cure="give one row of losses for each row of shares",
        )
    for what, array in (("shares", W), ("losses", y)):
        values = np.asarray(array)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            return BadInput(
                f"{name}: row {row} of the {what} holds NaN or inf.",
                why="a run that diverged or did not finish says nothing about its mixture.",
                cure=f"leave the row out: np.delete(W, {row}, axis=0)"
                + ("" if y is None else f", np.delete(y, {row}, axis=0)"),
            )
    cure = "give numbers: one row for each mixture, one column for each domain"
    if y is None:
        cure += ", those of fit in their order"
    return BadInput(f"{name}: {error}", cure=cure)
