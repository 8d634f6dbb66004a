from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from ecotone.align import EntropicOT, SourceOnly
from ecotone.align._costs import costs, some_rows
from ecotone.align._plans import Scaling
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def accuracies(kind, methods, seeds=4, **params):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=300, seed=seed, **params)
        out.append([m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods])
    return np.mean(out, axis=0)


def prior_shift(seed, n=300):
    """Two classes four spreads apart; shares .5 and .9; the target moved by half a spread."""
    rng = np.random.default_rng(seed)
    y = np.r_[rng.random(n) < 0.5, rng.random(n) < 0.9].astype(int)
    X = rng.normal(size=(2 * n, 5))
    X[:, 0] += 4.0 * y
    X[n:] += 0.5
    return X, np.where(np.arange(2 * n) < n, y, -1), np.repeat([1, -2], n), y


def uneven(n=40, m=30):
    rng = np.random.default_rng(0)
    a, b = rng.random(n), rng.random(m)
    cost = costs(rng.normal(size=(n, 3)), rng.normal(1, 1, (m, 3)), "sqeuclidean", "test")
    return cost, a / a.sum(), b / b.sum()


@pytest.mark.parametrize("reg", [1.0, 0.1, 0.02])
def test_plans_equal_an_independent_implementation(reg):
    ot = pytest.importorskip("ot")
    cost, a, b = uneven()
    M = cost.block(0, 40)
    theirs = ot.sinkhorn(a, b, M, reg, method="sinkhorn_log", numItermax=50_000, stopThr=1e-13)
    assert_allclose(Scaling(cost, a, b, reg).run(1e-13, 5000).rows(0, 40), theirs, atol=1e-8)
    for tau in (0.1, 1.0, 10.0):
        theirs = ot.unbalanced.sinkhorn_unbalanced(
            a, b, M, reg, tau, numItermax=50_000, stopThr=1e-13
        )
        ours = Scaling(cost, a, b, reg, tau=tau).run(1e-13, 5000).rows(0, 40)
        assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize(("n", "kind"), [(300, np.float64), (2_100, np.float32)])
def test_marginals_hold_with_either_kernel(n, kind):
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(n, 8)), rng.normal(1, 2, (2_000, 8))
    a, b = np.full(n, 1 / n), np.full(2_000, 1 / 2_000)
    cost = costs(source, target, "sqeuclidean", "test")
    plan = Scaling(cost, a, b, 0.1).run(1e-6, 1000)
    assert plan.kernel.dtype == kind
    # from the potentials and exact costs, not from the kernel
    G = np.exp(plan.phi[:, None] + plan.psi - cost.block(0, n) / 0.1) * a[:, None] * b
    assert np.abs(G.sum(axis=1) - a).sum() < 1e-6
    assert np.abs(G.sum(axis=0) - b).sum() < 1.5e-6
    assert_allclose(plan.means(target), G @ target / G.sum(axis=1)[:, None], atol=1e-4)


def test_between_the_exact_plan_and_the_mean():
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(1)
    X, domain = (
        rng.normal(size=(120, 2)) + np.repeat([[0.0], [2.0]], 60, axis=0),
        np.repeat([1, -2], 60),
    )
    cost = costs(X[:60], X[60:], "sqeuclidean", "test")
    least = ot.emd2([], [], cost.block(0, 60))
    a = np.full(60, 1 / 60)
    efforts = []
    for reg in (0.3, 0.03, 0.003):
        G = Scaling(cost, a, a, reg).run(1e-8, 20_000).rows(0, 60)
        efforts.append((G * cost.block(0, 60)).sum())
    assert efforts[0] > efforts[1] > efforts[2]
    assert_allclose(efforts[2], least, rtol=2e-3)
    moved = EntropicOT(reg=1e4).fit(X, np.arange(120) % 2, domain).features(X, domain)
    assert_allclose(moved[:60], np.tile(X[60:].mean(axis=0), (60, 1)), atol=1e-3)


def test_a_tiny_reg_does_not_underflow():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(60, 3)), 1000 + rng.standard_cauchy((60, 3))])
    for reg in (1e-2, 1e-4):
        moved = EntropicOT(reg=reg).fit(X, np.arange(120) % 2, np.repeat([1, -2], 60))
        assert np.isfinite(moved.features(X, np.repeat([1, -2], 60))).all()


def test_recovers_an_affine_map():
    rng = np.random.default_rng(0)
    A = np.array([[1.4, 0.3], [0.3, 0.8]])
    S, T = rng.normal(size=(1500, 2)), rng.normal(size=(1500, 2)) @ A + 1
    X, domain = np.vstack([S, T]), np.repeat([1, -2], 1500)
    moved = EntropicOT(reg=0.03).fit(X, np.arange(3000) % 2, domain).features(X, domain)[:1500]
    assert np.sqrt(((moved - S @ A - 1) ** 2).mean()) < 0.15


