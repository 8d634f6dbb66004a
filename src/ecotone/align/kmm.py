"""Kernel mean matching: weights that put the source's kernel mean onto the target's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsymv, ssymv

from ecotone.align._aligner import Array
from ecotone.align._kernels import (
    BLOCK,
    median_bandwidth,
    rbf,
    rbf_times,
    room_for,
    squared_distances,
)
from ecotone.align._ratio import RatioReweighter, log_of, positive
from ecotone.core.errors import BadInput
from ecotone.core.method import method

SINGLE_FROM = 2_000  # source rows from which the kernel is stored in float32


@method(
    name="kmm",
    paper="huang2006correcting",
    needs={"source_rows", "source_labels", "target_rows"},
    handles={"covariate", "multi_source"},
)
class KMM(RatioReweighter):
    r"""Weigh source rows so that their kernel mean is that of the target [1]_.

    .. math:: \min_w\ \tfrac12 w^\top (K + \lambda I) w - \kappa^\top w \quad\text{s.t.}\quad
              0 \le w_i \le B,\ |\tfrac1n \textstyle\sum_i w_i - 1| \le \epsilon

    with :math:`K_{ij} = k(x_i, x_j)` over the n source rows, :math:`\kappa_i = \frac{n}{m} \sum_j
    k(x_i, t_j)` over the m target rows, and :math:`k(a, b) = e^{-\gamma\|a-b\|^2}`. Solved by
    accelerated projected gradient steps until a duality gap says that the optimum is near.

    Parameters
    ----------
    estimator : estimator, optional
        Fitted on the weighted source rows; LogisticRegression(max_iter=1000) by default.
    gamma : float, optional
        By default 1 / (median squared distance of rows of both sides).
    ridge : float, default 1.0
        :math:`\lambda`, in units of :math:`k(x, x) = 1`. Near 0 a few rows take all the weight.
    cap : float, default 20.0
        B.
    slack : float, default 0.0
        :math:`\epsilon`: how far the mean weight may lie from 1.
    tol : float, default 1e-3
        Largest duality gap, as a share of the objective.
    steps : int, default 500
        Most steps.

    Attributes
    ----------
    objective_, gap_ : float
        The objective, and the most by which it may lie above the optimum.
    steps_ : int
        Steps it took.

    References
    ----------
    .. [1] Huang et al., Correcting sample selection bias by unlabeled data, NeurIPS 2006.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 1)), rng.normal(1, 1, (100, 1))])
    >>> fitted = KMM().fit(X, np.arange(200) % 2, np.repeat([1, -2], 100))
    >>> bool(fitted.weights_ @ X[:, 0] / fitted.weights_.sum() > 0.7)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        gamma: float | None = None,
        ridge: float = 1.0,
        cap: float = 20.0,
        slack: float = 0.0,
        tol: float = 1e-3,
        steps: int = 500,
    ) -> None:
        self.estimator = estimator
        self.gamma = gamma
        self.ridge = ridge
        self.cap = cap
        self.slack = slack
        self.tol = tol
        self.steps = steps

    def _learn(self, source: Array, target: Array) -> Array:
        n, m = len(source), len(target)
        dtype: type[np.floating[Any]] = np.float32 if n > SINGLE_FROM else np.float64
        size = np.dtype(dtype).itemsize
        room_for("KMM", n * n, itemsize=size, cure="eco.align.DiscriminatorReweight()")
        positive("KMM", cap=self.cap, tol=self.tol, steps=self.steps)
        if self.cap < 1 or not 0 <= self.slack < 1 or not self.ridge >= 0:
            raise BadInput(
                f"KMM: cap={self.cap}, slack={self.slack}, ridge={self.ridge} allow no weights.",
                cure="cap=20.0, slack=0.0, ridge=1.0",
            )
        self.gamma_ = self.gamma or median_bandwidth(np.vstack([source, target]))
        positive("KMM", gamma=self.gamma_)
        kappa = rbf_times(source, target, self.gamma_, np.full(m, n / m), dtype=dtype)
        K = rbf(source, source, self.gamma_, dtype=dtype)
        limits = Limits(self.cap, n * (1 - self.slack), n * (1 + self.slack))
        found = solve(K, kappa, self.ridge, limits, tol=self.tol, most=int(self.steps))
        self.objective_, self.gap_, self.steps_ = found.objective, found.gap, found.steps
        self.rows_, self.row_weights_ = source, found.weights
        return log_of(found.weights)

    def _log_ratio(self, X: Array) -> Array:
        """Return the log of the kernel-weighted mean of the source rows' weights."""
        out = np.empty(len(X))
        step = max(1, BLOCK // len(self.rows_))
        for start in range(0, len(X), step):
            D = squared_distances(X[start : start + step], self.rows_)
            # the nearest row is set to 1: far away all kernels would round to 0
            K = np.exp(-self.gamma_ * (D - D.min(axis=1, keepdims=True)))
            out[start : start + step] = K @ self.row_weights_ / K.sum(axis=1)
        return log_of(out)


class Limits(NamedTuple):
    """What weights may be: 0 <= w <= cap, least <= sum <= most."""

    cap: float
    least: float
    most: float


class Solved(NamedTuple):
    """Weights (n,), their objective, and the most by which that may exceed the optimum."""

    weights: Array
    objective: float
    gap: float
    steps: int


def project(v: Array, limits: Limits) -> Array:
    """Return the nearest point to v within the limits: v minus one number, clipped."""
    w = np.clip(v, 0, limits.cap)
    total = float(w.sum())
    if limits.least <= total <= limits.most:
        return w
    want = limits.least if total < limits.least else limits.most
    low, high = float(v.min()) - limits.cap, float(v.max())
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if np.clip(v - middle, 0, limits.cap).sum() > want:
            low = middle
        else:
            high = middle
    return np.clip(v - (low + high) / 2, 0, limits.cap)


def duality_gap(w: Array, gradient: Array, limits: Limits) -> float:
    """Return the largest gradient . (w - u) over all u within the limits.

    By convexity no u has an objective below that of w by more than this. The u that attains it
    gives the cap to the rows of smallest gradient: to all below 0, but within the sum's limits.
    """
    g = np.sort(gradient)
    total = min(max(float((g < 0).sum()) * limits.cap, limits.least), limits.most)
    full = int(total // limits.cap)
    rest = total - full * limits.cap
    least = limits.cap * float(g[:full].sum())
    if rest > 0 and full < len(g):
        least += rest * float(g[full])
    return float(gradient @ w) - least


def solve(
    K: NDArray[Any], kappa: Array, ridge: float, limits: Limits, *, tol: float, most: int
) -> Solved:
    r"""Minimise :math:`\frac12 w^\top (K + \lambda I) w - \kappa^\top w` within the limits.

    Accelerated projected gradient, restarted where momentum leads uphill. K is symmetric, entries
    not negative, float32 or float64; only one of its halves is read.
    """
    symv = ssymv if K.dtype == np.float32 else dsymv

    def times(v: Array) -> Array:
        out = symv(1.0, K.T, v.astype(K.dtype))  # K.T is K in the memory order that BLAS wants
        return out.astype(np.float64) + ridge * v

    step = 1.0 / (_largest(times, len(kappa)))
    w = project(np.ones(len(kappa)), limits)
    z, t = w, 1.0
    best = _judged(w, times(w), kappa, limits, 0)
    for i in range(1, most + 1):
        new = project(z - step * (times(z) - kappa), limits)
        if (z - new) @ (new - w) > 0:
            t = 1.0
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        z, w, t = new + (t - 1) / t_new * (new - w), new, t_new
        if i % 10 == 0 or i == most:
            now = _judged(w, times(w), kappa, limits, i)
            best = now if now.objective <= best.objective else best._replace(steps=i)
            if now.gap <= tol * abs(now.objective):
                return now
    return best


def _judged(w: Array, Kw: Array, kappa: Array, limits: Limits, steps: int) -> Solved:
    objective = float(w @ (Kw / 2 - kappa))
    return Solved(w, objective, duality_gap(w, Kw - kappa, limits), steps)


def _largest(times: Any, n: int) -> float:
    r"""Return a number not below the largest eigenvalue of a matrix without negative entries.

    For v > 0 that eigenvalue is at most :math:`\max_i (Kv)_i / v_i` (Collatz and Wielandt).
    """
    v, bound = np.ones(n), np.inf
    for _ in range(8):
        u = times(v)
        bound = min(bound, float((u / v).max()))
        v = u / u.max() + 1e-12
    return bound
