r"""Entropic transport between two samples in the log domain, by blocks of rows.

.. math:: \min_P\ \langle P, C\rangle + \epsilon\,\mathrm{KL}(P\,|\,\mu\nu^\top) =
          \max_{f, g}\ \mu^\top f + \nu^\top g \quad\text{at the two conditions}\quad
          f_i = -\epsilon\log\sum_j \nu_j e^{(g_j - C_{ij})/\epsilon},\
          g_j = -\epsilon\log\sum_i \mu_i e^{(f_i - C_{ij})/\epsilon}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CELLS = 1_000_000  # entries of a block of costs
KEPT = 16_000_000  # entries of costs that are kept between sweeps: 128 MB


class Potentials(NamedTuple):
    """Where the sweeps have ended."""

    f: Array  # (n,)
    g: Array  # (m,)
    error: float  # sum of missed row masses
    sweeps: int


class Cost:
    """Costs between rows of X and Y, made a block at a time.

    Parameters
    ----------
    X, Y : ndarray, shape (n, d) and (m, d)
    metric : {"sqeuclidean", "euclidean"}
    """

    def __init__(self, X: Array, Y: Array, metric: str) -> None:
        self.X, self.Y, self.metric = X, Y, metric
        self.x2, self.y2 = (X * X).sum(axis=1), (Y * Y).sum(axis=1)
        self.kept: Array | None = None

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Give rows and their costs; the caller may not change them."""
        size = max(1, CELLS // len(self.Y))
        for start in range(0, len(self.X), size):
            at = slice(start, start + size)
            yield at, self._make(at) if self.kept is None else self.kept[at]

    def keep(self) -> Cost:
        """Hold all costs from now on, if there is room."""
        if len(self.X) * len(self.Y) <= KEPT:
            self.kept = np.concatenate([block for _, block in self.blocks()])
        return self

    def mean(self) -> float:
        """Return the mean cost."""
        return float(sum(block.sum() for _, block in self.blocks()) / len(self.X) / len(self.Y))

    def _make(self, at: slice) -> Array:
        C = self.X[at] @ self.Y.T
        C *= -2
        C += self.x2[at, None]
        C += self.y2
        np.maximum(C, 0.0, out=C)  # rounding
        return np.sqrt(C, out=C) if self.metric == "euclidean" else C


def from_other(cost: Cost, g: Array, nu: Array, reg: float) -> Array:
    """Return f that belongs to g: the potential of any row, seen before or not, (n,)."""
    shift = g / reg + np.log(nu)
    return np.concatenate([_f(block, shift, reg) for _, block in cost.blocks()])


def solve(
    cost: Cost, mu: Array, nu: Array, reg: float, *, tol: float = 1e-6, most: int = 1000
) -> Potentials:
    """Sweep until the missed row masses sum to at most `tol`, or `most` times.

    The regularisation falls to `reg` by halves: at a small one the first sweeps would each move the
    potentials by about `reg` only.

    Parameters
    ----------
    mu, nu : ndarray, shape (n,) and (m,)
        Masses above 0, each of sum 1.
    reg : float
        Epsilon, in the unit of the cost.
    """
    now, sweeps = max(reg, cost.mean()), 0
    f, g, error = np.zeros(len(mu)), np.zeros(len(nu)), np.inf
    while sweeps < most:
        old = f
        f, g = _sweep(cost, g, np.log(mu), np.log(nu), now)
        sweeps += 1
        error = float(mu @ np.abs(np.expm1(np.minimum((old - f) / now, 50.0))))
        if now > reg and error < 0.05:
            now = max(reg, now / 2)
        elif now == reg and error <= tol:
            break
    return Potentials(f, g, error, sweeps)


def _sweep(cost: Cost, g: Array, log_mu: Array, log_nu: Array, reg: float) -> tuple[Array, Array]:
    """Return the next f and g, reading the costs once."""
    f, shift = np.empty(len(log_mu)), g / reg + log_nu
    top, total = np.full(len(g), -np.inf), np.zeros(len(g))
    for at, block in cost.blocks():
        f[at] = _f(block, shift, reg)
        Z = block / -reg
        Z += (f[at] / reg + log_mu[at])[:, None]
        high = np.maximum(top, Z.max(axis=0))
        Z -= high
        total = total * np.exp(top - high) + np.exp(Z, out=Z).sum(axis=0)
        top = high
    return f, -reg * (top + np.log(total))


def _f(block: Array, shift: Array, reg: float) -> Array:
    Z = block / -reg
    Z += shift
    top = Z.max(axis=1)
    Z -= top[:, None]
    out: Array = -reg * (top + np.log(np.exp(Z, out=Z).sum(axis=1)))
    return out
