"""BiMix: each loss is a power law of the share of one domain of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from ecotone.core.errors import BadInput, Infeasible
from ecotone.core.method import method
from ecotone.mix._law import Law

Array = NDArray[np.float64]

EXPONENTS = np.geomspace(0.02, 3.0, 24)
OFFSETS = np.geomspace(1e-4, 0.3, 16)


@method(name="bimix", paper="ge2024bimix", needs={"proxies"}, handles=set())
class BiMix(Law):
    r"""A power law in the share of the target's own domain, with a floor and an offset.

    .. math:: L_i(r) = E_i + K_i\,(r_{d(i)} + f_i)^{-\alpha_i}, \qquad E_i, K_i \ge 0

    at a fixed number of training steps. Nothing passes from one domain to another: a law for
    targets that stand for domains of the training. The offset f keeps the loss finite where the
    domain is absent.

    Parameters
    ----------
    own : sequence of int, optional
        d(i), the column of W that holds the own domain of each target. None takes, for each
        target, the domain whose law has the least leave-one-out error.

    Attributes
    ----------
    own_ : ndarray of int, shape (t,)
        d.
    floor_, scale_, offset_, exponent_ : ndarray, shape (t,)
        E and K in nats per token, f a share, alpha.

    References
    ----------
    .. [1] Ge et al., BiMix, arXiv 2405.14908.

    Examples
    --------
    >>> W = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    >>> law = BiMix().fit(W, 2 + 0.5 * (W[:, 1] + 0.02) ** -0.3)
    >>> law.own_.tolist(), law.exponent_.round(3).tolist()
    ([1], [0.3])
    """

    least_rows = 6  # four numbers a target, a row to see an error, one to choose the domain

    def __init__(self, *, own: Sequence[int] | None = None) -> None:
        self.own = own

    def _fit(self, W: Array, L: Array) -> None:
        t, k = L.shape[1], W.shape[1]
        if self.own is not None and (len(self.own) != t or not set(self.own) <= set(range(k))):
            raise BadInput(
                f"BiMix: own is {list(self.own)}.",
                cure=f"give {t} column numbers from 0 to {k - 1}, one a target",
            )
        columns = range(k) if self.own is None else sorted(set(self.own))
        scans = {d: _scan(W[:, d], L) for d in columns}
        self.own_ = np.empty(t, dtype=np.int64)
        p = np.empty((t, 4))
        for i in range(t):
            choice = columns if self.own is None else [self.own[i]]
            self.own_[i] = d = min(choice, key=lambda d: scans[d][0][i])
            p[i] = _refine(W[:, d], L[:, i], scans[d][1][i])
        self.floor_, self.scale_, self.offset_, self.exponent_ = p.T
        self.convex_ = True
        # -alpha log(r + f) is convex, and log-sum-exp of convex functions with a constant is too
        self.log_convex_targets_ = np.ones(t, dtype=bool)

    def _predict(self, W: Array) -> Array:
        return self.floor_ + self.scale_ * (W[:, self.own_] + self.offset_) ** -self.exponent_

    def _gradient(self, W: Array) -> Array:
        t = np.arange(len(self.own_))
        out = np.zeros((len(W), len(t), W.shape[1]))
        power = (W[:, self.own_] + self.offset_) ** (-self.exponent_ - 1)
        out[:, t, self.own_] = -self.scale_ * self.exponent_ * power
        return out


def _scan(r: Array, L: Array) -> tuple[Array, Array]:
    """Fit every exponent and offset of a grid, for all targets at once.

    Given exponent and offset the law is a line: fit and leave-one-out error have closed forms.

    Returns
    -------
    error : ndarray, shape (t,)
        Least mean squared leave-one-out error.
    start : ndarray, shape (t, 4)
        Floor, scale, offset and exponent that have it.
    """
    n, t = L.shape
    f, a = (g.ravel() for g in np.meshgrid(OFFSETS, EXPONENTS))
    x = (r[:, None] + f) ** -a
    mean, spread = x.mean(axis=0), x.std(axis=0)
    flat = spread <= 1e-12 * mean
    z = (x - mean) / np.where(flat, 1.0, spread)
    leverage = np.minimum(1 / n + z**2 / n, 1 - 1e-6)
    error, start = np.empty(t), np.empty((t, 4))
    for i, y in enumerate(L.T):
        slope = np.where(flat, 0.0, np.maximum(z.T @ (y - y.mean()) / n, 0.0))
        floor = y.mean() - slope * mean / np.where(flat, 1.0, spread)
        # a floor below 0 is no law of a loss; without a slope there is a plain mean left
        left = ((y - y.mean())[:, None] - z * slope) / (1 - leverage)
        score = np.where((floor >= 0) | (slope == 0), (left**2).mean(axis=0), np.inf)
        g = int(np.argmin(score))
        scale = slope[g] / spread[g] if not flat[g] else 0.0
        error[i], start[i] = score[g], (floor[g], scale, f[g], a[g])
    return error, start


def _refine(r: Array, y: Array, start: Array) -> Array:
    """Go from the best point of the grid to the least squared error."""
    if start[1] == 0:
        return start

    def residuals(p: Array) -> Array:
        return p[0] + p[1] * (r + p[2]) ** -p[3] - y

    def jacobian(p: Array) -> Array:
        base = r + p[2]
        x = base ** -p[3]
        return np.column_stack(
            [np.ones_like(r), x, -p[1] * p[3] * x / base, -p[1] * x * np.log(base)]
        )

    low, high = [0.0, 0.0, 1e-6, 1e-3], [np.inf, np.inf, 1.0, 10.0]
    inside = np.maximum(start, np.array(low) + 1e-9)
    found = least_squares(
        residuals, inside, jacobian, bounds=(low, high), x_scale="jac", max_nfev=2000,
        ftol=1e-13, xtol=1e-13, gtol=1e-13,
    )  # fmt: skip
    return found.x


def optimum(law: BiMix, importance: Array, upper: Array) -> Array:
    r"""Return the shares that minimise a weighted sum of the losses of a fitted law.

    .. math:: \min_r \sum_i \lambda_i L_i(r)\quad\text{s.t.}\quad 0 \le r \le u,\ \sum_j r_j = 1

    At the optimum every domain strictly between its bounds gains equally by a little more share:
    :math:`\sum_{i: d(i)=j} \lambda_i \alpha_i K_i (r_j + f_i)^{-\alpha_i - 1} = \mu`. The left side
    falls with :math:`r_j`, so :math:`r_j(\mu)` and then :math:`\mu` are found by bisection. What is
    left when every domain that helps is at its bound goes to the others in proportion to theirs.

    Parameters
    ----------
    law : BiMix
        Fitted.
    importance : ndarray, shape (t,)
        Weights lambda of the targets, 0 or more.
    upper : ndarray, shape (k,)
        Largest share of each domain; infinity for none.

    Raises
    ------
    Infeasible
        When the largest shares sum to less than 1.
    """
    upper = np.minimum(np.asarray(upper, dtype=np.float64), 1.0)
    if upper.sum() < 1 - 1e-12:
        raise Infeasible(
            f"the largest shares sum to {upper.sum():.4g} only.",
            cure=f"raise the caps by a factor of {1 / max(upper.sum(), 1e-12):.3g}",
        )
    gain = np.asarray(importance) * law.exponent_ * law.scale_
    member = law.own_[:, None] == np.arange(len(upper))
    weight = np.where(member, gain[:, None], 0.0)
    used = weight.sum(axis=0) > 0
    spare = 1 - upper[used].sum()
    if spare >= 0:
        rest = np.where(used, 0.0, upper)
        return np.where(used, upper, rest * spare / max(rest.sum(), 1e-300))

    def slope(r: Array) -> Array:
        power = (r + law.offset_[:, None]) ** (-law.exponent_[:, None] - 1)
        return (weight * power).sum(axis=0)

    def shares(mu: float) -> Array:
        low, high = np.zeros(len(upper)), np.where(used, upper, 0.0)
        for _ in range(60):
            middle = (low + high) / 2
            more = slope(middle) > mu
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        return high

    ends = np.log([slope(upper)[used].min(), slope(np.zeros(len(upper))).max()])
    # a hair wider, so that the sum is surely on either side of 1 at the ends
    log_mu = brentq(lambda m: shares(np.exp(m)).sum() - 1, ends[0] - 1, ends[1] + 1, xtol=1e-14)
    r = shares(np.exp(log_mu))
    return r / r.sum()
