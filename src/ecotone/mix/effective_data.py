"""Effective-data law: loss is a power law of the data that is useful for a target."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput
from ecotone.core.method import method
from ecotone.core.seeds import derive, stream
from ecotone.mix._law import Law, canonical_order
from ecotone.mix._power_fit import fit_power, log_loss, make_form, twins

Array = NDArray[np.float64]


@method(
    name="effective_data",
    paper="kang2024autoscale",
    needs={"proxies"},
    handles=set(),
)
class EffectiveData(Law):
    r"""Power law in the data that is useful for each target.

    .. math:: L(r) = E + u(r)^{-a}, \qquad u(r) = u_0 + \sum_j \tau_j r_j^{b_j}

    with :math:`\tau_j \ge 0`, :math:`0 < E < \min L`, :math:`0 < b_j \le 1`. Because every
    :math:`b_j \le 1`, u is concave and L convex in the shares r: the best mixture is found exactly.

    Parameters
    ----------
    form : {"each", "shared", "linear"}
        ``"each"``: an exponent for every domain, pulled towards their mean. ``"shared"``: one
        exponent (k + 4 parameters: 21 for 17 domains). ``"linear"``: b = 1 and u0 = 0 (k + 2: 19).
    residual : {None, "trees"}
        Fit boosted trees to what the law leaves of the log loss. Wants a hundred runs or more; the
        law is then neither convex nor smooth.
    starts : int
        Starting points; predictions are averaged over those that fit about equally well.
    pull_tau, pull_b : float
        Strength of the pulls of log tau and log b towards their means over the domains.
    seed : int
        Decides the starting points.

    Attributes
    ----------
    params_ : list of ndarray, shape (starts kept, 3 + 2 k)
        Per target: log E, log a, log u0, log tau, log b. E, a and the scale of tau trade off:
        read predictions, not parameters.

    References
    ----------
    .. [1] A sum of one power law per domain is used by Kang et al., AutoScale, arXiv 2407.20177.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> W = rng.dirichlet(np.ones(3), 40)
    >>> L = 2 + (0.1 + W @ [1.0, 0.3, 0.0]) ** -0.4
    >>> law = EffectiveData().fit(W, L)
    >>> bool(np.abs(law.predict(W) - L).max() < 0.01)
    True
    """

    def __init__(
        self,
        *,
        form: Literal["each", "shared", "linear"] = "each",
        residual: Literal["trees"] | None = None,
        starts: int = 6,
        pull_tau: float = 1e-6,
        pull_b: float = 1e-2,
        seed: int = 0,
    ) -> None:
        self.form = form
        self.residual = residual
        self.starts = starts
        self.pull_tau = pull_tau
        self.pull_b = pull_b
        self.seed = seed

    def _fit(self, W: Array, L: Array) -> None:
        if self.form not in ("each", "shared", "linear"):
            raise BadInput(
                f"EffectiveData: no form is called {self.form!r}.",
                cure='form="each", "shared" or "linear"',
            )
        if (L <= 0).any():
            raise BadInput(
                "EffectiveData: a loss is 0 or negative.", cure="give losses in nats per token"
            )
        k = W.shape[1]
        # sums over the domains run in an order of their own: rounding goes by no name either
        order = canonical_order(W)
        X = W[:, order]
        form = make_form(k, self.form, self.pull_tau, self.pull_b, twins(X))
        rng = stream(self.seed, "effective_data")
        y = np.log(L)
        found, objective = fit_power(X, y, form, starts=self.starts, rng=rng)
        back = np.argsort(order)
        full = found[..., np.r_[:3, 3 + back, 3 + k + back]]
        # starts that end in a worse valley are dropped; with few rows several fit the runs equally
        # well (3e-5 is 0.8 % of the loss, the noise of a small run) and disagree elsewhere: their
        # mean ranks better than any one of them
        good = objective <= 1.2 * objective.min(axis=1, keepdims=True) + 3e-5
        self.params_ = [p[g] for p, g in zip(full, good, strict=True)]
        self.convex_ = self.residual is None
        # a sum of log-convex terms: E, and u^-a with u concave
        self.log_convex_targets_ = np.full(L.shape[1], self.convex_)
        self.trees_ = self._fit_trees(W, y) if self.residual else []

    def _fit_trees(self, W: Array, y: Array) -> list[Any]:
        from ecotone.mix.boosted_trees import make_regressor

        base = np.log(self._law(W))
        self.order_ = canonical_order(W)
        return [
            make_regressor(len(W), rounds=300, seed=derive(self.seed, "residual", t)).fit(
                np.column_stack([W[:, self.order_], base[:, t]]), y[:, t] - base[:, t]
            )
            for t in range(y.shape[1])
        ]

    def _law(self, W: Array) -> Array:
        with np.errstate(divide="ignore"):
            log_r = np.log(W)
        return np.column_stack([np.exp(log_loss(p, log_r)).mean(axis=0) for p in self.params_])

    def _predict(self, W: Array) -> Array:
        out = self._law(W)
        if self.trees_:
            base = np.log(out)
            X = W[:, self.order_]
            rest = [t.predict(np.column_stack([X, base[:, i]])) for i, t in enumerate(self.trees_)]
            out = out * np.exp(np.column_stack(rest))
        return out

    def _gradient(self, W: Array) -> Array:
        if self.trees_:
            raise BadInput("EffectiveData with a tree residual is not smooth.")
        # the slope of r^b at 0 is infinite for b < 1: take it a hair inside
        r = np.maximum(W, 1e-12)
        return np.stack([self._slope(p, r) for p in self.params_], axis=1)

    @property
    def smooth(self) -> bool:
        """Whether the law has a gradient: not with a tree residual."""
        return self.residual is None

    def _slope(self, p: Array, r: Array) -> Array:
        k = r.shape[1]
        a, u0 = np.exp(p[:, 1, None]), np.exp(p[:, 2, None])
        b = np.exp(p[:, None, 3 + k :])
        parts = np.exp(p[:, None, 3 : 3 + k] + b * np.log(r))
        u = parts.sum(axis=2) + u0
        outer = -a * np.exp((-a - 1) * np.log(u))
        return (outer[..., None] * b * parts / r).mean(axis=0)
