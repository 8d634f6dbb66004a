from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import norm, spearmanr
from sklearn.linear_model import LogisticRegression, Ridge

from ecotone.align import BBSE, MLLS, MMDTarS, SourceOnly
from ecotone.align._label_basis import basis_of, within_limits
from ecotone.align.mmd_tars import nearest_mixture
from ecotone.core.errors import BadInput
from ecotone.data.shifts import made_shift


def blobs(n, share, seed, gap=2.0):
    """Two classes; the target has `share` of the first."""
    rng = np.random.default_rng(seed)
    y = np.r_[rng.random(n) > 0.5, rng.random(n) > share].astype(int)
    X = rng.normal(size=(2 * n, 2)) + gap * y[:, None] * np.array([1.0, 0.0])
    return X, y, np.repeat([1, -2], n)


def numbers(n, seed):
    """Rows caused by a number that is N(0, 1) in the source and N(1, 0.7) in the target."""
    rng = np.random.default_rng(seed)
    y = np.r_[rng.normal(0, 1, n), rng.normal(1, 0.7, n)]
    X = np.column_stack([np.tanh(y), y**2 / 2, y]) + 0.7 * rng.normal(size=(2 * n, 3))
    return X, y, np.repeat([1, -2], n)


def errors(make, X, y, domain, truth):
    there = domain < 0
    fits = [m.fit(X, y, domain) for m in (make, SourceOnly(make.estimator))]
    return [np.mean((m.predict(X[there]) - truth[there]) ** 2) for m in fits]


def test_exact_distributions_give_exact_shares():
    atoms = np.random.default_rng(0).normal(size=(6, 3))
    likelihood = np.array([[4, 3, 1, 1, 1, 0], [0, 1, 2, 3, 2, 2], [1, 0, 1, 1, 1, 6]])
    at, y = [], []
    for c, times in enumerate((1, 3, 1)):  # source shares 0.2, 0.6, 0.2
        at += [*np.repeat(np.arange(6), likelihood[c] * times)]
        y += [c] * (10 * times)
    there = np.repeat(np.arange(6), np.array([14, 5, 1]) @ likelihood)
    X = atoms[np.r_[at, there]]
    domain = np.repeat([1, -2], [len(at), len(there)])
    fitted = MMDTarS().fit(X, np.r_[y, np.full(len(there), -1)], domain)
    assert_allclose(fitted.source_priors_, [0.2, 0.6, 0.2])
    assert_allclose(fitted.priors_, [0.7, 0.25, 0.05], atol=1e-6)


