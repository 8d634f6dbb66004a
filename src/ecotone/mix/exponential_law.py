"""Exponential law: each loss falls exponentially in the shares towards a floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ecotone.core.method import method
from ecotone.mix._law import Law, canonical_order

Array = NDArray[np.float64]

REACHES = (0.5, 0.75, 1.0, np.inf)
FOLDS = 5
STEPS_LEFT_OUT = 40  # enough to compare bounds
LEAST_T = -50.0  # exp(-50) nats: no difference to be seen below


@method(name="exponential_law", paper="ye2025datamixinglaws", needs={"proxies"}, handles=set())
class ExponentialLaw(Law):
    r"""A floor plus an exponential of a linear function of the shares.

    .. math:: L_i(r) = c_i + \exp\Big(\sum_j t_{ij} r_j\Big), \qquad c_i \ge 0

    The factor :math:`k_i` of the paper is part of :math:`t`, because the shares sum to 1. It is
    :math:`t_{ij} = \log` of what a training on domain j alone would lose beyond the floor. That is
    bounded: no pure domain is taken to lose more than `reach` times the spread of the losses seen.
    With few runs the bound decides whether the law is of use.

    Parameters
    ----------
    reach : float or None
        Largest :math:`\exp(t_{ij})` in units of ``max(L) - min(L)``, infinity for no bound. None
        tries 0.5, 0.75, 1 and infinity and takes what predicts rows left out best, per target.
    pull : float
        Strength of a pull of each t towards the mean over the domains.
    delta : float
        Residuals beyond this many standard deviations of the losses count linearly (Huber).

    Attributes
    ----------
    floor_ : ndarray, shape (t,)
        c, nats per token. It trades off with t and may lie above the smallest loss seen: do not
        read it as an entropy.
    coef_ : ndarray, shape (t, k)
        t, logs of nats per token.
    reach_ : ndarray, shape (t,)
        Bounds in use.

    References
    ----------
    .. [1] Ye et al., Data Mixing Laws, ICLR 2025.

    Examples
    --------
    >>> W = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    >>> L = 2 + np.exp(W @ [0.5, -1.0, -3.0])
    >>> bool(np.abs(ExponentialLaw().fit(W, L).predict(W) - L).max() < 1e-3)
    True
    """

    least_rows = 6  # the bound and the pull replace missing rows, if poorly

    def __init__(
        self, *, reach: float | None = None, pull: float = 1e-7, delta: float = 1.0
    ) -> None:
        self.reach = reach
        self.pull = pull
        self.delta = delta

    def _fit(self, W: Array, L: Array) -> None:
        order = canonical_order(W)
        fits = [self._fit_one(W[:, order], y) for y in L.T]
        self.reach_ = np.array([reach for _, reach in fits])
        p = np.array([p for p, _ in fits])
        self.floor_ = p[:, 0]
        self.coef_ = np.empty_like(p[:, 1:])
        self.coef_[:, order] = p[:, 1:]
        self.convex_ = True
        # log(c + exp(t.r)) is a log-sum-exp of affine functions
        self.log_convex_targets_ = np.ones(L.shape[1], dtype=bool)

    def _fit_one(self, W: Array, y: Array) -> tuple[Array, float]:
        if self.reach is not None:
            return self._search(W, y, self.reach), float(self.reach)
        free = self._search(W, y, np.inf)
        # when the loosest bound already holds all of them, they are one and the same fit
        if np.exp(free[1:].max()) <= REACHES[0] * np.ptp(y):
            return free, np.inf
        errors = [self._left_out(W, y, reach, free) for reach in REACHES]
        best = REACHES[int(np.argmin(errors))]
        return (free if np.isinf(best) else self._search(W, y, best)), best

    def _left_out(self, W: Array, y: Array, reach: float, start: Array) -> float:
        """Return the mean squared error on rows left out of the fit."""
        fold = np.arange(len(y)) % FOLDS
        error = 0.0
        for f in range(FOLDS):
            inside = fold != f
            p = self._search(W[inside], y[inside], reach, start, steps=STEPS_LEFT_OUT)
            error += float(np.sum((_value(p, W[~inside]) - y[~inside]) ** 2))
        return error / len(y)

    def _search(
        self, W: Array, y: Array, reach: float, start: Array | None = None, steps: int = 200
    ) -> Array:
        """Return (c, t_1, ..., t_k) of the least Huber error plus pull, within the bounds."""
        n, k = W.shape
        unit = max(float(y.std()), 1e-9 * float(y.mean()))
        top = np.log(reach * max(float(np.ptp(y)), unit))
        centre = np.sqrt(self.pull * n) * unit * (np.eye(k) - 1 / k)

        def residuals(p: Array) -> Array:
            return np.concatenate([_value(p, W) - y, centre @ p[1:]])

        def jacobian(p: Array) -> Array:
            slope = np.exp(np.minimum(W @ p[1:], 50.0))[:, None] * W
            J = np.zeros((n + k, k + 1))
            J[:n, 0], J[:n, 1:], J[n:, 1:] = 1.0, slope, centre
            return J

        low = np.r_[0.0, np.full(k, LEAST_T)]
        high = np.r_[y.max() + unit, np.full(k, top)]
        if start is None:
            level = np.log(max(y.mean() - y.min(), unit)) / max(float(W.sum(axis=1).mean()), 1e-9)
            start = np.r_[y.min(), np.full(k, level)]
        inside = np.minimum(np.maximum(start, low + 1e-9), high - 1e-6)
        found = least_squares(
            residuals, inside, jacobian, bounds=(low, high), x_scale="jac",
            loss=_huber_of(n), f_scale=self.delta * unit, max_nfev=steps,
        )  # fmt: skip
        return found.x

    def _predict(self, W: Array) -> Array:
        return self.floor_ + self._excess(W)

    def _gradient(self, W: Array) -> Array:
        return self._excess(W)[:, :, None] * self.coef_

    def _excess(self, W: Array) -> Array:
        return np.exp(np.minimum(W @ self.coef_.T, 50.0))


def _value(p: Array, W: Array) -> Array:
    # the search may step far out: stay finite there
    return p[0] + np.exp(np.minimum(W @ p[1:], 50.0))


def _huber_of(n: int) -> Callable[[Array], Array]:
    """Return Huber's loss on the first n residuals and the square on the rest, the pull."""

    def loss(z: Array) -> Array:
        far = z > 1
        far[n:] = False
        root = np.sqrt(np.where(far, z, 1.0))
        return np.array(
            [
                np.where(far, 2 * root - 1, z),
                np.where(far, 1 / root, 1.0),
                np.where(far, -0.5 / root**3, 0.0),
            ]
        )

    return loss
