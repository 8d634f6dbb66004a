"""Designs: which mixtures to train proxies on.

`regmix_design` draws many at random around the natural mixture; `spread_design` picks few that are
far from one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecotone.core.errors import BadInput, Infeasible, TooFewRows
from ecotone.core.simplex import cap_shares

Array = NDArray[np.float64]

STRENGTHS = np.geomspace(0.1, 5.0, 15)
GRID = 2e-4  # designs that agree to this many tokens in one are the same run
SAME = 1e-18  # squared Hellinger distance below which two mixtures are one


def regmix_design(
    prior: Array,
    n: int,
    rng: np.random.Generator,
    *,
    max_epochs: float = 15.0,
    temper: float = 0.5,
    strengths: Array = STRENGTHS,
    floor: float = GRID,
    limits: Array | None = None,
) -> Array:
    r"""Draw mixtures around the natural one, from nearly pure to well mixed.

    .. math:: r \sim \mathrm{Dirichlet}(s\,q), \qquad q_k \propto p_k^{\text{temper}}

    with a strength s drawn anew for each mixture [1]_. A draw with a share above
    ``max_epochs * p_k`` is thrown away; of what is left, a random choice of n different mixtures
    is returned. A domain that takes part in none of them gets a trace in one.

    Parameters
    ----------
    prior : ndarray, shape (k,)
        Natural shares p: positive, sum to 1.
    n : int
        Mixtures asked for.
    rng : Generator
        Decides the draws.
    max_epochs : float
        Largest share of a domain, in units of its natural share within the limits.
    temper : float
        Exponent that flattens the prior; 1 leaves it.
    strengths : ndarray
        Strengths to draw from: below 1 for nearly pure mixtures, above for well mixed ones.
    floor : float
        Smaller shares are set to 0.
    limits : ndarray, shape (k,), optional
        Largest share of each domain. A draw beyond them is moved to the nearest mixture within.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to 1; no two agree.

    Raises
    ------
    Infeasible
        When the limits sum to less than 1, or leave fewer than n different mixtures.

    References
    ----------
    .. [1] Liu et al., RegMix, ICLR 2025, section 3.1.
    """
    p, limits = _check(prior, limits)
    q = p**temper / (p**temper).sum()
    # where the limits push a domain above its natural share, its limit on epochs moves along; and a
    # domain so rare that it may not even reach the floor is still to be seen
    natural = np.maximum(max_epochs * cap_shares(p, limits), 2 * floor)
    pool = np.empty((0, len(p)))
    for _ in range(10):
        strength = rng.choice(strengths, size=100 * max(n, 10))
        draws = cap_rows(_floored(dirichlet_rows(strength[:, None] * q, rng), floor), limits, p)
        kept = draws[(draws <= natural).all(axis=1)]
        pool = distinct(np.concatenate([pool, kept]))
        if len(pool) >= n:
            break
    if len(pool) < n:
        raise Infeasible(
            f"only {len(pool)} different mixtures were found within the limits, not {n}.",
            cure=f"ask for {len(pool)} mixtures, or raise the limits or max_epochs",
        )
    chosen = rng.permutation(len(pool))[:n]
    return _reach_all(pool[chosen], limits, 2 * floor)


def spread_design(
    prior: Array, n: int, rng: np.random.Generator, limits: Array | None = None
) -> Array:
    r"""Pick few mixtures that lie far from one another, the natural one first.

    From a pool of random and of nearly pure mixtures each next one is the farthest from all before,
    in the Hellinger distance :math:`\sqrt{\sum_k (\sqrt{r_k} - \sqrt{r'_k})^2}`, which sees the
    difference between a share of 0 and of 1 %.

    Parameters
    ----------
    prior : ndarray, shape (k,)
        Natural shares: positive, sum to 1.
    n : int
        Mixtures asked for; 8 to 40 is what it is for.
    rng : Generator
        Decides the pool.
    limits : ndarray, shape (k,), optional
        Largest share of each domain.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to 1, the first is the prior (moved within the limits).
    """
    p, limits = _check(prior, limits)
    k = len(p)
    strength = rng.choice(STRENGTHS, size=max(2000, 50 * n))
    flat = np.sqrt(p) / np.sqrt(p).sum()
    draws = dirichlet_rows(strength[:, None] * flat, rng)
    pure = 0.9 * np.eye(k) + 0.1 * p
    pool = distinct(cap_rows(np.concatenate([p[None], pure, draws]), limits, p))
    if len(pool) < n:
        raise Infeasible(
            f"the limits leave only {len(pool)} different mixtures, not {n}.",
            cure=f"ask for {len(pool)} mixtures, or raise the limits",
        )
    points = np.sqrt(pool)
    return pool[[0, *farthest(points, n - 1, known=points[[0]])]]


def farthest(
    points: Array, n: int, *, known: Array, free: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return n row numbers, each of the point farthest from `known` and from those before it.

    Parameters
    ----------
    points : ndarray, shape (m, d)
        Square roots of shares, so that Euclidean distances are Hellinger distances.
    n : int
        How many to choose.
    known : ndarray, shape (any, d)
        Points that are taken already.
    free : ndarray of bool, shape (m,), optional
        Which points may be chosen; default all.

    Raises
    ------
    TooFewRows
        Fewer than n free points lie apart from what is taken.
    """
    distance = nearest(points, known)
    chosen = np.zeros(n, dtype=np.int64)
    for i in range(n):
        open_ = distance if free is None else np.where(free, distance, -1.0)
        best = int(np.argmax(open_))
        if open_[best] <= SAME:
            raise TooFewRows(
                f"{n} new runs are wanted; the candidates hold {i} new mixtures.",
                cure="give more candidates or ask for fewer runs",
            )
        chosen[i] = best
        distance = np.minimum(distance, nearest(points, points[[best]]))
    return chosen


