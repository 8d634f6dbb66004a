"""GOT-D: prefer the examples whose weight would bring the pool closest to the target."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import stream
from ecotone.select._rows import checked_pair, checked_rows
from ecotone.select._text import check_fitted
from ecotone.select._transport import Cost, from_other, solve

Array = NDArray[np.float64]
METRICS = ("sqeuclidean", "euclidean")


@method(
    name="got_d",
    paper="kang2024get",
    needs={"source_rows", "target_rows", "activations"},
    handles={"covariate"},
)
class GotD:
    r"""Gradient of the transport distance from pool to target by the mass of each example [1]_.

    .. math:: s(x) = -\Big(f(x) - \frac{1}{n-1}\sum_{x_j \ne x} f(x_j)\Big)
                   = -\frac{n}{n-1}\big(f(x) - \bar f\big)

    with f the potential of the pool's side of entropic transport: the derivative of the distance
    when mass moves onto x. A constant in f, which transport leaves open, cancels. For a model that
    has been trained on the pool and gets a few more steps: the top pulls it to what the target has
    and the pool lacks, and is no sample of the target.

    Parameters
    ----------
    reg : float, default 0.05
        Entropic regularisation, as a share of the mean cost.
    metric : {"sqeuclidean", "euclidean"}, default "sqeuclidean"
        Cost between rows.
    most : int, default 4000
        Rows a side in the transport problem; of more, that many are drawn. All rows are scored, by
        the potential's own formula.
    sweeps : int, default 1000
        Most sweeps over the costs.
    tol : float, default 1e-6
        Sum of missed masses at which to stop.
    seed : int, default 0
        For that draw.

    Attributes
    ----------
    potential_ : ndarray, shape (m,)
        g, of the target rows used, in the unit of the cost.
    error_ : float
        Sum of missed masses at the end.
    sweeps_ : int

    Notes
    -----
    O(n m) time a sweep, for the rows used; costs are made by blocks of 8 MB, and kept up to 128 MB.

    References
    ----------
    .. [1] Kang et al., Get more for less: principled data selection for warming up fine-tuning in
       LLMs, ICLR 2024.

    Examples
    --------
    >>> pool = np.array([[0.0], [0.1], [0.2], [5.0]])
    >>> GotD().fit(np.array([[0.0], [5.0]]), pool).score(pool).argmax()
    np.int64(3)
    """

    def __init__(
        self, *, reg: float = 0.05, metric: str = "sqeuclidean", most: int = 4000,
        sweeps: int = 1000, tol: float = 1e-6, seed: int = 0,
    ) -> None:  # fmt: skip
        self.reg = reg
        self.metric = metric
        self.most = most
        self.sweeps = sweeps
        self.tol = tol
        self.seed = seed

    def fit(self, target: Any, pool: Any) -> Self:
        """Solve the transport problem between pool and target.

        Parameters
        ----------
        target, pool : array-like, shape (m, d) and (n, d)
            Features of both, of one encoder.

        Raises
        ------
        BadInput
            A side is empty, the widths differ, a value is missing, or an option makes no sense.
        """
        self._check()
        T, P = checked_pair(target, pool, "GotD")
        # every coordinate from the pool's mean: squares of far rows would round away the costs
        self.centre_ = P.mean(axis=0)
        T, P = self._few(T - self.centre_, "target"), self._few(P - self.centre_, "pool")
        cost = Cost(P, T, self.metric).keep()
        # all rows in one place: any regularisation will do
        self.reg_ = self.reg * cost.mean() or 1.0
        mu, self.mass_ = np.full(len(P), 1 / len(P)), np.full(len(T), 1 / len(T))
        found = solve(cost, mu, self.mass_, self.reg_, tol=self.tol, most=self.sweeps)
        self.rows_, self.potential_ = T, found.g
        self.error_, self.sweeps_ = found.error, found.sweeps
        self.mean_ = float(from_other(cost, found.g, self.mass_, self.reg_).mean())
        self.stretch_ = len(P) / max(len(P) - 1, 1)
        return self

    def score(self, docs: Any) -> Array:
        """Return minus the calibrated gradient of every row, in the unit of the cost, (n,)."""
        check_fitted(self, "potential_")
        X = checked_rows(docs, self.rows_.shape[1], "GotD")
        if not len(X):
            return np.zeros(0)
        cost = Cost(X - self.centre_, self.rows_, self.metric)
        f = from_other(cost, self.potential_, self.mass_, self.reg_)
        return -self.stretch_ * (f - self.mean_)

    def _few(self, X: Array, side: str) -> Array:
        if len(X) <= self.most:
            return X
        drawn = stream(self.seed, "got_d", side).choice(len(X), self.most, replace=False)
        return X[np.sort(drawn)]

    def _check(self) -> None:
        if self.metric not in METRICS:
            raise BadInput(f"GotD: metric is {self.metric!r}.", cure='metric="sqeuclidean"')
        for name, least, cure in (
            ("reg", 1e-4, "reg=0.05"), ("most", 1, "most=4000"), ("sweeps", 1, "sweeps=1000"),
            ("tol", 1e-12, "tol=1e-6"),
        ):  # fmt: skip
            if not getattr(self, name) >= least:
                raise BadInput(f"GotD: {name} is {getattr(self, name)}.", cure=cure)
