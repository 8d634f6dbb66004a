"""Arithmetic on the simplex: rounding shares to whole tokens, and capping shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import Infeasible

Array = NDArray[np.float64]


def largest_remainder(shares: Array, total: int) -> NDArray[np.int64]:
    """Divide `total` into whole parts in the given shares; the parts sum to `total` exactly.

    Each part is the share times the total, rounded down; what is left goes one by one to the
    largest remainders, to the earlier part when remainders tie.

    Parameters
    ----------
    shares : ndarray, shape (k,)
        Nonnegative, sum to 1.
    total : int
        What to divide.

    Returns
    -------
    ndarray of int64, shape (k,)

    Examples
    --------
    >>> largest_remainder(np.array([0.5, 0.3, 0.2]), 9).tolist()
    [4, 3, 2]
    """
    exact = np.asarray(shares, dtype=np.float64) * total
    parts = np.floor(exact + 1e-9).astype(np.int64)
    left = int(total - parts.sum())
    order = np.argsort(-(exact - parts), kind="stable")
    step = 1 if left >= 0 else -1
    for index in (order if left >= 0 else order[::-1])[: abs(left)]:
        parts[index] += step
    return parts


def cap_shares(prior: Array, caps: Array) -> Array:
    r"""Return the shares nearest to `prior` in Kullback-Leibler divergence that respect `caps`.

    The minimiser of :math:`\mathrm{KL}(x\|p)` with :math:`x_i \le c_i, \sum x_i = 1` is
    :math:`x_i = \min(\lambda p_i, c_i)`; :math:`\lambda` is found exactly by filling up the domains
    in the order in which they meet their caps.

    Parameters
    ----------
    prior : ndarray, shape (k,)
        Nonnegative, sum to 1.
    caps : ndarray, shape (k,)
        Largest share of each domain; infinity for none.

    Raises
    ------
    Infeasible
        When the caps of all domains with a positive prior sum to less than 1.

    Examples
    --------
    >>> cap_shares(np.array([0.6, 0.3, 0.1]), np.array([0.3, 1.0, 1.0])).round(3).tolist()
    [0.3, 0.525, 0.175]
    """
    p = np.asarray(prior, dtype=np.float64)
    c = np.minimum(np.asarray(caps, dtype=np.float64), 1.0)
    alive = p > 0
    room = float(c[alive].sum())
    if room < 1 - 1e-12:
        raise Infeasible(
            f"the caps leave room for {room:.1%} of the training tokens only.",
            why="every domain with a positive share is at its cap and the rest is unassigned.",
            cure=f"raise the caps by a factor of {1 / max(room, 1e-12):.3g} or train for "
            f"{room:.1%} of the tokens",
        )
    x = np.zeros_like(p)
    ratio = np.where(alive, c / np.where(alive, p, 1.0), np.inf)
    left_mass, left_prior = 1.0, float(p.sum())
    for i in np.argsort(ratio, kind="stable"):
        if not alive[i]:
            continue
        x[i] = min(c[i], left_mass * p[i] / left_prior)
        left_mass -= x[i]
        left_prior -= p[i]
        if left_prior <= 0:
            break
    return x / x.sum()