def test_the_shares_are_those_of_a_general_solver():
    rng = np.random.default_rng(1)
    for _ in range(10):
        Z = rng.normal(size=(5, 8))
        G, h = Z @ Z.T, Z @ rng.normal(size=8)
        best = minimize(
            lambda p, G=G, h=h: p @ G @ p - 2 * h @ p,
            np.full(5, 0.2),
            bounds=[(0, 1)] * 5,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        ours = nearest_mixture(G, h)
        assert ours @ G @ ours - 2 * h @ ours <= best.fun + 1e-9
        assert_allclose(ours, best.x, atol=1e-5)


def smoothed_program(X, y, target, gamma, ridge, functions, kept):
    """Write S K S + ridge I and S kappa out in full."""
    n = len(y)
    S = functions * kept @ functions.T / n
    K = np.exp(-gamma * cdist(X, X, "sqeuclidean"))
    kappa = n * np.exp(-gamma * cdist(X, target, "sqeuclidean")).mean(axis=1)
    return S @ K @ S + ridge * np.eye(n), S @ kappa


@pytest.mark.parametrize("cap", [20.0, 1.8])
def test_weights_of_numbers_are_the_optimum_of_a_general_solver(cap):
    n, ridge = 80, 0.3
    X, y, domain = numbers(n, 0)
    fitted = MMDTarS(Ridge(), ridge=ridge, cap=cap, level=0.0).fit(X, y, domain)
    basis = basis_of(y[:n], np.ones(n), ridge)
    A, b = smoothed_program(
        X[:n], y[:n], X[n:], fitted.gamma_, ridge, basis.functions, basis.kept
    )  # fmt: skip
    best = minimize(
        lambda w: w @ A @ w / 2 - b @ w,
        np.ones(n),
        jac=lambda w: A @ w - b,
        bounds=[(0, cap)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - n, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    w = fitted.weights_[:n]
    assert_allclose(w.mean(), 1.0)
    assert w.min() >= 0
    assert w.max() <= cap + 1e-6
    # theirs may leave the range of S; the little that this gains is what S wipes out
    assert best.fun - 1e-6 <= fitted.objective_ <= best.fun + 2e-3 * abs(best.fun)
    assert_allclose(w @ A @ w / 2 - b @ w, fitted.objective_, rtol=1e-6)


def test_the_smoother_is_kernel_ridge_regression():
    y, ridge = np.random.default_rng(0).normal(size=60), 0.5
    basis = basis_of(y, np.ones(60), ridge)
    gamma = 1 / np.median((y[:, None] - y)[np.triu_indices(60, 1)] ** 2)
    L = 1 + np.exp(-gamma * (y[:, None] - y) ** 2)
    S = basis.functions * basis.kept @ basis.functions.T / 60
    assert_allclose(S, L @ np.linalg.inv(L + ridge * np.eye(60)), atol=2e-3)
    assert_allclose(basis.functions @ basis.constant, 1.0, atol=1e-2)


def test_limits_hold_for_all_rows_and_the_slope_is_right():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    basis = basis_of(y, np.ones(500), 1.0)
    r = len(basis.sizes)
    for _ in range(5):
        Z = rng.normal(size=(r, r))
        P, q = Z @ Z.T + np.eye(r), 3 * rng.normal(size=r)
        found = within_limits(P, q, basis.constant, basis.functions, 2.5)
        beta = basis.functions @ found.theta
        assert beta.min() >= -1e-6
        assert beta.max() <= 2.5 + 1e-6
        # no allowed weights lie downhill
        slope = P @ found.theta - q
        for _ in range(20):
            other = np.clip(beta + rng.normal(size=500), 0, 2.5)
            theta = basis.functions.T @ other / 500
            values = basis.functions @ theta
            if values.min() >= 0 and values.max() <= 2.5:
                assert slope @ (theta / (basis.constant @ theta) - found.theta) >= -1e-6


def test_agrees_with_the_confusion_matrix_and_with_likelihood():
    X, y, domain = blobs(4000, 0.8, 0)
    found = [m.fit(X, y, domain).priors_[0] for m in (MMDTarS(), BBSE(), MLLS())]
    assert np.ptp(found) < 0.02


def test_helps_where_a_class_is_far_more_common():
    gain, off, applied = [], [], []
    for seed in range(5):
        X, y, domain = blobs(2000, 0.9, seed, gap=1.5)
        there = domain < 0
        ours, plain = (m.fit(X, y, domain) for m in (MMDTarS(), SourceOnly()))
        applied.append(ours.applied_)  # the test rejects what is true once in a hundred
        gain.append(ours.score(X[there], y[there]) - plain.score(X[there], y[there]))
        off.append(abs(ours.priors_[0] - 0.9))
    assert np.mean(applied) >= 0.8
    assert np.mean(gain) >= 0.04
    assert np.mean(off) < 0.03


def test_numbers_are_weighed_too():
    for seed in range(4):
        X, y, domain = numbers(400, seed)
        make = MMDTarS(Ridge(1e-3))
        ours, plain = errors(make, X, np.where(domain > 0, y, np.nan), domain, y)
        assert make.applied_
        assert ours < 0.75 * plain
        truth = norm.pdf(y[:400], 1, 0.7) / norm.pdf(y[:400])
        assert spearmanr(make.weights_[:400], truth)[0] > 0.9


@pytest.mark.parametrize("kind", ["covariate", "location_scale"])
def test_what_no_mixture_explains_is_not_applied(kind):
    for seed in range(3):
        made = made_shift(kind, n=300, seed=seed)
        ours = MMDTarS().fit(made.X, made.y, made.sample_domain)
        assert ours.assumption_p_ < 0.01
        assert not ours.applied_
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
        assert_array_equal(ours.predict_proba(made.X), plain.predict_proba(made.X))
        assert (ours.weights_[made.sample_domain > 0] == 1).all()
    X, y, domain = numbers(300, 0)
    X[300:] += 1.0
    assert not MMDTarS(Ridge()).fit(X, y, domain).applied_


def test_hurts_under_a_covariate_shift_without_its_test():
    gain = []
    for seed in range(5):
        made = made_shift("location_scale", n=200, seed=seed)
        ours = MMDTarS(level=0.0).fit(made.X, made.y, made.sample_domain)
        plain = SourceOnly().fit(made.X, made.y, made.sample_domain)
        gain.append(ours.score(*made.target) - plain.score(*made.target))
    assert np.mean(gain) < -0.02


def test_is_less_exact_than_likelihood_where_classes_overlap():
    off = {MMDTarS: [], MLLS: []}
    for seed in range(15):
        made = made_shift("label", n=200, size=0.7, seed=seed)
        drawn = np.bincount(made.target[1], minlength=3) / 200
        for make, found in off.items():
            fitted = make(level=0.0).fit(made.X, made.y, made.sample_domain)
            found.append(np.abs(fitted.priors_ - drawn).sum())
    assert np.mean(off[MMDTarS]) > 1.2 * np.mean(off[MLLS])


def test_weights_of_rows_count_as_copies():
    made = made_shift("label", n=150)
    source = np.flatnonzero(made.sample_domain > 0)
    weight = np.where(np.arange(300) % 2, 2.0, 1.0)
    twice = np.r_[np.arange(300), source[source % 2 == 1]]
    by_weight = MMDTarS(gamma=0.1).fit(made.X, made.y, made.sample_domain, sample_weight=weight)
    copied = MMDTarS(gamma=0.1).fit(made.X[twice], made.y[twice], made.sample_domain[twice])
    assert_allclose(by_weight.source_priors_, copied.source_priors_)
    assert_allclose(by_weight.priors_, copied.priors_, atol=1e-8)
    X, y, domain = numbers(100, 0)
    weight, twice = weight[:200], np.r_[np.arange(200), np.arange(1, 100, 2)]
    given = {"gamma": 0.2, "level": 0.0}
    by_weight = MMDTarS(Ridge(), **given).fit(X, y, domain, sample_weight=weight)
    copied = MMDTarS(Ridge(), **given).fit(X[twice], y[twice], domain[twice])
    # the bandwidth of labels and the level of the ridge see copies as more rows
    plain = MMDTarS(Ridge(), **given).fit(X, y, domain)
    off = [np.abs(m.weights_[:100] - copied.weights_[:100]).mean() for m in (by_weight, plain)]
    assert off[0] < 0.1
    assert off[0] < 0.7 * off[1]


def test_single_precision_is_as_good(monkeypatch):
    made = made_shift("label", n=300)
    double = MMDTarS().fit(made.X, made.y, made.sample_domain)
    monkeypatch.setattr("ecotone.align.mmd_tars.SINGLE_FROM", 100)
    single = MMDTarS().fit(made.X, made.y, made.sample_domain)
    assert_allclose(single.priors_, double.priors_, atol=1e-4)


def test_no_worse_than_the_peer_on_its_own_problem(skada):
    from skada import MMDTarSReweightAdapter

    made = made_shift("label", n=150, size=0.7)
    X, y, domain = made.X, made.y, made.sample_domain
    theirs = MMDTarSReweightAdapter(gamma=0.1).fit(X, y, sample_domain=domain)
    ours = MMDTarS(gamma=0.1).fit(X, y, domain)
    source, target = X[domain > 0], X[domain < 0]
    hot = np.eye(3)[y[domain > 0]]
    hot /= hot.sum(axis=0)

    def kernel(A, B):
        return np.exp(-0.1 * cdist(A, B, "sqeuclidean"))

    def distance(p):
        cross = hot.T @ kernel(source, target).mean(axis=1)
        return p @ hot.T @ kernel(source, source) @ hot @ p - 2 * cross @ p

    shares = theirs.alpha_ * ours.source_priors_
    assert distance(ours.priors_) <= distance(shares / shares.sum()) + 1e-9
    assert_allclose(distance(ours.priors_), ours.objective_)
    assert np.abs(ours.priors_ - shares / shares.sum()).max() < 0.02


def test_what_cannot_be_done_is_refused():
    made = made_shift("label", n=60)
    for wrong in ({"cap": 0.5}, {"level": 1.0}, {"ridge": 0.0}, {"gamma": -1.0}):
        with pytest.raises(BadInput) as error:
            MMDTarS(**wrong).fit(made.X, made.y, made.sample_domain)
        assert error.value.cure
    with pytest.raises(BadInput, match="rows of class 2 all have weight 0"):
        MMDTarS(LogisticRegression()).fit(
            made.X, made.y, made.sample_domain, sample_weight=(made.y != 2) * 1.0
        )
