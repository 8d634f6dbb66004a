r"""Fit :math:`\log(E + (u_0 + \sum_j \tau_j r_j^{b_j})^{-a})` to many targets and starts at once.

Levenberg-Marquardt steps on the Huber loss (by reweighting), in boxes, for all problems side by
side in three-dimensional arrays: the matrices are small, so the cost of a fit is the number of
calls, and one call here serves every target and start. A few seconds for 13 targets, 6 starts and
512 rows, where a general quasi-Newton method takes half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# P problems (targets x starts), N rows, K domains, Q free parameters, F = 2K + 3 parameters:
# log E, log a, log u0, then K of log tau, then K of log b
E_, A_, U_ = 0, 1, 2
HUBER = 0.01  # of the log loss


@dataclass(frozen=True)
class Form:
    """Which parameters are free, their boxes, and what they are pulled together by.

    Attributes
    ----------
    spread : ndarray, shape (F, Q)
        Free parameters to all parameters: one column may move several.
    fixed : ndarray, shape (F,)
        Values of the parameters that no column moves.
    low, high : ndarray, shape (Q,)
        Boxes.
    pull : ndarray, shape (Q, Q)
        Quadratic penalty, divided by the number of rows.
    """

    spread: Array
    fixed: Array
    low: Array
    high: Array
    pull: Array


def twins(W: Array) -> Array:
    """Return which domains no run tells apart: 1 where domain j is in group g, shape (K, G)."""
    _, first, group = np.unique(W, axis=1, return_index=True, return_inverse=True)
    return np.equal.outer(first[group.reshape(-1)], np.sort(first)).astype(np.float64)


def make_form(
    k: int, kind: str, pull_tau: float, pull_b: float, groups: Array | None = None
) -> Form:
    """Build the form for k domains; `kind` is ``"linear"``, ``"shared"`` or ``"each"``.

    Domains of one group (see `twins`) share their parameters: nothing could tell whose are whose.
    """
    groups = np.eye(k) if groups is None else groups
    size = 3 + 2 * k
    tau, b = slice(3, 3 + k), slice(3 + k, size)
    columns = [np.eye(size)[:, [E_, A_]]]
    fixed = np.zeros(size)
    if kind == "linear":  # b = 1 and u0 = 0
        fixed[U_] = -40.0
        columns += [np.eye(size)[:, tau] @ groups]
    elif kind == "shared":
        together = np.zeros((size, 1))
        together[b] = 1.0
        columns += [np.eye(size)[:, [U_]], np.eye(size)[:, tau] @ groups, together]
    else:
        columns += [np.eye(size)[:, [U_]]]
        columns += [np.eye(size)[:, tau] @ groups, np.eye(size)[:, b] @ groups]
    spread = np.hstack(columns)
    low = np.r_[-30.0, -5.0, -16.0, np.full(k, -14.0), np.full(k, -2.0)]
    # b <= 1: diminishing returns, which makes every predicted loss convex in the shares
    high = np.r_[30.0, 2.0, 3.0, np.full(k, 14.0), np.zeros(k)]
    centre = np.eye(k) - 1 / k
    pull = np.zeros((size, size))
    pull[tau, tau] = pull_tau * centre
    pull[b, b] = pull_b * centre
    pick = [int(np.flatnonzero(c)[0]) for c in spread.T]
    return Form(spread, fixed, low[pick], high[pick], spread.T @ pull @ spread)


def log_loss(full: Array, log_r: Array) -> Array:
    """Return the predicted log loss, (P, N), for parameters (P, F) and log shares (N, K)."""
    return _forward(full, log_r)[0]


def _forward(full: Array, log_r: Array) -> tuple[Array, Array, Array, Array]:
    k = log_r.shape[1]
    floor, a, u0 = (np.exp(full[:, i, None]) for i in (E_, A_, U_))
    with np.errstate(invalid="ignore"):
        # log 0 = -inf gives 0, the useful data of a domain that is left out
        parts = np.exp(full[:, None, 3 : 3 + k] + np.exp(full[:, None, 3 + k :]) * log_r)
    u = parts.sum(axis=2) + u0
    power = np.exp(-a * np.log(u))
    return np.log(floor + power), parts, u, power


def _jacobian(full: Array, log_r: Array, safe: Array) -> tuple[Array, Array]:
    """Return the predicted log loss (P, N) and its derivatives (P, N, F)."""
    k = log_r.shape[1]
    value, parts, u, power = _forward(full, log_r)
    total = np.exp(value)
    a = np.exp(full[:, A_, None])
    J = np.empty((*value.shape, 3 + 2 * k))
    J[..., E_] = np.exp(full[:, E_, None]) / total
    J[..., A_] = -power / total * a * np.log(u)
    slope = -a * power / (u * total)
    J[..., U_] = slope * np.exp(full[:, U_, None])
    J[..., 3 : 3 + k] = slope[..., None] * parts
    J[..., 3 + k :] = J[..., 3 : 3 + k] * np.exp(full[:, None, 3 + k :]) * safe
    return value, J


def _starts(form: Form, W: Array, y: Array, starts: int, rng: np.random.Generator) -> Array:
    """Draw first parameters, the same draws for every target; shape (P, Q)."""
    k = W.shape[1]
    lowest = y.min(axis=0)
    full = np.empty((len(lowest), starts, 3 + 2 * k))
    full[..., E_] = lowest[:, None] + np.log(rng.uniform(0.2, 0.95, starts))
    full[..., A_] = np.log(rng.uniform(0.05, 0.8, starts))
    draws = rng.normal(-1, 1, (k, starts))
    full[..., 3 : 3 + k] = np.stack([draws[_ranks(W, losses)].T for losses in y.T])
    # every second start begins with diminishing returns
    odd = np.arange(starts) % 2 == 1
    full[..., U_] = np.where(odd, -2.0, -6.0)
    full[..., 3 + k :] = np.where(odd, np.log(0.5), 0.0)[:, None]
    first = [int(np.flatnonzero(c)[0]) for c in form.spread.T]
    return full.reshape(-1, 3 + 2 * k)[:, first]


def _ranks(W: Array, losses: Array) -> NDArray[np.int64]:
    """Give each domain a number by what it holds; shape (K,).

    The number of a domain hangs neither on where its column stands nor on the order of the runs,
    so a draw that goes by it favours no name. It is the place in the order of the sorted shares,
    then of the sorted products of share and loss; domains that agree in both (twins) have one
    number, and domains that no run has used come last, where they change no other number.
    """
    keys = np.concatenate([np.sort(-W, axis=0), np.sort(W * losses[:, None], axis=0)])
    return np.unique(keys.T, axis=0, return_inverse=True)[1].reshape(-1)


def fit_power(
    W: Array,
    y: Array,
    form: Form,
    *,
    starts: int,
    rng: np.random.Generator,
    steps: int = 150,
) -> tuple[Array, Array]:
    """Fit every target from every start.

    Reordering the columns of W reorders the answer, but for the rounding of sums over them.

    Parameters
    ----------
    W : ndarray, shape (N, K)
        Shares.
    y : ndarray, shape (N, T)
        Log losses.
    form : Form
        What is free.
    starts : int
        Starting points per target.
    rng : Generator
        Draws the starting points.
    steps : int
        Most steps.

    Returns
    -------
    full : ndarray, shape (T, starts, F)
        Parameters.
    objective : ndarray, shape (T, starts)
        Mean Huber loss plus penalty.
    """
    n = len(W)
    with np.errstate(divide="ignore"):
        log_r = np.log(W)
    safe = np.where(W > 0, log_r, 0.0)
    theta = _starts(form, W, y, starts, rng)
    high = np.tile(form.high, (len(theta), 1))
    high[:, E_] = np.repeat(y.min(axis=0), starts) - 1e-3  # the floor lies below every loss
    theta = np.clip(theta, form.low, high)
    wanted = np.repeat(y.T, starts, axis=0)
    pull = form.pull / n

    def state(theta: Array, rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        value, J = _jacobian(theta @ form.spread.T + form.fixed, log_r, safe)
        rest = value - wanted[rows]
        size = np.abs(rest)
        huber = np.where(size < HUBER, 0.5 * size**2, HUBER * (size - 0.5 * HUBER)).mean(axis=1)
        penalty = 0.5 * np.einsum("pq,qr,pr->p", theta, pull, theta)
        return rest, J @ form.spread, huber + penalty

    live: NDArray[np.int64] = np.arange(len(theta), dtype=np.int64)
    rest, J, objective = state(theta, live)
    damp = np.full(len(theta), 1e-2)
    for _ in range(steps):
        move = _step(theta[live], rest, J, damp[live], form.low, high[live], pull)
        trial = np.clip(theta[live] + move, form.low, high[live])
        rest_t, J_t, objective_t = state(trial, live)
        better = objective_t < objective[live]
        small = better & (objective[live] - objective_t < 1e-6 * objective[live])
        won = live[better]
        theta[won], objective[won] = trial[better], objective_t[better]
        rest[better], J[better] = rest_t[better], J_t[better]
        damp[live] = np.where(better, np.maximum(damp[live] / 5, 1e-9), damp[live] * 4)
        go_on = ~small & (damp[live] < 1e8)
        live, rest, J = live[go_on], rest[go_on], J[go_on]
        if not len(live):
            break
    full = theta @ form.spread.T + form.fixed
    return full.reshape(y.shape[1], starts, -1), objective.reshape(y.shape[1], starts)


def _step(
    theta: Array, rest: Array, J: Array, damp: Array, low: Array, high: Array, pull: Array
) -> Array:
    """Return damped Gauss-Newton steps, (P, Q); parameters that push against a wall stay."""
    n = rest.shape[1]
    weight = np.minimum(1.0, HUBER / np.maximum(np.abs(rest), 1e-12))
    weighted = J * weight[..., None]
    slope = np.einsum("pnq,pn->pq", weighted, rest) / n + theta @ pull
    curve = np.matmul(weighted.transpose(0, 2, 1), J) / n + pull
    stuck = ((theta <= low) & (slope > 0)) | ((theta >= high) & (slope < 0))
    slope = np.where(stuck, 0.0, slope)
    q = np.arange(theta.shape[1])
    diagonal = curve[:, q, q]
    curve[stuck] = 0.0
    curve.transpose(0, 2, 1)[stuck] = 0.0
    lifted = diagonal * (1 + damp[:, None]) + 1e-10 * damp[:, None] + 1e-12
    curve[:, q, q] = np.where(stuck, 1.0, lifted)
    # a step of 3 is a factor of 20 in a parameter: beyond it the quadratic model means nothing
    return np.clip(-np.linalg.solve(curve, slope[..., None])[..., 0], -3.0, 3.0)