def nearest(points: Array, known: Array) -> Array:
    """Return each point's squared Euclidean distance to the nearest known one, shape (m,)."""
    out = np.full(len(points), np.inf)
    for row in known:
        out = np.minimum(out, ((points - row) ** 2).sum(axis=1))
    return out


def cap_rows(W: Array, limits: Array, prior: Array) -> Array:
    r"""Move every row to the nearest mixture within the limits: `cap_shares`, row by row.

    :math:`x_k = \min(\lambda r_k, u_k)` with one :math:`\lambda` a row. What the domains of a row
    cannot hold goes to the others in proportion to `prior`.

    Parameters
    ----------
    W : ndarray, shape (n, k)
        Rows sum to 1.
    limits : ndarray, shape (k,)
        u; sum to 1 or more.
    prior : ndarray, shape (k,)
        Positive.
    """
    out = np.array(W, dtype=np.float64)
    broken = (out > limits).any(axis=1)
    if not broken.any():
        return out
    rows = out[broken]
    rows[rows < 1e-100] = 0.0  # products with them would not be numbers
    short = np.where(rows > 0, limits, 0.0).sum(axis=1) < 1
    # a trace of every domain: it grows only where the row's own domains are full
    rows[short] = rows[short] + 1e-9 * prior
    ratio = limits / np.maximum(rows, 1e-300)
    order = np.argsort(ratio, axis=1)
    sorted_u = np.take_along_axis(np.broadcast_to(limits, rows.shape), order, axis=1)
    sorted_w = np.take_along_axis(rows, order, axis=1)
    full = np.cumsum(sorted_u, axis=1) - sorted_u  # held by the domains before this one, all full
    rest = np.cumsum(sorted_w[:, ::-1], axis=1)[:, ::-1]  # weight of this domain and those after
    scale = (1 - full) / np.maximum(rest, 1e-300)
    # the first domain, in the order in which they fill up, that one common factor does not fill
    free = scale * sorted_w <= sorted_u * (1 + 1e-12)
    first = np.argmax(free, axis=1)
    common = np.where(free.any(axis=1), scale[np.arange(len(rows)), first], np.inf)
    with np.errstate(invalid="ignore"):
        x = np.minimum(np.where(rows > 0, common[:, None] * rows, 0.0), limits)
    out[broken] = x / x.sum(axis=1, keepdims=True)
    return np.minimum(out, limits) if limits.sum() > 1 else out


def distinct(W: Array) -> Array:
    """Return the rows that differ from all earlier ones by more than the grid, in order."""
    _, first = np.unique(np.round(W / GRID).astype(np.int64), axis=0, return_index=True)
    return W[np.sort(first)]


def _reach_all(W: Array, limits: Array, trace: float) -> Array:
    """Give each domain that no row uses a trace in a row of its own, from the last row on."""
    W = W.copy()
    unused = np.flatnonzero((W == 0).all(axis=0) & (limits > 0))
    for i, domain in enumerate(unused[: len(W)]):
        a = min(trace, limits[domain])
        W[-1 - i] *= 1 - a
        W[-1 - i, domain] = a
    return W


def dirichlet_rows(alpha: Array, rng: np.random.Generator) -> Array:
    """Draw one row a row of alpha; exact also where all gamma draws are too small for a float."""
    # log of a gamma(a) variable: log gamma(a + 1) + log(uniform) / a
    logs = np.log(rng.gamma(alpha + 1)) + np.log(rng.random(alpha.shape)) / alpha
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    return w / w.sum(axis=1, keepdims=True)


def _floored(W: Array, floor: float) -> Array:
    kept = np.where(floor > W, 0.0, W)
    return kept / kept.sum(axis=1, keepdims=True)


def _check(prior: Array, limits: Array | None) -> tuple[Array, Array]:
    p = np.asarray(prior, dtype=np.float64)
    if p.ndim != 1 or not (p > 0).all() or abs(p.sum() - 1) > 1e-6:
        raise BadInput(
            f"design: the prior is {p}.", cure="give a positive share for each domain; sum 1"
        )
    u = np.ones(len(p)) if limits is None else np.minimum(np.asarray(limits, np.float64), 1.0)
    if u.shape != p.shape or np.isnan(u).any() or (u < 0).any():
        raise BadInput(f"design: the limits are {u}.", cure=f"give {len(p)} shares from 0 to 1")
    if u.sum() < 1 - 1e-12:
        raise Infeasible(
            f"the largest shares sum to {u.sum():.4g} only.",
            cure=f"raise the caps by a factor of {1 / max(float(u.sum()), 1e-12):.3g}",
        )
    return p / p.sum(), u
