from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_moons
from sklearn.linear_model import Ridge
from sklearn.svm import SVC

from ecotone.align import ClassRegularisedOT, EntropicOT, SourceOnly
from ecotone.align._costs import costs
from ecotone.align._plans import Scaling
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def turned_moons(seed, n=200, degrees=30):
    """Moons and, as target, moons turned about the origin."""
    (S, ys), (T, yt) = (make_moons(n, noise=0.08, random_state=s) for s in (seed, seed + 100))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    X, domain = np.vstack([S, T @ turn]), np.repeat([1, -2], n)
    return X, np.r_[ys, np.full(n, -1)], domain, yt


def on_moons(methods, seeds=3):
    out = []
    for seed in range(seeds):
        X, y, domain, truth = turned_moons(seed)
        out.append([m.fit(X, y, domain).score(X[domain < 0], truth) for m in methods])
    return np.mean(out, axis=0)


def problem(n=90, m=70):
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(3, size=n))
    source = rng.normal(size=(n, 2)) + 1.5 * np.eye(3, 2)[y]
    target = rng.normal(0.5, 1.2, (m, 2)) + 1.5 * np.eye(3, 2)[rng.integers(3, size=m)]
    return source, y, target


def value(G, M, y, reg, eta, smoothing):
    """The objective as it stands in the docstring, for uniform masses."""
    n, m = G.shape
    shares = np.array([m * G[y == c].sum(axis=0) for c in np.unique(y)])
    KL = (G * np.log(np.maximum(G, 1e-300) * n * m)).sum() - G.sum() + 1
    return (G * M).sum() + reg * KL + eta * np.sqrt(shares + smoothing).sum() / m


def test_objective_falls_and_is_not_above_the_peers():
    da = pytest.importorskip("ot.da")
    source, y, target = problem()
    n, m = len(source), len(target)
    X, domain = np.vstack([source, target]), np.repeat([1, -2], [n, m])
    cost = costs(source, target, "sqeuclidean", "test")
    M, a, b = cost.block(0, n), np.full(n, 1 / n), np.full(m, 1 / m)
    for reg, price in ((0.1, 0.1), (0.1, 0.02), (0.3, 0.3)):
        theirs = da.sinkhorn_lpl1_mm(a, y, b, M, reg, price, numItermax=10, numInnerItermax=2000)
        params = {"reg": reg, "class_reg": price * m**0.5, "smoothing": 1e-3 * m, "rounds": 50}
        fitted = ClassRegularisedOT(**params, tol=1e-9)
        fitted.fit(X, np.r_[y, np.full(m, -1)], domain)
        *rounds, last = fitted.objectives_[1]
        assert np.diff(rounds).max() < 1e-3  # plans between rounds keep masses to 1e-3
        peer = value(theirs, M, y, reg, params["class_reg"], params["smoothing"])
        assert last <= peer + 1e-6


def test_the_objective_is_the_one_of_the_docstring():
    source, y, target = problem()
    n, m = len(source), len(target)
    cost = costs(source, target, "sqeuclidean", "test")
    starts = np.r_[np.unique(y, return_index=True)[1], n]
    plan = Scaling(cost, np.full(n, 1 / n), np.full(m, 1 / m), 0.1, starts=starts)
    method = ClassRegularisedOT(tol=1e-10)
    seen = method._alternate(plan)
    G = np.vstack([plan.rows(i, j) for i, j in pairwise(starts)])
    assert_allclose(seen[-1], value(G, cost.block(0, n), y, 0.1, 0.1, 1e-3), rtol=1e-7)
    assert np.abs(G.sum(axis=1) - 1 / n).sum() < 1e-6
    assert np.abs(G.sum(axis=0) - 1 / m).sum() < 1e-6


def test_target_rows_receive_from_fewer_classes():
    source, y, target = problem()
    n, m = len(source), len(target)
    cost = costs(source, target, "sqeuclidean", "test")
    starts = np.r_[np.unique(y, return_index=True)[1], n]
    plan = Scaling(cost, np.full(n, 1 / n), np.full(m, 1 / m), 0.1, starts=starts).run(1e-6, 1000)
    before = (m * plan.classes).max(axis=0).mean()
    ClassRegularisedOT()._alternate(plan)
    assert plan.error <= 1e-6
    assert (m * plan.classes).max(axis=0).mean() > before + 0.02


def test_a_high_price_does_not_underflow():
    source, y, target = problem()
    X, domain = np.vstack([source, target]), np.repeat([1, -2], [len(source), len(target)])
    for params in ({"class_reg": 10.0}, {"reg": 0.005, "class_reg": 1.0}):
        fitted = ClassRegularisedOT(**params).fit(X, np.r_[y, -np.ones(len(target))], domain)
        assert np.isfinite(fitted.features(X, domain)).all()


def test_without_a_price_it_is_entropic_ot():
    made = made_shift("affine", n=80)
    ours, theirs = (
        m.fit(made.X, made.y, made.sample_domain).features(made.X, made.sample_domain)
        for m in (ClassRegularisedOT(class_reg=0.0, tol=1e-9), EntropicOT(tol=1e-9))
    )
    assert_allclose(ours, theirs, atol=1e-6)


def test_helps_on_turned_moons():
    for base in (None, SVC()):
        ours, plain = on_moons([ClassRegularisedOT(base), SourceOnly(base)])
        assert ours >= plain + 0.10


def test_no_gain_over_entropic_ot_on_moons():
    ours, entropic = on_moons([ClassRegularisedOT(SVC()), EntropicOT(SVC())])
    assert abs(ours - entropic) <= 0.02


def test_hurts_under_a_label_shift():
    gains = []
    for seed in range(4):
        made = made_shift("label", n=200, seed=seed)
        methods = ClassRegularisedOT(), SourceOnly()
        scores = [m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods]
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) <= -0.2


def test_a_regression_has_no_classes():
    made = made_shift("affine", n=30)
    with pytest.raises(BadInput, match="no classes to keep apart") as error:
        ClassRegularisedOT(Ridge()).fit(made.X, made.truth, made.sample_domain)
    assert error.value.cure == "eco.align.EntropicOT(estimator)"
    for wrong in ({"reg": 0.0}, {"class_reg": -1.0}, {"smoothing": 0.0}):
        with pytest.raises(BadInput):
            ClassRegularisedOT(**wrong).fit(made.X, made.y, made.sample_domain)
