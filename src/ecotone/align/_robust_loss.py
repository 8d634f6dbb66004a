r"""The worst (or best) logistic loss of a line near a row, exactly, and fits that minimise it.

A line moves the margin :math:`m = s(w^\top x + b)` of a row only by moving the row along w: with
a cost of :math:`\gamma\|z - x\|^2` lowering m by :math:`\delta` costs
:math:`\gamma \delta^2 / \|w\|^2`. As :math:`\log(1 + e^{-m}) = \max_p H(p) - pm`, H the entropy of
a coin, the maximum over :math:`\delta` is taken in closed form:

.. math:: \varphi = \sup_z\, \ell(z) - \gamma \|z - x\|^2 = \max_{0 \le p \le 1}\
          H(p) - pm + \tfrac{\kappa}{2} p^2, \qquad \kappa = \frac{\|w\|^2}{2\gamma}

With :math:`\gamma < 0`, so :math:`\kappa < 0`, the same formula is the infimum of
:math:`\ell + |\gamma| \|z - x\|^2`. At :math:`\kappa = 0` it is the logistic loss.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, xlogy

Array = NDArray[np.float64]


def push(m: Array, kappa: float) -> Array:
    r"""Return the maximiser p of :math:`H(p) - pm + \kappa p^2 / 2`, shape (n,).

    It solves :math:`p = \sigma(\kappa p - m)`. Above :math:`\kappa = 4` there may be three such
    points; as for a magnet in a field, the highest has p > 1/2 where :math:`m < \kappa / 2`. On
    that side :math:`u - \kappa\sigma(u) + m`, :math:`u = \kappa p - m`, is convex or concave, so
    Newton's method from its outer end is monotone and needs no safeguard.

    Parameters
    ----------
    m : ndarray, shape (n,)
        Margins.
    kappa : float

    Examples
    --------
    >>> push(np.zeros(1), 0.0).tolist()
    [0.5]
    >>> push(np.array([3.9, 4.1]), 8.0).round(2).tolist()  # there is a jump at kappa / 2
    [0.98, 0.02]
    """
    if kappa == 0:
        return expit(-m)
    if kappa > 0:
        u = np.where(m < kappa / 2, kappa - m, -m)
    else:
        u = np.where(m > kappa / 2, np.minimum(0, -m), np.maximum(0, kappa - m))
    for _ in range(100):
        p = expit(u)
        step = (u - kappa * p + m) / np.maximum(1 - kappa * p * (1 - p), 1e-12)
        u = u - step
        if np.abs(step).max(initial=0) < 1e-10:
            break
    return expit(u)


def robust_loss(m: Array, kappa: float) -> tuple[Array, Array]:
    r"""Return :math:`\varphi` and p, (n,) each; the slope of :math:`\varphi` in m is -p.

    That in :math:`\kappa` is :math:`p^2 / 2`.
    """
    if kappa == 0:
        return np.logaddexp(0, -m), expit(-m)
    p = push(m, kappa)
    return -xlogy(p, p) - xlogy(1 - p, 1 - p) - p * m + 0.5 * kappa * p**2, p


class Rows(NamedTuple):
    """Labelled rows (n, d + 1), signs (n,) and shares (n,), and unlabelled rows (m, d + 1).

    The last column is 1: its coefficient is neither penalised nor moved along.
    """

    X: Array
    sign: Array
    share: Array
    free: Array


def objective(
    line: Array, rows: Rows, lam: float, gamma: float, ridge: float
) -> tuple[float, Array]:
    r"""Return the loss of a line and its gradient, (d + 1,).

    .. math:: \sum_i v_i \ell(s_i f(x_i)) + \frac{\rho}{2}\|w\|^2
              + \frac{\lambda}{m} \sum_j \min_{s = \pm 1} \varphi_\gamma(s f(x'_j))

    The minimum is at the sign of :math:`f(x'_j)`, as :math:`\varphi` falls with the margin.
    """
    w = np.append(line[:-1], 0.0)
    m = rows.sign * (rows.X @ line)
    value = float(rows.share @ np.logaddexp(0, -m) + 0.5 * ridge * w @ w)
    slope = ridge * w - rows.X.T @ (rows.share * rows.sign * expit(-m))
    if lam:
        f = rows.free @ line
        loss, p = robust_loss(np.abs(f), float(w @ w) / (2 * gamma))
        value += lam * float(loss.mean())
        pull = w * (p @ p) / (2 * gamma) - rows.free.T @ (p * np.where(f >= 0, 1.0, -1.0))
        slope += lam / len(f) * pull
    return value, slope


def fit_line(rows: Rows, lam: float, gamma: float, ridge: float, start: Array) -> Array:
    """Return the minimum of `objective` that is reached from a line (d + 1,)."""
    given = (rows, lam, gamma, ridge)
    options = {"maxiter": 500, "gtol": 1e-6}
    found = minimize(objective, start, args=given, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x)