def test_nearest_displacement_beats_the_extension():
    rng = np.random.default_rng(0)
    A = np.diag(np.exp(np.linspace(-0.5, 0.5, 20)))
    S, T, new = (rng.normal(size=(k, 20)) for k in (500, 500, 200))
    T = T @ A + 1
    X, domain = np.vstack([S, T]), np.repeat([1, -2], 500)
    fitted = EntropicOT().fit(X, np.arange(1000) % 2, domain)
    ours = fitted.features(new, np.ones(200, dtype=int))
    plan = Scaling(costs(S, T, "sqeuclidean", "test"), *np.full((2, 500), 1 / 500), 0.1)
    plan.run(1e-6, 1000)
    E = plan.psi - ((new[:, None] - T) ** 2).sum(axis=2) / plan.cost.scale / 0.1
    P = np.exp(E - E.max(axis=1, keepdims=True))
    extended = P @ T / P.sum(axis=1, keepdims=True)

    def error(Z):
        return np.sqrt(((Z - new @ A - 1) ** 2).mean())

    assert error(ours) < 0.95 * error(extended)
    assert_allclose(fitted.features(S[:5], np.ones(5)), plan.means(T)[:5], atol=1e-6)


def test_helps_under_rotation_and_location_scale():
    ours, plain = accuracies("rotation", [EntropicOT(), SourceOnly()])
    assert ours - plain >= 0.02
    ours, plain = accuracies("location_scale", [EntropicOT(), SourceOnly()])
    assert ours - plain >= 0.10


def test_prior_shift_breaks_the_balanced_plan():
    scores = []
    for seed in range(4):
        X, y, domain, truth = prior_shift(seed)
        at = domain < 0
        methods = SourceOnly(), EntropicOT(), EntropicOT(tau=0.1), EntropicOT(tau=1.0)
        scores.append([m.fit(X, y, domain).score(X[at], truth[at]) for m in methods])
    plain, balanced, unbalanced, dear = np.mean(scores, axis=0)
    assert balanced <= plain - 0.2
    assert unbalanced >= plain - 0.05
    assert dear <= plain - 0.1  # tau=1 is not enough


def test_moved_rows_shrink_in_many_dimensions():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(1000, 50)), np.repeat([1, -2], 500)
    moved = EntropicOT().fit(X, np.arange(1000) % 2, domain).features(X, domain)
    assert moved[:500].std() < 0.5 * X[500:].std()


def test_weights_are_masses_and_regression_works():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 2)), np.repeat([1, -2], 100)
    truth = X @ [1.0, 2.0]
    X[100:] = X[100:] * [2.0, 0.5] + 3
    y = np.where(domain > 0, truth, np.nan)
    weight = np.where(np.arange(200) < 10, 3, 1)
    plain, ours = (m(Ridge()).fit(X, y, domain) for m in (SourceOnly, EntropicOT))
    assert plain.score(X[100:], truth[100:]) < 0 < 0.4 < ours.score(X[100:], truth[100:])
    twice = np.repeat(np.arange(200), weight)
    one = EntropicOT(Ridge()).fit(X, y, domain, sample_weight=weight)
    # the same median, so that reg means the same
    two = EntropicOT(Ridge(), reg=0.1 * _scale(X) / _scale(X[twice], 120))
    two.fit(X[twice], y[twice], domain[twice])
    assert_allclose(one.predict(X), two.predict(X), rtol=1e-3, atol=1e-3)


def _scale(X, n=100):
    return costs(X[:n], X[n:], "sqeuclidean", "test").scale


def test_more_rows_than_fit_are_refused_before_anything_is_allocated():
    X = np.zeros((60_000, 1))
    domain = np.repeat([1, -2], 30_000)
    with pytest.raises(BadInput, match=r"need 3\.6 GB") as error:
        EntropicOT().fit(X, np.arange(60_000) % 2, domain)
    assert error.value.cure == "eco.align.LinearOT()"
    with pytest.raises(BadInput, match="no metric is called 'l2'"):
        EntropicOT(metric="l2").fit(X[::600], np.arange(100) % 2, domain[::600])
    for wrong in ({"reg": 0.0}, {"tau": -1.0}):
        with pytest.raises(BadInput):
            EntropicOT(**wrong).fit(X[::600], np.arange(100) % 2, domain[::600])


@pytest.mark.parametrize("metric", ["cosine", "sqeuclidean"])
def test_costs_are_what_scipy_says(metric):
    rng = np.random.default_rng(0)
    S, T = rng.normal(1, 1, (30, 4)), rng.normal(2, 1, (20, 4))
    cost, M = costs(S, T, metric, "test"), cdist(S, T, metric)
    assert_allclose(cost.block(0, 30), M / np.median(M), atol=1e-10)
    assert_allclose(cost.columns(2, 9), cost.block(0, 30)[:, 2:9].T, atol=1e-12)
    assert cost.bound >= cost.block(0, 30).max()
    i, j = np.array([0, 3]), np.array([5, 7])
    assert_allclose(cost.pairs(i, j), cost.block(0, 30)[i, j], atol=1e-10)


def test_the_median_does_not_hang_on_the_order_of_rows():
    X = np.random.default_rng(0).normal(size=(5000, 3))
    assert_allclose(np.sort(some_rows(X), axis=0), np.sort(some_rows(X[::-1]), axis=0))
