"""Potentials against derivatives and linear programming; where the gradient is the right order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from ecotone.core.errors import BadInput
from ecotone.select import _transport
from ecotone.select._transport import Cost, from_other, solve
from ecotone.select.got_d import GotD


def rows(n=40, m=30, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(0.5, 1.5, size=(m, d))


def value(cost, mu, nu, reg):
    found = solve(cost, mu, nu, reg, tol=1e-12, most=20_000)
    return mu @ found.f + nu @ found.g


def exact_dual(C):
    """Value and the pool's potential of the linear programme with equal masses."""
    n, m = C.shape
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    mass = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    done = linprog(C.ravel(), A_eq=sums, b_eq=mass, method="highs")
    return done.fun, done.eqlin.marginals[:n]


def test_moving_mass_changes_the_value_by_the_difference_of_potentials():
    X, Y = rows()
    cost, mu, nu = Cost(X, Y, "sqeuclidean").keep(), np.full(40, 1 / 40), np.full(30, 1 / 30)
    reg, step = 0.3, 1e-5
    f = solve(cost, mu, nu, reg, tol=1e-12, most=20_000).f
    for i, j in ((0, 1), (int(f.argmin()), int(f.argmax()))):
        move = np.zeros(40)
        move[i], move[j] = step, -step
        up, down = value(cost, mu + move, nu, reg), value(cost, mu - move, nu, reg)
        assert_allclose((up - down) / (2 * step), f[i] - f[j], rtol=1e-4)


def test_value_lies_between_the_exact_one_and_the_bound_of_the_entropy():
    # in one dimension with equal sizes the sorted matching is optimal, and has KL = log n
    rng = np.random.default_rng(1)
    X, Y = np.sort(rng.normal(size=(25, 1)), axis=0), np.sort(rng.normal(1, 2, (25, 1)), axis=0)
    exact, mass, reg = ((X - Y) ** 2).mean(), np.full(25, 1 / 25), 0.05
    found = value(Cost(X, Y, "sqeuclidean").keep(), mass, mass, reg)
    assert_allclose(exact_dual(cdist(X, Y, "sqeuclidean"))[0], exact)
    assert exact <= found <= exact + reg * np.log(25)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean"])
def test_ranks_as_the_exact_dual(metric):
    X, Y = rows(60, 40, 4)
    exact = exact_dual(cdist(X, Y, metric))[1]
    rank = [
        spearmanr(GotD(reg=r, metric=metric).fit(Y, X).score(X), -exact)[0] for r in (0.01, 0.05)
    ]
    assert rank[0] > 0.99
    assert rank[1] > 0.95


def test_calibrated_gradient_is_that_of_the_formula_and_sums_to_zero():
    X, Y = rows()
    got = GotD().fit(Y, X)
    cost = Cost(X, Y, "sqeuclidean").keep()
    mass = np.full(40, 1 / 40), np.full(30, 1 / 30)
    f = solve(cost, *mass, 0.05 * cost.mean(), tol=1e-10).f + 7.0  # any constant
    want = [f[i] - np.delete(f, i).mean() for i in range(40)]
    assert_allclose(got.score(X), -np.array(want), atol=1e-4)
    assert abs(got.score(X).sum()) < 1e-9
    assert got.error_ <= 1e-6


def test_blocks_change_nothing(monkeypatch):
    X, Y = rows(50, 30)
    whole = GotD().fit(Y, X).score(X)
    monkeypatch.setattr(_transport, "CELLS", 100)
    monkeypatch.setattr(_transport, "KEPT", 0)
    assert_allclose(GotD().fit(Y, X).score(X), whole, atol=1e-9)


def test_score_of_a_row_does_not_depend_on_its_company():
    X, Y = rows()
    got = GotD().fit(Y, X)
    assert_allclose(got.score(np.vstack([X[5:7], X[5:6]]))[[0, 2]], got.score(X)[[5, 5]], atol=1e-9)
    assert_array_equal(GotD(most=20).fit(Y, X).score(X), GotD(most=20).fit(Y, X).score(X))
    assert got.score([]).shape == (0,)


def test_equal_rows_have_no_preference():
    assert_allclose(GotD().fit(np.ones((3, 2)), np.ones((4, 2))).score(np.ones((2, 2))), 0.0)


