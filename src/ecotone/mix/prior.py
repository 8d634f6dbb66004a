"""`WithPrior`: any mixing law, corrected from a prediction that needed no runs."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ecotone.core.errors import BadInput
from ecotone.mix._law import Law

Array = NDArray[np.float64]
KEPT = 16  # questions whose answers are kept


class Remembered:
    """A prior that keeps its last answers: the members of an average ask the same questions.

    Parameters
    ----------
    prior : object with ``predict`` and perhaps ``gradient``
        What is asked.
    """

    def __init__(self, prior: Any) -> None:
        self.prior = prior
        self._kept: OrderedDict[tuple[str, bytes], Array] = OrderedDict()
        if hasattr(prior, "gradient"):
            self.gradient = partial(self._ask, "gradient")

    def predict(self, W: Array) -> Array:
        """Return the prior's prediction, (n, t)."""
        return self._ask("predict", W)

    def _ask(self, what: str, W: Array) -> Array:
        W = np.ascontiguousarray(W, dtype=np.float64)
        key = (what, W.tobytes())
        if key not in self._kept:
            self._kept[key] = getattr(self.prior, what)(W)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


class WithPrior(Law):
    r"""Fit a law to what a prior prediction leaves of the losses.

    .. math:: \log L(w) = c_0 + c_1\,\log o(w) + \log R(w)

    The prior o (a `CountingOracle`) is first fitted by :math:`c_1`, a slope shrunk towards 1 by as
    much as one trial weighs; the law is then fitted to :math:`R`, the losses with the prior's part
    divided out. Without a law only the level and slope of the prior are fitted.

    Parameters
    ----------
    law : Law or None
        Fitted to the rest.
    prior : object with ``predict(W) -> (n, t)``
        Its targets are those of the losses, in the same order.
    """

    def __init__(self, law: Law | None = None, prior: Any = None) -> None:
        self.law = law
        self.prior = prior

    def rows_needed(self, k: int) -> int:
        """Return what the law needs, or 3 without one."""
        return 3 if self.law is None else max(3, self.law.rows_needed(k))

    def _fit(self, W: Array, L: Array) -> None:
        x = np.log(self.prior.predict(W))
        y = np.log(L)
        if x.shape != y.shape:
            raise BadInput(
                f"the prior predicts {x.shape[1]} targets, the losses have {y.shape[1]}.",
                cure="CountingOracle.of(store, tokens=N, targets=(...)) in the order of the losses",
            )
        self.middle_ = x.mean(axis=0)
        dx, dy = x - self.middle_, y - y.mean(axis=0)
        one_row = (dx**2).mean(axis=0)
        total = (dx**2).sum(axis=0) + one_row
        varies = total > 1e-20  # below, the prior is constant up to rounding
        safe = np.where(varies, total, 1.0)
        self.slope_ = np.where(varies, ((dx * dy).sum(axis=0) + one_row) / safe, 1.0)
        rest = L / np.exp(self.slope_ * dx)
        if self.law is None:
            self.level_ = np.exp(np.log(rest).mean(axis=0))
            self.law_ = None
        else:
            self.law_ = clone(self.law).fit(W, rest)

    def _factor(self, W: Array) -> Array:
        return np.exp(self.slope_ * (np.log(self.prior.predict(W)) - self.middle_))

    def _rest(self, W: Array) -> Array:
        if self.law_ is None:
            return np.tile(self.level_, (len(W), 1))
        return self.law_._predict(W).reshape(len(W), -1)

    def _predict(self, W: Array) -> Array:
        return self._rest(W) * self._factor(W)

    @property
    def smooth(self) -> bool:
        """Whether both parts have a gradient."""
        return hasattr(self.prior, "gradient") and (self.law is None or self.law.smooth)

    def _gradient(self, W: Array) -> Array:
        factor, rest, prior = self._factor(W), self._rest(W), self.prior.predict(W)
        slope = (rest * factor * self.slope_ / prior)[..., None] * self.prior.gradient(W)
        if self.law_ is not None:
            slope = slope + factor[..., None] * self.law_.gradient(W)
        return slope

    def __sklearn_clone__(self) -> WithPrior:
        # the prior is fixed knowledge, not something to be fitted again
        return WithPrior(None if self.law is None else clone(self.law), self.prior)
