from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import make_moons
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from ecotone.align import EntropicOT, OTMapping, SourceOnly, _exact
from ecotone.align._costs import costs
from ecotone.align._exact import exact
from ecotone.align.ot_mapping import least_effort
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift

ot = pytest.importorskip("ot")


def turned_moons(seed, n=200, degrees=30):
    """Moons and, as target, moons turned about the origin."""
    (S, ys), (T, yt) = (make_moons(n, noise=0.08, random_state=s) for s in (seed, seed + 100))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.vstack([S, T @ turn]), np.r_[ys, np.full(n, -1)], np.repeat([1, -2], n), yt


def gain(kind, base=None, seeds=4):
    out = []
    for seed in range(seeds):
        made = made_shift(kind, n=200, seed=seed)
        fits = (m(base).fit(made.X, made.y, made.sample_domain) for m in (OTMapping, SourceOnly))
        out.append(np.subtract(*(f.score(*made.target) for f in fits)))
    return np.mean(out)


@pytest.mark.parametrize(("n", "m", "d"), [(80, 80, 3), (600, 600, 2), (700, 500, 20)])
def test_the_plan_is_exact(n, m, d):
    rng = np.random.default_rng(0)
    S, T = rng.normal(size=(n, d)), rng.normal(1, 2, (m, d))
    w = np.ones(n) if n == m else rng.random(n)
    a, b = w / w.sum(), np.full(m, 1 / m)
    plan = least_effort(S, T, w, "sqeuclidean", "test")
    cost = costs(S, T, "sqeuclidean", "test")
    M = cost.block(0, n)
    assert_allclose(plan.cost, ot.emd2(a, b, M, numItermax=10**7), rtol=1e-9)
    if n == m:
        i, j = linear_sum_assignment(M)
        assert_allclose(plan.cost, M[i, j].mean(), rtol=1e-9)
        assert len(plan.i) == n
    assert_allclose(np.bincount(plan.i, plan.mass, n), a, atol=1e-12)
    assert_allclose(np.bincount(plan.j, plan.mass, m), b, atol=1e-12)
    # the proof: potentials that no pair breaks, and that cost as much
    assert (M - plan.f[:, None] - plan.g).min() > -1e-8
    assert_allclose(a @ plan.f + b @ plan.g, plan.cost, rtol=1e-8)


def test_first_potentials_decide_the_time_not_the_answer():
    rng = np.random.default_rng(0)
    S, T = rng.normal(size=(600, 3)), rng.normal(1, 2, (500, 3))
    cost, a, b = costs(S, T, "sqeuclidean", "test"), np.full(600, 1 / 600), np.full(500, 1 / 500)
    best = ot.emd2(a, b, cost.block(0, 600), numItermax=10**7)
    for f, g in ((np.zeros(600), np.zeros(500)), (rng.normal(size=600), rng.normal(size=500))):
        assert_allclose(exact(cost, a, b, f, g).cost, best, rtol=1e-9)


@pytest.mark.parametrize("limit", ["MANY", "LARGE"])
def test_pairs_priced_in_either_precision_prove_the_same_plan(limit, monkeypatch):
    rng = np.random.default_rng(0)
    S, T = rng.normal(size=(700, 10)), rng.normal(1, 2, (500, 10))
    S[0] = 300  # a far row: float32 is coarse
    cost, a, b = costs(S, T, "sqeuclidean", "test"), np.full(700, 1 / 700), np.full(500, 1 / 500)
    best = ot.emd2(a, b, cost.block(0, 700), numItermax=10**7)
    one = exact(cost, a, b, np.zeros(700), np.zeros(500))
    monkeypatch.setattr(_exact, limit, 0)
    two = exact(cost, a, b, np.zeros(700), np.zeros(500))
    assert_allclose([one.cost, two.cost], best, rtol=1e-9)
    assert len(np.setxor1d(one.pairs, two.pairs)) <= 20


def test_rows_that_repeat_and_rows_without_weight():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (1200, 2)).astype(float)  # 9 places for 600 rows a side
    domain, y = np.repeat([1, -2], 600), np.arange(1200) % 2
    weight = np.where(np.arange(1200) % 7, 1.0, 0.0)
    fitted = OTMapping().fit(X, y, domain, sample_weight=weight)
    assert np.isfinite(fitted.features(X, domain)).all()
    assert fitted.efforts_[1] < 0.1
    still = OTMapping().fit(np.ones((8, 2)), [0, 1] * 4, np.repeat([1, -2], 4))
    assert_allclose(still.features(np.ones((3, 2)), [1, 1, 1]), 1)


def test_recovers_an_affine_map():
    rng = np.random.default_rng(0)
    A = np.array([[1.4, 0.3], [0.3, 0.8]])
    S, T = rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2)) @ A + 1
    X, domain = np.vstack([S, T]), np.repeat([1, -2], 2000)
    moved = OTMapping().fit(X, np.arange(4000) % 2, domain).features(X, domain)[:2000]
    assert np.sqrt(((moved - S @ A - 1) ** 2).mean()) < 0.15


def test_helps_on_turned_moons():
    for base in (None, SVC()):
        gains = []
        for seed in range(3):
            X, y, domain, truth = turned_moons(seed)
            fits = (m(base).fit(X, y, domain) for m in (OTMapping, SourceOnly))
            gains.append(np.subtract(*(f.score(X[domain < 0], truth) for f in fits)))
        assert np.mean(gains) >= 0.10


def test_hurts_under_a_label_shift():
    assert gain("label") <= -0.2


def test_costs_accuracy_without_a_shift():
    near = KNeighborsClassifier(1)
    out = []
    for seed in range(6):
        made = made_shift("none", n=300, seed=seed)
        methods = OTMapping(near), EntropicOT(near)
        out.append([m.fit(made.X, made.y, made.sample_domain).score(*made.target) for m in methods])
    mapped, entropic = np.mean(out, axis=0)
    assert mapped <= entropic - 0.01


def test_regression_and_too_many_rows():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(200, 2)), np.repeat([1, -2], 100)
    truth = X @ [1.0, 2.0]
    X[100:] = X[100:] * [2.0, 0.5] + 3
    y = np.where(domain > 0, truth, np.nan)
    plain, ours = (m(Ridge()).fit(X, y, domain) for m in (SourceOnly, OTMapping))
    assert plain.score(X[100:], truth[100:]) < 0 < 0.6 < ours.score(X[100:], truth[100:])
    big, where = np.zeros((60_000, 1)), np.repeat([1, -2], 30_000)
    with pytest.raises(BadInput, match=r"need 3\.6 GB"):
        OTMapping().fit(big, np.arange(60_000) % 2, where)