def three(seed=0):
    """A pool of 80 % A, 10 % B, 10 % C; the target is half A, half B; B has a rule of its own."""
    rng = np.random.default_rng(seed)

    def draw(who):
        centre = np.zeros((len(who), 8))
        centre[who == 1, 0], centre[who == 2, 1] = 4.0, 4.0
        X = centre + rng.normal(size=centre.shape)
        return X, np.where(who == 1, X[:, 3] > 0, X[:, 2] > 0).astype(float)

    who = np.repeat([0, 1, 2], [800, 100, 100])
    asked = np.repeat([0, 1], 100)
    return who, *draw(who), asked, *draw(np.repeat([0, 1], 100)), *draw(np.repeat([0, 1], 1000))


def picks(seed=0, k=80):
    """The top k of GOT-D and of its rivals: nearest rows, the nearest to the centre, random."""
    who, X, _, _, T, _, _, _ = three(seed)
    near = -np.sort(cdist(X, T), axis=1)[:, 0]
    centre = -cdist(X, T.mean(axis=0, keepdims=True))[:, 0]
    random = np.random.default_rng(seed).random(len(X))
    scores = {"got_d": GotD().fit(T, X).score(X), "near": near, "centre": centre, "random": random}
    return who, {name: np.argsort(-s)[:k] for name, s in scores.items()}


def descend(w, X, y, steps, rate=0.5):
    """Gradient steps of logistic regression with products, so that domains can differ."""
    Z = features(X)
    for _ in range(steps):
        w = w - rate * Z.T @ (1 / (1 + np.exp(-Z @ w)) - y) / len(y)
    return w


def features(X):
    there = X[:, :1] > 2
    return np.hstack([X[:, 2:4], there * X[:, 2:4], np.ones((len(X), 1))])


def loss(w, X, y):
    z = features(X) @ w
    return float(np.mean(np.logaddexp(0, z) - y * z))


def test_helps_a_model_that_was_trained_on_the_pool():
    for seed in range(3):
        who, rows = picks(seed)
        share = {name: (who[r] == 1).mean() for name, r in rows.items()}
        assert share["got_d"] >= 0.9
        assert max(share["near"], share["centre"], share["random"]) < 0.25
        _, X, y, _, _, _, new, truth = three(seed)
        base = descend(np.zeros(5), X, y, 100)
        B = slice(1000, 2000)
        cut = {
            name: loss(base, new[B], truth[B])
            - loss(descend(base, X[r], y[r], 10), new[B], truth[B])
            for name, r in rows.items()
        }
        assert cut["got_d"] > max(cut["near"], cut["centre"], cut["random"]) + 0.02


def test_does_not_help_a_model_trained_on_the_picks_alone():
    # with no pool behind it the model needs a sample of the target, and the picks are only B
    for seed in range(3):
        _, rows = picks(seed)
        _, X, y, _, T, _, new, truth = three(seed)
        matched = np.unique(cdist(T, X).argmin(axis=1))[::2]  # what is nearest to each target row
        alone, fair = (
            loss(descend(np.zeros(5), X[r], y[r], 300), new, truth)
            for r in (rows["got_d"], matched)
        )
        assert alone > fair + 0.2


def test_errors_carry_a_cure():
    X, Y = rows()
    with pytest.raises(BadInput, match="target is empty"):
        GotD().fit(np.zeros((0, 3)), X)
    with pytest.raises(BadInput, match="pool is empty"):
        GotD().fit(Y, np.zeros((0, 3)))
    with pytest.raises(BadInput, match="shape"):
        GotD().fit(Y, X[:, :2])
    with pytest.raises(BadInput, match="row 1 of docs"):
        GotD().fit(Y, X).score([[0, 0, 0], [0, np.nan, 0]])
    with pytest.raises(BadInput, match="metric") as caught:
        GotD(metric="cosine").fit(Y, X)
    assert caught.value.cure
    with pytest.raises(BadInput, match="not fitted"):
        GotD().score(X)


def test_potentials_of_new_rows_continue_those_of_the_pool():
    X, Y = rows()
    cost, mass = Cost(X, Y, "euclidean").keep(), np.full(30, 1 / 30)
    found = solve(cost, np.full(40, 1 / 40), mass, 0.2, tol=1e-12, most=5000)
    assert_allclose(from_other(cost, found.g, mass, 0.2), found.f, atol=1e-10)
