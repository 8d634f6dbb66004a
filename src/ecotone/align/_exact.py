"""Exact transport plans without the matrix: few pairs, the network simplex, and a proof.

An optimal plan uses at most n + m - 1 of the n m pairs. Pairs that an approximate dual solution
finds cheap are handed to POT's network simplex; its potentials then price *all* pairs, a block at
a time. Pairs that would lower the cost join, until there is none: the plan is optimal for the whole
problem.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from ecotone.align._costs import Costs, Index
from ecotone.align._plans import REACH, Scaling
from ecotone.core.errors import BadInput, MissingExtra

Array = NDArray[np.float64]
DENSE = 250_000  # pairs up to which all are handed over at once
NEAR = 12  # cheapest pairs of a row, and of a column, to begin with
JOIN = 8  # most pairs of a row that join in a round
ROUNDS = 50
BLOCK = 256  # rows priced at a time
BLUR = 0.05  # least regularisation of the first potentials
MANY = 50_000  # pairs of a block up to which float32 is a help
LARGE = 1e30  # costs that float32 holds with room for sums
PROOF = 1e-9  # a reduced cost above minus this times the largest cost is rounding


class Exact(NamedTuple):
    """An optimal plan.

    Attributes
    ----------
    i, j : ndarray of int64, shape (k,)
        Pairs that carry mass.
    mass : ndarray, shape (k,)
        How much.
    f, g : ndarray, shape (n,) and (m,)
        Potentials, f_i + g_j <= C_ij everywhere.
    cost : float
        Total cost.
    pairs : ndarray of int64
        Pairs i m + j that were handed to the solver; empty for all.
    """

    i: Index
    j: Index
    mass: Array
    f: Array
    g: Array
    cost: float
    pairs: Index = np.empty(0, dtype=np.int64)


def potentials(cost: Costs, a: Array, b: Array) -> tuple[Array, Array]:
    """Return approximate dual potentials, from a coarse entropic plan."""
    n, m = cost.shape
    if n * m <= DENSE:
        return np.zeros(n), np.zeros(m)
    blur = max(BLUR, cost.bound / REACH)  # which the kernel holds without coming down to it
    plan = Scaling(cost, a, b, blur).run(1e-2, 60)
    return blur * plan.phi, blur * plan.psi


def exact(cost: Costs, a: Array, b: Array, f: Array, g: Array, pairs: Index | None = None) -> Exact:
    """Return the cheapest plan with row sums a and column sums b, all above 0.

    Parameters
    ----------
    cost : Costs
        Costs.
    a, b : ndarray, shape (n,) and (m,)
        Masses, each of sum 1.
    f, g : ndarray, shape (n,) and (m,)
        Potentials to begin with, of any quality: they decide the time, not the answer.
    pairs : ndarray of int64, optional
        Pairs to begin with, from a plan with the same masses and similar costs; then f and g are
        not looked at.
    """
    n, m = cost.shape
    if n * m <= DENSE:
        return _solved(cost.block(0, n), a, b)
    slack = PROOF * max(cost.bound, 1e-300)
    pairs = _first(cost, a, b, f, g) if pairs is None else pairs
    price = cost.pairs(*np.divmod(pairs, m))
    for _ in range(ROUNDS):
        found = _solved(coo_matrix((price, np.divmod(pairs, m)), shape=(n, m)), a, b)
        join = np.setdiff1d(_cheaper(cost, found.f, found.g, -slack), pairs)
        if len(join) == 0:
            return found._replace(pairs=pairs)
        pairs = np.concatenate([pairs, join])
        price = np.concatenate([price, cost.pairs(*np.divmod(join, m))])
    raise BadInput(
        f"the exact plan was not proven optimal in {ROUNDS} rounds.",
        cure="eco.align.EntropicOT()",
    )


def _solved(given: Any, a: Array, b: Array) -> Exact:
    """Solve with the pairs that a dense or sparse matrix holds, some of which make a plan."""
    G, log = simplex().emd(a, b, given, numItermax=10**9, log=True, center_dual=False)
    if isinstance(G, np.ndarray):
        i, j = np.nonzero(G)
        mass = G[i, j]
    else:
        i, j, mass = G.row.astype(np.int64), G.col.astype(np.int64), G.data
    return Exact(i, j, mass, np.asarray(log["u"]), np.asarray(log["v"]), float(log["cost"]))


def carried(plan: Exact, values: Array, m: int) -> Array:
    """Return the mean of source values, (n, k), that arrives at each of m target rows, (m, k)."""
    out = np.zeros((m, values.shape[1]))
    np.add.at(out, plan.j, plan.mass[:, None] * values[plan.i])
    return np.asarray(out / np.bincount(plan.j, plan.mass, m)[:, None])


def simplex() -> Any:
    """Return the package POT, or say how to get it."""
    try:
        import ot
    except ModuleNotFoundError:
        raise MissingExtra.of("ot", "ot", "an exact transport plan") from None
    return ot


def _first(cost: Costs, a: Array, b: Array, f: Array, g: Array) -> Index:
    """Return the cheapest pairs of each row and column, and the pairs of some plan."""
    n, m = cost.shape
    left, right = _single(*_reduced(cost, f, g))  # a guess need not be exact
    out = []
    k = min(NEAR, m - 1)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        near = np.argpartition(left[start:stop] @ right.T, k, axis=1)[:, :k]
        out.append((np.arange(start, stop)[:, None] * m + near).ravel())
    k = min(NEAR, n - 1)
    for start in range(0, m, BLOCK):
        stop = min(start + BLOCK, m)
        near = np.argpartition(right[start:stop] @ left.T, k, axis=1)[:, :k]
        out.append((near * m + np.arange(start, stop)[:, None]).ravel())
    # pour the masses in the order of rows: whatever else is missing, this plan exists
    pour_a, pour_b = np.cumsum(a), np.cumsum(b)
    cuts = np.unique(np.r_[0.0, pour_a[:-1], pour_b[:-1]])
    for shift in (0, 1):  # where two cuts are the same but for rounding, both sides
        i = np.searchsorted(pour_a, cuts, side="right").clip(max=n - 1)
        j = (np.searchsorted(pour_b, cuts, side="right") + shift).clip(max=m - 1)
        out.append(i * m + j)
    return np.unique(np.concatenate(out))


def _reduced(cost: Costs, f: Array, g: Array) -> tuple[Array, Array]:
    """Return factors whose product is what costs exceed f_i + g_j by."""
    one, other = np.ones((len(f), 1)), np.ones((len(g), 1))
    left = np.hstack([cost.left, -f[:, None], one])
    return left, np.hstack([cost.right, other, -g[:, None]])


def _single(*factors: Array) -> list[NDArray[np.float32]]:
    with np.errstate(over="ignore"):  # whoever uses them looks at how large they are
        return [x.astype(np.float32) for x in factors]


def _cheaper(cost: Costs, f: Array, g: Array, below: float) -> Index:
    """Return the pairs whose reduced cost is below a bound, the `JOIN` worst of each row.

    float32 finds whatever could be, with all the error that its sums can have; float64 decides.
    """
    (n, m), (left, right) = cost.shape, _reduced(cost, f, g)
    coarse, other = _single(left, right)
    size = cost.bound + float(np.abs(f).max()) + float(np.abs(g).max())
    edge = below + (left.shape[1] + 3) * float(np.finfo(np.float32).eps) * size
    out = []
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        few = size < LARGE
        if few:
            hits = np.flatnonzero(coarse[start:stop] @ other.T < np.float32(edge))
            few = len(hits) <= MANY
        if few:
            i, j = np.divmod(hits, m)
            price = cost.pairs(i + start, j) - f[i + start] - g[j]
        else:  # far rows make float32 too coarse, or the potentials are poor
            every = (left[start:stop] @ right.T).ravel()
            hits = np.flatnonzero(every < below)
            i, price = hits // m, every[hits]
        order = np.lexsort((price, i))
        order = order[price[order] < below]
        rank = np.arange(len(order)) - np.searchsorted(i[order], i[order])  # within its row
        out.append(hits[order[rank < JOIN]] + start * m)
    return np.concatenate(out)
